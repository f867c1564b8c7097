"""One look at a place: what is there, newest first, with as few requests as can be.

A thorough look names the servers, lists the folders of ``wals/`` and then every folder that may have
changed; full folders it takes on trust until they are due (:mod:`tui.barman.seals`), unless it is
deep. A quick look sends three requests a server: what came behind the newest segments, which folders
there are, and ``base/``. Both read the small files whose ETag is new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Set
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Protocol, TypeVar

from tui import faults
from tui.barman import catalog, directory, seals, wal
from tui.barman.catalog import Base, Catalog, DirectoryKey, Server
from tui.barman.directory import Directory, Row
from tui.barman.info import Unreadable
from tui.barman.listing import Listed, Object, Page
from tui.barman.path import PATIENCE
from tui.barman.s3 import Answer, Requests, Rule, Uploads
from tui.cnpg.location import Place
from tui.live import known, shards
from tui.live.known import Known
from tui.live.pace import Pace
from tui.live.shards import Shard

T = TypeVar("T")

TRIES = 4
"""How often a request is sent before the look is given up."""

LONG = timedelta(seconds=30)
"""The newest is listed first: after a look that took longer, what came meanwhile is looked for too, for
its end is the moment that what was seen is called true at."""

SMALL = 1 << 18
"""Bytes a backup.info or a history may have in the store."""


class Bucket(Protocol):
    """The port to a store; ``wire.bucket.Bucket`` fits it. Everything raises ``faults.Fault``."""

    @property
    def identity(self) -> str: ...
    @property
    def requests(self) -> Requests: ...
    @property
    def skew(self) -> timedelta | None: ...

    async def list(
        self, prefix: str, *, delimiter: str = "", start_after: str = "", token: str = ""
    ) -> Answer:
        """One page of the keys below ``prefix``."""
        ...

    async def get(self, key: str, *, at_most: int) -> bytes:
        """A small object."""
        ...

    async def uploads(self, prefix: str) -> Uploads:
        """Multipart uploads under way below ``prefix``."""
        ...

    async def rules(self) -> tuple[Rule, ...]:
        """The lifecycle rules."""
        ...

    async def versioning(self) -> str:
        """``Enabled``, ``Suspended`` or ``""``."""
        ...

    async def close(self) -> None:
        """Let go of the store."""
        ...


class Memory(Protocol):
    """The port to what was seen before; ``wire.memory.Memory`` fits it.

    Called on threads that are not the event loop's, several at a time. It never raises: what cannot
    be remembered is listed again.
    """

    def directories(self, place: Place, server: str) -> tuple[tuple[Row, datetime], ...]:
        """The full folders of a server, and when each was listed."""
        ...

    def keep_directories(
        self, place: Place, server: str, rows: Iterable[Row], listed: datetime
    ) -> None:
        """Remember full folders, and that they were listed at this moment."""
        ...

    def forget_directories(self, place: Place, server: str, keys: Iterable[DirectoryKey]) -> None:
        """Forget folders that are gone, or no longer full."""
        ...

    def text(self, place: Place, key: str, etag: str) -> bytes | None:
        """A small object, if it was kept under this ETag."""
        ...

    def keep_text(self, place: Place, key: str, etag: str, content: bytes) -> None:
        """Remember a small object."""
        ...


class Look:
    """One look. ``progress`` is called whenever there is more to show."""

    def __init__(
        self,
        bucket: Bucket,
        known: Known,
        memory: Memory | None,
        *,
        pace: Pace,
        random: Random,
        progress: Callable[[], None],
        patience: float,
        clock: Callable[[], datetime],
        deep: bool,
    ) -> None:
        self.objects = 0
        self.behind = False
        """Whether more full folders are due than one look lists again."""
        self._folders = 0
        self._done = 0
        self._bucket = bucket
        self._known = known
        self._memory = memory
        self._pace = pace
        self._random = random
        self._progress = progress
        self._patience = patience
        self._clock = clock
        self._deep = deep
        self._answered = False

    @property
    def share(self) -> float:
        """How much of the folders is done, 0 to 1."""
        return self._done / self._folders if self._folders else 0.0

    async def name_servers(self, wanted: Iterable[str]) -> None:
        """Which server names there are; those ``wanted`` stay, even with nothing below them."""
        root = self._known.catalog.root
        try:
            answers = await self._pages(root, delimiter="/")
        except faults.Forbidden:
            # A policy may allow the servers' own prefixes only; then they have to be known.
            return
        names = {
            folder.removeprefix(root).rstrip("/") for each in answers for folder in each.folders
        }
        names = {name for name in names if name and name.isprintable()}
        await self._known.change(known.named(names | set(wanted)))
        strange = [seen for each in answers for seen in each.objects]
        part = await self._fold(catalog.empty(self._known.place.path), strange)
        await self._known.change(known.added(part))
        self._progress()

    async def thoroughly(self, name: str) -> None:
        """All there is of a server, as far as it can have changed."""
        began = self._clock()
        await together(self._thorough_wals(name), self._bases(name))
        if self._clock() - began > LONG:
            await self.quickly(name)
        self._known.drop(name)

    async def quickly(self, name: str) -> None:
        """What is new of a server that has been looked into before."""
        await together(self._quick_wals(name), self._bases(name))
        await together(self._histories(name), self._list_new(name))
        self._known.drop(name)

    async def _quick_wals(self, name: str) -> None:
        await self._announce(name, first_page_only=True)
        await self._newest_again(name)

    async def _thorough_wals(self, name: str) -> None:
        remembered = await self._remember(name)
        await self._announce(name)
        if self._memory is not None:
            gone = remembered - self._known.server(name).directories.keys()
            await self._forget(self._memory, name, gone)
        self._progress()
        await together(self._histories(name), self._list_stale_and_due(name))

    async def _announce(self, name: str, *, first_page_only: bool = False) -> None:
        """Which folders there are.

        The first page alone tells what retention took away, which begins with the oldest; of the
        folders behind it those known stay.
        """
        below = self._known.below(name, "wals/")
        answers = await self._pages(below, delimiter="/", most=1 if first_page_only else None)
        names = [each.removeprefix(below).rstrip("/") for one in answers for each in one.folders]
        if answers[-1].token:
            server = self._known.server(name)
            held = (wal.directory_name(*key) for key in self._keys(server))
            names += [each for each in held if each > names[-1]]
        if first_page_only:
            names = [
                each for each in names if (name, wal.parse_directory(each)) not in self._known.empty
            ]
        page = [seen for each in answers for seen in each.objects]
        await self._known.change(known.announced(name, names, page))

    @staticmethod
    def _keys(server: Server) -> set[DirectoryKey]:
        return server.directories.keys() | (server.unlisted or frozenset())

    async def _list_new(self, name: str) -> None:
        """List the folders of which nothing has been seen."""
        await self._list_folders(name, self._known.server(name).unlisted or frozenset())

    async def _list_stale_and_due(self, name: str) -> None:
        """List the folders that may have changed, and of those that may not the ones that are due."""
        trusted = self._known.trusted(name)
        due = list(trusted) if self._deep else seals.due(trusted, self._clock())
        again = frozenset(due if self._deep else due[: seals.MOST])
        self.behind |= len(again) < len(due)
        await self._list_folders(name, self._known.stale(name) | again)
        if self._known.torn(name, again):
            # Whoever took a segment there may have taken others: nothing is trusted any more.
            await self._list_folders(name, self._known.trusted(name).keys() - again)

    async def _list_folders(self, name: str, wanted: Set[DirectoryKey]) -> None:
        """List these folders: the newest first and alone, then all others."""
        there = self._keys(self._known.server(name))
        self._folders += len(there)
        self._done += len(there) - len(wanted)
        if not wanted:
            return
        newest = max(wanted)
        await self._list_shard(name, Shard(f"{wal.directory_name(*newest)}/", frozenset({newest})))
        per = wal.per_directory(self._known.segment_size(name))
        planned = shards.plan(wanted - {newest}, there, per)
        await together(*(self._list_shard(name, shard) for shard in planned))

    async def _list_shard(self, name: str, shard: Shard) -> None:
        below = self._known.below(name, f"wals/{shard.prefix}")
        part, began = catalog.empty(self._known.place.path), self._clock()
        async with self._pace.slot():
            try:
                token, reached = "", 0
                while True:
                    answer = await self._send(partial(self._bucket.list, below, token=token))
                    self.objects += len(answer.objects)
                    part = await self._fold(part, answer.objects)
                    whole = min(max(_folders(part, name) - 1, 0), len(shard.folders))
                    self._done, reached = self._done + whole - reached, whole
                    self._progress()
                    token = answer.token
                    if not token:
                        break
            except faults.Fault:
                await self._known.change(known.added(part))  # what was seen is true
                raise
        await self._known.change(known.listed(below, part))
        found = self._known.server(name).directories.keys()
        self._known.empty |= {(name, key) for key in shard.folders - found}
        self._known.empty -= {(name, key) for key in found & shard.folders}
        self._done += len(shard.folders) - reached
        # The prefix may hold more folders than were wanted of it, and lists them whole.
        seen = part.servers[name].directories.keys() if name in part.servers else frozenset()
        self._known.listed_whole(name, seen, began)
        await self._keep(name, seen | shard.folders, began)
        self._progress()

    async def _fold(self, part: Catalog, objects: Page) -> Catalog:
        return await self._known.at_the_desk(lambda: catalog.fold(part, objects))

    async def _newest_again(self, name: str) -> None:
        """What came behind the newest segments, and what of them came late."""
        server = self._known.server(name)
        last = server.last_archived
        if last is None:
            return
        size = self._known.segment_size(name)
        number = max(last.segment.number(size) - PATIENCE.segments, 0)
        start = wal.at(last.segment.timeline, number, size)
        below = self._known.below(name, "wals/")
        after = f"{below}{start.directory}/{start}"
        answers = await self._pages(below, start_after=after)
        seen = [each for answer in answers for each in answer.objects]
        part = await self._fold(catalog.empty(self._known.place.path), seen)
        await self._known.change(known.added(part))
        fresh = part.servers.get(name) or Server(name, {}, {}, {})
        self._known.first_seen(name, fresh.directories, self._clock())
        for key in fresh.directories.keys() - server.directories.keys():
            # It begins behind the start, so it was listed whole.
            folder = self._known.below(name, f"wals/{wal.directory_name(*key)}/")
            await self._known.change(known.listed(folder, part))
        if fresh.modified(last.segment) is None:
            # Deleted, or a store that does not start where it was told to (geesefs issue 56).
            newest = last.segment.timeline, last.segment.log
            shard = Shard(f"{last.segment.directory}/", frozenset({newest}))
            await self._list_shard(name, shard)

    async def _bases(self, name: str) -> None:
        """``base/``, whole, and every backup.info and annotation that is new, newest first."""
        below = self._known.below(name, "base/")
        answers = await self._pages(below)
        seen: list[Listed] = [each for answer in answers for each in answer.objects]
        part = await self._fold(catalog.empty(self._known.place.path), seen)
        await self._known.change(known.listed(below, part))
        self._progress()
        bases = self._known.server(name).bases
        newest_first = [bases[id_] for id_ in sorted(bases, reverse=True)]
        infos = (self._info(name, base) for base in newest_first)
        keeps = (self._keep_of(name, base) for base in newest_first)
        await together(*infos, *keeps)

    async def _info(self, name: str, base: Base) -> None:
        seen, read = base.info, self._known.read(name)
        if seen is None or read.infos.get(base.id, ("",))[0] == seen.etag:
            return
        key = self._known.below(name, f"base/{base.id}/{seen.name}")
        try:
            told = known.told_info(await self._text(key, seen))
        except faults.BadAnswer as fault:
            told = Unreadable(str(fault))
        except faults.NotFound:
            return  # deleted since it was listed
        read.infos[base.id] = seen.etag, told
        self._progress()

    async def _keep_of(self, name: str, base: Base) -> None:
        seen, read = base.keep, self._known.read(name)
        if seen is None or read.keeps.get(base.id, ("",))[0] == seen.etag:
            return
        key = self._known.below(name, f"base/{base.id}/{seen.name}")
        try:
            word = (await self._text(key, seen)).decode("utf-8", "replace").strip()
        except faults.NotFound:
            return
        read.keeps[base.id] = seen.etag, word

    async def _histories(self, name: str) -> None:
        there = self._known.server(name).histories
        await together(*(self._history(name, timeline) for timeline in sorted(there, reverse=True)))

    async def _history(self, name: str, timeline: int) -> None:
        seen, read = self._known.server(name).histories[timeline], self._known.read(name)
        if read.histories.get(timeline, ("",))[0] == seen.etag:
            return
        try:
            content = await self._text(self._known.below(name, f"wals/{seen.name}"), seen)
        except faults.NotFound:
            return
        read.histories[timeline] = seen.etag, known.told_history(content, seen, timeline)
        self._progress()

    async def _text(self, key: str, seen: Object) -> bytes:
        """A small object, from memory if it is still the same."""
        memory, place = self._memory, self._known.place
        if memory is not None:
            kept = await self._known.at_the_desk(lambda: memory.text(place, key, seen.etag))
            if kept is not None:
                return kept
        async with self._pace.slot():
            content = await self._send(partial(self._bucket.get, key, at_most=SMALL))
        if memory is not None:
            await self._known.at_the_desk(lambda: memory.keep_text(place, key, seen.etag, content))
        return content

    async def _pages(
        self, prefix: str, *, delimiter: str = "", start_after: str = "", most: int | None = None
    ) -> list[Answer]:
        answers: list[Answer] = []
        token = ""
        async with self._pace.slot():
            while not answers or (token and (most is None or len(answers) < most)):
                asked = partial(
                    self._bucket.list, prefix, delimiter=delimiter, start_after=start_after
                )
                answer = await self._send(partial(asked, token=token))
                answers.append(answer)
                self.objects += len(answer.objects)
                token = answer.token
        return answers

    async def _send(self, request: Callable[[], Awaitable[T]]) -> T:
        """Send a request again while the store is only slow or gone for a moment."""
        for attempt in range(1, TRIES):
            try:
                answer = await request()
            except (faults.TooMany, faults.ServerError, faults.Unreachable) as fault:
                if isinstance(fault, faults.Unreachable) and not self._answered:
                    raise  # nobody there: each try costs seconds, and the user waits for a word
                if not isinstance(fault, faults.ServerError):
                    self._pace.slow_down()
                asked = fault.retry_after if isinstance(fault, faults.Refused) else None
                span = self._patience * 2.0**attempt
                await asyncio.sleep((asked or 0.0) + self._random.uniform(span / 2, span))
            else:
                self._answered = True
                self._pace.answered()
                return answer
        return await request()

    async def _remember(self, name: str) -> set[DirectoryKey]:
        """Fold in what was kept of a server of which nothing is known yet."""
        memory = self._memory
        if memory is None or self._known.server(name).unlisted is not None:
            return set()

        def recall() -> tuple[Server, dict[DirectoryKey, datetime]]:
            held: dict[DirectoryKey, Directory] = {}
            listed: dict[DirectoryKey, datetime] = {}
            for row, at in memory.directories(self._known.place, name):
                with suppress(ValueError):  # written by another version: listed again
                    held[row[0], row[1]] = directory.from_row(row)
                    listed[row[0], row[1]] = at
            return Server(name, {}, held, {}), listed

        kept, listed = await self._known.at_the_desk(recall)
        await self._known.change(known.remembered(name, [kept]))
        for key, at in listed.items():
            self._known.first_seen(name, [key], at)
        return set(kept.directories)

    async def _keep(self, name: str, keys: Set[DirectoryKey], listed: datetime) -> None:
        """Remember those of these folders that are full, and no longer those that are not."""
        memory, place = self._memory, self._known.place
        if memory is None:
            return

        def keep() -> None:
            full = self._known.full(name, keys)
            held = self._known.server(name).directories
            if full:
                rows = [held[key].to_row() for key in full]
                memory.keep_directories(place, name, rows, listed)
            if keys - full:
                memory.forget_directories(place, name, keys - full)

        await self._known.at_the_desk(keep)

    async def _forget(self, memory: Memory, name: str, keys: set[DirectoryKey]) -> None:
        if keys:
            place = self._known.place
            await self._known.at_the_desk(lambda: memory.forget_directories(place, name, keys))


def _folders(part: Catalog, name: str) -> int:
    server = part.servers.get(name)
    return len(server.directories) if server is not None else 0


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Do it all at once; the first fault ends the rest and is raised by itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
