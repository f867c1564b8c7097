"""What was seen before, in the user's cache folder: full WAL folders, and small files by their ETag.

A cache and nothing more: it may be deleted at any moment, two instances may share it, and a file that
cannot be read is set aside and begun anew. No credentials come here. SQLite in WAL mode survives
``kill -9``; what the last second kept may be lost with the machine, and is then listed again.

Losses a user has acknowledged are no cache: :class:`Losses` keeps them in the data folder, as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from platformdirs import user_cache_path, user_data_path

from tui.barman import wal
from tui.barman.catalog import DirectoryKey
from tui.barman.directory import Row
from tui.barman.path import Loss
from tui.cnpg.location import Place

_log = logging.getLogger(__name__)

T = TypeVar("T")

_VERSION = 2
"""``user_version`` of the schema; a file of any other version is begun anew."""

_SCHEMA = f"""
CREATE TABLE directory (
  place TEXT NOT NULL, server TEXT NOT NULL, timeline INTEGER NOT NULL, log INTEGER NOT NULL,
  layout TEXT NOT NULL, columns BLOB NOT NULL, listed INTEGER NOT NULL,
  PRIMARY KEY (place, server, timeline, log)
) WITHOUT ROWID;
CREATE TABLE text (
  place TEXT NOT NULL, key TEXT NOT NULL, etag TEXT NOT NULL, content BLOB NOT NULL,
  PRIMARY KEY (place, key)
) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""

_BUSY = 2.0
"""Seconds to wait for another instance that is writing."""


class Memory:
    """The cache. Nothing here raises: what cannot be kept or recalled is asked of the store again."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or user_cache_path("cnpg-tui") / "archive.sqlite"
        self._connection: sqlite3.Connection | None = None
        self._broken = False
        self._turn = threading.RLock()
        """Every sweep comes from a thread of its own; a connection takes one at a time."""

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def directories(self, place: Place, server: str) -> tuple[tuple[Row, datetime], ...]:
        """The full folders of a server, and when each was listed."""

        def recall(connection: sqlite3.Connection) -> tuple[tuple[Row, datetime], ...]:
            rows = connection.execute(
                "SELECT timeline, log, layout, columns, listed FROM directory "
                "WHERE place = ? AND server = ?",
                (_name(place), server),
            )
            return tuple((tuple(row), datetime.fromtimestamp(at, UTC)) for *row, at in rows)

        return self._try(recall, ())

    def keep_directories(
        self, place: Place, server: str, rows: Iterable[Row], listed: datetime
    ) -> None:
        """Remember full folders, and that they were listed at this moment."""

        def keep(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO directory VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(_name(place), server, *row, int(listed.timestamp())) for row in rows],
            )

        self._try(keep, None)

    def forget_directories(self, place: Place, server: str, keys: Iterable[DirectoryKey]) -> None:
        """Forget folders that are gone, or no longer full."""

        def forget(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "DELETE FROM directory WHERE place = ? AND server = ? AND timeline = ? AND log = ?",
                [(_name(place), server, *key) for key in keys],
            )

        self._try(forget, None)

    def text(self, place: Place, key: str, etag: str) -> bytes | None:
        """A small object, if it was kept under this ETag."""

        def recall(connection: sqlite3.Connection) -> bytes | None:
            found = connection.execute(
                "SELECT content FROM text WHERE place = ? AND key = ? AND etag = ?",
                (_name(place), key, etag),
            ).fetchone()
            return None if found is None else bytes(found[0])

        return self._try(recall, None)

    def keep_text(self, place: Place, key: str, etag: str, content: bytes) -> None:
        """Remember a small object."""

        def keep(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO text VALUES (?, ?, ?, ?)",
                (_name(place), key, etag, content),
            )

        self._try(keep, None)

    def _try(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        if self._broken:
            return otherwise
        try:
            with self._turn, self._open() as connection:
                return work(connection)
        except sqlite3.OperationalError as error:
            # Another instance holds it for long, or the disk is full: next time perhaps.
            _log.warning("the cache %s cannot be used just now: %s", self.path, error)
            return otherwise
        except (sqlite3.DatabaseError, OSError) as error:
            self._begin_anew(error)
            return otherwise

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.touch(mode=0o600)
            connection = sqlite3.connect(self.path, timeout=_BUSY, check_same_thread=False)
            try:
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _begin_anew(self, error: Exception) -> None:
        """Set a file aside that is no cache of ours; the second time do without."""
        _log.warning("the cache %s cannot be read and is begun anew: %s", self.path, error)
        with self._turn:
            self.close()
            aside = self.path.with_suffix(".broken")
            try:
                self.path.replace(aside)
                for suffix in ("-wal", "-shm"):
                    Path(f"{self.path}{suffix}").unlink(missing_ok=True)
                self._open()
            except (sqlite3.Error, OSError) as again:
                _log.warning("no cache will be kept: %s", again)
                self._broken = True


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == _VERSION:
        return
    # Immediate, so that of two instances that start together one makes the tables.
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
            return
        for table in ("directory", "text"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)


def _name(place: Place) -> str:
    return f"{place.endpoint_url} {place}"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A loss a user has said is known: why, and when that was said."""

    loss: Loss
    why: str
    at: datetime


class Losses:
    """Acknowledged losses, by archive: a small JSON file for people to read, and to edit."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or user_data_path("cnpg-tui") / "acknowledged-losses.json"

    def of(self, place: Place, server: str) -> tuple[Acknowledged, ...]:
        """What was acknowledged of one server name. Raises ValueError for a file it cannot read."""
        return self._load().get(_archive(place, server), ())

    def acknowledge(self, place: Place, server: str, entry: Acknowledged) -> None:
        """Add one. Raises ValueError for a file it cannot read, OSError."""
        known = self._load()
        rest = [each for each in known.get(_archive(place, server), ()) if each.loss != entry.loss]
        known[_archive(place, server)] = (*rest, entry)
        self._store(known)

    def _load(self) -> dict[str, tuple[Acknowledged, ...]]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        try:
            return {
                archive: tuple(_acknowledged(entry) for entry in entries)
                for archive, entries in json.loads(text).items()
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self.path} cannot be read ({error}). Mend it, or move it away to begin anew"
            ) from error

    def _store(self, known: dict[str, tuple[Acknowledged, ...]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        document = {
            archive: [
                {
                    "first": str(each.loss.first),
                    "last": str(each.loss.last),
                    "why": each.why,
                    "at": each.at.isoformat(),
                }
                for each in entries
            ]
            for archive, entries in sorted(known.items())
            if entries
        }
        # Beside it and then over it, so that a reader never sees half a file.
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".losses-")  # mode 0600
        with closing(os.fdopen(handle, "w", encoding="utf-8")) as file:
            json.dump(document, file, indent=2)
            file.write("\n")
        Path(name).replace(self.path)


def _archive(place: Place, server: str) -> str:
    return f"{place}/{server} at {place.endpoint_url or 'AWS'}"


def _acknowledged(entry: Any) -> Acknowledged:
    loss = Loss(wal.segment(entry["first"]), wal.segment(entry["last"]))
    return Acknowledged(loss, str(entry["why"]), datetime.fromisoformat(entry["at"]))
