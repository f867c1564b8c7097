"""Listing pages -> what lies below a destination path: servers, base backups, WAL directories.

Values, never changed in place: each function gives a new catalog that shares all but what it touched.
Pages may come in any order, from any number of shards, and more than once. A page only ever adds;
that something is gone is said by :func:`announce` (which folders exist) and :func:`relisted` (what
lies below a prefix, whole).

Key layout: Barman ``cloud.py``, ``clients/cloud_walarchive.py``.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from tui import words
from tui.barman import directory, wal
from tui.barman.compression import SUFFIXES
from tui.barman.directory import Directory, Hour
from tui.barman.info import Info
from tui.barman.listing import Listed, Object, Page, newer
from tui.barman.wal import HistoryFile, Segment

DirectoryKey = tuple[int, int]
"""Timeline and log."""

UNKNOWN_KEPT = 10_000
"""Unknown keys remembered; beyond that their number is only known to be larger."""

_ARCHIVE = re.compile(
    r"(?:data|(?P<oid>\d{1,10}))(?:_(?P<part>\d{4,}))?\.tar(?P<suffix>\.[a-z0-9]+)?"
)
_BACKUP_ID = re.compile(r"\d{8}T\d{6}")
_INFO = "backup.info"
_KEEP = "annotations/keep"
_FOLDERS = re.compile(r"[0-9A-F]{16}/|[0-9A-F]{0,16}")
"""How the names of WAL folders begin, or one name whole."""
_MOST = 0xFFFFFFFF


class Archive(NamedTuple):
    """One tar of a base backup. ``oid`` None is PGDATA; ``part`` counts from 0."""

    oid: int | None
    part: int
    suffix: str
    object: Object


@dataclass(frozen=True, slots=True)
class Base:
    """What lies under ``base/<id>/``. Its backup.info is read separately (:mod:`tui.barman.info`)."""

    id: str
    objects: tuple[Object, ...]
    """By name below the folder; only names Barman writes."""

    @property
    def info(self) -> Object | None:
        """The object holding backup.info."""
        return next((each for each in self.objects if each.name == _INFO), None)

    @property
    def keep(self) -> Object | None:
        """The annotation that exempts it from retention; its content is ``full`` or ``standalone``."""
        return next((each for each in self.objects if each.name == _KEEP), None)

    @property
    def archives(self) -> tuple[Archive, ...]:
        """Its tars."""
        found = ((_ARCHIVE.fullmatch(each.name), each) for each in self.objects)
        return tuple(
            Archive(
                int(oid) if (oid := at["oid"]) else None,
                int(at["part"] or 0),
                at["suffix"] or "",
                each,
            )
            for at, each in found
            if at is not None
        )

    @property
    def size(self) -> int:
        """Bytes of all its objects."""
        return sum(each.size for each in self.objects)

    @property
    def compressions(self) -> tuple[str, ...]:
        """How its tars are compressed, in words; normally one."""
        return tuple(sorted({SUFFIXES[archive.suffix] for archive in self.archives}))

    @property
    def newest(self) -> datetime:
        """LastModified of the object that was written last."""
        return max(each.modified for each in self.objects)

    def missing(self, info: Info) -> tuple[str, ...]:
        """Tars a restore would ask for and not find: PGDATA, a tablespace, a part before the last.

        An empty one is none: even a tar of nothing has a kilobyte.
        """
        parts: dict[int | None, int] = {None: 0}
        parts |= {tablespace.oid: 0 for tablespace in info.tablespaces}
        for archive in self.archives:
            parts[archive.oid] = max(archive.part, parts.get(archive.oid, 0))
        there = {(each.oid, each.part) for each in self.archives if each.object.size}
        return tuple(
            f"{'data' if oid is None else oid}{f'_{part:04}' if part else ''}.tar"
            for oid, last in parts.items()
            for part in range(last + 1)
            if (oid, part) not in there
        )


class Archived(NamedTuple):
    """A segment and when it was archived."""

    segment: Segment
    at: datetime


@dataclass(frozen=True, slots=True)
class Server:
    """All that lies under one server name."""

    name: str
    bases: Mapping[str, Base]
    directories: Mapping[DirectoryKey, Directory]
    histories: Mapping[int, Object]
    """By timeline."""
    unlisted: frozenset[DirectoryKey] | None = None
    """Folders known to exist that have not been listed whole, so that nothing in them is missing.
    None: which folders exist has not been asked, and no segment at all can be called missing."""
    bases_listed: bool = False
    """Whether ``base/`` has been listed whole: before, no base backup can be called absent."""

    @property
    def segments(self) -> int:
        """Segments in the archive; one stored twice counts once."""
        return sum(each.segments for each in self.directories.values())

    @property
    def segments_size(self) -> int:
        """Bytes of the segments alone, as stored."""
        return sum(
            each.size - sum(other.size for other in each.others)
            for each in self.directories.values()
        )

    @property
    def wal_size(self) -> int:
        """Bytes below ``wals/``."""
        histories = sum(history.size for history in self.histories.values())
        return histories + sum(each.size for each in self.directories.values())

    @property
    def base_size(self) -> int:
        """Bytes below ``base/``."""
        return sum(base.size for base in self.bases.values())

    @property
    def timelines(self) -> tuple[int, ...]:
        """Timelines that have WAL or a history here, ascending."""
        return tuple(sorted({timeline for timeline, _ in self.directories} | self.histories.keys()))

    @property
    def last_archived(self) -> Archived | None:
        """The newest segment by name, on the newest timeline that has any.

        By name, because LastModified does not grow with it: a promoted standby archives segments of
        the old timeline again.
        """
        for key in sorted(self.directories, reverse=True):
            last = self.directories[key].last
            if last is not None and (at := self.modified(last)) is not None:
                return Archived(last, at)
        return None

    @property
    def hours(self) -> tuple[Hour, ...]:
        """WAL by the hour it was archived in, ascending; hours without any are left out."""
        found: dict[int, tuple[int, int]] = {}
        for each in self.directories.values():
            for hour, segments, size in each.hours:
                count, total = found.get(hour, (0, 0))
                found[hour] = count + segments, total + size
        return tuple((hour, *found[hour]) for hour in sorted(found))

    def modified(self, segment: Segment) -> datetime | None:
        """When this segment was archived, None if it is not there."""
        held = self.directories.get((segment.timeline, segment.log))
        return None if held is None else held.modified(segment.seg)

    def partial(self, segment: Segment) -> Object | None:
        """The partial copy of this segment, if there is one."""
        held = self.directories.get((segment.timeline, segment.log))
        found = () if held is None else held.partials
        return next((each for of, each in found if of == segment), None)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Keys that fit nothing Barman writes, and those of empty segments.

    Past :data:`UNKNOWN_KEPT` the first by name are kept.
    """

    keys: frozenset[str] = frozenset()
    more: bool = False

    @property
    def samples(self) -> tuple[str, ...]:
        """A few of them, fit for a screen."""
        return tuple(words.clean(key) for key in heapq.nsmallest(5, self.keys))


