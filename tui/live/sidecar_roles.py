"""Looks at the sidecar's Role and RoleBinding where something fails: two ``get`` a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from tui import faults
from tui.cnpg import sidecar_role
from tui.cnpg.manifest import ROLE_BINDINGS, ROLES, Key, Kind, Manifest, Odd
from tui.live.refusals import Refusals
from tui.verdict.witnesses import NO_SUCH_OBJECT, NOT_ASKED, NotKnown, SidecarRights

FRESH = 50.0
"""Seconds for which a look counts."""

T = TypeVar("T")


class Source(Protocol):
    """The port; ``wire.kube.Kube`` fits it. Everything raises ``faults.Fault``."""

    async def get(self, kind: Kind, key: Key) -> Manifest: ...


class SidecarRoles:
    """What was seen of them lately, by cluster."""

    def __init__(self, source: Source, refusals: Refusals) -> None:
        self._source = source
        self._refusals = refusals
        self._seen: dict[Key, tuple[float, SidecarRights]] = {}

    def forget(self) -> None:
        """The user asked: look again."""
        self._seen.clear()

    async def look(self, cluster: Key, *, ask: bool) -> SidecarRights | NotKnown:
        """Those of a cluster, if there is reason to ``ask``."""
        if not ask:
            self._seen.pop(cluster, None)
            return NOT_ASKED
        now = asyncio.get_running_loop().time()
        at, seen = self._seen.get(cluster, (0.0, None))
        if seen is None or now - at >= FRESH:
            key = sidecar_role.key(cluster)
            role = await self._ask(ROLES, key, sidecar_role.read_role)
            seen = SidecarRights(
                role, await self._ask(ROLE_BINDINGS, key, sidecar_role.read_binding)
            )
            self._seen[cluster] = now, seen
        return seen

    async def _ask(self, kind: Kind, key: Key, read: Callable[[Manifest], T]) -> T | NotKnown:
        asked = f"{kind} in {key.namespace}"
        if (refused := self._refusals.remembered(asked)) is not None:
            return refused
        try:
            return read(await self._source.get(kind, key))
        except faults.NotFound:
            return NO_SUCH_OBJECT
        except faults.Forbidden as fault:
            said = f"get on {kind} in {key.namespace} is forbidden"
            return self._refusals.not_known(asked, fault, said)
        except (faults.Fault, Odd) as why:
            return NotKnown(str(why))
