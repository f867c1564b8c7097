"""``cnpg-tui archive``: one look into the bucket, told as text or JSON and as an exit code.

The exit codes: 0 whole, 1 late or incomplete, 2 holes or no usable base backup, 3 could not look.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any, Final

from tui import faults, words
from tui.barman import continuity, path, timelines
from tui.barman.catalog import Base, Server
from tui.barman.continuity import Continuity, Infos
from tui.barman.info import Info
from tui.barman.path import Histories, Loss, Piece, Word
from tui.barman.s3 import Requests
from tui.barman.seals import Seal
from tui.barman.timelines import Run, Timeline
from tui.cnpg import cluster, location, store
from tui.cnpg.location import Location, NoLocation
from tui.cnpg.manifest import CLUSTERS, OBJECT_STORES, Key, Odd
from tui.live.changes import Folded, SweepFact
from tui.live.sweep import Sweep
from tui.verdict import growth, window
from tui.verdict.window import NoWindow, Window
from tui.wire import credentials
from tui.wire.bucket import Ambient, Bucket
from tui.wire.credentials import Source
from tui.wire.kube import Kube
from tui.wire.kubeconfig import Where
from tui.wire.memory import Losses, Memory

WHOLE: Final = 0
LATE: Final = 1
HOLES: Final = 2
CANNOT_LOOK: Final = 3

Write = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Request:
    """What to look at: ``target`` is a Cluster's name or an ``s3://`` URL; None is the only Cluster."""

    target: str | None
    endpoint_url: str
    where: Where
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Archive:
    """What one look found of one server name, judged."""

    location: Location
    identity: str
    server: Server
    names: tuple[str, ...]
    """Every server name below the place."""
    infos: Infos
    standalone: frozenset[str]
    unknown: Sequence[str]
    unknown_count: int
    film: Continuity
    window: Window | NoWindow
    timelines: tuple[Timeline, ...]
    requests: Requests
    error: str
    """Why the look broke off, ``""`` for a whole one."""
    seal: Seal | None
    """The full WAL folders: a cache may have them on trust, listed by an earlier look."""
    at: datetime

    @property
    def exit_code(self) -> int:
        """What the shell is told."""
        if self.error:
            return CANNOT_LOOK
        if self.film.word is Word.LOST:
            return HOLES
        if self.film.word in (Word.LATE, Word.UNSEEN):
            return LATE
        return WHOLE if self.film.usable else HOLES


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
    lines = [_json(archive)] if output == "json" else as_text(archive)
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
        read = cluster.read(await kube.get(CLUSTERS, Key(namespace, name)))
        named = None
        if read.store is not None:
            named = store.read(await kube.get(OBJECT_STORES, read.store))
    except Odd as odd:
        raise faults.BadAnswer(f"cannot read Cluster {namespace}/{name}: {odd}") from odd
    found = location.of(read, named)
    if isinstance(found, NoLocation):
        raise faults.Misconfigured(f"Cluster {namespace}/{name} has no archive: {found.why}")
    return found


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


def _json(archive: Archive) -> str:
    return json.dumps(as_json(archive), indent=2, ensure_ascii=False)


def as_json(archive: Archive) -> Mapping[str, Any]:
    """The archive as a document. Times are RFC 3339 in UTC, sizes and rates in bytes."""
    server = archive.server
    last = server.last_archived
    return {
        "server": server.name,
        "place": str(archive.location.place),
        "endpoint_url": archive.location.place.endpoint_url,
        "identity": archive.identity,
        "verdict": _verdict_json(archive),
        "base_backups": [_base_json(archive, server.bases[id_]) for id_ in sorted(server.bases)],
        "timelines": [_timeline_json(each) for each in archive.timelines],
        "last_archived": None
        if last is None
        else {"name": str(last.segment), "time": _iso(last.at)},
        "totals": {
            "segments": server.segments,
            "wal_bytes": server.wal_size,
            "base_bytes": server.base_size,
        },
        "growth": _growth_json(archive),
        "unknown_keys": archive.unknown_count,
        "full_folders_listed_since": _iso(archive.seal.since if archive.seal else None),
        "requests": archive.requests.count,
        "complete": not archive.error and not server.unlisted and server.unlisted is not None,
        "error": archive.error or None,
    }


