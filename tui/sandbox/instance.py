"""A PostgreSQL cluster as its instance managers see it: WAL position, archiver, `/pg/status`, metrics.

This is the acted truth. What Kubernetes and the bucket say about it are two accounts of it.
(CNPG pkg/postgres/status.go, pkg/management/postgres/probes.go, config/manager/default-monitoring.yaml)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tui.sandbox import segments

FRESH_START = 3 * segments.DEFAULT_SIZE + segments.PAGE_HEADER
"""Where a new cluster stands when its bootstrap is over."""


@dataclass(frozen=True, slots=True)
class Acts:
    """How a cluster behaves from now on. Durations are acted time: `--speed` shortens them."""

    wal_every: timedelta = timedelta(seconds=30)
    wal_size: int = 60 * 1024
    """Bytes of a segment in the bucket."""
    base_takes: timedelta = timedelta(seconds=25)
    base_size: int = 6 * 1024**2
    base_error: str = ""
    """What barman-cloud-backup says on stderr when it must fail; empty: it need not."""
    base_exit: int = 1
    wal_error: str = ""
    """What barman-cloud-wal-archive says on stderr when it must fail; empty: the store decides."""
    wal_exit: int = 4


@dataclass(frozen=True, slots=True)
class Passed:
    """A file the archiver handled, and when."""

    name: str
    at: datetime


@dataclass(slots=True)
class Postgres:
    """One database cluster."""

    system_id: str
    version: int = 180001
    """As PG_VERSION_NUM."""
    timeline: int = 1
    position: int = FRESH_START
    """Where WAL is written now: bytes since the cluster began."""
    segment_size: int = segments.DEFAULT_SIZE
    cluster_size: int = 38 * 1024**2
    volume: int = 10 * 1024**3
    """Bytes of the volume that holds pg_wal."""
    acts: Acts = field(default_factory=Acts)
    check_empty: bool = False
    """PGDATA holds `.check-empty-wal-archive`: nothing was archived yet."""
    ready: deque[str] = field(default_factory=deque)
    """Names of files in archive_status that wait, oldest first."""
    bodies: dict[str, str] = field(default_factory=dict)
    """Texts of waiting `.history` and `.backup` files."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a file begins to wait."""
    archived: Passed | None = None
    failed: Passed | None = None
    archived_count: int = 0
    failed_count: int = 0

    @property
    def current_wal(self) -> str:
        """The segment being written."""
        return segments.name(self.timeline, self.position // self.segment_size, self.segment_size)

    @property
    def archiving(self) -> bool:
        """What the instance manager calls isArchivingWAL: the last success is newer."""
        if self.archived is None:
            return False
        return self.failed is None or self.archived.at > self.failed.at

    def write(self, share: float) -> None:
        """Write part of a segment's worth of WAL, never past its end."""
        start = self.position - self.position % self.segment_size
        fresh = int(self.segment_size * share) & ~7
        self.position = min(self.position + fresh, start + self.segment_size - 8)

    def switch(self) -> str:
        """Complete the segment being written and begin the next; gives the completed one."""
        done = self.current_wal
        self.wait_for_archive(done)
        number = self.position // self.segment_size + 1
        self.position = number * self.segment_size + segments.PAGE_HEADER
        return done

    def wait_for_archive(self, name: str, text: str = "") -> None:
        """Mark a file of pg_wal as ready; `text` is what a file that is no segment holds."""
        self.ready.append(name)
        if text:
            self.bodies[name] = text
        self.news.set()

    def was_archived(self, name: str, at: datetime) -> None:
        """archive_command succeeded."""
        self.ready.remove(name)
        self.bodies.pop(name, None)
        self.archived = Passed(name, at)
        self.archived_count += 1

    def was_refused(self, name: str, at: datetime) -> None:
        """archive_command failed."""
        self.failed = Passed(name, at)
        self.failed_count += 1

    def status(self, pod: str, namespace: str, *, primary: bool, session: str) -> dict[str, Any]:
        """The answer of `/pg/status`; what Go omits as empty is not there."""
        common: dict[str, Any] = {
            "systemID": self.system_id,
            "isPrimary": primary,
            "replayPaused": False,
            "pendingRestart": False,
            "pendingRestartForDecrease": False,
            "isWalReceiverActive": not primary,
            "isPgRewindRunning": False,
            "mightBeUnavailable": False,
            "node": f"node-{pod.rpartition('-')[2]}",
            "pod": {"metadata": {"name": pod, "namespace": namespace}, "spec": {}, "status": {}},
            "timeLineID": self.timeline,
            "executableHash": "5f1c9e0bd2a3",
            "instanceManagerVersion": "1.30.0",
            "instanceArch": "amd64",
            "isInstanceManagerUpgrading": False,
            "sessionID": session,
            "isPodReady": True,
        }
        here = segments.lsn(self.position)
        if not primary:
            return common | {"receivedLsn": here, "replayLsn": here}
        mine: dict[str, Any] = {"currentLsn": here, "currentWAL": self.current_wal}
        if self.archiving:
            mine["isArchivingWAL"] = True
        if self.ready:
            mine["readyWalFiles"] = len(self.ready)
        for what, passed in (("lastArchivedWAL", self.archived), ("lastFailedWAL", self.failed)):
            mine |= {what: passed.name} if passed else {}
            mine[f"{what}Time"] = _go_time(passed.at) if passed else "-infinity"
        return common | mine

    def metrics(
        self, *, primary: bool, now: datetime, window: Mapping[str, datetime | None]
    ) -> str:
        """The text of `/metrics`, as far as backups and WAL go.

        `window` holds what the ObjectStore's serverRecoveryWindow says of this server.
        """
        waiting = len(self.ready)
        kept = min(waiting + 8, self.volume // self.segment_size)
        rows: dict[str, float] = {
            "cnpg_collector_up": 1,
            "cnpg_collector_fencing_on": 0,
            'cnpg_collector_pg_wal_archive_status{value="ready"}': waiting if primary else 0,
            'cnpg_collector_pg_wal_archive_status{value="done"}': 8,
            'cnpg_collector_pg_wal{value="count"}': kept,
            'cnpg_collector_pg_wal{value="size"}': kept * self.segment_size,
            'cnpg_collector_pg_wal{value="min"}': 80 * 1024**2 // self.segment_size,
            'cnpg_collector_pg_wal{value="max"}': 1024**3 // self.segment_size,
            'cnpg_collector_pg_wal{value="keep"}': 512 * 1024**2 // self.segment_size,
            'cnpg_collector_pg_wal{value="volume_size"}': self.volume,
            'cnpg_collector_pg_wal{value="volume_max"}': self.volume // self.segment_size,
        }
        for plugin_name, key in _WINDOW_METRICS.items():
            at = window.get(key)
            rows[f"barman_cloud_cloudnative_pg_io_{plugin_name}"] = at.timestamp() if at else 0
        if primary:
            rows |= self._archiver_rows(now)
        return "".join(f"{name} {value:.17g}\n" for name, value in rows.items())

    def _archiver_rows(self, now: datetime) -> dict[str, float]:
        def since(passed: Passed | None) -> float:
            return (now - passed.at).total_seconds() if passed else -1

        def epoch(passed: Passed | None) -> float:
            return passed.at.timestamp() if passed else -1

        prefix = "cnpg_pg_stat_archiver_"
        return {
            f"{prefix}archived_count": self.archived_count,
            f"{prefix}failed_count": self.failed_count,
            f"{prefix}seconds_since_last_archival": since(self.archived),
            f"{prefix}seconds_since_last_failure": since(self.failed),
            f"{prefix}last_archived_time": epoch(self.archived),
            f"{prefix}last_failed_time": epoch(self.failed),
        }


_WINDOW_METRICS = {
    "first_recoverability_point": "firstRecoverabilityPoint",
    "last_available_backup_timestamp": "lastSuccessfulBackupTime",
    "last_failed_backup_timestamp": "lastFailedBackupTime",
}


def _go_time(at: datetime) -> str:
    """As Go hands a timestamptz on: `2026-11-22T14:03:12.123456Z`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
