"""What the operator and the plugin keep in Kubernetes for one row of the matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.matrix.real.archive import Archive
from tests.matrix.real.network import KUBELET, NODE
from tests.matrix.real.rows import PLUGIN, WHEN_REQUIRED, Row
from tui.sandbox import manifests
from tui.sandbox.manifests import BARMAN, CNPG, Manifest, merged, stamp

CLUSTER, STORE, SECRET, AUTHORITY = "pg", "store", "keys", "authority"
_CRASHES = "CrashLoopBackOff"
RBAC = "rbac.authorization.k8s.io"
NODE_NAME = "node-1"


def node() -> Manifest:
    """The node on which all Pods are."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE_NAME},
        "status": {
            "addresses": [{"type": "InternalIP", "address": NODE}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET}},
        },
    }


def namespace(name: str) -> Manifest:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def rights(row: Row) -> Iterator[Manifest]:
    """The sidecar's account and what the plugin lets it do: by name, nothing else."""
    metadata = {"name": f"{CLUSTER}-barman-cloud", "namespace": row.name}
    for name in {CLUSTER, row.account}:
        about = {"name": name, "namespace": row.name}
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about}
    if "role" in row.without:
        return
    secrets = ["before"] if "right" in row.without else [SECRET, AUTHORITY]
    read = ["get", "watch", "list"]
    yield {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": [
            _rule("barmancloud.cnpg.io", "objectstores", read, [STORE]),
            _rule("barmancloud.cnpg.io", "objectstores/status", ["update"], [STORE]),
            _rule("", "secrets", read, secrets),
        ],
    }
    yield {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "subjects": [{"kind": "ServiceAccount", "name": CLUSTER, "namespace": row.name}],
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": metadata["name"]},
    }


def _rule(group: str, resource: str, verbs: list[str], names: list[str]) -> Manifest:
    return {"apiGroups": [group], "resources": [resource], "verbs": verbs, "resourceNames": names}


def secret(row: Row) -> Manifest:
    """The Secret with the keys."""
    values = {"ID": row.keys[0], "SECRET": row.keys[1], **row.secret}
    return _secret(row, SECRET, values)


def authority(row: Row, ca: bytes) -> Manifest:
    """The Secret with the store's CA."""
    return _secret(row, AUTHORITY, {"ca.crt": ca.decode()})


def _secret(row: Row, name: str, values: Mapping[str, str]) -> Manifest:
    data = {key: manifests.base64_text(value) for key, value in values.items()}
    metadata = {"name": name, "namespace": row.name}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def store(row: Row, endpoint: str, film: Archive) -> Manifest:
    """The ObjectStore with the window that the plugin wrote of it."""
    configuration: Manifest = {
        "destinationPath": row.path.format(name=row.name),
        "endpointURL": endpoint,
        "s3Credentials": {
            "accessKeyId": {"name": SECRET, "key": "ID"},
            "secretAccessKey": {"name": SECRET, "key": "SECRET"},
        },
        "wal": {"compression": "gzip"},
    }
    if row.trusts:
        configuration["endpointCA"] = {"name": AUTHORITY, "key": "ca.crt"}
    manifest = {
        "apiVersion": BARMAN,
        "kind": "ObjectStore",
        "metadata": {"name": STORE, "namespace": row.name},
        "spec": {
            "configuration": configuration,
            "retentionPolicy": "30d",
            "instanceSidecarConfiguration": {"env": WHEN_REQUIRED},
        },
    }
    ends = [datetime.fromisoformat(info["end_time"]) for _, info in _done(film)]
    if ends:
        window = {
            "firstRecoverabilityPoint": stamp(min(ends)),
            "lastSuccessfulBackupTime": stamp(max(ends)),
        }
        manifest["status"] = {"serverRecoveryWindow": {CLUSTER: window}}
    return merged(manifest, row.store)


def cluster(row: Row) -> Manifest:
    """The Cluster as its owner wrote it."""
    manifest = {
        "apiVersion": CNPG,
        "kind": "Cluster",
        "metadata": {"name": CLUSTER, "namespace": row.name},
        "spec": {
            "instances": 1,
            "imageName": "ghcr.io/cloudnative-pg/postgresql:15.18",
            "storage": {"size": "1Gi"},
            "plugins": [
                {
                    "name": PLUGIN,
                    "isWALArchiver": True,
                    "parameters": {"barmanObjectName": STORE},
                }
            ],
        },
    }
    return merged(manifest, row.cluster)


def pod(row: Row, made: Manifest, store_: Manifest, address: str, now: datetime) -> Manifest:
    """The primary's Pod; ``made`` is the Cluster as the server keeps it."""
    injected = None if "sidecar" in row.without else store_
    found = manifests.pod(made, 1, primary=True, store=injected, created=now)
    status = found["status"] | {"podIP": address, "podIPs": [{"ip": address}]}
    if row.sidecar_dies:
        died = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": stamp(now)}
        sidecar = status["initContainerStatuses"][-1]
        sidecar |= {"ready": False, "started": False, "restartCount": 5}
        sidecar |= {"lastState": {"terminated": died}, "state": {"waiting": {"reason": _CRASHES}}}
    spec = {"nodeName": NODE_NAME, "serviceAccountName": row.account}
    return merged(found, {"spec": spec, "status": status})


