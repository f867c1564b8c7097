"""Opens the wire after the first frame, and introduces the gateways to the feeds.

For the app the only importer of ``wire``: the client libraries take a third of a second, so they are
imported in a thread, once the first frame is on the screen.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Set
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from tui import faults
from tui.barman.path import Loss
from tui.cnpg import backup, cluster, happening, schedule, secret, store
from tui.cnpg.cluster import Cluster
from tui.cnpg.happening import Happening
from tui.cnpg.location import Location, Place
from tui.cnpg.manifest import (
    BACKUPS,
    CLUSTERS,
    EVENTS,
    OBJECT_STORES,
    SCHEDULED_BACKUPS,
    Key,
    Kind,
)
from tui.live import papers
from tui.live.attention import Attention
from tui.live.changes import Change, LossesKnown
from tui.live.feeds import Feed
from tui.live.inspection import Inspection
from tui.live.look import Bucket
from tui.live.orders.order import Port
from tui.live.pulse import Pulse
from tui.live.sweep import Sweep
from tui.verdict.bundle import Papers
from tui.wire.memory import Acknowledged, Losses, Memory

if TYPE_CHECKING:
    from tui.wire.kube import Kube

_log = logging.getLogger(__name__)

_LOOK = 4.5
"""Seconds for the server to say whether the namespace exists."""

_READERS: dict[Any, Callable[..., Any]] = {
    CLUSTERS: cluster.read,
    BACKUPS: backup.read,
    SCHEDULED_BACKUPS: schedule.read,
    OBJECT_STORES: store.read,
}


@dataclass(frozen=True, slots=True)
class Flags:
    """Which cluster to talk to, in kubectl's flags; None where the flag was not given."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False
    s3_credentials: str = "secret,environment"
    """Where to look for the keys of a store, in this order."""
    remember: bool = True
    """Whether full WAL folders are remembered on this machine, so as not to list them again."""


