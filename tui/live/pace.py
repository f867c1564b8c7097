"""How many requests may be under way at once: carefully more, quickly fewer when asked to slow down."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_BREATH = 1.0
"""Seconds in which several complaints count as one: they answer requests sent before the first."""


class Pace:
    """Slots, handed out in the order they are asked for."""

    def __init__(self, first: int = 4, most: int = 32) -> None:
        self.limit = first
        self._most = most
        self._taken = 0
        self._credit = 0
        self._careful = False
        self._slowed_at = float("-inf")
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot and hold it."""
        if self._taken >= self.limit or self._waiting:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._give_back()
                raise
        else:
            self._taken += 1
        try:
            yield
        finally:
            self._give_back()

    def answered(self) -> None:
        """A request went well: one slot more; once slowed down, one for every round."""
        self._credit += 1
        if self._credit >= (self.limit if self._careful else 1):
            self._credit = 0
            self.limit = min(self.limit + 1, self._most)
            self._hand_out()

    def slow_down(self) -> None:
        """The store complains: half as many."""
        now = asyncio.get_running_loop().time()
        if now - self._slowed_at >= _BREATH:
            self._slowed_at, self._careful, self._credit = now, True, 0
            self.limit = max(self.limit // 2, 1)

    def _give_back(self) -> None:
        self._taken -= 1
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and self._taken < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._taken += 1
