"""A feed keeps one kind of object told: it lists, watches until that ends, says what was lost, waits,
and goes on. It never gives up and never ends by itself; whoever started it cancels it.

What it promises: between two ``Listed`` the ``Seen`` events follow one another without a gap and none
is told twice, however often the connection breaks. A watch goes on from the last resourceVersion
heard; resourceVersions are opaque, except that one which runs backwards makes the feed ask for the
list again instead of believing either.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol

from tui import faults, words
from tui.cnpg import manifest
from tui.cnpg.manifest import Key, Kind, Manifest, Odd, Unreadable
from tui.live.changes import (
    Absent,
    Change,
    Event,
    EventType,
    FeedMoved,
    FeedState,
    Forbidden,
    Listed,
    Live,
    Polling,
    Reconnecting,
    Seen,
    SignedOut,
    Starting,
    Subject,
)

_log = logging.getLogger(__name__)

_BOOKMARK = "BOOKMARK"

_SLICE = 50
"""Objects projected at once; then keys get their turn."""


class Page(Protocol):
    """A part of a list."""

    @property
    def items(self) -> Sequence[Manifest]: ...
    @property
    def resource_version(self) -> str: ...


class Source(Protocol):
    """The port facts come in by; ``wire.kube.Kube`` fits it. Everything raises ``faults.Fault``."""

    def list(
        self, kind: Kind, namespace: str | None, *, silence: float
    ) -> AsyncGenerator[Page, None]:
        """The pages of a list."""
        ...

    def watch(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        resource_version: str,
        lasting: float,
        silence: float,
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, Manifest]]]:
        """Entered once the server has accepted; then the events and bookmarks."""
        ...

    async def reload_credentials(self) -> None:
        """Read the credentials anew."""
        ...

    async def configured(self) -> str:
        """The same as long as the configuration names the same credentials; nothing is sent."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a feed waits for what; all in seconds."""

    batch: float = 0.05
    """Events are told this long after the ones before, together; the first of a burst at once, with
    all that came along in the same breath."""
    least: float = 0.5
    most: float = 30.0
    """Bounds of the exponential back-off; the wait is drawn from the whole span below (full jitter,
    so that clients of a server that comes back do not come back together)."""
    slow: float = 4.5
    """After so long without an answer the user is told that we still wait."""
    answer: float = 30.0
    """A list that brings no byte for so long is asked again."""
    silence: float = 150.0
    """A watch that brings no byte for so long is opened anew, where it stands. Bookmarks come about
    once a minute, but the first took kube-apiserver 1.36 two, and a server that has seen no change
    of a resource since it started sends none."""
    lasting: tuple[float, float] = (300.0, 600.0)
    """How long the server is asked to keep a watch open, as client-go does."""
    settled: float = 5.0
    """A watch that lasted so long was a success, whatever ended it."""
    polling: tuple[float, float] = (10.0, 15.0)
    rarely: float = 60.0
    """When to look again whether a missing right, CRD or configuration is there now."""
    heard: float = 10.0
    """How often at most a feed that stays live says when it last heard something."""


