"""The gateway and a feed over the sandbox and over the genuine kube-apiserver, with one outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.apiserver.servers import Rule, Server
from tests.live.feeding import QUICK, Told, feed
from tests.wire.scripted import until
from tui import faults
from tui.cnpg.manifest import BACKUPS, BARMAN_PLUGIN, OBJECT_STORES, Key, Kind
from tui.live.changes import Forbidden, Live, Polling
from tui.wire.kube import Kube

Open = Callable[..., Awaitable[Kube]]


def backup(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Backup",
        "metadata": {"name": name},
        "spec": {
            "cluster": {"name": "pg"},
            "method": "plugin",
            "pluginConfiguration": {"name": BARMAN_PLUGIN},
        },
    }


@pytest.fixture
async def token(server: Server) -> str:
    """The token of somebody who may do all of this."""
    account = await server.account(
        Rule(("get",), ("namespaces",), ""),
        Rule(("list",), ("nothings",), "example.org"),
        Rule(("get", "list", "watch", "create", "patch", "delete"), ("backups",)),
        cluster_wide=True,
    )
    return account.token


@pytest.fixture
async def admin(server: Server, opened: Open, token: str) -> Kube:
    return await opened(server.kubeconfig(token))


async def fresh(kube: Kube) -> dict[str, str]:
    """A fresh list: resourceVersion by name."""
    return {
        item["metadata"]["name"]: item["metadata"]["resourceVersion"]
        async for page in kube.list(BACKUPS, kube.namespace, limit=3)
        for item in page.items
    }


async def test_an_object_is_created_read_changed_and_deleted(admin: Kube) -> None:
    assert admin.namespace
    key = Key(admin.namespace, "b1")
    rehearsed = await admin.create(BACKUPS, key.namespace, backup("b1"), dry_run=True)
    assert rehearsed.manifest["metadata"]["name"] == "b1"
    with pytest.raises(faults.NotFound, match="there is no such object"):
        await admin.get(BACKUPS, key)
    made = await admin.create(BACKUPS, key.namespace, backup("b1"))
    assert "managedFields" not in made.manifest["metadata"]
    with pytest.raises(faults.AlreadyExists):
        await admin.create(BACKUPS, key.namespace, backup("b1"))
    labels = {"metadata": {"labels": {"a": "b"}}}
    patched = await admin.patch(BACKUPS, key, labels, patch_type="merge")
    assert patched.manifest["metadata"]["labels"] == {"a": "b"}
    found = await admin.get(BACKUPS, key)
    assert found["metadata"]["resourceVersion"] == patched.manifest["metadata"]["resourceVersion"]
    with pytest.raises(faults.Conflict):
        await admin.delete(BACKUPS, key, uid="of-another-one")
    stale = made.manifest["metadata"]["resourceVersion"]
    with pytest.raises(faults.Conflict):
        await admin.delete(BACKUPS, key, resource_version=stale)
    await admin.delete(BACKUPS, key, uid=found["metadata"]["uid"], dry_run=True)
    await admin.get(BACKUPS, key)
    await admin.delete(BACKUPS, key, uid=found["metadata"]["uid"])
    with pytest.raises(faults.NotFound):
        await admin.get(BACKUPS, key)


async def test_a_document_against_the_schema_is_refused_in_the_servers_words(admin: Kube) -> None:
    assert admin.namespace
    odd = backup("b1")
    odd["spec"]["method"] = "magic"
    with pytest.raises(faults.Invalid, match=r'cannot create Backup b1 .*spec.method: .*"magic"'):
        await admin.create(BACKUPS, admin.namespace, odd, dry_run=True)


async def test_an_unknown_field_brings_a_warning(admin: Kube) -> None:
    assert admin.namespace
    odd = backup("b1")
    odd["spec"]["colour"] = "blue"
    answer = await admin.create(BACKUPS, admin.namespace, odd, dry_run=True)
    assert answer.warnings == ('unknown field "spec.colour"',)


async def test_a_missing_resource_is_a_missing_crd(admin: Kube) -> None:
    with pytest.raises(faults.NotFound, match=r"the CRD nothings.example.org is not installed"):
        [page async for page in admin.list(Kind("example.org", "v1", "nothings", "Nothing"), None)]


async def test_a_missing_namespace_is_said(server: Server, opened: Open, token: str) -> None:
    kube = await opened(server.kubeconfig(token), namespace="nowhere")
    with pytest.raises(faults.NotFound, match="namespace nowhere does not exist"):
        await kube.look_for_namespace()
    assert await fresh(kube) == {}


async def test_a_wrong_token_is_said(server: Server, opened: Open) -> None:
    kube = await opened(server.kubeconfig("wrong"))
    with pytest.raises(faults.Unauthorized, match="does not accept these credentials"):
        await fresh(kube)


async def test_missing_rights_are_named(server: Server, opened: Open) -> None:
    account = await server.account(Rule(("get",), ("backups",)))
    kube = await opened(server.kubeconfig(account.token))
    with pytest.raises(faults.Forbidden, match="Ask for list on backups") as no:
        await fresh(kube)
    assert account.user in str(no.value)
    assert await kube.may("get", BACKUPS, kube.namespace)
    assert not await kube.may("list", BACKUPS, kube.namespace)
    assert not await kube.may("get", OBJECT_STORES, kube.namespace)


async def test_a_list_of_many_pages_is_one_list(admin: Kube) -> None:
    assert admin.namespace
    for number in range(10):
        await admin.create(BACKUPS, admin.namespace, backup(f"b{number}"))
    pages = [page async for page in admin.list(BACKUPS, admin.namespace, limit=3)]
    assert [len(page.items) for page in pages] == [3, 3, 3, 1]
    assert [page.remaining for page in pages] == [7, 4, 1, None]
    assert len({page.resource_version for page in pages}) == 1


@pytest.fixture
async def told(admin: Kube) -> Any:
    """A feed that runs beside the test."""
    told = Told()
    task = asyncio.create_task(feed(admin, told, namespace=admin.namespace).run())
    yield told
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


async def test_a_feed_tells_what_happens(admin: Kube, told: Told) -> None:
    assert admin.namespace
    await told.until(lambda: isinstance(told.state, Live))
    for name in ("a", "b", "c"):
        await admin.create(BACKUPS, admin.namespace, backup(name))
    for _ in range(5):
        label = {"metadata": {"labels": {"at": str(len(told.events))}}}
        await admin.patch(BACKUPS, Key(admin.namespace, "a"), label)
        await told.until(lambda: len(told.events) > int(label["metadata"]["labels"]["at"]))  # noqa: B023
    await admin.delete(BACKUPS, Key(admin.namespace, "b"))
    there = await fresh(admin)
    await told.until(lambda: told.table == there)
    kinds = [kind for kind, _, _ in told.events]
    assert kinds.count("ADDED") == 3
    assert kinds.count("DELETED") == 1
    assert len(set(told.events)) == len(told.events)
    assert len(told.lists) == 1


async def test_a_feed_survives_that_history_is_forgotten(
    server: Server, admin: Kube, told: Told
) -> None:
    assert admin.namespace
    await told.until(lambda: isinstance(told.state, Live))
    await admin.create(BACKUPS, admin.namespace, backup("before"))
    await told.until(lambda: "before" in told.table)
    await server.compact()
    with pytest.raises(faults.Expired):
        async with admin.watch(
            BACKUPS, admin.namespace, resource_version="2", lasting=5, silence=5
        ) as events:
            await anext(events)
    await admin.create(BACKUPS, admin.namespace, backup("after"))
    await told.until(lambda: set(told.table) == {"before", "after"})
    assert told.table == await fresh(admin)


async def test_a_feed_that_may_only_list_polls(server: Server, opened: Open) -> None:
    account = await server.account(Rule(("list", "create"), ("backups",)))
    kube = await opened(server.kubeconfig(account.token))
    assert kube.namespace
    told = Told()
    task = asyncio.create_task(feed(kube, told, namespace=kube.namespace).run())
    await told.until(lambda: isinstance(told.state, Polling))
    await kube.create(BACKUPS, kube.namespace, backup("b1"))
    await told.until(lambda: "b1" in told.table)
    task.cancel()
    await asyncio.wait([task])


async def test_a_feed_without_any_right_says_so(server: Server, opened: Open) -> None:
    account = await server.account(Rule(("get",), ("backups",)))
    kube = await opened(server.kubeconfig(account.token), all_namespaces=True)
    told = Told()
    patience = replace(QUICK, rarely=60)
    task = asyncio.create_task(feed(kube, told, patience, namespace=None).run())
    await told.until(lambda: isinstance(told.state, Forbidden))
    assert "cannot list backups in all namespaces: forbidden" in told.state.why  # type: ignore[union-attr]
    task.cancel()
    await asyncio.wait([task])


async def test_the_server_ends_a_watch_when_asked_and_the_feed_goes_on(
    admin: Kube, server: Server
) -> None:
    assert admin.namespace
    told = Told()
    patience = replace(QUICK, lasting=(1, 1), settled=0.5)
    task = asyncio.create_task(feed(admin, told, patience, namespace=admin.namespace).run())
    await told.until(lambda: isinstance(told.state, Live))
    began = asyncio.get_running_loop().time()
    await until(lambda: asyncio.get_running_loop().time() - began > 2.5)
    await admin.create(BACKUPS, admin.namespace, backup("later"))
    await told.until(lambda: "later" in told.table)
    assert [type(state) for state in told.states] == [Live]
    assert len(told.lists) == 1
    task.cancel()
    await asyncio.wait([task])
