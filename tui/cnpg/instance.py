"""What an instance says of itself: ``/pg/status`` of its instance manager, through the pod proxy.

Fields that are absent are false or 0 (Go's omitempty); times are PostgreSQL's texts and may be
``-infinity`` (cloudnative-pg ``pkg/postgres/status.go``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tui.cnpg import manifest
from tui.cnpg.manifest import Manifest, Odd


@dataclass(frozen=True, slots=True)
class Passed:
    """A WAL file that was archived, or failed to be, and when; pg_stat_archiver keeps the last."""

    name: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """One instance's own word, heard at ``at``. Queue and current WAL are known on a primary only."""

    at: datetime
    is_primary: bool
    is_archiving: bool
    """A comparison of the past: last archived after last failed. True also while nothing moves."""
    last_archived: Passed | None
    last_failed: Passed | None
    """Sticky: it stays after archiving works again."""
    waiting: int
    """Files that wait to be archived (``*.ready``; segments, history and label files)."""
    current_wal: str
    timeline: int | None
    system_id: str

    @property
    def fails_now(self) -> bool:
        """Whether the last thing that happened to archiving was a failure."""
        if self.last_failed is None or self.last_failed.at is None:
            return False
        if self.last_archived is None or self.last_archived.at is None:
            return True
        return self.last_failed.at > self.last_archived.at


def read(source: Manifest, at: datetime) -> InstanceStatus:
    """Project the JSON of ``/pg/status``. Raises :class:`manifest.Odd`."""
    return InstanceStatus(
        at=at,
        is_primary=manifest.flag(source, "isPrimary") or False,
        is_archiving=manifest.flag(source, "isArchivingWAL") or False,
        last_archived=_passed(source, "lastArchivedWAL"),
        last_failed=_passed(source, "lastFailedWAL"),
        waiting=manifest.number(source, "readyWalFiles") or 0,
        current_wal=manifest.text(source, "currentWAL"),
        timeline=manifest.number(source, "timeLineID"),
        system_id=manifest.text(source, "systemID"),
    )


def _passed(source: Manifest, field: str) -> Passed | None:
    name = manifest.text(source, field)
    if not name:
        return None
    try:
        return Passed(name, manifest.moment(source, f"{field}Time"))
    except Odd:  # "-infinity", or a layout of another release: the name alone is worth having
        return Passed(name, None)
