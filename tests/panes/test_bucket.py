"""The bucket pane over a sandbox whose film is torn: real HTTP, a real S3 server, keys in, lines out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from tests.panes.conftest import Open
from tests.panes.objects import PLUGIN, Manifest, a_cluster, a_store
from tests.panes.stage import Stage, opened
from tests.wire.stores import Wire
from tui import connect, demo
from tui.app import CnpgTui
from tui.sandbox.apiserver import ApiServer

SIZE = (110, 30)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[dict[str, str]]:
    """A sandbox process with the scenario torn-film; what it exports."""
    with subprocess.Popen(
        demo.command("torn-film", 1.0),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = []
        # "loaded" follows "ready" when the bucket holds its whole past.
        while (line := process.stdout.readline()) and line.strip() != "loaded":
            lines.append(line)
        yield demo.exported(lines)
        process.terminate()


@pytest.fixture
async def torn(
    sandbox: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """The app on that sandbox, the bucket pane in front, with a data folder of its own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    flags = connect.Flags(kubeconfig=sandbox["KUBECONFIG"], all_namespaces=True, remember=False)
    app = CnpgTui(flags)
    async with opened(app, ApiServer(), size=SIZE, notifications=False) as screen:
        await screen.press("4")
        await screen.until("3 holes, 6 segments lost")
        yield screen


