"""What ``cnpg-tui archive`` makes of one look: its first sentence and its exit code."""

from __future__ import annotations

from datetime import timedelta

from tests.barman.archive import BEGIN, MINUTE, Archive
from tui import archive_told
from tui.barman import timelines, wal
from tui.barman.path import Loss
from tui.barman.s3 import Requests
from tui.cnpg import store
from tui.cnpg.location import Location, Place
from tui.verdict import window

GONE = wal.at(1, 40, wal.DEFAULT_SEGMENT_SIZE)


def told(archive: Archive) -> archive_told.Archive:
    """One look at it, after its only loss was acknowledged."""
    now = BEGIN + 100 * MINUTE
    film = archive.judge(now, acknowledged=frozenset({Loss(GONE, GONE)}))
    server = archive.listed
    return archive_told.Archive(
        location=Location(Place("", "acme-pg", "prod"), "pg", "prod", store.configuration({})),
        identity="environment",
        server=server,
        names=("pg",),
        infos=archive.infos,
        standalone=frozenset(),
        unknown=(),
        unknown_count=0,
        film=film,
        window=window.of(film),
        timelines=timelines.of(server, film.segment_size),
        requests=Requests(),
        error="",
        seal=None,
        at=now + timedelta(seconds=1),
    )


def test_a_loss_that_was_acknowledged_is_no_alarm_and_no_whole_archive() -> None:
    archive = Archive().wal(1, set(range(1, 100)) - {40})
    archive.base(1, 10)
    archive.base(1, 60)
    found = told(archive)
    lines = list(archive_told.as_text(found))
    assert lines[1].startswith("whole but for what is acknowledged as lost; restorable from ")
    assert lines[3] == (
        f"lost: {GONE} (1 segment, acknowledged), 2026-11-01T00:39:00Z to 2026-11-01T00:41:00Z"
    )
    assert found.exit_code == archive_told.WHOLE


def test_a_loss_behind_the_last_base_backup_counts_whatever_was_acknowledged() -> None:
    archive = Archive().wal(1, set(range(1, 100)) - {40})
    archive.base(1, 10)
    found = told(archive)
    assert list(archive_told.as_text(found))[1].startswith("holes: WAL is lost; restorable from ")
    assert found.exit_code == archive_told.HOLES
