"""When pg_wal is full: what waits to be archived stays there, and comes on top of what is there.

An estimate from how fast the queue has grown, and on the early side: segments that PostgreSQL keeps
for reuse would be taken first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from tui import words
from tui.cnpg.instance import InstanceStatus
from tui.verdict.witnesses import Film, NotKnown, Witnesses

SEGMENT = 16 * 1024**2
"""Bytes of a WAL segment, where no base backup says otherwise."""

SOON = timedelta(hours=24)
"""A volume that is full within a day is worth an alarm."""
VERY_SOON = timedelta(hours=4)
"""PostgreSQL stops before anybody who is woken up has much time left."""

ENOUGH = timedelta(minutes=3)
"""The queue must have been watched for so long before its growth says anything."""


@dataclass(frozen=True, slots=True)
class Filling:
    """The queue in front of the archiver, in bytes, and what it does to the volume."""

    backlog: int
    per_second: float
    """Bytes that come on top, 0 where the queue does not grow."""
    free: int | None
    """Bytes left for WAL, None where not known."""
    limit: int | None = None
    """Bytes the Cluster asks for, where nothing tells how many are left."""
    of_its_own: bool = True
    """Whether that volume holds WAL alone, not PGDATA too."""

    @property
    def full_in(self) -> timedelta | None:
        """When the volume is full, None where that is not known or not to be feared."""
        if self.free is None or self.per_second <= 0:
            return None
        return timedelta(seconds=self.free / self.per_second)

    @property
    def full_at_the_latest_in(self) -> timedelta | None:
        """When a volume of the ``limit`` is full of the backlog alone: no estimate, a bound."""
        if self.limit is None or self.per_second <= 0:
            return None
        return timedelta(seconds=max(self.limit - self.backlog, 0) / self.per_second)

    def said(self) -> str:
        """``2.5 GiB wait, 1.1 GiB more an hour, pg_wal full in about 5 h``."""
        parts = [f"{words.size(self.backlog)} of WAL wait"]
        if self.per_second > 0:
            parts.append(f"{words.size(int(self.per_second * 3600))} more an hour")
        if self.full_in is not None:
            parts.append(f"pg_wal full in about {about(self.full_in)}")
        elif self.free is not None:
            parts.append(f"{words.size(self.free)} free for WAL")
        elif self.limit is not None:
            whose = "walStorage" if self.of_its_own else "storage, shared with PGDATA"
            parts.append(f"the volume has {words.size(self.limit)} (spec.{whose})")
            if self.full_at_the_latest_in is not None:
                parts.append(f"full in less than {about(self.full_at_the_latest_in)}")
        return ", ".join(parts)


def of(seen: Witnesses) -> Filling | None:
    """How the volume fills; None where nothing waits or the instance was not heard."""
    now = seen.instance
    if isinstance(now, NotKnown) or not now.waiting:
        return None
    size = _segment_size(seen)
    free = None if isinstance(seen.wal_volume, NotKnown) else seen.wal_volume.free
    cluster, own = seen.cluster, seen.cluster.wal_storage is not None
    return Filling(
        backlog=now.waiting * size,
        per_second=_growth(now, seen.queue_before) * size,
        free=free,
        limit=(cluster.wal_storage if own else cluster.storage) if free is None else None,
        of_its_own=own,
    )


def about(span: timedelta) -> str:
    """A rough time: ``10 min``, ``2 h 10 min``, ``5 h``, ``3 days``."""
    minutes = int(span / timedelta(minutes=1))
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes // 10 * 10, 60)
    if hours < 3 and rest:
        return f"{hours} h {rest} min"
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def _growth(now: InstanceStatus, before: Sequence[InstanceStatus]) -> float:
    """Files a second: since this was first watched, or on average since WAL was last archived."""
    watched = [each for each in before if now.at - each.at >= ENOUGH]
    if watched:
        first = watched[0]
        return max(now.waiting - first.waiting, 0) / (now.at - first.at).total_seconds()
    last = now.last_archived
    if not now.fails_now or last is None or last.at is None or now.at <= last.at:
        return 0.0
    return now.waiting / (now.at - last.at).total_seconds()


def _segment_size(seen: Witnesses) -> int:
    if isinstance(seen.film, Film):
        return seen.film.continuity.segment_size
    return SEGMENT
