"""Names of WAL files and the arithmetic of LSNs, for every ``xlog_segment_size``.

A segment's name is timeline, log and segment in eight upper-case hex digits each. Segments are
numbered through, ``log * (4 GiB / size) + seg``, so number and LSN do not depend on the timeline
(PostgreSQL ``access/xlog_internal.h``). Lower-case names are refused: restore_command asks for the
upper-case name, and object stores tell the cases apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from tui.barman.compression import SUFFIXES

MIB = 1 << 20
DEFAULT_SEGMENT_SIZE = 16 * MIB
SEGMENT_SIZES = tuple(MIB << power for power in range(11))
"""Bytes: every size ``initdb --wal-segsize`` takes, 1 MiB to 1 GiB."""

_LOG_SIZE = 1 << 32
SEGS = _LOG_SIZE // SEGMENT_SIZES[0]
"""Segments a directory can hold at most: those of 1 MiB."""

Lsn: TypeAlias = int
"""A position in the WAL, in bytes."""

_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_DIRECTORY = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})")
_FILE = re.compile(
    r"(?P<timeline>[0-9A-F]{8})"
    r"(?:(?P<log>[0-9A-F]{8})(?P<seg>[0-9A-F]{8})"
    r"(?P<kind>\.partial|\.(?P<offset>[0-9A-F]{8})\.backup)?|\.history)"
    r"(?P<suffix>\.[a-z0-9]+)?"
)


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One WAL segment; ``str()`` is its name. Ordered as names are: timeline, log, seg."""

    timeline: int
    log: int
    seg: int

    def __str__(self) -> str:
        return f"{self.timeline:08X}{self.log:08X}{self.seg:08X}"

    @property
    def directory(self) -> str:
        """Barman's folder for it: timeline and log in hex."""
        return directory_name(self.timeline, self.log)

    def number(self, segment_size: int) -> int:
        """Its place in the WAL, counted in segments from LSN 0/0."""
        return self.log * per_directory(segment_size) + self.seg

    def start(self, segment_size: int) -> Lsn:
        """The LSN of its first byte."""
        return self.number(segment_size) * segment_size

    def end(self, segment_size: int) -> Lsn:
        """The LSN of the first byte behind it."""
        return self.start(segment_size) + segment_size

    def successor(self, segment_size: int) -> Segment:
        """The next segment of the same timeline."""
        return at(self.timeline, self.number(segment_size) + 1, segment_size)

    def distance(self, other: Segment, segment_size: int) -> int:
        """How many segments further ``other`` lies, whatever the timelines."""
        return other.number(segment_size) - self.number(segment_size)


@dataclass(frozen=True, slots=True, order=True)
class Partial:
    """The last, unfinished segment of a timeline, archived at a promotion or demotion."""

    segment: Segment

    def __str__(self) -> str:
        return f"{self.segment}.partial"


@dataclass(frozen=True, slots=True, order=True)
class BackupLabel:
    """The backup history file PostgreSQL archives for a base backup begun ``offset`` bytes in."""

    segment: Segment
    offset: int

    def __str__(self) -> str:
        return f"{self.segment}.{self.offset:08X}.backup"


@dataclass(frozen=True, slots=True, order=True)
class HistoryFile:
    """The name of a timeline's history; its content is :class:`tui.barman.history.History`."""

    timeline: int

    def __str__(self) -> str:
        return f"{self.timeline:08X}.history"


WalFile: TypeAlias = Segment | Partial | BackupLabel | HistoryFile


class Stored(NamedTuple):
    """A WAL file as it lies in the archive: ``suffix`` is a key of ``compression.SUFFIXES``."""

    file: WalFile
    suffix: str


def per_directory(segment_size: int) -> int:
    """How many segments one log, and so one directory of the archive, holds."""
    return _LOG_SIZE // segment_size


def at(timeline: int, number: int, segment_size: int) -> Segment:
    """The segment with this number on this timeline."""
    return Segment(timeline, *divmod(number, per_directory(segment_size)))


def holding(timeline: int, lsn: Lsn, segment_size: int) -> Segment:
    """The segment that holds the byte at ``lsn``."""
    return at(timeline, lsn // segment_size, segment_size)


def directory_name(timeline: int, log: int) -> str:
    """The folder of a log, as barman-cloud-wal-archive names it."""
    return f"{timeline:08X}{log:08X}"


def parse_directory(name: str) -> tuple[int, int] | None:
    """Timeline and log of a folder's name, None for any other name. Timelines begin at 1."""
    found = _DIRECTORY.fullmatch(name)
    if found is None or found[1] == "00000000":
        return None
    return int(found[1], 16), int(found[2], 16)


def parse(name: str) -> Stored | None:
    """What the last part of a key names, None if it names no WAL file. No path, nothing around it."""
    found = _FILE.fullmatch(name)
    if found is None or (suffix := found["suffix"] or "") not in SUFFIXES:
        return None
    timeline = int(found["timeline"], 16)
    if timeline == 0:
        return None
    if found["log"] is None:
        return Stored(HistoryFile(timeline), suffix)
    segment = Segment(timeline, int(found["log"], 16), int(found["seg"], 16))
    if segment.seg >= SEGS:
        return None
    if found["kind"] is None:
        return Stored(segment, suffix)
    if found["offset"] is None:
        return Stored(Partial(segment), suffix)
    return Stored(BackupLabel(segment, int(found["offset"], 16)), suffix)


def segment(name: str) -> Segment:
    """The segment of this bare name, as backup.info and PostgreSQL give it. Raises ValueError."""
    stored = parse(name)
    if stored is None or not isinstance(stored.file, Segment) or stored.suffix:
        raise ValueError(f"{name!r} is not the name of a WAL segment")
    return stored.file


def parse_lsn(text: str) -> Lsn:
    """The LSN of its printed form, ``16/B374D848``. Raises ValueError."""
    found = _LSN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not an LSN")
    return (int(found[1], 16) << 32) + int(found[2], 16)


def print_lsn(lsn: Lsn) -> str:
    """The LSN as PostgreSQL prints it: two hex numbers without leading zeros."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
