"""The recovery window: from which moment to which a cluster can be restored, and what is lost now.

A base backup restores from its own end to the end of the unbroken WAL behind it. The window joins
what all of them reach on the newest timeline; a moment that none reaches is in a hole. Moments are
LastModified times: upper bounds, for a segment is archived after its last record was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from tui.barman.continuity import Continuity, Reach, Usable
from tui.barman.path import Piece, Word
from tui.barman.wal import Segment


@dataclass(frozen=True, slots=True)
class Hole:
    """A time inside the window no base backup reaches."""

    since: datetime
    until: datetime
    """When the next base backup ended."""
    missing: Piece | None
    """The WAL that is not there; None only where a backup was kept without the WAL after it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The part of the window that lies on one timeline, without a break."""

    timeline: int
    first: Segment
    last: Segment
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when. ``holes`` and ``stretches`` are in the order of time."""

    since: datetime
    until: datetime
    through: Segment
    """The last segment that can be replayed."""
    timeline: int
    latest: bool
    """False: the restore must name ``timeline``; the newest one descends from no usable backup."""
    bases: tuple[str, ...]
    """The base backups a restore within it can begin with, oldest first."""
    holes: tuple[Hole, ...]
    stretches: tuple[Stretch, ...]
    """Empty for a window that is not on the main path."""
    cut_by: Piece | None
    """Missing WAL that ends the window before the newest segment."""
    segment_size: int

    def behind(self, now: datetime) -> timedelta:
        """What would be lost if the primary vanished now: the time since the window ended."""
        return max(now - self.until, timedelta(0))

    def segments_behind(self, current: Segment) -> int:
        """The same in segments, the one PostgreSQL is writing included."""
        return max(self.through.distance(current, self.segment_size), 0)

    def holds(self, moment: datetime) -> bool:
        """Whether a restore to this moment is possible."""
        inside = self.since <= moment <= self.until
        return inside and not any(hole.since < moment < hole.until for hole in self.holes)


@dataclass(frozen=True, slots=True)
class NoWindow:
    """Nothing can be restored, as far as one can see."""

    why: str
    unseen: bool
    """True: not everything has been looked at yet, so this may be wrong."""


def of(film: Continuity) -> Window | NoWindow:
    """The window of a server from its continuity: on the newest timeline any backup leads to."""
    windows = [_window(film, leads) for leads in _leads(film)]
    return windows[0] if windows else _none(film)


def branches(film: Continuity) -> tuple[Window, ...]:
    """What else can be restored: the windows on older timelines, whose backups do not lead further."""
    return tuple(_window(film, leads) for leads in _leads(film)[1:])


def _window(film: Continuity, leads: Sequence[_Lead]) -> Window:
    last = leads[0]
    holes = []
    for lead in leads[1:]:
        # Joined by their WAL, not by their times: LastModified is rounded, and clocks differ.
        if _place(lead.begin) > _place(last.through):
            missing = None if last.reach.standalone else last.reach.stopped_by
            holes.append(Hole(last.until, max(lead.since, last.until), missing))
            last = lead
        else:
            last = max(last, lead, key=_end)
    return Window(
        since=leads[0].since,
        until=last.until,
        through=last.through,
        timeline=last.target,
        latest=last.reach.latest,
        bases=tuple(lead.reach.base for lead in leads),
        holes=tuple(holes),
        stretches=_stretches(film, leads),
        cut_by=last.reach.stopped_by,
        segment_size=film.segment_size,
    )


class _Lead(NamedTuple):
    """What one usable base backup reaches."""

    begin: Segment
    through: Segment
    since: datetime
    until: datetime
    target: int
    reach: Reach


def _leads(film: Continuity) -> list[list[_Lead]]:
    """The usable base backups by the timeline they lead to, newest first; each list in order."""
    found: dict[int, list[_Lead]] = {}
    for reach in film.usable:
        known = (reach.begin, reach.through, reach.end_time, reach.until, reach.target)
        match known:
            case (
                Segment() as begin,
                Segment() as through,
                datetime() as since,
                datetime() as until,
                int(target),
            ):
                lead = _Lead(begin, through, since, until, target, reach)
                found.setdefault(target, []).append(lead)
    return [sorted(found[target], key=_begin) for target in sorted(found, reverse=True)]


def _place(segment: Segment) -> tuple[int, int]:
    """Where on a path a segment lies: there its timeline makes no difference."""
    return segment.log, segment.seg


def _begin(lead: _Lead) -> tuple[tuple[int, int], datetime]:
    return _place(lead.begin), lead.since


def _end(lead: _Lead) -> tuple[tuple[int, int], datetime]:
    return _place(lead.through), lead.until


def _stretches(film: Continuity, leads: Sequence[_Lead]) -> tuple[Stretch, ...]:
    if film.target != leads[0].target:
        return ()  # the path in the continuity is another one
    found = []
    for piece in film.pieces:
        if piece.word is Word.FOUND and any(_reaches(lead, piece) for lead in leads):
            since = max(piece.since or leads[0].since, leads[0].since)
            until = max(piece.until or since, since)
            found.append(Stretch(piece.first.timeline, piece.first, piece.last, since, until))
    return tuple(found)


def _reaches(lead: _Lead, piece: Piece) -> bool:
    return _place(lead.begin) <= _place(piece.last) <= _place(lead.through)


def _none(film: Continuity) -> NoWindow:
    for reach in reversed(film.reaches):
        if reach.usable is Usable.UNSEEN:
            return NoWindow(f"base {reach.base}: {reach.why}", unseen=True)
    if not film.bases_listed:
        return NoWindow("the base backups have not been listed yet", unseen=True)
    if not film.reaches:
        return NoWindow("there is no base backup", unseen=False)
    newest = film.reaches[-1]
    return NoWindow(f"base {newest.base}: {newest.why}", unseen=False)
