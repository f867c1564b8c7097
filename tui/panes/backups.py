"""The Backups: a mirror of ``kubectl get backups.postgresql.cnpg.io -w``, as a table or as a log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import ClassVar, TypeAlias

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Log

from tui import themes, words
from tui.cnpg import printed
from tui.cnpg.backup import COMPLETED, FAILED, Backup
from tui.cnpg.manifest import BACKUPS, Key, Unreadable
from tui.live.changes import Subject
from tui.live.estate import Delta, Estate
from tui.live.rights import Right
from tui.panes.intents import BackUpRequested, ClusterChosen, DetailsWanted, RemedyWanted
from tui.panes.pane import Clock
from tui.panes.table_pane import TablePane
from tui.verdict import queue
from tui.verdict.fix import DeleteBackup
from tui.verdict.health import Level
from tui.verdict.queue import Hold
from tui.widgets.live_table import Cell, Column, LiveTable
from tui.widgets.pager import PAGING
from tui.widgets.said import Said

KEPT_LINES = 10_000
"""Lines of the log mode kept in memory."""

Flush: TypeAlias = tuple[tuple[tuple[str, Backup | Unreadable], ...], datetime]
"""What kubectl prints in one go, and when."""

_NEVER = datetime.min.replace(tzinfo=UTC)


class _Backups(LiveTable[Key]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "details", id="backups.details"),
    ]


class _EventLog(Log):
    """The log mode, with the keys of the list."""

    BINDINGS: ClassVar[list[BindingType]] = PAGING


class BackupsPane(TablePane):
    """One row a Backup, newest first, changing in place; ``w`` shows the same as a log of events."""

    KIND = BACKUPS
    TITLE = "Backups"
    TABLE = _Backups
    EMPTY = "No Backup here yet. b takes one of the cluster under the cursor."
    STEADY = True
    COLUMNS = (
        # Of the names of a schedule's Backups the last digits alone differ.
        Column("NAME", min_width=28, max_width=40),
        Column("AGE", max_width=9, rank=1),
        Column("CLUSTER", min_width=7, max_width=20, rank=3),
        Column("METHOD", max_width=17, rank=4),
        Column("PHASE", max_width=12),
        Column("ERROR", flexible=True, min_width=7, rank=2),
    )
    assert tuple(column.title for column in COLUMNS) == printed.COLUMNS

    NEEDS: ClassVar[Mapping[str, Right]] = {
        "back_up": Right("create", BACKUPS),
        "delete": Right("delete", BACKUPS),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "back_up", "back up now", id="backups.back_up"),
        Binding("w", "log", "table or log", id="backups.log"),
        Binding("f", "follow", "follow newest", id="backups.follow"),
        Binding("D", "delete", "delete, not done", show=False, id="backups.delete"),
    ]

    def __init__(self, estate: Estate, clock: Clock, *, with_namespace: bool, pane_id: str) -> None:
        super().__init__(estate, clock, with_namespace=with_namespace, pane_id=pane_id)
        self.detail_line = Said(classes="detail")
        self.event_log = _EventLog(max_lines=KEPT_LINES, highlight=False)
        self.event_log.display = False
        self.printer = printed.WatchPrinter(with_namespace=with_namespace)
        self.following = False
        self.cluster: Key | None = None
        self.chosen: Key | None = None
        self._initial: list[tuple[str, Backup | Unreadable]] | None = []
        """Rows of the first list, until it is complete; then None."""
        self._unwritten: deque[Flush] = deque(maxlen=KEPT_LINES)
        """What the log will print when it is looked at; printing 17,000 rows takes a while."""

    def compose_below(self) -> ComposeResult:
        yield self.event_log
        yield self.detail_line

    def cells(self, subject: Subject, now: datetime) -> tuple[Cell, ...]:
        assert isinstance(subject, Backup | Unreadable)
        cells: list[Cell] = list(printed.cells(subject, now))
        if subject_level := _level(subject):
            cells[4] = themes.tinted(subject_level, str(cells[4]))
        return tuple(cells)

    def ordered(self, subjects: Iterable[Subject]) -> Iterable[Subject]:
        return sorted(subjects, key=_made, reverse=True)

    def matches(self, subject: Subject) -> bool:
        if self.cluster is None:
            return True
        return isinstance(subject, Backup) and subject.cluster_key == self.cluster

    @property
    def front(self) -> Widget:
        return self.event_log if self.event_log.display else self.table

    def scope(self) -> str:
        said = [f"of {self.cluster.name}"] if self.cluster else []
        return "  ".join([*said, "following newest"] if self.following else said)

    def sort_value(self, subject: Subject, column: int) -> tuple[float, str]:
        if self.columns[column].title == "AGE" and subject.created:
            return (-subject.created.timestamp(), "")
        return super().sort_value(subject, column)

    def draw(self, delta: Delta) -> None:
        super().draw(delta)
        self._log(delta)
        if not delta.events:
            return
        if self.following:
            self._go_to_newest()
        self._detail()

    def _log(self, delta: Delta) -> None:
        """kubectl prints the first list in one go and every later event by itself."""
        now = self.clock()
        rows = [
            (str(event.type), event.subject)
            for event in delta.events
            if isinstance(event.subject, Backup | Unreadable)
        ]
        if self._initial is None:
            self._unwritten.extend(((row,), now) for row in rows)
        else:
            self._initial += rows
            if not self.estate.heard(BACKUPS):
                return
            if self._initial:
                self._unwritten.append((tuple(self._initial), now))
            self._initial = None
        if self.event_log.display:
            self._write()

    def _write(self) -> None:
        while self._unwritten:
            rows, when = self._unwritten.popleft()
            self.event_log.write_lines(self.printer.lines(rows, when))

    def tick(self) -> None:
        super().tick()
        self._detail()

    def only(self, cluster: Key | None) -> None:
        """Show the Backups of one cluster only; None shows all again."""
        self.cluster = cluster
        self.relist()

    def choose(self, cluster: Key) -> None:
        """Move the cursor to the newest Backup of a cluster, because another pane chose it."""
        self.chosen = cluster
        for subject in self.ordered(self.estate.backups_of(cluster)):
            self.table.cursor_key = subject.key
            break

    def _detail(self) -> None:
        subject = self.current
        said = ""
        if isinstance(subject, Backup):
            said = in_words(self.estate, subject, self.clock())
        elif isinstance(subject, Unreadable):
            said = f"{subject.key.name} cannot be read: {subject.why}"
        self.detail_line.update(said)

    @on(LiveTable.Highlighted)
    def _moved(self, event: LiveTable.Highlighted[Key]) -> None:
        event.stop()
        self._detail()
        if self.table.has_focus and isinstance(self.current, Backup):
            self.post_message(ClusterChosen(self.current.cluster_key))

    @on(LiveTable.Selected)
    def _chosen(self, event: LiveTable.Selected[Key]) -> None:
        event.stop()
        self.post_message(DetailsWanted(event.key))

    @property
    def place(self) -> str:
        """The namespace of the cluster that would be backed up."""
        cluster = self._cluster_in_mind
        return cluster.namespace if cluster else ""

    @property
    def _cluster_in_mind(self) -> Key | None:
        """The cluster of the Backup under the cursor, else the one another pane stands on."""
        if isinstance(self.current, Backup):
            return self.current.cluster_key
        return self.cluster or self.chosen

    def action_back_up(self) -> None:
        cluster = self._cluster_in_mind
        if cluster is None:
            self.notify("No cluster to back up: choose one among the clusters (1)")
        else:
            self.post_message(BackUpRequested(cluster))

    def action_delete(self) -> None:
        """Only what is not done holds anything up; what is done is the history of the archive."""
        found = self.current
        if not isinstance(found, Backup) or found.is_done:
            self.notify("Only a Backup that is not done can be deleted here", severity="warning")
        else:
            self.post_message(RemedyWanted(DeleteBackup(found.key)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Filter and order belong to the table; the log has neither."""
        of_table = action in ("filter", "sort", "reverse", "follow")
        if of_table and self.event_log.display:
            return False
        return super().check_action(action, parameters)

    def action_log(self) -> None:
        log, table = self.event_log, self.table
        log.display, table.display = table.display, log.display
        self._write()
        self.screen.set_focus(self.front)
        self.refresh_bindings()

    def action_follow(self) -> None:
        self.following = not self.following
        if self.following:
            self._go_to_newest()
        self.tell()

    def _go_to_newest(self) -> None:
        shown = filter(self.matches, self.estate.tables[BACKUPS].values())
        newest = max(shown, key=_made, default=None)
        if newest is not None:
            self.table.cursor_key = newest.key

    def action_back(self) -> None:
        super().action_back()
        self.only(None)


def _made(subject: Subject) -> tuple[datetime, Key]:
    return (subject.created or _NEVER, subject.key)


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
        holding = _holding_up(_hold(estate, backup, now))
        return f"{name} runs on {backup.pod or 'a pod not named yet'}{since}{holding}"
    hold = _hold(estate, backup, now)
    if hold is None or hold.head.key == backup.key:
        waiting = words.ago(backup.created, now)
        return f"{name} is next, not taken up for {waiting}{_holding_up(hold)}"
    return f"{name} waits: {hold.said(now)}"


def _hold(estate: Estate, backup: Backup, now: datetime) -> Hold | None:
    key = backup.cluster_key
    schedules, moved = estate.schedules_of(key), estate.queue_moved.get(key)
    return queue.of(tuple(estate.backups_of(key)), schedules, now, moved)


def _holding_up(hold: Hold | None) -> str:
    held = hold.held_up() if hold else ""
    freed = "; D deletes it and frees them" if hold and hold.stuck else ""
    return f", holds up {held}{freed}" if held else ""
