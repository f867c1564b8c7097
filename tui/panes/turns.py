"""How the verdicts of this session turned, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from tui import themes, words
from tui.live.chronicle import Chronicle, Turn, word
from tui.panes.pane import Clock
from tui.widgets.live_table import Cell, Column, LiveTable


class TurnsScreen(Screen[None]):
    """The timeline of verdict changes; it grows while it is looked at."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,v", "app.pop_screen", "back", key_display="esc", id="turns.back"),
    ]
    COLUMNS = (
        Column("WHEN", max_width=20),
        Column("NAMESPACE", max_width=20, rank=1),
        Column("CLUSTER", max_width=24),
        Column("FROM", max_width=14),
        Column("FOR", max_width=8, rank=2),
        Column("TO", max_width=14),
        Column("HEADLINE", flexible=True, min_width=12, rank=3),
    )

    def __init__(self, chronicle: Chronicle, began: datetime, clock: Clock) -> None:
        super().__init__()
        self.chronicle = chronicle
        self.clock = clock
        since = words.moment(began, clock())
        self.title_line = Static(
            f"Verdict changes since {since}", classes="pane-title", markup=False
        )
        self.table: LiveTable[Turn] = LiveTable(
            self.COLUMNS, self._cells, empty=f"No verdict has changed since {since}."
        )
        self.detail_lines = Static(classes="detail", markup=False)

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.table
        yield self.detail_lines
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.redraw()
        self.table.focus()

    def redraw(self) -> None:
        """Put the turns there are by now on screen."""
        self.table.set_keys(tuple(reversed(self.chronicle.turns)))
        self._detail()

    def _detail(self) -> None:
        """The turn under the cursor in full: its headline seldom has room in the table."""
        turn = self.table.cursor_key
        self.detail_lines.display = turn is not None
        if turn is not None:
            self.detail_lines.update(
                Content.assemble(
                    f"{turn.cluster.name}  {word(turn.before)} for {words.age(turn.lasted)}, then ",
                    themes.graded(turn.after, word(turn.after)),
                    f"\n  {turn.headline}",
                )
            )

    @on(LiveTable.Highlighted)
    def _moved(self, event: LiveTable.Highlighted[Turn]) -> None:
        event.stop()
        self._detail()

    def _cells(self, turn: Turn) -> tuple[Cell, ...]:
        return (
            words.moment(turn.at, self.clock()),
            turn.cluster.namespace,
            turn.cluster.name,
            themes.graded(turn.before, word(turn.before)),
            words.age(turn.lasted),
            themes.graded(turn.after, word(turn.after)),
            turn.headline,
        )
