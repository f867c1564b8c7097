"""What an outline of a store is made of: lines, and what every part of it needs to write its own."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from tui.barman.path import Piece
from tui.cnpg.location import Place
from tui.cnpg.manifest import BACKUPS, CLUSTERS, Key
from tui.live.changes import Folded
from tui.live.estate import Estate
from tui.verdict.level import Level
from tui.verdict.witnesses import Film

LineKey: TypeAlias = tuple[str, ...]
"""What a line stands for: its kind, then its path from the place down."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``size`` in bytes, None for not known; ``level`` colours the state."""

    key: LineKey
    depth: int
    name: str
    place: Place
    server: str = ""
    count: str = ""
    size: int | None = None
    newest: datetime | None = None
    state: str = ""
    level: Level | None = None
    url: str = ""
    opens: bool = True
    about: str = ""
    """What the line has no room for."""
    missing: Piece | None = None
    """What of the main path is missing here."""

    @property
    def kind(self) -> str:
        """What it stands for, in a word."""
        return self.key[0]

    @property
    def is_hole(self) -> bool:
        """Whether it stands for missing segments."""
        return self.kind == "hole"

    @property
    def object_key(self) -> str:
        """The key in the bucket, ``""`` for what has none."""
        return self.url.removeprefix(f"s3://{self.place.bucket}/") if self.url else ""


@dataclass(frozen=True, slots=True)
class View:
    """What every part of the outline below a place needs."""

    estate: Estate
    fold: Folded
    opened: Set[LineKey]
    now: datetime

    @property
    def place(self) -> Place:
        return self.fold.place

    @property
    def clusters_known(self) -> bool:
        """Whether the server has told its Clusters: before, no server name can be called unused."""
        return self.estate.heard(CLUSTERS)

    @property
    def backups_known(self) -> bool:
        """Whether the server has told its Backups: before, no base backup can be called unclaimed."""
        return self.estate.heard(BACKUPS)

    def film(self, server: str) -> Film | None:
        found = self.estate.archives.film(self.place, server)
        return found if isinstance(found, Film) else None

    def users(self, server: str) -> list[Key]:
        """The clusters that archive under this server name."""
        return self.estate.users(self.place, server)

    def uploads(self, below: str) -> list[tuple[str, datetime]]:
        """Keys below this one that are being uploaded, or were given up, and since when."""
        described = self.estate.archives.described.get(self.place)
        found = getattr(described.uploads, "found", ()) if described is not None else ()
        root = self.fold.catalog.root
        return [
            (upload.key.removeprefix(root), upload.initiated)
            for upload in found
            if upload.key.startswith(f"{root}{below}")
        ]
