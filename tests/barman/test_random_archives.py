"""Thousands of archives made by chance: every hole is found, none is invented.

The oracle asks about every segment by itself, the way PostgreSQL does (``timeline.c``), and shares
nothing with the code it judges but the arithmetic of one division.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.barman.archive import BEGIN, Archive
from tui.barman import catalog, timelines, wal
from tui.barman.continuity import Continuity, Reach, Usable
from tui.barman.path import Patience, Word

ROUNDS = 20
EACH = 100
SUFFIXES = ("", ".gz", ".bz2", ".xz", ".snappy", ".zst", ".lz4")
IMPATIENT = Patience(timedelta(0), 0)

Line = tuple[int, int]
"""Parent and switch point."""


@dataclass
class Made:
    """An archive and what is really in it."""

    size: int
    archive: Archive
    segments: set[tuple[int, int]] = field(default_factory=set)
    lines: dict[int, list[Line]] = field(default_factory=dict)
    """Histories that lie in the archive."""
    bases: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Timeline, first and last segment number."""


def make(chance: random.Random) -> Made:
    size = chance.choice(wal.SEGMENT_SIZES)
    made = Made(size, Archive(size))
    start = chance.choice([1, 5, 2 * wal.per_directory(size) - 4, 0xFF])
    ends = {1: start + chance.randrange(3, 30)}
    begins = {1: start}
    histories: dict[int, list[Line]] = {1: []}
    for timeline in range(2, 2 + chance.choice([0, 0, 1, 2, 3, 5])):
        parent = chance.choice([timeline - 1, timeline - 1, chance.randrange(1, timeline)])
        # Mostly where the parent ends, at times further back than the parent even begins.
        switch = ends[parent] - chance.choice([0, 0, 0, 1, 3, chance.randrange(20)])
        switch = max(switch, start)
        lsn = switch * size + chance.choice([0, 1, 40, size - 1])
        histories[timeline] = [*histories[parent], (parent, lsn)]
        begins[timeline] = switch
        ends[timeline] = switch + chance.choice([0, 0, 1, 2, chance.randrange(25)])
        if chance.random() < 0.9:
            made.lines[timeline] = histories[timeline]
            made.archive.history(timeline, *histories[timeline])
    for timeline, end in ends.items():
        there = set(range(begins[timeline], end))
        for _ in range(chance.choice([0, 0, 1, 3])):
            hole = chance.randrange(start, end + 1)
            there -= set(range(hole, hole + chance.choice([1, 1, 2, 7])))
        for number in there:
            for suffix in chance.sample(SUFFIXES, chance.choice([1, 1, 1, 2])):
                made.archive.wal(timeline, [number], suffix)
            made.segments.add((timeline, number))
        if chance.random() < 0.5:
            made.archive.put(made.archive.key(timeline, end, ".partial.gz"))
    for _ in range(chance.choice([1, 1, 2, 4])):
        timeline = chance.choice(list(ends))
        first = chance.randrange(begins[timeline], ends[timeline] + 1)
        last = first + chance.choice([0, 0, 1, 2])
        end_time = BEGIN + timedelta(days=1, minutes=len(made.bases))
        made.bases[made.archive.base(timeline, first, last, end=end_time)] = (timeline, first, last)
    return made


# The oracle


def owner(lines: list[Line], target: int, lsn: int) -> int:
    """tliOfPointInHistory: the newest timeline first."""
    begins = [0, *(at for _, at in lines)]
    ends = [*(at for _, at in lines), None]
    ids = [*(parent for parent, _ in lines), target]
    for timeline, begin, end in reversed(list(zip(ids, begins, ends, strict=True))):
        if begin <= lsn and (end is None or lsn < end):
            return timeline
    raise AssertionError("every LSN belongs to somebody")


def target_of(made: Made, base: str) -> tuple[int, list[Line]] | None:
    """The newest timeline a restore of this backup may follow; None: it does not fit its own."""
    timeline, first, last = made.bases[base]
    begin, end = first * made.size + 40, last * made.size + 41
    newest = timeline
    while newest + 1 in made.lines:
        newest += 1
    for target in range(newest, timeline, -1):
        lines = made.lines[target]
        if owner(lines, target, begin) == timeline == owner(lines, target, end - 1):
            return target, lines
    lines = made.lines.get(timeline, [])
    return (timeline, lines) if owner(lines, timeline, begin) == timeline else None


