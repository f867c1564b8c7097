"""Retention: what a recovery-window policy keeps and why, what goes, and when the next goes.

The primary's sidecar runs ``barman-cloud-backup-delete --retention-policy "RECOVERY WINDOW OF ..."``
every half hour (plugin-barman-cloud ``internal/cnpgi/instance/retention.go``). The rule is Barman's
(3.19 ``retention_policies.py``): of the DONE backups, newest id first, everything up to and including
the first that ended before the window stays, the rest is obsolete. A keep annotation exempts a
backup. Anything that is not DONE is never touched, and one unreadable backup.info stops it all. WAL
goes only together with a base backup (``clients/cloud_backup_delete.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tui.barman import timelines
from tui.barman.catalog import Base, Server
from tui.barman.info import Info, Status, Unreadable
from tui.barman.timelines import Range, Run

# The CRD's pattern (plugin-barman-cloud api/v1/objectstore_types.go).
_POLICY = re.compile(r"([1-9][0-9]*)([dwm])")
_DAYS = {"d": 1, "w": 7, "m": 31}
_COPIED = (Status.DONE, Status.WAITING_FOR_WALS)
_WORDS = {"d": "DAYS", "w": "WEEKS", "m": "MONTHS"}


@dataclass(frozen=True, slots=True)
class Policy:
    """``spec.retentionPolicy`` of an ObjectStore, ``str()`` as barman-cloud-backup-delete takes it."""

    count: int
    unit: str
    """``d``, ``w`` or ``m``."""
    window: timedelta
    """A month is 31 days, as in Barman."""

    def __str__(self) -> str:
        return f"RECOVERY WINDOW OF {self.count} {_WORDS[self.unit]}"


class Why(StrEnum):
    """Why a base backup stays, or that it goes."""

    INSIDE = "inside the window"
    FIRST_BEFORE = "the first before the window"
    KEEP = "kept by annotation"
    NOT_DONE = "not done: retention never touches it"
    UNREADABLE = "its backup.info cannot be read: nothing is deleted"
    OBSOLETE = "older than the first before the window"


@dataclass(frozen=True, slots=True)
class Entry:
    """What becomes of one base backup."""

    base: str
    why: Why
    size: int
    """Bytes of its objects."""
    goes_at: datetime | None
    """When it becomes obsolete if backups go on as they are: the moment a newer one leaves the
    window. None where none will yet, or nothing can make it go."""

    @property
    def goes(self) -> bool:
        """Whether the next run deletes it (unless something blocks the run)."""
        return self.why is Why.OBSOLETE


@dataclass(frozen=True, slots=True)
class Plan:
    """What the policy means for a server, oldest backup first."""

    policy: Policy
    entries: tuple[Entry, ...]
    blocked_by: tuple[str, ...]
    """Backups whose backup.info cannot be read: while one is there nothing is deleted at all."""

    @property
    def going(self) -> tuple[Entry, ...]:
        """What the next run deletes, oldest first."""
        return () if self.blocked_by else tuple(entry for entry in self.entries if entry.goes)

    @property
    def next(self) -> Entry | None:
        """The backup that goes next of those that stay now, with ``goes_at`` known."""
        later = [
            (entry.goes_at, entry.base, entry)
            for entry in self.entries
            if not entry.goes and entry.goes_at is not None
        ]
        return min(later)[-1] if later else None


def parse(text: str) -> Policy | None:
    """The policy ``30d``, ``4w``, ``2m``; None for anything the CRD refuses."""
    found = _POLICY.fullmatch(text)
    if found is None:
        return None
    try:
        count, unit = int(found[1]), found[2]
        return Policy(count, unit, timedelta(days=count * _DAYS[unit]))
    except (OverflowError, ValueError):
        return None  # longer than time itself


def plan(
    policy: Policy,
    bases: Mapping[str, Base],
    infos: Mapping[str, Info | Unreadable],
    now: datetime,
) -> Plan:
    """What the policy does at ``now``. A base backup whose backup.info has not been read is left out.

    One without any backup.info does not exist for Barman and is left out too.
    """
    point = now - policy.window
    newer: datetime | None = None
    entries = []
    for id_ in sorted(bases, reverse=True):
        info = infos.get(id_)
        if info is None or bases[id_].info is None:
            continue
        why = _why(info, bases[id_], point, newer)
        counts = isinstance(info, Info) and info.status is Status.DONE
        may_go = counts and why is not Why.KEEP and newer is not None
        goes_at = newer + policy.window if newer is not None and may_go else None
        entries.append(Entry(id_, why, bases[id_].size, goes_at))
        if isinstance(info, Info) and counts and info.end_time is not None:
            newer = info.end_time if newer is None else min(newer, info.end_time)
    return Plan(
        policy,
        tuple(reversed(entries)),
        tuple(sorted(id_ for id_, info in infos.items() if isinstance(info, Unreadable))),
    )


def wal_going(
    server: Server,
    infos: Mapping[str, Info | Unreadable],
    going: Sequence[Entry],
    segment_size: int,
    standalone: Set[str] = frozenset(),
) -> tuple[Run, ...]:
    """The segments Barman deletes together with these base backups, which it deletes one by one.

    After each: what lies before the next DONE backup's first segment by name, save timelines another
    backup is on (one that failed counts), save everything if an older backup stays that was kept
    with its WAL, and save the WAL a ``standalone`` backup needs.
    """
    there = {id_: info for id_, info in infos.items() if isinstance(info, Info)}
    present = timelines.present(server, segment_size)
    gone: dict[int, list[Range]] = {}
    for entry in going:
        for timeline, ends in _wal_with(entry.base, there, present, segment_size, standalone):
            gone.setdefault(timeline, []).append(ends)
        there.pop(entry.base)
    return tuple(
        timelines.run(timeline, *ends, segment_size)
        for timeline in sorted(gone)
        for ends in timelines.joined(sorted(gone[timeline]))
    )


def _why(info: Info | Unreadable, base: Base, point: datetime, newer: datetime | None) -> Why:
    if isinstance(info, Unreadable):
        return Why.UNREADABLE
    if info.status is not Status.DONE:
        return Why.NOT_DONE
    if base.keep is not None:
        return Why.KEEP
    if newer is not None and newer < point:
        return Why.OBSOLETE
    if info.end_time is not None and info.end_time < point:
        return Why.FIRST_BEFORE
    return Why.INSIDE


def _wal_with(
    deleted: str,
    there: Mapping[str, Info],
    present: Mapping[int, tuple[Range, ...]],
    segment_size: int,
    standalone: Set[str],
) -> Iterator[tuple[int, Range]]:
    """The WAL that goes with one base backup, by timeline; ``there`` are the backups left with it."""
    done = [id_ for id_ in sorted(there) if there[id_].status in _COPIED]
    older = [id_ for id_ in done if id_ < deleted]
    until = there[next((id_ for id_ in done if id_ > deleted), deleted)].begin_wal
    if until is None or any(id_ not in standalone for id_ in older):
        return
    others = {info.timeline for id_, info in there.items() if id_ != deleted}
    needed = [(there[id_].begin_wal, there[id_].end_wal) for id_ in older]
    for timeline, ranges in present.items():
        if timeline > until.timeline or (timeline in others and timeline != until.timeline):
            continue
        last = until.number(segment_size) - 1 if timeline == until.timeline else ranges[-1][1]
        kept = timelines.joined(
            sorted(
                (begin.number(segment_size), end.number(segment_size))
                for begin, end in needed
                if begin is not None and end is not None and begin.timeline == timeline
            )
        )
        for ends in timelines.clipped(ranges, 0, last):
            yield from ((timeline, left) for left in timelines.between(kept, *ends))
