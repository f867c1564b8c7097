"""What saving a schedule will do, said before it is saved: trouble first, then what comes of it.

Pure. The controller's habits (:mod:`tui.cnpg.firing`) in sentences about one edit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from tui import words
from tui.cnpg import firing
from tui.cnpg.firing import MOST_MISSED, Outlook
from tui.cnpg.schedule import ScheduledBackup
from tui.verdict import lint, schedules
from tui.verdict.health import Level
from tui.verdict.lint import Around

_ORDER: Final = (
    Level.FAILING,
    Level.UNPROTECTED,
    Level.DEGRADED,
    Level.PROTECTED,  # that nothing fires now and when it will matters more than what may be odd
    Level.UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence about what will happen."""

    level: Level
    text: str


def on_save(
    before: ScheduledBackup | None,
    after: ScheduledBackup,
    around: Around,
    now: datetime,
    zone: tzinfo,
    outlook: Outlook,
) -> tuple[Remark, ...]:
    """What happens when ``after`` is written over ``before`` (None: it is created).

    ``outlook`` is that of ``after``. The controller keeps counting from ``before.last_check``.
    """
    if outlook.refused:
        return (Remark(Level.FAILING, "the server will refuse it"),)
    remarks = [
        *_firing(before, after, outlook, now),
        *_shape(after, outlook, around),
        *_company(outlook, around, now, zone),
    ]
    return tuple(sorted(remarks, key=lambda remark: _ORDER.index(remark.level)))


def _firing(
    before: ScheduledBackup | None, after: ScheduledBackup, outlook: Outlook, now: datetime
) -> Iterator[Remark]:
    if after.suspended:
        yield Remark(Level.DEGRADED, "nothing fires while it is suspended")
    elif outlook.held_by is not None:
        held = outlook.held_by
        since = f" since {words.moment(held.created, now)}" if held.created else ""
        yield Remark(
            Level.DEGRADED,
            f"blocked: {held.key.name} is {schedules.phase(held)}{since}; nothing fires until it is "
            "completed or failed",
        )
    elif outlook.at_once is not None:
        yield Remark(Level.DEGRADED, f"fires a backup at once: {_why_at_once(after, outlook, now)}")
    elif outlook.never:
        why = outlook.judgement.description.removeprefix("never: ")
        yield Remark(Level.FAILING, f"it never fires: {why}")
    elif outlook.runs:
        wait = outlook.runs[0] - now
        first = "first" if before is None else "next"
        yield Remark(
            Level.PROTECTED,
            f"fires nothing; {first} run {words.moment(outlook.runs[0], now)}, "
            f"in {words.age(wait)}",
        )
    if after.immediate and after.last_check is not None:
        yield Remark(
            Level.UNKNOWN,
            "immediate has no effect: the operator has seen this schedule since "
            f"{words.moment(after.last_check, now)} at the latest",
        )


def _why_at_once(after: ScheduledBackup, outlook: Outlook, now: datetime) -> str:
    assert outlook.at_once is not None
    if outlook.immediate:
        return "immediate is set, and the operator has not seen this schedule yet"
    assert after.last_check is not None
    name = firing.child_name(after.key.name, outlook.at_once)
    checked = f"the last check was {words.moment(after.last_check, now)}"
    slot = words.moment(outlook.at_once, now)
    if outlook.missed == 1:
        return f"{checked} and the slot {slot} lies behind. It is named {name}"
    count = f"{MOST_MISSED} or more" if outlook.missed >= MOST_MISSED else str(outlook.missed)
    return f"{checked} and {count} slots from {slot} on lie behind; they become one, {name}"


def _shape(after: ScheduledBackup, outlook: Outlook, around: Around) -> Iterator[Remark]:
    invalid = schedules.why_invalid(after, outlook)
    if invalid:
        yield Remark(invalid.level, invalid.sentence)
    if around.clusters_known and around.cluster is None:
        yield Remark(
            Level.FAILING, f"there is no Cluster {after.cluster} in {after.key.namespace or '-'}"
        )
    why = lint.unable(after, around.cluster) if around.cluster else ""
    if why:
        yield Remark(Level.FAILING, why)
    old = lint.deprecated(after)
    if old:
        yield Remark(Level.UNKNOWN, old)


def _company(outlook: Outlook, around: Around, now: datetime, zone: tzinfo) -> Iterator[Remark]:
    usual, shortest = around.usual, lint.shortest_interval(outlook.runs)
    if usual and shortest and shortest < usual:
        yield Remark(
            Level.DEGRADED,
            f"fires every {words.age(shortest)}, but a backup here usually takes {words.age(usual)}",
        )
    for sibling in around.siblings:
        met = lint.collision(outlook, sibling, now, zone, usual or timedelta(0))
        if met is not None:
            yield Remark(
                Level.UNKNOWN,
                f"{sibling.key.name} fires too at {words.moment(met, now)}: one waits for the other",
            )
