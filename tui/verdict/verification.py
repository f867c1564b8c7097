"""Whether what a completed Backup promises lies in the bucket: its data, and every segment it needs.

The Backup's own word is not enough: taken from a standby it completes even where no WAL is archived,
and cannot be restored then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tui import words
from tui.barman import wal
from tui.barman.catalog import Server
from tui.barman.info import Info, Status, Unreadable
from tui.barman.wal import Segment
from tui.cnpg.backup import Backup
from tui.verdict.witnesses import NotKnown

Told = Info | Unreadable | None
"""What backup.info says; None where there is none."""


@dataclass(frozen=True, slots=True)
class Span:
    """The WAL without which a base backup cannot be restored."""

    begin: Segment
    end: Segment
    segment_size: int

    @property
    def segments(self) -> Iterator[Segment]:
        """All of it, in order."""
        first, last = self.begin.number(self.segment_size), self.end.number(self.segment_size)
        return (
            wal.at(self.begin.timeline, number, self.segment_size)
            for number in range(first, last + 1)
        )

    @property
    def count(self) -> int:
        """How many segments that are."""
        return self.begin.distance(self.end, self.segment_size) + 1

    @property
    def folders(self) -> tuple[str, ...]:
        """Where in ``wals/`` they lie."""
        logs = range(self.begin.log, self.end.log + 1)
        return tuple(wal.directory_name(self.begin.timeline, log) for log in logs)

    def __str__(self) -> str:
        return str(self.begin) if self.count == 1 else f"{self.begin} .. {self.end}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What a look found of one base backup."""

    base: str
    span: Span
    wrong: str
    """What is there and does not do, ``""`` if nothing."""
    missing: tuple[str, ...]
    """Keys below the server's folder that are not there; a tar without its compression's suffix."""

    @property
    def holds(self) -> bool:
        """Whether a restore finds all it needs."""
        return not self.missing and not self.wrong

    @property
    def may_come(self) -> bool:
        """Whether all that is missing is WAL: it may land later, data does not."""
        return not self.wrong and all(key.startswith("wals/") for key in self.missing)

    @property
    def sentence(self) -> str:
        """It all in one sentence's end."""
        if self.holds:
            return (
                f"base backup {self.base} and its WAL {self.span} "
                f"({words.counted(self.span.count, 'segment')}) are there"
            )
        if self.wrong:
            return self.wrong
        if not self.may_come:
            return f"{self.missing[0]} is not there"
        verb = "is" if len(self.missing) == 1 else "are"
        return (
            f"{words.number(len(self.missing))} of the "
            f"{words.counted(self.span.count, 'WAL segment')} it needs {verb} not there, first "
            f"{self.missing[0]}"
        )


def span_of(backup: Backup, told: Told) -> Span | NotKnown:
    """The WAL a base backup needs: by its backup.info, else by the Backup's status."""
    size = told.segment_size if isinstance(told, Info) else wal.DEFAULT_SEGMENT_SIZE
    if isinstance(told, Info) and told.begin_wal and told.end_wal:
        begin, end = told.begin_wal, told.end_wal
    else:
        try:
            begin, end = wal.segment(backup.begin_wal), wal.segment(backup.end_wal)
        except ValueError:
            return NotKnown(f"Backup {backup.key.name} does not say which WAL it needs")
    if begin.timeline != end.timeline or begin > end:
        return NotKnown(f"Backup {backup.key.name} needs WAL {begin} .. {end}: that is no range")
    return Span(begin, end, size)


def verify(backup: Backup, told: Told, server: Server) -> Verification | NotKnown:
    """Compare; ``server`` holds what was listed of ``base/<id>/`` and of the span's folders."""
    span = span_of(backup, told)
    if isinstance(span, NotKnown):
        return span
    missing = [*_missing_data(backup, told, server), *_missing_wal(span, server)]
    return Verification(backup.backup_id, span, _wrong(backup, told), tuple(missing))


def _wrong(backup: Backup, told: Told) -> str:
    name = f"base/{backup.backup_id}/backup.info"
    if isinstance(told, Unreadable):
        return f"{name} cannot be read: {told.why}"
    if told is not None and told.status is not Status.DONE:
        return f"{name} says {told.status}{f': {told.error}' if told.error else ''}"
    return ""


def _missing_data(backup: Backup, told: Told, server: Server) -> Iterator[str]:
    folder = f"base/{backup.backup_id}"
    base = server.bases.get(backup.backup_id)
    if base is None or base.info is None:
        yield f"{folder}/backup.info"
    if base is None or not base.archives:
        yield f"{folder}/data.tar"
    elif isinstance(told, Info):
        yield from (f"{folder}/{name}" for name in base.missing(told))


def _missing_wal(span: Span, server: Server) -> Iterator[str]:
    """A segment of which only the partial copy is there can be restored, too: barman takes that."""
    for segment in span.segments:
        if server.modified(segment) is None and server.partial(segment) is None:
            yield f"wals/{segment.directory}/{segment}"