def wanted(made: Made, base: str, target: int, lines: list[Line]) -> list[tuple[int, int]]:
    """Every segment a recovery asks for, from the backup's first to the newest there is."""
    switch = lines[-1][1] // made.size if lines else 0
    mine = [n for timeline, n in made.segments if timeline == target and n >= switch]
    end = max(mine, default=switch - 1)
    return [
        (owner(lines, target, number * made.size + made.size - 1), number)
        for number in range(made.bases[base][1], end + 1)
    ]


def check_reach(made: Made, reach: Reach) -> None:
    found = target_of(made, reach.base)
    if found is None:
        assert reach.usable is Usable.NO
        return
    assert reach.target == found[0]
    path = wanted(made, reach.base, *found)
    whole = []
    for segment in path:
        if segment not in made.segments:
            break
        whole.append(segment)
    _, _, last = made.bases[reach.base]
    assert reach.through == (wal.at(*whole[-1], made.size) if whole else None)
    if len(whole) < len(path):
        assert reach.stopped_by is not None
        stop = max(path[len(whole)][1], made.bases[reach.base][1])
        assert (
            reach.stopped_by.first.number(made.size)
            <= stop
            <= reach.stopped_by.last.number(made.size)
        )
    else:
        assert reach.stopped_by is None
    if reach.usable is Usable.YES:
        assert whole[-1][1] >= last


def check_path(made: Made, film: Continuity) -> None:
    routes = {base: found for base in made.bases if (found := target_of(made, base)) is not None}
    assert film.target == max((target for target, _ in routes.values()), default=None)
    on_main = [base for base, (target, _) in routes.items() if target == film.target]
    if not on_main:
        assert film.pieces == ()
        return
    first = min(on_main, key=lambda base: made.bases[base][1])
    path = wanted(made, first, *routes[first])
    told: list[tuple[int, int, bool]] = [
        (piece.first.timeline, number, piece.word is Word.FOUND)
        for piece in film.pieces
        for number in range(piece.first.number(made.size), piece.last.number(made.size) + 1)
    ]
    assert told == [(*segment, segment in made.segments) for segment in path]
    lost = {segment for segment in path if segment not in made.segments}
    assert {(timeline, number) for timeline, number, found in told if not found} == lost
    assert all(piece.word in (Word.FOUND, Word.LOST) for piece in film.pieces)


def check_timelines(made: Made) -> None:
    for found in timelines.of(made.archive.listed, made.size):
        numbers = sorted(number for timeline, number in made.segments if timeline == found.timeline)
        holes = sorted(set(range(numbers[0], numbers[-1])) - set(numbers))
        assert found.segments == len(numbers)
        assert found.misfits == 0
        for runs, expected in ((found.runs, numbers), (found.holes, holes)):
            told = [
                number
                for run in runs
                for number in range(run.first.number(made.size), run.last.number(made.size) + 1)
            ]
            assert told == expected
            assert sum(run.count for run in runs) == len(expected)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_every_hole_is_found_and_none_invented(seed: int) -> None:
    for turn in range(EACH):
        made = make(random.Random(seed * EACH + turn))
        film = made.archive.judge(BEGIN + timedelta(days=90), patience=IMPATIENT)
        try:
            check_timelines(made)
            check_path(made, film)
            assert [reach.base for reach in film.reaches] == sorted(made.bases)
            for reach in film.reaches:
                check_reach(made, reach)
        except AssertionError as error:
            raise AssertionError(f"archive {seed * EACH + turn}") from error


@pytest.mark.parametrize("seed", range(5))
def test_half_listed_archives_lose_nothing_that_is_there_or_hidden(seed: int) -> None:
    for turn in range(EACH):
        chance = random.Random(-1 - seed * EACH - turn)
        made = make(chance)
        whole = made.archive.listed
        hidden = frozenset(chance.sample(sorted(whole.directories), len(whole.directories) // 2))
        names = [held.name for held in whole.directories.values()]
        known = made.archive.catalog()
        for key in hidden:
            folder = f"pg/wals/{wal.directory_name(*key)}/"
            known = catalog.relisted(known, folder, catalog.empty(""))
        server = catalog.announce(known, "pg", names).servers["pg"]
        assert server.unlisted == hidden
        film = made.archive.judge(BEGIN + timedelta(days=90), patience=IMPATIENT, server=server)
        for piece in film.pieces:
            numbers = range(piece.first.number(made.size), piece.last.number(made.size) + 1)
            held = [(piece.first.timeline, number) in made.segments for number in numbers]
            folders = {
                (segment.timeline, segment.log)
                for segment in (wal.at(piece.first.timeline, n, made.size) for n in numbers)
            }
            if piece.word is Word.FOUND:
                assert all(held)
            elif piece.word is Word.LOST:
                assert not any(held)
                assert not folders & hidden
