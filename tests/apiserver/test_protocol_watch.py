"""Watches, asked of both servers: what comes, from where it resumes, and how it ends."""

from __future__ import annotations

import pytest

from tests.apiserver.client import CNPG, Body
from tests.apiserver.manifests import backup
from tests.apiserver.servers import Server, path

_STREAM_LIST = {
    "sendInitialEvents": "true",
    "resourceVersionMatch": "NotOlderThan",
    "allowWatchBookmarks": "true",
}


async def _make(server: Server, name: str, **labels: str) -> Body:
    answer = await server.admin.create(path(server, "backups"), backup(name, labels=labels))
    assert answer.status == 201
    return answer.body


async def _label(server: Server, name: str, **labels: str | None) -> Body:
    answer = await server.admin.patch(
        path(server, "backups", name), {"metadata": {"labels": labels}}
    )
    assert answer.status == 200
    return answer.body


async def _version(server: Server) -> str:
    answer = await server.admin.get(path(server, "backups"))
    version: str = answer.body["metadata"]["resourceVersion"]
    return version


async def test_a_watch_tells_of_every_change_in_order(server: Server) -> None:
    backups = path(server, "backups")

    async with server.admin.watch(backups, resourceVersion=await _version(server)) as watch:
        made = await _make(server, "a")
        changed = await _label(server, "a", seen="yes")
        await server.admin.delete(path(server, "backups", "a"))
        added, modified, deleted = [await watch.next() for _ in range(3)]

    assert (added["type"], added["object"]) == ("ADDED", made)
    assert (modified["type"], modified["object"]) == ("MODIFIED", changed)
    assert deleted["type"] == "DELETED"
    assert deleted["object"]["metadata"]["labels"] == {"seen": "yes"}


async def test_a_deletion_carries_the_version_of_the_deletion(server: Server) -> None:
    """A watch resumes after it by that version; the object's own would deliver it twice."""
    version = await _version(server)
    made = await _make(server, "a")
    await server.admin.delete(path(server, "backups", "a"))

    async with server.admin.watch(path(server, "backups"), resourceVersion=version) as watch:
        deleted = (await watch.until("DELETED"))[-1]

    after = int(deleted["object"]["metadata"]["resourceVersion"])
    assert after > int(made["metadata"]["resourceVersion"])


async def test_a_change_that_changes_nothing_is_no_event(server: Server) -> None:
    await _make(server, "a", seen="yes")
    version = await _version(server)

    async with server.admin.watch(path(server, "backups"), resourceVersion=version) as watch:
        await _label(server, "a", seen="yes")
        await _make(server, "b")
        events = await watch.types_and_names(1)

    assert events == [("ADDED", "b")]


async def test_a_watch_from_no_version_begins_with_what_is_there(server: Server) -> None:
    await _make(server, "a")
    await _make(server, "b")

    async with server.admin.watch(path(server, "backups")) as watch:
        before = await watch.types_and_names(2)
        await _make(server, "c")
        after = await watch.types_and_names(1)

    assert sorted(before) == [("ADDED", "a"), ("ADDED", "b")]
    assert after == [("ADDED", "c")]


async def test_a_watch_resumes_where_another_stopped(server: Server) -> None:
    await _make(server, "a")
    version = await _version(server)
    await _make(server, "b")
    await _label(server, "a", seen="yes")

    async with server.admin.watch(path(server, "backups"), resourceVersion=version) as watch:
        events = await watch.types_and_names(2)

    assert events == [("ADDED", "b"), ("MODIFIED", "a")]


async def test_a_watch_of_one_namespace_hears_nothing_of_others(server: Server) -> None:
    version = await _version(server)

    async with server.admin.watch(path(server, "backups"), resourceVersion=version) as watch:
        elsewhere = f"{CNPG}/namespaces/default/backups"
        other = server.namespace
        assert (await server.admin.create(elsewhere, backup(other))).status == 201
        assert (await server.admin.delete(f"{elsewhere}/{other}")).status == 200
        await _make(server, "here")
        events = await watch.types_and_names(1)

    assert events == [("ADDED", "here")]


async def test_a_watch_from_before_a_compaction_is_told_so_in_the_stream(server: Server) -> None:
    version = await _version(server)
    await _make(server, "a")
    await server.compact()

    async with server.admin.watch(path(server, "backups"), resourceVersion=version) as watch:
        events = await watch.rest()

    (event,) = events
    assert event["type"] == "ERROR"
    told = event["object"]
    assert (told["kind"], told["code"], told["reason"]) == ("Status", 410, "Expired")
    assert told["message"].startswith(f"too old resource version: {version} (")


async def test_a_watch_goes_on_from_a_list_made_after_a_compaction(server: Server) -> None:
    await _make(server, "a")
    await server.compact()

    version = await _version(server)
    async with server.admin.watch(path(server, "backups"), resourceVersion=version) as watch:
        await _make(server, "b")
        events = await watch.types_and_names(1)

    assert events == [("ADDED", "b")]


