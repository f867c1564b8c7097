"""The Kubernetes objects the operator and the plugin keep, as they write them.

(CNPG api/v1, pkg/specs/pods.go, pkg/resources/status; plugin-barman-cloud
internal/cnpgi/operator/lifecycle.go)
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tui.sandbox import segments
from tui.sandbox.archive import BaseBackup

Manifest = dict[str, Any]

PLUGIN = "barman-cloud.cloudnative-pg.io"
PLUGIN_VERSION = "0.14.0"
SIDECAR = "plugin-barman-cloud"
OPERATOR_NAMESPACE = "cnpg-system"
CNPG = "postgresql.cnpg.io/v1"
BARMAN = "barmancloud.cnpg.io/v1"
HEALTHY = "Cluster in healthy state"
OWN_VARIABLES = ("NAMESPACE", "CLUSTER_NAME", "SPOOL_DIRECTORY")
"""What the plugin itself sets on the sidecar, before the ObjectStore's variables."""
CHECKSUM_VARIABLES = ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION")


def stamp(at: datetime) -> str:
    """A metav1.Time: whole seconds, UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def moment(text: str) -> datetime:
    """What a metav1.Time says."""
    return datetime.fromisoformat(text)


def compact(at: datetime) -> str:
    """The time in the names of Backups: `20261122140312`."""
    return f"{at.astimezone(UTC):%Y%m%d%H%M%S}"


def uid_of(*words: str) -> str:
    """A uid that is the same for the same words, so that objects can name each other beforehand."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(words)))


def key_of(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """Namespace and name."""
    return manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]


def secret_value(secret: Mapping[str, Any], key: str) -> str | None:
    """One decoded value of a Secret; None where it has no such key."""
    coded = (secret.get("data") or {}).get(key)
    return None if coded is None else base64.b64decode(coded).decode()


def base64_text(text: str) -> str:
    """A value as a Secret's `data` holds it."""
    return base64.b64encode(text.encode()).decode()


def session_of(pod: Mapping[str, Any]) -> str:
    """The session of a pod's instance manager: another one after every restart."""
    containers = pod.get("status", {}).get("containerStatuses", ())
    restarts = sum(one.get("restartCount", 0) for one in containers)
    return uid_of("session", pod["metadata"]["uid"], str(restarts))


def owner(manifest: Mapping[str, Any]) -> Manifest:
    """A controlling ownerReference to `manifest`."""
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "name": manifest["metadata"]["name"],
        "uid": manifest["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def merged(target: Manifest, patch: Mapping[str, Any]) -> Manifest:
    """`target` after a JSON merge patch (RFC 7396); a fresh mapping."""
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            inner = result.get(name)
            result[name] = merged(inner if isinstance(inner, dict) else {}, value)
        else:
            result[name] = value
    return result


# Conditions


def condition(kind: str, *, holds: bool, reason: str, message: str, since: datetime) -> Manifest:
    """A metav1.Condition."""
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": stamp(since),
    }


def with_condition(conditions: Sequence[Manifest], new: Manifest) -> list[Manifest]:
    """The conditions with `new` set: the transition time only moves when the status flips."""
    result = list(conditions)
    for at, old in enumerate(result):
        if old["type"] == new["type"]:
            kept = (
                old["lastTransitionTime"]
                if old["status"] == new["status"]
                else new["lastTransitionTime"]
            )
            result[at] = new | {"lastTransitionTime": kept}
            return result
    return [*result, new]


def archiving_condition(error: str, since: datetime) -> Manifest:
    """ContinuousArchiving: failing with `error`, or working when that is empty."""
    if error:
        return condition(
            "ContinuousArchiving",
            holds=False,
            reason="ContinuousArchivingFailing",
            message=error,
            since=since,
        )
    return condition(
        "ContinuousArchiving",
        holds=True,
        reason="ContinuousArchivingSuccess",
        message="Continuous archiving is working",
        since=since,
    )


def backup_condition(phase: str, error: str, since: datetime) -> Manifest:
    """LastBackupSucceeded after a Backup came to `phase`: started, completed or failed."""
    reason, message = {
        "started": ("BackupStarted", "New Backup starting up"),
        "completed": ("LastBackupSucceeded", "Backup was successful"),
        "failed": ("LastBackupFailed", error),
    }[phase]
    return condition(
        "LastBackupSucceeded",
        holds=phase == "completed",
        reason=reason,
        message=message,
        since=since,
    )


