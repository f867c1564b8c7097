"""Cluster (postgresql.cnpg.io/v1): who archives its WAL, what its conditions say, where it stands.

Types: cloudnative-pg ``api/v1/cluster_types.go``. Beware: ``status.lastSuccessfulBackup`` and
``firstRecoverabilityPoint`` are not written for plugin backups and are not read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tui.cnpg import manifest
from tui.cnpg.manifest import BARMAN_PLUGIN, Key, Manifest
from tui.cnpg.store import Configuration, configuration

CONTINUOUS_ARCHIVING = "ContinuousArchiving"
LAST_BACKUP_SUCCEEDED = "LastBackupSucceeded"

HEALTHY_PHASE = "Cluster in healthy state"

_SPAN = re.compile(r"\s*(\d{1,12}(?:\.\d{0,9})?)\s*(ms|s|min|h|d)?\s*")
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY = re.compile(r"(\d{1,18}(?:\.\d{1,9})?(?:[eE]\d{1,2})?)([KMGTPE]i|[kMGTPE])?")
_BYTES = {"": 1} | {f"{unit}i": 1024**power for power, unit in enumerate("KMGTPE", 1)}
_BYTES |= {unit: 1000**power for power, unit in enumerate("kMGTPE", 1)}
_LONGEST = (1 << 30) - 1
"""Seconds PostgreSQL takes for ``archive_timeout``, at most."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition; ``since`` moves only when ``status`` flips, so it means working or failing since.

    ``status`` is ``True``, ``False`` or ``Unknown`` as text. For LastBackupSucceeded read ``reason``:
    False with ``BackupStarted`` only says that a backup runs now.
    """

    type: str
    status: str
    reason: str
    message: str
    since: datetime | None

    @property
    def holds(self) -> bool:
        """Whether the status is ``True``."""
        return self.status == "True"


@dataclass(frozen=True, slots=True)
class Plugin:
    """An item of ``spec.plugins``: enabled unless said otherwise, no archiver unless said so."""

    name: str
    enabled: bool
    is_wal_archiver: bool
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cluster:
    """One Cluster. Times are UTC; ``""`` means the field is not set."""

    key: Key
    resource_version: str
    uid: str
    created: datetime | None
    instances: int
    ready_instances: int
    phase: str
    phase_reason: str
    primary: str
    target_primary: str
    target_since: datetime | None
    """``status.targetPrimaryTimestamp``: since when that one is to be the primary."""
    timeline: int | None
    system_id: str
    plugins: tuple[Plugin, ...]
    plugins_loaded: tuple[str, ...]
    """Names in ``status.pluginStatus``. Not a sign of health: an outage does not take them away."""
    in_tree_store: Configuration | None
    """``spec.backup.barmanObjectStore``, deprecated: CloudNativePG 1.31.0 removes it."""
    in_tree_retention: str
    """``spec.backup.retentionPolicy``, which counts for the in-tree store alone."""
    volume_snapshots: bool
    conditions: tuple[Condition, ...]
    hibernated: bool
    fenced: tuple[str, ...]
    """Names of fenced instances, ``("*",)`` for all."""
    skips_wal_archiving: bool
    follows: bool
    """A replica cluster: what it archives was written by the one it follows."""
    source_stores: tuple[str, ...]
    """ObjectStores that it recovers from or follows as a replica: its sidecars know them too."""
    wal_storage: int | None
    """Bytes asked for in ``spec.walStorage``; None: pg_wal has no volume of its own."""
    storage: int | None
    """Bytes asked for in ``spec.storage``, the volume of PGDATA."""
    archive_timeout: timedelta | None
    """After so long a segment is switched that holds anything at all; None: it is turned off."""

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type, None if the operator has not said anything yet."""
        return next((item for item in self.conditions if item.type == kind), None)

    @property
    def archiving(self) -> Condition | None:
        """``ContinuousArchiving``; its absence means no WAL was tried yet: unknown, not fine."""
        return self.condition(CONTINUOUS_ARCHIVING)

    @property
    def says_archiving_fails(self) -> bool:
        """Whether the operator says so now."""
        return self.archiving is not None and not self.archiving.holds

    @property
    def says_last_backup_failed(self) -> bool:
        """Whether the operator says so now: by the reason, for False also means that one runs."""
        last = self.condition(LAST_BACKUP_SUCCEEDED)
        return last is not None and not last.holds and last.reason == "LastBackupFailed"

    @property
    def backup_plugin(self) -> Plugin | None:
        """The enabled plugin that takes base backups: the WAL archiver, or the Barman one, or any.

        Beside an in-tree store, which is the archiver then, any other does something else.
        """
        enabled = [plugin for plugin in self.plugins if plugin.enabled]
        if self.in_tree_store is not None:
            enabled = [
                plugin
                for plugin in enabled
                if plugin.is_wal_archiver or plugin.name == BARMAN_PLUGIN
            ]
        ranked = sorted(
            enabled, key=lambda plugin: (not plugin.is_wal_archiver, plugin.name != BARMAN_PLUGIN)
        )
        return ranked[0] if ranked else None

    @property
    def archives(self) -> bool:
        """Whether anything that archives WAL is configured.

        An enabled plugin archives even when ``isWALArchiver`` is false (facts of the archiver:
        cloudnative-pg ``pkg/management/postgres/archiver``); without one archive_command succeeds as
        a no-op and every status stays green.
        """
        return self.backup_plugin is not None or self.in_tree_store is not None

    @property
    def server_name(self) -> str:
        """The folder under the destination path: ``serverName`` if given, else the cluster's name."""
        plugin, in_tree = self.backup_plugin, self.in_tree_store
        named = plugin.parameters.get("serverName") if plugin else in_tree and in_tree.server_name
        return named or self.key.name

    @property
    def store(self) -> Key | None:
        """The ObjectStore named by the plugin's ``barmanObjectName`` (same namespace)."""
        plugin = self.backup_plugin
        name = plugin.parameters.get("barmanObjectName") if plugin else ""
        return Key(self.key.namespace, name) if name else None

    @property
    def doubts_plugin(self) -> bool:
        """Whether the operator says that it cannot use the plugin, or does not name it as loaded."""
        plugin = self.backup_plugin
        if plugin is None:
            return False
        lacking = bool(self.plugins_loaded) and plugin.name not in self.plugins_loaded
        return lacking or "plugin" in self.phase

    @property
    def is_switching_over(self) -> bool:
        """A switchover or failover is under way: current and target primary differ.

        Until the first primary is up there is only a target, for hours where it is recovered.
        """
        return bool(self.primary and self.target_primary) and self.primary != self.target_primary


