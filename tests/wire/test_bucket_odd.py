"""The oddities of stores, proxies and networks: each is a fault in words, none an empty bucket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import pytest_asyncio

from tests.wire import stores
from tests.wire.stores import CLOSE, SILENCE, Say, Script
from tui import faults
from tui.cnpg.location import Place
from tui.wire import bucket as gateway
from tui.wire.bucket import Bucket, Keys

pytestmark = pytest.mark.asyncio(loop_scope="module")
"""One loop, server and client for all: making a client takes longer than most of these tests."""

KEYS = Keys("secret r2-creds", "AKIDVALUE", "SECRETVALUE")

ONE = (
    b"<Contents><Key>pg/wals/00000002.history</Key><LastModified>2026-11-22T14:22:27.000Z"
    b"</LastModified><ETag>&quot;abc&quot;</ETag><Size>41</Size></Contents>"
)


def page(inside: bytes, truncated: bytes = b"false", count: int = 1) -> bytes:
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>backups</Name>'
        b"<IsTruncated>%s</IsTruncated><KeyCount>%d</KeyCount>%s</ListBucketResult>"
        % (truncated, count, inside)
    )


def error(code: str, status: str, more: str = "", *headers: str) -> Say:
    body = f"<Error><Code>{code}</Code><Message>Some words.</Message>{more}</Error>"
    return Say(body.encode(), status, headers=headers)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def said_to() -> AsyncIterator[tuple[Script, Bucket]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway, "SILENCE", 0.5)
        async with Script(stores.always(Say(page(ONE)))) as server:
            opened = await Bucket.open(Place(server.url, "backups", "pg"), KEYS)
            yield server, opened
            await opened.close()


@pytest.fixture
def script(said_to: tuple[Script, Bucket]) -> Script:
    said_to[0].answer = stores.always(Say(page(ONE)))
    return said_to[0]


@pytest.fixture
def bucket(said_to: tuple[Script, Bucket]) -> Bucket:
    return said_to[1]


HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>no</body></html>"


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden"])
async def test_every_answer_tells_how_far_the_stores_clock_is_ahead(
    script: Script, bucket: Bucket, status: str
) -> None:
    later = datetime.now(UTC) + timedelta(minutes=20)
    script.answer = stores.always(
        Say(page(ONE), status, headers=(f"Date: {format_datetime(later, usegmt=True)}",))
    )
    with suppress(faults.Fault):
        await bucket.list("pg/")
    assert bucket.skew is not None
    assert abs(bucket.skew - timedelta(minutes=20)) < timedelta(minutes=1)
    script.answer = stores.always(Say(page(ONE), headers=("Date: half past nine",)))
    before = bucket.skew
    await bucket.list("pg/")
    assert bucket.skew == before


@pytest.mark.parametrize(
    ("said", "family", "words"),
    [
        (Say(b""), faults.BadAnswer, "the answer is empty, which S3 never says"),
        (Say(page(ONE)[:-30]), faults.BadAnswer, "breaks off or contradicts itself"),
        (Say(page(ONE)[:-60], length=5000), faults.BadAnswer, "breaks off or contradicts"),
        (Say(page(ONE, count=7)), faults.BadAnswer, "breaks off or contradicts itself"),
        (Say(page(ONE, truncated=b"true")), faults.BadAnswer, "breaks off or contradicts"),
        (Say(page(ONE).replace(b"<KeyCount>1</KeyCount>", b"")), faults.BadAnswer, "contradicts"),
        (Say(HTML, content_type="text/html"), faults.BadAnswer, "web page titled 'Sign in'"),
        (Say(b'{"kind": "Status"}'), faults.BadAnswer, "JSON came"),
        (Say(b"hello"), faults.BadAnswer, "something else than S3's answer"),
        (Say(b"<Error><Code>InternalError</Code></Error>"), faults.ServerError, "InternalError"),
        (Say(HTML, "404 Not Found"), faults.NotFound, "nothing there speaks S3"),
        (Say(HTML, "502 Bad Gateway"), faults.ServerError, "the store failed"),
        (Say(b"plain text", "400 Bad Request"), faults.Invalid, "try https://"),
        (error("SlowDown", "503 Slow Down"), faults.TooMany, "slow down"),
        (Say(b"", "429 Too Many Requests"), faults.TooMany, "slow down"),
        (error("InternalError", "500 Oops"), faults.ServerError, "InternalError: Some words"),
        (
            error("AccessDenied", "403 Forbidden"),
            faults.Forbidden,
            "s3:ListBucket.*secret r2|r2-creds",
        ),
        (error("Unauthorized", "401 Unauthorized"), faults.Unauthorized, "does not know this"),
        (error("ExpiredToken", "400 Bad Request"), faults.Unauthorized, "token has expired"),
        (
            error("RequestTimeTooSkewed", "403 Forbidden"),
            faults.Unauthorized,
            "clock is more than 15",
        ),
        (error("NotImplemented", "501 Not Implemented"), faults.Invalid, "does not implement it"),
        (error("NoSuchBucket", "404 Not Found"), faults.NotFound, "no bucket backups"),
        (
            error(
                "AuthorizationHeaderMalformed", "400 Bad Request", "<Region>eu-central-1</Region>"
            ),
            faults.Invalid,
            "expects eu-central-1",
        ),
        (CLOSE, faults.Unreachable, "closed the connection without an answer"),
        (SILENCE, faults.Unreachable, "does not answer in time"),
    ],
)
async def test_an_odd_answer_is_a_fault_in_words(
    script: Script, bucket: Bucket, said: Say, family: type[faults.Fault], words: str
) -> None:
    script.answer = stores.always(said)
    with pytest.raises(family, match=words) as told:
        await bucket.list("pg/")
    assert str(told.value).startswith("cannot list s3://backups/pg/ at http://127.0.0.1:")
    assert "VALUE" not in str(told.value)


async def test_the_wait_a_store_asks_for_is_kept(script: Script, bucket: Bucket) -> None:
    script.answer = stores.always(error("SlowDown", "503 Slow Down", "", "Retry-After: 7"))
    with pytest.raises(faults.TooMany) as told:
        await bucket.list("pg/")
    assert told.value.retry_after == 7


async def test_a_redirect_without_end_is_told(script: Script, bucket: Bucket) -> None:
    script.answer = stores.always(
        error(
            "PermanentRedirect",
            "301 Moved Permanently",
            "<Endpoint>elsewhere.example</Endpoint>",
            "x-amz-bucket-region: eu-west-1",
        )
    )
    with pytest.raises(faults.Fault, match=r"redirects without end|wrong region"):
        await bucket.list("pg/")


async def test_a_head_that_is_refused_says_what_it_may_be(script: Script, bucket: Bucket) -> None:
    script.answer = stores.always(Say(b"", "403 Forbidden"))
    with pytest.raises(faults.Forbidden, match=r"wrong keys, or s3:GetObject"):
        await bucket.head("pg/x")


async def test_a_body_cut_half_way_is_no_content(script: Script, bucket: Bucket) -> None:
    script.answer = stores.always(Say(b"status=DONE", length=5000))
    with pytest.raises(faults.Unreachable, match="broke off half way"):
        await bucket.get("pg/base/x/backup.info", at_most=10_000)


async def test_a_refused_port_and_an_unknown_host_are_told_apart() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        for url, words in (
            (f"http://127.0.0.1:{port}", "refuses connections"),
            ("http://no-such-host.invalid:9000", "host name no-such-host.invalid is not known"),
            (f"https://127.0.0.1:{port}", "refuses connections"),
        ):
            opened = await Bucket.open(Place(url, "backups", ""), KEYS)
            with pytest.raises(faults.Unreachable, match=words):
                await opened.list("pg/")
            await opened.close()


async def test_tls_spoken_to_a_plain_port_is_told(script: Script) -> None:
    url = script.url.replace("http:", "https:")
    opened = await Bucket.open(Place(url, "backups", ""), KEYS)
    with pytest.raises(
        faults.Unreachable, match=r"does not speak TLS|TLS failed|without an answer"
    ):
        await opened.list("pg/")
    await opened.close()


@pytest.mark.parametrize("url", ["127.0.0.1:8333", "http://bad host:1"])
async def test_an_endpoint_that_is_none_is_told_before_anything_is_sent(url: str) -> None:
    with pytest.raises(faults.Misconfigured, match="is no URL of a store"):
        await Bucket.open(Place(url, "backups", ""), KEYS)


async def test_a_ca_that_is_none_is_told(script: Script) -> None:
    url = script.url.replace("http:", "https:")
    opened = await Bucket.open(Place(url, "backups", ""), KEYS, ca="no certificate")
    with pytest.raises(faults.Unreachable, match="CA given in endpointCA"):
        await opened.list("pg/")
    await opened.close()


@pytest.mark.parametrize(
    "inside",
    [
        ONE.replace(b"<Key>", b"<Key><!-- comment -->"),
        ONE.replace(b"pg/wals/00000002.history", b"<![CDATA[pg/wals/00000002.history]]>"),
        ONE.replace(b"<Size>41</Size>", b"<Size> 41 </Size>").replace(b" 41 ", b"41"),
        ONE.replace(b"<Contents>", b"<Contents><Owner><ID>x</ID></Owner>"),
        ONE.replace(b"pg/wals/00000002.history", b"pg/wals/0000000&#50;&#x2e;history"),
    ],
)
async def test_unusual_but_lawful_pages_are_read(
    script: Script, bucket: Bucket, inside: bytes
) -> None:
    script.answer = stores.always(Say(page(inside)))
    answer = await bucket.list("pg/")
    ((key, size, modified, etag),) = answer.objects
    assert (key, size, etag) == ("pg/wals/00000002.history", 41, "abc")
    assert modified.isoformat() == "2026-11-22T14:22:27+00:00"


async def test_pages_with_namespace_prefixes_are_read(script: Script, bucket: Bucket) -> None:
    body = page(ONE).replace(b"<", b"<s3:").replace(b"<s3:/", b"</s3:")
    body = body.replace(b"<s3:?", b"<?").replace(b"xmlns=", b"xmlns:s3=")
    script.answer = stores.always(Say(body))
    answer = await bucket.list("pg/")
    assert [key for key, *_ in answer.objects] == ["pg/wals/00000002.history"]


async def test_a_prefix_and_token_are_sent_as_asked(script: Script, bucket: Bucket) -> None:
    await bucket.list("pg/wals/", delimiter="/", start_after="pg/wals/0", token="to/ken+")
    target = script.targets[-1]
    for part in ("list-type=2", "delimiter=%2F", "start-after=pg%2Fwals%2F0", "encoding-type=url"):
        assert part in target
    assert "continuation-token=to%2Fken%2B" in target