def ready_condition(*, holds: bool, since: datetime) -> Manifest:
    """Ready, which follows the phase."""
    return condition(
        "Ready",
        holds=holds,
        reason="ClusterIsReady" if holds else "ClusterIsNotReady",
        message="Cluster is Ready" if holds else "Cluster Is Not Ready",
        since=since,
    )


# Reading a Cluster


def plugin_of(cluster: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The enabled entry of spec.plugins that can back up and archive; other plugins do not count."""
    for plugin in cluster["spec"].get("plugins") or ():
        if plugin.get("name") == PLUGIN and plugin.get("enabled", True):
            found: Mapping[str, Any] = plugin
            return found
    return None


def server_of(cluster: Mapping[str, Any]) -> str:
    """The server name its plugin archives under."""
    plugin = plugin_of(cluster) or {}
    name: str = (plugin.get("parameters") or {}).get("serverName") or cluster["metadata"]["name"]
    return name


def version_number(image: str) -> int:
    """PG_VERSION_NUM of an image such as `ghcr.io/cloudnative-pg/postgresql:18.1`."""
    tag = image.rpartition(":")[2].split("-")[0]
    major, _, minor = tag.partition(".")
    return int(major) * 10000 + int(minor or 0)


# Pods


def pod(
    cluster: Mapping[str, Any],
    number: int,
    *,
    primary: bool,
    store: Mapping[str, Any] | None,
    created: datetime,
) -> Manifest:
    """Instance `number` of a cluster, running and ready; with the sidecar where `store` is given."""
    namespace, cluster_name = key_of(cluster)
    name = f"{cluster_name}-{number}"
    role = "primary" if primary else "replica"
    uid = uid_of("pod", namespace, name, stamp(created))
    image = cluster["spec"].get("imageName", "ghcr.io/cloudnative-pg/postgresql:18.1")
    manager = "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0"
    manifest: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "creationTimestamp": stamp(created),
            "labels": {
                "cnpg.io/cluster": cluster_name,
                "cnpg.io/instanceName": name,
                "cnpg.io/instanceRole": role,
                "cnpg.io/podRole": "instance",
                "role": role,
            },
            "annotations": {"cnpg.io/nodeSerial": str(number)},
            "ownerReferences": [owner(cluster)],
        },
        "spec": {
            "nodeName": f"node-{number}",
            "serviceAccountName": cluster_name,
            "initContainers": [
                {"name": "bootstrap-controller", "image": manager, "command": ["/manager", "bootstrap"]},
            ],
            "containers": [
                {
                    "name": "postgres",
                    "image": image,
                    "command": [
                        "/controller/manager", "instance", "run", "--status-port-tls",
                    ],
                    "ports": [
                        {"containerPort": 5432, "name": "postgresql", "protocol": "TCP"},
                        {"containerPort": 9187, "name": "metrics", "protocol": "TCP"},
                        {"containerPort": 8000, "name": "status", "protocol": "TCP"},
                    ],
                }
            ],
        },
        "status": {
            "phase": "Running",
            "podIP": f"10.42.{number}.{uuid.UUID(uid).int % 250 + 2}",
            "startTime": stamp(created),
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": stamp(created)}
                for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
            ],
            "initContainerStatuses": [
                {
                    "name": "bootstrap-controller",
                    "image": manager,
                    "ready": True,
                    "restartCount": 0,
                    "state": {"terminated": {"exitCode": 0, "reason": "Completed"}},
                }
            ],
            "containerStatuses": [_running("postgres", image, uid, created)],
        },
    }  # fmt: skip
    if store is not None:
        _inject(manifest, cluster, store, created)
    return manifest


def _inject(
    manifest: Manifest, cluster: Mapping[str, Any], store: Mapping[str, Any], created: datetime
) -> None:
    """Add the plugin's sidecar: an init container that stays."""
    settings = store["spec"].get("instanceSidecarConfiguration") or {}
    image = f"ghcr.io/cloudnative-pg/plugin-barman-cloud-sidecar:v{PLUGIN_VERSION}"
    namespace, name = key_of(cluster)
    manifest["spec"]["initContainers"].append(
        {
            "name": SIDECAR,
            "image": image,
            "args": ["instance", f"--log-level={settings.get('logLevel', 'info')}"],
            "restartPolicy": "Always",
            "env": [
                *(
                    {"name": variable, "value": value}
                    for variable, value in zip(
                        OWN_VARIABLES,
                        (namespace, name, "/controller/wal-restore-spool"),
                        strict=True,
                    )
                ),
                *settings.get("env", ()),
            ],
            "resources": settings.get("resources", {}),
            "startupProbe": {
                "exec": {"command": ["/manager", "healthcheck", "unix"]},
                "periodSeconds": 1,
                "failureThreshold": 30,
            },
        }
    )
    status = _running(SIDECAR, image, manifest["metadata"]["uid"], created)
    manifest["status"]["initContainerStatuses"].append(status)


def _running(name: str, image: str, pod_uid: str, since: datetime) -> Manifest:
    return {
        "name": name,
        "image": image,
        "containerID": f"containerd://{uuid.uuid5(uuid.UUID(pod_uid), name).hex * 2}",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": stamp(since)}},
    }


def is_ready(manifest: Mapping[str, Any]) -> bool:
    """Whether a pod's Ready condition holds and nobody has asked it to go."""
    conditions = manifest.get("status", {}).get("conditions", ())
    holds = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return holds and "deletionTimestamp" not in manifest["metadata"]


def has_sidecar(manifest: Mapping[str, Any]) -> bool:
    """Whether a pod's sidecar runs, so that the plugin's socket is there."""
    statuses = manifest.get("status", {}).get("initContainerStatuses", ())
    return any(one["name"] == SIDECAR and one.get("started") for one in statuses)


# Statuses


def cluster_status(
    cluster: Mapping[str, Any],
    pods: Sequence[Mapping[str, Any]],
    *,
    system_id: str,
    timeline: int,
    since: datetime,
    conditions: Sequence[Manifest],
) -> Manifest:
    """What the operator writes of a cluster in which all is well; the first pod is the primary."""
    _, name = key_of(cluster)
    pod_names = [one["metadata"]["name"] for one in pods]
    image = cluster["spec"].get("imageName", "ghcr.io/cloudnative-pg/postgresql:18.1")
    status: Manifest = {
        "phase": HEALTHY,
        "instances": len(pods),
        "readyInstances": len(pods),
        "instanceNames": pod_names,
        "instancesStatus": {"healthy": pod_names},
        "instancesReportedState": {
            one["metadata"]["name"]: {
                "isPrimary": at == 0,
                "timeLineID": timeline,
                "ip": one["status"]["podIP"],
            }
            for at, one in enumerate(pods)
        },
        "latestGeneratedNode": len(pods),
        "currentPrimary": pod_names[0],
        "targetPrimary": pod_names[0],
        "currentPrimaryTimestamp": f"{since:%Y-%m-%dT%H:%M:%S.%fZ}",
        "targetPrimaryTimestamp": f"{since:%Y-%m-%dT%H:%M:%S.%fZ}",
        "timelineID": timeline,
        "systemID": system_id,
        "image": image,
        "pgDataImageInfo": {"image": image, "majorVersion": version_number(image) // 10000},
        "pvcCount": len(pods),
        "healthyPVC": pod_names,
        "readService": f"{name}-r",
        "writeService": f"{name}-rw",
        "selector": f"cnpg.io/cluster={name},cnpg.io/podRole=instance",
        "conditions": list(conditions),
    }
    if plugin_of(cluster):
        status["pluginStatus"] = [
            {
                "name": PLUGIN,
                "version": PLUGIN_VERSION,
                "capabilities": [
                    "TYPE_RECONCILER_HOOKS",
                    "TYPE_LIFECYCLE_SERVICE",
                    "TYPE_INSTANCE_SIDECAR_INJECTION",
                ],
            }
        ]
    return status


# The plugin beside the operator


def sidecar_rights(cluster: Manifest, store: Manifest) -> list[Manifest]:
    """The Role by which the sidecar reads its store and Secret, and its binding."""
    namespace, name = key_of(cluster)
    meta = {
        "name": f"{name}-barman-cloud",
        "namespace": namespace,
        "creationTimestamp": cluster["metadata"]["creationTimestamp"],
        "labels": {"barmancloud.cnpg.io/cluster": name},
    }
    group, look = "barmancloud.cnpg.io", ["get", "watch", "list"]
    stores = [store["metadata"]["name"]]
    keys = (store["spec"]["configuration"].get("s3Credentials") or {}).values()
    secrets = sorted({one["name"] for one in keys if isinstance(one, dict)})
    rules = [
        _grant(group, "objectstores", look, stores),
        _grant(group, "objectstores/status", ["update"], stores),
        _grant("", "secrets", look, secrets),
    ]
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {**meta, "labels": {**meta["labels"]}},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": meta["name"]},
        },
    ]


