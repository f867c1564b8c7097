"""Looks once, at everything, and leaves: what the headless commands have in common.

The feeds, the inspection and the sweeps run until each has told its first word or said why it cannot;
then everything is judged at one moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from tui import connect
from tui.cnpg.cluster import Cluster
from tui.cnpg.location import Location, Place
from tui.cnpg.manifest import CLUSTERS, OBJECT_STORES
from tui.live.archives import Archives
from tui.live.changes import CannotLook, Change, Looked, Starting
from tui.live.estate import KINDS, Estate

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is known, and when it was judged."""

    estate: Estate
    now: datetime
    complete: bool
    """False: the deadline came first, and what was not heard is not known."""


async def gather(
    flags: connect.Flags,
    *,
    deadline: float,
    names: Collection[str] = (),
    lists_only: bool = False,
) -> Gathered:
    """Look at these clusters (or all), for at most ``deadline`` seconds. Raises ``faults.Fault``.

    ``lists_only`` asks neither instances nor buckets.
    """
    async with connect.open_wire(flags) as wire:
        return await watch_until_told(wire, deadline=deadline, names=names, lists_only=lists_only)


async def watch_until_told(
    wire: connect.Connection,
    *,
    deadline: float,
    names: Collection[str] = (),
    lists_only: bool = False,
) -> Gathered:
    """The same over a wire that is open already."""

    def told(estate: Estate) -> bool | None:
        return (_lists_told(estate) and (lists_only or _all_known(estate, names))) or None

    async with Onlooker(wire, names=names, lists_only=lists_only) as onlooker:
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                await onlooker.until(told)
    estate = onlooker.estate
    complete = told(estate) is not None
    if not complete:
        _log.warning("not everything was told within %s s", deadline)
    now = datetime.now(UTC)
    estate.judge([cluster.key for cluster in _wanted(estate, names)], now)
    return Gathered(estate, now, complete)


class Onlooker:
    """What is known, kept up to date while in its context.

    The feeds run, and the inspection and the sweeps of these clusters unless ``lists_only``.
    """

    def __init__(
        self, wire: connect.Connection, *, names: Collection[str] = (), lists_only: bool = False
    ) -> None:
        self.estate = Estate(context=wire.asked_for)
        self._wire = wire
        self._names = names
        self._lists_only = lists_only
        self._news = asyncio.Event()

    async def __aenter__(self) -> Onlooker:
        self._running = asyncio.create_task(self._wire.run(self._report))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def until(self, answer: Callable[[Estate], T | None]) -> T:
        """What ``answer`` gives once that is not None; it is asked at every change.

        Raises what ends the connection by itself (``faults.Misconfigured``).
        """
        while (found := answer(self.estate)) is None:
            self._news.clear()
            news = asyncio.create_task(self._news.wait())
            try:
                await asyncio.wait({self._running, news}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                news.cancel()
            if self._running.done():
                self._running.result()  # it ends only to say what is wrong
        return found

    def _report(self, change: Change) -> None:
        delta = self.estate.apply(change)
        if delta.kind in (CLUSTERS, OBJECT_STORES) and not self._lists_only:
            wanted = _wanted(self.estate, self._names)
            located = self.estate.located()
            places = {one.key: located[one.key] for one in wanted if one.key in located}
            for trouble in self._wire.attend(
                wanted, places, lambda: self.estate.unwell(datetime.now(UTC))
            ):
                _log.warning("%s", trouble)
        self._news.set()


def _wanted(estate: Estate, names: Collection[str]) -> list[Cluster]:
    return [cluster for cluster in estate.clusters() if not names or cluster.key.name in names]


def _lists_told(estate: Estate) -> bool:
    return not any(isinstance(estate.feeds[kind], Starting) for kind in KINDS)


def _all_known(estate: Estate, names: Collection[str]) -> bool:
    return all(_is_known(estate, cluster) for cluster in _wanted(estate, names))


def _is_seen(archives: Archives, place: Place) -> bool:
    """Whether the store has told all there is, and its lifecycle rules, or why not."""
    state = archives.sweeps.get(place)
    return isinstance(state, CannotLook) or (
        isinstance(state, Looked) and place in archives.described
    )


def _is_known(estate: Estate, cluster: Cluster) -> bool:
    where = estate.locations.get(cluster.key)
    if isinstance(where, Location):
        return _is_seen(estate.archives, where.place) and cluster.key in estate.inspected
    return cluster.key in estate.inspected
