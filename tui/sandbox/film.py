"""The film of one cluster's WAL up to now, and the base backups taken along it.

Everything the sandbox says of the past follows from one film: base backups begin and end in its
segments, Backups tell of those base backups, the recovery window of what lies in the bucket.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tui.sandbox import archive, manifests, segments, slots
from tui.sandbox.archive import BaseBackup
from tui.sandbox.instance import Acts, Passed, Postgres
from tui.sandbox.manifests import compact
from tui.sandbox.s3 import Lying
from tui.sandbox.scenario import Cluster, OnDemand, Schedule, Store

_LAYERS = ((timedelta(hours=2), 10), (timedelta(days=1), 30), (timedelta.max, 120))
"""How much sparser, and larger, segments of the past are, by age: a month has to load in seconds.
Bytes an hour stay what they are now."""
_LARGEST = 12 * 1024**2
_SIZE = segments.DEFAULT_SIZE
_RETRY = timedelta(seconds=20)
"""How often a failing archiver has tried, on average."""

Object = tuple[Lying, bytes | None]


@dataclass(frozen=True, slots=True)
class Frame:
    """A segment and the moment it was complete."""

    number: int
    timeline: int
    at: datetime
    weight: int
    """How many live segments' bytes it holds."""

    @property
    def name(self) -> str:
        """The segment's file name."""
        return segments.name(self.timeline, self.number)


@dataclass(frozen=True, slots=True)
class Taken:
    """A Backup of the past: who asked when, and what came of it."""

    name: str
    asked: datetime
    phase: str
    base: BaseBackup
    schedule: str = ""
    """The ScheduledBackup that made it; empty: somebody asked."""
    target: str = ""
    exit: int = 1
    error: str = ""
    """What barman-cloud-backup wrote on stderr, which the log of its pod still holds."""


