"""``cnpg-tui bundle``: what key ``e`` writes, for scripts and for terminals that can draw nothing.

Exit codes: 0 written, 3 the cluster is not known or the file cannot be written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tui import bundling, connect, faults
from tui.cnpg.manifest import CLUSTERS, Key
from tui.gathering import watch_until_told
from tui.live.telling import told

WRITTEN = 0
NOT_WRITTEN = 3

DEADLINE = 60.0
"""Seconds until what has not been heard is not known."""

Write = Callable[[str], object]


def run(flags: connect.Flags, cluster: str, folder: str, *, write: Write, complain: Write) -> int:
    """Look at everything once, and write it down; ``-`` prints it."""
    try:
        write(asyncio.run(_written(flags, cluster, folder)))
    except (faults.Fault, OSError) as why:
        complain(f"cnpg-tui: no evidence was written: {bundling.reason(why)}")
        return NOT_WRITTEN
    return WRITTEN


async def _written(flags: connect.Flags, cluster: str, folder: str) -> str:
    async with connect.open_wire(flags) as wire:
        gathered = await watch_until_told(wire, deadline=DEADLINE, names=(cluster,))
        estate, now = gathered.estate, gathered.now
        if not estate.heard(CLUSTERS):
            raise faults.Unreachable(told(estate.feeds[CLUSTERS], now).sentence)
        key = Key(wire.namespace or "", cluster)
        if folder == "-":
            return (await bundling.gathered(estate, key, wire, now)).rstrip("\n")
        return str(await bundling.written(estate, key, wire, now, folder))
