"""What the operator and the sidecars share: mirrors of Kubernetes, the instances, logs, events."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from tui.sandbox import client, manifests
from tui.sandbox.client import Kube, Mirror, Refused
from tui.sandbox.instance import Postgres
from tui.sandbox.manifests import Manifest, key_of, stamp
from tui.sandbox.s3 import Access
from tui.sandbox.work import Key, Pace, Tasks, now

_LINES = 10_000


class Logs:
    """What the containers wrote, as JSON lines."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str, str], list[str]] = defaultdict(list)

    def write(self, pod: Mapping[str, Any], container: str, message: str, **fields: Any) -> None:
        """Append a line; `level` is info unless given."""
        namespace, name = key_of(pod)
        line = {"level": "info", "ts": now().isoformat(timespec="microseconds"), "msg": message}
        lines = self._lines[namespace, name, container]
        lines.append(json.dumps(line | {"logging_pod": name} | fields))
        if len(lines) > _LINES:
            del lines[: _LINES // 2]

    def of(self, namespace: str, pod: str, container: str) -> list[str]:
        """All lines of a container, oldest first."""
        return self._lines[namespace, pod, container]


class Recorder:
    """Writes Events; a repeated one counts up, as client-go's recorder has it."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._known: dict[tuple[str, str, str], Manifest] = {}

    async def record(
        self, about: Mapping[str, Any], reason: str, message: str, *, kind: str, component: str
    ) -> None:
        """Tell of `about`; `kind` is Normal or Warning."""
        which = (about["metadata"].get("uid", ""), reason, message)
        at = stamp(now())
        known = self._known.get(which)
        if known is not None:
            namespace, name = key_of(known)
            try:
                again = {"count": known["count"] + 1, "lastTimestamp": at}
                self._known[which] = await self._kube.patch(client.EVENTS, namespace, name, again)
            except Refused as refusal:
                if refusal.code != 404:
                    raise
            else:
                return
        event = _event(about, reason, message, at) | {
            "type": kind,
            "source": {"component": component},
            "reportingComponent": component,
            "reportingInstance": "",
        }
        self._known[which] = await self._kube.create(client.EVENTS, event)


def _event(about: Mapping[str, Any], reason: str, message: str, at: str) -> Manifest:
    meta = about["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta['name']}.{secrets.token_hex(8)}",
            "namespace": meta["namespace"],
        },
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta.get("uid", ""),
            "resourceVersion": meta.get("resourceVersion", ""),
        },
        "reason": reason,
        "message": message,
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
    }


class World:
    """Everything the parts of the play can see and touch."""

    def __init__(
        self, kube: Kube, access: Access, pace: Pace, postgres: Mapping[Key, Postgres]
    ) -> None:
        self.kube, self.access, self.pace = kube, access, pace
        self.postgres = dict(postgres)
        """The instances' truth, by namespace and name of the Cluster."""
        self.logs = Logs()
        self.recorder = Recorder(kube)
        self.tasks = Tasks()
        self.clusters: Mirror
        self.backups: Mirror
        self.schedules: Mirror
        self.pods: Mirror
        self.stores: Mirror
        self.secrets = Mirror(kube, client.SECRETS)
        self.services = Mirror(kube, client.SERVICES, namespace=manifests.OPERATOR_NAMESPACE)
        self.bucket_is_set = asyncio.Event()
        """The bucket holds the past: from now on it may be written to."""
        self._one_writer: dict[Key, asyncio.Lock] = defaultdict(asyncio.Lock)

    def pods_of(self, cluster: Key) -> list[Manifest]:
        """The instances' pods, sorted by name as the operator lists them."""
        namespace, name = cluster
        return [
            pod
            for key, pod in sorted(self.pods.objects.items())
            if key[0] == namespace
            and pod["metadata"].get("labels", {}).get("cnpg.io/cluster") == name
        ]

    def primary_of(self, cluster: Mapping[str, Any]) -> Manifest | None:
        """The pod of the current primary; None while there is none."""
        name = cluster.get("status", {}).get("currentPrimary", "")
        return self.pods.objects.get((cluster["metadata"]["namespace"], name))

    def plugin_state(self) -> str:
        """What the operator finds of the plugin: `loaded`, `down` or `unknown`."""
        for service in self.services.objects.values():
            labels = service["metadata"].get("labels", {})
            if labels.get("cnpg.io/pluginName") == manifests.PLUGIN:
                chosen = service["spec"].get("selector", {}).items()
                behind = (
                    pod
                    for (namespace, _), pod in self.pods.objects.items()
                    if namespace == manifests.OPERATOR_NAMESPACE
                    and chosen <= pod["metadata"].get("labels", {}).items()
                )
                return "loaded" if any(map(manifests.is_ready, behind)) else "down"
        return "unknown"

    async def patch_cluster(self, key: Key, status: Manifest) -> None:
        """Merge into a Cluster's status; a Cluster that is gone is no error."""
        await self._patch_cluster(key, lambda _: status)

    async def set_condition(self, key: Key, condition: Manifest, **status: Any) -> None:
        """Set a condition of a Cluster, and perhaps more; writes nothing when nothing changes."""

        def change(cluster: Manifest) -> Manifest:
            before = cluster.get("status", {}).get("conditions", [])
            after = manifests.with_condition(before, condition)
            return status | ({"conditions": after} if after != before else {})

        await self._patch_cluster(key, change)

    async def _patch_cluster(self, key: Key, change: Callable[[Manifest], Manifest]) -> None:
        async with self._one_writer[key]:
            cluster = self.clusters.objects.get(key)
            if cluster is None or not (patch := change(cluster)):
                return
            try:
                self.clusters.note(await self.kube.patch_status(client.CLUSTERS, *key, patch))
            except Refused as refusal:
                if refusal.code != 404:
                    raise
