"""``cnpg-tui archive``: one look into the bucket, told as text or JSON and as an exit code.

The exit codes: 0 whole, 1 late or incomplete, 2 holes or no usable base backup, 3 could not look.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import Random

from tui import archive_told, faults
from tui.archive_told import CANNOT_LOOK, Archive
from tui.barman import continuity, path, timelines
from tui.barman.continuity import Infos
from tui.barman.path import Histories, Loss
from tui.barman.s3 import Requests
from tui.cnpg import cluster, location, store
from tui.cnpg.location import Location, NoLocation
from tui.cnpg.manifest import CLUSTERS, OBJECT_STORES, Key, Kind, Manifest, Odd
from tui.live.changes import Folded, SweepFact
from tui.live.sweep import Sweep
from tui.verdict import window
from tui.wire import credentials
from tui.wire.bucket import Ambient, Bucket
from tui.wire.credentials import Source
from tui.wire.kube import Kube
from tui.wire.kubeconfig import Where
from tui.wire.memory import Losses, Memory

Write = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Request:
    """What to look at: ``target`` is a Cluster's name or an ``s3://`` URL; None is the only Cluster."""

    target: str | None
    endpoint_url: str
    where: Where
    sources: tuple[Source, ...]


def run(request: Request, *, output: str, write: Write, complain: Write) -> int:
    """Look, print, and say with the exit code how it is."""
    try:
        archive = asyncio.run(_look(request, complain))
    except faults.Fault as fault:
        complain(f"cnpg-tui: {fault}")
        if output == "json":
            write(json.dumps({"complete": False, "error": str(fault)}, indent=2))
        return CANNOT_LOOK
    if archive.error:
        complain(f"cnpg-tui: {archive.error}")
    as_json = output == "json"
    lines = [archive_told.as_json(archive)] if as_json else archive_told.as_text(archive)
    write("\n".join(lines))
    return archive.exit_code


async def _look(request: Request, complain: Write) -> Archive:
    if request.target is not None and request.target.startswith("s3://"):
        found = _by_url(request.target, request.endpoint_url)
        sources = tuple(each for each in request.sources if isinstance(each, Ambient))
        return await _look_at(found, sources or (Ambient(),), None, complain)
    kube = await Kube.open(request.where)
    try:
        found = await _by_name(kube, request.target)
        return await _look_at(found, request.sources, kube, complain)
    finally:
        await kube.close()


def _by_url(url: str, endpoint_url: str) -> Location:
    """The location of ``s3://bucket[/path]/server``."""
    destination, _, server = url.rstrip("/").rpartition("/")
    place = location.place_of(destination, endpoint_url)
    if isinstance(place, NoLocation) or not server:
        raise faults.Misconfigured(f"{url!r} is not s3://bucket[/path]/server")
    source = {"destinationPath": destination, "endpointURL": endpoint_url}
    return Location(place, server, "", store.configuration(source))


async def _by_name(kube: Kube, name: str | None) -> Location:
    namespace = kube.namespace
    if namespace is None:
        raise faults.Misconfigured("name one namespace with -n, not all of them")
    if name is None:
        name = await _only_cluster(kube, namespace)
    try:
        read = cluster.read(await _listed(kube, CLUSTERS, Key(namespace, name)))
        named = None
        if read.store is not None:
            named = store.read(await _listed(kube, OBJECT_STORES, read.store))
    except Odd as odd:
        raise faults.BadAnswer(f"cannot read Cluster {namespace}/{name}: {odd}") from odd
    found = location.of(read, named)
    if isinstance(found, NoLocation):
        raise faults.Misconfigured(f"Cluster {namespace}/{name} has no archive: {found.why}")
    return found


async def _listed(kube: Kube, kind: Kind, key: Key) -> Manifest:
    """One object, by ``list``: whoever looks at clusters has that right, and need not be given get."""
    found = kube.list(kind, key.namespace, field_selector=f"metadata.name={key.name}")
    items = [item async for page in found for item in page.items]
    if not items:
        raise faults.Misconfigured(f"there is no {kind.kind} {key.name} in {key.namespace}")
    return items[0]


async def _only_cluster(kube: Kube, namespace: str) -> str:
    names = [
        item.get("metadata", {}).get("name", "")
        async for page in kube.list(CLUSTERS, namespace)
        for item in page.items
    ]
    if len(names) != 1:
        there = f"there are {', '.join(sorted(names))}" if names else "there is none"
        raise faults.Misconfigured(f"name a Cluster: in namespace {namespace} {there}")
    return str(names[0])


async def _look_at(
    found: Location, sources: Sequence[Source], kube: Kube | None, complain: Write
) -> Archive:
    bucket = await credentials.open_bucket(found, sources, kube)
    facts: list[Folded] = []

    def report(fact: SweepFact) -> None:
        if isinstance(fact, Folded):
            facts[:] = [fact]

    async def opened() -> Bucket:
        return bucket

    memory = Memory()
    sweep = Sweep(
        found.place,
        opened,
        report,
        memory=memory,
        clock=partial(datetime.now, UTC),
        random=Random(),  # noqa: S311 - spreads retries, keeps no secret
    )
    sweep.want({found.server})
    error = ""
    try:
        await sweep.look()
    except faults.Fault as fault:
        if not facts or not facts[0].catalog.servers.get(found.server):
            raise
        error = str(fault)
    finally:
        memory.close()
    known = _acknowledged(found, complain)
    return _judged(found, bucket.identity, facts[0], known, bucket.requests, error)


def _acknowledged(found: Location, complain: Write) -> frozenset[Loss]:
    try:
        return frozenset(each.loss for each in Losses().of(found.place, found.server))
    except (OSError, ValueError) as error:
        complain(f"cnpg-tui: acknowledged losses are not known: {error}")
        return frozenset()


def _judged(
    found: Location,
    identity: str,
    folded: Folded,
    acknowledged: frozenset[Loss],
    requests: Requests,
    error: str,
) -> Archive:
    server = folded.catalog.servers[found.server]
    infos: Infos = folded.infos.get(found.server, {})
    histories: Histories = folded.histories.get(found.server, {})
    standalone = folded.standalone.get(found.server, frozenset())
    film = continuity.judge(
        server,
        infos,
        histories,
        now=folded.at,
        patience=path.PATIENCE,
        acknowledged=acknowledged,
        standalone=standalone,
    )
    return Archive(
        location=found,
        identity=identity,
        server=server,
        names=tuple(sorted(folded.catalog.servers)),
        infos=infos,
        standalone=standalone,
        unknown=folded.catalog.unknown.samples,
        unknown_count=len(folded.catalog.unknown.keys),
        film=film,
        window=window.of(film),
        timelines=timelines.of(server, film.segment_size),
        requests=requests,
        error=error,
        seal=folded.seals.get(found.server),
        at=folded.at,
    )
