"""The WAL a recovery replays, piece by piece: whose segments it asks for, and which of them are there.

Along a history PostgreSQL asks, for every segment, the newest timeline first. So the segment that
holds a switch is wanted from the child only, which begins with a copy of it; a timeline whose whole
life lies inside one segment, or that never wrote one, is not asked for anything (wal-g issue 1390
reports those as lost).

The words are WAL-G's, with one of our own: *found*; *late*, may still be on its way; *lost*; and
*unseen*, where a folder or a history has not been looked at yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import zip_longest
from typing import NamedTuple

from tui.barman import timelines, wal
from tui.barman.catalog import Server
from tui.barman.history import History, Span, Unreadable
from tui.barman.timelines import Range
from tui.barman.wal import Segment

Histories = Mapping[int, History | Unreadable]
"""The histories read so far, by timeline. One that lies in the archive and is not here is unseen."""


class Word(StrEnum):
    """What is said of a stretch of WAL; graver words later."""

    FOUND = "found"
    UNSEEN = "unseen"
    LATE = "late"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Patience:
    """When a missing segment may still be on its way: both must hold.

    ``age`` since a later segment arrived, and at most ``segments`` before the newest: uploads run in
    parallel (``wal.maxParallel``) and overtake each other, but not by hours nor by hundreds.
    """

    age: timedelta
    segments: int


PATIENCE = Patience(timedelta(minutes=15), 64)
"""PostgreSQL asks again a minute after a failure; a slow store may need several tries."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Segments of one timeline a user has said are gone for good: shown, but no alarm."""

    first: Segment
    last: Segment


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the path on one timeline, ``first`` and ``last`` included.

    Found: ``since`` and ``until`` are when its ends were archived. Missing: the time it stood for, by
    what was archived before and after it; None where nothing was.
    """

    word: Word
    first: Segment
    last: Segment
    count: int
    since: datetime | None
    until: datetime | None
    acknowledged: bool = False

    @property
    def alarms(self) -> bool:
        """Whether somebody should look."""
        return self.word is Word.LOST and not self.acknowledged


class Archive:
    """A server's WAL as paths ask about it, with everything worked out once."""

    def __init__(
        self,
        server: Server,
        histories: Histories,
        segment_size: int,
        *,
        now: datetime,
        patience: Patience,
        acknowledged: Set[Loss],
    ) -> None:
        self.server = server
        self.histories = histories
        self.segment_size = segment_size
        self.present = timelines.present(server, segment_size)
        self._hidden = timelines.unseen(server, segment_size)
        self._now = now
        self._patience = patience
        self._losses: dict[int, tuple[Range, ...]] = {}
        for loss in sorted(acknowledged, key=lambda loss: (loss.first, loss.last)):
            ends = loss.first.number(segment_size), loss.last.number(segment_size)
            known = self._losses.get(loss.first.timeline, ())
            self._losses[loss.first.timeline] = timelines.joined((*known, ends))

    def newest(self, timeline: int) -> int:
        """The timeline PostgreSQL calls latest, seen from this one (``findNewestTimeLine``)."""
        while timeline + 1 in self.server.histories or timeline + 1 in self.histories:
            timeline += 1
        return timeline

    def pieces(self, spans: Sequence[Span], first: int) -> tuple[Piece, ...]:
        """The path along ``spans`` from a segment number to the newest segment.

        A target timeline that has no segment yet is not waited for.
        """
        marks = list(self._marks(spans, first))
        after = self._switched(spans[-1].timeline) if _ends_early(marks, spans) else None
        pieces: list[Piece] = []
        for mark in reversed(marks):
            piece = self._piece(mark, after, marks[-1].last - mark.last)
            if piece.word is Word.FOUND:
                after = piece.since
            pieces.append(piece)
        return tuple(_dated(reversed(pieces)))

    def _marks(self, spans: Sequence[Span], first: int) -> Iterator[_Mark]:
        for timeline, low, high in self._stretches(spans):
            low = max(low, first)
            if low > high:
                continue
            there = timelines.clipped(self.present.get(timeline, ()), low, high)
            marks = [_Mark(timeline, *ends, Word.FOUND) for ends in there]
            for gap in timelines.between(there, low, high):
                hidden = timelines.clipped(self._hidden.get(timeline, ()), *gap)
                marks += [_Mark(timeline, *ends, Word.UNSEEN) for ends in hidden]
                missing = timelines.between(hidden, *gap)
                marks += [_Mark(timeline, *ends, Word.LOST) for ends in missing]
            yield from sorted(marks, key=_first)

    def _stretches(self, spans: Sequence[Span]) -> Iterator[tuple[int, int, int]]:
        """Which segment numbers are wanted from which timeline."""
        for span, following in zip_longest(spans, spans[1:]):
            first = span.start // self.segment_size
            if following is not None:
                last = following.start // self.segment_size - 1
            else:
                known = (self.present, self._hidden)
                ends = (held[span.timeline][-1][1] for held in known if span.timeline in held)
                last = max(ends, default=-1)
            yield span.timeline, first, last

    def _switched(self, timeline: int) -> datetime | None:
        history = self.server.histories.get(timeline)
        return None if history is None else history.modified

    def _piece(self, mark: _Mark, after: datetime | None, to_go: int) -> Piece:
        first = wal.at(mark.timeline, mark.first, self.segment_size)
        last = wal.at(mark.timeline, mark.last, self.segment_size)
        count = mark.last - mark.first + 1
        if mark.word is Word.FOUND:
            ends = self.server.modified(first), self.server.modified(last)
            return Piece(Word.FOUND, first, last, count, *ends)
        word = mark.word
        if word is Word.LOST and after is None:
            # Only folders that are not listed yet lie behind it: nothing can be said of its age.
            word = Word.UNSEEN
        elif word is Word.LOST and after is not None and self._may_be_late(after, to_go):
            word = Word.LATE
        known = self._losses.get(mark.timeline, ())
        acknowledged = word is Word.LOST and not timelines.between(known, mark.first, mark.last)
        return Piece(word, first, last, count, None, after, acknowledged)

    def _may_be_late(self, after: datetime, to_go: int) -> bool:
        return self._now - after < self._patience.age and to_go <= self._patience.segments


class _Mark(NamedTuple):
    """Consecutive segment numbers of one timeline; LOST stands for missing until it is dated."""

    timeline: int
    first: int
    last: int
    word: Word


def _first(mark: _Mark) -> int:
    return mark.first


def _ends_early(marks: Sequence[_Mark], spans: Sequence[Span]) -> bool:
    """Whether the target timeline has no segment yet, so that the path ends with its parent's."""
    return bool(marks) and marks[-1].timeline != spans[-1].timeline


def _dated(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Missing pieces with the time before them. LastModified may run backwards, a period may not."""
    before: datetime | None = None
    for piece in pieces:
        if piece.word is Word.FOUND:
            before = piece.until
            yield piece
        else:
            known = [moment for moment in (before, piece.until) if moment is not None]
            yield replace(piece, since=min(known, default=None) if before is not None else None)
