"""An archive that PostgreSQL and Barman really made, and copies of it laid into a longer past.

It was made within seconds. So that it looks like hours its times are stretched: those of the objects, in
the names of base backups and inside their backup.info. Contents are the real ones, but for the data of
base backups, which nobody reads here: of these only name and size are laid.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.e2e import stack
from tests.e2e.stack import Stack
from tests.matrix import sidecar
from tests.wire import stores

SLOWER = 1000
"""A second becomes some quarter of an hour."""
_TIME = re.compile(r"^(begin_time|end_time)=(\d.+)$", re.MULTILINE)
_SEGMENT = re.compile(r"wals/[0-9A-F]{16}/([0-9A-F]{24})\.gz")


@dataclass(frozen=True, slots=True)
class Lying:
    """An object below a server's name. ``body`` is None for the data of a base backup."""

    name: str
    size: int
    at: datetime
    body: bytes | None

    @property
    def segment(self) -> str:
        """The segment it is, ``""`` for anything else."""
        found = _SEGMENT.fullmatch(self.name)
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class Archive:
    """Everything below one server's name, oldest first."""

    lying: tuple[Lying, ...]

    @property
    def segments(self) -> tuple[Lying, ...]:
        """Its WAL, in PostgreSQL's order."""
        found = (each for each in self.lying if each.segment)
        return tuple(sorted(found, key=lambda each: each.segment))

    @property
    def infos(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Id and backup.info of each base backup, oldest first."""
        for each in sorted(self.lying, key=lambda one: one.name):
            if each.name.endswith("/backup.info") and each.body is not None:
                rows = (row.partition("=") for row in each.body.decode().splitlines())
                yield each.name.split("/")[1], {name: value for name, _, value in rows}

    def without(self, *parts: str) -> Archive:
        """The same, but for what has one of these in its name."""
        kept = (one for one in self.lying if not any(part in one.name for part in parts))
        return Archive(tuple(kept))

    def garbled(self) -> Archive:
        """The same, with half of the oldest backup.info."""
        oldest = next(id_ for id_, _ in self.infos)
        return Archive(
            tuple(
                replace(each, size=each.size // 2, body=each.body[: each.size // 2])
                if each.body and each.name == f"base/{oldest}/backup.info"
                else each
                for each in self.lying
            )
        )

    def ending(self, until: datetime, *, slower: int = SLOWER) -> Archive:
        """The same, as if it had been made slower and ended then."""
        last = max(each.at for each in self.lying)

        def moved(at: datetime) -> datetime:
            return until - (last - at) * slower

        # The id is when it began, without the fraction that counts here.
        ids = {
            id_: f"{moved(datetime.fromisoformat(info['begin_time'])):%Y%m%dT%H%M%S}"
            for id_, info in self.infos
        }
        return Archive(tuple(_moved(each, moved, ids) for each in self.lying))


def _moved(each: Lying, moved: Callable[[datetime], datetime], ids: Mapping[str, str]) -> Lying:
    id_ = each.name.split("/")[1] if each.name.startswith("base/") else ""
    fresh, body = ids.get(id_, id_), each.body
    if id_ and body is not None:
        told = _TIME.sub(
            lambda row: f"{row[1]}={moved(datetime.fromisoformat(row[2]))}", body.decode()
        )
        body = told.replace(id_, fresh).encode()
    size = each.size if body is None else len(body)
    name = each.name.replace(f"base/{id_}/", f"base/{fresh}/") if id_ else each.name
    return Lying(name, size, moved(each.at), body)


@dataclass(frozen=True, slots=True)
class Made:
    """What PostgreSQL and Barman left."""

    stack: Stack
    """Only its store runs on."""
    archive: Archive
    killed: Archive
    """A base backup that was killed: its backup.info says STARTED."""
    killed_by: str
    """As Go says it."""
    promoted: Archive
    """The same archive some time after a promotion to timeline 2."""
    following: Path
    """The segment after the archive's last, which is not archived yet."""
    instance: Mapping[str, Any]
    """``/pg/status`` of the primary when its archive ended so."""
    other_system: str
    """The system identifier of another PostgreSQL cluster."""


def make(stack_: Stack) -> Made:
    """Run PostgreSQL, archive its WAL, take two base backups, kill a third. Blocks for long."""
    stack_.start()
    stack_.archive(2)
    stack_.backup("backup-1")
    stack_.archive(3)
    stack_.backup("backup-2")
    stack_.archive(6)
    whole = {each.name: each for each in _lying(stack_)}
    instance = _instance(stack_)
    killed_by = stack_.kill_a_backup()
    killed = [each for each in _lying(stack_) if each.name not in whole and "base/" in each.name]
    stack_.promote()
    stack_.archive(2)
    promoted = [each for each in _lying(stack_) if each not in killed]
    stack_.end_postgres()
    archive, after = _in_order(whole.values()), _in_order(promoted)
    last = archive.segments[-1].segment
    following = stack_.data / "pg_wal" / last
    return Made(
        stack_,
        archive.without(last),
        Archive(tuple(killed)),
        sidecar.ended(killed_by),
        after,
        following,
        instance,
        _other_system(stack_),
    )


def _in_order(lying: Iterable[Lying]) -> Archive:
    """Without the WAL before the first base backup: some megabytes from when PostgreSQL was set up."""
    found = Archive(tuple(sorted(lying, key=lambda each: each.at)))
    begin = next(info["begin_wal"] for _, info in found.infos)
    kept = (each for each in found.lying if not each.segment or each.segment >= begin)
    return Archive(tuple(kept))


def _lying(stack_: Stack) -> Iterator[Lying]:
    prefix = f"{stack.PATH}/{stack.SERVER}/"
    pages = stack_.weed.client.get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=stores.BUCKET, Prefix=prefix):
        for seen in page.get("Contents", ()):
            name = seen["Key"].removeprefix(prefix)
            body = None
            if "data" not in name:
                got = stack_.weed.client.get_object(Bucket=stores.BUCKET, Key=seen["Key"])
                body = got["Body"].read()
            yield Lying(name, seen["Size"], seen["LastModified"].astimezone(UTC), body)


def _instance(stack_: Stack) -> Mapping[str, Any]:
    row = stack_.sql(
        "SELECT system_identifier, timeline_id, last_archived_wal, "
        "pg_walfile_name(pg_current_wal_lsn()) "
        "FROM pg_stat_archiver, pg_control_system(), pg_control_checkpoint()"
    )
    system, timeline, archived, current = row.split("|")
    return {
        "systemID": system,
        "isPrimary": True,
        "timeLineID": int(timeline),
        "lastArchivedWAL": archived,
        "currentWAL": current,
    }


def _other_system(stack_: Stack) -> str:
    data = stack_.folder / "other"
    data.mkdir()
    if os.geteuid() == 0:
        shutil.chown(data, "postgres", "postgres")
    stack_.program("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N")
    told = stack_.program("pg_controldata", "-D", data)
    shutil.rmtree(data)
    found = re.search(r"system identifier:\s+(\d+)", told)
    assert found is not None, told
    return found[1]
