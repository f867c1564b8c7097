"""Timeline histories: from whom a timeline descends, and from which LSN on it went its own way.

The rules are PostgreSQL's (``access/transam/timeline.c``: readTimeLineHistory, tliOfPointInHistory).
A history that PostgreSQL would refuse is :class:`Unreadable` here: a restore stops at it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tui import words
from tui.barman import wal
from tui.barman.wal import Lsn

_LINE = re.compile(
    r"\s*(?P<parent>\d{1,10})(?:\s+(?P<lsn>[0-9A-Fa-f]+/[0-9A-Fa-f]+)(?P<reason>.*))?"
)


@dataclass(frozen=True, slots=True)
class Switch:
    """A line of a history: ``parent`` was left at ``at``."""

    parent: int
    at: Lsn
    reason: str


@dataclass(frozen=True, slots=True)
class Span:
    """The part of the WAL a timeline contributes: ``start`` up to, not including, ``end``."""

    timeline: int
    start: Lsn
    end: Lsn | None
    """None: to the end of the WAL."""


@dataclass(frozen=True, slots=True)
class History:
    """The ancestors of a timeline, oldest first."""

    timeline: int
    switches: tuple[Switch, ...]

    @property
    def spans(self) -> tuple[Span, ...]:
        """Whose WAL a recovery to this timeline replays, oldest first, without gaps or overlaps.

        Timelines that contribute nothing are left out: two switches at one LSN, and lines that a
        recovery to an older point has overtaken (their switch lies above a later one's; see wal-g
        pull request 2231). PostgreSQL asks the newest timeline first, hence the walk backwards.
        """
        spans: list[Span] = []
        end: Lsn | None = None
        timelines = (*(switch.parent for switch in self.switches), self.timeline)
        starts = (0, *(switch.at for switch in self.switches))
        for timeline, start in zip(reversed(timelines), reversed(starts), strict=True):
            if end is None or start < end:
                spans.append(Span(timeline, start, end))
                end = start
        return tuple(reversed(spans))

    def span_of(self, timeline: int) -> Span | None:
        """What ``timeline`` contributes, None if nothing."""
        return next((span for span in self.spans if span.timeline == timeline), None)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A history that cannot be followed, and why."""

    timeline: int
    why: str


def parse(content: bytes, timeline: int) -> History | Unreadable:
    """The history of ``timeline`` from its decompressed file.

    Blank lines and lines that begin with ``#`` are skipped; an empty file means no ancestors, as it
    does to PostgreSQL.
    """
    switches: list[Switch] = []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.match(line)
        if found is None or found["lsn"] is None:
            return Unreadable(timeline, f"line {number} is not a timeline and a switch point")
        try:
            at = wal.parse_lsn(found["lsn"])
        except ValueError as error:
            return Unreadable(timeline, f"line {number}: {error}")
        parent = int(found["parent"])
        if switches and parent <= switches[-1].parent:
            return Unreadable(timeline, f"line {number}: timelines are not in increasing order")
        switches.append(Switch(parent, at, words.one_line(words.clean(found["reason"]))))
    if switches and switches[-1].parent >= timeline:
        return Unreadable(timeline, f"it names timeline {switches[-1].parent} as an ancestor")
    return History(timeline, tuple(switches))
