"""What lies in the buckets, as the lines of an outline: places, servers, and what lies under each.

Pure: the estate in, lines out. A line knows its depth, whether it opens, and the URL of what it stands
for; the pane draws the lines that are open.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from datetime import datetime
from enum import StrEnum

from tui import words
from tui.barman import timelines
from tui.barman.catalog import Server
from tui.barman.path import Word
from tui.cnpg.location import Location, Place
from tui.cnpg.manifest import Key
from tui.live.changes import CannotLook, Looked, Looking, SweepState
from tui.live.estate import Estate
from tui.panes import shelf_bases, shelf_wal
from tui.panes.outline import Line, LineKey, View
from tui.verdict.growth import R2
from tui.verdict.level import Level
from tui.verdict.witnesses import Film


class Order(StrEnum):
    """How siblings stand: by name (WAL and backups newest first), or the gravest, largest or newest
    first."""

    NAME = "name"
    STATE = "state"
    SIZE = "size"
    NEWEST = "newest"


def lines(
    estate: Estate,
    opened: Set[LineKey],
    now: datetime,
    order: Order = Order.NAME,
    *,
    backwards: bool = False,
) -> Iterator[Line]:
    """All lines that are to be seen, in order."""
    for place in sorted(_places(estate)):
        line = _place(estate, place, now)
        yield line
        fold = estate.archives.folds.get(place)
        if fold is None or line.key not in opened:
            continue
        view = View(estate, fold, opened, now)
        parts = [list(_server(view, name)) for name in sorted(fold.catalog.servers)]
        parts.sort(key=lambda part: _rank(part[0], order))
        for part in reversed(parts) if backwards else parts:
            yield from _sorted_below(part, order, backwards=backwards)


def _rank(line: Line, order: Order) -> float:
    match order:
        case Order.STATE:
            return len(Level) if line.level is None else list(Level).index(line.level)
        case Order.SIZE:
            return -(line.size or 0)
        case Order.NEWEST:
            return -(line.newest.timestamp() if line.newest else 0.0)
        case Order.NAME:
            return 0.0


def _sorted_below(part: list[Line], order: Order, *, backwards: bool) -> Iterator[Line]:
    """A server's lines, its base backups by the order asked for; WAL has but one order."""
    bases = [line for line in part if line.kind == "base"]
    bases.sort(key=lambda line: _rank(line, order))
    ranked = iter(reversed(bases) if backwards else bases)
    for line in part:
        yield next(ranked) if line.kind == "base" else line


def default_open(estate: Estate) -> frozenset[LineKey]:
    """What is open before the user has opened or closed anything: every place, and under an open
    server its timelines."""
    places = {("place", str(place)) for place in _places(estate)}
    wals = {
        ("wals", str(place), name)
        for place, fold in estate.archives.folds.items()
        for name in fold.catalog.servers
    }
    return frozenset(places | wals)


def toward_holes(estate: Estate, now: datetime) -> frozenset[LineKey]:
    """What has to be open for every hole to be seen."""
    found: set[LineKey] = set()
    for place, fold in estate.archives.folds.items():
        view = View(estate, fold, frozenset(), now)
        for name, server in fold.catalog.servers.items():
            film = view.film(name)
            size = film.continuity.segment_size if film is not None else 0
            torn = [each for each in timelines.of(server, size) if each.holes] if size else []
            if torn:
                found |= {(kind, str(place), name) for kind in ("server", "wals")}
                found.add(("place", str(place)))
                found |= {shelf_wal.timeline_key(view, name, timeline) for timeline in torn}
    return frozenset(found)


def _places(estate: Estate) -> set[Place]:
    known = {where.place for where in estate.locations.values() if isinstance(where, Location)}
    return known | estate.archives.folds.keys()


def _place(estate: Estate, place: Place, now: datetime) -> Line:
    fold, state = estate.archives.folds.get(place), estate.archives.sweeps.get(place)
    servers = fold.catalog.servers.values() if fold else ()
    said, level = sweep_said(state, now)
    return Line(
        key=("place", str(place)),
        depth=0,
        name=str(place),
        place=place,
        count=words.counted(len(servers), "server") if fold else "",
        size=sum(each.wal_size + each.base_size for each in servers) if fold else None,
        state=said,
        level=level,
        url=str(place),
    )


