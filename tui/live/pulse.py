"""The pulse: whether the server still answers, asked every few seconds.

A quiet watch and a dead one look alike for minutes, so that a server that is frozen, or a line that
drops every packet, would leave a screen that calls itself live. What is asked costs next to nothing
and needs no right; where it is not answered, every watch has to prove itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from tui import faults


class Source(Protocol):
    """The port; ``wire.kube.Kube`` fits it. Raises ``faults.Fault``."""

    async def version(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds."""

    interval: float = 8.0
    most: float = 60.0
    """While there is no answer it is asked less and less often, down to this."""
    answer: float = 4.5


class Pulse:
    """``unanswered`` is called each time the server does not answer; a refusal is an answer too."""

    def __init__(
        self,
        source: Source,
        unanswered: Callable[[], None],
        *,
        random: Random,
        patience: Patience | None = None,
    ) -> None:
        self._source = source
        self._unanswered = unanswered
        self._random = random
        self._patience = patience or Patience()

    async def run(self) -> None:
        """Ask, until cancelled."""
        wait = self._patience.interval
        while True:
            await asyncio.sleep(wait * self._random.uniform(0.8, 1.2))
            if await self._is_answered():
                wait = self._patience.interval
            else:
                self._unanswered()
                wait = min(2 * wait, self._patience.most)

    async def _is_answered(self) -> bool:
        try:
            async with asyncio.timeout(self._patience.answer):
                await self._source.version()
        except (faults.Unreachable, TimeoutError):
            return False
        except faults.Fault:
            return True
        return True