def status(
    row: Row,
    made: Manifest,
    pod_: Manifest,
    *,
    system: str,
    timeline: int,
    archiving: str,
    backup: tuple[str, str],
    now: datetime,
) -> Manifest:
    """The Cluster's status: ``archiving`` is the error of it, ``backup`` phase and error of the last."""
    since = now - (timedelta(hours=2) if archiving else timedelta(days=1))
    conditions = [
        manifests.ready_condition(holds=True, since=since),
        manifests.archiving_condition(archiving, since),
        manifests.backup_condition(*backup, since=now - timedelta(hours=1)),
    ]
    found = manifests.cluster_status(
        made, [pod_], system_id=system, timeline=timeline, since=since, conditions=conditions
    )
    if "targetPrimary" in row.status:
        found["targetPrimaryTimestamp"] = stamp(now)
    return found | row.status


def schedule(row: Row, now: datetime) -> Manifest:
    """A base backup every night at two."""
    last = (now - timedelta(hours=2)).replace(hour=2, minute=0, second=0, microsecond=0)
    following = last + timedelta(days=1)
    manifest = {
        "apiVersion": CNPG,
        "kind": "ScheduledBackup",
        "metadata": {"name": "daily", "namespace": row.name},
        "spec": {
            "schedule": "0 0 2 * * *",
            "cluster": {"name": CLUSTER},
            "method": "plugin",
            "pluginConfiguration": {"name": PLUGIN},
        },
        "status": {
            "lastCheckTime": stamp(last),
            "lastScheduleTime": stamp(last),
            "nextScheduleTime": stamp(following),
        },
    }
    if row.overdue:
        times = ("lastCheckTime", "lastScheduleTime", "nextScheduleTime")
        manifest["status"] = dict.fromkeys(times, stamp(last - timedelta(days=1)))
    return merged(manifest, row.schedule)


def created(rows: Mapping[str, Row], kept: Manifest, now: datetime) -> str:
    """When an object of the operator's was made: ages are nobody's to choose but in the store."""
    row = rows[kept["metadata"]["namespace"]]
    if kept["kind"] != "Backup":
        return stamp(now - timedelta(days=row.age))
    told = kept.get("status", {})
    began = told.get("reconciliationStartedAt") or told.get("reconciliationTerminatedAt")
    return str(began or stamp(now - timedelta(minutes=30)))


def backups(
    row: Row, film: Archive, pod_: Manifest, error: str, now: datetime
) -> Iterator[Manifest]:
    """A Backup for each base backup, and the newest, where one failed or has not ended."""
    for at, (id_, info) in enumerate(_done(film)):
        told = _completed(id_, info)
        if row.misreported and at:
            ended = manifests.failed_status("plugin", error, now)
            told = {"reconciliationStartedAt": told["reconciliationStartedAt"], **ended}
        yield _backup(row, f"daily-{id_.replace('T', '')}", told)
    if row.misreported:
        return
    if error:
        yield _backup(row, "newest", manifests.failed_status("plugin", error, now))
    if row.waits is not None:
        yield _backup(row, "waiting", {"phase": row.waits} if row.waits else {})
    if row.runs_for:
        began = now - timedelta(hours=row.runs_for)
        yield _backup(row, "running", manifests.started_status(pod_, 150018, began))


def _done(film: Archive) -> list[tuple[str, Mapping[str, str]]]:
    return [(id_, info) for id_, info in film.infos if info.get("status") == "DONE"]


def _backup(row: Row, name: str, status_: Mapping[str, Any]) -> Manifest:
    return {
        "apiVersion": CNPG,
        "kind": "Backup",
        "metadata": {
            "name": name,
            "namespace": row.name,
            "labels": {"cnpg.io/cluster": CLUSTER},
        },
        "spec": {
            "cluster": {"name": CLUSTER},
            "method": "plugin",
            "pluginConfiguration": {"name": PLUGIN},
        },
        "status": status_,
    }


def _completed(id_: str, info: Mapping[str, str]) -> Manifest:
    began, ended = (datetime.fromisoformat(info[name]) for name in ("begin_time", "end_time"))
    return {
        "phase": "completed",
        "method": "plugin",
        "reconciliationStartedAt": stamp(began),
        "reconciliationTerminatedAt": stamp(ended),
        "startedAt": stamp(began),
        "stoppedAt": stamp(ended),
        "backupId": id_,
        "backupName": info["backup_name"],
        "beginWal": info["begin_wal"],
        "endWal": info["end_wal"],
        "beginLSN": info["begin_xlog"],
        "endLSN": info["end_xlog"],
        "online": True,
        "pluginMetadata": {"pluginName": PLUGIN, "timeline": info["timeline"]},
    }


def event(row: Row, message: str, now: datetime) -> Manifest:
    """What the plugin's maintenance says about the Cluster when it fails."""
    about = {"apiVersion": CNPG, "kind": "Cluster", "name": CLUSTER, "namespace": row.name}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{CLUSTER}.1", "namespace": row.name},
        "involvedObject": about,
        "reason": "RetentionPolicyFailed",
        "message": message,
        "type": "Warning",
        "source": {"component": "policy-runnable"},
        "firstTimestamp": stamp(now),
        "lastTimestamp": stamp(now),
        "count": 1,
    }


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)
