"""How the operator treats Backups: one at a time for each cluster, on the pod it elects.

(CNPG internal/controller/backup_controller.go, pkg/management/postgres/webserver/plugin_backup.go)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tui.sandbox import client, manifests
from tui.sandbox.faults import PluginFault
from tui.sandbox.manifests import Manifest, key_of, stamp
from tui.sandbox.s3 import StoreFault
from tui.sandbox.sidecar import Sidecar
from tui.sandbox.work import Key, now
from tui.sandbox.world import World

DONE = ("completed", "failed")
EXECUTING = ("started", "running")
_OPERATOR = "cloudnative-pg-backup"
_INSTANCE = "instance-manager"
_SOON = timedelta(seconds=10)
_LATER = timedelta(seconds=30)
_RUNNING = timedelta(minutes=10)


def phase_of(backup: Mapping[str, Any]) -> str:
    """status.phase; empty while nobody has looked at the Backup."""
    phase: str = (backup.get("status") or {}).get("phase", "")
    return phase


class _Hopeless(Exception):
    """This Backup cannot be taken; `reason` is that of the event."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Backups:
    """The controller of Backups."""

    def __init__(self, world: World, sidecar: Sidecar) -> None:
        self._world, self._sidecar = world, sidecar

    async def look(self, key: Key) -> timedelta | None:
        """Bring one Backup a step further; gives when to look again."""
        backup = self._world.backups.objects.get(key)
        if backup is None or phase_of(backup) in DONE or _left_alone(backup):
            return None
        cluster_name = backup["spec"]["cluster"]["name"]
        cluster = self._world.clusters.objects.get((key[0], cluster_name))
        if cluster is None:
            text = f"Unknown cluster {cluster_name}, will retry in 30 seconds"
            return await self._pend(backup, _LATER, "FindingCluster", text)
        if phase_of(backup) in EXECUTING:
            return await self._check_running(backup, cluster)
        if backup["spec"]["method"] == "plugin" and self._plugin_missing(cluster):
            return _SOON
        try:
            _check(cluster, backup)
        except _Hopeless as why:
            await self._fail(backup, cluster, str(why), reason=why.reason)
            return None
        if not self._is_next(backup):
            return await self._pend(backup, _SOON)
        return await self._begin(backup, cluster)

    def _plugin_missing(self, cluster: Mapping[str, Any]) -> bool:
        """The operator cannot load a plugin the Cluster asks for: it stops before any status."""
        return manifests.plugin_of(cluster) is not None and self._world.plugin_state() != "loaded"

    def _is_next(self, backup: Manifest) -> bool:
        """Whether this Backup is at the head of its cluster's queue."""
        mine = backup["metadata"]["namespace"], backup["spec"]["cluster"]["name"]
        queue = [
            other
            for (namespace, _), other in self._world.backups.objects.items()
            if (namespace, other["spec"]["cluster"]["name"]) == mine and phase_of(other) not in DONE
        ]
        if any(phase_of(other) in EXECUTING for other in queue):
            return False
        first = min(queue, key=lambda one: (one["metadata"]["creationTimestamp"], key_of(one)))
        return key_of(first) == key_of(backup)

    async def _begin(self, backup: Manifest, cluster: Mapping[str, Any]) -> timedelta:
        pod = self._elect(backup, cluster)
        if pod is None:
            target = cluster.get("status", {}).get("targetPrimary", "")
            text = f"Couldn't find target pod {target}, will retry in 30 seconds"
            return await self._pend(backup, _LATER, "FindingPod", text)
        if not manifests.is_ready(pod):
            text = f"Backup target pod not ready: {pod['metadata']['name']}"
            return await self._pend(backup, _LATER, "BackupPending", text)
        await self._tell(backup, "Starting", f"Starting backup for cluster {key_of(cluster)[1]}")
        await self._start(backup, cluster, pod)
        return _LATER

    def _elect(self, backup: Mapping[str, Any], cluster: Mapping[str, Any]) -> Manifest | None:
        """The first fitting pod by name, else the target primary."""
        asked = backup["spec"].get("target") or (cluster["spec"].get("backup") or {}).get("target")
        target_primary = cluster.get("status", {}).get("targetPrimary", "")
        pods = self._world.pods_of(key_of(cluster))
        if asked != "primary":
            for pod in pods:
                labels = pod["metadata"]["labels"]
                standby = labels.get("cnpg.io/instanceRole") != "primary"
                if manifests.is_ready(pod) and standby:
                    return pod
        return next((pod for pod in pods if pod["metadata"]["name"] == target_primary), None)

    async def _start(self, backup: Manifest, cluster: Mapping[str, Any], pod: Manifest) -> None:
        version = manifests.version_number(cluster.get("status", {}).get("image", ":18.1"))
        await self._write(backup, {"majorVersion": version // 10000})
        status = manifests.started_status(pod, version, now())
        started = await self._write(backup, status)
        if started is not None:
            self._world.tasks.start(self._execute(started, cluster, pod))

    async def _check_running(
        self, backup: Manifest, cluster: Mapping[str, Any]
    ) -> timedelta | None:
        """Whether the backup still runs where it was started."""
        instance = backup["status"].get("instanceID") or {}
        name = instance.get("podName", "")
        pod = self._world.pods.objects.get((backup["metadata"]["namespace"], name))
        current = manifests.instance_id(pod) if pod else {}
        if current.get("ContainerID") != instance.get("ContainerID"):
            elected = self._elect(backup, cluster)
            if elected is None or not manifests.is_ready(elected):
                return _LATER
            await self._tell(
                backup,
                "ReStarting",
                f"Restarted backup for cluster {key_of(cluster)[1]} on instance "
                f"{elected['metadata']['name']}",
            )
            await self._start(backup, cluster, elected)
            return _LATER
        if current.get("sessionID") != instance.get("sessionID"):
            text = f"instance manager was restarted during backup on pod {name}"
            await self._fail(backup, cluster, text, reason="InstanceManagerRestarted")
            return None
        if name not in cluster["status"].get("instancesStatus", {}).get("healthy", ()):
            text = (
                f"while ensuring target pod is healthy: target pod {name} is not healthy for backup "
                f"in cluster {key_of(cluster)[1]}"
            )
            await self._fail(backup, cluster, text, reason="TargetPodNotHealthy")
            return None
        return _RUNNING

    # The instance manager's part

    async def _execute(self, backup: Manifest, cluster: Mapping[str, Any], pod: Manifest) -> None:
        """What runs inside the pod, from the request to the last word in the status."""
        key = key_of(cluster)
        await self._tell(backup, "Starting", "Backup started", component=_INSTANCE)
        await self._world.set_condition(key, manifests.backup_condition("started", "", now()))
        try:
            status = await self._back_up(backup, cluster, pod)
        except PluginFault as fault:
            if self._still(backup, pod):
                await self._note_failure(cluster)
                await self._fail(backup, cluster, str(fault), component=_INSTANCE)
            return
        if self._still(backup, pod):
            await self._write(backup, status)
            await self._tell(backup, "Completed", "Backup completed", component=_INSTANCE)
            await self._world.set_condition(key, manifests.backup_condition("completed", "", now()))
            await self._refresh(cluster)

    async def _back_up(
        self, backup: Manifest, cluster: Mapping[str, Any], pod: Manifest
    ) -> Manifest:
        wanted = backup["spec"]["pluginConfiguration"]["name"]
        if wanted != manifests.PLUGIN or not manifests.has_sidecar(pod):
            raise PluginFault(f"requested plugin is not available: {wanted}")
        primary = pod["metadata"]["name"] == cluster["status"].get("currentPrimary")
        postgres = self._world.postgres[key_of(cluster)]
        base = await self._sidecar.back_up(cluster, pod, postgres, primary=primary)
        return manifests.completed_status(base, cluster["metadata"]["uid"], now())

    def _still(self, backup: Manifest, pod: Manifest) -> bool:
        """Whether the Backup is there, executing, and on this pod's present session."""
        current = self._world.backups.objects.get(key_of(backup))
        there = self._world.pods.objects.get(key_of(pod))
        return (
            current is not None
            and there is not None
            and current["metadata"]["uid"] == backup["metadata"]["uid"]
            and phase_of(current) in EXECUTING
            and current["status"].get("instanceID") == manifests.instance_id(there)
            and manifests.session_of(there) == manifests.session_of(pod)
        )

    async def _refresh(self, cluster: Mapping[str, Any]) -> None:
        """The window is refreshed after a success; that it cannot be read is no failure."""
        try:
            await self._sidecar.refresh_window(self._sidecar.place(cluster))
        except (PluginFault, StoreFault) as fault:
            pod = self._world.primary_of(cluster)
            if pod is not None:
                self._world.logs.write(
                    pod,
                    manifests.SIDECAR,
                    "while reading the backup list",
                    level="error",
                    error=str(fault),
                )

    async def _note_failure(self, cluster: Mapping[str, Any]) -> None:
        try:
            place = self._sidecar.place(cluster)
        except PluginFault:
            return  # without store or secret barman never ran, and no time is noted
        await self._sidecar.note_failure(place, now())

    # Writing

    async def _pend(
        self, backup: Manifest, again: timedelta, reason: str = "", text: str = ""
    ) -> timedelta:
        if reason:
            await self._tell(backup, reason, text, kind="Warning")
        if phase_of(backup) != "pending":
            await self._write(backup, {"phase": "pending"})
        return again

    async def _fail(
        self,
        backup: Manifest,
        cluster: Mapping[str, Any],
        text: str,
        *,
        reason: str = "",
        component: str = _OPERATOR,
    ) -> None:
        at = now()
        await self._write(backup, manifests.failed_status(backup["spec"]["method"], text, at))
        if reason:
            await self._tell(backup, reason, text, kind="Warning")
        else:
            # Type Normal: so the instance manager has it.
            await self._tell(backup, "Failed", "Backup failed", component=component)
        await self._world.set_condition(
            key_of(cluster),
            manifests.backup_condition("failed", text, at),
            lastFailedBackup=stamp(at),
        )

    async def _write(self, backup: Manifest, status: Manifest) -> Manifest | None:
        """Merge into the status; None when the Backup was deleted meanwhile."""
        try:
            written = await self._world.kube.patch_status(client.BACKUPS, *key_of(backup), status)
        except client.Refused as refusal:
            if refusal.code == 404:
                return None
            raise
        self._world.backups.note(written)
        return written

    async def _tell(
        self,
        backup: Manifest,
        reason: str,
        text: str,
        *,
        kind: str = "Normal",
        component: str = _OPERATOR,
    ) -> None:
        await self._world.recorder.record(backup, reason, text, kind=kind, component=component)


def _left_alone(backup: Mapping[str, Any]) -> bool:
    annotations = backup["metadata"].get("annotations") or {}
    return bool(annotations.get("cnpg.io/reconciliationLoop") == "disabled")


def _check(cluster: Mapping[str, Any], backup: Mapping[str, Any]) -> None:
    """Raise _Hopeless for a Backup this cluster can never take."""
    annotations = cluster["metadata"].get("annotations") or {}
    if annotations.get("cnpg.io/hibernation") == "on":
        raise _Hopeless("ClusterIsHibernated", "cannot backup a hibernated cluster")
    if backup["spec"]["method"] == "plugin":
        if not cluster["spec"].get("plugins"):
            raise _Hopeless(
                "ClusterHasNoBackupExecutorPlugin",
                "cannot proceed with the backup as the cluster has no plugin configured",
            )
        return
    section = cluster["spec"].get("backup")
    if not section:
        raise _Hopeless(
            "ClusterHasBackupConfigured",
            "cannot proceed with the backup as the cluster has no backup section",
        )
    if backup["spec"]["method"] == "volumeSnapshot":
        raise _Hopeless(
            "ClusterHasNoVolumeSnapshotSection",
            "no volumeSnapshot section defined on the target cluster",
        )
    raise _Hopeless(
        "ClusterHasNoBarmanSection",
        "no barmanObjectStore section defined on the target cluster",
    )
