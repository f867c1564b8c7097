"""What is looked into: a sweep for every place that a cluster archives to, and no others.

Which places those are changes while the app runs: a new ObjectStore is a new place, the last cluster
that leaves a place ends its sweep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from tui.cnpg.location import Location, Place


class Swept(Protocol):
    """What attention needs of a sweep; ``live.sweep.Sweep`` fits it."""

    def want(self, servers: Iterable[str]) -> None: ...
    def look_now(self, *, deep: bool = False) -> None: ...
    def stop_looking(self) -> None: ...
    async def run(self) -> None: ...


class Attention:
    """The sweeps that run now. ``sweep_of`` makes one for a location's place."""

    def __init__(self, sweep_of: Callable[[Location], Swept]) -> None:
        self._sweep_of = sweep_of
        self._sweeps: dict[Place, tuple[Swept, asyncio.Task[None]]] = {}
        self._trouble: asyncio.Future[None] | None = None
        self._wanted: dict[Place, set[str]] = {}
        self._also: dict[Place, set[str]] = {}

    def turn_to(self, locations: Iterable[Location]) -> None:
        """Look into these locations from now on, and into no others."""
        wanted: dict[Place, list[Location]] = {}
        for where in locations:
            wanted.setdefault(where.place, []).append(where)
        for place in self._sweeps.keys() - wanted.keys():
            self._sweeps.pop(place)[1].cancel()
        self._wanted = {place: {where.server for where in here} for place, here in wanted.items()}
        for place, here in wanted.items():
            if place not in self._sweeps:
                self._start(here[0])
            self._want(place)

    def turn_also_to(self, place: Place, server: str) -> None:
        """The user asked to look into this server name as well, which no cluster uses."""
        self._also.setdefault(place, set()).add(server)
        if place in self._sweeps:
            self._want(place)

    def _want(self, place: Place) -> None:
        self._sweeps[place][0].want(self._wanted[place] | self._also.get(place, set()))

    def look_now(self, *, deep: bool = False) -> None:
        """The user asked: look again now, thoroughly; ``deep``: and take nothing on trust."""
        for sweep, _ in self._sweeps.values():
            sweep.look_now(deep=deep)

    def stop_looking(self) -> None:
        """The user had enough of the looks that are under way."""
        for sweep, _ in self._sweeps.values():
            sweep.stop_looking()

    async def run(self) -> None:
        """Hold the sweeps until cancelled; a mistake in one of them is raised here."""
        self._trouble = asyncio.get_running_loop().create_future()
        try:
            await self._trouble
        finally:
            for _, task in self._sweeps.values():
                task.cancel()
            tasks = [task for _, task in self._sweeps.values()]
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, where: Location) -> None:
        sweep = self._sweep_of(where)
        task = asyncio.create_task(sweep.run(), name=f"sweep {where.place}")
        task.add_done_callback(self._ended)
        self._sweeps[where.place] = (sweep, task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        mistake = None if task.cancelled() else task.exception()
        if mistake is not None and self._trouble is not None and not self._trouble.done():
            self._trouble.set_exception(mistake)
