"""A sweep keeps one place in a store told: it looks, says what it saw page by page, waits, looks again.

One sweep serves one :class:`~tui.cnpg.location.Place` and as many server names below it as are
wanted. It is constructed and run like a feed, and like one never ends by itself::

    sweep = Sweep(
        place,
        opening,                 # async () -> Bucket: finds the keys and opens the store
        report,                  # takes Folded, Described, SweepMoved, in order, on the event loop
        memory=memory,           # wire.memory.Memory, or None to remember nothing
        clock=utc_now,
        random=Random(),
    )
    sweep.want({"pg-main", "pg-eu"})  # server names to look into; may be called again at any moment
    task = create_task(sweep.run())   # cancel it to stop, at any moment
    sweep.look_now()                  # the user asked: look again now, and thoroughly
    sweep.look_now(deep=True)         # and list all folders anew, full ones too
    sweep.stop_looking()              # the user had enough: rest until asked

``connect``-side, ``opening`` is ``partial(wire.credentials.open_bucket, location, order, secrets)``.
``Folded`` is whole each time: judge ``folded.catalog.servers[name]`` with ``folded.infos[name]``,
``folded.histories[name]`` and ``folded.standalone[name]``. Headless, ``await sweep.look()`` looks
once, thoroughly, and raises the fault instead of telling it.

Looks are quick (three requests a server where nothing changed) and now and then thorough.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import TypeVar

from tui import faults
from tui.barman.catalog import Server
from tui.barman.s3 import Requests, Untold
from tui.cnpg.location import Place
from tui.live.changes import (
    CannotLook,
    Described,
    Looked,
    Looking,
    SweepFact,
    SweepMoved,
    SweepState,
)
from tui.live.known import Known
from tui.live.look import Bucket, Look, Memory, together
from tui.live.pace import Pace

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a sweep waits for what; in seconds."""

    interval: float = 30.0
    """Between two looks at an archive that moves; drawn from 0.8 to 1.2 of it."""
    idle: float = 120.0
    """The longest interval, reached in steps while nothing changes."""
    thorough: float = 600.0
    """How often a look is thorough: what came late into old folders, new server names."""
    thinning: float = 100.0
    """How long every look at a server is thorough after something of it was found deleted: retention
    takes away base backups first, WAL folders later and the last segments one by one."""
    told: float = 0.2
    """Facts are told at most so often."""
    again: float = 0.2
    """The first wait before a request is sent again; doubled each time."""
    least: float = 2.0
    most: float = 60.0
    """Bounds of the wait after a look that failed."""
    rarely: float = 60.0
    """When to look again whether a missing right, bucket or configuration is there now."""
    keys: float = 300.0
    """When to try again with keys that were not accepted."""


