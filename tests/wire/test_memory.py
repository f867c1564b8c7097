"""The cache survives kills, neighbours and garbage; acknowledged losses are a file for people."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tui.barman import catalog, wal
from tui.barman.directory import Row
from tui.barman.path import Loss
from tui.barman.wal import Segment
from tui.cnpg.location import Place
from tui.wire.memory import Acknowledged, Losses, Memory

PLACE = Place("https://acc.r2.cloudflarestorage.com", "backups", "prod")
AT = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)


def row(log: int) -> Row:
    names = (str(Segment(1, log, seg)) for seg in range(256))
    page = [(f"pg/wals/{name[:16]}/{name}.gz", 1000, AT, "e") for name in names]
    return catalog.fold(catalog.empty(""), page).servers["pg"].directories[1, log].to_row()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "archive.sqlite"


def test_what_is_kept_is_recalled_by_another_run(path: Path) -> None:
    first = Memory(path)
    first.keep_directories(PLACE, "pg", [row(1), row(2)], AT)
    first.keep_text(PLACE, "pg/base/x/backup.info", "etag", b"status=DONE")
    first.close()
    again = Memory(path)
    assert again.directories(PLACE, "pg") == ((row(1), AT), (row(2), AT))
    assert again.text(PLACE, "pg/base/x/backup.info", "etag") == b"status=DONE"
    again.forget_directories(PLACE, "pg", [(1, 1)])
    assert again.directories(PLACE, "pg") == ((row(2), AT),)
    again.close()


@pytest.mark.parametrize(
    ("place", "server"),
    [
        (Place("https://other.example", "backups", "prod"), "pg"),
        (Place(PLACE.endpoint_url, "other", "prod"), "pg"),
        (Place(PLACE.endpoint_url, "backups", "test"), "pg"),
        (PLACE, "other"),
    ],
)
def test_another_archive_is_another_memory(path: Path, place: Place, server: str) -> None:
    memory = Memory(path)
    memory.keep_directories(PLACE, "pg", [row(1)], AT)
    assert memory.directories(place, server) == ()
    memory.close()


def test_an_overwritten_object_is_not_recalled(path: Path) -> None:
    memory = Memory(path)
    memory.keep_text(PLACE, "k", "started", b"status=STARTED")
    assert memory.text(PLACE, "k", "done") is None
    memory.keep_text(PLACE, "k", "done", b"status=DONE")
    assert memory.text(PLACE, "k", "done") == b"status=DONE"
    assert memory.text(PLACE, "k", "started") is None
    memory.close()


def test_the_file_is_the_users_alone(path: Path) -> None:
    memory = Memory(path)
    memory.keep_directories(PLACE, "pg", [row(1)], AT)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file.name
    memory.close()


def test_garbage_is_set_aside_and_begun_anew(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, and long enough to be looked at as one" * 100)
    memory = Memory(path)
    assert memory.directories(PLACE, "pg") == ()
    memory.keep_directories(PLACE, "pg", [row(1)], AT)
    assert memory.directories(PLACE, "pg") == ((row(1), AT),)
    assert path.with_suffix(".broken").exists()
    memory.close()


def test_a_schema_of_another_version_is_begun_anew(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.executescript("CREATE TABLE directory (x); PRAGMA user_version = 99;")
    other.close()
    memory = Memory(path)
    memory.keep_directories(PLACE, "pg", [row(1)], AT)
    assert memory.directories(PLACE, "pg") == ((row(1), AT),)
    memory.close()


def test_a_place_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    memory = Memory(blocked / "archive.sqlite")
    memory.keep_directories(PLACE, "pg", [row(1)], AT)
    assert memory.directories(PLACE, "pg") == ()
    memory.close()


_KEEP_ON = """
import sys
from pathlib import Path
from tests.wire.test_memory import AT, PLACE, row
from tui.wire.memory import Memory
memory = Memory(Path(sys.argv[1]))
for log in range(1, 100_000):
    memory.keep_directories(PLACE, "pg", [row(log)], AT)
    print(log, flush=True)
"""


def test_what_was_kept_before_a_kill_is_there_after_it(path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _KEEP_ON, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) >= 20:
            break
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    memory = Memory(path)
    found = memory.directories(PLACE, "pg")
    assert [log for (_, log, _, _), _ in found][:20] == list(range(1, 21))
    assert all(kept == (row(kept[0][1]), AT) for kept in found)
    memory.close()


def _keep(path: Path, logs: range) -> None:
    memory = Memory(path)
    for log in logs:
        memory.keep_directories(PLACE, "pg", [row(log)], AT)
    memory.close()


def test_two_instances_share_it(path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    both = [
        spawn.Process(target=_keep, args=(path, range(1, 40))),
        spawn.Process(target=_keep, args=(path, range(40, 80))),
    ]
    for each in both:
        each.start()
    for each in both:
        each.join()
        assert each.exitcode == 0
    memory = Memory(path)
    assert len(memory.directories(PLACE, "pg")) == 79
    memory.close()


LOSS = Loss(wal.segment("000000010000000000000005"), wal.segment("000000010000000000000007"))


def test_many_sweeps_at_once_share_one_connection(path: Path) -> None:
    memory = Memory(path)
    places = [Place("https://acc.r2.cloudflarestorage.com", "backups", f"p{n}") for n in range(12)]

    def sweep(place: Place) -> int:
        for number in range(60):
            memory.keep_text(place, f"base/{number}/backup.info", "e", b"status=DONE")
        return sum(
            memory.text(place, f"base/{number}/backup.info", "e") == b"status=DONE"
            for number in range(60)
        )

    with ThreadPoolExecutor(len(places)) as threads:
        assert list(threads.map(sweep, places)) == [60] * len(places)
    memory.close()
    assert not path.with_suffix(".broken").exists()


def test_an_acknowledged_loss_is_kept_for_people_to_read(tmp_path: Path) -> None:
    path = tmp_path / "data" / "losses.json"
    losses = Losses(path)
    assert losses.of(PLACE, "pg") == ()
    entry = Acknowledged(LOSS, "disk full on 20 Nov, new base taken", AT)
    losses.acknowledge(PLACE, "pg", entry)
    losses.acknowledge(PLACE, "pg", entry)
    assert Losses(path).of(PLACE, "pg") == (entry,)
    assert losses.of(PLACE, "other") == ()
    text = path.read_text()
    assert "disk full on 20 Nov" in text
    assert "000000010000000000000005" in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": [{"first": "x"}]}', "{"])
def test_a_losses_file_that_cannot_be_read_is_not_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "losses.json"
    path.write_text(text)
    losses = Losses(path)
    with pytest.raises(ValueError, match=r"cannot be read .* Mend it, or move it away"):
        losses.acknowledge(PLACE, "pg", Acknowledged(LOSS, "why", AT))
    assert path.read_text() == text


def test_a_losses_file_edited_by_hand_is_read(tmp_path: Path) -> None:
    path = tmp_path / "losses.json"
    archive = "s3://backups/prod/pg at https://acc.r2.cloudflarestorage.com"
    entry = {
        "first": "000000010000000000000005",
        "last": "000000010000000000000007",
        "why": "known",
        "at": "2026-11-22T14:03:00Z",
    }
    path.write_text(json.dumps({archive: [entry]}))
    assert Losses(path).of(PLACE, "pg") == (Acknowledged(LOSS, "known", AT),)
