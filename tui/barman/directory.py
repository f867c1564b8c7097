"""One folder of ``wals/``: which of its segments are there, how large they are and from when.

The unit of everything above: a million segments are some four thousand of these. Sizes and times
stand in packed columns, 12 bytes a segment, one column for each suffix in use, so that a folder is
folded twice without counting twice, a segment stored under two suffixes is one segment, and the
neighbours of a hole can be dated.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from tui.barman import wal
from tui.barman.compression import SUFFIXES
from tui.barman.listing import Listed, Object, newer
from tui.barman.wal import Partial, Segment

Hour: TypeAlias = tuple[int, int, int]
"""Hours since 1970 (UTC), segments first seen with a LastModified in that hour, their bytes."""

Row: TypeAlias = tuple[int, int, str, bytes]
"""A directory for a cache, in types every database has: timeline, log, layout, columns."""

_SIZE = 8
_TIME = 4
_LATEST = (1 << 8 * _TIME) - 1
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Column:
    """The segments of a directory that are stored with one suffix.

    ``sizes`` and ``times`` are packed integers in the machine's order, as long as the highest
    segment; what is absent is zero in both. Times are seconds since 1970.
    """

    suffix: str
    bits: int
    sizes: bytes
    times: bytes

    def size(self, seg: int) -> int:
        """Bytes of this segment's object."""
        return memoryview(self.sizes).cast("Q")[seg]

    def time(self, seg: int) -> int:
        """LastModified of this segment's object."""
        return memoryview(self.times).cast("I")[seg]