class Feed:
    """Everything of one kind, in one namespace or (None) in all.

    ``read`` projects a manifest and may raise ``Odd``; ``report`` takes each fact, in order, on the
    event loop.
    """

    def __init__(
        self,
        kind: Kind,
        namespace: str | None,
        source: Source,
        read: Callable[[Manifest], Subject],
        report: Callable[[Change], None],
        *,
        clock: Callable[[], datetime],
        random: Random,
        patience: Patience | None = None,
    ) -> None:
        self.kind = kind
        self.namespace = namespace
        self._source = source
        self._read = read
        self._report = report
        self._clock = clock
        self._random = random
        self._patience = patience or Patience()
        self._asked = asyncio.Event()
        self._state: FeedState | None = None
        self._heard: datetime | None = None
        self._listed = False
        self._position: str | None = None
        """The resourceVersion to watch from; None: a list is needed first."""
        self._known: dict[Key, str] = {}
        """The resourceVersion last told of every object there is."""
        self._unwatchable = ""
        """Why the list is polled: the refusal of ``watch``."""
        self._watch_again = 0.0
        """When to ask (loop time) whether ``watch`` is still refused."""
        self._permitted = False
        """Whether the server accepted a watch and has not refused one since."""
        self._renewed = False
        self._refused = ""
        """What was configured when credentials were last read."""
        self._failures = 0
        self._opened: float | None = None
        self._trust: asyncio.Timeout | None = None
        """Of the open watch: it ends when somebody doubts that the server is there."""
        self._moved = False
        self._batch: list[Event] = []
        self._timer: asyncio.TimerHandle | None = None
        self._told_at = 0.0

    async def run(self) -> None:
        """Tell what there is and what happens to it, until cancelled."""
        self._say(Starting())
        while True:
            try:
                if self._position is None:
                    await self._list()
                if self._unwatchable:
                    await self._wait_for_next_poll()
                else:
                    await self._watch()
            except faults.Fault as fault:
                await self._recover(fault)
            except Exception as bug:  # noqa: BLE001
                # A feed that dies leaves a screen that looks alive: say it, log it, start over.
                _log.exception("the feed of %s failed", self.kind)
                why = f"an error of cnpg-tui itself ({type(bug).__name__}, see the log)"
                await self._recover(faults.BadAnswer(f"cannot follow {self.kind.plural}: {why}"))

    def retry(self) -> None:
        """Ask again now instead of after the wait."""
        self._asked.set()

    def doubt(self) -> None:
        """The server did not answer something else: open the watch anew, it may be just as dead.

        A quiet watch and a dead one look alike for minutes; opening it costs one request.
        """
        if self._trust is not None:
            self._trust.reschedule(asyncio.get_running_loop().time())

    async def _list(self) -> None:
        """Hear all there is. The first time every page is told at once, so that rows appear."""
        subjects: list[Subject] = []
        position = ""
        with self._saying_so_if_slow() as answered:
            pages = self._source.list(self.kind, self.namespace, silence=self._patience.answer)
            async with aclosing(pages):
                async for page in pages:
                    answered(more=True)
                    found = await self._projected(page.items)
                    subjects += found
                    position = page.resource_version
                    self._heard = self._clock()
                    if not self._listed:
                        self._tell_page(found, len(subjects))
        self._known = {subject.key: subject.resource_version for subject in subjects}
        self._position = position
        self._listed, self._renewed = True, False
        self._report(Listed(self.kind, tuple(subjects), self._clock()))

    async def _projected(self, items: Sequence[Manifest]) -> list[Subject]:
        """A page's objects, in slices of 5 ms: 500 at once keep a key waiting for 50."""
        found: list[Subject] = []
        for start in range(0, len(items), _SLICE):
            found += [self._project(item) for item in items[start : start + _SLICE]]
            await asyncio.sleep(0)
        return found

    def _tell_page(self, found: list[Subject], loaded: int) -> None:
        """Tell what of a page has not been told by a list that broke off."""
        events = []
        for subject in found:
            before = self._known.get(subject.key)
            if before != subject.resource_version:
                type_ = EventType.ADDED if before is None else EventType.MODIFIED
                events.append(Event(type_, subject))
                self._known[subject.key] = subject.resource_version
        if events:
            self._report(Seen(self.kind, tuple(events), self._clock()))
        self._say(Starting(loaded))

    async def _watch(self) -> None:
        """Tell what happens, until the server ends it or the connection breaks."""
        loop = asyncio.get_running_loop()
        self._opened, self._moved = None, False
        try:
            with self._saying_so_if_slow() as answered:
                async with (
                    asyncio.timeout(self._patience.answer) as patience,
                    self._opening() as events,
                ):
                    answered()
                    patience.reschedule(None)
                    self._opened, self._trust, self._permitted = loop.time(), patience, True
                    self._say_live()
                    await self._follow(events)
        except TimeoutError:
            if self._opened is not None:
                return  # doubted: it is opened anew, where it stands
            # As on a connection kept from before the line was cut: another one may be well.
            why = f"the server has not answered for {self._patience.answer:.0f} s"
            raise faults.Unreachable(f"cannot watch {self.kind.plural}: {why}") from None
        if not self._moved and loop.time() - self._opened < self._patience.settled:
            raise faults.Unreachable(f"cannot watch {self.kind.plural}: the server ends it at once")
        self._failures = 0

    async def _follow(self, events: AsyncIterator[tuple[str, Manifest]]) -> None:
        try:
            async for type_, source in events:
                self._hear(type_, source)
                if len(self._batch) >= _SLICE:
                    self._flush()
                    await asyncio.sleep(0)  # a burst must not keep a key waiting
        finally:
            self._trust = None
            self._flush()

    def _opening(self) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, Manifest]]]:
        return self._source.watch(
            self.kind,
            self.namespace,
            resource_version=self._position or "",
            lasting=self._random.uniform(*self._patience.lasting),
            silence=self._patience.silence,
        )

    def _hear(self, type_: str, source: Manifest) -> None:
        self._moved, self._renewed = True, False
        self._say_live()
        if type_ == _BOOKMARK:
            self._position = _version(source) or self._position
            return
        try:
            event = Event(EventType(type_), self._project(source))
        except ValueError as error:
            raise faults.BadAnswer(
                f"cannot watch {self.kind.plural}: the server sent an event of type "
                f"{words.clean(type_)[:20]}"
            ) from error
        if self._is_new(event, _version(source)):
            self._queue(event)

    def _is_new(self, event: Event, version: str) -> bool:
        """Note where the watch stands; whether the event tells anything.

        A replayed version is nothing new. One from before the place where the watch stands means
        that the server mixed up the order: then only a list tells what is true.
        """
        key, deleted = event.subject.key, event.type is EventType.DELETED
        if deleted and key not in self._known:
            return False
        if version != self._known.get(key):
            if _runs_backwards(self._position, version):
                raise faults.BadAnswer(
                    f"cannot watch {self.kind.plural}: the server told changes out of order"
                )
            self._position = version or self._position
        elif not deleted:
            return False
        if deleted:
            del self._known[key]
        else:
            self._known[key] = version
        return True

    def _queue(self, event: Event) -> None:
        self._batch.append(event)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            due = max(loop.time(), self._told_at + self._patience.batch)
            self._timer = loop.call_at(due, self._flush)

    def _flush(self) -> None:
        """Tell the events that came together."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._batch:
            events, self._batch = tuple(self._batch), []
            self._told_at = asyncio.get_running_loop().time()
            self._report(Seen(self.kind, events, self._heard or self._clock()))

    def _project(self, source: Manifest) -> Subject:
        try:
            return self._read(source)
        except Odd as odd:
            why = str(odd)
        except Exception as bug:  # noqa: BLE001
            # One object that cannot be read must not hide the others.
            _log.exception("cannot read an object of %s", self.kind)
            why = f"cnpg-tui cannot read it ({type(bug).__name__}, see the log)"
        return _unreadable(source, why)

    async def _wait_for_next_poll(self) -> None:
        every = self._random.uniform(*self._patience.polling)
        state = Polling(self._heard or self._clock(), every, self._unwatchable)
        if await self._pause(state, every) or self._now() >= self._watch_again:
            self._unwatchable = ""
        self._position = None

    async def _recover(self, fault: faults.Fault) -> None:
        """Say what was lost and wait as long as the fault asks for."""
        watching = self._position is not None
        self._count_failure(fault)
        match fault:
            case faults.Unauthorized():
                await self._sign_in(fault)
            case faults.Forbidden() if watching:
                self._unwatchable = str(fault)
                self._watch_again = self._now() + self._until_rights_are_back()
            case faults.Forbidden():
                refused = Forbidden(self._heard, str(fault))
                await self._pause(refused, self._until_rights_are_back())
            case faults.NotFound() if not watching:
                await self._be_absent(fault)
            case faults.Misconfigured():
                await self._back_off(fault, self._patience.rarely)
            case faults.Expired() if self._failures <= 1:
                self._position = None
            case _:
                if not self._can_resume(fault):
                    self._position = None
                await self._back_off(fault, self._delay(fault))
        self._opened, self._moved = None, False

    def _count_failure(self, fault: faults.Fault) -> None:
        """A watch that lasted, or that told something before the line was cut, was no failure."""
        lasted = False
        if self._opened is not None:
            age = self._now() - self._opened
            cut = self._moved and isinstance(fault, faults.Unreachable)
            lasted = cut or age >= self._patience.settled
        self._failures = 0 if lasted else self._failures + 1

    def _until_rights_are_back(self) -> float:
        """When to ask again for what is refused.

        Soon, once, where it was permitted: an API server that has just started refuses everybody
        until it has read the Roles.
        """
        soon, self._permitted = self._permitted, False
        return self._random.uniform(*self._patience.polling) if soon else self._patience.rarely

    def _can_resume(self, fault: faults.Fault) -> bool:
        """Whether the place in the watch is still good: a server that keeps failing on it (etcd set
        back, revision compacted under way) says so with a 500."""
        if isinstance(fault, faults.Unreachable | faults.TooMany):
            return True
        return isinstance(fault, faults.ServerError) and self._failures <= 1

    def _delay(self, fault: faults.Fault) -> float:
        """Exponential, full jitter; never before the server's Retry-After."""
        asked = fault.retry_after if isinstance(fault, faults.Refused) else None
        if not self._failures and not asked:
            return 0.0
        # The exponent is bounded because a server may be away for weeks.
        span = self._patience.least * 2.0 ** min(max(self._failures - 1, 0), 16)
        return (asked or 0.0) + self._random.uniform(0, min(self._patience.most, span))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _back_off(self, fault: faults.Fault, delay: float) -> None:
        if not delay:
            return
        retry_at = self._clock() + timedelta(seconds=delay)
        await self._pause(Reconnecting(self._heard, retry_at, str(fault)), delay)

    async def _sign_in(self, fault: faults.Unauthorized) -> None:
        """Once with the credentials as they are now; then nothing is sent until there are others, or
        the user asks."""
        if self._renewed:
            await self._wait_for_others(SignedOut(self._heard, str(fault)))
        self._renewed = True
        try:
            self._refused = await self._source.configured()
            await self._source.reload_credentials()
        except faults.Fault as why:
            await self._back_off(why, self._patience.rarely)

    async def _wait_for_others(self, state: SignedOut) -> None:
        while not await self._pause(state, self._random.uniform(*self._patience.polling)):
            with suppress(faults.Fault):  # half written, or gone for a moment
                if await self._source.configured() != self._refused:
                    return

    async def _be_absent(self, fault: faults.NotFound) -> None:
        if self._known:
            self._known = {}
            self._report(Listed(self.kind, (), self._clock()))
        await self._pause(Absent(str(fault)), self._patience.rarely)

    async def _pause(self, state: FeedState, seconds: float | None) -> bool:
        """Say ``state`` and wait (None: for ever); True if the user asked before the time was up."""
        self._asked.clear()
        self._say(state)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        if self._asked.is_set():
            self._failures = 0
        return self._asked.is_set()

    @contextmanager
    def _saying_so_if_slow(self) -> Iterator[Callable[..., None]]:
        """Tell the user when a request brings nothing for long.

        What is given is called with every answer; ``more`` if another one is waited for.
        """
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._patience.slow, self._say_slow)

        def answered(*, more: bool = False) -> None:
            nonlocal timer
            timer.cancel()
            if more:
                timer = loop.call_later(self._patience.slow, self._say_slow)

        try:
            yield answered
        finally:
            timer.cancel()

    def _say_slow(self) -> None:
        left = timedelta(seconds=self._patience.answer - self._patience.slow)
        why = f"the server has not answered for {self._patience.slow:.0f} s; still waiting"
        self._say(Reconnecting(self._heard, self._clock() + left, why))

    def _say_live(self) -> None:
        self._heard = self._clock()
        if isinstance(self._state, Live):
            silent = self._heard - self._state.heard
            if silent < timedelta(seconds=self._patience.heard):
                return
        self._say(Live(self._heard))

    def _say(self, state: FeedState) -> None:
        if state != self._state:
            self._state = state
            self._report(FeedMoved(self.kind, state))


def _version(source: Manifest) -> str:
    """The resourceVersion, ``""`` where an odd object has none."""
    with suppress(Odd):
        return manifest.resource_version(source)
    return ""


def _runs_backwards(position: str | None, version: str) -> bool:
    """Whether ``version`` is older, where both are the numbers that real servers use."""
    if not position or not (position.isdecimal() and version.isdecimal()):
        return False
    return int(version) <= int(position)


def _unreadable(source: Any, why: str) -> Unreadable:
    """The row of an object that cannot be projected, from whatever of its metadata is sound."""
    metadata = source.get("metadata") if isinstance(source, Mapping) else None
    found: dict[str, str] = {}
    for name in ("namespace", "name", "resourceVersion"):
        value = metadata.get(name) if isinstance(metadata, Mapping) else None
        found[name] = words.clean(value) if isinstance(value, str) else ""
    created = None
    with suppress(Odd):
        created = manifest.moment(source, "metadata", "creationTimestamp")
    key = Key(found["namespace"], found["name"] or "(no name)")
    return Unreadable(key, found["resourceVersion"], created, why)
