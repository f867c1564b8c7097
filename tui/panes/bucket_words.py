"""What a line of the bucket's outline means, in a few lines under it. Pure: values in, words out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from tui import words
from tui.barman import retention
from tui.barman.info import Info
from tui.barman.retention import Plan
from tui.barman.s3 import Rule, Untold
from tui.cnpg.location import Location, Place
from tui.cnpg.manifest import OBJECT_STORES
from tui.cnpg.store import ObjectStore
from tui.live.changes import Described, Looked
from tui.live.estate import Estate
from tui.panes import shelf
from tui.panes.outline import Line
from tui.verdict import growth
from tui.verdict.growth import R2, Growth
from tui.verdict.witnesses import Film
from tui.widgets import growth_line

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def of_place(estate: Estate, place: Place, now: datetime) -> Iterator[str]:
    """The store: whose keys, what it costs, what it says of itself."""
    state, described = estate.archives.sweeps.get(place), estate.archives.described.get(place)
    kind = "Cloudflare R2" if place.is_r2 else place.endpoint_url or "AWS S3"
    yield f"{place}  {kind}"
    whose = f"; read with the keys of {state.identity}" if isinstance(state, Looked) else ""
    yield shelf.sweep_said(state, now)[0] + whose
    if isinstance(state, Looked):
        yield f"{state.total.class_a} Class A and {state.total.class_b} Class B requests so far"
    fold = estate.archives.folds.get(place)
    if fold is not None:
        size = sum(each.wal_size + each.base_size for each in fold.catalog.servers.values())
        yield f"{words.size(size)} is ${R2.month(size):.2f} a month at R2's prices"
        unknown = fold.catalog.unknown
        if unknown.keys:
            more = " at least" if unknown.more else ""
            strange = words.counted(len(unknown.keys), "key")
            yield f"{strange}{more} Barman does not write: {', '.join(unknown.samples)}"
    if described is not None:
        yield from _described(described, now)


def _described(described: Described, now: datetime) -> Iterator[str]:
    if isinstance(described.uploads, Untold):
        yield f"incomplete uploads: not known ({described.uploads.why})"
    elif described.uploads.found:
        oldest = min(upload.initiated for upload in described.uploads.found)
        count = words.counted(len(described.uploads.found), "incomplete upload")
        yield f"{count}, the oldest begun {words.ago(oldest, now)} ago"
    if described.place.is_r2:
        yield "Cloudflare R2 has no versioning and no object tags: what is deleted is gone"
    elif isinstance(described.versioning, Untold):
        yield f"versioning: not known ({described.versioning.why})"
    else:
        yield f"versioning: {described.versioning or 'never enabled'}"
    if isinstance(described.rules, Untold):
        yield f"lifecycle rules: not known ({described.rules.why})"
    for rule in () if isinstance(described.rules, Untold) else described.rules:
        yield _rule(rule)


def _rule(rule: Rule) -> str:
    does = []
    if rule.expires_after is not None:
        does.append(f"deletes objects after {rule.expires_after} d: it eats backups and WAL")
    if rule.aborts_after is not None:
        does.append(f"aborts incomplete uploads after {rule.aborts_after} d")
    state = "" if rule.enabled else " (disabled)"
    what = "; ".join(does) or "does something else"
    return f"lifecycle rule {rule.id}{state} on {rule.prefix or 'everything'}: {what}"


def of_bases(estate: Estate, place: Place, film: Film, now: datetime) -> Iterator[str]:
    """What the retention policy of the server's ObjectStore keeps, and what goes when."""
    plans = list(_plans(estate, place, film, now))
    if not plans:
        yield "no retentionPolicy on the ObjectStore: nothing is ever deleted"
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
    for key, where in sorted(estate.locations.items()):
        cluster = estate.cluster(key)
        if cluster is None or cluster.store is None or not isinstance(where, Location):
            continue
        if (where.place, where.server) != (place, film.server.name):
            continue
        store = estate.tables[OBJECT_STORES].get(cluster.store)
        policy = retention.parse(store.retention_policy) if isinstance(store, ObjectStore) else None
        if policy is not None:
            yield retention.plan(policy, film.server.bases, infos, now)


def of_wals(estate: Estate, place: Place, film: Film, now: datetime) -> Iterator[str]:
    """How fresh the WAL is, how it is stored, and which folders are taken on trust."""
    server, last = film.server, film.server.last_archived
    if last is not None:
        said = f"newest {last.segment}, {words.ago(last.at, now)} ago"
        limits = [
            f"archive_timeout of {key.name} {words.age(cluster.archive_timeout)}"
            for key in estate.users(place, server.name)
            if (cluster := estate.cluster(key)) is not None and cluster.archive_timeout
        ]
        yield "; ".join([said, *limits])
    stored: dict[str, int] = {}
    for folder in server.directories.values():
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


def of_growth(grown: Growth, now: datetime) -> list[str]:
    """Growth in a few lines: 24 hours, 7 and 30 days, the rate, and what it comes to."""
    hours = growth.series(grown.hours, now, HOUR, 24)
    week = growth.series(grown.hours, now, 6 * HOUR, 28)
    days = growth.series(grown.hours, now, DAY, 30)
    day_line = growth_line.bars([bar.size for bar in days])
    rate = f"{words.size(round(grown.now_per_hour.size))}/h now"
    if grown.usual_per_hour is not None:
        rate += f", {words.size(round(grown.usual_per_hour.size))} usual"
    lines = [
        f"24 h  {growth_line.bars([bar.size for bar in hours])}  {rate}",
        f" 7 d  {growth_line.bars([bar.size for bar in week])}  {_segments(grown)}",
        f"30 d  {day_line}  {_per_day(grown)}",
    ]
    ahead = [
        f"{words.size(round(size))} in {count} days (${R2.month(size):.2f}/month on R2)"
        for count in (7, 30)
        if (size := growth.forecast(grown, now, count, None)) is not None
    ]
    if ahead:
        lines.append("without retention  " + ", ".join(ahead))
    if grown.compression_ratio is not None:
        lines.append(f"WAL compressed {grown.compression_ratio:.1f} to 1")
    return lines


def _segments(grown: Growth) -> str:
    said = f"{grown.now_per_hour.segments:.0f} segments/h now"
    if grown.usual_per_hour is not None:
        said += f", {grown.usual_per_hour.segments:.0f} usual"
    return said


def _per_day(grown: Growth) -> str:
    if grown.per_day is None:
        return "too young to say"
    trend = f", {grown.trend:+.0%} on the week before" if grown.trend is not None else ""
    return f"+{words.size(round(grown.per_day))}/day{trend}"


def of_hole(line: Line, film: Film, now: datetime) -> str:
    """How much is missing and which moments cannot be reached."""
    for piece in film.continuity.pieces:
        here = line.lost and (line.lost.first, line.lost.last) == (piece.first, piece.last)
        if here and piece.since and piece.until:
            since, until = words.moment(piece.since, now), words.moment(piece.until, now)
            count = words.counted(piece.count, "segment")
            gap = f"no moment from {since} to {until} can be reached"
            return f"{line.name}\n{count} {piece.word.value}: {gap}"
    return f"{line.name}: {line.state}"