class Sweep:
    """All that is known of one place."""

    def __init__(
        self,
        place: Place,
        opening: Callable[[], Awaitable[Bucket]],
        report: Callable[[SweepFact], None],
        *,
        memory: Memory | None,
        clock: Callable[[], datetime],
        random: Random,
        patience: Patience | None = None,
    ) -> None:
        self.place = place
        self._opening = opening
        self._report = report
        self._memory = memory
        self._clock = clock
        self._random = random
        self._patience = patience or Patience()
        self._wanted: frozenset[str] = frozenset()
        self._known = Known(place)
        self._bucket: Bucket | None = None
        self._identity = ""
        self._spent = Requests()
        """By buckets that are closed."""
        self._skew_told: timedelta | None = None
        """By a bucket that is closed."""
        self._asked = asyncio.Event()
        self._insisted = True
        """The user wants to see everything anew; so does whoever starts."""
        self._deep = False
        """The user wants no folder to be taken on trust."""
        self._leash: asyncio.Timeout | None = None
        """What a running look is stopped by."""
        self._seen: set[str] = set()
        """Servers that have been looked into whole."""
        self._thinning: dict[str, float] = {}
        """Servers of which something was found deleted, and until when to expect more of it."""
        self._heard: datetime | None = None
        self._thorough_at = float("-inf")
        self._interval = self._patience.interval
        self._failures = 0
        self._renewed = False
        self._look: Look | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._told_at = float("-inf")

    def want(self, servers: Iterable[str]) -> None:
        """Look into these server names; the others are only named."""
        wanted = frozenset(servers)
        if wanted - self._wanted:
            self._asked.set()
        self._wanted = wanted

    def look_now(self, *, deep: bool = False) -> None:
        """Look again now, also at what a quick look leaves out; ``deep``: take nothing on trust."""
        self._insisted, self._deep = True, self._deep or deep
        self._asked.set()

    def stop_looking(self) -> None:
        """End a look that is under way; the next one is when the user asks for it."""
        if self._leash is not None and self._look is not None:
            self._leash.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Look and tell, until cancelled."""
        try:
            while True:
                self._asked.clear()
                try:
                    if await self._stopped():
                        await self._asked.wait()
                    else:
                        await self._wait(self._interval * self._random.uniform(0.8, 1.2))
                except faults.Fault as fault:
                    await self._recover(fault)
                except Exception as bug:  # noqa: BLE001
                    # A sweep that dies leaves a pane that looks alive: say it, log it, start over.
                    _log.exception("the sweep of %s failed", self.place)
                    why = f"an error of cnpg-tui itself ({type(bug).__name__}, see the log)"
                    await self._recover(faults.BadAnswer(f"cannot look at {self.place}: {why}"))
        finally:
            self._silence()
            await self._let_go()
            self._known.close()

    async def _stopped(self) -> bool:
        """Look once; whether the user stopped it."""
        try:
            async with asyncio.timeout(None) as leash:
                self._leash = leash
                await self._look_once()
        except TimeoutError:
            if not leash.expired():
                raise
            self._report(self._known.folded(self._clock()))
            why = "the look was stopped; r looks again"
            self._move(CannotLook(self._heard, None, why, self._identity, self._skew))
            return True
        finally:
            self._leash = None
        return False

    async def look(self, *, deep: bool = False) -> Requests:
        """Look once, thoroughly, and tell; for whoever does not :meth:`run`. Raises ``faults.Fault``."""
        self._insisted, self._deep = True, deep
        try:
            return await self._look_once(describe=False)
        finally:
            self._silence()
            await self._let_go()

    async def _look_once(self, *, describe: bool = True) -> Requests:
        """One look at everything that is wanted; what it cost."""
        bucket = await self._opened()
        loop = asyncio.get_running_loop()
        insisted, self._insisted = self._insisted, False
        deep, self._deep = self._deep, False
        thorough = insisted or loop.time() - self._thorough_at >= self._patience.thorough
        before, servers = bucket.requests, dict(self._known.catalog.servers)
        look = Look(
            bucket,
            self._known,
            self._memory,
            pace=Pace(),
            random=self._random,
            progress=self._progress,
            patience=self._patience.again,
            clock=self._clock,
            deep=deep,
        )
        self._look = look if thorough or self._wanted - self._seen else None
        self._progress()
        try:
            await self._work(look, thorough=thorough)
        except BaseException:
            self._insisted, self._deep = self._insisted or insisted, self._deep or deep
            raise
        finally:
            self._silence()
            self._look = None
        if thorough:
            self._thorough_at = float("-inf") if look.behind else loop.time()
        self._heard, self._failures, self._renewed = self._clock(), 0, False
        changed, thinner = await self._known.at_the_desk(lambda: self._compared(servers))
        until = loop.time() + self._patience.thinning
        self._thinning |= dict.fromkeys(thinner, until)
        if changed or thorough:
            self._report(self._known.folded(self._heard))
        self._interval = self._next_interval(changed=changed)
        spent = bucket.requests - before
        self._tell_looked(spent)
        if thorough and describe:
            await self._describe(bucket)
        return spent

    async def _work(self, look: Look, *, thorough: bool) -> None:
        wanted = self._wanted
        now = asyncio.get_running_loop().time()
        thinning = {name for name, until in self._thinning.items() if now < until}
        fresh = wanted if thorough else (wanted - self._seen) | (wanted & thinning)
        work = [look.thoroughly(name) for name in sorted(fresh)]
        work += [look.quickly(name) for name in sorted(wanted - fresh)]
        if thorough:
            work.insert(0, look.name_servers(wanted))
        await together(*work)
        self._seen = set(wanted)

    def _compared(self, before: Mapping[str, Server]) -> tuple[bool, list[str]]:
        """Whether anything is other than before, and the servers of which something is gone."""
        now = self._known.catalog.servers
        other = [name for name in before.keys() | now.keys() if before.get(name) != now.get(name)]
        return bool(other), [
            name
            for name in other
            if name in before and name in now and _is_thinner(now[name], before[name])
        ]

    def _next_interval(self, *, changed: bool) -> float:
        if changed:
            return self._patience.interval
        return min(self._interval * 1.5, self._patience.idle)

    @property
    def _skew(self) -> timedelta | None:
        """How far the store's clock is ahead of ours."""
        return self._skew_told if self._bucket is None else self._bucket.skew

    async def _opened(self) -> Bucket:
        if self._bucket is None:
            self._bucket = await self._opening()
            self._identity = self._bucket.identity
        return self._bucket

    async def _let_go(self) -> None:
        bucket, self._bucket = self._bucket, None
        if bucket is not None:
            self._spent += bucket.requests
            self._skew_told = bucket.skew
            await bucket.close()

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._asked.wait()

    async def _recover(self, fault: faults.Fault) -> None:
        """Tell what is known, and why no more; wait as long as the fault asks for."""
        self._failures += 1
        if isinstance(fault, faults.Unauthorized):
            # Keys are read anew, for they may have been rotated; once at once, then rarely.
            await self._let_go()
            if not self._renewed:
                self._renewed = True
                return
        if isinstance(fault, faults.Misconfigured):
            await self._let_go()
        delay = self._delay(fault)
        self._report(self._known.folded(self._clock()))
        retry_at = self._clock() + timedelta(seconds=delay)
        self._move(CannotLook(self._heard, retry_at, str(fault), self._identity, self._skew))
        await self._wait(delay)

    def _delay(self, fault: faults.Fault) -> float:
        match fault:
            case faults.Unauthorized():
                return self._patience.keys
            case faults.Misconfigured() | faults.Forbidden() | faults.NotFound() | faults.Invalid():
                return self._patience.rarely
            case _:
                asked = fault.retry_after if isinstance(fault, faults.Refused) else None
                span = self._patience.least * 2.0 ** min(self._failures, 10)
                return (asked or 0.0) + self._random.uniform(
                    self._patience.least, min(span, self._patience.most)
                )

    def _progress(self) -> None:
        """There is more to show; it is told soon, together with what else comes by then."""
        if self._look is not None and self._timer is None:
            loop = asyncio.get_running_loop()
            wait = max(self._told_at + self._patience.told - loop.time(), 0.0)
            self._timer = loop.call_later(wait, self._tell_progress)

    def _tell_progress(self) -> None:
        self._timer = None
        self._told_at = asyncio.get_running_loop().time()
        if self._look is not None:
            self._report(self._known.folded(self._clock()))
            look = self._look
            self._move(Looking(look.objects, look.share, self._identity, self._heard, self._skew))

    def _silence(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell_looked(self, spent: Requests) -> None:
        assert self._heard is not None
        assert self._bucket is not None
        total = self._spent + self._bucket.requests
        next_at = self._heard + timedelta(seconds=self._interval)
        self._move(Looked(self._heard, spent, total, self._identity, next_at, self._skew))

    def _move(self, state: SweepState) -> None:
        self._report(SweepMoved(self.place, state))

    async def _describe(self, bucket: Bucket) -> None:
        """What the store says of the bucket; what it does not say is no fault of the archive."""
        root = self._known.catalog.root
        uploads, rules, versioning = await asyncio.gather(
            _told(partial(bucket.uploads, root)), _told(bucket.rules), self._versioning(bucket)
        )
        self._report(Described(self.place, uploads, rules, versioning, self._clock()))

    async def _versioning(self, bucket: Bucket) -> str | Untold:
        if self.place.is_r2:
            return Untold("Cloudflare R2 has no versioning")
        return await _told(bucket.versioning)


def _is_thinner(now: Server, before: Server) -> bool:
    gone = (
        before.bases.keys() - now.bases.keys() or before.directories.keys() - now.directories.keys()
    )
    return bool(gone) or now.segments < before.segments


async def _told(question: Callable[[], Awaitable[T]]) -> T | Untold:
    try:
        return await question()
    except faults.Fault as fault:
        return Untold(str(fault))
