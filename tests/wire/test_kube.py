"""The gateway against servers that answer well, badly, slowly and not at all."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from tests.wire.authority import Authority
from tests.wire.conftest import config
from tests.wire.scripted import (
    Handler,
    Script,
    Then,
    added,
    answer,
    backup,
    bookmark,
    deleted,
    error,
    modified,
    slowly,
    status,
    stream,
)
from tui import __version__, faults
from tui.cnpg.manifest import BACKUPS, OBJECT_STORES, Key
from tui.wire.kube import PODS, Kube

KEY = Key("prod", "b1")


async def names(kube: Kube, namespace: str | None = "prod", **flags: Any) -> list[str]:
    pages = [page async for page in kube.list(BACKUPS, namespace, **flags)]
    return [item["metadata"]["name"] for page in pages for item in page.items]


async def heard(kube: Kube, *, silence: float = 5.0) -> list[tuple[str, str]]:
    """Everything a watch tells until the server ends it: type and resourceVersion."""
    found = []
    async with kube.watch(
        BACKUPS, "prod", resource_version="5", lasting=300, silence=silence
    ) as events:
        async for type_, manifest in events:
            found.append((type_, manifest["metadata"]["resourceVersion"]))
    return found


async def test_a_list_is_read_page_by_page_until_the_server_gives_no_token(
    script: Script, kube: Kube
) -> None:
    script.has(backup("a", 3))
    first = script.listed()
    first["metadata"] |= {"continue": "t=1&2", "remainingItemCount": 1}
    script.has(backup("b", 2))
    script.next("list", answer(200, first), answer(200, script.listed(3)))
    pages = [page async for page in kube.list(BACKUPS, "prod")]
    assert [page.remaining for page in pages] == [1, None]
    assert {page.resource_version for page in pages} == {"3"}
    assert [query.get("continue") for query in script.queries("list")] == [None, "t=1&2"]
    assert script.queries("list")[0]["limit"] == "500"


async def test_the_next_page_is_on_its_way_while_one_is_read(script: Script, kube: Kube) -> None:
    script.has(backup("a", 3))
    first = script.listed()
    first["metadata"]["continue"] = "more"
    script.next("list", answer(200, first), stream(Then.SILENCE))
    async with aclosing(kube.list(BACKUPS, "prod")) as pages:
        await anext(pages)
        await script.received(2)
    with pytest.raises(StopAsyncIteration):
        await anext(pages)


@pytest.mark.parametrize("second", [answer(500, ""), stream(b"{", Then.CUT)])
async def test_a_list_left_early_leaves_nothing_behind(
    script: Script, kube: Kube, second: Handler
) -> None:
    script.has(backup("a", 3))
    first = script.listed()
    first["metadata"]["continue"] = "more"
    script.next("list", answer(200, first), second)
    async with aclosing(kube.list(BACKUPS, "prod")) as pages:
        await anext(pages)
        await script.received(2)
    assert not [task for task in asyncio.all_tasks() if "_page" in repr(task)]


async def test_managed_fields_never_get_past_the_gateway(script: Script, kube: Kube) -> None:
    script.has(backup("a", 3))
    script.next("watch", stream(added("a", 3)))
    pages = [page async for page in kube.list(BACKUPS, "prod")]
    assert "managedFields" not in pages[0].items[0]["metadata"]
    async with kube.watch(BACKUPS, "prod", resource_version="1", lasting=1, silence=1) as events:
        assert ["managedFields" in manifest["metadata"] async for _, manifest in events] == [False]


@pytest.mark.parametrize(
    ("namespace", "path"),
    [
        (None, "/apis/postgresql.cnpg.io/v1/backups"),
        ("prod", "/apis/postgresql.cnpg.io/v1/namespaces/prod/backups"),
    ],
)
async def test_a_namespace_is_part_of_the_path(
    script: Script, kube: Kube, namespace: str | None, path: str
) -> None:
    await names(kube, namespace)
    assert script.requests[0].path == path


async def test_a_server_behind_a_path_prefix_is_reached(
    script: Script, opened: Callable[..., Awaitable[Kube]]
) -> None:
    await names(await opened(config(f"{script.url}/k8s/clusters/c-1/")))
    assert script.requests[0].path.startswith("/k8s/clusters/c-1/apis/postgresql.cnpg.io/v1/")


async def test_requests_say_who_we_are(script: Script, kube: Kube) -> None:
    await names(kube)
    headers = script.requests[0].headers
    assert headers["User-Agent"] == f"cnpg-tui/{__version__}"
    assert headers["Authorization"] == "Bearer t0ken"


async def test_a_watch_tells_events_in_order_however_they_are_cut_into_chunks(
    script: Script, kube: Kube
) -> None:
    lines = [added("a", 6), modified("a", 7, "completed"), bookmark(8), deleted("a", 9)]
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    pieces = [text[at : at + 97] for at in range(0, len(text), 97)]
    script.next("watch", stream(*[part for piece in pieces for part in (piece, 0.001)]))
    assert await heard(kube) == [
        ("ADDED", "6"),
        ("MODIFIED", "7"),
        ("BOOKMARK", "8"),
        ("DELETED", "9"),
    ]
    query = script.queries("watch")[0]
    assert query["resourceVersion"] == "5"
    assert query["allowWatchBookmarks"] == "true"
    assert query["timeoutSeconds"] == "300"


async def test_an_event_of_three_megabytes_is_one_event(script: Script, kube: Kube) -> None:
    large = modified("a", 6)
    large["object"]["status"]["error"] = "x" * 3_000_000
    script.next("watch", stream(large, added("b", 7)))
    assert await heard(kube) == [("MODIFIED", "6"), ("ADDED", "7")]


@pytest.mark.parametrize(
    ("line", "family", "words"),
    [
        (error(410, "Expired", "too old"), faults.Expired, "no longer keeps"),
        (error(500, "InternalError", "compacted"), faults.ServerError, "compacted"),
        ({"type": "ERROR", "object": {}}, faults.ServerError, "500"),
        (b"{not json}\n", faults.BadAnswer, "no event"),
        (b'["ADDED"]\n', faults.BadAnswer, "no event"),
        (b'{"type":"ADDED","object":null}\n', faults.BadAnswer, "no object"),
        (b"<html>login</html>\n", faults.BadAnswer, "no event"),
    ],
)
async def test_a_watch_that_goes_wrong_ends_in_a_fault(
    script: Script, kube: Kube, line: Any, family: type[faults.Fault], words: str
) -> None:
    script.next("watch", stream(added("a", 6), line))
    with pytest.raises(family, match=words):
        await heard(kube)


@pytest.mark.parametrize("end", [(b'{"type":"ADD', Then.CUT), (Then.CUT,), (b'{"type":"ADD',)])
async def test_a_watch_that_is_cut_is_not_an_end(
    script: Script, kube: Kube, end: tuple[Any, ...]
) -> None:
    script.next("watch", stream(added("a", 6), *end))
    with pytest.raises(faults.Unreachable, match="was cut"):
        await heard(kube)


async def test_a_half_open_watch_is_noticed_by_its_silence(script: Script, kube: Kube) -> None:
    script.next("watch", stream(added("a", 6), Then.SILENCE))
    with pytest.raises(faults.Unreachable, match="fell silent"):
        await heard(kube, silence=0.2)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's timers from /proc")
async def test_the_kernel_is_asked_whether_the_other_end_of_a_watch_is_still_there(
    script: Script, kube: Kube
) -> None:
    async with kube.watch(BACKUPS, "prod", resource_version="5", lasting=300, silence=300):
        there = f":{int(script.url.rsplit(':', 1)[1]):04X}"
        timers = [line.split()[5] for line in _connections() if line.split()[2].endswith(there)]
    kinds_and_ticks = [timer.split(":") for timer in timers]
    waits = [int(ticks, 16) / 100 for kind, ticks in kinds_and_ticks if kind == "02"]
    assert waits, "no keepalive timer runs"
    assert max(waits) <= 30


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's connections from /proc")
async def test_a_watch_that_was_left_keeps_no_connection_until_the_server_agrees(
    opened: Callable[..., Awaitable[Kube]],
) -> None:
    script, authority = Script(), Authority()
    await script.start(authority.server())
    trusted = base64.b64encode(authority.ca.encode()).decode()
    kube = await opened(config(script.url, **{"certificate-authority-data": trusted}))
    async with kube.watch(BACKUPS, "prod", resource_version="5", lasting=300, silence=300):
        assert _established(script.url) == 1
    await kube.close()
    # The server lives in this loop: it has had no turn to say goodbye.
    assert _established(script.url) == 0
    await script.stop()


def _established(url: str) -> int:
    """How many connections to the server are open on our side."""
    there = f":{int(url.rsplit(':', 1)[1]):04X}"
    found = [line.split() for line in _connections()]
    return sum(other.endswith(there) and state == "01" for _, _, other, state, *_ in found)


def _connections() -> list[str]:
    return Path("/proc/net/tcp").read_text().splitlines()[1:]


async def test_a_watch_can_be_cancelled_at_any_moment(script: Script, kube: Kube) -> None:
    async def follow() -> None:
        await heard(kube)

    for attempt in range(1, 6):
        task = asyncio.create_task(follow())
        await script.received(attempt)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        assert done
        assert task.cancelled()


async def test_a_slow_body_is_waited_for(script: Script, kube: Kube) -> None:
    script.has(backup("a", 3), backup("b", 4))
    script.next("list", slowly(script.listed(), pieces=10, pause=0.05))
    assert await names(kube, silence=0.4) == ["a", "b"]


async def test_a_body_that_stops_is_given_up(script: Script, kube: Kube) -> None:
    script.next("list", stream(b'{"kind":"BackupList","items":[', Then.SILENCE))
    with pytest.raises(faults.Unreachable, match="fell silent"):
        await names(kube, silence=0.2)


RBAC = 'backups.postgresql.cnpg.io is forbidden: User "eve" cannot list resource "backups"'


@pytest.mark.parametrize(
    ("reply", "family", "sentence"),
    [
        (
            answer(403, status(403, "Forbidden", RBAC)),
            faults.Forbidden,
            f"forbidden. Ask for list on backups.postgresql.cnpg.io (the server says: {RBAC})",
        ),
        (
            answer(401, status(401, "Unauthorized", "Unauthorized")),
            faults.Unauthorized,
            "the server does not accept these credentials. Sign in again",
        ),
        (
            answer(404, "404 page not found\n", content_type="text/plain"),
            faults.NotFound,
            "the CRD backups.postgresql.cnpg.io is not installed: is CloudNativePG on this cluster?",
        ),
        (
            answer(404, "<html>nginx</html>", content_type="text/html"),
            faults.BadAnswer,
            "a web page answered 404, not a Kubernetes API. Is the server of this context right?",
        ),
        (
            answer(410, status(410, "Expired", "The provided continue parameter is too old")),
            faults.Expired,
            "the server no longer keeps changes that old; list again",
        ),
        (
            answer(502, "<html>Bad Gateway</html>", content_type="text/html"),
            faults.ServerError,
            "the server answered 502 Bad Gateway",
        ),
        (
            answer(500, status(500, "InternalError", "etcd \x1b[31mleader\x1b[0m lost")),
            faults.ServerError,
            "the server answered 500 Internal Server Error (the server says: etcd leader lost)",
        ),
        (
            answer(418, "short and stout", content_type="text/plain"),
            faults.Refused,
            "the server answered 418 I'm a Teapot (the server says: short and stout)",
        ),
        (
            answer(200, "<html>Sign in</html>", content_type="text/html"),
            faults.BadAnswer,
            "the answer is not JSON. Is the server of this context right?",
        ),
        (
            answer(200, '{"kind":"BackupList","items":[{"me'),
            faults.BadAnswer,
            "the answer is not JSON. Is the server of this context right?",
        ),
        (
            answer(200, "[]"),
            faults.BadAnswer,
            "the answer is not an object",
        ),
        (
            answer(200, {"items": {}}),
            faults.BadAnswer,
            "the answer is not a list",
        ),
    ],
)
async def test_what_is_no_list_becomes_one_sentence(
    script: Script, kube: Kube, reply: Handler, family: type[faults.Fault], sentence: str
) -> None:
    script.next("list", reply)
    with pytest.raises(family) as caught:
        await names(kube)
    assert type(caught.value) is family
    assert str(caught.value) == f"cannot list backups in prod: {sentence}"


async def test_a_missing_plugin_is_named(script: Script, kube: Kube) -> None:
    script.next("list", answer(404, "404 page not found\n", content_type="text/plain"))
    with pytest.raises(faults.NotFound, match="is the Barman Cloud plugin on this cluster"):
        [page async for page in kube.list(OBJECT_STORES, None)]


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"Retry-After": "7"}, {}, 7.0),
        ({}, {"retryAfterSeconds": 3}, 3.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}, None),
        ({"Retry-After": "-1"}, {}, None),
        ({"Retry-After": "nan"}, {}, None),
        ({}, {}, None),
    ],
)
async def test_the_server_names_the_wait(
    script: Script,
    kube: Kube,
    headers: dict[str, str],
    details: dict[str, Any],
    seconds: float | None,
) -> None:
    body = status(429, "TooManyRequests", "slow down", **details)
    script.next("list", answer(429, body, headers=headers))
    with pytest.raises(faults.TooMany) as caught:
        await names(kube)
    assert caught.value.retry_after == seconds


async def test_a_null_list_is_empty(script: Script, kube: Kube) -> None:
    script.next("list", answer(200, {"metadata": {"resourceVersion": "3"}, "items": None}))
    assert await names(kube) == []


async def test_a_write_brings_back_the_object_and_the_warnings(script: Script, kube: Kube) -> None:
    reply = answer(
        201,
        backup("b1", 9),
        headers={"Warning": r'299 - "in-tree \"barman\" is deprecated", 299 - "and\\so on"'},
    )
    script.next("POST", reply)
    made = await kube.create(BACKUPS, "prod", backup("b1", 9), dry_run=True)
    assert made.manifest["metadata"]["resourceVersion"] == "9"
    assert made.warnings == ('in-tree "barman" is deprecated', r"and\so on")
    request = script.requests[0]
    assert request.query["dryRun"] == "All"
    assert request.query["fieldManager"] == "cnpg-tui"
    assert json.loads(script.bodies[0])["metadata"]["name"] == "b1"


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("merge", "application/merge-patch+json"),
        ("json", "application/json-patch+json"),
        ("apply", "application/apply-patch+yaml"),
    ],
)
async def test_a_patch_says_which_kind_it_is(
    script: Script, kube: Kube, kind: Any, content_type: str
) -> None:
    body: Any = [{"op": "test", "path": "/spec", "value": 1}] if kind == "json" else {"spec": {}}
    script.next("PATCH", answer(200, backup("b1", 9)))
    await kube.patch(BACKUPS, KEY, body, patch_type=kind)
    assert script.requests[0].headers["Content-Type"] == content_type
    assert json.loads(script.bodies[0]) == body
    assert "dryRun" not in script.requests[0].query


async def test_a_delete_names_the_object_that_was_seen(script: Script, kube: Kube) -> None:
    script.next("DELETE", answer(200, backup("b1", 9)))
    await kube.delete(BACKUPS, KEY, uid="u", resource_version="8", dry_run=True)
    options = json.loads(script.bodies[0])
    assert options["preconditions"] == {"uid": "u", "resourceVersion": "8"}
    assert options["dryRun"] == ["All"]


@pytest.mark.parametrize(
    ("reply", "family", "words"),
    [
        (status(409, "AlreadyExists", "exists"), faults.AlreadyExists, "one of that name already"),
        (status(409, "Conflict", "modified"), faults.Conflict, "changed by somebody else"),
        (
            status(422, "Invalid", "spec.method: Unsupported value"),
            faults.Invalid,
            "cannot create Backup b1 in prod: spec.method: Unsupported value",
        ),
        (
            status(403, "Forbidden", "webhook denied"),
            faults.Forbidden,
            "Ask for create on backups.postgresql.cnpg.io .*webhook denied",
        ),
    ],
)
async def test_a_refused_write_says_why(
    script: Script, kube: Kube, reply: dict[str, Any], family: type[faults.Fault], words: str
) -> None:
    script.next("POST", answer(reply["code"], reply))
    with pytest.raises(family, match=words):
        await kube.create(BACKUPS, "prod", backup("b1", 9))


async def test_a_lost_answer_to_a_write_is_not_a_refusal(script: Script, kube: Kube) -> None:
    script.next("POST", stream(b'{"kind":', Then.CUT))
    with pytest.raises(faults.Unreachable):
        await kube.create(BACKUPS, "prod", backup("b1", 9))
    assert len(script.requests) == 1


async def test_pods_are_asked_through_the_server(script: Script, kube: Kube) -> None:
    log = "one\n\x1b[31mtwo\n"
    script.next("list", answer(200, b"{}"), answer(200, log, content_type="text/plain"))
    assert await kube.pod_proxy("prod", "pg-1", 8000, "/pg/status") == b"{}"
    assert await kube.pod_log("prod", "pg-1", "plugin-barman-cloud", tail_lines=50) == "one\ntwo\n"
    proxied, logged = script.requests
    assert proxied.path == "/api/v1/namespaces/prod/pods/https:pg-1:8000/proxy/pg/status"
    assert logged.path == "/api/v1/namespaces/prod/pods/pg-1/log"
    assert dict(logged.query) == {"container": "plugin-barman-cloud", "tailLines": "50"}


async def test_a_forbidden_log_names_the_subresource(script: Script, kube: Kube) -> None:
    script.next("list", answer(403, status(403, "Forbidden")))
    with pytest.raises(faults.Forbidden) as caught:
        await kube.pod_log("prod", "pg-1", "postgres", tail_lines=1)
    assert str(caught.value) == (
        "cannot get log of Pod pg-1 in prod: forbidden. Ask for get on pods/log"
    )


@pytest.mark.parametrize("allowed", [True, False])
async def test_rights_are_asked_for(script: Script, kube: Kube, allowed: bool) -> None:
    script.next("POST", answer(201, {"status": {"allowed": allowed}}))
    assert await kube.may("create", BACKUPS, "prod") is allowed
    asked = json.loads(script.bodies[0])["spec"]["resourceAttributes"]
    assert asked["group"] == "postgresql.cnpg.io"
    assert (asked["verb"], asked["resource"], asked["namespace"]) == ("create", "backups", "prod")


async def test_a_missing_namespace_is_said(script: Script, kube: Kube) -> None:
    script.next("list", answer(404, status(404, "NotFound", 'namespaces "prod" not found')))
    with pytest.raises(faults.NotFound, match="namespace prod does not exist in context demo"):
        await kube.look_for_namespace()


async def test_who_may_not_look_at_namespaces_is_not_bothered(script: Script, kube: Kube) -> None:
    script.next("list", answer(403, status(403, "Forbidden")))
    await kube.look_for_namespace()


async def test_a_redirect_does_not_carry_the_token_elsewhere(script: Script, kube: Kube) -> None:
    other = Script()
    await other.start()
    away = {"Location": other.url.replace("127.0.0.1", "localhost") + "/login"}
    script.next("list", answer(302, "", headers=away))
    await names(kube)
    assert "Authorization" not in other.requests[0].headers
    await other.stop()


async def test_no_secret_is_in_a_repr_or_a_fault(
    script: Script, opened: Callable[..., Awaitable[Kube]]
) -> None:
    user = {"token": "s3cret", "username": "u", "password": "s3cret"}
    kube = await opened(config(script.url, user=user))
    script.next("list", answer(401, status(401, "Unauthorized")))
    with pytest.raises(faults.Unauthorized) as caught:
        await names(kube)
    shown = f"{kube!r} {vars(kube)!r} {caught.value!r} {caught.value.__cause__!r}"
    assert "s3cret" not in shown


async def test_after_closing_nothing_is_sent(script: Script, kube: Kube) -> None:
    await names(kube)
    await kube.close()
    with pytest.raises(faults.Unreachable, match="closed"):
        await kube.get(PODS, KEY)
    assert len(script.requests) == 1