def read(source: Manifest) -> Cluster:
    """Project a Cluster manifest. Raises :class:`manifest.Odd`."""
    spec, status = manifest.get(source, "spec"), manifest.get(source, "status")
    notes = manifest.pairs(source, "metadata", "annotations")
    in_tree = manifest.get(spec, "backup", "barmanObjectStore")
    return Cluster(
        key=manifest.key(source),
        resource_version=manifest.resource_version(source),
        uid=manifest.text(source, "metadata", "uid"),
        created=manifest.moment(source, "metadata", "creationTimestamp"),
        instances=manifest.number(spec, "instances") or 0,
        ready_instances=manifest.number(status, "readyInstances") or 0,
        phase=manifest.text(status, "phase"),
        phase_reason=manifest.text(status, "phaseReason"),
        primary=manifest.text(status, "currentPrimary"),
        target_primary=manifest.text(status, "targetPrimary"),
        target_since=manifest.moment(status, "targetPrimaryTimestamp"),
        timeline=manifest.number(status, "timelineID"),
        system_id=manifest.text(status, "systemID"),
        plugins=tuple(_plugin(item) for item in manifest.items(spec, "plugins")),
        plugins_loaded=tuple(
            manifest.text(item, "name") for item in manifest.items(status, "pluginStatus")
        ),
        in_tree_store=None if in_tree is None else configuration(in_tree),
        in_tree_retention=manifest.text(spec, "backup", "retentionPolicy"),
        volume_snapshots=manifest.get(spec, "backup", "volumeSnapshot") is not None,
        conditions=tuple(_condition(item) for item in manifest.items(status, "conditions")),
        hibernated=notes.get("cnpg.io/hibernation") == "on",
        fenced=_fenced(notes.get("cnpg.io/fencedInstances", "")),
        skips_wal_archiving=notes.get("cnpg.io/skipWalArchiving") == "enabled",
        follows=_follows(spec, manifest.text(source, "metadata", "name")),
        source_stores=_source_stores(spec),
        wal_storage=_size(spec, "walStorage"),
        storage=_size(spec, "storage"),
        archive_timeout=_archive_timeout(spec),
    )


def _size(spec: Manifest, volume: str) -> int | None:
    """A quantity of bytes, ``50Gi`` or ``5e10``; what is odd is not known (the volume claim may say)."""
    found = _QUANTITY.fullmatch(str(manifest.get(spec, volume, "size") or ""))
    return int(float(found[1]) * _BYTES[found[2] or ""]) if found else None


def _archive_timeout(spec: Manifest) -> timedelta | None:
    """CloudNativePG sets five minutes (``pkg/postgres/configuration.go``). Without a unit: seconds."""
    told = manifest.pairs(spec, "postgresql", "parameters").get("archive_timeout", "5min")
    found = _SPAN.fullmatch(told)
    if found is None:
        return None
    span = float(found[1]) * _UNITS[found[2] or "s"]
    return timedelta(seconds=round(span)) if 0 < span < _LONGEST else None


def _plugin(source: Manifest) -> Plugin:
    enabled = manifest.flag(source, "enabled")
    return Plugin(
        name=manifest.text(source, "name"),
        enabled=True if enabled is None else enabled,
        is_wal_archiver=manifest.flag(source, "isWALArchiver") or False,
        parameters=manifest.pairs(source, "parameters"),
    )


def _follows(spec: Any, name: str) -> bool:
    """As ``IsReplica`` in cloudnative-pg ``api/v1/cluster_funcs.go``: ``enabled`` is the older way."""
    if manifest.get(spec, "replica") is None:
        return False
    enabled = manifest.flag(spec, "replica", "enabled")
    if enabled is not None:
        return enabled
    return (manifest.text(spec, "replica", "self") or name) != manifest.text(
        spec, "replica", "primary"
    )


def _source_stores(spec: Any) -> tuple[str, ...]:
    sources = {
        manifest.text(spec, "bootstrap", "recovery", "source"),
        manifest.text(spec, "replica", "source"),
    }
    named = (
        manifest.pairs(one, "plugin", "parameters").get("barmanObjectName", "")
        for one in manifest.items(spec, "externalClusters")
        if manifest.text(one, "name") in sources
    )
    return tuple(name for name in named if name)


def _condition(source: Manifest) -> Condition:
    return Condition(
        type=manifest.text(source, "type"),
        status=manifest.text(source, "status"),
        reason=manifest.text(source, "reason"),
        message=manifest.text(source, "message"),
        since=manifest.moment(source, "lastTransitionTime"),
    )


def _fenced(annotation: str) -> tuple[str, ...]:
    if not annotation:
        return ()
    try:
        value: Any = json.loads(annotation)
    except ValueError as error:
        raise manifest.Odd("annotation cnpg.io/fencedInstances is not JSON") from error
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise manifest.Odd("annotation cnpg.io/fencedInstances is not a list of names")
    return tuple(value)
