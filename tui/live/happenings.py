"""Asks for Kubernetes Events about clusters in which something is wrong, one list a namespace.

Retention that fails shows nowhere else, so that one reason is asked for now and then also while
everything is well, with one request for all clusters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from tui.cnpg import happening
from tui.cnpg.happening import RETENTION_FAILED, Happening
from tui.cnpg.manifest import EVENTS
from tui.live.refusals import Refusals
from tui.live.whole_list import Source, listed
from tui.verdict.witnesses import NOT_ASKED, NotKnown

FRESH = 50.0
"""Seconds for which a namespace's list counts."""

RARELY = 600.0
"""Seconds between two looks for retention that fails."""

_MATTERS = frozenset({"Cluster", "Backup", "ScheduledBackup", "Pod"})


Told = tuple[Happening, ...] | NotKnown


class Happenings:
    """What was told lately, by namespace."""

    def __init__(self, namespace: str | None, source: Source, refusals: Refusals) -> None:
        self._namespace = namespace
        self._source = source
        self._refusals = refusals
        self._told: dict[str, tuple[float, Told]] = {}
        """With the loop's time."""
        self._retention: Told = NOT_ASKED
        self._at = float("-inf")

    def forget(self) -> None:
        """The user asked: ask again."""
        self._told.clear()
        self._at = float("-inf")

    async def look(self, unwell: Iterable[str]) -> None:
        """Ask for all Events in these namespaces, and now and then for retention anywhere."""
        now = asyncio.get_running_loop().time()
        if now - self._at >= RARELY:
            self._at = now
            about = f"involvedObject.kind=Cluster,reason={RETENTION_FAILED}"
            self._retention = await self._list(self._namespace, about)
        wanted = frozenset(unwell)
        self._told = {name: each for name, each in self._told.items() if name in wanted}
        for namespace in sorted(wanted):
            at, _ = self._told.get(namespace, (float("-inf"), NOT_ASKED))
            if now - at >= FRESH:
                self._told[namespace] = now, await self._list(namespace)

    def seen(self, namespace: str) -> Told:
        """What is known of a namespace's Events, newest last."""
        if namespace in self._told:
            return self._told[namespace][1]
        if isinstance(self._retention, NotKnown):
            return self._retention
        return tuple(each for each in self._retention if each.namespace == namespace)

    async def _list(self, namespace: str | None, about: str = "") -> Told:
        found = await listed(self._source, self._refusals, EVENTS, namespace, field_selector=about)
        if isinstance(found, NotKnown):
            return found
        told = happening.listed(found)
        return tuple(each for each in told if each.about.partition(" ")[0] in _MATTERS)
