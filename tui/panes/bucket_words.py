"""What a line of the bucket's outline means, in a few lines under it. Pure: values in, words out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tui import words
from tui.barman import retention
from tui.barman.info import Info
from tui.barman.path import Piece
from tui.barman.retention import Plan
from tui.barman.s3 import Rule, Untold
from tui.cnpg.location import Location, Place
from tui.live.changes import Described, Folded, Looked
from tui.live.estate import Estate
from tui.panes import growth_words, shelf
from tui.panes.outline import Line
from tui.verdict import growth
from tui.verdict.growth import R2
from tui.verdict.window import NoWindow, Window
from tui.verdict.witnesses import Film


def of_place(estate: Estate, place: Place, now: datetime) -> Iterator[str]:
    """The store: whose keys, what it costs, what it says of itself."""
    state, described = estate.archives.sweeps.get(place), estate.archives.described.get(place)
    kind = "Cloudflare R2" if place.is_r2 else place.endpoint_url or "AWS S3"
    yield f"{place}  {kind}"
    whose = f"; read with the keys of {state.identity}" if state and state.identity else ""
    yield shelf.sweep_said(state, now)[0] + whose
    if isinstance(state, Looked):
        yield f"{state.total.class_a} Class A and {state.total.class_b} Class B requests so far"
    fold = estate.archives.folds.get(place)
    if fold is not None:
        yield from _costs(fold, whole=estate.archives.whole(place) is not None)
        unknown = fold.catalog.unknown
        if unknown.keys:
            more = " at least" if unknown.more else ""
            strange = words.counted(len(unknown.keys), "key")
            yield f"{strange}{more} Barman does not write: {', '.join(unknown.samples)}"
    if described is not None:
        yield from _described(described, now)


def _costs(fold: Folded, *, whole: bool) -> Iterator[str]:
    size = sum(each.wal_size + each.base_size for each in fold.catalog.servers.values())
    if size or whole:
        least = "" if whole else "at least "
        yield f"{least}{words.size(size)} is {least}${R2.month(size):.2f} a month at R2's prices"


def _described(described: Described, now: datetime) -> Iterator[str]:
    nothing = []
    if isinstance(described.uploads, Untold):
        yield f"incomplete uploads: not known ({described.uploads.why})"
    elif not described.uploads.found:
        nothing.append("no incomplete upload")
    else:
        oldest = min(upload.initiated for upload in described.uploads.found)
        count = words.counted(len(described.uploads.found), "incomplete upload")
        yield f"{count}, the oldest begun {words.ago(oldest, now)} ago"
    if described.place.is_r2:
        yield "Cloudflare R2 has no versioning and no object tags: what is deleted is gone"
    elif isinstance(described.versioning, Untold):
        yield f"versioning: not known ({described.versioning.why})"
    elif described.versioning:
        yield f"versioning: {described.versioning}"
    else:
        nothing.append("versioning never enabled: what is deleted is gone")
    if isinstance(described.rules, Untold):
        yield f"lifecycle rules: not known ({described.rules.why})"
    elif not described.rules:
        nothing.append("no lifecycle rule")
    if nothing:
        yield "; ".join(nothing)
    for rule in () if isinstance(described.rules, Untold) else described.rules:
        yield _rule(rule)


def _rule(rule: Rule) -> str:
    does = []
    if rule.expires_after is not None:
        does.append(f"deletes objects after {rule.expires_after} d: it eats backups and WAL")
    if rule.expires_on is not None:
        does.append(f"deletes all objects from {words.stamp(rule.expires_on)} on")
    if rule.aborts_after is not None:
        does.append(f"aborts incomplete uploads after {rule.aborts_after} d")
    state = "" if rule.enabled else " (disabled)"
    what = "; ".join(does) or "does something else"
    where = f"{rule.prefix or 'everything'}{' of certain tags or sizes' if rule.selective else ''}"
    return f"lifecycle rule {rule.id}{state} on {where}: {what}"


def of_bases(estate: Estate, place: Place, film: Film, now: datetime) -> Iterator[str]:
    """What retention keeps, and what goes when."""
    plans = list(_plans(estate, place, film, now))
    if not plans:
        grown = growth.of(film.server, now=now, segment_size=film.continuity.segment_size)
        yield growth_words.retention_of(estate, place, film, grown).why
    for plan in plans:
        going = ", ".join(entry.base for entry in plan.going) or "nothing"
        yield f"{plan.policy}: the next run deletes {going}"
        if plan.blocked_by:
            yield f"blocked: backup.info of {', '.join(plan.blocked_by)} cannot be read"
        if plan.next is not None and plan.next.goes_at is not None:
            yield f"then {plan.next.base}, on {words.moment(plan.next.goes_at, now)}"
        first = [entry for entry in plan.entries if entry.why is retention.Why.FIRST_BEFORE]
        for entry in first:
            yield f"{entry.base} is kept because it is the first backup before the window"


def _plans(estate: Estate, place: Place, film: Film, now: datetime) -> Iterator[Plan]:
    fold = estate.archives.folds.get(place)
    if fold is None:
        return
    infos = fold.infos.get(film.server.name, {})
    for key in estate.users(place, film.server.name):
        where = estate.locations[key]
        told = where.retention_policy if isinstance(where, Location) else None
        if policy := retention.parse(told or ""):
            yield retention.plan(policy, film.server.bases, infos, now)


def of_wals(estate: Estate, place: Place, film: Film, now: datetime) -> Iterator[str]:
    """How fresh the WAL is, how it is stored, and which folders are taken on trust."""
    yield f"newest {growth_words.newest(estate, place, film, now)}"
    stored: dict[str, int] = {}
    for folder in film.server.directories.values():
        for compression, (segments, _) in folder.compressions.items():
            stored[compression] = stored.get(compression, 0) + segments
    if stored:
        yield ", ".join(f"{words.number(count)} {name}" for name, count in sorted(stored.items()))
    if film.seal is not None:
        count, ago = (
            words.counted(film.seal.folders, "full folder"),
            words.ago(film.seal.since, now),
        )
        yield f"{count} on trust, listed {ago} ago or later; within a day again, L lists them now"


def of_base(estate: Estate, line: Line, now: datetime) -> Iterator[str]:
    """When a base backup was taken, which WAL it needs, and its state in full."""
    yield line.url
    fold = estate.archives.folds.get(line.place)
    info = fold.infos.get(line.server, {}).get(line.key[-1]) if fold else None
    if isinstance(info, Info):
        begin = words.moment(info.begin_time, now) if info.begin_time else "?"
        end = words.moment(info.end_time, now) if info.end_time else "not ended"
        took = f" ({words.age(info.took)})" if info.took is not None else ""
        yield f"{begin} to {end}{took}, timeline {info.timeline or '?'}"
        yield f"WAL {info.begin_wal or '?'} .. {info.end_wal or '?'}, {line.count}"
    yield line.state


def of_hole(line: Line, film: Film, now: datetime) -> str:
    """How much is missing and which moments cannot be reached."""
    piece = line.missing
    if piece is None:
        return f"{line.about}\n{line.count}: {line.state}"
    said = f"{words.counted(piece.count, 'segment')} {line.state}"
    return f"{line.about}\n{said}{_out_of_reach(piece, film.window, now)}"


def _out_of_reach(piece: Piece, window: Window | NoWindow, now: datetime) -> str:
    """Not only what was written in there: also what follows, up to the end of the next base backup."""
    if isinstance(window, NoWindow):
        return ""
    for hole in window.holes:
        if piece == hole.missing or (piece.since and hole.since <= piece.since < hole.until):
            since, until = words.moment(hole.since, now), words.moment(hole.until, now)
            return f": no moment from {since} to {until} can be reached"
    if piece == window.cut_by or (piece.since and piece.since >= window.until):
        since = words.moment(window.until, now)
        return f": no moment after {since} can be reached before the next base backup"
    return ""
