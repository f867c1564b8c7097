"""Lists and watches as tables, the way kubectl asks for them. Asked of both servers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.apiserver.client import TABLE, Answer, Body
from tests.apiserver.manifests import Manifest, backup, cluster, object_store, schedule
from tests.apiserver.servers import Server, path

_AGE = re.compile(r"\d+s")


async def _make(
    server: Server, plural: str, document: Manifest, status: Manifest | None = None
) -> None:
    answer = await server.admin.create(path(server, plural), document)
    assert answer.status == 201, answer.text
    if status is not None:
        one = path(server, plural, document["metadata"]["name"])
        answer = await server.admin.patch(f"{one}/status", {"status": status})
        assert answer.status == 200, answer.text


def _headers(table: Body) -> list[tuple[str, str]]:
    """The columns kubectl shows without ``-o wide``."""
    return [
        (column["name"], column["type"])
        for column in table["columnDefinitions"]
        if column["priority"] == 0
    ]


def _rows(table: Body, count: int) -> list[list[Any]]:
    """The first ``count`` cells of each row, the age replaced by its form."""
    return [
        ["AGE" if index == 1 and _AGE.fullmatch(cell) else cell for index, cell in enumerate(cells)]
        for cells in (row["cells"][:count] for row in table["rows"])
    ]


async def _table(server: Server, plural: str, **query: str | int) -> Answer:
    return await server.admin.get(path(server, plural), TABLE, **query)


async def test_backups_are_shown_with_cluster_method_phase_and_error(server: Server) -> None:
    await _make(server, "backups", backup("a"), {"phase": "failed", "error": "no such bucket"})
    await _make(server, "backups", backup("b"))

    table = (await _table(server, "backups")).body

    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert _headers(table) == [
        ("Name", "string"),
        ("Age", "date"),
        ("Cluster", "string"),
        ("Method", "string"),
        ("Phase", "string"),
        ("Error", "string"),
    ]
    assert _rows(table, 6) == [
        ["a", "AGE", "pg", "plugin", "failed", "no such bucket"],
        ["b", "AGE", "pg", "plugin", None, None],
    ]


async def test_clusters_are_shown_with_instances_status_and_primary(server: Server) -> None:
    status = {
        "phase": "Cluster in healthy state",
        "instances": 3,
        "readyInstances": 2,
        "currentPrimary": "pg-1",
    }
    await _make(server, "clusters", cluster(), status)

    table = (await _table(server, "clusters")).body

    assert _headers(table) == [
        ("Name", "string"),
        ("Age", "date"),
        ("Instances", "integer"),
        ("Ready", "integer"),
        ("Status", "string"),
        ("Primary", "string"),
    ]
    assert _rows(table, 6) == [["pg", "AGE", 3, 2, "Cluster in healthy state", "pg-1"]]


async def test_schedules_are_shown_with_the_age_of_their_last_backup(server: Server) -> None:
    await _make(server, "scheduledbackups", schedule("a"))
    await _make(
        server, "scheduledbackups", schedule("b"), {"lastScheduleTime": "2020-01-01T00:00:00Z"}
    )

    table = (await _table(server, "scheduledbackups")).body

    assert _headers(table) == [
        ("Name", "string"),
        ("Age", "date"),
        ("Cluster", "string"),
        ("Last Backup", "date"),
    ]
    never, long_ago = _rows(table, 4)
    assert never == ["a", "AGE", "pg", None]
    assert long_ago[:3] == ["b", "AGE", "pg"]
    assert re.fullmatch(r"\d+y(\d+d)?", long_ago[3])


async def test_object_stores_are_shown_with_their_age_alone(server: Server) -> None:
    await _make(server, "objectstores", object_store())

    table = (await _table(server, "objectstores")).body

    assert _headers(table) == [("Name", "string"), ("Age", "date")]
    assert _rows(table, 2) == [["r2", "AGE"]]


async def test_a_table_of_nothing_still_has_its_columns(server: Server) -> None:
    table = (await _table(server, "backups")).body

    assert table["rows"] == []
    assert [name for name, _ in _headers(table)][:3] == ["Name", "Age", "Cluster"]


@pytest.mark.parametrize("include", ["Metadata", "Object", "None"])
async def test_a_row_carries_as_much_of_its_object_as_asked_for(
    server: Server, include: str
) -> None:
    await _make(server, "backups", backup("a"))
    whole = (await server.admin.get(path(server, "backups", "a"))).body

    one = await server.admin.get(path(server, "backups", "a"), TABLE, includeObject=include)

    (row,) = one.body["rows"]
    assert (
        row["object"]
        == {
            "Metadata": {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": whole["metadata"],
            },
            "Object": whole,
            "None": None,
        }[include]
    )


async def test_a_table_comes_in_pages_like_any_list(server: Server) -> None:
    for name in ("a", "b", "c"):
        await _make(server, "backups", backup(name))

    first = (await _table(server, "backups", limit=2)).body
    rest = (
        await _table(server, "backups", limit=2, **{"continue": first["metadata"]["continue"]})
    ).body

    assert [row["cells"][0] for row in first["rows"]] == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 1
    assert [row["cells"][0] for row in rest["rows"]] == ["c"]
    assert not rest["metadata"].get("continue")


async def test_a_refusal_is_a_status_though_a_table_was_asked_for(server: Server) -> None:
    answer = await server.admin.get(path(server, "backups", "absent"), TABLE)

    assert (answer.status, answer.body["kind"]) == (404, "Status")


async def test_a_watch_of_a_table_gives_a_row_an_event_and_the_columns_once(
    server: Server,
) -> None:
    await _make(server, "clusters", cluster())
    version = (await server.admin.get(path(server, "clusters"))).body["metadata"]["resourceVersion"]
    one = path(server, "clusters", "pg")

    async with server.admin.watch(
        path(server, "clusters"), TABLE, resourceVersion=version
    ) as watch:
        await server.admin.patch(f"{one}/status", {"status": {"phase": "Failing over"}})
        await server.admin.delete(one)
        modified, deleted = [await watch.next() for _ in range(2)]

    assert (modified["type"], deleted["type"]) == ("MODIFIED", "DELETED")
    assert [name for name, _ in _headers(modified["object"])] == [
        "Name",
        "Age",
        "Instances",
        "Ready",
        "Status",
        "Primary",
    ]
    assert deleted["object"]["columnDefinitions"] is None
    for event in (modified, deleted):
        assert event["object"]["kind"] == "Table"
        assert _rows(event["object"], 6) == [["pg", "AGE", None, None, "Failing over", None]]
        assert event["object"]["rows"][0]["object"]["metadata"]["name"] == "pg"


async def test_the_end_of_the_list_in_a_watch_of_a_table_is_a_row_without_a_name(
    server: Server,
) -> None:
    await _make(server, "backups", backup("a"))

    async with server.admin.watch(
        path(server, "backups"),
        TABLE,
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
    ) as watch:
        added, mark = await watch.until("BOOKMARK")

    assert _rows(added["object"], 4) == [["a", "AGE", "pg", "plugin"]]
    (row,) = mark["object"]["rows"]
    assert row["cells"] == ["", None, None, None, None, None]
    assert row["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_of_a_table_from_before_a_compaction_is_told_so_by_a_status(
    server: Server,
) -> None:
    version = (await _table(server, "backups")).body["metadata"]["resourceVersion"]
    await _make(server, "backups", backup("a"))
    await server.compact()

    async with server.admin.watch(path(server, "backups"), TABLE, resourceVersion=version) as watch:
        event = await watch.next()

    assert (event["type"], event["object"]["kind"]) == ("ERROR", "Status")
    assert event["object"]["code"] == 410


async def test_metadata_alone_can_be_asked_for(server: Server) -> None:
    await _make(server, "backups", backup("a"))

    answer = await server.admin.get(
        path(server, "backups"),
        "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    )

    assert answer.body["kind"] == "PartialObjectMetadataList"
    assert answer.names == ["a"]
    assert "spec" not in answer.body["items"][0]


async def test_an_answer_in_html_is_not_to_be_had(server: Server) -> None:
    answer = await server.admin.get(path(server, "backups"), "text/html")

    assert (answer.status, answer.body["reason"]) == (406, "NotAcceptable")