def _grant(group: str, resource: str, verbs: list[str], names: list[str]) -> Manifest:
    return {
        "apiGroups": [group],
        "resources": [resource],
        "verbs": verbs,
        "resourceNames": names,
    }


def plugin_objects(created: datetime, *, running: bool) -> list[Manifest]:
    """The plugin's Service and the pod behind it, in the operator's namespace."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "barman-cloud",
                "namespace": OPERATOR_NAMESPACE,
                "creationTimestamp": stamp(created),
                "labels": {"app": "barman-cloud", "cnpg.io/pluginName": PLUGIN},
                "annotations": {
                    "cnpg.io/pluginClientSecret": "barman-cloud-client-tls",
                    "cnpg.io/pluginPort": "9090",
                    "cnpg.io/pluginServerSecret": "barman-cloud-server-tls",
                },
            },
            "spec": {
                "ports": [{"port": 9090, "protocol": "TCP", "targetPort": 9090}],
                "selector": {"app": "barman-cloud"},
            },
        },
        _deployed("barman-cloud", {"app": "barman-cloud"}, created, running=running),
        _deployed(
            "cnpg-controller-manager",
            {"app.kubernetes.io/name": "cloudnative-pg"},
            created,
            running=True,
        ),
    ]


def _deployed(
    name: str, labels: Mapping[str, str], created: datetime, *, running: bool
) -> Manifest:
    """The one pod of a Deployment, which may be crashing."""
    image = f"ghcr.io/cloudnative-pg/{name}:latest"
    uid = uid_of("pod", OPERATOR_NAMESPACE, name)
    container = _running(name, image, uid, created)
    if not running:
        container |= {
            "ready": False,
            "restartCount": 41,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{uid[:8]}-{uid[-5:]}",
            "namespace": OPERATOR_NAMESPACE,
            "uid": uid,
            "creationTimestamp": stamp(created),
            "labels": dict(labels),
        },
        "spec": {"nodeName": "node-1", "containers": [{"name": name, "image": image}]},
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "Ready", "status": str(running), "lastTransitionTime": stamp(created)}
            ],
            "containerStatuses": [container],
        },
    }


# What becomes of a Backup


def started_status(pod: Mapping[str, Any], version: int, at: datetime) -> Manifest:
    """A plugin Backup's status from the moment its instance manager was asked."""
    return {
        "phase": "started",
        "method": "plugin",
        "majorVersion": version // 10000,
        "reconciliationStartedAt": stamp(at),
        "instanceID": instance_id(pod),
    }


