"""The server can be made to fail as servers fail, and says truthfully what happened."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import io
import json
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.apiserver.client import CNPG, EndOfWatch
from tests.sandbox.serving import ADMIN, BACKUPS, DEADLINE, Served, backup, serving, until
from tui.sandbox.apiserver import ApiServer
from tui.sandbox.tls import self_made


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


async def test_after_compaction_every_version_seen_so_far_is_too_old(served: Served) -> None:
    version = (await served.client.get(BACKUPS)).body["metadata"]["resourceVersion"]
    served.server.compact()

    async with served.client.watch(BACKUPS, resourceVersion=version) as watch:
        event = await watch.next()

    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert event["object"]["message"].startswith(f"too old resource version: {version} (")


async def test_a_cut_ends_open_watches_without_a_word(served: Served) -> None:
    async with served.client.watch(BACKUPS) as watch:
        reading = asyncio.create_task(watch.next())
        await until(lambda: served.server.store.watched())
        served.server.cut()

        with pytest.raises((aiohttp.ClientError, ConnectionResetError)):
            await reading

    assert (await served.client.get(BACKUPS)).status == 200


async def test_a_cut_resets_the_connection(served: Served) -> None:
    port = int(served.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    token = ADMIN.token
    writer.write(
        f"GET {BACKUPS}?watch=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    served.server.cut()

    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionResetError):
        await writer.wait_closed()


async def test_a_frozen_server_takes_requests_and_answers_them_when_thawed(served: Served) -> None:
    served.server.freeze()
    asked = asyncio.create_task(served.client.get(BACKUPS))
    await until(lambda: ("GET", BACKUPS, "") in served.server.requests)
    still_waiting = not asked.done()
    served.server.thaw()

    assert still_waiting
    assert (await asked).status == 200


async def test_a_frozen_server_keeps_events_of_open_watches_to_itself(served: Served) -> None:
    async with served.client.watch(BACKUPS) as watch:
        await until(lambda: served.server.store.watched())
        served.server.freeze()
        served.server.store.seed(backup("late"))
        reading = asyncio.create_task(watch.next())
        for _ in range(10):
            await asyncio.sleep(0)
        silent = not reading.done()
        served.server.thaw()

        assert silent
        assert (await reading)["object"]["metadata"]["name"] == "late"


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable")],
)
async def test_the_next_requests_fail_and_then_no_more(
    served: Served, status: int, reason: str
) -> None:
    served.server.fail_next(2, status)

    answers = [await served.client.get(BACKUPS) for _ in range(3)]

    assert [answer.status for answer in answers] == [status, status, 200]
    assert answers[0].body["reason"] == reason


async def test_a_storm_tells_when_to_come_back(served: Served) -> None:
    served.server.fail_next(1, 429, retry_after=7)

    answer = await served.client.get(BACKUPS)

    assert answer.headers["Retry-After"] == "7"
    assert answer.body["details"]["retryAfterSeconds"] == 7


async def test_a_bad_gateway_speaks_html(served: Served) -> None:
    served.server.fail_next(1, 502)

    answer = await served.client.get(BACKUPS)

    assert (answer.status, answer.headers["Content-Type"]) == (502, "text/html")


async def test_a_trickling_watch_comes_byte_by_byte_and_whole(served: Served) -> None:
    served.server.trickle(2000)
    served.server.store.seed(backup("slow"))

    async with served.client.watch(BACKUPS) as watch:
        event = await watch.next()

    assert event["object"]["metadata"]["name"] == "slow"


async def test_a_revoked_token_is_not_let_in(served: Served) -> None:
    served.server.revoke(ADMIN.token)

    answer = await served.client.get(BACKUPS)

    assert (answer.status, answer.body["message"]) == (401, "Unauthorized")


async def test_a_removed_crd_takes_objects_watches_and_discovery_along(served: Served) -> None:
    served.server.store.seed(backup("lost"))
    async with served.client.watch(BACKUPS) as watch:
        await watch.next()
        served.server.remove_crd("postgresql.cnpg.io")
        deleted = await watch.next()
        with pytest.raises(EndOfWatch):
            await watch.next()
    groups = (await served.client.get("/apis")).body["groups"]

    assert deleted["type"] == "DELETED"
    assert (await served.client.get(BACKUPS)).text == "404 page not found\n"
    assert (await served.client.get(CNPG)).status == 404
    assert "postgresql.cnpg.io" not in {group["name"] for group in groups}


async def test_requests_are_remembered_with_path_and_query(served: Served) -> None:
    await served.client.get(BACKUPS, limit=1)

    assert served.server.requests[-1] == ("GET", BACKUPS, "limit=1")


async def test_a_stopped_server_starts_again_on_its_port_with_what_it_held(served: Served) -> None:
    served.server.store.seed(backup("kept"))
    port = int(served.url.rpartition(":")[2])
    await served.server.stop()

    with pytest.raises(aiohttp.ClientConnectorError):
        await served.client.get(BACKUPS)
    again = await served.server.start(port)

    assert again == served.url
    assert (await served.client.get(BACKUPS)).names == ["kept"]


async def test_without_users_every_caller_is_an_administrator() -> None:
    server = ApiServer()
    url = await server.start()
    try:
        async with aiohttp.ClientSession(url) as session, session.get(BACKUPS) as answer:
            assert answer.status == 200
    finally:
        await server.stop()


async def test_tls_is_vouched_for_by_the_authority_in_the_kubeconfig() -> None:
    async with serving(tls=self_made()) as served:
        assert (await served.client.get("/version")).body["minor"] == "36"
        cluster = served.server.kubeconfig(ADMIN)["clusters"][0]["cluster"]

    assert cluster["server"] == served.url
    assert cluster["certificate-authority-data"]


async def test_an_authority_of_somebody_else_is_not_trusted() -> None:
    async with serving(tls=self_made()) as served:
        stranger = ssl.create_default_context(cadata=self_made().ca.decode())
        connector = aiohttp.TCPConnector(ssl=stranger)
        async with aiohttp.ClientSession(served.url, connector=connector) as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get("/version")


async def test_an_expired_certificate_is_refused_as_such() -> None:
    tls = self_made(lasts=dt.timedelta(hours=-1))
    async with serving(tls=tls) as served:
        with pytest.raises(
            aiohttp.ClientConnectorCertificateError, match="certificate has expired"
        ):
            await served.client.get("/version")


async def test_a_long_answer_is_compressed_for_who_can_read_it(served: Served) -> None:
    for number in range(60):
        served.server.store.seed(backup(f"long-{number}", parameters={"x": "y" * 3000}))
    headers = {"Authorization": f"Bearer {ADMIN.token}"}
    sizes = {}
    for encoding in ("gzip", "identity"):
        async with (
            aiohttp.ClientSession(served.url, headers=headers, auto_decompress=False) as session,
            session.get(BACKUPS, headers={"Accept-Encoding": encoding}) as answer,
        ):
            sizes[encoding] = len(await answer.read())

    assert sizes["gzip"] * 10 < sizes["identity"]
    assert len((await served.client.get(BACKUPS)).body["items"]) == 60


async def test_a_body_that_breaks_off_makes_no_object(served: Served) -> None:
    port = int(served.url.rpartition(":")[2])
    whole = json.dumps(backup("half")).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST {BACKUPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(whole)}\r\n\r\n".encode()
        + whole[:20]
    )
    await writer.drain()
    await until(lambda: ("POST", BACKUPS, "") in served.server.requests)
    writer.close()
    async with asyncio.timeout(DEADLINE):
        await reader.read()

    assert (await served.client.get(BACKUPS)).names == []


@pytest.mark.parametrize(("size", "status"), [(2**21, 201), (2**22, 413)])
async def test_a_body_of_up_to_three_mebibytes_is_read(
    served: Served, size: int, status: int
) -> None:
    body = json.dumps(backup("big", parameters={"x": "y" * size})).encode()
    headers = {"Authorization": f"Bearer {ADMIN.token}", "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession(served.url, headers=headers) as session,
        session.post(BACKUPS, data=io.BytesIO(body)) as answer,
    ):
        told = await answer.json()

    assert answer.status == status
    if status != 201:
        assert told["message"] == "Request entity too large: limit is 3145728"


async def test_a_caller_that_leaves_a_watch_leaves_nothing_behind(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    async with served.client.watch(BACKUPS):
        await until(lambda: served.server.store.watched() == 1)
    served.server.store.seed(backup("unheard"))

    await until(lambda: served.server.store.watched() == 0)
    assert caplog.records == []


async def test_a_warning_stays_on_its_line_whatever_it_quotes(served: Served) -> None:
    answer = await served.client.create(BACKUPS, backup("odd", **{'a"\r\nSet-Cookie: b': 1}))

    assert answer.warnings == ['299 - "unknown field \\"spec.a\\"  Set-Cookie: b\\""']
    assert "Set-Cookie" not in answer.headers
