"""What a sweep knows of a place: the catalog, and the small files read so far.

The catalog is a value that shards fold into from many sides. Folding a page takes milliseconds, so it
is done on one thread, one change at a time; the event loop only ever reads the latest value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from tui.barman import catalog, compression, history, info, seals, timelines, wal
from tui.barman.catalog import Catalog, DirectoryKey, Server
from tui.barman.compression import Undecodable
from tui.barman.history import History
from tui.barman.info import Info
from tui.barman.listing import Object, Page
from tui.cnpg.location import Place
from tui.live.changes import Folded

T = TypeVar("T")


@dataclass(slots=True)
class Read:
    """The small files of one server: what they say, and the ETag under which they said it."""

    infos: dict[str, tuple[str, Info | info.Unreadable]] = field(default_factory=dict)
    histories: dict[int, tuple[str, History | history.Unreadable]] = field(default_factory=dict)
    keeps: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By base backup, ``full`` or ``standalone``."""


class Known:
    """All that is known of one place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.catalog = catalog.empty(place.path)
        self.empty: set[tuple[str, DirectoryKey]] = set()
        """Folders that were named and held nothing when they were listed, by server: stores with real
        folders (SeaweedFS) keep naming them."""
        self._listed: dict[str, dict[DirectoryKey, datetime]] = {}
        """When each folder was listed whole, or first seen if that was later, by server."""
        self._read: dict[str, Read] = {}
        self._desk = ThreadPoolExecutor(1, thread_name_prefix="fold")

    def close(self) -> None:
        """Let the thread go."""
        self._desk.shutdown(wait=False, cancel_futures=True)

    def server(self, name: str) -> Server:
        """One server as it is known now."""
        return self.catalog.servers.get(name) or Server(name, {}, {}, {})

    def read(self, name: str) -> Read:
        """The small files of one server."""
        return self._read.setdefault(name, Read())

    def segment_size(self, name: str) -> int:
        """Bytes of a segment, as well as it is known."""
        infos = {id_: told for id_, (_, told) in self.read(name).infos.items()}
        return timelines.segment_size(self.server(name), infos)

    def below(self, name: str, tail: str) -> str:
        """The key prefix ``tail`` of a server."""
        return f"{self.catalog.root}{name}/{tail}"

    async def at_the_desk(self, work: Callable[[], T]) -> T:
        """Do something that takes milliseconds, after everything asked for before."""
        return await asyncio.get_running_loop().run_in_executor(self._desk, work)

    async def change(self, change: Callable[[Catalog], Catalog]) -> None:
        """Change the catalog."""

        def work() -> None:
            self.catalog = change(self.catalog)

        await self.at_the_desk(work)

    def drop(self, name: str) -> None:
        """Forget what small files said whose objects are gone."""
        server, read = self.server(name), self.read(name)
        read.infos = {id_: told for id_, told in read.infos.items() if id_ in server.bases}
        read.keeps = {
            id_: told
            for id_, told in read.keeps.items()
            if id_ in server.bases and server.bases[id_].keep is not None
        }
        read.histories = {
            timeline: told
            for timeline, told in read.histories.items()
            if timeline in server.histories
        }
        listed = self._listed.get(name, {})
        self._listed[name] = {key: at for key, at in listed.items() if key in server.directories}

    def folded(self, at: datetime) -> Folded:
        """It all as a fact."""
        read = dict(self._read)
        return Folded(
            place=self.place,
            catalog=self.catalog,
            infos={name: _told(each.infos) for name, each in read.items()},
            histories={name: _told(each.histories) for name, each in read.items()},
            standalone={
                name: frozenset(id_ for id_, (_, word) in each.keeps.items() if word == _STANDALONE)
                for name, each in read.items()
            },
            seals={name: seal for name in self._listed if (seal := seals.of(self.trusted(name)))},
            at=at,
        )

    def full(self, name: str, among: Iterable[DirectoryKey]) -> frozenset[DirectoryKey]:
        """Of these folders, those in which nothing changes any more: sealed, and neither the first of
        a timeline, of which retention takes segments away, nor its last."""
        server = self.server(name)
        return self._full(name, among, (*server.directories, *(server.unlisted or ())))

    def listed_whole(self, name: str, keys: Iterable[DirectoryKey], at: datetime) -> None:
        """All there is in these folders was seen at ``at``."""
        self._listed.setdefault(name, {}).update(dict.fromkeys(keys, at))

    def first_seen(self, name: str, keys: Iterable[DirectoryKey], at: datetime) -> None:
        """Something of these folders was seen, and more may come: they fill from look to look."""
        listed = self._listed.setdefault(name, {})
        for key in keys:
            listed.setdefault(key, at)

    def trusted(self, name: str) -> dict[DirectoryKey, datetime]:
        """Full folders, which most looks take on trust, and when each was listed."""
        server, listed = self.server(name), self._listed.get(name, {})
        # Not counting those that are only announced: some stores name folders that are empty.
        full = self._full(name, listed, server.directories)
        return {key: listed[key] for key in full}

    def stale(self, name: str) -> frozenset[DirectoryKey]:
        """Folders that every thorough look lists."""
        server = self.server(name)
        return (server.unlisted or frozenset()) | (server.directories.keys() - self.trusted(name))

    def torn(self, name: str, among: Iterable[DirectoryKey]) -> bool:
        """Whether one of these folders, all once full, has lost a segment that retention would not
        take: it begins with a timeline's first folder."""
        server, size = self.server(name), self.segment_size(name)
        left = (server.directories.keys() & set(among)) - _ends(server.directories)
        return any(not server.directories[key].sealed(size) for key in left)

    def _full(
        self, name: str, among: Iterable[DirectoryKey], there: Iterable[DirectoryKey]
    ) -> frozenset[DirectoryKey]:
        server, size = self.server(name), self.segment_size(name)
        ends = _ends(there)
        return frozenset(
            key
            for key in among
            if key not in ends
            and (held := server.directories.get(key)) is not None
            and held.sealed(size)
        )