@dataclass(frozen=True, slots=True)
class Catalog:
    """What lies below a destination path. ``root`` is the path as keys begin, ``""`` or ``a/b/``."""

    root: str
    servers: Mapping[str, Server]
    unknown: Unknown


def empty(path: str) -> Catalog:
    """The catalog of a destination of which nothing has been listed; ``path`` is the URL's path."""
    root = path.lstrip("/")
    return Catalog(root if root.endswith("/") or not root else f"{root}/", {}, Unknown())


def fold(catalog: Catalog, page: Page) -> Catalog:
    """The catalog with what a page shows. Where a key was seen before, the later LastModified holds."""
    return merge(catalog, _Reading(catalog.root).read(page))


def merge(one: Catalog, other: Catalog) -> Catalog:
    """What two catalogs of the same destination know together. Cheap where they share nothing."""
    if one.root != other.root:
        raise ValueError(f"catalogs of {one.root!r} and {other.root!r} do not add up")
    servers = dict(one.servers)
    for name, server in other.servers.items():
        mine = servers.get(name)
        servers[name] = server if mine is None else _merge_servers(mine, server)
    keys = one.unknown.keys | other.unknown.keys if other.unknown.keys else one.unknown.keys
    return Catalog(one.root, servers, _unknown(keys, more=one.unknown.more or other.unknown.more))


def announce(catalog: Catalog, server: str, folders: Iterable[str]) -> Catalog:
    """A listing of ``<server>/wals/`` by delimiter named exactly these folders.

    What is known of others is dropped (retention deleted them); new ones are noted as not yet listed.
    Names that are no WAL folder's count as unknown keys.
    """
    known = catalog.servers.get(server, Server(server, {}, {}, {}))
    keys = {name: wal.parse_directory(name) for name in folders}
    named = {key for key in keys.values() if key is not None}
    odd = {f"{catalog.root}{server}/wals/{name}/" for name, key in keys.items() if key is None}
    kept = {key: held for key, held in known.directories.items() if key in named}
    unlisted = (named - kept.keys()) | (named & (known.unlisted or frozenset()))
    servers = dict(catalog.servers)
    servers[server] = replace(known, directories=kept, unlisted=frozenset(unlisted))
    unknown = _unknown(catalog.unknown.keys | odd, more=catalog.unknown.more)
    return Catalog(catalog.root, servers, unknown)


