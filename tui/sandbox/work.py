"""How the operator's hands move: acted time, a queue of objects to look at, a family of tasks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from tui.sandbox.client import Refused

Key = tuple[str, str]

_log = logging.getLogger(__name__)
_AFTER_FAULT = timedelta(seconds=1)
"""When an object is looked at again after the server refused or was away."""
_AFTER_ODDITY = timedelta(minutes=1)
"""When one is looked at again that broke the play."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much faster than life things happen. Clocks and cron slots stay real."""

    speed: float = 1.0

    async def sleep(self, acted: timedelta) -> None:
        """Wait as long as `acted` takes at this speed."""
        await asyncio.sleep(self.seconds(acted))

    def seconds(self, acted: timedelta) -> float:
        """Real seconds of an acted duration."""
        return acted.total_seconds() / self.speed


def now() -> datetime:
    """The real time, which the server's clock shows too."""
    return datetime.now(UTC)


class Tasks:
    """Tasks that end together; one that fails is reported at once."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run in the background."""
        task = asyncio.create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a part of the play broke off", exc_info=task.exception())

    async def stop(self) -> None:
        """Cancel all and wait until they are gone."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def kept_up(part: Callable[[], Awaitable[None]]) -> None:
    """Run something until it is through, anew whenever the server's absence ends it."""
    while True:
        try:
            return await part()
        except (Refused, aiohttp.ClientError, OSError, TimeoutError) as why:
            _log.info("%s: %s", part, why)
            await asyncio.sleep(_AFTER_FAULT.total_seconds())


class Workqueue:
    """Objects waiting for a look, each once; a look may ask for another one later."""

    def __init__(self, look: Callable[[Key], Awaitable[timedelta | None]], pace: Pace) -> None:
        self._look, self._pace = look, pace
        self._waiting: dict[Key, None] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._news = asyncio.Event()

    def add(self, key: Key) -> None:
        """Look at it soon."""
        self._waiting[key] = None
        self._news.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Look at it after this many real seconds, unless something happens to it before."""
        if key in self._timers:
            self._timers.pop(key).cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self.add, key)

    async def run(self) -> None:
        """Work for ever, one object at a time."""
        try:
            while True:
                await self._news.wait()
                while self._waiting:
                    await self._work(next(iter(self._waiting)))
                self._news.clear()
        finally:
            for timer in self._timers.values():
                timer.cancel()

    async def _work(self, key: Key) -> None:
        del self._waiting[key]
        if key in self._timers:
            self._timers.pop(key).cancel()
        try:
            again = await self._look(key)
        except (Refused, aiohttp.ClientError, OSError, TimeoutError) as why:
            _log.info("%s/%s: %s", *key, why)
            again = _AFTER_FAULT
        except Exception:  # noqa: BLE001 - one odd object must not stop the others
            _log.exception("%s/%s is not understood", *key)
            again = _AFTER_ODDITY
        if again is not None:
            self.add_after(key, self._pace.seconds(again))
