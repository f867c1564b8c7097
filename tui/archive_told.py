"""What one look into an archive found, as a JSON document and as text for people. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tui import words
from tui.barman import wal
from tui.barman.catalog import Base, Server
from tui.barman.continuity import Continuity, Infos, Reach
from tui.barman.info import Info
from tui.barman.path import Piece, Word
from tui.barman.s3 import Requests
from tui.barman.seals import Seal
from tui.barman.timelines import Run, Timeline
from tui.barman.wal import Lsn
from tui.cnpg.location import Location
from tui.verdict import growth, kept
from tui.verdict.growth import R2, Growth
from tui.verdict.kept import Kept
from tui.verdict.window import NoWindow, Window

WHOLE: Final = 0
LATE: Final = 1
HOLES: Final = 2
CANNOT_LOOK: Final = 3


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
    def growth(self) -> Growth:
        """How it grows."""
        return growth.of(self.server, now=self.at, segment_size=self.film.segment_size)

    @property
    def kept(self) -> Kept:
        """What retention is taken to delete of it."""
        return kept.of([self.location.retention_policy], self.growth, self.infos)

    @property
    def ahead(self) -> Mapping[int, float]:
        """Bytes in so many days; empty where the growth is not known."""
        holds = self.kept.window
        sizes = {days: growth.forecast(self.growth, self.at, days, holds) for days in (7, 30)}
        return {days: size for days, size in sizes.items() if size is not None}

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


def as_json(archive: Archive) -> str:
    """The archive as a document. Times are RFC 3339 in UTC, sizes and rates in bytes."""
    return json.dumps(_document(archive), indent=2, ensure_ascii=False)


def _document(archive: Archive) -> Mapping[str, Any]:
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
        "out_of_reach": [
            {"timeline": each.timeline, "why": each.why, "from_bases": list(each.bases)}
            for each in film.stranded
        ],
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
    reach = _reach(archive, base)
    return {
        "id": base.id,
        "name": info.name if info else None,
        "status": _status(archive, base),
        "error": info.error if info else None,
        "usable": reach.usable.value if reach else None,
        "why_not": reach.why or None if reach else None,
        "begin_wal": str(info.begin_wal) if info and info.begin_wal else None,
        "end_wal": str(info.end_wal) if info and info.end_wal else None,
        "begin_lsn": _lsn(info.begin_lsn if info else None),
        "end_lsn": _lsn(info.end_lsn if info else None),
        "begin_time": _iso(info.begin_time if info else None),
        "end_time": _iso(info.end_time if info else None),
        "timeline": info.timeline if info else None,
        "system_id": info.systemid if info else None,
        "version": info.version if info else None,
        "segment_size": info.segment_size if info else None,
        "cluster_size": info.cluster_size if info else None,
        "tablespaces": [
            {"name": each.name, "oid": each.oid, "location": each.location}
            for each in (info.tablespaces if info else ())
        ],
        "size": base.size,
        "compression": list(base.compressions),
        "kept": _kept(archive, base),
    }


def _lsn(lsn: Lsn | None) -> str | None:
    return None if lsn is None else wal.print_lsn(lsn)


def _reach(archive: Archive, base: Base) -> Reach | None:
    return next((each for each in archive.film.reaches if each.base == base.id), None)


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
    grown = archive.growth
    daily, ahead = grown.wal_per_day, archive.ahead
    return {
        "wal_bytes_per_day": round(daily.size) if daily else None,
        "wal_segments_per_day": round(daily.segments, 1) if daily else None,
        "base_bytes_per_day": _whole(grown.base_per_day),
        "retention": archive.location.retention_policy,
        "assumed": archive.kept.why,
        "bytes_in_7_days": _whole(ahead.get(7)),
        "bytes_in_30_days": _whole(ahead.get(30)),
        "usd_a_month": round(R2.month(grown.size), 2),
        "usd_a_month_in_7_days": _price(ahead.get(7)),
        "usd_a_month_in_30_days": _price(ahead.get(30)),
        "compression_ratio": round(grown.compression_ratio, 2) if grown.compression_ratio else None,
    }


def _price(size: float | None) -> float | None:
    return None if size is None else round(R2.month(size), 2)


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
    yield from words.aligned(
        ("BASE BACKUP", "STATUS", "TL", "BEGIN WAL", "END", "SIZE", "KEPT", "USE"),
        [_base_row(archive, server.bases[id_]) for id_ in sorted(server.bases)],
        empty="No base backup.",
    )
    yield ""
    yield from words.aligned(
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
    for each in archive.film.cut_off:
        said = f"out of reach: WAL of timeline {each.timeline}, {each.why}"
        return f"{said}; restorable from {since} to {until}"
    said = words_[archive.film.word]
    if archive.film.word is Word.FOUND and any(piece.acknowledged for piece in archive.film.pieces):
        said += " but for what is acknowledged as lost"
    return f"{said}; restorable from {since} to {until}"


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
    grown, ahead = archive.growth, archive.ahead
    if grown.per_day is not None:
        yield f"grows          {words.size(round(grown.per_day))} a day"
    if ahead:
        to = (f"{words.size(round(ahead[days]))} in {days} days" for days in sorted(ahead))
        yield f"will be        {', '.join(to)}; {archive.kept.why}"
    costs = ", ".join(f"${R2.month(size):.2f}" for size in (grown.size, *ahead.values()))
    yield f"costs          {costs} a month{' by then' if ahead else ''}, at R2's prices"
    if archive.seal is not None:
        ago = words.ago(archive.seal.since, archive.at)
        count = words.counted(archive.seal.folders, "full folder")
        yield f"taken on trust {count}, all listed within the last {ago}"
    spent = archive.requests
    price = f"${R2.requests(spent):.4f}"
    yield f"looked with    {words.counted(spent.count, 'request')}, {price} at R2's prices"


def _base_row(archive: Archive, base: Base) -> tuple[str, ...]:
    told = archive.infos.get(base.id)
    info = told if isinstance(told, Info) else None
    reach = _reach(archive, base)
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
