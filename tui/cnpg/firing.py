"""What the operator's controller does next about a schedule (cloudnative-pg
``internal/controller/scheduledbackup_controller.go``).

It does not count from now: it asks for the slot after ``status.lastCheckTime``. If that slot has come,
it makes one Backup named after it, however many slots lie behind, and counts on from then. So an
edit, a resumption or an outage can fire a backup at once. A Backup of the schedule that is neither
completed nor failed stops it, without a word anywhere. ``immediate`` counts at first sight only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from itertools import islice, takewhile
from typing import Final

from tui.cnpg import cron
from tui.cnpg.backup import Backup
from tui.cnpg.cron import Judgement, Schedule
from tui.cnpg.schedule import ScheduledBackup

MOST_MISSED: Final = 100
"""Slots behind are counted up to so many; a second-by-second schedule has 86,400 a day."""

judged = lru_cache(maxsize=1024)(cron.judge)
"""The judgement of a text; kept, since the same few texts are asked about at every tick and key."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes of a schedule from now on. Times are in the operator's zone."""

    judgement: Judgement
    suspended: bool
    held_by: Backup | None
    """The oldest of its Backups that is not done: nothing fires before it is."""
    at_once: datetime | None
    """The slot it makes a Backup for as soon as the controller looks, None if none has come."""
    immediate: bool
    """Whether that is the one ``immediate`` asks for, and no slot."""
    missed: int
    """Slots that have come since the last check, counted up to ``MOST_MISSED``: they become one."""
    runs: tuple[datetime, ...]
    """The slots later than now; as they would be if it is suspended."""

    @property
    def refused(self) -> bool:
        """Whether the operator cannot read the text."""
        return isinstance(self.judgement.reading, cron.Refusal)

    @property
    def never(self) -> bool:
        """Whether no date matches."""
        return not self.refused and not self.runs and self.at_once is None

    @property
    def fires_now(self) -> bool:
        """Whether a Backup is made at the controller's next look."""
        return self.at_once is not None and not self.suspended and self.held_by is None

    @property
    def next_run(self) -> datetime | None:
        """When the next Backup is due: in the past if it is late, None if nothing will fire."""
        if self.suspended:
            return None
        return self.at_once or next(iter(self.runs), None)


def outlook(
    schedule: ScheduledBackup,
    children: Iterable[Backup],
    now: datetime,
    zone: tzinfo,
    *,
    count: int = 5,
) -> Outlook:
    """What the controller will do about ``schedule``, whose Backups are ``children``.

    ``zone`` is that of the operator's process, normally UTC: the object has none of its own. A
    schedule that is not on the server yet is taken to be seen at ``now``.
    """
    judgement = judged(schedule.schedule)
    reading, here = judgement.reading, now.astimezone(zone)
    if isinstance(reading, cron.Refusal):
        return Outlook(judgement, schedule.suspended, None, None, False, 0, ())
    missed: tuple[datetime, ...] = ()
    if schedule.last_check is not None:
        missed = _missed(reading, schedule.last_check.astimezone(zone), now)
    immediate = schedule.last_check is None and schedule.immediate
    at_once = here.replace(microsecond=0) if immediate else next(iter(missed), None)
    start = here
    if schedule.last_check is not None and not missed:
        start = schedule.last_check.astimezone(zone)
    return Outlook(
        judgement=judgement,
        suspended=schedule.suspended,
        held_by=_oldest_open(children),
        at_once=at_once,
        immediate=immediate,
        missed=len(missed),
        runs=cron.next_runs(reading, start, count),
    )


def child_name(schedule: str, slot: datetime) -> str:
    """The name of the Backup for ``slot``, in the zone of ``slot`` (``ToCompactISO8601``)."""
    return f"{schedule}-{slot:%Y%m%d%H%M%S}"


def children(schedule: ScheduledBackup, backups: Iterable[Backup]) -> tuple[Backup, ...]:
    """Those of ``backups`` that carry the schedule's label."""
    name, namespace = schedule.key.name, schedule.key.namespace
    return tuple(
        backup
        for backup in backups
        if backup.schedule == name and backup.key.namespace == namespace
    )


def _missed(reading: Schedule, last_check: datetime, now: datetime) -> tuple[datetime, ...]:
    # Compared in UTC: two times of one zone compare by their local clocks.
    slots = takewhile(lambda slot: slot.astimezone(UTC) <= now, cron.runs(reading, last_check))
    return tuple(islice(slots, MOST_MISSED))


def _oldest_open(children: Iterable[Backup]) -> Backup | None:
    still_open = (backup for backup in children if not backup.is_done)
    return min(
        still_open,
        key=lambda backup: (backup.created is None, backup.created, backup.key.name),
        default=None,
    )