class Connection:
    """An open wire: feeds that report, a port for orders, and questions asked now and then."""

    def __init__(
        self, kube: Kube, s3_credentials: str, memory: Memory | None, asked_for: str = ""
    ) -> None:
        self._kube = kube
        self.context = kube.context
        self.asked_for = asked_for
        """The context of ``--context``, ``""`` where it is kubectl's own."""
        self.namespace = kube.namespace
        self.port: Port = kube
        self._s3_credentials = s3_credentials
        self._report: Callable[[Change], None] = lambda _: None
        self._chance = Random()  # noqa: S311 - spreads retries, keeps no secret
        self._memory = memory
        self._feeds = [
            Feed(kind, kube.namespace, kube, read, self._tell, clock=_utc_now, random=self._chance)
            for kind, read in _READERS.items()
        ]
        self._inspection = Inspection(
            kube.namespace, kube, self._tell, clock=_utc_now, random=self._chance
        )
        self._pulse = Pulse(kube, self._doubt, random=self._chance)
        self._attention = Attention(self._sweep_of)
        self._losses = Losses()
        self._recalled: set[tuple[Place, str]] = set()

    async def run(self, report: Callable[[Change], None]) -> None:
        """Run the feeds, the inspection and the sweeps until cancelled. None gives up by itself.

        Raises ``faults.Misconfigured`` where the namespace to look at does not exist.
        """
        self._report = report
        missing: faults.Misconfigured | None = None
        async with asyncio.TaskGroup() as group:
            stories = [feed.run() for feed in self._feeds]
            stories += [self._pulse.run(), self._inspection.run(), self._attention.run()]
            tasks = [group.create_task(story) for story in stories]
            try:
                await self.look_for_namespace()
            except faults.Misconfigured as why:
                missing = why
                for task in tasks:
                    task.cancel()
        if missing is not None:
            raise missing

    def attend(
        self,
        clusters: Iterable[Cluster],
        locations: Mapping[Key, Location],
        unwell: Callable[[], Set[Key]] = frozenset,
    ) -> Iterator[str]:
        """Inspect these clusters and look into these locations, and no others.

        ``unwell`` gives, whenever it is asked, those whose Backups or schedules do not get on.

        Yields a sentence for every acknowledged loss that cannot be recalled: it alarms again.
        """
        seen = tuple(clusters)
        self._inspection.want(
            {cluster.key: cluster.primary for cluster in seen},
            archiving_fails={cluster.key for cluster in seen if cluster.says_archiving_fails},
            backup_failed={cluster.key for cluster in seen if cluster.says_last_backup_failed},
            secrets={key: _secrets_of(where) for key, where in locations.items()},
            plugins={one.key: one.backup_plugin.name for one in seen if one.backup_plugin},
            plugin_doubted={one.key for one in seen if one.doubts_plugin},
            unwell=unwell,
        )
        wanted = tuple(locations.values())
        self._attention.turn_to(wanted)
        for where in wanted:
            if (where.place, where.server) not in self._recalled:
                self._recalled.add((where.place, where.server))
                try:
                    self._recall(where.place, where.server)
                except ValueError as unreadable:
                    yield str(unreadable)

    def acknowledge(self, place: Place, server: str, loss: Loss, why: str) -> None:
        """Keep in the user's data folder that this WAL is known to be lost.

        Raises ValueError for a file that cannot be read, OSError for one that cannot be written.
        """
        self._losses.acknowledge(place, server, Acknowledged(loss, why, _utc_now()))
        self._recall(place, server)

    def _recall(self, place: Place, server: str) -> None:
        known = frozenset(each.loss for each in self._losses.of(place, server))
        self._tell(LossesKnown(place, server, known))

    def _doubt(self) -> None:
        """The server did not answer: watches that seem well are asked for anew."""
        for feed in self._feeds:
            feed.doubt()

    def _tell(self, change: Change) -> None:
        self._report(change)

    def _sweep_of(self, where: Location) -> Sweep:
        return Sweep(
            where.place,
            partial(self._open_bucket, where),
            self._tell,
            memory=self._memory,
            clock=_utc_now,
            random=self._chance,
        )

    async def _open_bucket(self, where: Location) -> Bucket:
        # The S3 client takes a third of a second to import: only who looks into a bucket pays.
        credentials: Any = await asyncio.to_thread(importlib.import_module, "tui.wire.credentials")
        sources = credentials.order(self._s3_credentials)
        heard = self._inspection.secrets.hear
        bucket: Bucket = await credentials.open_bucket(where, sources, self._kube, heard)
        return bucket

    @asynccontextmanager
    async def bucket(self, where: Location) -> AsyncIterator[Bucket]:
        """A store opened for a few requests, apart from the sweeps. Raises ``faults.Fault``."""
        opened = await self._open_bucket(where)
        try:
            yield opened
        finally:
            await opened.close()

    async def look_for_namespace(self) -> None:
        """Raise ``faults.Misconfigured`` if the server says that the namespace does not exist."""
        try:
            async with asyncio.timeout(_LOOK):
                await self._kube.look_for_namespace()
        except faults.NotFound as absent:
            raise faults.Misconfigured(str(absent)) from absent
        except (faults.Fault, TimeoutError) as fault:
            _log.info("the namespace was not looked for: %s", fault)  # the feeds will say why

    def retry(self, *, deep: bool = False) -> None:
        """Ask everybody again now; ``deep``: and list all WAL folders anew, full ones too."""
        for feed in self._feeds:
            feed.retry()
        self._inspection.look_now()
        self._attention.look_now(deep=deep)

    def look_into(self, place: Place, server: str) -> None:
        """Look into a server name besides those that clusters use."""
        self._attention.turn_also_to(place, server)

    def stop_looking(self) -> None:
        """End the looks into buckets that are under way; the next one is when the user asks."""
        self._attention.stop_looking()

    async def may(self, verb: str, kind: Kind, namespace: str | None) -> bool:
        """Whether this user may do it. Raises ``faults.Fault``."""
        return await self._kube.may(verb, kind, namespace)

    async def happenings(self, key: Key, uid: str) -> tuple[Happening, ...]:
        """The Kubernetes Events about an object, newest last. Raises ``faults.Fault``."""
        selector = f"involvedObject.uid={uid}" if uid else f"involvedObject.name={key.name}"
        found = [
            item
            async for page in self._kube.list(EVENTS, key.namespace, field_selector=selector)
            for item in page.items
        ]
        return happening.listed(found)

    async def papers(self, want: papers.Wanted) -> Papers:
        """What the evidence bundle of a cluster holds besides what is known."""
        return await papers.fetch(self._kube, want)


Opener = Callable[[Flags], AbstractAsyncContextManager[Connection]]


@asynccontextmanager
async def open_wire(flags: Flags) -> AsyncIterator[Connection]:
    """Find the server as kubectl does and prepare to talk to it; leaving closes the connections.

    Raises ``faults.Misconfigured`` where the configuration leads to no server.
    """
    kube: Any = await asyncio.to_thread(importlib.import_module, "tui.wire.kube")
    where = kube.Where(
        kubeconfig=flags.kubeconfig,
        context=flags.context,
        namespace=flags.namespace,
        all_namespaces=flags.all_namespaces,
    )
    gateway: Kube = await kube.Kube.open(where)
    memory = Memory() if flags.remember else None
    try:
        yield Connection(gateway, flags.s3_credentials, memory, flags.context or "")
    finally:
        await gateway.close()
        if memory is not None:
            memory.close()


def _secrets_of(where: Location) -> tuple[Key, ...]:
    """The Secrets that open an archive, each once."""
    names = dict.fromkeys(each.secret for each in secret.named(where.configuration))
    return tuple(Key(where.namespace, name) for name in names)


def _utc_now() -> datetime:
    return datetime.now(UTC)
