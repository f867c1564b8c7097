"""What is seen of the plugin beside the operator, over real HTTP, and what may not be seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from tests.panes.objects import Manifest, an_event
from tui.cnpg.manifest import BARMAN_PLUGIN
from tui.live.plugins import Plugins
from tui.live.refusals import Refusals
from tui.sandbox import manifests
from tui.sandbox.apiserver import EVERYTHING, ApiServer, Rule, User
from tui.verdict.witnesses import NotKnown, PluginSeen
from tui.wire.kube import Kube
from tui.wire.kubeconfig import Where

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
ONE = frozenset({BARMAN_PLUGIN})
NONE: frozenset[str] = frozenset()
IN_CNPG_SYSTEM = Rule(("",), ("services", "pods"), ("list",), ("cnpg-system",))


def beside_operator(*, running: bool = True) -> list[Manifest]:
    return manifests.plugin_objects(NOW, running=running)


@asynccontextmanager
async def looking(
    path: Path, rules: tuple[Rule, ...], objects: list[Manifest]
) -> AsyncIterator[tuple[Plugins, ApiServer]]:
    user = User("oncall", "token", rules)
    server = ApiServer(users=[user])
    for each in objects:
        server.store.seed(each)
    await server.start()
    kubeconfig = path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(server.kubeconfig(user, namespace="prod")))
    kube = await Kube.open(Where(kubeconfig=str(kubeconfig)))
    try:
        yield Plugins(kube, Refusals(60)), server
    finally:
        await kube.close()
        await server.stop()


async def seen(path: Path, objects: list[Manifest], *rules: Rule) -> PluginSeen | NotKnown:
    async with looking(path, rules or EVERYTHING, objects) as (plugins, _):
        await plugins.look(ONE, NONE)
        return plugins.seen(BARMAN_PLUGIN)


async def test_the_service_and_its_pods_are_found_by_the_plugins_label(tmp_path: Path) -> None:
    found = await seen(tmp_path, beside_operator())
    assert isinstance(found, PluginSeen)
    assert found.service is not None
    assert (str(found.service.key), found.service.lacks) == ("cnpg-system/barman-cloud", ())
    assert not isinstance(found.pods, NotKnown)
    assert [(one.ready, one.trouble) for one in found.pods] == [(True, "")]


async def test_a_plugin_that_crashes_says_how(tmp_path: Path) -> None:
    found = await seen(tmp_path, beside_operator(running=False))
    assert isinstance(found, PluginSeen)
    assert not isinstance(found.pods, NotKnown)
    assert [(one.ready, one.trouble) for one in found.pods] == [
        (False, "CrashLoopBackOff, 41 restarts")
    ]


async def test_where_there_is_none_it_was_looked_for_everywhere(tmp_path: Path) -> None:
    assert await seen(tmp_path, []) == PluginSeen(None, True, (), ())


async def test_events_about_the_service_are_read(tmp_path: Path) -> None:
    async with looking(tmp_path, EVERYTHING, beside_operator()) as (plugins, server):
        resource = server.registry.at("", "v1", "services")
        assert resource is not None
        service = server.store.listed(resource)[0].manifest()
        server.store.seed(
            an_event(service, "ServerSecretNotFound", 'secrets "x" not found', type_="Warning")
        )
        await plugins.look(ONE, NONE)
        found = plugins.seen(BARMAN_PLUGIN)
    assert isinstance(found, PluginSeen)
    assert not isinstance(found.events, NotKnown)
    assert [each.reason for each in found.events] == ["ServerSecretNotFound"]


async def test_why_a_pod_of_the_plugin_does_not_start_is_read_from_its_events(
    tmp_path: Path,
) -> None:
    async with looking(tmp_path, EVERYTHING, beside_operator(running=False)) as (plugins, server):
        resource = server.registry.at("", "v1", "pods")
        assert resource is not None
        for each in server.store.listed(resource):
            server.store.seed(
                an_event(each.manifest(), "FailedMount", "no Secret", type_="Warning")
            )
        await plugins.look(ONE, NONE)
        found = plugins.seen(BARMAN_PLUGIN)
    assert isinstance(found, PluginSeen)
    assert not isinstance(found.pod_events, NotKnown)
    assert not isinstance(found.pods, NotKnown)
    assert [each.about for each in found.pod_events] == [f"Pod {found.pods[0].name}"]


async def test_who_may_look_into_the_operators_namespace_alone_is_told_what_is_there(
    tmp_path: Path,
) -> None:
    found = await seen(tmp_path, beside_operator(), IN_CNPG_SYSTEM)
    assert isinstance(found, PluginSeen)
    assert found.service is not None
    assert not found.everywhere
    assert found.events == NotKnown("events list in cnpg-system is forbidden")


@pytest.mark.parametrize("doubted", [NONE, ONE])
async def test_who_may_not_look_is_told_so_and_the_server_is_not_asked_again(
    tmp_path: Path, doubted: frozenset[str]
) -> None:
    async with looking(tmp_path, (), beside_operator()) as (plugins, server):
        for _ in range(3):
            await plugins.look(ONE, doubted)
        why = "services list in cnpg-system is forbidden"
        assert plugins.seen(BARMAN_PLUGIN) == NotKnown(why)
        assert len([path for _, path, *_ in server.requests if "/services" in path]) == 2


async def test_a_plugin_nothing_points_to_is_looked_at_once(tmp_path: Path) -> None:
    async with looking(tmp_path, EVERYTHING, beside_operator()) as (plugins, server):
        await plugins.look(ONE, NONE)
        before = len(server.requests)
        await plugins.look(ONE, NONE)
        assert len(server.requests) == before
        await plugins.look(ONE, ONE)
        assert len(server.requests) > before
