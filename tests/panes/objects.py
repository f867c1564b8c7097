"""Manifests as an API server would hand them out: a Cluster, a Backup, an ObjectStore, an Event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

Manifest = dict[str, Any]

PLUGIN = "barman-cloud.cloudnative-pg.io"
NAMESPACE = "production"

MINUTE = 60
HOUR = 3600
DAY = 86_400


def stamp(seconds_ago: float) -> str:
    """A moment before now, as Kubernetes writes it."""
    return f"{datetime.now(UTC) - timedelta(seconds=seconds_ago):%Y-%m-%dT%H:%M:%SZ}"


def condition(kind: str, status: str, message: str = "", reason: str = "Some") -> Manifest:
    """A condition that has been so for two and a half hours."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": stamp(2.5 * HOUR),
    }


def archiving(status: str, message: str = "") -> Manifest:
    """The operator's word on WAL archiving."""
    return condition("ContinuousArchiving", status, message)


def a_cluster(
    name: str,
    *conditions: Manifest,
    namespace: str = NAMESPACE,
    spec: Manifest | None = None,
    annotations: dict[str, str] | None = None,
    **status: Any,
) -> Manifest:
    """A Cluster of three with the Barman Cloud plugin, unless ``spec`` says otherwise."""
    plugin = {
        "name": PLUGIN,
        "enabled": True,
        "isWALArchiver": True,
        "parameters": {"barmanObjectName": "r2-store"},
    }
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}},
        "spec": {
            "instances": 3,
            "storage": {"size": "1Gi"},
            **({"plugins": [plugin]} if spec is None else spec),
        },
        "status": {
            "phase": "Cluster in healthy state",
            "instances": 3,
            "readyInstances": 3,
            "currentPrimary": f"{name}-1",
            "targetPrimary": f"{name}-1",
            "conditions": list(conditions) or [archiving("True")],
            **status,
        },
    }


def a_backup(
    name: str,
    cluster: str = "pg",
    *,
    namespace: str = NAMESPACE,
    age: float = 90 * MINUTE + 30,
    labels: dict[str, str] | None = None,
    **status: Any,
) -> Manifest:
    """A plugin Backup made ``age`` seconds ago; without a status nobody has taken it up."""
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Backup",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "creationTimestamp": stamp(age),
            "labels": labels or {},
        },
        "spec": {
            "cluster": {"name": cluster},
            "method": "plugin",
            "pluginConfiguration": {"name": PLUGIN},
        },
        "status": status,
    }


def completed(age: float = 90 * MINUTE) -> Manifest:
    """The status of a plugin backup that took a minute and was done ``age`` seconds ago."""
    return {
        "phase": "completed",
        "reconciliationStartedAt": stamp(age + MINUTE),
        "reconciliationTerminatedAt": stamp(age),
        "startedAt": stamp(age + MINUTE),
        "stoppedAt": stamp(age),
        "backupId": "20261122T142227",
        "backupName": "backup-20261122142227",
        "beginWal": "000000010000000000000004",
        "endWal": "000000010000000000000005",
        "beginLSN": "0/4000028",
        "endLSN": "0/5000120",
        "instanceID": {"podName": "pg-1", "ContainerID": "containerd://5f1", "sessionID": "a1"},
        "majorVersion": 18,
        "online": True,
        "pluginMetadata": {"timeline": "1", "version": "0.14.0"},
    }


def started(age: float = 15 * MINUTE + 30) -> Manifest:
    """The status of a plugin backup that runs."""
    return {
        "phase": "started",
        "reconciliationStartedAt": stamp(age),
        "instanceID": {"podName": "pg-1", "ContainerID": "containerd://5f1", "sessionID": "a1"},
    }


def a_store(name: str, server: str, *, namespace: str = NAMESPACE) -> Manifest:
    """An ObjectStore whose recovery window the plugin has written."""
    window = {
        "firstRecoverabilityPoint": stamp(7 * DAY),
        "lastSuccessfulBackupTime": stamp(12.5 * HOUR),
    }
    return {
        "apiVersion": "barmancloud.cnpg.io/v1",
        "kind": "ObjectStore",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"configuration": {"destinationPath": "s3://acme-pg/prod"}},
        "status": {"serverRecoveryWindow": {server: window}},
    }


def a_schedule(name: str, cluster: str, schedule: str, *, namespace: str = NAMESPACE) -> Manifest:
    """A ScheduledBackup with the plugin's method."""
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "ScheduledBackup",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "schedule": schedule,
            "cluster": {"name": cluster},
            "method": "plugin",
            "pluginConfiguration": {"name": PLUGIN},
        },
    }


def an_event(about: Manifest, reason: str, message: str, *, type_: str = "Normal") -> Manifest:
    """A Kubernetes Event about an object that a server has stored."""
    metadata = about["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{metadata['name']}.{reason.lower()}",
            "namespace": metadata["namespace"],
        },
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
        "type": type_,
        "reason": reason,
        "message": message,
        "source": {"component": "instance-manager"},
        "firstTimestamp": stamp(5 * MINUTE + 30),
        "lastTimestamp": stamp(5 * MINUTE + 30),
        "count": 1,
    }
