"""The inspection asks, every half minute, how each cluster's Pods are and what its primary says.

Where something fails it also reads the sidecars' logs, for the cause of a failure stands nowhere else,
and looks at the Secret with the store's keys.

All are rights that many users do not have (``list`` on pods, ``get`` on pods/proxy, pods/log and a
Secret): what cannot be heard is reported as not known, with the reason, and is asked again only now
and then.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Set
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Protocol

from tui import faults
from tui.cnpg import instance, pod, sidecar_log, wal_volume
from tui.cnpg.instance import InstanceStatus
from tui.cnpg.manifest import BARMAN_PLUGIN, PODS, Key, Kind, Manifest, Odd
from tui.cnpg.pod import SIDECAR, Pod
from tui.cnpg.sidecar_log import LogLine
from tui.cnpg.wal_volume import METRICS_PORT, WalVolume
from tui.live.changes import Inspected
from tui.live.feeds import Page
from tui.live.happenings import Happenings
from tui.live.plugins import Plugins
from tui.live.refusals import Refusals
from tui.live.secrets import Secrets
from tui.live.sidecar_roles import SidecarRoles
from tui.verdict.witnesses import NOT_ASKED, NotKnown

STATUS_PORT = 8000
"""Of the instance manager (cloudnative-pg ``pkg/management/url/url.go``)."""


class Source(Protocol):
    """The port; ``wire.kube.Kube`` fits it. Everything raises ``faults.Fault``."""

    def list(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        silence: float,
    ) -> AsyncGenerator[Page, None]: ...

    async def pod_proxy(
        self, namespace: str, pod: str, port: int, path: str, *, scheme: str
    ) -> bytes: ...

    async def pod_log(
        self, namespace: str, pod: str, container: str, *, tail_lines: int
    ) -> str: ...

    async def get(self, kind: Kind, key: Key) -> Manifest: ...


WAITS = 8
"""So many files waiting to be archived and the volume is asked how full it is."""

TAIL = 200
"""Lines of a log: a minute's failures are some ten."""


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds."""

    interval: float = 30.0
    forbidden: float = 300.0
    """How long a refusal is remembered before the same is asked again."""
    answer: float = 10.0
    """A list of Pods that brings no byte for so long is given up: the server does not answer."""
    at_once: int = 4
    """Primaries asked at the same time."""


class Inspection:
    """Everything about the Pods of the clusters in one namespace, or (None) in all."""

    def __init__(
        self,
        namespace: str | None,
        source: Source,
        report: Callable[[Inspected], None],
        *,
        clock: Callable[[], datetime],
        random: Random,
        patience: Patience | None = None,
    ) -> None:
        self._namespace = namespace
        self._source = source
        self._report = report
        self._clock = clock
        self._random = random
        self._patience = patience or Patience()
        self._primaries: Mapping[Key, str] = {}
        self._archiving_fails: Set[Key] = frozenset()
        self._backup_failed: Set[Key] = frozenset()
        self._named_secrets: Mapping[Key, tuple[Key, ...]] = {}
        self._plugins_used: Mapping[Key, str] = {}
        self._plugin_doubted: Set[Key] = frozenset()
        self._unwell: Callable[[], Set[Key]] = frozenset
        self._asked = asyncio.Event()
        self._refusals = Refusals(self._patience.forbidden)
        self.secrets = Secrets(source, self._refusals)
        self._sidecar_roles = SidecarRoles(source, self._refusals)
        self._plugins = Plugins(source, self._refusals)
        self._happenings = Happenings(namespace, source, self._refusals)

    def want(
        self,
        primaries: Mapping[Key, str],
        *,
        archiving_fails: Set[Key] = frozenset(),
        backup_failed: Set[Key] = frozenset(),
        secrets: Mapping[Key, tuple[Key, ...]] | None = None,
        plugins: Mapping[Key, str] | None = None,
        plugin_doubted: Set[Key] = frozenset(),
        unwell: Callable[[], Set[Key]] = frozenset,
    ) -> None:
        """These clusters, with the Pod that the operator calls primary (``""``: none yet).

        Of the failing ones the ``secrets`` that their ObjectStore names are looked at, and the logs
        are read: the primary's, or of a backup every Pod's, for it may have run on any. The
        ``plugins`` they use are looked at beside the operator, at every round where ``doubted``.
        Events are asked for where anything of this is so, and of the ``unwell`` besides.
        """
        news = (
            primaries.keys() - self._primaries.keys(),
            archiving_fails - self._archiving_fails,
            backup_failed - self._backup_failed,
            plugin_doubted - self._plugin_doubted,
        )
        if any(news):
            self._asked.set()
        self._primaries = dict(primaries)
        self._archiving_fails, self._backup_failed = archiving_fails, backup_failed
        self._named_secrets = secrets or {}
        self._plugins_used, self._plugin_doubted = plugins or {}, plugin_doubted
        self._unwell = unwell

    def look_now(self) -> None:
        """Ask again now, what was refused included."""
        self._refusals.forget()
        self.secrets.forget()
        self._plugins.forget()
        self._happenings.forget()
        self._sidecar_roles.forget()
        self._asked.set()

    async def run(self) -> None:
        """Ask and tell, until cancelled."""
        while True:
            self._asked.clear()
            await self._round()
            wait = self._patience.interval * self._random.uniform(0.8, 1.2)
            # asyncio.wait_for would lose a cancellation that comes together with the wish to look.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._asked.wait()

    async def _round(self) -> None:
        if not self._primaries:
            return
        pods = await self._pods()
        used = self._plugins_used
        doubted = frozenset(used[key] for key in self._plugin_doubted if key in used)
        await self._plugins.look(frozenset(used.values()), doubted)
        await self._happenings.look(self._namespaces_unwell(pods))
        limit = asyncio.Semaphore(self._patience.at_once)

        async def inspect(cluster: Key) -> None:
            async with limit:
                await self._inspect(cluster, pods)

        await asyncio.gather(*(inspect(cluster) for cluster in list(self._primaries)))

    async def _inspect(self, cluster: Key, pods: Mapping[Key, list[Pod]] | NotKnown) -> None:
        found: tuple[Pod, ...] | NotKnown
        found = pods if isinstance(pods, NotKnown) else tuple(pods.get(cluster, ()))
        status = await self._status(cluster, found)
        errors = await self._errors(cluster, found, status)
        named = self._named_secrets.get(cluster, ())
        secrets = await self.secrets.look(named, ask=self._fails(cluster, status))
        uses_it = self._plugins_used.get(cluster) == BARMAN_PLUGIN
        ask = uses_it and self._fails(cluster, status)
        rights = await self._sidecar_roles.look(cluster, ask=ask)
        if cluster in self._primaries:
            volume = await self._wal_volume(cluster, found, status)
            plugin = self._plugins.seen(self._plugins_used.get(cluster, ""))
            at = self._clock()
            told = self._happenings.seen(cluster.namespace)
            self._report(
                Inspected(cluster, found, status, at, errors, volume, secrets, plugin, rights, told)
            )

    def _namespaces_unwell(self, pods: Mapping[Key, list[Pod]] | NotKnown) -> Set[str]:
        """Where Events may tell why something is wrong."""
        told = {} if isinstance(pods, NotKnown) else pods
        down = {key for key, each in told.items() if not all(one.ready for one in each)}
        said = self._archiving_fails | self._backup_failed | self._plugin_doubted | self._unwell()
        return {key.namespace for key in self._primaries if key in said | down}

    async def _pods(self) -> Mapping[Key, list[Pod]] | NotKnown:
        remembered = self._refusals.remembered("pods")
        if remembered is not None:
            return remembered
        found: dict[Key, list[Pod]] = {}
        try:
            pages = self._source.list(
                PODS,
                self._namespace,
                label_selector=pod.CLUSTER_LABEL,
                silence=self._patience.answer,
            )
            async with aclosing(pages):
                async for page in pages:
                    for source in page.items:
                        one = pod.read(source)
                        found.setdefault(Key(one.key.namespace, one.cluster), []).append(one)
        except faults.Fault as fault:
            return self._refusals.not_known("pods", fault)
        except Odd as odd:
            return NotKnown(f"a Pod cannot be read: {odd}")
        return found

    async def _status(
        self, cluster: Key, pods: tuple[Pod, ...] | NotKnown
    ) -> InstanceStatus | NotKnown:
        asked = f"status in {cluster.namespace}"
        remembered = self._refusals.remembered(asked)
        if remembered is not None:
            return remembered
        name, scheme = self._primary(cluster, pods)
        if not name:
            return NotKnown("the cluster has no primary")
        try:
            body = await self._source.pod_proxy(
                cluster.namespace, name, STATUS_PORT, "pg/status", scheme=scheme
            )
            return instance.read(json.loads(body), self._clock())
        except faults.Fault as fault:
            return self._refusals.not_known(asked, fault)
        except (Odd, ValueError) as odd:
            return NotKnown(f"{name} answers something else than its status: {odd}")

    async def _wal_volume(
        self,
        cluster: Key,
        pods: tuple[Pod, ...] | NotKnown,
        status: InstanceStatus | NotKnown,
    ) -> WalVolume | NotKnown:
        """How full the volume of pg_wal is, where WAL waits: it needs the right the status needs."""
        if isinstance(status, NotKnown) or status.waiting < WAITS:
            return NOT_ASKED
        name, _ = self._primary(cluster, pods)
        told = () if isinstance(pods, NotKnown) else pods
        tls = any(one.metrics_port_tls for one in told if one.key.name == name)
        try:
            body = await self._source.pod_proxy(
                cluster.namespace, name, METRICS_PORT, "metrics", scheme="https" if tls else "http"
            )
            return wal_volume.read(body.decode(errors="replace"))
        except (faults.Fault, Odd) as why:
            return NotKnown(f"metrics of {name}: {why}")

    async def _errors(
        self,
        cluster: Key,
        pods: tuple[Pod, ...] | NotKnown,
        status: InstanceStatus | NotKnown,
    ) -> tuple[LogLine, ...] | NotKnown:
        """The errors in the logs, where something fails."""
        if not self._fails(cluster, status):
            return ()
        asked = f"log in {cluster.namespace}"
        remembered = self._refusals.remembered(asked)
        if remembered is not None:
            return remembered
        primary, _ = self._primary(cluster, pods)
        names = [primary] if primary else []
        if cluster in self._backup_failed and not isinstance(pods, NotKnown):
            names += [one.key.name for one in pods if one.sidecar and one.key.name != primary]
        found: list[LogLine] = []
        for name in names:
            try:
                log = await self._source.pod_log(cluster.namespace, name, SIDECAR, tail_lines=TAIL)
            except faults.Forbidden as fault:
                return self._refusals.not_known(asked, fault)
            except faults.Fault as fault:
                if not found:
                    return NotKnown(str(fault))
                continue
            found += sidecar_log.errors(log)
        return tuple(found)

    def _fails(self, cluster: Key, status: InstanceStatus | NotKnown) -> bool:
        """Whether archiving fails, by anybody's word, or the last backup did."""
        now = isinstance(status, InstanceStatus) and status.fails_now
        return now or cluster in self._archiving_fails or cluster in self._backup_failed

    def _primary(self, cluster: Key, pods: tuple[Pod, ...] | NotKnown) -> tuple[str, str]:
        """Name and scheme of the Pod to ask; without the Pods, what the operator says and TLS."""
        named = self._primaries.get(cluster, "")
        if isinstance(pods, NotKnown):
            return named, "https"
        for one in pods:
            if one.key.name == named or (not named and one.is_primary):
                return one.key.name, one.scheme
        return "", "https"
