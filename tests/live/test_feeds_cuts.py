"""A feed beside a server that keeps the whole protocol, while the line breaks and objects change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.live.feeding import QUICK, Happened, Told, feed
from tests.wire.scripted import backup
from tui.cnpg.manifest import BACKUPS
from tui.live.changes import Live
from tui.live.feeds import Feed
from tui.sandbox.apiserver import EVERYTHING, ApiServer, User
from tui.wire.kube import Kube

Start = Callable[[Feed], asyncio.Task[None]]

PATIENCE = replace(QUICK, least=0.005, most=0.02, silence=0.5)


class World:
    """A sandbox server whose Backups change at random; it remembers what it did."""

    def __init__(self, server: ApiServer, seed: int) -> None:
        self.server = server
        self.chance = Random(seed)
        self.happened: list[Happened] = []
        self._resource = server.registry.at(BACKUPS.group, BACKUPS.version, BACKUPS.plural)

    @property
    def table(self) -> dict[str, str]:
        """What the server has, resourceVersion by name."""
        assert self._resource
        listed = self.server.store.listed(self._resource, "prod")
        return {one.name: str(one.revision) for one in listed}

    def change(self) -> None:
        """One random thing happens to one random object."""
        assert self._resource
        store = self.server.store
        name = f"b{self.chance.randrange(300)}"
        there = store.get(self._resource, "prod", name)
        if there is not None and self.chance.random() < 0.3:
            gone = store.remove(there)
            self.happened.append(("DELETED", name, str(gone.revision)))
            return
        phase = self.chance.choice(["", "pending", "started", "completed", "failed"])
        manifest = backup(name, 0, phase)
        del manifest["metadata"]["uid"]
        made = store.seed(manifest)["metadata"]["resourceVersion"]
        self.happened.append(("MODIFIED" if there else "ADDED", name, made))

    def changes(self, count: int) -> None:
        """So many of them."""
        for _ in range(count):
            self.change()


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    api = ApiServer()
    await api.start()
    yield api
    await api.stop()


@pytest.fixture
async def world(server: ApiServer) -> World:
    one = World(server, seed=20261122)
    one.changes(200)
    one.happened.clear()
    return one


@pytest.fixture
async def gateway(server: ApiServer, opened: Callable[..., Awaitable[Kube]]) -> Kube:
    return await opened(server.kubeconfig(User("admin", "t", EVERYTHING), namespace="prod"))


@pytest.fixture
def told() -> Told:
    return Told()


def requested(server: ApiServer, *, watch: bool) -> int:
    """How many lists or watches were asked for."""
    return sum(("watch=true" in query) is watch for _, _, query in server.requests)


async def test_a_thousand_cuts_lose_nothing_and_count_nothing_twice(
    server: ApiServer, world: World, gateway: Kube, told: Told, running: Start
) -> None:
    running(feed(gateway, told, PATIENCE))
    await told.until(lambda: told.table == world.table and isinstance(told.state, Live))
    before = len(told.events)
    for _ in range(1000):
        watches = requested(server, watch=True)
        for _ in range(5):
            world.change()
            for _ in range(world.chance.randrange(6)):
                await asyncio.sleep(0)
        server.cut()
        if world.chance.random() < 0.5:  # else the next cut may hit the connection being made
            await told.until(lambda seen=watches: requested(server, watch=True) > seen)  # type: ignore[misc]
    assert len(world.happened) == 5000
    await told.until(lambda: told.table == world.table)
    assert told.events[before:] == world.happened
    assert requested(server, watch=False) == 1, "every cut was resumed, none needed a new list"
    assert requested(server, watch=True) > 500


async def test_cuts_with_a_server_that_forgets_lose_nothing_either(
    server: ApiServer, world: World, gateway: Kube, told: Told, running: Start
) -> None:
    running(feed(gateway, told, PATIENCE))
    await told.until(lambda: isinstance(told.state, Live))
    for _ in range(100):
        world.changes(world.chance.randrange(8))
        for _ in range(world.chance.randrange(30)):
            await asyncio.sleep(0)
        if world.chance.random() < 0.3:
            server.compact()
        server.cut()
    await told.until(lambda: told.table == world.table)
    assert len(set(told.events)) == len(told.events)
    assert set(told.events[200:]) <= set(world.happened)


def _fails(status: int) -> Callable[[ApiServer], None]:
    def trouble(server: ApiServer) -> None:
        server.fail_next(3, status)
        server.cut()

    return trouble


def _forgets(server: ApiServer) -> None:
    server.cut()
    server.compact()


def _dribbles(server: ApiServer) -> None:
    server.trickle(20_000)


TROUBLES: dict[str, Callable[[ApiServer], Any]] = {
    "nothing": lambda _: None,
    "a cut": ApiServer.cut,
    "history forgotten": _forgets,
    "429": _fails(429),
    "500": _fails(500),
    "502": _fails(502),
    "a trickle": _dribbles,
    "half-open connections": ApiServer.freeze,
}


@pytest.mark.parametrize(
    ("trouble", "many"),
    [(name, many) for name in TROUBLES for many in (3, 700) if (name, many) != ("a trickle", 700)],
)
async def test_whatever_happens_the_table_equals_a_fresh_list(
    server: ApiServer,
    world: World,
    gateway: Kube,
    told: Told,
    running: Start,
    trouble: str,
    many: int,
) -> None:
    world.changes(many)
    running(feed(gateway, told, PATIENCE))
    await told.until(lambda: told.table == world.table)
    world.changes(many)
    TROUBLES[trouble](server)
    world.changes(many)
    await asyncio.sleep(0)
    if trouble == "half-open connections":
        requests = len(server.requests)
        await told.until(lambda: len(server.requests) > requests)  # the silence was noticed
        server.thaw()
    world.changes(many)
    await told.until(lambda: told.table == world.table)
    fresh = [
        item["metadata"] async for page in gateway.list(BACKUPS, "prod") for item in page.items
    ]
    assert told.table == {one["name"]: one["resourceVersion"] for one in fresh}
    assert len(set(told.events)) == len(told.events)


async def test_objects_of_other_namespaces_are_not_told(
    server: ApiServer, world: World, gateway: Kube, told: Told, running: Start
) -> None:
    running(feed(gateway, told, PATIENCE))
    await told.until(lambda: isinstance(told.state, Live))
    server.store.seed(backup("elsewhere", 0, namespace="dev"))
    world.change()
    await told.until(lambda: told.table == world.table)
    assert not any(name == "elsewhere" for _, name, _ in told.events)


async def test_without_a_namespace_all_are_told(
    server: ApiServer, gateway: Kube, told: Told, running: Start
) -> None:
    running(feed(gateway, told, PATIENCE, namespace=None))
    await told.until(lambda: isinstance(told.state, Live))
    server.store.seed(backup("elsewhere", 0, namespace="dev"))
    await told.until(lambda: "elsewhere" in told.table)


async def test_a_crd_that_is_removed_takes_its_objects_along(
    server: ApiServer, world: World, gateway: Kube, told: Told, running: Start
) -> None:
    running(feed(gateway, told, PATIENCE))
    await told.until(lambda: told.table == world.table)
    server.remove_crd(BACKUPS.group)
    await told.until(lambda: told.table == {} and type(told.state).__name__ == "Absent")
