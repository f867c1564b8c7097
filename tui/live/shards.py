"""Which prefixes to list so that every wanted WAL folder is listed whole, with few requests.

A page holds at most a thousand keys, and a folder of the usual segment size 256: sixteen neighbours,
which share all digits but the last, take five pages instead of sixteen. Prefixes, not start keys:
stores disagree about those (R2 was seen to answer oddly, geesefs issue 56).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tui.barman import wal
from tui.barman.catalog import DirectoryKey

PAGE = 1000
"""Keys in a page, at most."""

_LONGEST = 5 * PAGE
"""Keys one shard may have: its pages come one after the other."""

_TIMELINE_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Shard:
    """A prefix below ``wals/`` and the folders it lists whole."""

    prefix: str
    folders: frozenset[DirectoryKey]


def plan(
    wanted: Collection[DirectoryKey], there: Collection[DirectoryKey], per_directory: int
) -> tuple[Shard, ...]:
    """Shards that cover ``wanted``, newest first; ``there`` are all folders of the archive."""
    digits, span = 16, 1
    while span * 16 * per_directory <= _LONGEST and digits > _TIMELINE_DIGITS + 1:
        digits, span = digits - 1, span * 16
    groups: dict[str, list[DirectoryKey]] = {}
    for key in wanted:
        groups.setdefault(wal.directory_name(*key)[:digits], []).append(key)
    held: dict[str, int] = {}
    for key in there:
        prefix = wal.directory_name(*key)[:digits]
        held[prefix] = held.get(prefix, 0) + 1
    shards: list[Shard] = []
    for prefix, keys in groups.items():
        together = _pages(max(held.get(prefix, 0), len(keys)) * per_directory)
        if together < len(keys) * _pages(per_directory):
            shards.append(Shard(prefix, frozenset(keys)))
        else:
            shards += [Shard(f"{wal.directory_name(*key)}/", frozenset({key})) for key in keys]
    return tuple(sorted(shards, key=_prefix, reverse=True))


def _pages(keys: int) -> int:
    return -(-keys // PAGE)


def _prefix(shard: Shard) -> str:
    return shard.prefix
