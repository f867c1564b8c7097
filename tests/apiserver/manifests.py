"""The least of a document that each of CNPG's kinds accepts, for tests to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PLUGIN = {"name": "barman-cloud.cloudnative-pg.io"}

Manifest = dict[str, Any]


def backup(name: str = "", *, labels: Mapping[str, str] | None = None, **spec: Any) -> Manifest:
    """An on-demand backup of the cluster ``pg``."""
    method = {"method": "plugin", "pluginConfiguration": PLUGIN}
    return _cnpg("Backup", name, labels, {"cluster": {"name": "pg"}} | method | spec)


def schedule(name: str = "nightly", **spec: Any) -> Manifest:
    """A backup of the cluster ``pg`` every night at two."""
    method = {"method": "plugin", "pluginConfiguration": PLUGIN}
    when = {"schedule": "0 0 2 * * *", "cluster": {"name": "pg"}}
    return _cnpg("ScheduledBackup", name, None, when | method | spec)


def cluster(name: str = "pg", **spec: Any) -> Manifest:
    """Three instances."""
    return _cnpg("Cluster", name, None, {"instances": 3, "storage": {"size": "1Gi"}} | spec)


def object_store(name: str = "r2", **spec: Any) -> Manifest:
    """A bucket."""
    configuration = {"configuration": {"destinationPath": "s3://backups/"}}
    return {
        "apiVersion": "barmancloud.cnpg.io/v1",
        "kind": "ObjectStore",
        "metadata": {"name": name},
        "spec": configuration | spec,
    }


def _cnpg(
    kind: str, name: str, labels: Mapping[str, str] | None, spec: Mapping[str, Any]
) -> Manifest:
    metadata: Manifest = {"name": name} if name else {}
    if labels is not None:
        metadata["labels"] = dict(labels)
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": dict(spec),
    }
