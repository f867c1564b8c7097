"""Looks once, at everything, and leaves: what the headless commands have in common.

The feeds, the inspection and the sweeps run until each has told its first word or said why it cannot;
then everything is judged at one moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from tui import connect
from tui.cnpg.cluster import Cluster
from tui.cnpg.location import Location
from tui.cnpg.manifest import CLUSTERS, OBJECT_STORES
from tui.live.changes import CannotLook, Change, Looked, Starting
from tui.live.estate import KINDS, Estate

_log = logging.getLogger(__name__)


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
    estate, told = Estate(), asyncio.Event()

    def report(change: Change) -> None:
        delta = estate.apply(change)
        if delta.kind in (CLUSTERS, OBJECT_STORES) and not lists_only:
            wanted = _wanted(estate, names)
            located = [estate.locations.get(cluster.key) for cluster in wanted]
            places = [where for where in located if isinstance(where, Location)]
            for trouble in wire.attend(wanted, places):
                _log.warning("%s", trouble)
        if _lists_told(estate) and (lists_only or _all_known(estate, names)):
            told.set()

    running = asyncio.create_task(wire.run(report))
    waiting = asyncio.create_task(told.wait())
    try:
        done, _ = await asyncio.wait(
            {running, waiting}, timeout=deadline, return_when=asyncio.FIRST_COMPLETED
        )
        if running in done:
            running.result()  # it ends only to say what is wrong
    finally:
        for task in (running, waiting):
            task.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
    if not told.is_set():
        _log.warning("not everything was told within %s s", deadline)
    now = datetime.now(UTC)
    estate.judge([cluster.key for cluster in _wanted(estate, names)], now)
    return Gathered(estate, now, told.is_set())


def _wanted(estate: Estate, names: Collection[str]) -> list[Cluster]:
    return [cluster for cluster in estate.clusters() if not names or cluster.key.name in names]


def _lists_told(estate: Estate) -> bool:
    return not any(isinstance(estate.feeds[kind], Starting) for kind in KINDS)


def _all_known(estate: Estate, names: Collection[str]) -> bool:
    return all(_is_known(estate, cluster) for cluster in _wanted(estate, names))


def _is_known(estate: Estate, cluster: Cluster) -> bool:
    where = estate.locations.get(cluster.key)
    if isinstance(where, Location):
        looked = isinstance(estate.archives.sweeps.get(where.place), Looked | CannotLook)
        return looked and cluster.key in estate.inspected
    return cluster.key in estate.inspected