async def test_a_watch_may_begin_with_the_list_and_marks_its_end(server: Server) -> None:
    await _make(server, "a")
    await _make(server, "b")
    listed = int(await _version(server))

    async with server.admin.watch(path(server, "backups"), **_STREAM_LIST) as watch:
        events = await watch.until("BOOKMARK")
        await _make(server, "c")
        after = await watch.types_and_names(1)

    assert [event["type"] for event in events] == ["ADDED", "ADDED", "BOOKMARK"]
    mark = events[-1]["object"]
    assert (mark["kind"], mark["apiVersion"]) == ("Backup", "postgresql.cnpg.io/v1")
    assert mark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(mark["metadata"]["resourceVersion"]) >= listed
    assert after == [("ADDED", "c")]


async def test_a_watch_may_forgo_the_list(server: Server) -> None:
    await _make(server, "a")
    version = await _version(server)
    query = {"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan"}

    async with server.admin.watch(
        path(server, "backups"), resourceVersion=version, **query
    ) as watch:
        await _make(server, "b")
        events = await watch.types_and_names(1)

    assert events == [("ADDED", "b")]


async def test_a_list_in_a_watch_keeps_to_its_selector(server: Server) -> None:
    await _make(server, "a", team="x")
    await _make(server, "b", team="y")

    async with server.admin.watch(
        path(server, "backups"), labelSelector="team=y", **_STREAM_LIST
    ) as watch:
        events = await watch.until("BOOKMARK")

    assert [event["object"]["metadata"].get("name") for event in events[:-1]] == ["b"]


async def test_a_watch_that_allows_bookmarks_gets_one_before_it_ends(server: Server) -> None:
    """The version it names is as new as the server's, though nothing was selected meanwhile."""
    version = await _version(server)

    async with server.admin.watch(
        path(server, "backups"),
        resourceVersion=version,
        allowWatchBookmarks="true",
        labelSelector="team=none",
        timeoutSeconds=4,
    ) as watch:
        await _make(server, "a", team="x")
        newest = int(await _version(server))
        events = await watch.rest()

    assert {event["type"] for event in events} == {"BOOKMARK"}
    assert int(events[-1]["object"]["metadata"]["resourceVersion"]) >= newest


async def test_a_watch_that_does_not_allow_bookmarks_gets_none(server: Server) -> None:
    await _make(server, "a")

    async with server.admin.watch(
        path(server, "backups"), resourceVersion=await _version(server), timeoutSeconds=3
    ) as watch:
        events = await watch.rest()

    assert events == []


async def test_a_watch_ends_in_order_when_its_time_is_up(server: Server) -> None:
    await _make(server, "a")

    async with server.admin.watch(path(server, "backups"), timeoutSeconds=1) as watch:
        events = await watch.rest()

    assert [event["type"] for event in events] == ["ADDED"]


async def test_what_leaves_the_selection_is_deleted_and_what_enters_is_added(
    server: Server,
) -> None:
    await _make(server, "leaves", team="x")
    await _make(server, "enters", team="y")
    version = await _version(server)

    async with server.admin.watch(
        path(server, "backups"), resourceVersion=version, labelSelector="team=x"
    ) as watch:
        await _label(server, "leaves", team="z")
        await _label(server, "enters", team="x")
        await _label(server, "enters", more="yes")
        await _label(server, "leaves", more="yes")
        await server.admin.delete(path(server, "backups", "enters"))
        events = [await watch.next() for _ in range(4)]

    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [
        ("DELETED", "leaves"),
        ("ADDED", "enters"),
        ("MODIFIED", "enters"),
        ("DELETED", "enters"),
    ]
    assert events[0]["object"]["metadata"]["labels"] == {"team": "x"}


async def test_a_watch_may_be_of_one_name(server: Server) -> None:
    await _make(server, "a")
    await _make(server, "b")
    version = await _version(server)

    async with server.admin.watch(
        path(server, "backups"), resourceVersion=version, fieldSelector="metadata.name=b"
    ) as watch:
        await _label(server, "a", seen="yes")
        await _label(server, "b", seen="yes")
        events = await watch.types_and_names(1)

    assert events == [("MODIFIED", "b")]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            {"sendInitialEvents": "true", "allowWatchBookmarks": "true"},
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
        (
            {"resourceVersionMatch": "NotOlderThan", "resourceVersion": "1"},
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
    ],
)
async def test_a_watch_that_makes_no_sense_is_refused(
    server: Server, query: dict[str, str], message: str
) -> None:
    answer = await server.admin.get(path(server, "backups"), watch="true", **query)

    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.message == (
        f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: {message}'
    )
    assert answer.causes == [("FieldValueForbidden", "resourceVersionMatch")]


async def test_a_finalizer_keeps_the_object_and_shows_the_deletion_as_a_change(
    server: Server,
) -> None:
    document = backup("a")
    document["metadata"]["finalizers"] = ["cnpg.io/test"]
    await server.admin.create(path(server, "backups"), document)
    one = path(server, "backups", "a")

    async with server.admin.watch(
        path(server, "backups"), resourceVersion=await _version(server)
    ) as watch:
        asked = await server.admin.delete(one)
        going = await watch.next()
        await server.admin.patch(one, {"metadata": {"finalizers": None}})
        gone = await watch.next()

    assert asked.body["metadata"]["deletionTimestamp"]
    assert (going["type"], going["object"]) == ("MODIFIED", asked.body)
    assert (gone["type"], gone["object"]["metadata"]["name"]) == ("DELETED", "a")
    assert (await server.admin.get(one)).status == 404
