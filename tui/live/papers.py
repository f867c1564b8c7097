"""Fetches what the evidence bundle holds besides what is known anyway: whole manifests, Events, a log.

Every question is asked at once and answered for itself: a right that is missing, or a server that
does not answer, becomes a sentence in the bundle and keeps nothing else out of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Set
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tui import faults
from tui.cnpg import happening, sidecar_log
from tui.cnpg.happening import Happening
from tui.cnpg.manifest import (
    BACKUPS,
    CLUSTERS,
    EVENTS,
    OBJECT_STORES,
    SCHEDULED_BACKUPS,
    Key,
    Kind,
    Manifest,
)
from tui.cnpg.pod import SIDECAR
from tui.cnpg.sidecar_log import LogLine
from tui.live.feeds import Page
from tui.verdict.bundle import Paper, Papers
from tui.verdict.witnesses import NotKnown, Witnesses

T = TypeVar("T")

NEWEST = 5
"""Backups whose manifests are fetched."""
TAIL = 1000
"""Lines of the log."""
PATIENCE = 15.0
"""Seconds for each answer."""


class Source(Protocol):
    """The port; ``wire.kube.Kube`` fits it. Everything raises ``faults.Fault``."""

    def list(
        self, kind: Kind, namespace: str | None, *, field_selector: str = ""
    ) -> AsyncGenerator[Page, None]: ...

    async def pod_log(
        self, namespace: str, pod: str, container: str, *, tail_lines: int
    ) -> str: ...

    async def version(self) -> str:
        """Of the API server."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What belongs to one cluster."""

    objects: tuple[tuple[Kind, Key], ...]
    namespace: str
    primary: str
    names: Set[str]
    """Of everything whose Events tell about this cluster, its Pods included."""


def wanted(seen: Witnesses) -> Wanted:
    """The Cluster, its ObjectStore, its newest Backups and its schedules."""
    cluster = seen.cluster
    found = [(CLUSTERS, cluster.key)]
    if cluster.store is not None:
        found.append((OBJECT_STORES, cluster.store))
    backups = () if isinstance(seen.backups, NotKnown) else seen.backups
    newest = sorted(backups, key=lambda each: (each.created is not None, each.created, each.key))
    found += [(BACKUPS, each.key) for each in newest[-NEWEST:]]
    schedules = () if isinstance(seen.schedules, NotKnown) else seen.schedules
    found += [(SCHEDULED_BACKUPS, each.key) for each in sorted(schedules, key=lambda s: s.key)]
    pods = () if isinstance(seen.pods, NotKnown) else seen.pods
    names = {key.name for _, key in found} | {pod.key.name for pod in pods}
    return Wanted(tuple(found), cluster.key.namespace, cluster.primary, names)


async def fetch(source: Source, want: Wanted) -> Papers:
    """Ask for it all."""
    objects = asyncio.gather(*(_object(source, kind, key) for kind, key in want.objects))
    happenings = _or_why(lambda: _happenings(source, want))
    log = _or_why(lambda: _log(source, want))
    found = await asyncio.gather(objects, happenings, log, _or_why(source.version))
    return Papers(tuple(found[0]), *found[1:])


async def _or_why(ask: Callable[[], Awaitable[T]]) -> T | NotKnown:
    try:
        async with asyncio.timeout(PATIENCE):
            return await ask()
    except faults.Fault as fault:
        return NotKnown(str(fault))
    except TimeoutError:
        return NotKnown(f"no answer within {PATIENCE:.0f} s")


async def _object(source: Source, kind: Kind, key: Key) -> Paper:
    """By ``list``, a right that everybody has who sees anything; ``get`` need not be granted."""

    async def ask() -> Manifest | NotKnown:
        pages = source.list(kind, key.namespace, field_selector=f"metadata.name={key.name}")
        async with aclosing(pages):
            async for page in pages:
                for item in page.items:
                    return {"apiVersion": kind.api_version, "kind": kind.kind, **item}
        return NotKnown("there is none of that name")

    return Paper(kind, key, await _or_why(ask))


async def _happenings(source: Source, want: Wanted) -> tuple[Happening, ...]:
    found: list[Manifest] = []
    pages = source.list(EVENTS, want.namespace)
    async with aclosing(pages):
        async for page in pages:
            found += [item for item in page.items if _name(item) in want.names]
    return happening.listed(found)


def _name(event: Manifest) -> str:
    return str((event.get("involvedObject") or {}).get("name", ""))


async def _log(source: Source, want: Wanted) -> tuple[LogLine, ...] | NotKnown:
    if not want.primary:
        return NotKnown("the cluster has no primary")
    log = await source.pod_log(want.namespace, want.primary, SIDECAR, tail_lines=TAIL)
    return sidecar_log.errors(log, keep=20)
