"""Is the film whole: how far does each base backup lead, and what is missing on the way.

A restore with ``recovery_target_timeline = latest``, CloudNativePG's default, looks for histories
upwards from the backup's timeline and follows the newest it finds (PostgreSQL ``timeline.c``:
findNewestTimeLine, ``xlogrecovery.c``: the backup's checkpoint must lie on that history). Where the
newest does not descend from a backup, the restore must name the timeline it wants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tui.barman import history, timelines, wal
from tui.barman.catalog import Base, Server
from tui.barman.history import History, Span
from tui.barman.info import Info, Status, Unreadable
from tui.barman.path import Archive, Histories, Loss, Patience, Piece, Word
from tui.barman.wal import Lsn, Segment

Infos = Mapping[str, Info | Unreadable]
"""The backup.infos read so far, by backup id. One that lies in the archive and is not here is unseen."""

_GRAVITY = tuple(Word)


class Usable(StrEnum):
    """What is said of a base backup."""

    YES = "usable"
    UNSEEN = "unseen"
    NOT_YET = "not yet"
    NO = "unusable"


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one base backup leads. Fields after ``why`` are None as far as it is not known."""

    base: str
    usable: Usable
    why: str
    """Why it is not usable, in a sentence's end; ``""`` for a usable one."""
    timeline: int | None = None
    target: int | None = None
    """The timeline its path ends on."""
    latest: bool = True
    """False: a restore must name ``target``, for the newest timeline does not descend from it."""
    end_time: datetime | None = None
    """When the backup ended: the first moment it can restore."""
    begin: Segment | None = None
    """The first segment it needs."""
    through: Segment | None = None
    """The last segment before the first missing one."""
    until: datetime | None = None
    """What was written up to about this moment is there."""
    stopped_by: Piece | None = None
    """What ends its path early, None if it leads to the newest segment."""
    lacks: tuple[str, ...] = ()
    """Tars of a backup that is DONE which a restore would ask for and not find."""
    unreadable: bool = False
    """Whether its backup.info is there and says nothing that can be read."""
    standalone: bool = False
    """Whether the WAL behind it may be gone by design."""


@dataclass(frozen=True, slots=True)
class Stranded:
    """A timeline whose WAL no restore from these base backups gets to, and why."""

    timeline: int
    why: str
    bases: tuple[str, ...]
    corrupt: bool = False
    """Whether its history is there, and PostgreSQL stops at it: a base backup on it does not help."""


@dataclass(frozen=True, slots=True)
class Continuity:
    """The judgement on one server name."""

    segment_size: int
    target: int | None
    """The timeline the main path ends on, None without any complete base backup."""
    pieces: tuple[Piece, ...]
    """The main path from the first complete base backup on, in order."""
    reaches: tuple[Reach, ...]
    """Every base backup, oldest first."""
    bases_listed: bool
    """Whether those are all."""
    stranded: tuple[Stranded, ...]

    @property
    def alarms(self) -> tuple[Piece, ...]:
        """What is lost and not acknowledged."""
        return tuple(piece for piece in self.pieces if piece.alarms)

    @property
    def usable(self) -> tuple[Reach, ...]:
        """The base backups a restore can begin with, oldest first."""
        return tuple(reach for reach in self.reaches if reach.usable is Usable.YES)

    @property
    def cut_off(self) -> tuple[Stranded, ...]:
        """The timelines that not even the newest usable base backup gets to."""
        newest = self.usable[-1].base if self.usable else ""
        return tuple(each for each in self.stranded if newest in each.bases)

    @property
    def word(self) -> Word:
        """The gravest word, acknowledged losses and the want of a base backup aside.

        What is lost behind the newest base backup counts all the same: until the next one nothing
        younger can be restored, whatever was acknowledged.
        """
        words = [piece.word for piece in self.pieces if not piece.acknowledged]
        if self.usable and (stop := self.usable[-1].stopped_by) is not None:
            words.append(stop.word)
        if any(reach.usable is Usable.UNSEEN for reach in self.reaches):
            words.append(Word.UNSEEN)
        if self.cut_off:
            words.append(Word.LOST)
        return max(words, key=_GRAVITY.index, default=Word.FOUND)


