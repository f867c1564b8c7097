"""A small operator that plays its part: CloudNativePG's controllers, the instances, the plugin.

It speaks nothing but Kubernetes' own HTTP (list, watch, create, patch, delete) and S3, so the server
it plays before may be the sandbox's or a genuine one. Phases, fields, texts and order are those of
CNPG 1.30 and plugin-barman-cloud 0.14; what takes time takes acted time, `--speed` times shorter.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tui.sandbox import client, manifests
from tui.sandbox.backups import EXECUTING, Backups, phase_of
from tui.sandbox.client import Kube, Mirror
from tui.sandbox.clusters import Clusters
from tui.sandbox.instance import Postgres
from tui.sandbox.manifests import Manifest, key_of
from tui.sandbox.s3 import Access
from tui.sandbox.schedules import Schedules
from tui.sandbox.sidecar import Sidecar
from tui.sandbox.work import Key, Pace, Workqueue, now
from tui.sandbox.world import World


class Operator:
    """The whole cast. `run` plays until cancelled."""

    def __init__(
        self,
        kube: Kube,
        access: Access,
        *,
        pace: Pace = Pace(),  # noqa: B008
        postgres: Mapping[Key, Postgres] | None = None,
        complaints: Iterable[tuple[Manifest, str]] = (),
    ) -> None:
        """`postgres` holds the instances of Clusters that are there already; others begin empty.

        `complaints` is what failed backups left in the logs of these pods.
        """
        self.world = World(kube, access, pace, postgres or {})
        sidecar = Sidecar(self.world)
        for pod, text in complaints:
            sidecar.complain(pod, text)
        self._backups = Workqueue(Backups(self.world, sidecar).look, pace)
        self._schedules = Workqueue(Schedules(self.world).look, pace)
        self._instances = Clusters(self.world, sidecar)
        self._clusters = Workqueue(self._instances.look, pace)
        self.world.backups = Mirror(kube, client.BACKUPS, self._backup_seen)
        self.world.schedules = Mirror(kube, client.SCHEDULES, self._schedule_seen)
        self.world.clusters = Mirror(kube, client.CLUSTERS, self._cluster_seen)
        self.world.pods = Mirror(kube, client.PODS, self._pod_seen)
        self.world.stores = Mirror(kube, client.STORES, self._store_seen)

    def bucket_is_set(self) -> None:
        """The bucket holds its past: archiving may begin."""
        self.world.bucket_is_set.set()

    async def run(self) -> None:
        """Play until cancelled."""
        world = self.world
        mirrors = (
            world.clusters,
            world.backups,
            world.schedules,
            world.pods,
            world.stores,
            world.secrets,
            world.services,
        )
        try:
            for mirror in mirrors:
                world.tasks.start(mirror.run())
            # Nothing is judged before everything is known.
            await asyncio.gather(*(mirror.listed.wait() for mirror in mirrors))
            for queue in (self._clusters, self._backups, self._schedules):
                world.tasks.start(queue.run())
            await asyncio.Event().wait()
        finally:
            await self._instances.stop()
            await world.tasks.stop()

    def _backup_seen(self, manifest: Manifest, gone: bool) -> None:
        if not gone:
            self._backups.add(key_of(manifest))

    def _schedule_seen(self, manifest: Manifest, gone: bool) -> None:
        if not gone:
            self._schedules.add(key_of(manifest))

    def _cluster_seen(self, manifest: Manifest, gone: bool) -> None:
        """A Cluster that changes also concerns the Backup that runs on it."""
        key = key_of(manifest)
        self._clusters.add(key)
        for (namespace, name), backup in self.world.backups.objects.items():
            executing = phase_of(backup) in EXECUTING
            if executing and (namespace, backup["spec"]["cluster"]["name"]) == key:
                self._backups.add((namespace, name))

    def _store_seen(self, manifest: Manifest, gone: bool) -> None:
        """An ObjectStore is part of what its Clusters' pods are made of."""
        namespace, name = key_of(manifest)
        for key, cluster in self.world.clusters.objects.items():
            parameters = (manifests.plugin_of(cluster) or {}).get("parameters") or {}
            if key[0] == namespace and parameters.get("barmanObjectName") == name:
                self._clusters.add(key)

    def _pod_seen(self, manifest: Manifest, gone: bool) -> None:
        """A pod that comes or goes concerns its Cluster; one of the plugin concerns all."""
        namespace, _ = key_of(manifest)
        cluster = manifest["metadata"].get("labels", {}).get("cnpg.io/cluster")
        if cluster:
            if gone or not manifests.is_ready(manifest):
                self._clusters.add((namespace, cluster))
        elif namespace == manifests.OPERATOR_NAMESPACE:
            for key in self.world.clusters.objects:
                self._clusters.add(key)