def _verdict_json(archive: Archive) -> Mapping[str, Any]:
    film, found = archive.film, archive.window
    told: dict[str, Any] = {
        "word": film.word.value,
        "usable_bases": [reach.base for reach in film.usable],
        "missing": [_piece_json(piece) for piece in film.pieces if piece.word is not Word.FOUND],
    }
    if isinstance(found, NoWindow):
        told["restorable"] = None
        told["why_not"] = found.why
    else:
        told["restorable"] = {
            "since": _iso(found.since),
            "until": _iso(found.until),
            "timeline": found.timeline,
            "through": str(found.through),
        }
    return told


def _piece_json(piece: Piece) -> Mapping[str, Any]:
    return {
        "word": piece.word.value,
        "first": str(piece.first),
        "last": str(piece.last),
        "count": piece.count,
        "since": _iso(piece.since),
        "until": _iso(piece.until),
        "acknowledged": piece.acknowledged,
    }


def _base_json(archive: Archive, base: Base) -> Mapping[str, Any]:
    told = archive.infos.get(base.id)
    info = told if isinstance(told, Info) else None
    return {
        "id": base.id,
        "status": _status(archive, base),
        "begin_wal": str(info.begin_wal) if info and info.begin_wal else None,
        "end_wal": str(info.end_wal) if info and info.end_wal else None,
        "begin_time": _iso(info.begin_time if info else None),
        "end_time": _iso(info.end_time if info else None),
        "timeline": info.timeline if info else None,
        "size": base.size,
        "kept": _kept(archive, base),
    }


def _status(archive: Archive, base: Base) -> str:
    """backup.info's own word, or ours for one that is not there or cannot be read."""
    told = archive.infos.get(base.id)
    if isinstance(told, Info):
        return told.status.value
    return "UNREADABLE" if told is not None else "MISSING" if base.info is None else "UNREAD"


def _kept(archive: Archive, base: Base) -> str | None:
    if base.keep is None:
        return None
    return "standalone" if base.id in archive.standalone else "full"


def _timeline_json(timeline: Timeline) -> Mapping[str, Any]:
    return {
        "timeline": timeline.timeline,
        "first": str(timeline.first),
        "last": str(timeline.last),
        "segments": timeline.segments,
        "bytes": timeline.size,
        "runs": [_run_json(run) for run in timeline.runs],
        "holes": [_run_json(hole) for hole in timeline.holes],
    }


def _run_json(run: Run) -> Mapping[str, Any]:
    return {"first": str(run.first), "last": str(run.last), "count": run.count}


def _growth_json(archive: Archive) -> Mapping[str, Any]:
    grown = growth.of(archive.server, now=archive.at, segment_size=archive.film.segment_size)
    wal = grown.wal_per_day
    ahead = {days: growth.forecast(grown, archive.at, days, None) for days in (7, 30)}
    return {
        "wal_bytes_per_day": round(wal.size) if wal else None,
        "wal_segments_per_day": round(wal.segments, 1) if wal else None,
        "base_bytes_per_day": _whole(grown.base_per_day),
        "bytes_in_7_days": _whole(ahead[7]),
        "bytes_in_30_days": _whole(ahead[30]),
        "compression_ratio": round(grown.compression_ratio, 2) if grown.compression_ratio else None,
    }


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def as_text(archive: Archive) -> Iterator[str]:
    """The archive for people: the verdict first."""
    server, place = archive.server, archive.location.place
    yield f"{place}/{server.name} at {place.endpoint_url or 'AWS'} ({archive.identity})"
    yield _headline(archive)
    yield ""
    yield from _missing(archive)
    yield from _facts(archive)
    yield ""
    yield from _aligned(
        ("BASE BACKUP", "STATUS", "TL", "BEGIN WAL", "END", "SIZE", "KEPT", "USE"),
        [_base_row(archive, server.bases[id_]) for id_ in sorted(server.bases)],
        empty="No base backup.",
    )
    yield ""
    yield from _aligned(
        ("TL", "FIRST", "LAST", "SEGMENTS", "SIZE", "HOLES"),
        [
            (
                str(each.timeline),
                str(each.first),
                str(each.last),
                words.number(each.segments),
                words.size(each.size),
                words.number(sum(hole.count for hole in each.holes)) if each.holes else "-",
            )
            for each in archive.timelines
        ],
        empty="No WAL.",
    )
    if archive.unknown_count:
        yield ""
        yield f"{words.counted(archive.unknown_count, 'key')} no tool of ours writes:"
        yield from (f"  {key}" for key in archive.unknown)


