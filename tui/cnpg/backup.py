"""Backup (postgresql.cnpg.io/v1): what its phases mean, and the queue it stands in.

Types and rules: cloudnative-pg ``api/v1/backup_types.go`` and ``backup_funcs.go``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from sys import intern
from typing import Any

from tui.cnpg import manifest
from tui.cnpg.manifest import BACKUPS, Key, Manifest

CLUSTER_LABEL = "cnpg.io/cluster"
SCHEDULE_LABEL = "cnpg.io/scheduled-backup"

PENDING = "pending"
STARTED = "started"
RUNNING = "running"
COMPLETED = "completed"
FAILED = "failed"


class Method(StrEnum):
    """``spec.method``. The API server defaults it to the deprecated in-tree one."""

    PLUGIN = "plugin"
    IN_TREE = "barmanObjectStore"
    VOLUME_SNAPSHOT = "volumeSnapshot"


@dataclass(frozen=True, slots=True)
class Backup:
    """One Backup. Times are UTC; ``""`` means the field is not set.

    For a plugin backup ``started`` and ``stopped`` are filled only at completion, so elapsed time
    comes from ``reconciliation_started``.
    """

    key: Key
    resource_version: str
    uid: str
    created: datetime | None
    cluster: str
    method: str
    target: str
    plugin: str
    plugin_parameters: Mapping[str, str]
    phase: str
    error: str
    command_error: str
    reconciliation_started: datetime | None
    reconciliation_terminated: datetime | None
    started: datetime | None
    stopped: datetime | None
    backup_id: str
    """The folder under ``base/``: what joins a Backup to the bucket."""
    backup_name: str
    begin_wal: str
    end_wal: str
    begin_lsn: str
    end_lsn: str
    pod: str
    container_id: str
    session_id: str
    major_version: int | None
    online: bool | None
    plugin_metadata: Mapping[str, str]
    schedule: str
    """Name of the ScheduledBackup that made it, ``""`` for an on-demand one."""

    @property
    def is_done(self) -> bool:
        """Completed or failed: the only two phases that end (``IsDone`` in backup_funcs.go)."""
        return self.phase in (COMPLETED, FAILED)

    @property
    def is_executing(self) -> bool:
        """Started or running; a plugin backup never says running (``IsExecuting``)."""
        return self.phase in (STARTED, RUNNING)

    @property
    def cluster_key(self) -> Key:
        """The Cluster it backs up: always in the same namespace."""
        return Key(self.key.namespace, self.cluster)

    def elapsed(self, now: datetime) -> timedelta | None:
        """How long it has run or ran; None before an instance was asked to run it."""
        if self.reconciliation_started is None:
            return None
        end = self.reconciliation_terminated or self.stopped
        return (end or now) - self.reconciliation_started


def read(source: Manifest) -> Backup:
    """Project a Backup manifest. Raises :class:`manifest.Odd`."""
    key = manifest.key(source)
    spec, status = manifest.get(source, "spec"), manifest.get(source, "status")
    labels = manifest.pairs(source, "metadata", "labels")
    return Backup(
        key=Key(intern(key.namespace), key.name),
        resource_version=manifest.resource_version(source),
        uid=manifest.text(source, "metadata", "uid"),
        created=manifest.moment(source, "metadata", "creationTimestamp"),
        cluster=intern(manifest.text(spec, "cluster", "name")),
        method=intern(manifest.text(spec, "method")),
        target=intern(manifest.text(spec, "target")),
        plugin=intern(manifest.text(spec, "pluginConfiguration", "name")),
        plugin_parameters=manifest.pairs(spec, "pluginConfiguration", "parameters"),
        schedule=intern(labels.get(SCHEDULE_LABEL, "")),
        **_status(status),
    )


def _status(status: Any) -> dict[str, Any]:
    return {
        "phase": intern(manifest.text(status, "phase")),
        "error": manifest.text(status, "error"),
        "command_error": manifest.text(status, "commandError"),
        "reconciliation_started": manifest.moment(status, "reconciliationStartedAt"),
        "reconciliation_terminated": manifest.moment(status, "reconciliationTerminatedAt"),
        "started": manifest.moment(status, "startedAt"),
        "stopped": manifest.moment(status, "stoppedAt"),
        "backup_id": manifest.text(status, "backupId"),
        "backup_name": manifest.text(status, "backupName"),
        "begin_wal": manifest.text(status, "beginWal"),
        "end_wal": manifest.text(status, "endWal"),
        "begin_lsn": manifest.text(status, "beginLSN"),
        "end_lsn": manifest.text(status, "endLSN"),
        "pod": intern(manifest.text(status, "instanceID", "podName")),
        "container_id": manifest.text(status, "instanceID", "ContainerID"),
        "session_id": manifest.text(status, "instanceID", "sessionID"),
        "major_version": manifest.number(status, "majorVersion"),
        "online": manifest.flag(status, "online"),
        "plugin_metadata": manifest.pairs(status, "pluginMetadata"),
    }


def document(
    key: Key, cluster: str, method: Method, *, plugin: str = "", target: str = ""
) -> dict[str, Any]:
    """The Backup that ``kubectl cnpg backup`` would create (internal/cmd/plugin/backup/cmd.go)."""
    spec: dict[str, Any] = {"cluster": {"name": cluster}, "method": method.value}
    if method is Method.PLUGIN:
        spec["pluginConfiguration"] = {"name": plugin}
    if target:
        spec["target"] = target
    return {
        "apiVersion": BACKUPS.api_version,
        "kind": BACKUPS.kind,
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "labels": {CLUSTER_LABEL: cluster},
        },
        "spec": spec,
    }


@dataclass(frozen=True, slots=True)
class Queue:
    """The Backups of one cluster that are not done, in the order the operator takes them.

    Oldest first, then by name. While one executes only that one proceeds; otherwise only the first
    may start, and a head that never ends blocks all the others (``CanExecuteBackup``).
    """

    executing: tuple[Backup, ...]
    waiting: tuple[Backup, ...]

    @property
    def head(self) -> Backup | None:
        """What the others wait behind."""
        first = self.executing or self.waiting
        return first[0] if first else None

    def __len__(self) -> int:
        return len(self.executing) + len(self.waiting)

    def ahead_of(self, backup: Backup) -> Backup | None:
        """The Backup that ``backup`` waits behind, None if nothing stands before it."""
        head = self.head
        if backup.is_done or backup.is_executing or head is None or head.key == backup.key:
            return None
        return head


def queue(siblings: Iterable[Backup]) -> Queue:
    """The queue among Backups of one cluster."""
    open_ones = sorted(
        (backup for backup in siblings if not backup.is_done),
        key=lambda backup: (backup.created is None, backup.created, backup.key.name),
    )
    return Queue(
        executing=tuple(backup for backup in open_ones if backup.is_executing),
        waiting=tuple(backup for backup in open_ones if not backup.is_executing),
    )