def relisted(catalog: Catalog, below: str, part: Catalog) -> Catalog:
    """``part`` is all there is below the key prefix ``below``: what was known there before is dropped.

    A folder that only partly lies below the prefix keeps what it had.
    """
    left = {name: _without(catalog.root, each, below) for name, each in catalog.servers.items()}
    keys = frozenset(key for key in catalog.unknown.keys if not key.startswith(below))
    whole = merge(Catalog(catalog.root, left, replace(catalog.unknown, keys=keys)), part)
    servers = {}
    for name, server in whole.servers.items():
        place = f"{catalog.root}{name}/"
        if f"{place}wals/".startswith(below):
            server = replace(server, unlisted=frozenset())
        if f"{place}base/".startswith(below):
            server = replace(server, bases_listed=True)
        # A server all of which lies below the prefix and of which nothing is left is gone.
        if not place.startswith(below) or server.bases or server.directories or server.histories:
            servers[name] = server
    return replace(whole, servers=servers)


def _without(root: str, server: Server, below: str) -> Server:
    base, wals = f"{root}{server.name}/base/", f"{root}{server.name}/wals/"
    low, high = _folders_below(wals, below)
    return replace(
        server,
        bases={
            id_: held for id_, held in server.bases.items() if not f"{base}{id_}/".startswith(below)
        },
        directories={
            key: held for key, held in server.directories.items() if not low <= key <= high
        },
        histories={
            timeline: held
            for timeline, held in server.histories.items()
            if not f"{wals}{held.name}".startswith(below)
        },
        unlisted=None
        if server.unlisted is None
        else frozenset(key for key in server.unlisted if not low <= key <= high),
    )


def _folders_below(wals: str, below: str) -> tuple[DirectoryKey, DirectoryKey]:
    """The first and the last folder there can be wholly below a key prefix; last < first: none.

    Numbers, not names: a sweep asks this of every folder for every prefix it lists.
    """
    if wals.startswith(below):
        return (0, 0), (_MOST, _MOST)
    digits = _FOLDERS.fullmatch(below.removeprefix(wals)) if below.startswith(wals) else None
    if digits is None:
        return (1, 0), (0, 0)
    low, high = (digits[0].rstrip("/").ljust(16, digit) for digit in "0F")
    return (int(low[:8], 16), int(low[8:], 16)), (int(high[:8], 16), int(high[8:], 16))


def _merge_servers(one: Server, other: Server) -> Server:
    bases = dict(one.bases)
    for id_, base in other.bases.items():
        mine = bases.get(id_)
        bases[id_] = base if mine is None else _base(id_, (*mine.objects, *base.objects))
    directories = dict(one.directories)
    for key, held in other.directories.items():
        had = directories.get(key)
        directories[key] = held if had is None else directory.merge(had, held)
    histories = dict(one.histories)
    for timeline, history in other.histories.items():
        histories[timeline] = newer(history, histories.get(timeline, history))
    return Server(
        one.name,
        bases,
        directories,
        histories,
        _either(one.unlisted, other.unlisted),
        one.bases_listed or other.bases_listed,
    )


def _either(
    one: frozenset[DirectoryKey] | None, other: frozenset[DirectoryKey] | None
) -> frozenset[DirectoryKey] | None:
    if one is None or other is None:
        return other if one is None else one
    return one | other


def _base(id_: str, objects: Iterable[Object]) -> Base:
    named: dict[str, Object] = {}
    for each in objects:
        named[each.name] = newer(each, named.get(each.name, each))
    return Base(id_, tuple(named[name] for name in sorted(named)))


def _unknown(keys: frozenset[str], *, more: bool) -> Unknown:
    if len(keys) <= UNKNOWN_KEPT:
        return Unknown(keys, more)
    # The first by name, so that the order of pages makes no difference.
    return Unknown(frozenset(heapq.nsmallest(UNKNOWN_KEPT, keys)), more=True)


_SEGS = {f"{seg:08X}": seg for seg in range(wal.SEGS)}
"""The last eight digits of every possible segment name; four times as fast as ``int`` and stricter."""


