"""Runs and holes: every timeline of the archive as stretches of consecutive segments.

A million segments are a few runs a timeline. A hole here is what is absent between the first and the
last segment of one timeline; whether anybody needs it is for :mod:`tui.barman.continuity` to say.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tui.barman import directory, wal
from tui.barman.catalog import Server
from tui.barman.directory import Directory
from tui.barman.info import Info, Unreadable
from tui.barman.wal import Segment

Range = tuple[int, int]
"""First and last segment number, both included."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive segments of one timeline, all there or all missing."""

    first: Segment
    last: Segment
    count: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """One timeline's WAL in the archive."""

    timeline: int
    segments: int
    size: int
    """Bytes of its folders, partials and backup labels included."""
    runs: tuple[Run, ...]
    """At least one."""
    holes: tuple[Run, ...]
    """What is missing in a folder that is not listed yet is no hole."""
    misfits: int
    """Segments whose name no segment of this size can have: two clusters may share the server name."""

    @property
    def first(self) -> Segment:
        """Its first segment in the archive."""
        return self.runs[0].first

    @property
    def last(self) -> Segment:
        """Its last segment in the archive."""
        return self.runs[-1].last


def of(server: Server, segment_size: int) -> tuple[Timeline, ...]:
    """Every timeline that has segments, ascending."""
    hidden = unseen(server, segment_size)
    folders: dict[int, list[Directory]] = {}
    for each in server.directories.values():
        folders.setdefault(each.timeline, []).append(each)
    found = []
    for timeline, there in present(server, segment_size).items():
        not_missing = there
        if server.unlisted is None:
            not_missing = ((there[0][0], there[-1][1]),)
        elif timeline in hidden:
            not_missing = joined(sorted(there + hidden[timeline]))
        found.append(_timeline(folders[timeline], there, not_missing, segment_size))
    return tuple(found)


def segment_size(server: Server, infos: Mapping[str, Info | Unreadable]) -> int:
    """Bytes of a segment: what the newest backup.info says, else what the objects show, else 16 MiB."""
    for id_ in sorted(infos, reverse=True):
        info = infos[id_]
        if isinstance(info, Info) and info.begin_wal is not None:
            return info.segment_size
    for held in server.directories.values():
        for column in held.columns:
            size = column.size(column.bits.bit_length() - 1)
            if column.suffix == "" and size in wal.SEGMENT_SIZES:
                return size
    return _size_by_names(server)


def _size_by_names(server: Server) -> int:
    """How long the folders get before the next one begins shows how many segments make a log."""
    longest = max(
        (
            held.bits.bit_length()
            for (timeline, log), held in server.directories.items()
            if (timeline, log + 1) in server.directories
        ),
        default=0,
    )
    fitting = (size for size in wal.SEGMENT_SIZES if wal.per_directory(size) == longest)
    return next(fitting, wal.DEFAULT_SEGMENT_SIZE)


def present(server: Server, segment_size: int) -> dict[int, tuple[Range, ...]]:
    """Which segment numbers are in the archive: by timeline, ascending."""
    per = wal.per_directory(segment_size)
    mask = (1 << per) - 1
    found: dict[int, list[Range]] = {}
    for timeline, log in sorted(server.directories):
        bits = server.directories[timeline, log].bits & mask
        for first, last in directory.runs(bits):
            found.setdefault(timeline, []).append((log * per + first, log * per + last))
    return {timeline: joined(ranges) for timeline, ranges in found.items()}


def unseen(server: Server, segment_size: int) -> dict[int, tuple[Range, ...]]:
    """The segment numbers of folders that are not listed yet: by timeline, ascending."""
    per = wal.per_directory(segment_size)
    found: dict[int, list[Range]] = {}
    for timeline, log in sorted(server.unlisted or ()):
        found.setdefault(timeline, []).append((log * per, log * per + per - 1))
    return {timeline: joined(ranges) for timeline, ranges in found.items()}


def run(timeline: int, first: int, last: int, segment_size: int) -> Run:
    """The run between two segment numbers, both included."""
    ends = wal.at(timeline, first, segment_size), wal.at(timeline, last, segment_size)
    return Run(*ends, last - first + 1)


def joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Ascending ranges with those that touch made one."""
    found: list[Range] = []
    for first, last in ranges:
        if found and found[-1][1] + 1 >= first:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return tuple(found)


def clipped(ranges: tuple[Range, ...], first: int, last: int) -> tuple[Range, ...]:
    """The parts of ascending, disjoint ranges that lie within ``first`` to ``last``."""
    begin = bisect_left(ranges, first, key=_last)
    found = []
    for low, high in ranges[begin:]:
        if low > last:
            break
        found.append((max(low, first), min(high, last)))
    return tuple(found)


def between(ranges: tuple[Range, ...], first: int, last: int) -> tuple[Range, ...]:
    """What of ``first`` to ``last`` is in none of the ascending, disjoint ranges."""
    found = []
    for low, high in clipped(ranges, first, last):
        if first < low:
            found.append((first, low - 1))
        first = high + 1
    if first <= last:
        found.append((first, last))
    return tuple(found)


def _last(item: Range) -> int:
    return item[1]


def _timeline(
    folders: list[Directory],
    there: tuple[Range, ...],
    not_missing: tuple[Range, ...],
    segment_size: int,
) -> Timeline:
    timeline = folders[0].timeline
    holes = between(not_missing, there[0][0], there[-1][1])
    segments = sum(last - first + 1 for first, last in there)
    return Timeline(
        timeline=timeline,
        segments=segments,
        size=sum(each.size for each in folders),
        runs=tuple(run(timeline, *ends, segment_size) for ends in there),
        holes=tuple(run(timeline, *ends, segment_size) for ends in holes),
        misfits=sum(each.segments for each in folders) - segments,
    )
