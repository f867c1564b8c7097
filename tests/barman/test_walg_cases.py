"""The cases of WAL-G's wal-verify, wal-show, segment runner and segment scanner, in our words.

Cases: wal-g ``internal/databases/postgres``: ``wal_verify_handler_test.go``,
``wal_show_handler_test.go``, ``wal_segment_runner_test.go``, ``wal_segment_scanner_test.go``; and
its pull request 2231.

Where we differ on purpose:

- WAL-G is told the segment PostgreSQL writes and reports what is not archived up to it as *delayed*.
  The bucket cannot know that segment: the queue is the other witness's to tell, and a recovery
  window says how many segments it is behind.
- Without a base backup WAL-G scans from segment 1 and reports losses. Without one there is nothing
  to restore and so nothing to lose: we say that there is no base backup.
- WAL-G calls the last few missing segments *uploading* by their number alone. Ours must be young
  too, or they are lost.
- WAL-G begins with the earliest backup that is not marked permanent. A kept backup is a backup.
- WAL-G drops backups of branches the current timeline left. They restore, to their own timeline.
- A timeline above the current one is an error to WAL-G's timeline check. To us it is the newest, if
  its history leads there; without a history it is reported as stranded.
- wal-show counts a timeline's segments within the timeline alone, and so do our runs and holes.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.barman.archive import BEGIN, MINUTE, Archive, said
from tui.barman import catalog, timelines, wal
from tui.barman.continuity import Continuity, Usable
from tui.barman.history import History
from tui.barman.path import Patience, Word
from tui.verdict import window
from tui.verdict.window import NoWindow, Window

SIZE = wal.DEFAULT_SEGMENT_SIZE
YOUNG = Patience(timedelta(minutes=4), 4)


def name(timeline: int, number: int) -> str:
    return str(wal.at(timeline, number, SIZE))


def report(film: Continuity) -> list[tuple[str, int, int, int, int]]:
    """WAL-G's table: word, timeline, first, last, count."""
    return [
        (
            str(piece.word),
            piece.first.timeline,
            piece.first.number(SIZE),
            piece.last.number(SIZE),
            piece.count,
        )
        for piece in film.pieces
    ]


# wal-verify


def test_verify_empty_storage() -> None:
    found = window.of(Archive().judge())
    assert found == NoWindow("there is no base backup", unseen=False)


def test_verify_only_garbage_in_storage() -> None:
    archive = Archive()
    for garbage in (
        "wals/0000000700000000/00000007000000000000000K",
        "wals/0000000Y00000000/0000000Y000000000000000K",
        "some_garbage_file",
        " ",
    ):
        archive.put(garbage)
    known = catalog.fold(catalog.empty(""), list(archive.rows.values()))
    assert known.servers == {}
    assert len(known.unknown.keys) == 4


def test_verify_single_timeline_ok() -> None:
    archive = Archive().wal(5, range(1, 5))
    archive.base(5, 1)
    film = archive.judge()
    assert report(film) == [("found", 5, 1, 4, 4)]
    assert film.word is Word.FOUND


def test_verify_single_timeline_some_delayed() -> None:
    archive = Archive().wal(5, range(1, 5))
    archive.base(5, 1)
    film = archive.judge()
    assert report(film) == [("found", 5, 1, 4, 4)]
    found = window.of(film)
    assert isinstance(found, Window)
    assert found.segments_behind(wal.segment(name(5, 8))) == 4


def test_verify_single_timeline_some_uploading() -> None:
    archive = Archive().wal(5, [1, 2, 3, 5, 7])
    archive.base(5, 1)
    film = archive.judge(BEGIN + 8 * MINUTE, patience=YOUNG)
    assert report(film) == [
        ("found", 5, 1, 3, 3),
        ("late", 5, 4, 4, 1),
        ("found", 5, 5, 5, 1),
        ("late", 5, 6, 6, 1),
        ("found", 5, 7, 7, 1),
    ]
    assert film.word is Word.LATE
    assert archive.judge(BEGIN + timedelta(hours=1), patience=YOUNG).word is Word.LOST


SWITCH = (5, 5 * SIZE + 100)