class Film:
    """One cluster's past."""

    def __init__(self, cluster: Cluster, store: Store | None, now: datetime) -> None:
        self.cluster, self._store, self._now = cluster, store, now
        self._random = random.Random(f"{cluster.namespace}/{cluster.name}")
        self._began = now - cluster.history
        self.broke = now - cluster.failing.since if cluster.failing else now
        """Since when nothing is archived; now, where all is well."""
        self.system_id = str(7_500_000_000_000_000_000 + self._random.getrandbits(57))
        self.version = manifests.version_number(f":{cluster.postgres}")
        self.switches = [now - ago for ago in sorted(cluster.switches, reverse=True)]
        self._first = self._random.randrange(0x08, 0x20) * 256 + self._random.randrange(256)
        self.frames = self._shot()
        self._times = [frame.at for frame in self.frames]
        self.taken = sorted(self._all_taken(), key=lambda taken: taken.asked)
        """Every Backup, oldest first."""

    def _shot(self) -> list[Frame]:
        moments = [*reversed(list(self._back_from(self.broke))), *self._waiting()]
        return [
            Frame(self._first + at, self._timeline_at(when), when, weight)
            for at, (when, weight) in enumerate(moments)
        ]

    def _back_from(self, end: datetime) -> Iterator[tuple[datetime, int]]:
        """Moments at which segments were completed, and their weight, going back from `end`."""
        every = self.cluster.wal.every
        at = end - every * self._random.random()
        while at > self._began:
            weight = next(weight for age, weight in _LAYERS if self._now - at < age)
            yield at, weight
            at -= every * weight * self._random.uniform(0.8, 1.2)

    def _waiting(self) -> Iterator[tuple[datetime, int]]:
        """Segments completed since archiving broke, oldest first."""
        at = self.broke + self.cluster.wal.every
        while at < self._now:
            yield at, 1
            at += self.cluster.wal.every

    def _timeline_at(self, at: datetime) -> int:
        return self.cluster.timeline - len(self.switches) + bisect_right(self.switches, at)

    def _segment_at(self, at: datetime) -> tuple[int, int]:
        """Timeline and number of the segment that was being written at a moment."""
        index = bisect_right(self._times, at)
        if index < len(self.frames):
            return self.frames[index].timeline, self.frames[index].number
        return self.cluster.timeline, self._first + len(self.frames)

    # Base backups

    def slots(self, schedule: Schedule) -> list[datetime]:
        """The slots at which a schedule has made Backups that are over, or stuck, by now."""
        pause = schedule.stuck or schedule.silent or self.cluster.base.takes * 1.3
        return slots.parse(schedule.cron).between(self._began, self._now - pause)

    def _all_taken(self) -> Iterator[Taken]:
        for schedule in self.cluster.schedules:
            found = self.slots(schedule)
            for slot in found:
                stuck = schedule.stuck is not None and slot == found[-1]
                yield Taken(
                    f"{schedule.name}-{compact(slot)}",
                    slot,
                    "started" if stuck else "completed",
                    self._base(slot, "started" if stuck else "completed"),
                    schedule.name,
                )
        for asked in self.cluster.backups:
            yield self._asked(asked)

    def _asked(self, asked: OnDemand) -> Taken:
        at = self._now - asked.ago
        name = asked.name or f"{self.cluster.name}-{compact(at)}"
        base = self._base(at, asked.phase, asked.error, asked.target)
        return Taken(
            name, at, asked.phase, base, target=asked.target, exit=asked.exit, error=asked.error
        )

    def _base(self, asked: datetime, phase: str, error: str = "", target: str = "") -> BaseBackup:
        began = asked + timedelta(seconds=1, microseconds=self._random.randrange(10**6))
        timeline, number = self._segment_at(began)
        base = BaseBackup(
            began=began,
            timeline=timeline,
            begin=number * _SIZE + segments.PAGE_HEADER,
            system_id=self.system_id,
            version=self.version,
            cluster_size=self.cluster.base.size * 6,
            name=f"backup-{compact(began)}",
            from_standby=self.cluster.instances > 1 and target != "primary",
        )
        if phase == "completed":
            ended = began + self.cluster.base.takes * self._random.uniform(0.85, 1.15)
            _, last = self._segment_at(ended)
            return base.done(ended, last * _SIZE + 0x100 + self._random.randrange(64) * 8)
        return base.failed(f"failure uploading data ({error})") if phase == "failed" else base

    @property
    def _archived(self) -> bool:
        """Whether anything went to the bucket at all."""
        return self.cluster.plugin == "enabled" and self.cluster.sidecar and self._store is not None

    @property
    def _stored(self) -> Iterator[BaseBackup]:
        """What of all that reached the bucket."""
        if self._archived:
            yield from (taken.base for taken in self.taken if taken.phase != "pending")

    def window(self) -> dict[str, datetime]:
        """This server's serverRecoveryWindow, as the plugin computes it from the catalogue."""
        ends = [base.ended for base in self._stored if base.ended]
        failures = [base.began for base in self._stored if base.error]
        window = {"lastFailedBackupTime": max(failures)} if failures else {}
        if ends:
            window |= {
                "firstRecoverabilityPoint": min(ends),
                "lastSuccessfulBackupTime": max(ends),
            }
        return window

    # The bucket

    def lying(self) -> Iterator[Object]:
        """Segments, histories and base backups, as they lie in the bucket."""
        if not self._archived or self._store is None:
            return
        squeeze = None if self._store.compression == "none" else self._store.compression
        folder = archive.folder(self._store.path, self.cluster.server_name)
        yield from self._lying_wal(folder, squeeze)
        yield from self._lying_histories(folder, squeeze)
        for base in self._stored:
            yield from self._lying_base(folder, base, squeeze)

    def _lying_wal(self, folder: archive.Folder, squeeze: str | None) -> Iterator[Object]:
        lost = {
            self._segment_at(self._now - loss.ago)[1] + offset
            for loss in self.cluster.lost
            for offset in range(loss.count)
        }
        for frame in self.frames:
            if frame.at <= self.broke and frame.number not in lost:
                size = self._weighed(frame) if squeeze else _SIZE
                yield Lying(folder.wal(frame.name, squeeze), size, frame.at), None

    def _weighed(self, frame: Frame) -> int:
        """Bytes in the bucket: more by day than by night, never quite the same."""
        wave = 1.0 - 0.5 * abs(frame.at.hour - 14) / 14
        size = self.cluster.wal.size * frame.weight * wave * self._random.uniform(0.7, 1.3)
        return min(int(size), _LARGEST)

    def _lying_histories(self, folder: archive.Folder, squeeze: str | None) -> Iterator[Object]:
        """The history files, and the segment each switch left unfinished."""
        text = ""
        before = self.cluster.timeline - 1 - len(self.switches)
        for timeline in range(2, self.cluster.timeline + 1):
            index = timeline - 2 - before
            if index < 0:
                at, number = self._began - timedelta(days=1 - index), self._first + 20 * index
            else:
                at = self.switches[index]
                number = self._segment_at(at)[1]
                partial = f"{segments.name(timeline - 1, number)}.partial"
                yield Lying(folder.wal(partial, squeeze), self.cluster.wal.size, at), None
            text += archive.switch_line(timeline - 1, number * _SIZE + 0x9A0B0)
            body = archive.compressed(text.encode(), squeeze)
            key = folder.wal(segments.history_name(timeline), squeeze)
            yield Lying(key, len(body), at), body

    def _lying_base(
        self, folder: archive.Folder, base: BaseBackup, squeeze: str | None
    ) -> Iterator[Object]:
        info = base.info.encode()
        written = base.ended or base.began
        yield Lying(folder.info(base.backup_id), len(info), written), info
        if base.ended is None:
            return
        size = int(self.cluster.base.size * self._random.uniform(0.95, 1.05))
        yield Lying(folder.data(base.backup_id, squeeze), size, written), None
        if not base.from_standby and base.ended <= self.broke:
            body = archive.compressed(base.history.encode(), squeeze)
            label = segments.label_name(base.timeline, base.begin)
            yield Lying(folder.wal(label, squeeze), len(body), written), body

    # The instances

    def postgres(self) -> Postgres:
        """The cluster as it stands now."""
        stored = [frame for frame in self.frames if frame.at <= self.broke]
        waiting = self.frames[len(stored) :]
        result = Postgres(
            system_id=self.system_id,
            version=self.version,
            timeline=self.cluster.timeline,
            position=(self._first + len(self.frames)) * _SIZE + segments.PAGE_HEADER,
            cluster_size=self.cluster.base.size * 6,
            volume=self.cluster.volume,
            acts=_acts(self.cluster),
            archived_count=len(stored),
            ready=deque(frame.name for frame in waiting),
        )
        if stored:
            result.archived = Passed(stored[-1].name, stored[-1].at)
        if waiting:
            result.failed = Passed(waiting[0].name, self._now - _RETRY)
            result.failed_count = int((self._now - self.broke) / _RETRY)
        return result


def _acts(cluster: Cluster) -> Acts:
    acted = cluster.failing if cluster.failing and cluster.failing.acted else None
    return Acts(
        wal_every=cluster.wal.every,
        wal_size=cluster.wal.size,
        base_takes=cluster.base.takes,
        base_size=cluster.base.size,
        base_error=cluster.base.error,
        base_exit=cluster.base.exit,
        wal_error=acted.error if acted else "",
        wal_exit=acted.exit if acted else 4,
    )
