"""ScheduledBackup (postgresql.cnpg.io/v1): its fields, and what its controller wrote last.

Types: cloudnative-pg ``api/v1/scheduledbackup_types.go``. ``next_schedule`` is null until the first
Backup was created and stays stale after an edit; the controller itself counts from ``last_check``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tui.cnpg import manifest
from tui.cnpg.manifest import Key, Manifest


@dataclass(frozen=True, slots=True)
class ScheduledBackup:
    """One ScheduledBackup. Times are UTC; ``""`` means the field is not set."""

    key: Key
    resource_version: str
    uid: str
    created: datetime | None
    cluster: str
    schedule: str
    suspended: bool
    immediate: bool
    owner_reference: str
    """``backupOwnerReference``: ``none``, ``self`` or ``cluster``."""
    method: str
    target: str
    plugin: str
    plugin_parameters: Mapping[str, str]
    online: bool | None
    immediate_checkpoint: bool | None
    wait_for_archive: bool | None
    last_check: datetime | None
    last_schedule: datetime | None
    next_schedule: datetime | None
    error: str

    @property
    def cluster_key(self) -> Key:
        """The Cluster it backs up: always in the same namespace."""
        return Key(self.key.namespace, self.cluster)


def read(source: Manifest) -> ScheduledBackup:
    """Project a ScheduledBackup manifest. Raises :class:`manifest.Odd`."""
    spec, status = manifest.get(source, "spec"), manifest.get(source, "status")
    return ScheduledBackup(
        key=manifest.key(source),
        resource_version=manifest.resource_version(source),
        uid=manifest.text(source, "metadata", "uid"),
        created=manifest.moment(source, "metadata", "creationTimestamp"),
        cluster=manifest.text(spec, "cluster", "name"),
        # Not cleaned: tabs and odd blanks decide what the operator's parser makes of it.
        schedule=str(manifest.get(spec, "schedule") or ""),
        suspended=manifest.flag(spec, "suspend") or False,
        immediate=manifest.flag(spec, "immediate") or False,
        owner_reference=manifest.text(spec, "backupOwnerReference"),
        method=manifest.text(spec, "method"),
        target=manifest.text(spec, "target"),
        plugin=manifest.text(spec, "pluginConfiguration", "name"),
        plugin_parameters=manifest.pairs(spec, "pluginConfiguration", "parameters"),
        online=manifest.flag(spec, "online"),
        immediate_checkpoint=manifest.flag(spec, "onlineConfiguration", "immediateCheckpoint"),
        wait_for_archive=manifest.flag(spec, "onlineConfiguration", "waitForArchive"),
        last_check=manifest.moment(status, "lastCheckTime"),
        last_schedule=manifest.moment(status, "lastScheduleTime"),
        next_schedule=manifest.moment(status, "nextScheduleTime"),
        error=manifest.text(status, "error"),
    )
