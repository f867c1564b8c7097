"""What the table panes have in common: a title, a list with filter and sort, and the feed's state."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui import words
from tui.cnpg.manifest import Key, Kind
from tui.live.changes import EventType, Subject
from tui.live.estate import Delta, Estate
from tui.live.telling import countdown, told
from tui.panes.pane import Clock, Pane
from tui.widgets.filter_line import FilterLine
from tui.widgets.live_table import Cell, Column, LiveTable
from tui.widgets.said import Said


class TablePane(Pane):
    """A pane around a LiveTable of one kind. Subclasses say the columns, the cells and the order."""

    KIND: ClassVar[Kind]
    COLUMNS: ClassVar[tuple[Column, ...]]
    EMPTY: ClassVar[str]
    TABLE: ClassVar[type[LiveTable[Key]]]
    """The list, with the word for what enter does to a row."""
    STEADY: ClassVar[bool] = False
    """Whether a modified object keeps its place, so that only arrivals and departures relist."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # With priority, or a burst of keys loses what is typed behind it: it went to the list already.
        Binding("slash", "filter", "filter", key_display="/", priority=True, id="pane.filter"),
        Binding("s", "sort", "sort by the next column", show=False, id="pane.sort"),
        Binding("S", "reverse", "reverse the order", show=False, id="pane.reverse"),
        Binding("escape", "back", "clear the filter", show=False, id="pane.back"),
    ]

    def __init__(self, estate: Estate, clock: Clock, *, with_namespace: bool, pane_id: str) -> None:
        super().__init__(estate, clock, pane_id=pane_id)
        self.with_namespace = with_namespace
        self.table = self.TABLE(self.columns, self._cells_of, empty=self.EMPTY)
        self.title_line = Said(classes="pane-title")
        self.state_line = Said(classes="pane-state")
        self.narrowed_to = ""
        self.sorted_by: int | None = None
        self.descending = False
        self._entered = ""

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.state_line
        yield self.table
        yield from self.compose_below()
        yield self.filter_line

    def compose_below(self) -> ComposeResult:
        """What stands under the table; nothing, unless a pane says otherwise."""
        yield from ()

    def on_mount(self) -> None:
        self.relist()
        self.tell()

    # -- what a pane is ------------------------------------------------------------------------

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns; the namespace stands first when several are shown."""
        namespace = Column("NAMESPACE", min_width=9, max_width=20, rank=1)
        return (namespace, *self.COLUMNS) if self.with_namespace else self.COLUMNS

    def cells(self, subject: Subject, now: datetime) -> tuple[Cell, ...]:
        """The cells of one row, without the namespace."""
        raise NotImplementedError

    def ordered(self, subjects: Iterable[Subject]) -> Iterable[Subject]:
        """The rows in the order the pane prefers."""
        raise NotImplementedError

    def matches(self, subject: Subject) -> bool:
        """Whether a row passes the pane's own narrowing, besides the typed filter."""
        return True

    # -- what the app calls --------------------------------------------------------------------

    def show(self, delta: Delta) -> None:
        """Draw what changed of this kind; other kinds are no business of this pane."""
        if delta.kind == self.KIND:
            self.draw(delta)

    def draw(self, delta: Delta) -> None:
        """Draw a change of this pane's own kind."""
        if delta.feed_moved:
            self.tell()
        if not delta.events:
            return
        was_empty = not self.table.row_count
        if self._moves_rows(delta):
            self.relist()
        keys = [event.subject.key for event in delta.events]
        self.table.refresh_keys(keys)
        for key in keys if not was_empty else ():  # a list that arrives is no change
            self.table.flash(key)

    def tick(self) -> None:
        """A second went by: ages and countdowns may read differently now."""
        self.table.tick()
        if not told(self.estate.feeds[self.KIND], self.clock()).well:
            self.tell()

    @property
    def place(self) -> str:
        """The namespace of the row under the cursor."""
        return self.table.cursor_key.namespace if self.table.cursor_key else ""

    @on(LiveTable.Highlighted)
    def _enter(self) -> None:
        """In another namespace this user may have other rights."""
        if self.place != self._entered:
            self._entered = self.place
            self.refresh_bindings()

    @property
    def current(self) -> Subject | None:
        """What the cursor is on."""
        key = self.table.cursor_key
        return None if key is None else self.estate.tables[self.KIND].get(key)

    def relist(self) -> None:
        """Put the rows that pass the filter into the table, in order."""
        shown = [
            subject.key
            for subject in self._in_order(self.estate.tables[self.KIND].values())
            if self.matches(subject) and self._passes(subject)
        ]
        self.table.empty = self._why_empty()
        self.table.set_keys(shown)
        self._title(len(shown))

    def tell(self) -> None:
        """Say how the feed is doing."""
        now, state = self.clock(), self.estate.feeds[self.KIND]
        said = told(state, now)
        wait = countdown(state, now)
        parts = [said.word, wait, said.sentence] if not said.well else []
        self.state_line.update("; ".join(part for part in parts if part))
        self.state_line.display = bool(parts)
        self.table.empty = self._why_empty()
        self._title(self.table.row_count)

    def _why_empty(self) -> str:
        """An empty list is told apart from one that is not known and from one filtered away."""
        if self.narrowed_to:
            return f"Nothing matches /{self.narrowed_to}. esc shows all."
        if self.estate.heard(self.KIND):
            return self.EMPTY
        return "Not known yet: the list has not arrived."

    # -- the rest is between the pane and its widgets ------------------------------------------

    def _moves_rows(self, delta: Delta) -> bool:
        steady = self.STEADY and not self.narrowed_to and self.sorted_by is None
        return not steady or any(event.type is not EventType.MODIFIED for event in delta.events)

    def _cells_of(self, key: Key) -> tuple[Cell, ...]:
        subject = self.estate.tables[self.KIND].get(key)
        if subject is None:
            return tuple("" for _ in self.columns)
        cells = self.cells(subject, self.clock())
        return (key.namespace, *cells) if self.with_namespace else cells

    def _passes(self, subject: Subject) -> bool:
        if not self.narrowed_to:
            return True
        wanted = self.narrowed_to.casefold()
        return any(wanted in str(cell).casefold() for cell in self._cells_of(subject.key))

    def _in_order(self, subjects: Iterable[Subject]) -> list[Subject]:
        rows = list(self.ordered(subjects))
        if self.sorted_by is not None:
            column = self.sorted_by
            rows.sort(key=lambda subject: self.sort_value(subject, column), reverse=self.descending)
        return rows

    def sort_value(self, subject: Subject, column: int) -> tuple[float, str]:
        """What a column sorts by: its text, unless a pane knows better (ages sort as times)."""
        return (0.0, str(self._cells_of(subject.key)[column]).casefold())

    def _title(self, shown: int) -> None:
        total = len(self.estate.tables[self.KIND])
        count = words.number(total) if shown == total else f"{shown} of {words.number(total)}"
        said = told(self.estate.feeds[self.KIND], self.clock())
        scope = self.scope()
        parts = [self.TITLE, scope, count, said.word, self._filter_said()]
        self.title_line.update("  ".join(part for part in parts if part))

    def scope(self) -> str:
        """What the pane is narrowed to besides the filter, for its title."""
        return ""

    def _filter_said(self) -> str:
        return f"/{self.narrowed_to}" if self.narrowed_to else ""

    def action_back(self) -> None:
        self.app.clear_notifications()
        self.filter_line.clear_and_leave()

    def action_sort(self) -> None:
        following = 0 if self.sorted_by is None else self.sorted_by + 1
        self._sort_by(following if following < len(self.columns) else None)

    def action_reverse(self) -> None:
        self.descending = not self.descending
        self._sort_by(self.sorted_by if self.sorted_by is not None else 0)

    def _sort_by(self, column: int | None) -> None:
        self.sorted_by = column
        self.table.sort = None if column is None else (column, self.descending)
        self.relist()

    @on(FilterLine.Narrowed)
    def _narrow(self, event: FilterLine.Narrowed) -> None:
        event.stop()
        self.narrowed_to = event.text
        self.relist()

    @on(FilterLine.Left)
    def _to_the_list(self, event: FilterLine.Left) -> None:
        event.stop()
        self.screen.set_focus(self.table)