def _headline(archive: Archive) -> str:
    found = archive.window
    if archive.error:
        return "incomplete: the look broke off, so what is missing below may be there"
    if not archive.server.bases and not archive.server.segments:
        others = ", ".join(name for name in archive.names if name != archive.server.name)
        return f"nothing is stored under this server name. There: {others or 'no other'}"
    if isinstance(found, NoWindow):
        return f"not restorable: {found.why}"
    words_ = {
        Word.FOUND: "whole",
        Word.LATE: "late: the newest WAL is still on its way",
        Word.LOST: "holes: WAL is lost",
        Word.UNSEEN: "incomplete: not everything could be looked at",
    }
    since, until = words.stamp(found.since), words.stamp(found.until)
    return f"{words_[archive.film.word]}; restorable from {since} to {until}"


def _missing(archive: Archive) -> Iterable[str]:
    pieces = [piece for piece in archive.film.pieces if piece.word is not Word.FOUND]
    for piece in pieces:
        span = f"{piece.first}" if piece.count == 1 else f"{piece.first} to {piece.last}"
        since = words.stamp(piece.since) if piece.since else "?"
        until = words.stamp(piece.until) if piece.until else "?"
        known = ", acknowledged" if piece.acknowledged else ""
        yield (
            f"{piece.word.value}: {span} ({words.counted(piece.count, 'segment')}{known}), "
            f"{since} to {until}"
        )
    for each in archive.film.stranded:
        yield f"stranded: timeline {each.timeline}: {each.why}"
    if pieces or archive.film.stranded:
        yield ""


def _facts(archive: Archive) -> Iterable[str]:
    server, last = archive.server, archive.server.last_archived
    if last is None:
        yield "last archived  nothing"
    else:
        ago = words.ago(last.at, archive.at)
        yield f"last archived  {last.segment} at {words.stamp(last.at)} ({ago} ago)"
    bases = words.counted(len(server.bases), "base backup")
    segments = words.counted(server.segments, "segment")
    base_size, wal_size = words.size(server.base_size), words.size(server.wal_size)
    yield f"stored         {base_size} in {bases}, {wal_size} in {segments}"
    grown = growth.of(server, now=archive.at, segment_size=archive.film.segment_size)
    if grown.per_day is not None:
        yield f"grows          {words.size(round(grown.per_day))} a day"
    if archive.seal is not None:
        ago = words.ago(archive.seal.since, archive.at)
        count = words.counted(archive.seal.folders, "full folder")
        yield f"taken on trust {count}, all listed within the last {ago}"
    yield f"looked with    {words.counted(archive.requests.count, 'request')}"


def _base_row(archive: Archive, base: Base) -> tuple[str, ...]:
    told = archive.infos.get(base.id)
    info = told if isinstance(told, Info) else None
    reach = next((each for each in archive.film.reaches if each.base == base.id), None)
    return (
        base.id,
        _status(archive, base),
        str(info.timeline) if info and info.timeline else "-",
        str(info.begin_wal) if info and info.begin_wal else "-",
        words.stamp(info.end_time) if info and info.end_time else "-",
        words.size(base.size),
        _kept(archive, base) or "-",
        f"{reach.usable}{': ' if reach.why else ''}{reach.why}" if reach else "-",
    )


def _aligned(
    header: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, empty: str
) -> Iterable[str]:
    if not rows:
        yield empty
        return
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        yield "   ".join(map(str.ljust, row, widths)).rstrip()
