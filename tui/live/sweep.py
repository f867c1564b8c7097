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
    sweep.look_now()                  # the user asked: look again now, and more thoroughly
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Protocol

from tui.barman.directory import Row
from tui.barman.s3 import Answer, Requests, Rule, Uploads
from tui.cnpg.location import Place
from tui.live.changes import SweepFact


class Bucket(Protocol):
    """The port to a store; ``wire.bucket.Bucket`` fits it. Everything raises ``faults.Fault``."""

    @property
    def identity(self) -> str: ...
    @property
    def requests(self) -> Requests: ...

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
    """The port to what was seen before; ``wire.memory.Memory`` fits it. Called in threads."""

    def directories(self, place: Place, server: str) -> Sequence[Row]:
        """The sealed directories of a server."""
        ...

    def keep_directories(self, place: Place, server: str, rows: Iterable[Row]) -> None:
        """Remember sealed directories."""
        ...

    def forget_directories(
        self, place: Place, server: str, keys: Iterable[tuple[int, int]]
    ) -> None:
        """Forget directories (timeline and log) that are gone."""
        ...

    def text(self, place: Place, key: str, etag: str) -> bytes | None:
        """A small object, if it was kept under this ETag."""
        ...

    def keep_text(self, place: Place, key: str, etag: str, content: bytes) -> None:
        """Remember a small object."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a sweep waits for what; in seconds."""

    interval: float = 30.0
    """Between two looks at an archive that moves; drawn from 0.8 to 1.2 of it."""
    idle: float = 120.0
    """The longest interval, reached in steps while nothing changes."""


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

    def want(self, servers: Iterable[str]) -> None:
        """Look into these server names; the others are only named."""
        self._wanted = frozenset(servers)

    def look_now(self) -> None:
        """Look again now, also at what a quick look leaves out."""

    async def run(self) -> None:
        """Look and tell, until cancelled."""
