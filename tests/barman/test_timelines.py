"""Runs and holes of a timeline, and the segment size they are counted in."""

from __future__ import annotations

import pytest

from tests.barman.archive import Archive
from tui.barman import catalog, timelines, wal
from tui.barman.timelines import Run, Timeline

MIB = 1 << 20


def of(archive: Archive) -> tuple[Timeline, ...]:
    return timelines.of(archive.listed, archive.segment_size)


def names(runs: tuple[Run, ...]) -> list[tuple[str, str, int]]:
    return [(str(run.first), str(run.last), run.count) for run in runs]


def test_runs_go_on_across_folders() -> None:
    (found,) = of(Archive().wal(1, range(1, 1000)))
    assert names(found.runs) == [("000000010000000000000001", "0000000100000003000000E7", 999)]
    assert found.holes == ()
    assert (found.segments, found.size) == (999, 999_000)


def test_holes_lie_between_the_first_and_the_last_segment() -> None:
    (found,) = of(Archive().wal(1, [*range(5, 200), *range(300, 310), 900]))
    assert names(found.holes) == [
        ("0000000100000000000000C8", "00000001000000010000002B", 100),
        ("000000010000000100000036", "000000010000000300000083", 590),
    ]
    assert str(found.first) == "000000010000000000000005"
    assert str(found.last) == "000000010000000300000084"


def test_every_timeline_is_told_by_itself() -> None:
    found = of(Archive().wal(1, range(1, 5)).wal(7, range(3, 9)).history(2, (1, 0)))
    assert [(each.timeline, each.segments) for each in found] == [(1, 4), (7, 6)]


@pytest.mark.parametrize("size", wal.SEGMENT_SIZES)
def test_the_segment_size_decides_where_a_log_ends(size: int) -> None:
    per = wal.per_directory(size)
    (found,) = of(Archive(size).wal(1, range(1, 3 * per)))
    assert found.holes == ()
    assert [run.count for run in found.runs] == [3 * per - 1]


def test_what_is_in_an_unlisted_folder_is_no_hole() -> None:
    archive = Archive().wal(1, [*range(100, 250), *range(800, 810)])
    known = catalog.announce(archive.catalog(), "pg", [f"000000010000000{log}" for log in range(4)])
    (found,) = timelines.of(known.servers["pg"], archive.segment_size)
    assert names(found.holes) == [
        ("0000000100000000000000FA", "0000000100000000000000FF", 6),
        ("000000010000000300000000", "00000001000000030000001F", 32),
    ]


def test_nothing_is_a_hole_before_the_folders_are_known() -> None:
    archive = Archive().wal(1, [1, 5, 900])
    known = catalog.fold(catalog.empty(""), list(archive.rows.values()))
    (found,) = timelines.of(known.servers["pg"], archive.segment_size)
    assert found.holes == ()
    assert found.segments == 3


def test_names_that_do_not_fit_the_segment_size_are_counted_apart() -> None:
    archive = Archive().wal(1, range(60, 70))
    (found,) = timelines.of(archive.listed, 64 * MIB)
    assert found.misfits == 6
    assert found.segments == 4


def test_the_newest_backup_info_says_the_segment_size() -> None:
    archive = Archive(64 * MIB).wal(1, range(1, 5))
    archive.base(1, 1)
    assert timelines.segment_size(archive.listed, archive.infos) == 64 * MIB


@pytest.mark.parametrize("size", wal.SEGMENT_SIZES)
def test_an_uncompressed_segment_shows_the_segment_size(size: int) -> None:
    archive = Archive(size).wal(1, [1])
    archive.put(archive.key(1, 2, ""), size)
    assert timelines.segment_size(archive.listed, {}) == size


@pytest.mark.parametrize("size", wal.SEGMENT_SIZES)
def test_where_folders_end_shows_the_segment_size(size: int) -> None:
    per = wal.per_directory(size)
    archive = Archive(size).wal(1, range(per - 1, per + 2))
    assert timelines.segment_size(archive.listed, {}) == size


def test_without_any_sign_segments_are_of_the_default_size() -> None:
    assert timelines.segment_size(Archive().wal(1, [1, 2]).listed, {}) == 16 * MIB
    assert timelines.segment_size(Archive().listed, {}) == 16 * MIB


@pytest.mark.parametrize(
    ("first", "last", "inside", "outside"),
    [
        (0, 30, ((3, 5), (9, 9), (20, 29)), ((0, 2), (6, 8), (10, 19), (30, 30))),
        (4, 9, ((4, 5), (9, 9)), ((6, 8),)),
        (6, 8, (), ((6, 8),)),
        (21, 22, ((21, 22),), ()),
        (30, 40, (), ((30, 40),)),
    ],
)
def test_ranges_are_clipped_and_complemented(
    first: int,
    last: int,
    inside: tuple[timelines.Range, ...],
    outside: tuple[timelines.Range, ...],
) -> None:
    ranges = ((3, 5), (9, 9), (20, 29))
    assert timelines.clipped(ranges, first, last) == inside
    assert timelines.between(ranges, first, last) == outside


def test_ranges_that_touch_or_overlap_are_joined() -> None:
    assert timelines.joined([(1, 2), (3, 3), (5, 9), (6, 7), (9, 10)]) == ((1, 3), (5, 10))
