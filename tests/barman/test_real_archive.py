"""What real tools left in a bucket, judged: the damage in it is found and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.barman.archive import said
from tests.barman.test_catalog import folded, listing
from tui.barman import catalog, compression, continuity, history, info, retention, timelines, wal
from tui.barman.catalog import Server
from tui.barman.continuity import Continuity, Usable
from tui.barman.history import History
from tui.barman.info import Info
from tui.barman.path import PATIENCE, Loss, Word
from tui.verdict import window
from tui.verdict.window import NoWindow, Window

DATA = Path(__file__).parents[1] / "data" / "barman"
NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
SIZE = wal.DEFAULT_SEGMENT_SIZE


def server(name: str) -> Server:
    rows = listing()
    return catalog.relisted(catalog.empty(""), "", folded(rows)).servers[name]


def contents(of: Server) -> dict[str, Info | info.Unreadable]:
    """The backup.infos that lie in the bucket; one of them was emptied."""
    found = {}
    for id_, base in of.bases.items():
        path = DATA / f"{id_}.backup.info"
        if base.info is not None and path.exists():
            found[id_] = info.parse(path.read_bytes() if base.info.size else b"")
    return found


def histories() -> dict[int, History | history.Unreadable]:
    content = (DATA / "00000002.history.gz").read_bytes()
    return {2: history.parse(compression.decompress(content, ".gz"), 2)}


def judged(name: str, *, acknowledged: frozenset[Loss] = frozenset()) -> Continuity:
    of = server(name)
    return continuity.judge(
        of,
        contents(of),
        histories() if 2 in of.histories else {},
        now=NOW,
        patience=PATIENCE,
        acknowledged=acknowledged,
    )


GONE = Loss(wal.segment("000000020000000000000018"), wal.segment("00000002000000000000001A"))


def test_the_promotion_is_followed_and_the_segments_sent_elsewhere_are_lost() -> None:
    film = judged("cluster-example")
    assert said(film.pieces) == [
        ("found", "000000010000000000000006", "000000010000000000000011"),
        ("found", "000000020000000000000012", "000000020000000000000017"),
        ("lost", "000000020000000000000018", "00000002000000000000001A"),
        ("found", "00000002000000000000001B", "00000002000000000000001B"),
    ]
    (hole,) = film.alarms
    assert hole.since == datetime(2026, 11, 22, 14, 24, 14, tzinfo=UTC)
    assert hole.until == datetime(2026, 11, 22, 14, 24, 57, tzinfo=UTC)
    assert judged("cluster-example", acknowledged=frozenset({GONE})).alarms == ()


def test_every_base_backup_is_told_as_it_is() -> None:
    film = judged("cluster-example")
    assert [(reach.base, reach.usable, reach.why) for reach in film.reaches] == [
        ("20261122T142227", Usable.YES, ""),
        ("20261122T142236", Usable.YES, ""),
        ("20261122T142301", Usable.NOT_YET, "it is STARTED, not DONE"),
        (
            "20261122T142326",
            Usable.NO,
            "it failed: failure uploading data (Connection lost, reconnection not allowed)",
        ),
        ("20261122T142401", Usable.YES, ""),
        ("20261122T142411", Usable.YES, ""),
    ]
    assert {reach.target for reach in film.usable} == {2}


def test_the_window_ends_before_the_lost_segments() -> None:
    found = window.of(judged("cluster-example"))
    assert isinstance(found, Window)
    assert found.since == datetime(2026, 11, 22, 14, 22, 33, 322114, UTC)
    # The newest backup ended a moment after its last segment had been archived.
    assert found.until == datetime(2026, 11, 22, 14, 24, 14, 698704, UTC)
    assert str(found.through) == "000000020000000000000017"
    assert found.holes == ()
    assert [(s.timeline, str(s.first), str(s.last)) for s in found.stretches] == [
        (1, "000000010000000000000006", "000000010000000000000011"),
        (2, "000000020000000000000012", "000000020000000000000017"),
    ]
    assert found.cut_by is not None
    assert found.behind(NOW) == NOW - found.until


def test_the_damaged_copy_has_its_damage_and_no_window_before_the_last_backup() -> None:
    film = judged("cluster-gap")
    assert [(reach.base, reach.usable, reach.why) for reach in film.reaches] == [
        ("20261122T142227", Usable.NOT_YET, "it is EMPTY, not DONE"),
        ("20261122T142236", Usable.NO, "it has no backup.info"),
        ("20261122T142301", Usable.NOT_YET, "it is STARTED, not DONE"),
        (
            "20261122T142326",
            Usable.NO,
            "it failed: failure uploading data (Connection lost, reconnection not allowed)",
        ),
        ("20261122T142401", Usable.NO, "data.tar is missing"),
        ("20261122T142411", Usable.YES, ""),
    ]
    found = window.of(film)
    assert isinstance(found, Window)
    assert found.bases == ("20261122T142411",)
    holes = [
        (each.timeline, [(str(hole.first), hole.count) for hole in each.holes])
        for each in timelines.of(server("cluster-gap"), SIZE)
    ]
    assert holes == [
        (1, [("000000010000000000000007", 1)]),
        (2, [("000000020000000000000018", 3)]),
    ]


def test_an_archive_begun_on_timeline_two_is_whole() -> None:
    film = judged("cluster-plain")
    assert film.word is Word.FOUND
    found = window.of(film)
    assert isinstance(found, Window)
    # Its objects are dated ten days before the backup; a window is not over before its backup is.
    assert found.since == found.until == datetime(2026, 11, 22, 14, 24, 51, 71189, UTC)


def test_a_zstd_archive_is_whole_as_far_as_it_has_been_read() -> None:
    film = judged("cluster-pg18")
    assert [reach.usable for reach in film.reaches] == [Usable.YES, Usable.UNSEEN]
    assert film.word is Word.UNSEEN


def test_an_archive_without_base_backups_has_no_window() -> None:
    assert window.of(judged("cksum-when_required")) == NoWindow(
        "there is no base backup", unseen=False
    )


@pytest.mark.parametrize(
    ("name", "size"),
    [("cluster-plain", SIZE), ("cluster-example", SIZE), ("cksum-when_supported", SIZE)],
)
def test_the_segment_size_shows(name: str, size: int) -> None:
    assert timelines.segment_size(server(name), {}) == size


def test_a_month_keeps_everything_that_is_done() -> None:
    of = server("cluster-example")
    policy = retention.parse("30d")
    assert policy is not None
    found = retention.plan(policy, of.bases, contents(of), NOW)
    assert found.going == ()
    assert found.next is not None
    assert found.next.goes_at == datetime(2026, 11, 22, 14, 22, 36, 915226, UTC) + timedelta(
        days=30
    )
