"""What lies in the buckets, as the lines of an outline: places, servers, base backups, timelines.

Pure: the estate in, lines out. A line knows its depth, whether it opens, and the URL of what it stands
for; the pane draws the lines that are open.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from tui import words
from tui.barman import timelines
from tui.barman.catalog import Base, Server
from tui.barman.continuity import Reach, Usable
from tui.barman.directory import Directory, runs
from tui.barman.info import Info
from tui.barman.path import Loss, Word
from tui.barman.timelines import Run, Timeline
from tui.barman.wal import Segment
from tui.cnpg.backup import COMPLETED
from tui.cnpg.location import Location, Place
from tui.cnpg.manifest import Key
from tui.live.changes import CannotLook, Folded, Looked, Looking, SweepState
from tui.live.estate import Estate
from tui.verdict.growth import R2
from tui.verdict.health import Level
from tui.verdict.witnesses import Film

LineKey: TypeAlias = tuple[str, ...]
"""What a line stands for: its kind, then its path from the place down."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``size`` in bytes; ``level`` colours the state."""

    key: LineKey
    depth: int
    name: str
    place: Place
    server: str = ""
    count: str = ""
    size: int | None = None
    newest: datetime | None = None
    state: str = ""
    level: Level | None = None
    url: str = ""
    opens: bool = True
    about: str = ""
    """What the line has no room for."""
    lost: Loss | None = None
    """What of the main path is missing here and not acknowledged."""

    @property
    def is_hole(self) -> bool:
        """Whether it stands for missing segments."""
        return self.key[0] == "hole"


class Order(StrEnum):
    """How siblings stand: by name (WAL and backups newest first), or the largest or newest first."""

    NAME = "name"
    SIZE = "size"
    NEWEST = "newest"


def lines(
    estate: Estate, opened: Set[LineKey], now: datetime, order: Order = Order.NAME
) -> Iterator[Line]:
    """All lines that are to be seen, in order."""
    for place in sorted(_places(estate)):
        line = _place(estate, place, now)
        yield line
        fold = estate.archives.folds.get(place)
        if fold is None or line.key not in opened:
            continue
        view = _View(estate, fold, opened, now)
        parts = [list(_server(view, name)) for name in sorted(fold.catalog.servers)]
        for part in sorted(parts, key=lambda part: _rank(part[0], order)):
            yield from _sorted_below(part, order)


def _rank(line: Line, order: Order) -> float:
    if order is Order.SIZE:
        return -(line.size or 0)
    if order is Order.NEWEST:
        return -(line.newest.timestamp() if line.newest else 0.0)
    return 0.0


def _sorted_below(part: list[Line], order: Order) -> Iterator[Line]:
    """A server's lines, its base backups by the order asked for; WAL has but one order."""
    bases = [at for at, line in enumerate(part) if line.key[0] == "base"]
    ranked = iter(sorted((part[at] for at in bases), key=lambda line: _rank(line, order)))
    for line in part:
        yield next(ranked) if line.key[0] == "base" else line


def default_open(estate: Estate) -> frozenset[LineKey]:
    """What is open before the user has opened or closed anything: every place."""
    return frozenset(("place", str(place)) for place in _places(estate))


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
            return f"looking: {words.number(objects)} objects, {share:.0%}", None
        case Looked(at=at, total=total):
            cost = (
                total.class_a * R2.class_a_million / 1e6 + total.class_b * R2.class_b_million / 1e6
            )
            said = f"looked {words.ago(at, now)} ago, {words.counted(total.count, 'request')}"
            return f"{said}, ${cost:.4f}", None
        case CannotLook(heard=heard, why=why):
            since = f"stale since {words.moment(heard, now)}: " if heard else ""
            return f"{since}{why}", Level.DEGRADED


@dataclass(frozen=True, slots=True)
class _View:
    """What every part of the outline below a place needs."""

    estate: Estate
    fold: Folded
    opened: Set[LineKey]
    now: datetime

    @property
    def place(self) -> Place:
        return self.fold.place

    def film(self, server: str) -> Film | None:
        found = self.estate.archives.film(self.place, server)
        return found if isinstance(found, Film) else None

    def users(self, server: str) -> list[Key]:
        """The clusters that archive under this server name."""
        return sorted(
            key
            for key, where in self.estate.locations.items()
            if isinstance(where, Location) and (where.place, where.server) == (self.place, server)
        )