class PodVoice:
    """What the pods answer when the API server asks their kubelet: `/pg/status`, metrics, logs."""

    def __init__(self) -> None:
        self._operator: Operator | None = None

    def follow(self, operator: Operator) -> None:
        """Speak for this operator's pods; before that no pod answers."""
        self._operator = operator

    async def proxy(
        self, namespace: str, pod: str, scheme: str, port: int, path: str
    ) -> tuple[int, str, bytes]:
        """GET from a port of a pod: status, content type, body. Raises OSError."""
        world, manifest, cluster = self._pod(namespace, pod)
        postgres = world.postgres.get((namespace, cluster))
        if postgres is None or not manifests.is_ready(manifest):
            raise ConnectionRefusedError(_refused(manifest, port))
        primary = manifest["metadata"]["labels"].get("cnpg.io/instanceRole") == "primary"
        match port, path.strip("/").partition("?")[0]:
            case 8000, _ if scheme != "https":
                return 400, "text/plain", b"Client sent an HTTP request to an HTTPS server.\n"
            case 8000, "pg/status":
                session = manifests.session_of(manifest)
                status = postgres.status(pod, namespace, primary=primary, session=session)
                return 200, "application/json", json.dumps(status).encode()
            case 8000, "healthz" | "readyz" | "startupz":
                return 200, "text/plain; charset=utf-8", b"OK"
            case 8000, _:
                return 401, "text/plain; charset=utf-8", b"client certificate required\n"
            case 9187, _ if scheme == "https":
                raise OSError("tls: first record does not look like a TLS handshake")
            case 9187, "metrics":
                window = _window(world, (namespace, cluster))
                text = postgres.metrics(primary=primary, now=now(), window=window)
                return 200, "text/plain; version=0.0.4; charset=utf-8", text.encode()
            case 9187, _:
                return 404, "text/plain; charset=utf-8", b"404 page not found\n"
            case _:
                raise ConnectionRefusedError(_refused(manifest, port))

    async def log(self, namespace: str, pod: str, container: str) -> list[str] | None:
        """A container's lines so far; None while it has not started."""
        if self._operator is None:
            return None
        return self._operator.world.logs.of(namespace, pod, container)

    def _pod(self, namespace: str, pod: str) -> tuple[World, Manifest, str]:
        if self._operator is not None:
            world = self._operator.world
            manifest = world.pods.objects.get((namespace, pod))
            if manifest is not None:
                name = manifest["metadata"].get("labels", {}).get("cnpg.io/cluster", "")
                return world, manifest, name
        raise ConnectionRefusedError("dial tcp: connect: no route to host")


def _refused(pod: Mapping[str, Any], port: int) -> str:
    return f"dial tcp {pod['status'].get('podIP', '')}:{port}: connect: connection refused"


def _window(world: World, cluster: Key) -> dict[str, Any]:
    """The recovery window the metrics repeat."""
    manifest = world.clusters.objects.get(cluster, {"metadata": {"name": cluster[1]}, "spec": {}})
    plugin = manifests.plugin_of(manifest) or {}
    name = (plugin.get("parameters") or {}).get("barmanObjectName", "")
    store = world.stores.objects.get((cluster[0], name)) or {}
    windows = store.get("status", {}).get("serverRecoveryWindow", {})
    window = windows.get(manifests.server_of(manifest), {})
    return {key: manifests.moment(text) for key, text in window.items()}