class _Folder:
    """A WAL folder while a page is being read."""

    __slots__ = ("others", "seen")

    def __init__(self) -> None:
        self.seen: dict[str, dict[int, Listed]] = {suffix: {} for suffix in SUFFIXES}
        self.others: list[Object] = []


class _Reading:
    """Reads one page. Mutable, lives as long as the page."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._folders: dict[tuple[str, int, int], _Folder] = {}
        self._bases: dict[tuple[str, str], list[Object]] = {}
        self._histories: dict[str, dict[int, Object]] = {}
        self._unknown: set[str] = set()
        # The folder of the last key and how the names of its segments begin.
        self._folder = _Folder()
        self._stem = "\0"

    def read(self, page: Page) -> Catalog:
        """The catalog of this page alone."""
        # A million keys pass here, nearly all of them segments of the folder the last key was in.
        stem, seen, cut = self._stem, self._folder.seen, 1
        for row in page:
            key = row[0]
            if key.startswith(stem):
                seg = _SEGS.get(key[cut : cut + 8])
                column = seen.get(key[cut + 8 :])
                if seg is not None and column is not None and row[1]:
                    if column.setdefault(seg, row) is not row:
                        column[seg] = max(column[seg], row, key=_freshness)
                    continue
            self._place(row)
            stem, seen, cut = self._stem, self._folder.seen, len(self._stem)
        return self._catalog()

    def _place(self, row: Listed) -> None:
        key = row[0]
        rest = key.removeprefix(self._root) if key.startswith(self._root) else ""
        server, _, rest = rest.partition("/")
        kind, _, rest = rest.partition("/")
        placed = False
        # A server name moves no cursor; one with control characters is not a name.
        if server and server.isprintable():
            if kind == "wals":
                placed = self._place_wal(server, rest, row)
            elif kind == "base":
                placed = self._place_base(server, rest, row)
        if not placed:
            self._unknown.add(key)

    def _place_wal(self, server: str, rest: str, row: Listed) -> bool:
        folder, _, name = rest.rpartition("/")
        stored = wal.parse(name)
        if stored is None:
            return False
        if isinstance(stored.file, HistoryFile):
            if rest != name:
                return False
            seen, timeline = Object(name, *row[1:]), stored.file.timeline
            held = self._histories.setdefault(server, {})
            held[timeline] = newer(seen, held.get(timeline, seen))
            return True
        segment = stored.file if isinstance(stored.file, Segment) else stored.file.segment
        if segment.directory != folder:
            return False
        if isinstance(stored.file, Segment) and not row[1]:
            return False  # PostgreSQL refuses an empty one: it is as good as missing
        key = (server, segment.timeline, segment.log)
        self._folder = self._folders.setdefault(key, _Folder())
        self._stem = f"{self._root}{server}/wals/{folder}/{folder}"
        if isinstance(stored.file, Segment):
            column = self._folder.seen[stored.suffix]
            column[segment.seg] = max(row, column.get(segment.seg, row), key=_freshness)
        else:
            self._folder.others.append(Object(name, *row[1:]))
        return True

    def _place_base(self, server: str, rest: str, row: Listed) -> bool:
        id_, _, name = rest.partition("/")
        if _BACKUP_ID.fullmatch(id_) is None or not _is_base_object(name):
            return False
        self._bases.setdefault((server, id_), []).append(Object(name, *row[1:]))
        return True

    def _catalog(self) -> Catalog:
        directories: dict[str, dict[DirectoryKey, Directory]] = {}
        for (server, timeline, log), folder in self._folders.items():
            built = directory.build(timeline, log, folder.seen, folder.others)
            directories.setdefault(server, {})[timeline, log] = built
        bases: dict[str, dict[str, Base]] = {}
        for (server, id_), objects in self._bases.items():
            bases.setdefault(server, {})[id_] = _base(id_, objects)
        names = directories.keys() | bases.keys() | self._histories.keys()
        servers = {
            name: Server(
                name, bases.get(name, {}), directories.get(name, {}), self._histories.get(name, {})
            )
            for name in sorted(names)
        }
        return Catalog(self._root, servers, _unknown(frozenset(self._unknown), more=False))


def _freshness(row: Listed) -> tuple[datetime, int]:
    return row[2], row[1]


def _is_base_object(name: str) -> bool:
    if name == _INFO:
        return True
    if name.startswith("annotations/"):
        return name.count("/") == 1 and name.isprintable() and not name.endswith("/")
    archive = _ARCHIVE.fullmatch(name)
    return archive is not None and (archive["suffix"] or "") in SUFFIXES