@dataclass(frozen=True, slots=True)
class Directory:
    """What is known of one folder. Built by :func:`build` and :func:`merge` only."""

    timeline: int
    log: int
    columns: tuple[Column, ...]
    """By suffix; more than one after a change of compression."""
    others: tuple[Object, ...]
    """Partial segments and backup labels, by name."""
    bits: int
    """Bit ``n`` is set when segment ``n`` is there, whatever its suffix."""
    size: int
    """Bytes of all objects."""
    newest: int
    """The latest LastModified; it need not be the last segment's (a promoted standby archives again)."""
    hours: tuple[Hour, ...]

    @property
    def name(self) -> str:
        """The folder's name."""
        return wal.directory_name(self.timeline, self.log)

    @property
    def segments(self) -> int:
        """How many segments are there; one stored twice counts once."""
        return self.bits.bit_count()

    @property
    def objects(self) -> int:
        """How many objects are there."""
        return sum(column.bits.bit_count() for column in self.columns) + len(self.others)

    @property
    def first(self) -> Segment | None:
        """The first segment, None if there are only partials and labels."""
        return Segment(self.timeline, self.log, _lowest(self.bits)) if self.bits else None

    @property
    def last(self) -> Segment | None:
        """The last segment by name."""
        return Segment(self.timeline, self.log, self.bits.bit_length() - 1) if self.bits else None

    @property
    def compressions(self) -> Mapping[str, tuple[int, int]]:
        """Compression -> segments and bytes stored with it."""
        return {
            SUFFIXES[column.suffix]: (
                column.bits.bit_count(),
                sum(memoryview(column.sizes).cast("Q")),
            )
            for column in self.columns
        }

    @property
    def partials(self) -> tuple[tuple[Segment, Object], ...]:
        """The partial segments and the objects that hold them."""
        found = ((wal.parse(other.name), other) for other in self.others)
        return tuple(
            (stored.file.segment, other)
            for stored, other in found
            if stored is not None and isinstance(stored.file, Partial)
        )

    def sealed(self, segment_size: int) -> bool:
        """Whether every segment is there, so that nothing can be added: it need not be listed again."""
        return self.bits == (1 << wal.per_directory(segment_size)) - 1

    def modified(self, seg: int) -> datetime | None:
        """When this segment was archived, None if it is not there; of two copies, the first."""
        times = [column.time(seg) for column in self.columns if column.bits >> seg & 1]
        return datetime.fromtimestamp(min(times), UTC) if times else None

    def to_row(self) -> Row:
        """The directory for a cache on this machine; :func:`from_row` reads it."""
        columns = [(column.suffix, len(column.times) // _TIME) for column in self.columns]
        others = [
            (other.name, other.size, other.modified.isoformat(), other.etag)
            for other in self.others
        ]
        data = b"".join(part for column in self.columns for part in (column.sizes, column.times))
        return self.timeline, self.log, json.dumps([columns, others]), data


def runs(bits: int) -> Iterator[tuple[int, int]]:
    """First and last of every run of set bits, lowest first."""
    at = 0
    while bits:
        skip = _lowest(bits)
        bits >>= skip
        length = _lowest(~bits)
        yield at + skip, at + skip + length - 1
        bits >>= length
        at += skip + length


def build(
    timeline: int,
    log: int,
    seen: Mapping[str, Mapping[int, Listed]],
    others: Iterable[Object],
) -> Directory:
    """The directory of what a page showed, by suffix and segment."""
    columns = (_column(suffix, segments) for suffix, segments in seen.items() if segments)
    return _directory(timeline, log, columns, others)


def merge(one: Directory, other: Directory) -> Directory:
    """What both saw of the same folder; of an object seen twice, what was modified last."""
    if one == other:
        return one
    columns = {column.suffix: column for column in one.columns}
    for column in other.columns:
        mine = columns.get(column.suffix)
        columns[column.suffix] = column if mine is None else _merge_columns(mine, column)
    return _directory(one.timeline, one.log, columns.values(), (*one.others, *other.others))


def from_row(row: Row) -> Directory:
    """The directory a cache kept. Raises ValueError for what :meth:`Directory.to_row` did not write."""
    timeline, log, layout, data = row
    try:
        sketches, listed = json.loads(layout)
        others = [
            Object(str(name), int(size), datetime.fromisoformat(modified), str(etag))
            for name, size, modified, etag in listed
        ]
        columns = []
        for suffix, length in sketches:
            sizes, data = data[: length * _SIZE], data[length * _SIZE :]
            times, data = data[: length * _TIME], data[length * _TIME :]
            columns.append(_unpacked(suffix, sizes, times))
    except (TypeError, KeyError) as error:
        raise ValueError(f"the cached row of {timeline}/{log} cannot be read: {error}") from error
    if data:
        raise ValueError(f"the cached row of {timeline}/{log} is longer than its layout")
    return _directory(timeline, log, columns, others)


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def _column(suffix: str, segments: Mapping[int, Listed]) -> Column:
    length = max(segments) + 1
    sizes, times = array("Q", bytes(_SIZE * length)), array("I", bytes(_TIME * length))
    bits = 0
    for seg, (_, size, modified, _) in segments.items():
        time = int(modified.timestamp())
        if not 0 < time <= _LATEST:
            # One second after 1970 at the least: zero says that there is no object.
            time = 1 if time <= 0 else _LATEST
        sizes[seg], times[seg] = size, time
        bits |= 1 << seg
    return Column(suffix, bits, sizes.tobytes(), times.tobytes())


def _unpacked(suffix: str, sizes: bytes, times: bytes) -> Column:
    fits = len(sizes) * _TIME == len(times) * _SIZE <= wal.SEGS * _SIZE * _TIME
    if suffix not in SUFFIXES or not fits:
        raise ValueError("a cached column does not have the length its layout says")
    held = memoryview(times).cast("I")
    bits = (1 << len(held)) - 1
    if not all(held):
        bits = sum(1 << seg for seg, time in enumerate(held) if time)
    return Column(suffix, bits, sizes, times)


def _merge_columns(one: Column, other: Column) -> Column:
    if one.bits & other.bits:
        return _overwritten(one, other)
    # Pages rarely repeat a key. Where nothing overlaps each packed array is zero where the other is
    # not, and an OR of two long integers costs a microsecond.
    sizes, times = _overlaid(one.sizes, other.sizes), _overlaid(one.times, other.times)
    return Column(one.suffix, one.bits | other.bits, sizes, times)


def _overwritten(one: Column, other: Column) -> Column:
    longest = max(len(one.times), len(other.times)) // _TIME
    sizes = array("Q", one.sizes.ljust(longest * _SIZE, b"\0"))
    times = array("I", one.times.ljust(longest * _TIME, b"\0"))
    for first, last in runs(other.bits):
        for seg in range(first, last + 1):
            times[seg], sizes[seg] = max(
                (times[seg], sizes[seg]), (other.time(seg), other.size(seg))
            )
    return Column(one.suffix, one.bits | other.bits, sizes.tobytes(), times.tobytes())


def _overlaid(one: bytes, other: bytes) -> bytes:
    laid = int.from_bytes(one, "little") | int.from_bytes(other, "little")
    return laid.to_bytes(max(len(one), len(other)), "little")


def _directory(
    timeline: int, log: int, columns: Iterable[Column], others: Iterable[Object]
) -> Directory:
    columns = tuple(sorted(columns, key=lambda column: column.suffix))
    named: dict[str, Object] = {}
    for other in others:
        named[other.name] = newer(other, named.get(other.name, other))
    bits = size = newest = 0
    for column in columns:
        bits |= column.bits
        size += sum(memoryview(column.sizes).cast("Q"))
        newest = max(newest, max(memoryview(column.times).cast("I")))
    for other in named.values():
        size += other.size
        newest = max(newest, int(other.modified.timestamp()))
    return Directory(
        timeline=timeline,
        log=log,
        columns=columns,
        others=tuple(named[name] for name in sorted(named)),
        bits=bits,
        size=size,
        newest=newest,
        hours=_hours(columns),
    )


def _hours(columns: Iterable[Column]) -> tuple[Hour, ...]:
    found: dict[int, tuple[int, int]] = {}
    seen = 0
    for column in columns:
        fresh = column.bits & ~seen
        seen |= column.bits
        for hour, segments, size in _hours_of(column, fresh):
            count, total = found.get(hour, (0, 0))
            found[hour] = count + segments, total + size
    return tuple((hour, *found[hour]) for hour in sorted(found))


def _hours_of(column: Column, fresh: int) -> Iterator[Hour]:
    times, sizes = memoryview(column.times).cast("I"), memoryview(column.sizes).cast("Q")
    first, last = min(filter(None, times)) // _HOUR, max(times) // _HOUR
    if first == last:
        # A busy archive fills a folder within the hour, and only a busy one has many folders.
        yield first, fresh.bit_count(), sum(sizes)
        return
    for seg, (time, size) in enumerate(zip(times, sizes, strict=True)):
        if time:
            yield time // _HOUR, fresh >> seg & 1, size
