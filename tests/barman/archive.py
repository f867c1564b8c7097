"""Archives to order: what a test says lies in the bucket, as listing rows, contents and a judgement."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from tui.barman import catalog, continuity, history, info, wal
from tui.barman.catalog import Catalog, Server
from tui.barman.continuity import Continuity
from tui.barman.history import History, Unreadable
from tui.barman.info import Info
from tui.barman.listing import Listed
from tui.barman.path import PATIENCE, Loss, Patience, Piece

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MIB = 1 << 20


class Archive:
    """A server's part of a bucket. Segment ``n`` was archived ``n`` minutes after BEGIN unless told."""

    def __init__(
        self, segment_size: int = wal.DEFAULT_SEGMENT_SIZE, *, root: str = "", server: str = "pg"
    ) -> None:
        self.segment_size = segment_size
        self.root = f"{root}/" if root else ""
        self.server = server
        self.rows: dict[str, Listed] = {}
        self.infos: dict[str, Info | info.Unreadable] = {}
        self.histories: dict[int, History | Unreadable] = {}

    def put(self, name: str, size: int = 100, at: datetime = BEGIN, etag: str = '"e"') -> None:
        """Any object below the server name."""
        key = f"{self.root}{self.server}/{name}"
        self.rows[key] = (key, size, at, etag)

    def key(self, timeline: int, number: int, suffix: str = ".gz") -> str:
        segment = wal.at(timeline, number, self.segment_size)
        return f"wals/{segment.directory}/{segment}{suffix}"

    def wal(
        self, timeline: int, numbers: Iterable[int], suffix: str = ".gz", at: datetime | None = None
    ) -> Archive:
        for number in numbers:
            when = BEGIN + number * MINUTE if at is None else at
            self.put(self.key(timeline, number, suffix), 1000, when)
        return self

    def named(self, *names: str, suffix: str = ".gz") -> Archive:
        """Segments by name."""
        for name in names:
            segment = wal.segment(name)
            self.wal(segment.timeline, [segment.number(self.segment_size)], suffix)
        return self

    def history(
        self, timeline: int, *lines: tuple[int, int], at: datetime = BEGIN, read: bool = True
    ) -> Archive:
        """A history whose ``lines`` are parents and LSNs."""
        text = "".join(f"{parent}\t{wal.print_lsn(lsn)}\tno reason\n\n" for parent, lsn in lines)
        self.put(f"wals/{wal.HistoryFile(timeline)}.gz", len(text), at)
        if read:
            self.histories[timeline] = history.parse(text.encode(), timeline)
        return self

    def base(
        self,
        timeline: int,
        first: int,
        last: int | None = None,
        *,
        offset: int = 40,
        status: str = "DONE",
        files: Iterable[str] = ("data.tar.gz",),
        end: datetime | None = None,
    ) -> str:
        """A base backup whose WAL is ``first`` to ``last``; it ends as the last is archived."""
        last = first if last is None else last
        ended = BEGIN + last * MINUTE if end is None else end
        id_ = f"{ended - MINUTE:%Y%m%dT%H%M%S}"
        for name in (*files, "backup.info"):
            self.put(f"base/{id_}/{name}", 5_000_000 if "tar" in name else 1400, ended)
        begin, finish = (wal.at(timeline, number, self.segment_size) for number in (first, last))
        over = status == "DONE"
        lines = {
            "status": status,
            "timeline": timeline,
            "begin_wal": begin,
            "begin_xlog": wal.print_lsn(begin.start(self.segment_size) + offset),
            "begin_time": ended - MINUTE,
            "end_wal": finish if over else None,
            "end_xlog": wal.print_lsn(finish.start(self.segment_size) + offset + 1)
            if over
            else None,
            "end_time": ended if over else None,
            "xlog_segment_size": self.segment_size,
        }
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        self.infos[id_] = info.parse(text.encode())
        return id_

    def catalog(self) -> Catalog:
        """Everything listed whole, in one page."""
        empty = catalog.empty(self.root)
        return catalog.relisted(empty, self.root, catalog.fold(empty, list(self.rows.values())))

    @property
    def listed(self) -> Server:
        known = self.catalog().servers
        return known.get(self.server) or Server(self.server, {}, {}, {}, frozenset(), True)

    def judge(
        self,
        now: datetime = BEGIN + timedelta(days=2),
        *,
        patience: Patience = PATIENCE,
        acknowledged: frozenset[Loss] = frozenset(),
        standalone: frozenset[str] = frozenset(),
        server: Server | None = None,
    ) -> Continuity:
        return continuity.judge(
            self.listed if server is None else server,
            self.infos,
            self.histories,
            now=now,
            patience=patience,
            acknowledged=acknowledged,
            standalone=standalone,
        )


def said(pieces: Iterable[Piece]) -> list[tuple[str, str, str]]:
    """Pieces as a report would print them."""
    return [(str(piece.word), str(piece.first), str(piece.last)) for piece in pieces]
