"""The evidence bundle: all that is known of one cluster in one text, for the ticket.

Pure. Whatever comes from outside is written without secrets (:mod:`tui.cnpg.redaction`); what could
not be read stands there with its reason, so that nobody takes silence for health.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from tui import words
from tui.barman.wal import Segment
from tui.cnpg import printed
from tui.cnpg.happening import Happening
from tui.cnpg.location import Location, NoLocation
from tui.cnpg.manifest import Key, Kind, Manifest
from tui.cnpg.pod import Pod
from tui.cnpg.redaction import redacted, scrubbed
from tui.cnpg.sidecar_log import LogLine
from tui.verdict.health import Verdict
from tui.verdict.triage.rung import State
from tui.verdict.window import Window
from tui.verdict.witnesses import Film, NotKnown, Witnesses

BASES = 10
SEGMENTS = 20
BACKUPS = 20
HAPPENINGS = 60
"""How many of each, the newest."""

_GLYPHS = {State.HOLDS: "o", State.BROKEN: "x", State.UNKNOWN: "?"}


@dataclass(frozen=True, slots=True)
class Paper:
    """One object as the server has it, or why it could not be had."""

    kind: Kind
    key: Key
    manifest: Manifest | NotKnown


@dataclass(frozen=True, slots=True)
class Papers:
    """What is fetched for the bundle alone."""

    objects: tuple[Paper, ...]
    happenings: tuple[Happening, ...] | NotKnown
    """About this cluster and what belongs to it, newest last."""
    log: tuple[LogLine, ...] | NotKnown
    """Errors in the log of the primary's sidecar, oldest first."""
    server_version: str | NotKnown


@dataclass(frozen=True, slots=True)
class Subject:
    """The cluster, as it stood at one moment."""

    key: Key
    seen: Witnesses
    verdict: Verdict
    where: Location | NoLocation
    at: datetime
    context: str
    programs: str
    """Ours and what it runs on, with versions."""
    turns: tuple[str, ...] | None = None
    """How the verdict turned in this session; None where there is no session."""