def test_verify_two_timelines_ok() -> None:
    archive = Archive().wal(5, range(1, 10)).wal(6, range(5, 9)).history(6, SWITCH)
    archive.base(5, 1)
    film = archive.judge()
    assert report(film) == [("found", 5, 1, 4, 4), ("found", 6, 5, 8, 4)]
    assert film.word is Word.FOUND


def test_verify_two_timelines_some_lost() -> None:
    archive = Archive().wal(5, [1, 2, 4, 5, 6]).wal(6, [7, 8]).history(6, SWITCH)
    archive.base(5, 1)
    film = archive.judge(BEGIN + 9 * MINUTE, patience=YOUNG)
    assert report(film) == [
        ("found", 5, 1, 2, 2),
        ("lost", 5, 3, 3, 1),
        ("found", 5, 4, 4, 1),
        ("late", 6, 5, 6, 2),
        ("found", 6, 7, 8, 2),
    ]
    assert film.word is Word.LOST


def test_verify_higher_timeline_exists() -> None:
    archive = Archive().wal(5, range(1, 5)).wal(7, [3, 4])
    archive.base(5, 1)
    film = archive.judge()
    assert report(film) == [("found", 5, 1, 4, 4)]
    assert [(each.timeline, each.why) for each in film.stranded] == [
        (7, "00000006.history is missing")
    ]
    assert film.word is Word.LOST


def test_verify_walk_until_first_backup() -> None:
    archive = Archive().wal(5, range(1, 10)).wal(6, range(5, 9)).history(6, SWITCH)
    branch = archive.base(5, 5, offset=0x70)
    early = archive.base(6, 2, end=BEGIN + timedelta(hours=1))
    first, second = archive.base(6, 6), archive.base(6, 7)
    film = archive.judge()
    assert report(film) == [("found", 6, 6, 8, 3)]
    told = {reach.base: (reach.usable, reach.target, reach.latest) for reach in film.reaches}
    assert told == {
        branch: (Usable.YES, 5, False),
        early: (Usable.NO, None, True),
        first: (Usable.YES, 6, True),
        second: (Usable.YES, 6, True),
    }
    kept = archive.base(5, 3)
    archive.put(f"base/{kept}/annotations/keep", 4)
    assert report(archive.judge()) == [("found", 5, 3, 4, 2), ("found", 6, 5, 8, 4)]


def test_verify_a_switch_that_did_not_happen() -> None:
    """A history with a line a recovery to an older point has overtaken (pull request 2231)."""
    archive = Archive().wal(1, range(1, 9)).wal(4, range(5, 20))
    archive.history(2, (1, 8 * SIZE + 40)).history(3, (1, 8 * SIZE + 40), (2, 12 * SIZE + 40))
    archive.history(4, (1, 8 * SIZE + 40), (2, 12 * SIZE + 40), (3, 5 * SIZE + 40))
    archive.base(1, 1)
    film = archive.judge()
    assert report(film) == [("found", 1, 1, 4, 4), ("found", 4, 5, 19, 15)]
    assert film.word is Word.FOUND


# wal-show


@pytest.mark.parametrize(
    ("timeline", "there", "missing"),
    [
        pytest.param(1, [0x90, 0x91, 0x92, 0x93], [], id="no missing segments"),
        pytest.param(1, [0x90, 0x92, 0x93, 0x94], [0x91], id="one segment missing"),
        pytest.param(1, [0x90, 0x92, 0x93, 0x95], [0x91, 0x94], id="multiple segments missing"),
    ],
)
def test_show_single_timeline(timeline: int, there: list[int], missing: list[int]) -> None:
    archive = Archive().wal(timeline, there, ".lz4")
    (found,) = timelines.of(archive.listed, SIZE)
    assert found.timeline == timeline
    assert (str(found.first), str(found.last)) == (
        name(timeline, there[0]),
        name(timeline, there[-1]),
    )
    assert found.segments == len(there)
    assert [str(hole.first) for hole in found.holes] == [name(timeline, at) for at in missing]
    assert [hole.count for hole in found.holes] == [1] * len(missing)


def test_show_no_segments_in_storage() -> None:
    assert timelines.of(Archive().listed, SIZE) == ()