def archiving(
    name: str, url: str, sandbox: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Manifest, Manifest]:
    """A Cluster, alone, whose ObjectStore is the sandbox's bucket behind ``url``."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, sandbox[variable])
    store = a_store("torn-store", name)
    store["spec"]["configuration"]["endpointURL"] = url
    parameters = {"barmanObjectName": "torn-store"}
    plugin = {"name": PLUGIN, "isWALArchiver": True, "parameters": parameters}
    return store, a_cluster(name, spec={"instances": 1, "plugins": [plugin]})


async def test_a_torn_server_is_told_from_whole_ones(torn: Stage) -> None:
    assert "o whole" in torn.row(" pg-auth ")
    assert "x 3 holes, 6 segments lost" in torn.row(" pg-orders ")
    assert torn.row("s3://acme-pg").strip().startswith(">")


async def test_a_server_shows_how_it_grows_and_what_that_comes_to(torn: Stage) -> None:
    await torn.press("j")
    await torn.until("bytes", "segments", "MiB/h", "an hour; usual", "WAL compressed")
    await torn.until("archive_timeout of pg 5m", "/month), ", "retention 30d counted")


async def test_the_chart_shows_a_day_a_week_or_a_month(torn: Stage) -> None:
    await torn.press("j")
    for span, each in (("24 h", "MiB/h, "), ("7 d", "MiB in 6 h, "), ("30 d", "MiB/day, ")):
        await torn.until(f" {span} ", each)
        await torn.press("z")
    await torn.until(" 24 h ", "z: 7 d")


async def test_the_place_says_whose_keys_were_used_but_not_the_keys(torn: Stage) -> None:
    await torn.press("g")
    await torn.until(
        "read with the keys of secret", "no incomplete upload; versioning never enabled"
    )
    await torn.until("no lifecycle rule")


async def test_uploads_nobody_finished_and_rules_that_eat_wal_are_told(
    sandbox: dict[str, str], torn: Stage
) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=sandbox["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=sandbox["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=sandbox["AWS_SECRET_ACCESS_KEY"],
        region_name="auto",
    )
    key = "prod/pg/base/20261101T000000/data.tar.gz"
    begun = client.create_multipart_upload(Bucket="acme-pg", Key=key)
    client.put_bucket_lifecycle_configuration(
        Bucket="acme-pg",
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "tidy",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "prod/"},
                    "Expiration": {"Days": 9},
                }
            ]
        },
    )
    try:
        await torn.press("r")
        await torn.until("1 incomplete upload, the oldest begun")
        await torn.until("lifecycle rule tidy on prod/: deletes objects after 9 d: it eats backups")
        await torn.press("j", "enter", "j", "enter")
        await torn.until("20261101T000000/data.tar.gz", "incomplete upload, begun")
    finally:
        client.abort_multipart_upload(Bucket="acme-pg", Key=key, UploadId=begun["UploadId"])
        client.delete_bucket_lifecycle(Bucket="acme-pg")


async def test_a_url_or_a_key_is_copied(torn: Stage) -> None:
    await torn.press("j", "c")
    assert torn.app.clipboard == "s3://acme-pg/prod/pg/"
    await torn.press("C")
    assert torn.app.clipboard == "prod/pg/"


async def test_wal_says_how_fresh_it_is_and_which_folders_are_taken_on_trust(torn: Stage) -> None:
    await torn.press("j", "enter")
    await torn.until("wals/")
    await torn.press("j", "j")
    await torn.until("archive_timeout of pg 5m", "gzip", "full folders listed")
    await torn.press("L")
    await torn.until("on trust, listed")


async def test_a_filter_keeps_the_lines_above_what_it_finds(torn: Stage) -> None:
    await torn.press("slash", *"pg-auth")
    await torn.until("/pg-auth", "pg-auth", "s3://acme-pg/prod")
    assert "pg-orders" not in torn.text


async def test_a_filter_narrows_and_escape_widens(torn: Stage) -> None:
    await torn.press("slash", *"torn-nothing")
    await torn.until("/torn-nothing")
    assert "pg-auth" not in torn.text
    await torn.until("Nothing matches /torn-nothing. esc shows all.")
    await torn.press("escape")
    await torn.until("pg-auth")


async def test_the_order_goes_by_a_column_and_turns_around(torn: Stage) -> None:
    names = ("pg", "pg-auth", "pg-orders")
    assert torn.column(*names) == list(names)
    await torn.press("S")
    await torn.until("WHAT↓")
    assert torn.column(*names) == ["pg-orders", "pg-auth", "pg"]
    await torn.press("S", "s")
    await torn.until("STATE↑")
    assert torn.column(*names)[0] == "pg-orders"
    await torn.press("s")
    await torn.until("SIZE↓")
    assert torn.column(*names)[0] == "pg-orders"
    await torn.press("S")
    await torn.until("SIZE↑")
    assert torn.column(*names)[-1] == "pg-orders"


async def test_base_backups_are_joined_with_the_backups_that_made_them(torn: Stage) -> None:
    await torn.press("j", "enter")
    await torn.until("base/")
    await torn.press("j", "enter")
    await torn.until("DONE, usable, Backup pg-daily-")
    await torn.press("j", "enter")
    await torn.until("begin_wal", "end_time", "backup.info")
    await torn.press("escape")
    await torn.until("Bucket")


async def test_a_hole_is_jumped_to_named_and_acknowledged(torn: Stage) -> None:
    await torn.press("right_square_bracket")
    await torn.until("timeline 2", "can be reached")
    await torn.press("A")
    await torn.until("is lost for good. Once a base backup lies behind it")
    await torn.press(*"dropped", "enter")
    await torn.until("lost, acknowledged", "2 holes")
    for _ in range(2):
        await torn.press("right_square_bracket", "A", *"dropped", "enter")
    await torn.until("x lost behind the newest base")
    await torn.press("1", "g")
    await torn.until("1 failing 2 protected", "x film torn", "take a base backup now (b)")
    await torn.until("but not from", "nor in 1 older hole")


async def test_a_hole_that_is_filtered_away_is_not_denied(torn: Stage) -> None:
    await torn.press("slash")
    await torn.press(*"pg-auth", "enter", "right_square_bracket")
    assert torn.toasts == ["No hole in what matches /pg-auth; esc shows all"]
    await torn.press("escape", "right_square_bracket")
    await torn.until("can be reached")


async def test_a_name_no_cluster_uses_is_looked_into_when_asked_and_nothing_is_said_before(
    sandbox: dict[str, str], stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(
        *archiving("pg-orders", sandbox["AWS_ENDPOINT_URL_S3"], sandbox, monkeypatch),
        size=(80, 24),
        flags={"remember": False},
    ) as screen:
        await screen.press("4")
        await screen.until("3 holes, 6 segments lost", "looked")
        await screen.press("j")
        await screen.until("no cluster here uses it; enter looks into it")
        assert "no WAL" not in screen.text
        await screen.press("enter")
        await screen.until("no cluster here uses it; whole", "an hour; usual")
        await screen.until("no cluster here uses it: nothing is ever deleted")


async def test_a_look_is_stopped_by_x_says_so_and_goes_on_when_asked(
    sandbox: dict[str, str], stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = urlsplit(sandbox["AWS_ENDPOINT_URL_S3"]).port
    assert port is not None
    async with Wire(port, delay=0.3) as wire:
        manifests = archiving("pg-orders", wire.url, sandbox, monkeypatch)
        async with stage(*manifests, size=SIZE, flags={"remember": False}) as screen:
            await screen.press("4")
            await screen.until(re.compile(r"looking: [1-9]\d* objects"))
            await screen.press("x")
            await screen.until("the look was stopped; r looks again")
            asked = len(wire.requests)
            await screen.press("j", "x")
            assert "No look is under way" in screen.toasts
            assert len(wire.requests) == asked
            wire.delay = 0
            await screen.press("r")
            await screen.until("looked", "lost")
            assert "stopped" not in screen.text