def _server(view: _View, name: str) -> Iterator[Line]:
    server = view.fold.catalog.servers[name]
    key = ("server", str(view.place), name)
    users, film = view.users(name), view.film(name)
    newest = server.last_archived
    state, level = _server_state(server, users, film)
    yield Line(
        key=key,
        depth=1,
        name=name,
        place=view.place,
        server=name,
        count=f"{len(server.bases)} + {words.number(server.segments)}",
        size=server.wal_size + server.base_size,
        newest=newest.at if newest else None,
        state=state,
        level=level,
        url=f"{view.place}/{name}/",
    )
    if key in view.opened and film is not None:
        yield from _bases(view, server, film)
        yield from _timelines(view, server, film)


def _server_state(server: Server, users: list[Key], film: Film | None) -> tuple[str, Level | None]:
    if not users:
        return "no cluster uses this server name", Level.UNKNOWN
    if len(users) > 1:
        return f"shared by {', '.join(map(str, users))}", Level.FAILING
    if film is None or server.unlisted is None:
        return "not looked into yet", Level.UNKNOWN
    alarms = film.continuity.alarms
    if alarms:
        missing = sum(piece.count for piece in alarms)
        where = words.counted(len(alarms), "hole")
        return f"{where}, {words.counted(missing, 'segment')} lost", Level.FAILING
    if not film.continuity.usable and server.bases_listed:
        return "no usable base backup", Level.FAILING
    word = film.continuity.word
    if word is Word.FOUND:
        return "whole", Level.PROTECTED
    return word.value, Level.UNKNOWN if word is Word.UNSEEN else Level.DEGRADED


def _bases(view: _View, server: Server, film: Film) -> Iterator[Line]:
    reaches = {reach.base: reach for reach in film.continuity.reaches}
    infos = view.fold.infos.get(server.name, {})
    key = ("bases", str(view.place), server.name)
    newest = max((reach.end_time for reach in reaches.values() if reach.end_time), default=None)
    usable = len(film.continuity.usable)
    yield Line(
        key=key,
        depth=2,
        name="base/",
        place=view.place,
        server=server.name,
        count=words.counted(len(server.bases), "backup"),
        size=server.base_size,
        newest=newest,
        state=f"{usable} usable" if server.bases_listed else "not listed yet",
        level=None if usable or not server.bases_listed else Level.FAILING,
        url=f"{view.place}/{server.name}/base/",
    )
    if key not in view.opened:
        return
    made_by = _made_by(view.estate, view.users(server.name))
    for base in sorted(server.bases.values(), key=lambda base: base.id, reverse=True):
        info = infos.get(base.id)
        state, level = _base_state(base, reaches.get(base.id), info, made_by.pop(base.id, None))
        yield Line(
            key=("base", str(view.place), server.name, base.id),
            depth=3,
            name=base.id,
            place=view.place,
            server=server.name,
            count=", ".join(base.compressions) or "no data",
            size=base.size,
            newest=info.end_time if isinstance(info, Info) else base.newest,
            url=f"{view.place}/{server.name}/base/{base.id}/",
            state=state,
            level=level,
            opens=False,
        )
    for id_, backup in sorted(made_by.items()):
        if server.bases_listed:
            yield Line(
                key=("gone", str(view.place), server.name, id_),
                depth=3,
                name=id_,
                place=view.place,
                server=server.name,
                state=f"not in the bucket; Backup {backup} says completed",
                level=Level.DEGRADED,
                opens=False,
            )


def _made_by(estate: Estate, clusters: list[Key]) -> dict[str, str]:
    """Which Backup made which base backup: joined by ``status.backupId``."""
    return {
        backup.backup_id: backup.key.name
        for cluster in clusters
        for backup in estate.backups_of(cluster)
        if backup.backup_id and backup.phase == COMPLETED
    }


def _base_state(
    base: Base, reach: Reach | None, info: object, backup: str | None
) -> tuple[str, Level | None]:
    status = info.status.value if isinstance(info, Info) else "no backup.info"
    owner = f"Backup {backup}" if backup else "no Backup"
    kept = "kept, " if base.keep else ""
    if reach is None:
        return f"{status}, {kept}{owner}", Level.UNKNOWN
    why = f": {reach.why}" if reach.why else ""
    return f"{status}, {kept}{reach.usable.value}{why}, {owner}", _LEVELS[reach.usable]


_LEVELS = {
    Usable.YES: None,
    Usable.UNSEEN: Level.UNKNOWN,
    Usable.NOT_YET: Level.UNKNOWN,
    Usable.NO: Level.DEGRADED,
}


