"""Who holds up whom among a cluster's Backups and schedules, since when, and what would free them.

The operator takes one Backup of a cluster at a time, oldest first, and a schedule makes none while one
of its own is not done (cloudnative-pg ``internal/controller/backup_controller.go``,
``scheduledbackup_controller.go``): one Backup that never ends stops everything behind it in silence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tui import words
from tui.cnpg import backup, firing
from tui.cnpg.backup import Backup
from tui.cnpg.schedule import ScheduledBackup
from tui.verdict import schedules as standings

PENDING_TOO_LONG = timedelta(minutes=10)
"""The operator looks again every 30 s; a head of the queue that waits longer waits for something."""
LONG = timedelta(hours=2)
"""No backup is called stuck before that."""
LONG_UNKNOWN = timedelta(hours=24)
"""The same where no completed Backup says how long they usually take."""
USUAL_TIMES = 5
"""How many times longer than usual a backup may take."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The Backup at the head of the queue, and what stands still behind it."""

    head: Backup
    since: datetime | None
    """When it began to run; where it does not run, when it came to the head of the queue."""
    behind: tuple[Backup, ...]
    """The Backups that wait for it, in the operator's order."""
    silent: tuple[ScheduledBackup, ...]
    """The schedules that make no Backup until one of their own in the queue is done."""
    usual: timedelta | None
    """How long Backups of this cluster usually take."""
    stuck: bool
    """Whether it has stood there so long that nothing will clear it by itself."""

    def stood(self, now: datetime) -> timedelta:
        """How long it has stood at the head, 0 where nobody knows."""
        return max(now - self.since, timedelta(0)) if self.since else timedelta(0)

    def held_up(self) -> str:
        """``2 Backups and schedule daily``, ``""`` if nothing waits."""
        parts = [words.counted(len(self.behind), "Backup")] if self.behind else []
        if self.silent:
            names = ", ".join(one.key.name for one in self.silent)
            parts.append(f"schedule{'s' if len(self.silent) > 1 else ''} {names}")
        return " and ".join(parts)

    def said(self, now: datetime) -> str:
        """Who holds up whom, since when, what clears by itself and what does not."""
        phase = self.head.phase or "not taken up"
        since = f" since {words.moment(self.since, now)}" if self.since else ""
        usual = f" (usually {words.age(self.usual)})" if self.usual else ""
        told = f"{self.head.key.name} is {phase}{since}{usual}"
        if held := self.held_up():
            told += f" and holds up {held}"
        if not self.stuck:
            return f"{told}; that clears when it ends"
        freed = f": deleting {self.head.key.name} frees them" if held else ""
        return f"{told}; nothing clears that by itself{freed}"


def freed(backups: Iterable[Backup], moved: datetime | None = None) -> datetime | None:
    """When a Backup last left the queue; ``moved`` is when one was seen to, also by being deleted."""
    ends = (one.stopped or one.reconciliation_terminated for one in backups if one.is_done)
    return max((at for at in (*ends, moved) if at), default=None)


def of(
    backups: Collection[Backup],
    schedules: Iterable[ScheduledBackup],
    now: datetime,
    moved: datetime | None = None,
) -> Hold | None:
    """What the head of the queue holds up; None where the queue is empty. ``moved`` as above."""
    queue = backup.queue(backups)
    head = queue.head
    if head is None:
        return None
    standing = (*queue.executing, *queue.waiting)
    usual = standings.usual_duration(backups)
    came = max((at for at in (head.created, freed(backups, moved)) if at), default=None)
    since = head.reconciliation_started or (head.created if head.is_executing else came)
    silent = [one for one in schedules if firing.children(one, standing)]
    return Hold(
        head=head,
        since=since,
        behind=tuple(one for one in standing if one.key != head.key),
        silent=tuple(sorted(silent, key=lambda one: one.key)),
        usual=usual,
        stuck=_is_stuck(head, since, usual, now),
    )


def _is_stuck(head: Backup, since: datetime | None, usual: timedelta | None, now: datetime) -> bool:
    if not head.is_executing:
        # One without a phase is not looked at at all: the operator or its plugin is down.
        return bool(head.phase) and since is not None and now - since > PENDING_TOO_LONG
    ran = head.elapsed(now) or (now - head.created if head.created else timedelta(0))
    return ran > (max(LONG, usual * USUAL_TIMES) if usual else LONG_UNKNOWN)
