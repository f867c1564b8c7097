"""Faults made for real, at the server's end of the connection."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(slots=True)
class Failure:
    """Answers that fail before anybody has read the request."""

    left: int = 0
    status: int = 500
    retry_after: int | None = None
    """seconds"""


@dataclass(slots=True)
class Trouble:
    """What goes wrong at the moment: nothing, at first."""

    failure: Failure = field(default_factory=Failure)
    bytes_per_second: float | None = None
    """how slowly streams flow; None is as fast as they can"""
    _awake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._awake.set()

    def freeze(self) -> None:
        """Neither answer nor write from now on."""
        self._awake.clear()

    def thaw(self) -> None:
        """Go on where it stopped."""
        self._awake.set()

    async def awake(self) -> None:
        """Return when not frozen."""
        await self._awake.wait()

    def next_failure(self) -> Failure | None:
        """The failure due for this request, counted down."""
        if self.failure.left <= 0:
            return None
        self.failure.left -= 1
        return self.failure

    async def write(self, response: web.StreamResponse, data: bytes) -> None:
        """Write to a stream, as slowly as asked for."""
        await self.awake()
        if not data:
            return
        if self.bytes_per_second is None:
            await response.write(data)
            return
        for at in range(len(data)):
            await response.write(data[at : at + 1])
            await asyncio.sleep(1 / self.bytes_per_second)
            await self.awake()
