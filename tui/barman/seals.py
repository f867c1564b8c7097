"""Which full WAL folders are taken on trust, since when, and when they are looked into again.

Nothing can be added to a folder that has all its segments, so it is not listed at every look. But a
segment of it may be deleted, and nothing would say so: each is listed again within a day.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tui.barman import wal
from tui.barman.catalog import DirectoryKey

TRUST = timedelta(hours=12)
"""For so long no full folder is listed again, and for twice as long at most."""
MOST = 400
"""Folders of a server that one look lists again; of the usual segment size, 125 requests."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The full folders of a server that the last look took on trust."""

    folders: int
    since: datetime
    """When the one listed longest ago was listed."""


def of(listed: Mapping[DirectoryKey, datetime]) -> Seal | None:
    """The seal on these folders, by when they were listed; None where there is none."""
    return Seal(len(listed), min(listed.values())) if listed else None


def due(listed: Mapping[DirectoryKey, datetime], now: datetime) -> list[DirectoryKey]:
    """The folders to list again, longest trusted first: all that are due, not only :data:`MOST`."""
    waiting = [(at, key) for key, at in listed.items() if not at <= now < at + _trusted(key)]
    return [key for _, key in sorted(waiting)]


def _trusted(key: DirectoryKey) -> timedelta:
    """Folders listed at one moment come due at many, and neighbours, which one prefix lists, at one."""
    neighbours = wal.directory_name(*key)[:-1]
    return TRUST * (1 + zlib.crc32(neighbours.encode()) / (1 << 32))