def sweep_said(state: SweepState | None, now: datetime) -> tuple[str, Level | None]:
    """How a sweep does, in words."""
    match state:
        case None:
            return "not looked at yet", Level.UNKNOWN
        case Looking(objects=objects, share=share):
            return f"looking: {words.counted(objects, 'object')}, {share:.0%}", None
        case Looked(at=at, total=total):
            price = R2.requests(total)
            said = f"looked {words.ago(at, now)} ago, {words.counted(total.count, 'request')}"
            return f"{said}, ${price:.4f}", None
        case CannotLook(heard=heard, why=why):
            since = f"stale since {words.moment(heard, now)}: " if heard else ""
            return f"{since}{why}", Level.DEGRADED


def looked_into(server: Server) -> bool:
    """Whether more than the name of a server is known."""
    return server.unlisted is not None or server.bases_listed


def _server(view: View, name: str) -> Iterator[Line]:
    server = view.fold.catalog.servers[name]
    key = ("server", str(view.place), name)
    known, film = looked_into(server), view.film(name)
    newest = server.last_archived
    state, level = _server_state(view, server, film)
    yield Line(
        key=key,
        depth=1,
        name=name,
        place=view.place,
        server=name,
        count=f"{len(server.bases)} + {words.number(server.segments)}" if known else "",
        size=server.wal_size + server.base_size if known else None,
        newest=newest.at if newest else None,
        state=state,
        level=level,
        url=f"{view.place}/{name}/",
    )
    if key in view.opened and film is not None and known:
        yield from shelf_bases.lines(view, server, film)
        yield from shelf_wal.lines(view, server, film)


def _server_state(view: View, server: Server, film: Film | None) -> tuple[str, Level | None]:
    users = view.users(server.name)
    if not users:
        return _unused(view, server, film), Level.UNKNOWN
    if len(users) > 1:
        return f"shared by {_named(users)}", Level.FAILING
    state, level = _film_state(server, film)
    verdict = view.estate.verdicts.get(users[0])
    if level is Level.PROTECTED and verdict is not None and verdict.level is Level.FAILING:
        return f"{state}, but {verdict.word}", Level.FAILING  # what is there is, and no more comes
    return state, level


def _unused(view: View, server: Server, film: Film | None) -> str:
    if not view.clusters_known:
        return "not known whether a cluster uses it"
    rest = _film_state(server, film)[0] if looked_into(server) else "enter looks into it"
    return f"no cluster here uses it; {rest}"


def _named(keys: list[Key]) -> str:
    return ", ".join(map(str, keys))


def _film_state(server: Server, film: Film | None) -> tuple[str, Level | None]:
    if film is None or server.unlisted is None:
        return "not looked into yet", Level.UNKNOWN
    alarms = film.continuity.alarms
    if alarms:
        missing = sum(piece.count for piece in alarms)
        where = words.counted(len(alarms), "hole")
        return f"{where}, {words.counted(missing, 'segment')} lost", Level.FAILING
    if film.continuity.cut_off:
        timeline, why = film.continuity.cut_off[-1].timeline, film.continuity.cut_off[-1].why
        return f"timeline {timeline} out of reach: {why}", Level.FAILING
    word = film.continuity.word
    if not film.continuity.usable and word is not Word.UNSEEN:
        if not server.bases_listed:
            return "base backups not listed yet", Level.UNKNOWN
        return "no usable base backup", Level.FAILING
    if word is Word.FOUND:
        known = sum(piece.acknowledged for piece in film.continuity.pieces)
        said = words.counted(known, "acknowledged hole") if known else "whole"
        return said, Level.PROTECTED
    if word is Word.LOST:
        return "lost behind the newest base", Level.FAILING  # acknowledged, and yet
    return word.value, Level.UNKNOWN if word is Word.UNSEEN else Level.DEGRADED