def judge(
    server: Server,
    infos: Infos,
    histories: Histories,
    *,
    now: datetime,
    patience: Patience,
    acknowledged: Set[Loss] = frozenset(),
    standalone: Set[str] = frozenset(),
) -> Continuity:
    """Follow every base backup of ``server`` as far as the archive goes.

    ``standalone`` are the backups kept with ``barman-cloud-backup-keep --target standalone``: WAL
    after them may be gone by design.
    """
    size = timelines.segment_size(server, infos)
    archive = Archive(
        server, histories, size, now=now, patience=patience, acknowledged=acknowledged
    )
    reaches: list[Reach] = []
    routes: list[_Route] = []
    alone: list[_Route] = []
    for id_ in sorted(server.bases):
        routed = _routed(archive, server.bases[id_], infos.get(id_))
        if isinstance(routed, Reach):
            reaches.append(routed)
        elif id_ in standalone:
            path = archive.pieces(routed.spans, routed.film.first)
            reaches.append(replace(_reach(archive, routed, path), standalone=True))
            alone.append(routed)
        else:
            routes.append(routed)
    paths = _paths(archive, routes)
    reaches += [_reach(archive, route, paths[route.target]) for route in routes]
    target = max(paths, default=None)
    return Continuity(
        segment_size=size,
        target=target,
        pieces=() if target is None else paths[target],
        reaches=tuple(sorted(reaches, key=_base_of)),
        bases_listed=server.bases_listed,
        stranded=_stranded(archive, [*routes, *alone]),
    )


@dataclass(frozen=True, slots=True)
class _Film:
    """A base backup that is complete by itself: the segments, by number, and LSNs it needs."""

    base: str
    begin: Segment
    end: Segment
    first: int
    last: int
    begin_lsn: Lsn
    end_lsn: Lsn
    end_time: datetime

    @property
    def timeline(self) -> int:
        return self.begin.timeline


@dataclass(frozen=True, slots=True)
class _Route:
    """Whose WAL a restore of ``film`` replays."""

    film: _Film
    target: int
    spans: tuple[Span, ...]
    latest: bool


def _base_of(reach: Reach) -> str:
    return reach.base


def _routed(archive: Archive, base: Base, info: Info | Unreadable | None) -> _Route | Reach:
    film = _film(base, info, archive.segment_size)
    if isinstance(film, Reach):
        return film
    if archive.server.unlisted is None:
        why = "the WAL has not been listed yet"
        return Reach(base.id, Usable.UNSEEN, why, film.timeline, end_time=film.end_time)
    return _route(archive, film)


def _film(base: Base, info: Info | Unreadable | None, size: int) -> _Film | Reach:
    if base.info is None:
        return Reach(base.id, Usable.NO, "it has no backup.info")
    if info is None:
        return Reach(base.id, Usable.UNSEEN, "its backup.info has not been read yet")
    if isinstance(info, Unreadable):
        why = f"its backup.info cannot be read: {info.why}"
        return Reach(base.id, Usable.NO, why, unreadable=True)
    if info.status is Status.FAILED:
        why = f"it failed: {info.error or 'backup.info gives no reason'}"
        return Reach(base.id, Usable.NO, why, info.timeline)
    if info.status is not Status.DONE:
        return Reach(base.id, Usable.NOT_YET, f"it is {info.status}, not DONE", info.timeline)
    if missing := base.missing(info):
        why = f"{', '.join(missing)} is missing"
        return Reach(base.id, Usable.NO, why, info.timeline, lacks=missing)
    if info.begin_wal is None or info.end_wal is None or info.end_time is None:
        return Reach(base.id, Usable.NO, "its backup.info does not say which WAL it needs")
    return _Film(
        base=base.id,
        begin=info.begin_wal,
        end=info.end_wal,
        first=info.begin_wal.number(size),
        last=info.end_wal.number(size),
        begin_lsn=info.begin_wal.start(size) if info.begin_lsn is None else info.begin_lsn,
        end_lsn=info.end_wal.start(size) if info.end_lsn is None else info.end_lsn,
        end_time=info.end_time,
    )


def _route(archive: Archive, film: _Film) -> _Route | Reach:
    newest = archive.newest(film.timeline)
    for target in range(newest, film.timeline, -1):
        known = archive.histories.get(target)
        if known is None:
            why = f"{wal.HistoryFile(target)} has not been read yet"
            return Reach(film.base, Usable.UNSEEN, why, film.timeline, end_time=film.end_time)
        if isinstance(known, History) and _holds(known.spans, film):
            return _Route(film, target, known.spans, latest=target == newest)
    # On its own timeline a backup needs no history: PostgreSQL does without where there is none. But
    # it reads the one that is there, and stops at what it cannot follow.
    own = archive.histories.get(film.timeline)
    if isinstance(own, history.Unreadable):
        why = _not_followed(own)
        return Reach(film.base, Usable.NO, why, film.timeline, end_time=film.end_time)
    spans = own.spans if isinstance(own, History) else (Span(film.timeline, 0, None),)
    if film.end.timeline == film.timeline and not _holds(spans, film):
        why = f"it began before its timeline {film.timeline} did"
        return Reach(film.base, Usable.NO, why, film.timeline, end_time=film.end_time)
    return _Route(film, film.timeline, spans, latest=newest == film.timeline)


