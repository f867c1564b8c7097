"""What a listing page says of one object: four plain values, in the order S3 gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

Listed: TypeAlias = tuple[str, int, datetime, str]
"""Key, size in bytes, LastModified (with its zone), ETag."""

Page: TypeAlias = Sequence[Listed]


@dataclass(frozen=True, slots=True)
class Object:
    """One object worth remembering by itself (not a segment): its name below its folder."""

    name: str
    size: int
    modified: datetime
    etag: str
    """Tells whether it was overwritten: backup.info is uploaded twice under one key."""


def newer(one: Object, other: Object) -> Object:
    """Which of two sightings of a key to believe: the one modified last, whatever order they came in."""
    return max(one, other, key=_freshness)


def _freshness(seen: Object) -> tuple[datetime, int, str]:
    return seen.modified, seen.size, seen.etag
