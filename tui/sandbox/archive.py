"""What barman leaves in a bucket: its keys, its backup.info, and small honest bodies.

Texts are written here from the format, none is copied: a segment decompresses to a segment's
length, a tar opens as a tar, a `.history` and a `.backup` file read as PostgreSQL writes them.
(barman 3.19.1: cloud.py, xlog.py, infofile.py; PostgreSQL: timeline.c, xlogbackup.c)
"""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from tui.sandbox import segments

_SUFFIX = {
    "gzip": ".gz",
    "bzip2": ".bz2",
    "xz": ".xz",
    "snappy": ".snappy",
    "zstd": ".zst",
    "lz4": ".lz4",
}
_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 6, mtime=0),
    "bzip2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
}
"""The compressions the standard library knows. The others get their suffix and raw bytes."""
_BLOCK = 1024 * 1024


def suffix(compression: str | None) -> str:
    """What barman appends to a key for this compression of the ObjectStore."""
    return _SUFFIX.get(compression or "", "")


def compressed(data: bytes, compression: str | None) -> bytes:
    """`data` as it would lie in the bucket."""
    squeeze = _COMPRESS.get(compression or "")
    return squeeze(data) if squeeze else data


@dataclass(frozen=True, slots=True)
class Folder:
    """One server's part of a bucket: `destinationPath` and `serverName`."""

    bucket: str
    prefix: str
    """The path of destinationPath without slashes at its ends; may be empty."""
    server: str

    @property
    def root(self) -> str:
        """The key prefix everything of this server begins with, ending in a slash."""
        return f"{self.prefix}/{self.server}/" if self.prefix else f"{self.server}/"

    def wal(self, file_name: str, compression: str | None) -> str:
        """The key of a file of pg_wal: histories stand in `wals/` itself, the rest in folders."""
        ending = suffix(compression)
        if file_name.endswith(".history"):
            return f"{self.root}wals/{file_name}{ending}"
        return f"{self.root}wals/{segments.directory(file_name)}/{file_name}{ending}"

    def data(self, backup_id: str, compression: str | None) -> str:
        """The key of a base backup's PGDATA."""
        return f"{self.root}base/{backup_id}/data.tar{suffix(compression)}"

    def info(self, backup_id: str) -> str:
        """The key of a base backup's backup.info, never compressed."""
        return f"{self.root}base/{backup_id}/backup.info"


def folder(destination: str, server: str) -> Folder:
    """Where `destinationPath` leads; raises ValueError with barman's words for an odd one."""
    scheme, _, rest = destination.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"Invalid s3 URL address: {destination}")
    return Folder(bucket, prefix.strip("/"), server)


