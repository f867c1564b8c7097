"""How the operator treats Clusters, and what their instances do: pods, WAL, archiving, retention.

(CNPG internal/controller/cluster_controller.go, pkg/management/postgres/archiver; PostgreSQL pgarch.c)
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tui.sandbox import client, faults, manifests
from tui.sandbox.faults import PluginFault
from tui.sandbox.instance import Postgres
from tui.sandbox.manifests import Manifest, key_of
from tui.sandbox.retention import maintain
from tui.sandbox.sidecar import Sidecar
from tui.sandbox.work import Key, Pace, Tasks, kept_up, now
from tui.sandbox.world import World

_BOOTSTRAP = timedelta(seconds=12)
_REPLICA = timedelta(seconds=8)
_RESTART = timedelta(seconds=5)
_AGAIN = timedelta(seconds=10)
_BREATH = timedelta(seconds=1)
_UNKNOWN = (
    "Cluster cannot proceed to reconciliation due to an unknown plugin being required",
    (
        f"Unknown plugin: '{manifests.PLUGIN}'. This may be caused by the plugin not being loaded "
        "correctly by the operator. Check the operator and plugin logs for errors"
    ),
)
_UNAVAILABLE = (
    "Cluster cannot proceed to reconciliation due to an error while interacting with plugins",
    (
        "Error while discovering plugins: while getting plugin connection: while querying plugin "
        "identity: rpc error: code = Unavailable desc = connection error: "
        'desc = "transport: Error while dialing: dial tcp 10.43.17.90:9090: connect: '
        'connection refused"'
    ),
)


class Clusters:
    """The controller of Clusters."""

    def __init__(self, world: World, sidecar: Sidecar) -> None:
        self._world, self._sidecar = world, sidecar
        self._instances: dict[Key, Instances] = {}
        self._settling: dict[Key, asyncio.Task[None]] = {}

    async def look(self, key: Key) -> timedelta | None:
        """Take up or drop one Cluster, and let it settle; gives when to look again."""
        cluster = self._world.clusters.objects.get(key)
        if cluster is None:
            await self._remove(key)
            return None
        if key not in self._world.postgres:
            self._world.postgres[key] = _initdb()
        if key not in self._instances:
            self._instances[key] = Instances(self._world, self._sidecar, key)
            self._instances[key].start()
        annotations = cluster["metadata"].get("annotations") or {}
        if annotations.get("cnpg.io/reconciliationLoop") == "disabled":
            return None
        if manifests.plugin_of(cluster) and self._world.plugin_state() != "loaded":
            unknown = self._world.plugin_state() == "unknown"
            await self._phase(cluster, *(_UNKNOWN if unknown else _UNAVAILABLE))
            return _AGAIN
        if key not in self._settling:
            self._settling[key] = self._world.tasks.start(self._settle(key))
        return None

    async def stop(self) -> None:
        """End what goes on in all pods."""
        for instances in self._instances.values():
            await instances.stop()

    async def _remove(self, key: Key) -> None:
        if key in self._instances:
            await self._instances.pop(key).stop()
            del self._world.postgres[key]
        for pod in self._world.pods_of(key):
            await self._world.kube.delete(client.PODS, *key_of(pod))

    async def _settle(self, key: Key) -> None:
        try:
            await kept_up(lambda: self._steps(key))
        finally:
            del self._settling[key]

    async def _steps(self, key: Key) -> None:
        """Step by step bring a Cluster to what its spec asks for."""
        while cluster := self._world.clusters.objects.get(key):
            pause = await self._step(cluster)
            if pause is None:
                return
            await self._world.pace.sleep(pause)

    async def _step(self, cluster: Manifest) -> timedelta | None:
        """Make or remove one pod that is missing, outdated or too many; then say all is well."""
        key = key_of(cluster)
        pods = {pod["metadata"]["name"]: pod for pod in self._world.pods_of(key)}
        wanted = [f"{key[1]}-{number}" for number in range(1, cluster["spec"]["instances"] + 1)]
        store = self._store_of(cluster)
        leaving = {name for name, pod in pods.items() if "deletionTimestamp" in pod["metadata"]}
        for name in (set(pods) - set(wanted)) | leaving:
            await self._world.kube.delete(client.PODS, key[0], name)
        if leaving:
            return _BREATH
        for name in wanted:
            if name not in pods:
                await self._make(cluster, name, store, first=not pods)
                return _BREATH
        for name in reversed(wanted):
            if _sidecar_env(pods[name]) != _wanted_env(store):
                phase = "Upgrading cluster"
                await self._phase(cluster, phase, f"The Pod spec of {name} has to be changed")
                await self._world.kube.delete(client.PODS, key[0], name)
                return _RESTART
        await self._heal(cluster, [pods[name] for name in wanted])
        return None

    def _store_of(self, cluster: Mapping[str, Any]) -> Manifest | None:
        """The ObjectStore whose sidecar the pods shall have; None for no sidecar."""
        plugin = manifests.plugin_of(cluster)
        if plugin is None:
            return None
        name = (plugin.get("parameters") or {}).get("barmanObjectName", "")
        return self._world.stores.objects.get((cluster["metadata"]["namespace"], name))

    async def _make(
        self, cluster: Manifest, name: str, store: Manifest | None, *, first: bool
    ) -> None:
        key = key_of(cluster)
        known = name in (cluster.get("status") or {}).get("instanceNames", ())
        if known:
            ready = len(self._world.pods_of(key))
            await self._phase(cluster, "Waiting for the instances to become active", ready=ready)
            await self._world.pace.sleep(_RESTART)
        elif first:
            await self._phase(cluster, "Setting up primary", "Creating primary instance " + name)
            await self._world.pace.sleep(_BOOTSTRAP)
        else:
            await self._phase(cluster, "Creating a new replica", f"Creating replica {name}-join")
            await self._world.pace.sleep(_REPLICA)
        primary = (cluster.get("status") or {}).get("currentPrimary", name if first else "") == name
        number = int(name.rpartition("-")[2])
        if store is not None:
            await self._let_read(cluster, store)
        pod = manifests.pod(cluster, number, primary=primary, store=store, created=now())
        for given in ("uid", "creationTimestamp"):
            del pod["metadata"][given]
        await self._world.kube.create(client.PODS, pod)
        self._world.pods.note(
            await self._world.kube.patch_status(client.PODS, key[0], name, pod["status"])
        )

    async def _let_read(self, cluster: Manifest, store: Manifest) -> None:
        """Give the sidecar its rights, as the plugin does, unless they are there."""
        role, binding = manifests.sidecar_rights(cluster, store)
        for kind, wanted in ((client.ROLES, role), (client.ROLE_BINDINGS, binding)):
            del wanted["metadata"]["creationTimestamp"]
            try:
                await self._world.kube.create(kind, wanted)
            except client.Refused as refusal:
                if refusal.code != 409:
                    raise

    async def _heal(self, cluster: Manifest, pods: list[Manifest]) -> None:
        """Write what a healthy cluster says, if it does not say so already."""
        key = key_of(cluster)
        status = cluster.get("status") or {}
        names = [pod["metadata"]["name"] for pod in pods]
        healthy = status.get("phase") == manifests.HEALTHY
        if (
            healthy
            and status.get("instanceNames") == names
            and status.get("readyInstances") == len(pods)
        ):
            return
        postgres = self._world.postgres[key]
        primary = status.get("currentPrimary")
        pods.sort(key=lambda pod: pod["metadata"]["name"] != primary)
        fresh = manifests.cluster_status(
            cluster,
            pods,
            system_id=postgres.system_id,
            timeline=postgres.timeline,
            since=now(),
            conditions=manifests.with_condition(
                status.get("conditions", []), manifests.ready_condition(holds=True, since=now())
            ),
        )
        if primary:
            for kept in ("currentPrimaryTimestamp", "targetPrimaryTimestamp"):
                fresh.pop(kept)
        await self._world.patch_cluster(key, fresh | {"phaseReason": None})

    async def _phase(
        self, cluster: Manifest, phase: str, reason: str = "", ready: int | None = None
    ) -> None:
        status: Manifest = {"phase": phase, "phaseReason": reason or None}
        current = cluster.get("status") or {}
        if current.get("phase") == phase and current.get("phaseReason") == status["phaseReason"]:
            return
        if ready is not None:
            status["readyInstances"] = ready
        condition = manifests.ready_condition(holds=False, since=now())
        await self._world.set_condition(key_of(cluster), condition, **status)


def _in_tree(cluster: Mapping[str, Any]) -> bool:
    """Whether Barman's in-tree support would archive, which is not acted here."""
    return "barmanObjectStore" in (cluster["spec"].get("backup") or {})


