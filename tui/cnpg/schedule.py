"""ScheduledBackup (postgresql.cnpg.io/v1): its fields, and what its controller wrote last.

Types: cloudnative-pg ``api/v1/scheduledbackup_types.go``. ``next_schedule`` is null until the first
Backup was created and stays stale after an edit; the controller itself counts from ``last_check``.

A schedule somebody writes is the same value with other fields: :func:`new` and ``replace`` make it,
:func:`document` and :func:`changes` turn it into what is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tui.cnpg import backup, manifest
from tui.cnpg.manifest import BACKUPS, SCHEDULED_BACKUPS, Key, Manifest

OWNERS: Final = ("none", "self", "cluster")
"""``backupOwnerReference``: what a Backup the schedule makes is deleted with."""

LONGEST_NAME: Final = 63
"""Characters. The name becomes the label ``cnpg.io/scheduled-backup`` of every Backup, and a label's
value is no longer (apimachinery ``pkg/util/validation``); the API server takes longer names."""


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


def new(key: Key, cluster: str, schedule: str, *, method: str, plugin: str) -> ScheduledBackup:
    """A schedule that is not on the server yet. A Backup it makes goes when it goes (``self``)."""
    return ScheduledBackup(
        key=key,
        resource_version="",
        uid="",
        created=None,
        cluster=cluster,
        schedule=schedule,
        suspended=False,
        immediate=False,
        owner_reference="self",
        method=method,
        target="prefer-standby",
        plugin=plugin,
        plugin_parameters={},
        online=None,
        immediate_checkpoint=None,
        wait_for_archive=None,
        last_check=None,
        last_schedule=None,
        next_schedule=None,
        error="",
    )


def document(schedule: ScheduledBackup) -> dict[str, Any]:
    """The manifest that creates it."""
    return {
        "apiVersion": SCHEDULED_BACKUPS.api_version,
        "kind": SCHEDULED_BACKUPS.kind,
        "metadata": {"name": schedule.key.name, "namespace": schedule.key.namespace},
        "spec": spec(schedule),
    }


def spec(schedule: ScheduledBackup) -> dict[str, Any]:
    """``spec`` with the fields that are set; a flag that is off is left out."""
    optional: dict[str, Any] = {
        "backupOwnerReference": schedule.owner_reference,
        "immediate": schedule.immediate,
        "suspend": schedule.suspended,
    }
    return {
        "schedule": schedule.schedule,
        "cluster": {"name": schedule.cluster},
        **{name: value for name, value in optional.items() if value},
        **_shape(schedule),
    }


def _shape(schedule: ScheduledBackup) -> dict[str, Any]:
    """The part of ``spec`` that a Backup takes over as it is (``CreateBackup`` of the types)."""
    fields: dict[str, Any] = {
        "method": schedule.method,
        "target": schedule.target,
        "pluginConfiguration": {
            "name": schedule.plugin,
            "parameters": dict(schedule.plugin_parameters),
        },
        "onlineConfiguration": {
            "immediateCheckpoint": schedule.immediate_checkpoint,
            "waitForArchive": schedule.wait_for_archive,
        },
    }
    shape: dict[str, Any] = _without_unset(fields)
    if schedule.online is not None:
        shape["online"] = schedule.online
    return shape


def _without_unset(fields: Mapping[str, Any]) -> dict[str, Any]:
    inner = {
        name: _without_unset(value) if isinstance(value, Mapping) else value
        for name, value in fields.items()
    }
    return {name: value for name, value in inner.items() if value not in (None, "", {})}


def changes(before: ScheduledBackup, after: ScheduledBackup) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) that makes ``after`` of ``before``; empty if nothing changes.

    Only what differs is in it, so that fields this program does not know stay as they are.
    """
    patch = _patch(spec(before), spec(after))
    for flag in ("suspend", "immediate"):
        if flag in patch and patch[flag] is None:
            patch[flag] = False
    return {"spec": patch} if patch else {}


def _patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        was = before.get(name)
        if isinstance(value, Mapping) and isinstance(was, Mapping):
            if inner := _patch(was, value):
                patch[name] = inner
        elif was != value:
            patch[name] = value
    return patch


def backup_now(schedule: ScheduledBackup, key: Key) -> dict[str, Any]:
    """An on-demand Backup of the schedule's shape: labelled as on-demand ones are, so no child."""
    return {
        "apiVersion": BACKUPS.api_version,
        "kind": BACKUPS.kind,
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "labels": {backup.CLUSTER_LABEL: schedule.cluster},
        },
        "spec": {"cluster": {"name": schedule.cluster}, **_shape(schedule)},
    }
