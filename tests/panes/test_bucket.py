"""The bucket pane over a sandbox whose film is torn: real HTTP, a real S3 server, keys in, lines out."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.panes.stage import Stage, opened
from tui import connect, demo
from tui.app import CnpgTui
from tui.sandbox.apiserver import ApiServer

SIZE = (110, 30)


@pytest.fixture(scope="module")
def kubeconfig() -> Iterator[str]:
    """A sandbox process with the scenario torn-film; its kubeconfig."""
    with subprocess.Popen(
        demo.command("torn-film", 1.0),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as sandbox:
        assert sandbox.stdout is not None
        lines = []
        # "loaded" follows "ready" when the bucket holds its whole past.
        while (line := sandbox.stdout.readline()) and line.strip() != "loaded":
            lines.append(line)
        yield demo.exported(lines)["KUBECONFIG"]
        sandbox.terminate()


@pytest.fixture
async def stage(
    kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """The app on that sandbox, the bucket pane in front, with a data folder of its own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    flags = connect.Flags(kubeconfig=kubeconfig, all_namespaces=True, remember=False)
    app = CnpgTui(flags)
    async with opened(app, ApiServer(), size=SIZE, notifications=False) as stage:
        await stage.press("4")
        await stage.until("3 holes, 6 segments lost")
        yield stage


async def test_a_torn_server_is_told_from_whole_ones(stage: Stage) -> None:
    assert "o whole" in stage.row(" pg-auth ")
    assert "x 3 holes, 6 segments lost" in stage.row(" pg-orders ")
    assert stage.row("s3://acme-pg").strip().startswith(">")


async def test_a_server_shows_how_it_grows_and_what_that_comes_to(stage: Stage) -> None:
    await stage.press("j")
    await stage.until("24 h", "7 d", "30 d", "segments/h now", "/day", "/month on R2")


async def test_the_place_says_whose_keys_were_used_but_not_the_keys(stage: Stage) -> None:
    await stage.press("g")
    await stage.until("read with the keys of secret", "versioning:")


async def test_wal_says_how_fresh_it_is_and_which_folders_are_taken_on_trust(stage: Stage) -> None:
    await stage.press("j", "enter")
    await stage.until("wals/")
    await stage.press("j", "j")
    await stage.until("archive_timeout of pg 5m", "gzip", "full folders listed")
    await stage.press("L")
    await stage.until("on trust, listed")


async def test_a_filter_keeps_the_lines_above_what_it_finds(stage: Stage) -> None:
    await stage.press("slash", *"pg-auth")
    await stage.until("/pg-auth", "pg-auth", "s3://acme-pg/prod")
    assert "pg-orders" not in stage.text


async def test_a_filter_narrows_and_escape_widens(stage: Stage) -> None:
    await stage.press("slash", *"torn-nothing")
    await stage.until("/torn-nothing")
    assert "pg-auth" not in stage.text
    await stage.press("escape")
    await stage.until("pg-auth")


async def test_base_backups_are_joined_with_the_backups_that_made_them(stage: Stage) -> None:
    await stage.press("j", "enter")
    await stage.until("base/")
    await stage.press("j", "enter")
    await stage.until("DONE, usable, Backup pg-daily-")
    await stage.press("j", "enter")
    await stage.until("begin_wal", "end_time", "backup.info")
    await stage.press("escape")
    await stage.until("Bucket")


async def test_a_hole_is_jumped_to_named_and_acknowledged(stage: Stage) -> None:
    await stage.press("right_square_bracket")
    await stage.until("timeline 2", "can be reached")
    await stage.press("A")
    await stage.until("is lost for good and shall not alarm any more. Why?")
    await stage.press(*"dropped", "enter")
    await stage.until("lost, acknowledged", "2 holes")
