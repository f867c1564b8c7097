"""What is there when the play begins: a scenario as objects, as a bucket's contents, as instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tui.sandbox import faults, manifests, slots
from tui.sandbox.film import Film, Object, Taken
from tui.sandbox.instance import Postgres
from tui.sandbox.manifests import BARMAN, CNPG, PLUGIN, Manifest, stamp
from tui.sandbox.s3 import Keys
from tui.sandbox.scenario import Cluster, Scenario, Schedule, Store

_METHOD: Manifest = {"method": "plugin", "pluginConfiguration": {"name": PLUGIN}}


@dataclass(slots=True)
class Stage:
    """Everything that is there when the play begins."""

    manifests: list[Manifest] = field(default_factory=list)
    lying: list[Object] = field(default_factory=list)
    """What the bucket holds, newest first."""
    postgres: dict[tuple[str, str], Postgres] = field(default_factory=dict)
    complaints: list[tuple[Manifest, str]] = field(default_factory=list)
    """What barman-cloud-backup once wrote on stderr in these pods, oldest first."""


def stage(
    scenario: Scenario, *, endpoint: str, keys: Callable[[str], Keys], now: datetime
) -> Stage:
    """Set the stage. `keys` gives the credentials of an identity, `endpoint` is the S3 server."""
    result = Stage()
    opened = now - timedelta(days=120)
    stores = {
        (one.namespace, one.name): _object_store(one, endpoint, opened) for one in scenario.stores
    }
    for cluster in scenario.clusters:
        film = Film(cluster, scenario.store_of(cluster), now)
        store = stores.get((cluster.namespace, cluster.store))
        result.postgres[cluster.key] = film.postgres()
        result.lying += film.lying()
        objects = _objects(film, store, now)
        result.manifests += objects
        pods = [one for one in objects if one["kind"] == "Pod"]
        result.complaints += [
            (_pod_of(taken, pods), taken.error) for taken in film.taken if taken.error
        ]
        if store and (window := film.window()):
            windows = store.setdefault("status", {}).setdefault("serverRecoveryWindow", {})
            windows[cluster.server_name] = {key: stamp(at) for key, at in window.items()}
    result.manifests += stores.values()
    result.manifests += [
        _secret(one, keys(one.identity), opened)
        for one in scenario.stores
        if one.identity != "absent"
    ]
    if scenario.plugin != "not-installed":
        result.manifests += manifests.plugin_objects(opened, running=scenario.plugin == "running")
    _overlay(result.manifests, scenario.objects)
    result.lying.sort(key=lambda one: one[0].modified, reverse=True)
    return result


def _overlay(objects: list[Manifest], patches: Iterable[Manifest]) -> None:
    """Merge each patch into the object it names, or add it where there is none."""
    for patch in patches:
        which = (patch.get("kind"), manifests.key_of(patch))
        for at, one in enumerate(objects):
            if (one["kind"], manifests.key_of(one)) == which:
                objects[at] = manifests.merged(one, patch)
                break
        else:
            objects.append(patch)


def _secret(store: Store, pair: Keys, created: datetime) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": _meta(store.secret, store.namespace, created),
        "data": {
            "ACCESS_KEY_ID": manifests.base64_text(pair.access),
            "SECRET_ACCESS_KEY": manifests.base64_text(pair.secret),
        },
    }


def _object_store(store: Store, endpoint: str, created: datetime) -> Manifest:
    squeeze = {} if store.compression == "none" else {"compression": store.compression}
    sidecar: Manifest = {"logLevel": "info", "retentionPolicyIntervalSeconds": 1800}
    if store.checksums:
        sidecar["env"] = [
            {"name": name, "value": "when_required"} for name in manifests.CHECKSUM_VARIABLES
        ]
    spec: Manifest = {
        "configuration": {
            "destinationPath": store.path,
            "endpointURL": store.endpoint or endpoint,
            "s3Credentials": {
                "accessKeyId": {"name": store.secret, "key": "ACCESS_KEY_ID"},
                "secretAccessKey": {"name": store.secret, "key": "SECRET_ACCESS_KEY"},
            },
            "wal": squeeze | {"maxParallel": 4},
            "data": squeeze | {"jobs": 2},
        },
        "instanceSidecarConfiguration": sidecar,
    }
    if store.retention:
        spec["retentionPolicy"] = store.retention
    return {
        "apiVersion": BARMAN,
        "kind": "ObjectStore",
        "metadata": _meta(store.name, store.namespace, created),
        "spec": spec,
    }


def _objects(film: Film, store: Manifest | None, now: datetime) -> list[Manifest]:
    """The Cluster with its pods, its ScheduledBackups and its Backups."""
    created = now - max(film.cluster.age, film.cluster.history)
    cluster = _cluster(film.cluster, created)
    rolled = film.cluster.plugin == "enabled" and film.cluster.sidecar
    pods = [
        manifests.pod(
            cluster,
            number,
            primary=number == 1,
            store=store if rolled else None,
            created=created + timedelta(minutes=number),
        )
        for number in range(1, film.cluster.instances + 1)
    ]
    cluster["status"] = manifests.cluster_status(
        cluster,
        pods,
        system_id=film.system_id,
        timeline=film.cluster.timeline,
        since=film.switches[-1] if film.switches else created,
        conditions=_conditions(film, created),
    )
    failures = [taken.base.began for taken in film.taken if taken.phase == "failed"]
    if failures:
        cluster["status"]["lastFailedBackup"] = stamp(max(failures))
    schedules = [_scheduled(film, one, created) for one in film.cluster.schedules]
    rights = manifests.sidecar_rights(cluster, store) if rolled and store is not None else []
    return [
        cluster,
        *pods,
        *rights,
        *schedules,
        *(_backup(taken, cluster, pods) for taken in film.taken),
    ]


def _cluster(cluster: Cluster, created: datetime) -> Manifest:
    spec: Manifest = {
        "instances": cluster.instances,
        "imageName": f"ghcr.io/cloudnative-pg/postgresql:{cluster.postgres}",
        "storage": {"size": "50Gi"},
        "walStorage": {"size": f"{cluster.volume // 1024**2}Mi"},
    }
    if cluster.plugin != "absent":
        parameters = {"barmanObjectName": cluster.store}
        spec["plugins"] = [
            {
                "name": PLUGIN,
                "enabled": cluster.plugin == "enabled",
                "isWALArchiver": cluster.wal_archiver,
                "parameters": parameters
                | ({"serverName": cluster.server} if cluster.server else {}),
            }
        ]
    return {
        "apiVersion": CNPG,
        "kind": "Cluster",
        "metadata": _meta(cluster.name, cluster.namespace, created)
        | {"uid": manifests.uid_of("cluster", cluster.namespace, cluster.name)},
        "spec": spec,
    }


def _conditions(film: Film, created: datetime) -> list[Manifest]:
    failing = film.cluster.failing
    text = faults.wal_archive_failed(failing.exit) if failing else ""
    found = [
        manifests.condition(
            "ConsistentSystemID",
            holds=True,
            reason="Unique",
            message="A single, unique system ID was found across reporting instances.",
            since=created,
        ),
        manifests.ready_condition(holds=True, since=created),
        manifests.archiving_condition(text, film.broke if failing else created),
    ]
    over = [taken for taken in film.taken if taken.phase != "pending"]
    if over:
        last = over[-1]
        since = last.base.ended or last.base.began
        found.append(manifests.backup_condition(last.phase, _error(last), since))
    return found


def _scheduled(film: Film, schedule: Schedule, created: datetime) -> Manifest:
    spec: Manifest = _METHOD | {
        "schedule": schedule.cron,
        "cluster": {"name": film.cluster.name},
        "backupOwnerReference": schedule.owner,
        "immediate": schedule.immediate,
        "suspend": schedule.suspend,
    }
    manifest: Manifest = {
        "apiVersion": CNPG,
        "kind": "ScheduledBackup",
        "metadata": _meta(schedule.name, film.cluster.namespace, created)
        | {"uid": manifests.uid_of("schedule", film.cluster.namespace, schedule.name)},
        "spec": spec,
    }
    fired = film.slots(schedule)
    if fired:
        checked = fired[-1] + timedelta(seconds=1)
        following = slots.parse(schedule.cron).next(checked)
        manifest["status"] = {
            "lastCheckTime": stamp(checked),
            "lastScheduleTime": stamp(fired[-1]),
        } | ({"nextScheduleTime": stamp(following)} if following else {})
    return manifest


def _backup(taken: Taken, cluster: Manifest, pods: list[Manifest]) -> Manifest:
    namespace, cluster_name = manifests.key_of(cluster)
    labels = {"cnpg.io/cluster": cluster_name}
    if taken.schedule:
        labels |= {
            "cnpg.io/immediateBackup": "false",
            "cnpg.io/scheduled-backup": taken.schedule,
        }
    return {
        "apiVersion": CNPG,
        "kind": "Backup",
        "metadata": _meta(taken.name, namespace, taken.asked) | {"labels": labels},
        "spec": _METHOD
        | {"cluster": {"name": cluster_name}}
        | ({"target": taken.target} if taken.target else {}),
        "status": _backup_status(taken, cluster, pods),
    }


def _backup_status(taken: Taken, cluster: Manifest, pods: list[Manifest]) -> Manifest:
    if taken.phase == "pending":
        return {"phase": "pending"}
    base, pod = taken.base, _pod_of(taken, pods)
    status = manifests.started_status(pod, base.version, base.began)
    if base.ended:
        status |= manifests.completed_status(base, cluster["metadata"]["uid"], base.ended)
    elif taken.phase == "failed":
        ended = base.began + timedelta(seconds=9)
        status |= manifests.failed_status("plugin", _error(taken), ended)
    return status


def _pod_of(taken: Taken, pods: list[Manifest]) -> Manifest:
    """Where it ran."""
    return pods[1 if taken.base.from_standby else 0]


def _error(taken: Taken) -> str:
    return faults.base_backup_failed(taken.exit) if taken.phase == "failed" else ""


def _meta(name: str, namespace: str, created: datetime) -> Manifest:
    return {"name": name, "namespace": namespace, "creationTimestamp": stamp(created)}