def _initdb() -> Postgres:
    return Postgres(
        system_id=str(7_600_000_000_000_000_000 + random.getrandbits(56)), check_empty=True
    )


def _sidecar_env(pod: Mapping[str, Any]) -> list[Any] | None:
    """The variables the ObjectStore gave a pod's sidecar; None where there is no sidecar."""
    for container in pod["spec"].get("initContainers", ()):
        if container["name"] == manifests.SIDECAR:
            return [one for one in container["env"] if one["name"] not in manifests.OWN_VARIABLES]
    return None


def _wanted_env(store: Mapping[str, Any] | None) -> list[Any] | None:
    if store is None:
        return None
    return list((store["spec"].get("instanceSidecarConfiguration") or {}).get("env") or ())


class Instances:
    """What goes on inside one cluster's pods."""

    def __init__(self, world: World, sidecar: Sidecar, key: Key) -> None:
        self._world, self._sidecar, self._key = world, sidecar, key
        self._postgres = world.postgres[key]
        self._pace: Pace = world.pace
        self._tasks = Tasks()

    def start(self) -> None:
        """Begin to write and to archive."""
        for part in (self._write, self._archive, self._maintain):
            self._tasks.start(kept_up(part))

    async def stop(self) -> None:
        """The cluster is gone."""
        await self._tasks.stop()

    @property
    def _cluster(self) -> Manifest | None:
        return self._world.clusters.objects.get(self._key)

    async def _write(self) -> None:
        """Applications write; now and then a segment is full, or archive_timeout switches it."""
        await self._world.bucket_is_set.wait()
        every = self._postgres.acts.wal_every
        # Clusters do not move in step.
        await self._pace.sleep(every * random.random())
        while True:
            for _ in range(4):
                self._postgres.write(random.uniform(0.05, 0.2))
                await self._pace.sleep(every / 4 * random.uniform(0.8, 1.2))
            if self._runs():
                self._postgres.switch()

    def _runs(self) -> bool:
        """Whether there is a primary that writes and has archive_mode on."""
        cluster = self._cluster
        if cluster is None or self._world.primary_of(cluster) is None:
            return False
        annotations = cluster["metadata"].get("annotations") or {}
        return (
            annotations.get("cnpg.io/skipWalArchiving") != "enabled"
            and annotations.get("cnpg.io/hibernation") != "on"
        )

    async def _archive(self) -> None:
        """PostgreSQL's archiver: the oldest file first, three tries, then rest until there is news."""
        postgres, tries = self._postgres, 0
        while True:
            postgres.news.clear()
            if not postgres.ready:
                await postgres.news.wait()
            elif await self._archive_one(postgres.ready[0]):
                tries = 0
            else:
                tries += 1
                await self._rest(timedelta(seconds=1 if tries % 3 else 60))

    async def _rest(self, longest: timedelta) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pace.seconds(longest)):
                await self._postgres.news.wait()

    async def _archive_one(self, name: str) -> bool:
        """Run archive_command on one file, and let the condition tell."""
        await self._world.bucket_is_set.wait()
        cluster = self._cluster
        pod = self._world.primary_of(cluster) if cluster else None
        if cluster is None or pod is None or _in_tree(cluster):
            return False
        try:
            await self._archive_command(cluster, pod, name)
        except PluginFault as fault:
            self._postgres.was_refused(name, now())
            self._complain(pod, name, str(fault))
            condition = manifests.archiving_condition(str(fault), now())
            await self._world.set_condition(self._key, condition)
            return False
        self._postgres.was_archived(name, now())
        await self._world.set_condition(self._key, manifests.archiving_condition("", now()))
        return True

    async def _archive_command(self, cluster: Manifest, pod: Manifest, name: str) -> None:
        """The instance manager's part; raises PluginFault. Without an archiver it succeeds for ever."""
        plugin = manifests.plugin_of(cluster)
        if plugin is None:
            return
        if manifests.has_sidecar(pod):
            await self._sidecar.archive(cluster, pod, self._postgres, name)
        elif _sidecar_env(pod) is not None:
            raise PluginFault(faults.SOCKET_REFUSED)
        elif plugin.get("isWALArchiver"):
            raise PluginFault(faults.SOCKET_MISSING)

    def _complain(self, pod: Manifest, name: str, text: str) -> None:
        logs = self._world.logs
        logs.write(
            pod, "postgres", "failed to run wal-archive command", level="error", logger="wal-archive",
            error=text,
        )  # fmt: skip
        record = {
            "error_severity": "LOG",
            "message": "archive command failed with exit code 1",
            "detail": "The failed archive command was: /controller/manager wal-archive "
            f"--log-destination /controller/log/postgres.json pg_wal/{name}",
        }
        logs.write(pod, "postgres", "record", logger="postgres", record=record)

    async def _maintain(self) -> None:
        """The maintenance cycle of the primary's sidecar."""
        await self._world.bucket_is_set.wait()
        share = random.random()
        while True:
            await self._pace.sleep(self._interval() * share)
            share = 1.0
            cluster = self._cluster
            pod = self._world.primary_of(cluster) if cluster else None
            if cluster is None or pod is None or not manifests.has_sidecar(pod):
                continue
            try:
                await maintain(self._world, self._sidecar, cluster)
            except PluginFault as fault:
                self._world.logs.write(
                    pod, manifests.SIDECAR, "while enforcing retention policies", level="error",
                    error=str(fault),
                )  # fmt: skip

    def _interval(self) -> timedelta:
        cluster = self._cluster
        plugin = manifests.plugin_of(cluster) if cluster else None
        name = ((plugin or {}).get("parameters") or {}).get("barmanObjectName", "")
        store = self._world.stores.objects.get((self._key[0], name))
        settings = (store or {}).get("spec", {}).get("instanceSidecarConfiguration") or {}
        return timedelta(seconds=settings.get("retentionPolicyIntervalSeconds", 1800) or 300)
