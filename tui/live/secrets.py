"""Looks at the Secrets of clusters in which something fails: by name, and never keeping a value.

What was read lately, also to open a bucket, is not asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from tui import faults
from tui.cnpg import secret
from tui.cnpg.manifest import SECRETS, Key, Kind, Manifest
from tui.cnpg.secret import Secret
from tui.live.refusals import Refusals
from tui.verdict.witnesses import NO_SUCH_OBJECT, NotKnown

FRESH = 50.0
"""Seconds for which a look counts: the sidecar itself reads its Secret every ten."""


class Source(Protocol):
    """The port; ``wire.kube.Kube`` fits it. Everything raises ``faults.Fault``."""

    async def get(self, kind: Kind, key: Key) -> Manifest: ...


class Secrets:
    """What was seen of Secrets lately."""

    def __init__(self, source: Source, refusals: Refusals) -> None:
        self._source = source
        self._refusals = refusals
        self._seen: dict[Key, tuple[float, Secret | NotKnown]] = {}
        """With the loop's time."""

    def hear(self, key: Key, seen: Secret | NotKnown) -> None:
        """Somebody read it for another reason."""
        self._seen[key] = (asyncio.get_running_loop().time(), seen)

    def forget(self) -> None:
        """The user asked: look again."""
        self._seen.clear()

    async def look(self, keys: Iterable[Key], *, ask: bool) -> dict[str, Secret | NotKnown]:
        """These Secrets by name; those not seen lately only if there is reason to ``ask``."""
        found: dict[str, Secret | NotKnown] = {}
        for key in keys:
            at, seen = self._seen.get(key, (0.0, None))
            if seen is not None and asyncio.get_running_loop().time() - at < FRESH:
                found[key.name] = seen
            elif ask:
                found[key.name] = await self._ask(key)
        return found

    async def _ask(self, key: Key) -> Secret | NotKnown:
        asked = f"secret {key}"
        if (refused := self._refusals.remembered(asked)) is not None:
            return refused
        try:
            seen: Secret | NotKnown = secret.read(key, await self._source.get(SECRETS, key))
        except faults.NotFound:
            seen = NO_SUCH_OBJECT
        except faults.Fault as fault:
            return self._refusals.not_known(asked, fault)
        self.hear(key, seen)
        return seen
