"""How a schedule stands: whether it fires as its author meant, and if not, why and what to do.

Pure. The operator reports none of this: a schedule that is stopped by a stuck Backup, that nobody
looks at or whose Backups are refused looks like any other in Kubernetes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from statistics import median_low
from typing import Final, NamedTuple

from tui import words
from tui.cnpg import backup, cron, firing
from tui.cnpg.backup import Backup, Method
from tui.cnpg.cron import Verdict
from tui.cnpg.firing import Outlook
from tui.cnpg.schedule import LONGEST_NAME, ScheduledBackup
from tui.verdict.level import Level

LATE: Final = timedelta(minutes=5)
"""How long after a slot a Backup may take to appear before the schedule counts as overdue."""

_USUAL_OF: Final = 10
"""The usual duration is the median of so many newest completed Backups."""

_LONGEST_MESSAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Standing:
    """How a schedule stands. ``word`` is for the table, ``sentence`` and ``advice`` for the details."""

    level: Level
    word: str
    sentence: str
    advice: str
    outlook: Outlook


class _Finding(NamedTuple):
    level: Level
    word: str
    sentence: str
    advice: str = ""


def standing(
    schedule: ScheduledBackup, children: Iterable[Backup], now: datetime, zone: tzinfo
) -> Standing:
    """How ``schedule`` stands, whose Backups are ``children``; ``zone`` is the operator's."""
    outlook = firing.outlook(schedule, children, now, zone, count=1)
    found = _finding(schedule, outlook, now)
    return Standing(found.level, found.word, found.sentence, found.advice, outlook)


def _finding(schedule: ScheduledBackup, outlook: Outlook, now: datetime) -> _Finding:
    if invalid := why_invalid(schedule, outlook):
        return invalid
    if schedule.suspended:
        return _Finding(
            Level.DEGRADED,
            "suspended",
            "suspended: nothing fires",
            "space resumes it; what it then fires at once is shown first",
        )
    if outlook.never:
        return _Finding(
            Level.FAILING, "never fires", outlook.judgement.description, "edit the schedule: e"
        )
    return (
        _held(outlook, now)
        or _late(schedule, outlook, now)
        or _misread(outlook)
        or _Finding(Level.PROTECTED, "active", outlook.judgement.description)
    )


def why_invalid(schedule: ScheduledBackup, outlook: Outlook) -> _Finding | None:
    """Why the operator cannot act on it at all; None if it can."""
    reading = outlook.judgement.reading
    if isinstance(reading, cron.Refusal):
        return _Finding(
            Level.FAILING, "invalid", f"CNPG refuses it: {said(reading.message)}", reading.hint
        )
    if schedule.error:
        return _Finding(
            Level.FAILING,
            "invalid",
            f"the operator's guard refused it: {said(schedule.error)}",
            "edit it: e",
        )
    if schedule.method == Method.PLUGIN and not schedule.plugin:
        return _Finding(
            Level.FAILING,
            "invalid",
            "method plugin, but no plugin is named: every Backup it makes is refused",
            "name the plugin: e",
        )
    if len(schedule.key.name) > LONGEST_NAME:
        return _Finding(
            Level.FAILING,
            "invalid",
            f"its name has {len(schedule.key.name)} characters; as a label of its Backups it may "
            f"have {LONGEST_NAME}: every Backup it makes is refused",
            "create it anew under a shorter name",
        )
    return None


def _held(outlook: Outlook, now: datetime) -> _Finding | None:
    child = outlook.held_by
    if child is None or outlook.at_once is None:
        return None
    since = f" since {words.moment(child.created, now)}" if child.created else ""
    return _Finding(
        Level.FAILING,
        f"blocked by {child.key.name}",
        f"{child.key.name} is {phase(child)}{since}: until it is completed or failed nothing fires",
        "see why it does not end (enter on it in Backups); deleting it lets the schedule go on and "
        "removes nothing from the bucket",
    )


def _late(schedule: ScheduledBackup, outlook: Outlook, now: datetime) -> _Finding | None:
    seen = schedule.last_check
    if seen is None:
        if schedule.created is None or now - schedule.created < LATE:
            return None
        ago = words.age(now - schedule.created)
        why = f"the operator has not looked at it since it was created {ago} ago"
    elif outlook.at_once is None or now - outlook.at_once < LATE:
        return None
    else:
        why = (
            f"the slot {words.moment(outlook.at_once, now)} has passed without a Backup; the "
            f"operator last looked {words.moment(seen, now)}"
        )
    return _Finding(
        Level.FAILING,
        "overdue",
        why,
        "is the operator up? The schedule's Events say whether its Backups are refused: kubectl -n "
        f"{schedule.key.namespace} describe scheduledbackup {schedule.key.name}",
    )


def _misread(outlook: Outlook) -> _Finding | None:
    judgement = outlook.judgement
    if judgement.verdict is not Verdict.MISREAD:
        return None
    sentence = f"five fields begin with the second here: {judgement.description}"
    if judgement.unix:
        sentence += f". Unix cron reads {judgement.unix.description}"
    advice = f"write {judgement.unix.fixed}: e, ctrl-f" if judgement.unix else "write six fields: e"
    return _Finding(Level.DEGRADED, "misread", sentence, advice)


def usual_duration(backups: Iterable[Backup]) -> timedelta | None:
    """How long a Backup of this cluster usually takes, by its newest completed ones."""
    took = [
        (
            item.reconciliation_terminated,
            item.reconciliation_terminated - item.reconciliation_started,
        )
        for item in backups
        if item.phase == backup.COMPLETED
        and item.reconciliation_started
        and item.reconciliation_terminated
    ]
    newest = sorted(took, reverse=True)[:_USUAL_OF]
    return median_low(span for _, span in newest) if newest else None


def phase(child: Backup) -> str:
    """The phase of a Backup as a word, also where it has none."""
    return child.phase or "not taken up"


def said(message: str) -> str:
    """CNPG's words, which quote the schedule whatever it holds, at a length one can read."""
    return textwrap.shorten(words.visible(message), _LONGEST_MESSAGE, placeholder=" ...")
