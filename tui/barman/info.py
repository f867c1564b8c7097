"""backup.info: what barman-cloud-backup wrote about one base backup.

``key=value`` a line; None is written as the word (Barman 3.19 ``infofile.py``). It is uploaded twice
under one key, as STARTED when the copy begins and as DONE or FAILED at its end, so a killed backup
says STARTED for ever. ``compression``, ``size`` and ``mode`` are always None for cloud backups; both
size and compression show in the objects only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from tui import words
from tui.barman import wal
from tui.barman.wal import Lsn, Segment

T = TypeVar("T")


class Status(StrEnum):
    """``status`` of a backup.info (Barman ``infofile.py``). An empty file is EMPTY."""

    EMPTY = "EMPTY"
    STARTED = "STARTED"
    FAILED = "FAILED"
    WAITING_FOR_WALS = "WAITING_FOR_WALS"
    DONE = "DONE"
    SYNCING = "SYNCING"


@dataclass(frozen=True, slots=True)
class Tablespace:
    """A tablespace of the backed-up instance; its archive is named after the OID."""

    name: str
    oid: int
    location: str


@dataclass(frozen=True, slots=True)
class CopyStats:
    """How long the copy took, and by how many workers."""

    total: timedelta
    copy: timedelta
    workers: int


@dataclass(frozen=True, slots=True)
class Info:
    """One backup.info. None: not (yet) known to Barman."""

    status: Status
    name: str | None
    """``backup_name``: the name of the Backup resource, where the plugin took it."""
    begin_time: datetime | None
    end_time: datetime | None
    begin_wal: Segment | None
    end_wal: Segment | None
    begin_lsn: Lsn | None
    end_lsn: Lsn | None
    timeline: int | None
    systemid: str | None
    version: int | None
    """PostgreSQL's ``server_version_num``, 180006."""
    segment_size: int
    cluster_size: int | None
    """Bytes of PGDATA and tablespaces when the backup began, uncompressed."""
    tablespaces: tuple[Tablespace, ...]
    error: str | None
    copy_stats: CopyStats | None
    fields: tuple[tuple[str, str], ...]
    """Every line as it stands, cleaned, keys this module does not know included."""

    @property
    def took(self) -> timedelta | None:
        """From begin to end."""
        if self.begin_time is None or self.end_time is None:
            return None
        return self.end_time - self.begin_time


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A backup.info that is not one. Retention stops for the whole server while it is there."""

    why: str


def parse(content: bytes) -> Info | Unreadable:
    """What a backup.info says, or why it says nothing."""
    try:
        return _info(_lines(content))
    except (ValueError, OverflowError) as error:
        return Unreadable(words.clean(str(error)))


def _lines(content: bytes) -> dict[str, str]:
    found = {}
    for line in content.decode("utf-8").split("\n"):
        if not line.strip() or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise ValueError(f"invalid line {line[:80]!r}")
        found[key.strip()] = value.strip()
    return found


def _info(lines: Mapping[str, str]) -> Info:
    return Info(
        status=_status(lines),
        name=_get(lines, "backup_name", words.clean),
        begin_time=_get(lines, "begin_time", moment),
        end_time=_get(lines, "end_time", moment),
        begin_wal=_get(lines, "begin_wal", wal.segment),
        end_wal=_get(lines, "end_wal", wal.segment),
        begin_lsn=_get(lines, "begin_xlog", wal.parse_lsn),
        end_lsn=_get(lines, "end_xlog", wal.parse_lsn),
        timeline=_get(lines, "timeline", int),
        systemid=_get(lines, "systemid", words.clean),
        version=_get(lines, "version", int),
        segment_size=_get(lines, "xlog_segment_size", _segment_size) or wal.DEFAULT_SEGMENT_SIZE,
        cluster_size=_get(lines, "cluster_size", int),
        tablespaces=_get(lines, "tablespaces", _tablespaces) or (),
        error=_get(lines, "error", words.clean),
        copy_stats=_get(lines, "copy_stats", _copy_stats),
        fields=tuple((words.clean(key), words.clean(value)) for key, value in lines.items()),
    )


def _get(lines: Mapping[str, str], key: str, read: Callable[[str], T]) -> T | None:
    value = lines.get(key, "None")
    if value == "None":
        return None
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def _status(lines: Mapping[str, str]) -> Status:
    if not lines:
        return Status.EMPTY
    status = _get(lines, "status", Status)
    if status is None:
        raise ValueError("it has no status")
    return status


_CTIME = re.compile(
    r"[A-Z][a-z]{2}\s+(?P<month>[A-Z][a-z]{2})\s+(?P<day>\d{1,2})\s+(?P<clock>\d\d:\d\d:\d\d)\s+(?P<year>\d{4})"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(text: str) -> datetime:
    """A time in UTC from ISO 8601 or from ctime(3); without a zone it is UTC, as in the sidecar.

    ``strptime`` would read month names by the user's locale. Raises ValueError.
    """
    found = _CTIME.fullmatch(text)
    if found is not None and found["month"] in _MONTHS:
        month = _MONTHS.index(found["month"]) + 1
        text = f"{found['year']}-{month:02}-{int(found['day']):02}T{found['clock']}"
    when = datetime.fromisoformat(text)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def _segment_size(text: str) -> int:
    size = int(text)
    if size not in wal.SEGMENT_SIZES:
        raise ValueError(f"{size} bytes is no size PostgreSQL accepts")
    return size


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"{text[:80]!r} is not a literal") from error


def _tablespaces(text: str) -> tuple[Tablespace, ...]:
    items = _literal(text)
    if not isinstance(items, list):
        raise ValueError(f"{text[:80]!r} is not a list")  # noqa: TRY004 - the text is wrong, not a type
    found = []
    for item in items:
        match item:
            case (str(name), int(oid), str(location)):
                found.append(Tablespace(words.clean(name), oid, words.clean(location)))
            case _:
                raise ValueError(f"{str(item)[:80]!r} is not a name, an OID and a path")
    return tuple(found)


def _copy_stats(text: str) -> CopyStats | None:
    match _literal(text):
        case {
            "total_time": int() | float() as total,
            "copy_time": int() | float() as copy,
            "number_of_workers": int(workers),
        }:
            return CopyStats(timedelta(seconds=total), timedelta(seconds=copy), workers)
        case _:
            # Statistics decide nothing: other versions of Barman may count other things.
            return None