def _timelines(view: _View, server: Server, film: Film) -> Iterator[Line]:
    size = film.continuity.segment_size
    for timeline in reversed(timelines.of(server, size)):
        key = ("timeline", str(view.place), server.name, str(timeline.timeline))
        yield _timeline(view, server, timeline, key)
        if key in view.opened:
            yield from _stretches(view, server, timeline, film)


def _timeline(view: _View, server: Server, timeline: Timeline, key: LineKey) -> Line:
    holes = len(timeline.holes)
    return Line(
        key=key,
        depth=2,
        name=f"timeline {timeline.timeline}",
        place=view.place,
        server=server.name,
        count=words.number(timeline.segments),
        size=timeline.size,
        newest=server.modified(timeline.last),
        state=words.counted(holes, "hole") if holes else "no hole",
        about=f"{timeline.first} .. {timeline.last}",
        level=Level.DEGRADED if holes else None,
        url=f"{view.place}/{server.name}/wals/",
    )


def _stretches(view: _View, server: Server, timeline: Timeline, film: Film) -> Iterator[Line]:
    """Runs and holes by turns, newest first; an open run shows its folders."""
    found = [*((run, False) for run in timeline.runs), *((run, True) for run in timeline.holes)]
    for run, missing in sorted(found, key=lambda pair: pair[0].first, reverse=True):
        kind = "hole" if missing else "run"
        key = (kind, str(view.place), server.name, str(run.first))
        state, level = _hole_state(run, film) if missing else ("", None)
        yield Line(
            key=key,
            depth=3,
            name=span(run.first, run.last),
            place=view.place,
            server=server.name,
            count=words.number(run.count),
            newest=None if missing else server.modified(run.last),
            state=state,
            level=level,
            opens=not missing,
            lost=_lost(run, film) if missing else None,
            url=f"{view.place}/{server.name}/wals/{run.first.directory}/{run.first}",
        )
        if key in view.opened and not missing:
            yield from _folders(view, server, run)


def span(first: Segment, last: Segment) -> str:
    """Two segments of one timeline; of the second only what differs: ``0000...4F .. 00000050``."""
    shared = 16 if first.log == last.log else 8
    return f"{first} .. {str(last)[shared:]}"


def _lost(run: Run, film: Film) -> Loss | None:
    for piece in film.continuity.alarms:
        if piece.first <= run.last and run.first <= piece.last:
            return Loss(piece.first, piece.last)
    return None


def _hole_state(run: Run, film: Film) -> tuple[str, Level]:
    """Whether anybody needs what is missing there."""
    for piece in film.continuity.pieces:
        if piece.word is Word.FOUND or not piece.first <= run.last or not run.first <= piece.last:
            continue
        if piece.acknowledged:
            return "lost, acknowledged", Level.UNKNOWN
        return piece.word.value, Level.FAILING if piece.alarms else Level.DEGRADED
    return "missing, no base backup needs it", Level.UNKNOWN


def _folders(view: _View, server: Server, run: Run) -> Iterator[Line]:
    inside = (
        folder
        for key, folder in server.directories.items()
        if key[0] == run.first.timeline and run.first.log <= key[1] <= run.last.log
    )
    for folder in sorted(inside, key=lambda folder: folder.log, reverse=True):
        key = ("folder", str(view.place), server.name, folder.name)
        yield Line(
            key=key,
            depth=4,
            name=f"{folder.name}/",
            place=view.place,
            server=server.name,
            count=words.number(folder.segments),
            size=folder.size,
            newest=folder.modified(folder.last.seg) if folder.last else None,
            state=", ".join(folder.compressions),
            url=f"{view.place}/{server.name}/wals/{folder.name}/",
        )
        if key in view.opened:
            yield from _segments(view, server, folder)


def _segments(view: _View, server: Server, folder: Directory) -> Iterator[Line]:
    for column in folder.columns:
        for first, last in runs(column.bits):
            for seg in range(first, last + 1):
                name = f"{Segment(folder.timeline, folder.log, seg)}{column.suffix}"
                yield Line(
                    key=("segment", str(view.place), server.name, name),
                    depth=5,
                    name=name,
                    place=view.place,
                    server=server.name,
                    size=column.size(seg),
                    newest=folder.modified(seg),
                    opens=False,
                    url=f"{view.place}/{server.name}/wals/{folder.name}/{name}",
                )