@dataclass(frozen=True, slots=True)
class BaseBackup:
    """A base backup as its backup.info tells it. Positions are LSNs in bytes, times UTC."""

    began: datetime
    timeline: int
    begin: int
    system_id: str
    version: int
    """As PG_VERSION_NUM: 180001."""
    cluster_size: int
    """Bytes of PGDATA when the backup began."""
    name: str
    """What the plugin passes as `--name`; a running or killed backup's file lacks it."""
    from_standby: bool = False
    status: str = "STARTED"
    ended: datetime | None = None
    end: int | None = None
    error: str | None = None
    segment_size: int = segments.DEFAULT_SIZE

    @property
    def backup_id(self) -> str:
        """The folder under `base/`."""
        return f"{self.began:%Y%m%dT%H%M%S}"

    @property
    def begin_wal(self) -> str:
        """The first segment a restore needs."""
        return segments.name(self.timeline, self.begin // self.segment_size, self.segment_size)

    @property
    def end_wal(self) -> str | None:
        """The last segment without which the backup is not consistent."""
        if self.end is None:
            return None
        return segments.name(self.timeline, self.end // self.segment_size, self.segment_size)

    def done(self, ended: datetime, end: int) -> BaseBackup:
        """This backup, finished well."""
        return replace(self, status="DONE", ended=ended, end=end)

    def failed(self, error: str) -> BaseBackup:
        """This backup, given up."""
        return replace(self, status="FAILED", error=error)

    @property
    def label(self) -> str:
        """backup_label, which the tar holds."""
        return (
            f"START WAL LOCATION: {segments.lsn(self.begin)} (file {self.begin_wal})\n"
            f"CHECKPOINT LOCATION: {segments.lsn(self.begin + 0x38)}\n"
            "BACKUP METHOD: streamed\n"
            f"BACKUP FROM: {'standby' if self.from_standby else 'primary'}\n"
            f"START TIME: {self.began:%Y-%m-%d %H:%M:%S} UTC\n"
            f"LABEL: Barman backup cloud {self.backup_id}\n"
            f"START TIMELINE: {self.timeline}\n"
        )

    @property
    def history(self) -> str:
        """The backup history file a primary archives beside its segments when the backup ends."""
        if self.end is None or self.ended is None:
            raise ValueError(f"backup {self.backup_id} has not ended")
        first, rest = self.label.split("\n", 1)
        return (
            f"{first}\nSTOP WAL LOCATION: {segments.lsn(self.end)} (file {self.end_wal})\n{rest}"
            f"STOP TIME: {self.ended:%Y-%m-%d %H:%M:%S} UTC\n"
            f"STOP TIMELINE: {self.timeline}\n"
        )

    @property
    def info(self) -> str:
        """The text of backup.info; absent values are the word None."""
        data = "/var/lib/postgresql/data/pgdata"
        finished = self.status == "DONE"
        rows: dict[str, object] = {
            "backup_label": repr(self.label) if finished else None,
            **({} if self.status == "STARTED" else {"backup_name": self.name}),
            "begin_offset": self.begin % self.segment_size,
            "begin_time": self.began.isoformat(sep=" ", timespec="microseconds"),
            "begin_wal": self.begin_wal,
            "begin_xlog": segments.lsn(self.begin),
            "children_backup_ids": None,
            "cluster_size": self.cluster_size,
            "compression": None,
            "config_file": f"{data}/postgresql.conf",
            "copy_stats": self._copy_stats() if finished else None,
            "data_checksums": "on",
            "deduplicated_size": None,
            "encryption": None,
            "end_offset": None if self.end is None else self.end % self.segment_size,
            "end_time": self.ended and self.ended.isoformat(sep=" ", timespec="microseconds"),
            "end_wal": self.end_wal,
            "end_xlog": None if self.end is None else segments.lsn(self.end),
            "error": self.error,
            "hba_file": f"{data}/pg_hba.conf",
            "ident_file": f"{data}/pg_ident.conf",
            "included_files": [f"{data}/custom.conf", f"{data}/override.conf"],
            "mode": None,
            "parent_backup_id": None,
            "pgdata": data,
            "server_name": "cloud",
            "size": None,
            "status": self.status,
            "summarize_wal": "off" if self.version >= 170000 else None,
            "systemid": self.system_id,
            "tablespaces": None,
            "timeline": self.timeline,
            "version": self.version,
            "xlog_segment_size": self.segment_size,
        }
        return "".join(f"{key}={value}\n" for key, value in rows.items())

    def _copy_stats(self) -> dict[str, object]:
        took = (self.ended - self.began).total_seconds() if self.ended else 0.0
        return {
            "total_time": round(took + 0.4, 6),
            "number_of_workers": 2,
            "analysis_time": 0,
            "analysis_time_per_item": {"data": 0},
            "copy_time_per_item": {"data": round(took, 6)},
            "serialized_copy_time_per_item": {"data": round(took, 6)},
            "copy_time": round(took, 6),
            "serialized_copy_time": round(took, 6),
        }


def switch_line(parent: int, position: int) -> str:
    """A line of a `.history` file: the parent timeline, where it was left, and why."""
    return f"{parent}\t{segments.lsn(position)}\tno recovery target specified\n"


def segment_body(size: int, compression: str | None, segment_size: int) -> bytes:
    """A segment that takes about `size` bytes in the bucket and decompresses to a whole one.

    Random records fill its beginning, zeros the rest, as after a forced switch. Without
    compression a segment is as long as segments are.
    """
    records = os.urandom(max(1024, min(size - segment_size // 1024, segment_size * 9 // 10)))
    if (compression or "") not in _COMPRESS:
        return records + bytes(segment_size - len(records))
    blocks = -(-len(records) // _BLOCK)
    first = compressed(records.ljust(blocks * _BLOCK, b"\0"), compression)
    return first + _zeros(compression) * (segment_size // _BLOCK - blocks)


@functools.lru_cache
def _zeros(compression: str | None) -> bytes:
    """A block of nothing, compressed; every format here may be continued by another member."""
    return compressed(bytes(_BLOCK), compression)


def data_tar(backup: BaseBackup, size: int, compression: str | None) -> bytes:
    """PGDATA of about `size` bytes: label, version, and one table of noise."""
    files = {
        "backup_label": backup.label.encode(),
        "PG_VERSION": f"{backup.version // 10000}\n".encode(),
        "base/5/16384": os.urandom(size),
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, body in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mtime, entry.mode = len(body), int(backup.began.timestamp()), 0o600
            tar.addfile(entry, io.BytesIO(body))
    return compressed(stream.getvalue(), compression)
