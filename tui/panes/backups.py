"""The Backups: a mirror of ``kubectl get backups.postgresql.cnpg.io -w``, as a table or as a log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Log, Static

from tui import themes, words
from tui.cnpg import printed
from tui.cnpg.backup import COMPLETED, FAILED, Backup
from tui.cnpg.manifest import BACKUPS, Key, Unreadable
from tui.live.changes import Subject
from tui.live.estate import Delta, Estate
from tui.panes.intents import BackUpRequested, ClusterChosen, DetailsWanted
from tui.panes.table_pane import Clock, TablePane
from tui.verdict.health import Level
from tui.widgets.live_table import Cell, Column, LiveTable

KEPT_LINES = 10_000
"""Lines of the log mode kept in memory."""

_NEVER = datetime.min.replace(tzinfo=UTC)


class BackupsPane(TablePane):
    """One row a Backup, newest first, changing in place; ``w`` shows the same as a log of events."""

    KIND = BACKUPS
    TITLE = "Backups"
    EMPTY = "No Backup here yet. b takes one of the cluster under the cursor."
    STEADY = True
    COLUMNS = tuple(
        Column(title, flexible=title == "ERROR", max_width=width, rank=rank)
        for title, width, rank in zip(
            printed.COLUMNS, (40, 9, 20, 17, 12, None), (0, 0, 0, 1, 0, 0), strict=True
        )
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "details", "details", id="backups.details"),
        Binding("b", "back_up", "back up now", id="backups.back_up"),
        Binding("w", "log", "table or log", id="backups.log"),
        Binding("f", "follow", "follow newest", id="backups.follow"),
    ]

    def __init__(self, estate: Estate, clock: Clock, *, with_namespace: bool, pane_id: str) -> None:
        super().__init__(estate, clock, with_namespace=with_namespace, pane_id=pane_id)
        self.printer = printed.WatchPrinter(with_namespace=with_namespace)
        self.following = False
        self.cluster: Key | None = None

    def compose_below(self) -> ComposeResult:
        log = Log(max_lines=KEPT_LINES, highlight=False)
        log.display = False
        yield log
        yield Static(classes="detail", markup=False)

    def cells(self, subject: Subject, now: datetime) -> tuple[Cell, ...]:
        assert isinstance(subject, Backup | Unreadable)
        cells: list[Cell] = list(printed.cells(subject, now))
        if subject_level := _level(subject):
            cells[4] = themes.tinted(subject_level, str(cells[4]))
        return tuple(cells)

    def ordered(self, subjects: Iterable[Subject]) -> Iterable[Subject]:
        return sorted(
            subjects, key=lambda subject: (subject.created or _NEVER, subject.key), reverse=True
        )

    def matches(self, subject: Subject) -> bool:
        if self.cluster is None:
            return True
        return isinstance(subject, Backup) and subject.cluster_key == self.cluster

    def scope(self) -> str:
        return f"of {self.cluster.name}" if self.cluster else ""

    def sort_value(self, subject: Subject, column: int) -> tuple[float, str]:
        if self.columns[column].title == "AGE" and subject.created:
            return (-subject.created.timestamp(), "")
        return super().sort_value(subject, column)

    def show(self, delta: Delta) -> None:
        super().show(delta)
        if not delta.events:
            return
        log, now = self.query_one(Log), self.clock()
        for event in delta.events:
            if isinstance(event.subject, Backup | Unreadable):
                log.write_lines(self.printer.lines([(event.type, event.subject)], now))
        if self.following:
            self.table.action_first()
        self._detail()

    def tick(self) -> None:
        super().tick()
        self._detail()

    def only(self, cluster: Key | None) -> None:
        """Show the Backups of one cluster only; None shows all again."""
        self.cluster = cluster
        self.relist()

    def choose(self, cluster: Key) -> None:
        """Move the cursor to the newest Backup of a cluster, because another pane chose it."""
        for subject in self.ordered(self.estate.backups_of(cluster)):
            self.table.cursor_key = subject.key
            break

    def _detail(self) -> None:
        subject = self.current
        said = ""
        if isinstance(subject, Backup):
            said = in_words(self.estate, subject, self.clock())
        self.query_one(".detail", Static).update(said)

    @on(LiveTable.Highlighted)
    def _moved(self, event: LiveTable.Highlighted[Key]) -> None:
        event.stop()
        self._detail()
        if self.table.has_focus and isinstance(self.current, Backup):
            self.post_message(ClusterChosen(self.current.cluster_key))

    @on(LiveTable.Selected)
    def _chosen(self, event: LiveTable.Selected[Key]) -> None:
        event.stop()
        self.action_details()

    def action_details(self) -> None:
        if isinstance(self.current, Backup):
            self.post_message(DetailsWanted(self.current.key))

    def action_back_up(self) -> None:
        cluster = self.cluster
        if isinstance(self.current, Backup):
            cluster = self.current.cluster_key
        if cluster is not None:
            self.post_message(BackUpRequested(cluster))

    def action_log(self) -> None:
        log = self.query_one(Log)
        log.display = not log.display
        self.table.display = not log.display
        (log if log.display else self.table).focus()

    def action_follow(self) -> None:
        self.following = not self.following
        if self.following:
            self.table.action_first()
        self.notify("Following the newest Backup" if self.following else "No longer following")

    def action_back(self) -> None:
        super().action_back()
        self.only(None)


def _level(subject: Backup | Unreadable) -> Level | None:
    if isinstance(subject, Unreadable):
        return Level.UNKNOWN
    if subject.phase == FAILED:
        return Level.FAILING
    return None if subject.phase == COMPLETED or subject.is_executing else Level.DEGRADED


def in_words(estate: Estate, backup: Backup, now: datetime) -> str:
    """What the row means: running since when, waiting behind whom, ended how."""
    name, elapsed = backup.key.name, backup.elapsed(now)
    if backup.phase == COMPLETED:
        took = f" in {words.age(elapsed)}" if elapsed else ""
        return f"{name} completed{took}, {backup.begin_wal or '-'} .. {backup.end_wal or '-'}"
    if backup.phase == FAILED:
        why = words.one_line(backup.error or backup.command_error)
        return f"{name} failed: {why or 'no error given'}"
    if backup.is_executing:
        since = f" for {words.age(elapsed)}" if elapsed else ""
        return f"{name} runs on {backup.pod or 'a pod not named yet'}{since}"
    head = estate.queue_of(backup.cluster_key).ahead_of(backup)
    if head is None:
        waiting = words.ago(backup.created, now)
        return f"{name} is next, not taken up for {waiting}"
    stuck = head.elapsed(now)
    since = (
        f", {head.phase or 'not taken up'} for {words.age(stuck)}"
        if stuck
        else (f", {head.phase or 'not taken up'}")
    )
    return f"{name} waits behind {head.key.name}{since}"
