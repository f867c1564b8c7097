"""Lists, pages and selectors, asked of both servers."""

from __future__ import annotations

import pytest

from tests.apiserver.client import CNPG
from tests.apiserver.manifests import backup
from tests.apiserver.servers import Server, path

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. "
    "You can start a new list without the continue parameter, or use the continue token in this "
    "response to retrieve the remainder of the results. Continuing with the provided token "
    "results in an inconsistent list - objects that were created, modified, or deleted between "
    "the time the first chunk was returned and now may show up in the list."
)


async def _make_backups(server: Server, *names: str) -> None:
    for number, name in enumerate(names):
        labels = {"cnpg.io/cluster": "odd" if number % 2 else "even", "n": str(number)}
        answer = await server.admin.create(path(server, "backups"), backup(name, labels=labels))
        assert answer.status == 201


async def test_an_empty_list_says_what_it_is_a_list_of(server: Server) -> None:
    answer = await server.admin.get(path(server, "backups"))

    assert answer.status == 200
    assert answer.body["kind"] == "BackupList"
    assert answer.body["apiVersion"] == "postgresql.cnpg.io/v1"
    assert answer.body["items"] == []
    assert answer.body["metadata"]["continue"] == ""
    assert int(answer.body["metadata"]["resourceVersion"]) > 0


async def test_a_namespace_that_does_not_exist_holds_nothing(server: Server) -> None:
    answer = await server.admin.get(f"{CNPG}/namespaces/nowhere/backups")

    assert (answer.status, answer.body["items"]) == (200, [])


async def test_items_come_in_the_order_of_their_names_and_with_their_kind(server: Server) -> None:
    await _make_backups(server, "b", "c", "a", "a-1")

    answer = await server.admin.get(path(server, "backups"))

    assert answer.names == ["a", "a-1", "b", "c"]
    assert {(item["apiVersion"], item["kind"]) for item in answer.body["items"]} == {
        ("postgresql.cnpg.io/v1", "Backup")
    }


async def test_a_list_over_all_namespaces_holds_this_one(server: Server) -> None:
    await _make_backups(server, "a")

    answer = await server.admin.get(f"{CNPG}/backups")

    assert (server.namespace, "a") in {
        (item["metadata"]["namespace"], item["metadata"]["name"]) for item in answer.body["items"]
    }


async def test_pages_show_the_list_as_it_was_at_the_first_page(server: Server) -> None:
    await _make_backups(server, "a", "c", "e")
    backups = path(server, "backups")

    first = await server.admin.get(backups, limit=2)
    await server.admin.delete(path(server, "backups", "e"))
    await server.admin.create(backups, backup("d"))
    rest = await server.admin.get(
        backups, limit=2, **{"continue": first.body["metadata"]["continue"]}
    )

    assert first.names == ["a", "c"]
    assert first.body["metadata"]["remainingItemCount"] == 1
    assert rest.names == ["e"]
    assert rest.body["metadata"]["continue"] == ""
    assert "remainingItemCount" not in rest.body["metadata"]
    versions = {page.body["metadata"]["resourceVersion"] for page in (first, rest)}
    assert len(versions) == 1


async def test_a_page_under_a_selector_does_not_count_what_remains(server: Server) -> None:
    await _make_backups(server, "a", "b", "c")

    page = await server.admin.get(
        path(server, "backups"), limit=1, labelSelector="cnpg.io/cluster=even"
    )

    assert page.names == ["a"]
    assert page.body["metadata"]["continue"]
    assert "remainingItemCount" not in page.body["metadata"]


async def test_a_page_after_compaction_is_gone_and_names_a_way_to_go_on(server: Server) -> None:
    await _make_backups(server, "a", "b", "c")
    backups = path(server, "backups")
    first = await server.admin.get(backups, limit=1)
    await server.admin.delete(path(server, "backups", "b"))

    await server.compact()
    gone = await server.admin.get(
        backups, limit=1, **{"continue": first.body["metadata"]["continue"]}
    )
    rest = await server.admin.get(backups, **{"continue": gone.body["metadata"]["continue"]})

    assert (gone.status, gone.body["reason"]) == (410, "Expired")
    assert gone.message == _TOO_OLD
    assert rest.names == ["c"]


async def test_a_list_as_of_a_compacted_version_is_gone(server: Server) -> None:
    await _make_backups(server, "a")
    backups = path(server, "backups")
    version = (await server.admin.get(backups)).body["metadata"]["resourceVersion"]
    await _make_backups(server, "b")

    then = await server.admin.get(backups, resourceVersion=version, resourceVersionMatch="Exact")
    await server.compact()
    gone = await server.admin.get(backups, resourceVersion=version, resourceVersionMatch="Exact")

    assert then.names == ["a"]
    assert (gone.status, gone.body["reason"]) == (410, "Expired")
    assert gone.message == "The resourceVersion for the provided list is too old."


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("cnpg.io/cluster=odd", ["b"]),
        ("cnpg.io/cluster==odd", ["b"]),
        ("cnpg.io/cluster!=odd", ["a", "c", "unlabelled"]),
        ("cnpg.io/cluster", ["a", "b", "c"]),
        ("!cnpg.io/cluster", ["unlabelled"]),
        ("n in (0,1)", ["a", "b"]),
        ("n notin (0,1)", ["c", "unlabelled"]),
        ("n>1", ["c"]),
        ("n<1", ["a"]),
        ("n=2,cnpg.io/cluster=even", ["c"]),
        ("n=9", []),
    ],
)
async def test_labels_select(server: Server, selector: str, names: list[str]) -> None:
    await _make_backups(server, "a", "b", "c")
    await server.admin.create(path(server, "backups"), backup("unlabelled"))

    answer = await server.admin.get(path(server, "backups"), labelSelector=selector)

    assert answer.names == names


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("metadata.name=b", ["b"]),
        ("metadata.name!=b", ["a", "c"]),
        ("metadata.name=a,metadata.name=b", []),
        ("metadata.namespace=nowhere", []),
    ],
)
async def test_names_and_namespaces_select(server: Server, selector: str, names: list[str]) -> None:
    await _make_backups(server, "a", "b", "c")

    answer = await server.admin.get(path(server, "backups"), fieldSelector=selector)

    assert answer.names == names