def test_show_single_timeline_with_history() -> None:
    archive = Archive().wal(2, range(0x90, 0x94), ".lz4").history(2, (1, 0x90400000))
    (found,) = timelines.of(archive.listed, SIZE)
    assert (found.timeline, found.segments, found.holes) == (2, 4, ())
    history = archive.histories[2]
    assert isinstance(history, History)
    assert [(switch.parent, switch.at) for switch in history.switches] == [(1, 0x90400000)]


@pytest.mark.parametrize("parent", [1, 0xEEEEED], ids=["low", "high timelines"])
def test_show_two_timelines_with_history(parent: int) -> None:
    archive = Archive().wal(parent, range(0x8F, 0x93), ".lz4")
    archive.wal(parent + 1, range(0x90, 0x93), ".lz4").history(parent + 1, (parent, 0x90400000))
    found = timelines.of(archive.listed, SIZE)
    assert [(each.timeline, each.segments, each.holes) for each in found] == [
        (parent, 4, ()),
        (parent + 1, 3, ()),
    ]
    history = archive.histories[parent + 1]
    assert isinstance(history, History)
    assert history.switches[0].parent == parent


def test_show_multiple_timelines_without_history() -> None:
    archive = Archive().wal(1, range(0x90, 0x94), ".lz4").wal(2, [0x91, 0x92], ".lz4")
    found = timelines.of(archive.listed, SIZE)
    assert [(each.timeline, each.segments) for each in found] == [(1, 4), (2, 2)]


# The segment runner and the segment scanner: what is found and missing within a range


def missing(film: Continuity) -> list[int]:
    return [
        number
        for piece in film.pieces
        if piece.word is not Word.FOUND
        for number in range(piece.first.number(SIZE), piece.last.number(SIZE) + 1)
    ]


@pytest.mark.parametrize(
    ("begin", "end", "gone"),
    [
        pytest.param(300, 600, [], id="runner: all exist"),
        pytest.param(300, 400, [301, 305, 310, 311, 312], id="runner: missing segments"),
        pytest.param(5000, 5001, [], id="scanner: single element"),
        pytest.param(5000, 5200, [], id="scanner: no missing segments"),
        pytest.param(5000, 5050, [5001, 5003, 5004, 5010], id="scanner: search missing"),
    ],
)
def test_run_over_one_timeline(begin: int, end: int, gone: list[int]) -> None:
    archive = Archive().wal(1, set(range(begin, end)) - set(gone))
    archive.base(1, begin)
    film = archive.judge(BEGIN + timedelta(days=30))
    assert missing(film) == gone
    assert sum(piece.count for piece in film.pieces) == end - begin
    assert {piece.first.timeline for piece in film.pieces} == {1}
    assert {piece.word for piece in film.pieces} <= {Word.FOUND, Word.LOST}


def test_run_where_all_is_missing() -> None:
    archive = Archive()
    archive.base(1, 1, 4)
    film = archive.judge()
    assert film.pieces == ()
    assert film.reaches[0].why == f"it needs WAL up to {name(1, 4)}, which is not there yet"


def test_scan_covers_the_whole_range_once() -> None:
    archive = Archive().wal(1, range(5000, 5050))
    archive.base(1, 5000)
    assert said(archive.judge().pieces) == [("found", name(1, 5000), name(1, 5049))]


def test_run_switches_timelines() -> None:
    archive = Archive().wal(1, range(1, 7)).wal(2, range(5, 8)).history(2, (1, 5 * SIZE + 1))
    archive.base(1, 1)
    assert report(archive.judge()) == [("found", 1, 1, 4, 4), ("found", 2, 5, 7, 3)]


def test_run_switches_timelines_with_missing_segments() -> None:
    archive = Archive().wal(1, [1, 3, 4, 6]).wal(2, [6, 7]).history(2, (1, 5 * SIZE + 1))
    archive.base(1, 1)
    film = archive.judge()
    assert missing(film) == [2, 5]
    assert report(film) == [
        ("found", 1, 1, 1, 1),
        ("lost", 1, 2, 2, 1),
        ("found", 1, 3, 4, 2),
        ("lost", 2, 5, 5, 1),
        ("found", 2, 6, 7, 2),
    ]
