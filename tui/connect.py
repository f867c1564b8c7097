"""Opens the wire after the first frame, and introduces the gateways to the feeds.

The only importer of ``wire``: the client libraries take a third of a second to import, so they are
imported in a thread, once the first frame is on the screen.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

from tui import faults
from tui.cnpg import backup, cluster, happening, schedule, store
from tui.cnpg.happening import Happening
from tui.cnpg.manifest import (
    BACKUPS,
    CLUSTERS,
    EVENTS,
    OBJECT_STORES,
    SCHEDULED_BACKUPS,
    Key,
    Manifest,
    Odd,
)
from tui.live.changes import Change
from tui.live.feeds import Feed
from tui.live.orders.order import Port

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


class Connection:
    """An open wire: feeds that report, a port for orders, and questions asked now and then."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self.context = kube.context
        self.namespace = kube.namespace
        self.port: Port = kube
        self._feeds: list[Feed] = []

    async def run(self, report: Callable[[Change], None]) -> None:
        """Run the feeds until cancelled. They never give up by themselves.

        Raises ``faults.Misconfigured`` where the namespace to look at does not exist.
        """
        chance = Random()  # noqa: S311 - spreads retries, keeps no secret
        self._feeds = [
            Feed(kind, self.namespace, self._kube, read, report, clock=_utc_now, random=chance)
            for kind, read in _READERS.items()
        ]
        missing: faults.Misconfigured | None = None
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(feed.run(), name=f"feed {feed.kind}") for feed in self._feeds
            ]
            try:
                await self.look_for_namespace()
            except faults.Misconfigured as why:
                missing = why
                for task in tasks:
                    task.cancel()
        if missing is not None:
            raise missing

    async def look_for_namespace(self) -> None:
        """Raise ``faults.Misconfigured`` if the server says that the namespace does not exist."""
        try:
            async with asyncio.timeout(_LOOK):
                await self._kube.look_for_namespace()
        except faults.NotFound as absent:
            raise faults.Misconfigured(str(absent)) from absent
        except (faults.Fault, TimeoutError) as fault:
            _log.info("the namespace was not looked for: %s", fault)  # the feeds will say why

    def retry(self) -> None:
        """Wake every feed that waits for its next try."""
        for feed in self._feeds:
            feed.retry()

    async def happenings(self, key: Key, uid: str) -> tuple[Happening, ...]:
        """The Kubernetes Events about an object, newest last. Raises ``faults.Fault``."""
        selector = f"involvedObject.uid={uid}" if uid else f"involvedObject.name={key.name}"
        found = [
            _happening(item)
            async for page in self._kube.list(EVENTS, key.namespace, field_selector=selector)
            for item in page.items
        ]
        epoch = datetime.min.replace(tzinfo=UTC)
        return tuple(sorted(found, key=lambda item: item.last or epoch))


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
    try:
        yield Connection(gateway)
    finally:
        await gateway.close()


def _happening(source: Manifest) -> Happening:
    """An odd Event is told as what it is: it must not hide the others."""
    try:
        return happening.read(source)
    except Odd as odd:
        return Happening("", "unreadable", str(odd), "", None, 1)


def _utc_now() -> datetime:
    return datetime.now(UTC)