def _ends(there: Iterable[DirectoryKey]) -> set[DirectoryKey]:
    """The first and the last folder of every timeline."""
    logs: dict[int, list[int]] = {}
    for timeline, log in there:
        logs.setdefault(timeline, []).append(log)
    return {(timeline, end) for timeline, all_ in logs.items() for end in (min(all_), max(all_))}


_STANDALONE = "standalone"

K = TypeVar("K")


def _told(read: Mapping[K, tuple[str, T]]) -> dict[K, T]:
    return {key: told for key, (_, told) in read.items()}


def named(names: Iterable[str]) -> Callable[[Catalog], Catalog]:
    """These are the server names there are below the place: others are gone, new ones are empty."""
    there = frozenset(names)

    def change(known: Catalog) -> Catalog:
        servers = {name: known.servers.get(name) or Server(name, {}, {}, {}) for name in there}
        return replace(known, servers={name: servers[name] for name in sorted(servers)})

    return change


def announced(name: str, folders: Iterable[str], page: Page) -> Callable[[Catalog], Catalog]:
    """A listing of ``wals/`` by delimiter: the folders, and the objects beside them (histories)."""
    there = tuple(folders)

    def change(known: Catalog) -> Catalog:
        return catalog.fold(catalog.announce(known, name, there), page)

    return change


def remembered(name: str, held: Iterable[Server]) -> Callable[[Catalog], Catalog]:
    """What was kept of a server from an earlier run."""

    def change(known: Catalog) -> Catalog:
        for server in held:
            known = catalog.merge(known, replace(known, servers={name: server}))
        return known

    return change


def listed(below: str, part: Catalog) -> Callable[[Catalog], Catalog]:
    """``part`` is all there is below a prefix."""

    def change(known: Catalog) -> Catalog:
        return catalog.relisted(known, below, part)

    return change


def added(part: Catalog) -> Callable[[Catalog], Catalog]:
    """``part`` has been seen."""

    def change(known: Catalog) -> Catalog:
        return catalog.merge(known, part)

    return change


def told_info(content: bytes) -> Info | info.Unreadable:
    """A backup.info."""
    return info.parse(content)


def told_history(content: bytes, seen: Object, timeline: int) -> History | history.Unreadable:
    """A timeline history, compressed or not."""
    stored = wal.parse(seen.name)
    try:
        plain = compression.decompress(content, stored.suffix if stored else "")
    except Undecodable as error:
        return history.Unreadable(timeline, str(error))
    return history.parse(plain, timeline)