def instance_id(pod: Mapping[str, Any]) -> Manifest:
    """Where a backup runs: a restart changes the container or the session."""
    containers = pod.get("status", {}).get("containerStatuses") or [{}]
    return {
        "podName": pod["metadata"]["name"],
        "ContainerID": containers[0].get("containerID", ""),
        "sessionID": session_of(pod),
    }


def completed_status(base: BaseBackup, cluster_uid: str, at: datetime) -> Manifest:
    """What completion adds; only now are startedAt and stoppedAt known."""
    if base.ended is None or base.end is None:
        raise ValueError(f"backup {base.backup_id} has not ended")
    return {
        "phase": "completed",
        "startedAt": stamp(base.began),
        "stoppedAt": stamp(base.ended),
        "reconciliationTerminatedAt": stamp(at),
        "backupId": base.backup_id,
        "backupName": base.name,
        "beginWal": base.begin_wal,
        "endWal": base.end_wal,
        "beginLSN": segments.lsn(base.begin),
        "endLSN": segments.lsn(base.end),
        "online": True,
        "pluginMetadata": {
            "clusterUID": cluster_uid,
            "displayName": "Barman Cloud Plugin",
            "name": PLUGIN,
            "pluginName": PLUGIN,
            "timeline": str(base.timeline),
            "version": PLUGIN_VERSION,
        },
    }


def failed_status(method: str, error: str, at: datetime) -> Manifest:
    """What failure leaves, started or not."""
    return {
        "phase": "failed",
        "method": method,
        "error": error,
        "reconciliationTerminatedAt": stamp(at),
    }