def _holds(spans: Sequence[Span], film: _Film) -> bool:
    """Whether the whole backup lies on this history.

    One from a standby may end on a younger timeline than it began on: its primary was replaced.
    """
    on = {span.timeline: span for span in spans}
    first, last = on.get(film.timeline), on.get(film.end.timeline)
    if first is None or last is None or film.begin_lsn < first.start or film.end_lsn < last.start:
        return False
    return last.end is None or film.end_lsn <= last.end


def _paths(archive: Archive, routes: Iterable[_Route]) -> dict[int, tuple[Piece, ...]]:
    """For each target timeline, the path from the first base backup that leads there."""
    first: dict[int, _Route] = {}
    for route in routes:
        known = first.get(route.target, route)
        first[route.target] = min(route, known, key=_begin)
    return {
        target: archive.pieces(route.spans, route.film.first) for target, route in first.items()
    }


def _begin(route: _Route) -> int:
    return route.film.first


def _reach(archive: Archive, route: _Route, path: Sequence[Piece]) -> Reach:
    film, size = route.film, archive.segment_size
    mine = [piece for piece in path if piece.last.number(size) >= film.first]
    stop = next((piece for piece in mine if piece.word is not Word.FOUND), None)
    whole = mine if stop is None else mine[: mine.index(stop)]
    through = whole[-1].last if whole else None
    usable, why = _usability(archive, film, through, stop)
    return Reach(
        base=film.base,
        usable=usable,
        why=why,
        timeline=film.timeline,
        target=route.target,
        latest=route.latest,
        end_time=film.end_time,
        begin=film.begin,
        through=through,
        until=_until(archive, route, whole, stop),
        stopped_by=stop,
    )


def _usability(
    archive: Archive, film: _Film, through: Segment | None, stop: Piece | None
) -> tuple[Usable, str]:
    size = archive.segment_size
    if stop is not None and stop.first.number(size) <= film.last:
        verb = {Word.LOST: "is lost", Word.LATE: "is not there yet"}.get(
            stop.word, "is not listed yet"
        )
        usable = {Word.LOST: Usable.NO, Word.LATE: Usable.NOT_YET}.get(stop.word, Usable.UNSEEN)
        return usable, f"{stop.first}, which it needs, {verb}"
    if through is None or through.number(size) < film.last:
        return Usable.NOT_YET, f"it needs WAL up to {film.end}, which is not there yet"
    server = archive.server
    if server.modified(film.begin) is None and server.partial(film.begin) is None:
        # The plugin fetches it by this name before it restores (plugin-barman-cloud restore.go),
        # even where a younger timeline holds a copy.
        return Usable.NO, f"{film.begin}, its first segment, is missing"
    return Usable.YES, ""


def _until(
    archive: Archive, route: _Route, whole: Sequence[Piece], stop: Piece | None
) -> datetime | None:
    """When the last data that can be replayed was written, at the latest.

    A segment is archived after its last record was written, and before any later one's; so the
    earlier of its own LastModified and its successor's bounds it.
    """
    if not whole or (until := whole[-1].until) is None:
        return None
    if stop is not None:
        if stop.until is not None:
            until = min(until, stop.until)
    elif partial := _partial(archive, route.spans, whole[-1].last):
        until = max(until, partial)
    return max(until, route.film.end_time)


def _partial(archive: Archive, spans: Sequence[Span], last: Segment) -> datetime | None:
    """When a partial copy of the next segment was archived: barman-cloud-wal-restore takes it too."""
    number = last.number(archive.segment_size) + 1
    for span in reversed(spans):
        found = archive.server.partial(wal.at(span.timeline, number, archive.segment_size))
        if found is not None:
            return found.modified
    return None


def _stranded(archive: Archive, routes: Iterable[_Route]) -> tuple[Stranded, ...]:
    found: dict[tuple[int, str, bool], list[str]] = {}
    for route in routes:
        newest = archive.newest(route.film.timeline)
        on_route = {span.timeline for span in route.spans}
        for timeline in archive.present:
            if timeline <= route.film.timeline or timeline in on_route:
                continue
            known, corrupt = archive.histories.get(timeline), False
            if timeline > newest:
                why = f"{wal.HistoryFile(newest + 1)} is missing"
            elif isinstance(known, history.Unreadable):
                why, corrupt = _not_followed(known), True
            else:
                continue  # another branch: it can be asked for by name
            found.setdefault((timeline, why, corrupt), []).append(route.film.base)
    return tuple(
        Stranded(timeline, why, tuple(bases), corrupt)
        for (timeline, why, corrupt), bases in sorted(found.items())
    )


def _not_followed(known: history.Unreadable) -> str:
    return f"{wal.HistoryFile(known.timeline)} cannot be followed: {known.why}"
