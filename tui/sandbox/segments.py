"""Names and positions of WAL, as PostgreSQL counts them. The sandbox's own sums, on purpose.

A position (LSN) is an int: bytes since the cluster began. A segment is told by its number,
`position // segment_size`, and its timeline. (PostgreSQL: src/include/access/xlog_internal.h)
"""

from __future__ import annotations

DEFAULT_SIZE = 16 * 1024 * 1024
"""Bytes of a WAL segment unless initdb was told otherwise."""

PAGE_HEADER = 0x28
"""Bytes of the long page header that opens every segment: the first record stands after it."""

_LOG = 1 << 32


def name(timeline: int, number: int, size: int = DEFAULT_SIZE) -> str:
    """The file name of segment `number`: timeline, log and segment, eight hex digits each."""
    log, segment = divmod(number, _LOG // size)
    return f"{timeline:08X}{log:08X}{segment:08X}"


def directory(segment_name: str) -> str:
    """The folder under `wals/` in which barman keeps a segment and what belongs to it."""
    return segment_name[:16]


def lsn(position: int) -> str:
    """A position as PostgreSQL prints it: `1A/2B000028`."""
    high, low = divmod(position, _LOG)
    return f"{high:X}/{low:X}"


def history_name(timeline: int) -> str:
    """The file that says where a timeline left its parent."""
    return f"{timeline:08X}.history"


def label_name(timeline: int, begin: int, size: int = DEFAULT_SIZE) -> str:
    """The backup history file PostgreSQL writes when a base backup of a primary stops."""
    return f"{name(timeline, begin // size, size)}.{begin % size:08X}.backup"