def text(subject: Subject, papers: Papers) -> str:
    """The whole bundle."""
    parts = [
        _head(subject, papers),
        *_titled("Verdict", _verdict(subject)),
        *(_titled("Changes of the verdict", _turns(subject)) if subject.turns is not None else ()),
        *_titled("Recovery window", _window(subject)),
        *_titled("Findings", _findings(subject)),
        *_titled("Ladder", _ladder(subject)),
        *_titled("Evidence", _evidence(subject)),
        *_titled("Pods", _pods(subject)),
        *_titled("Backups", _backups(subject)),
        *_titled("Events", _happenings(papers, subject.at)),
        *_titled("Errors in the sidecar's log", _log(subject, papers)),
        *_titled("Bucket", _bucket(subject)),
        *_titled("Objects, without secrets", _objects(papers)),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def file_name(key: Key, at: datetime) -> str:
    """``cnpg-tui-NAMESPACE-CLUSTER-20261126T220000Z.txt``."""
    return f"cnpg-tui-{key.namespace}-{key.name}-{at:%Y%m%dT%H%M%SZ}.txt"


def _titled(title: str, lines: Iterable[str]) -> Iterator[list[str]]:
    yield ["", f"== {title} ==", *lines]


def _head(subject: Subject, papers: Papers) -> list[str]:
    version = papers.server_version
    kubernetes = f"not known: {version.why}" if isinstance(version, NotKnown) else version
    cluster = subject.seen.cluster
    return [
        f"cnpg-tui evidence bundle of Cluster {subject.key}",
        f"written     {words.stamp(subject.at)}",
        f"by          {subject.programs}",
        f"context     {subject.context}, Kubernetes {kubernetes}",
        *(f"plugin      {line}" for line in _plugins(papers)),
        f"PostgreSQL  timeline {cluster.timeline or '?'}, system id {cluster.system_id or '?'}",
        "Secrets and what looks like one are left out. Read it before you pass it on.",
    ]


def _plugins(papers: Papers) -> Iterator[str]:
    """By ``status.pluginStatus`` of the Cluster, which the operator writes."""
    for paper in papers.objects:
        if isinstance(paper.manifest, Mapping) and paper.manifest.get("kind") == "Cluster":
            status = paper.manifest.get("status") or {}
            for each in status.get("pluginStatus") or ():
                yield scrubbed(f"{each.get('name')} {each.get('version')}")


def _verdict(subject: Subject) -> Iterator[str]:
    verdict = subject.verdict
    yield f"{verdict.level.name.lower()}: {verdict.headline}"
    if verdict.advice:
        yield f"now: {verdict.advice}"


def _turns(subject: Subject) -> Iterator[str]:
    yield from subject.turns or ("none in this session",)


def _window(subject: Subject) -> Iterator[str]:
    window, film = subject.verdict.window, subject.seen.film
    if not isinstance(window, Window):
        why = film.why if isinstance(film, NotKnown) else getattr(film.window, "why", "")
        known = "none" if subject.verdict.looked else "not known"
        yield f"{known}{f': {scrubbed(why)}' if why else ''}"
        return
    behind = words.age(window.behind(subject.at))
    yield f"from {words.stamp(window.since)} to {words.stamp(window.until)}, {behind} behind"
    yield f"timeline {window.timeline}, through {window.through}"
    oldest, newest = window.bases[0], window.bases[-1]
    yield f"{words.counted(len(window.bases), 'base backup')}: {oldest} .. {newest}"
    for hole in window.holes:
        yield f"hole from {words.stamp(hole.since)} to {words.stamp(hole.until)}"
    if window.cut_by is not None:
        yield f"cut by {window.cut_by.first} .. {window.cut_by.last}: {window.cut_by.word}"


def _findings(subject: Subject) -> Iterator[str]:
    if not subject.verdict.findings:
        yield "none"
    for finding in subject.verdict.findings:
        yield f"{finding.level.name.lower()} {finding.code}: {finding.headline}"
        if finding.evidence:
            yield f"    seen  {scrubbed(finding.evidence)}"
        if finding.advice:
            yield f"    now   {finding.advice}"


def _ladder(subject: Subject) -> Iterator[str]:
    for rung in subject.verdict.ladder:
        yield f"{_GLYPHS[rung.state]} {rung.title:<22} {scrubbed(words.one_line(rung.evidence))}"
        if rung.remedy:
            yield f"    remedy  {rung.remedy}"
        if rung.command:
            yield f"    run     {rung.command}"


def _evidence(subject: Subject) -> Iterator[str]:
    for item in subject.verdict.evidence:
        at = f"   ({_dated(item.at, subject.at)})" if item.at else ""
        yield f"{item.source:<10} {scrubbed(item.text)}{at}"


def _pods(subject: Subject) -> Iterator[str]:
    pods = subject.seen.pods
    if isinstance(pods, NotKnown):
        yield f"not known{f': {scrubbed(pods.why)}' if pods.why else ''}"
        return
    rows = []
    for pod in sorted(pods, key=lambda each: each.key):
        role = "primary" if pod.is_primary else "standby"
        rows.append((pod.key.name, role, "ready" if pod.ready else "not ready", _sidecar(pod)))
    yield from words.aligned(("POD", "ROLE", "STATE", "SIDECAR"), rows)


def _sidecar(pod: Pod) -> str:
    sidecar = pod.sidecar
    if sidecar is None:
        return "none"
    said = "ready" if sidecar.ready else sidecar.waiting or "not ready"
    said += f", {words.counted(sidecar.restarts, 'restart')}"
    if sidecar.last_ended:
        said += f", last ended {sidecar.last_ended} (exit code {sidecar.last_exit_code})"
    return said + (f", memory limit {sidecar.memory_limit}" if sidecar.memory_limit else "")


def _backups(subject: Subject) -> Iterator[str]:
    backups = subject.seen.backups
    if isinstance(backups, NotKnown):
        yield f"not known: {scrubbed(backups.why)}"
        return
    newest = sorted(backups, key=lambda each: (each.created is not None, each.created, each.key))
    rows = [printed.cells(each, subject.at) for each in newest[-BACKUPS:]]
    yield f"{words.counted(len(backups), 'Backup')}, the newest last"
    yield from words.aligned(printed.COLUMNS, [tuple(map(scrubbed, row)) for row in rows])


def _happenings(papers: Papers, at: datetime) -> Iterator[str]:
    found = papers.happenings
    if isinstance(found, NotKnown):
        yield f"not known: {scrubbed(found.why)}"
        return
    if not found:
        yield "none (the API server keeps them for an hour)"
    for item in found[-HAPPENINGS:]:
        often = f" x{item.count}" if item.count > 1 else ""
        said = scrubbed(words.one_line(item.message))
        yield f"{_dated(item.last, at)}  {item.about}  {item.type} {item.reason}{often}  {said}"


def _log(subject: Subject, papers: Papers) -> Iterator[str]:
    earlier = subject.seen.sidecar_errors
    if isinstance(papers.log, NotKnown):
        yield f"not known: {scrubbed(papers.log.why)}"
    lines = () if isinstance(earlier, NotKnown) else earlier
    lines += () if isinstance(papers.log, NotKnown) else papers.log
    if not lines and not isinstance(papers.log, NotKnown):
        yield "none"
    for line in dict.fromkeys(lines):
        yield f"{_dated(line.at, subject.at)}  {line.logger}  {scrubbed(words.one_line(line.text))}"


def _bucket(subject: Subject) -> Iterator[str]:
    where, film = subject.where, subject.seen.film
    if isinstance(where, Location):
        yield f"{where.place}/{where.server} at {scrubbed(where.place.endpoint_url) or 'AWS'}"
    if isinstance(film, NotKnown):
        yield f"not looked at{f': {scrubbed(film.why)}' if film.why else ''}"
        return
    yield f"as seen {_dated(film.at, subject.at)}"
    if film.trouble:
        yield f"now: {scrubbed(film.trouble)}"
    server = film.server
    bases, segments = len(server.bases), server.segments
    yield (
        f"{words.counted(bases, 'base backup')}, {words.size(server.base_size)}; "
        f"{words.counted(segments, 'segment')}, {words.size(server.wal_size)}"
    )
    yield from _bases(film)
    yield from _segments(film)


def _bases(film: Film) -> Iterator[str]:
    server = film.server
    reaches = {reach.base: reach for reach in film.continuity.reaches}
    rows = []
    for id_ in sorted(server.bases)[-BASES:]:
        base, reach = server.bases[id_], reaches.get(id_)
        use = f"{reach.usable}{': ' if reach.why else ''}{reach.why}" if reach else "-"
        written = words.stamp(base.newest)
        rows.append((f"base/{id_}/", words.size(base.size), written, scrubbed(use)))
    yield from words.aligned(("BASE BACKUP", "SIZE", "WRITTEN", "USE"), rows)


def _segments(film: Film) -> Iterator[str]:
    """The end of the listing of ``wals/``, by name."""
    server = film.server
    rows = [
        (f"wals/{held.name}/{Segment(held.timeline, held.log, seg)}{column.suffix}",
         words.size(column.size(seg)), words.stamp(at))
        for held in heapq.nlargest(
            2, server.directories.values(), key=lambda each: (each.timeline, each.log)
        )
        for column in held.columns
        for seg in _bits(column.bits)
        if (at := held.modified(seg)) is not None
    ]  # fmt: skip
    yield from words.aligned(("SEGMENT", "SIZE", "WRITTEN"), sorted(rows)[-SEGMENTS:])
    for timeline, history in sorted(server.histories.items()):
        yield f"wals/{history.name}, timeline {timeline}, {words.stamp(history.modified)}"


def _bits(bits: int) -> Iterator[int]:
    return (number for number in range(bits.bit_length()) if bits >> number & 1)


def _objects(papers: Papers) -> Iterator[str]:
    for paper in papers.objects:
        yield f"--- # {paper.kind.kind} {paper.key}"
        if isinstance(paper.manifest, NotKnown):
            yield f"# not known: {scrubbed(paper.manifest.why)}"
        else:
            yield _yaml(redacted(paper.manifest)).rstrip("\n")


def _yaml(document: Mapping[str, Any]) -> str:
    """Plain ASCII: what is not is spelled out."""
    return yaml.safe_dump(document, sort_keys=False, width=1000)


def _dated(when: datetime | None, at: datetime) -> str:
    return f"{words.stamp(when)}, {words.age(at - when)} ago" if when else "not dated"