async def test_no_other_field_of_a_backup_selects(server: Server) -> None:
    answer = await server.admin.get(path(server, "backups"), fieldSelector="status.phase=failed")

    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert answer.message == "field label not supported: status.phase"


async def test_events_are_selected_by_what_they_are_about(server: Server) -> None:
    about = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Backup", "name": "b", "uid": "u-1"}
    for name, reason in (("e1", "Started"), ("e2", "Failed")):
        answer = await server.admin.create(
            path(server, "events"),
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name},
                "involvedObject": about | {"namespace": server.namespace},
                "reason": reason,
                "message": "said the operator",
                "type": "Normal",
            },
        )
        assert answer.status == 201

    async def names(selector: str) -> list[str]:
        return (await server.admin.get(path(server, "events"), fieldSelector=selector)).names

    assert await names("involvedObject.kind=Backup,involvedObject.name=b") == ["e1", "e2"]
    assert await names("involvedObject.uid=u-1,reason=Failed") == ["e2"]
    assert await names("involvedObject.name=other") == []


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        (
            {"resourceVersion": "abc"},
            400,
            (
                'invalid resource version: resourceVersion: Invalid value: "abc": '
                'strconv.ParseUint: parsing "abc": invalid syntax'
            ),
        ),
        ({"limit": "x"}, 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        (
            {"resourceVersionMatch": "Exact"},
            422,
            (
                'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
                "resourceVersionMatch is forbidden unless resourceVersion is provided"
            ),
        ),
        (
            {"resourceVersion": "0", "resourceVersionMatch": "Exact"},
            422,
            (
                'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
                'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            ),
        ),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(
    server: Server, query: dict[str, str], status: int, message: str
) -> None:
    answer = await server.admin.get(path(server, "backups"), **query)

    assert (answer.status, answer.message) == (status, message)


async def test_a_page_must_not_name_a_version_too(server: Server) -> None:
    await _make_backups(server, "a", "b")
    first = await server.admin.get(path(server, "backups"), limit=1)

    answer = await server.admin.get(
        path(server, "backups"),
        resourceVersion="1",
        **{"continue": first.body["metadata"]["continue"]},
    )

    assert answer.status == 400
    assert answer.message == "specifying resource version is not allowed when using continue"


async def test_any_version_will_do_where_the_client_says_so(server: Server) -> None:
    await _make_backups(server, "a")
    version = (await server.admin.get(path(server, "backups"))).body["metadata"]["resourceVersion"]

    for query in (
        {"resourceVersion": "0"},
        {"resourceVersion": version},
        {"resourceVersion": version, "resourceVersionMatch": "NotOlderThan"},
    ):
        assert (await server.admin.get(path(server, "backups"), **query)).names == ["a"]


async def test_a_version_that_has_not_happened_yet_is_waited_for_then_refused(
    server: Server,
) -> None:
    await _make_backups(server, "a")

    answer = await server.admin.get(path(server, "backups", "a"), resourceVersion="99999999")

    assert (answer.status, answer.body["reason"]) == (504, "Timeout")
    assert answer.message.startswith("Timeout: Too large resource version: 99999999, current: ")
    assert answer.body["details"]["retryAfterSeconds"] == 1
    assert answer.headers["Retry-After"] == "1"


async def test_one_object_is_read_by_its_name(server: Server) -> None:
    await _make_backups(server, "a")

    there = await server.admin.get(path(server, "backups", "a"))
    absent = await server.admin.get(path(server, "backups", "b"))

    assert there.body["metadata"]["name"] == "a"
    assert (absent.status, absent.body["reason"]) == (404, "NotFound")
    assert absent.message == 'backups.postgresql.cnpg.io "b" not found'
    assert absent.body["details"] == {
        "name": "b",
        "group": "postgresql.cnpg.io",
        "kind": "backups",
    }


@pytest.mark.parametrize(
    "where", [f"{CNPG}/namespaces/default/nopes", "/apis/nope.example/v1/nopes"]
)
async def test_a_kind_nobody_serves_is_not_found_in_plain_text(server: Server, where: str) -> None:
    """What a client meets where the CRDs are not installed."""
    answer = await server.admin.get(where)

    assert (answer.status, answer.text) == (404, "404 page not found\n")
    assert answer.headers["Content-Type"].startswith("text/plain")


async def test_a_core_kind_nobody_serves_is_not_found_with_a_status(server: Server) -> None:
    answer = await server.admin.get("/api/v1/nopes")

    assert (answer.status, answer.body["reason"]) == (404, "NotFound")
    assert answer.message == "the server could not find the requested resource"
