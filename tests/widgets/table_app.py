"""A screen with one live table of made-up backups, for the tests that need a real terminal.

Run as a script with the number of rows. Keys beside those of the table: ``x`` changes the phase of
the third row, ``z`` the same with a flash, ``y`` changes a row far below the screen, ``a`` adds a
row at the end, ``t`` lets a second pass, ``n`` says nothing new (the same keys once more); from
``c`` on another row arrives above all others ten times a second. ``w`` gives the first rows the
next of some awkward texts, ``r`` sends the whole screen again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from tui.widgets.live_table import Cell, Column, LiveTable

COLUMNS = (
    Column("NAME", min_width=24, max_width=26),
    Column("AGE", width=6, align="right"),
    Column("CLUSTER", max_width=14),
    Column("METHOD", rank=1),
    Column("PHASE", width=10),
    Column("ERROR", flexible=True, rank=2),
)

AWKWARD = (
    "plain",
    "バックアップ",
    "バックアッフ",
    "cafe\u0301 au lait",
    "cafa\u0301 au lait",
    "x" * 60,
    "完" * 30,
    Content.assemble(("red", "red"), " and ", ("bold", "bold")),
    "",
)


class TableApp(App[None]):
    """Backups with a name, an age in seconds, a phase in colour."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "change(False)"),
        Binding("z", "change(True)"),
        Binding("y", "change_unseen"),
        Binding("a", "add"),
        Binding("t", "second"),
        Binding("n", "nothing_new"),
        Binding("c", "churn"),
        Binding("w", "awkward"),
        Binding("r", "repaint"),
    ]

    def __init__(self, rows: int = 100) -> None:
        super().__init__()
        self.keys = [f"backup-{number:06d}" for number in range(rows)]
        self.failed: set[str] = set()
        self.seconds = 0
        self.awkward = 0
        self.table = LiveTable(COLUMNS, self.cells, empty="No backups yet. Press b to take one.")

    def compose(self) -> ComposeResult:
        yield Static("prod-eu  production", markup=False)
        yield self.table
        yield Static("b back up now   ? help", markup=False)

    def on_mount(self) -> None:
        self.table.set_keys(self.keys)

    def cells(self, key: str) -> Sequence[Cell]:
        if self.awkward and key in self.keys[:9]:
            return self.awkward_row(self.awkward + self.keys.index(key))
        failed = key in self.failed
        phase = Content.styled("failed", "$text-error") if failed else "completed"
        age = f"{int(key[-6:]) * 7 + self.seconds}s"
        return (key, age, "pg-orders", "plugin", phase, "exit status 4" if failed else "")

    def awkward_row(self, turn: int) -> Sequence[Cell]:
        texts = [AWKWARD[(turn + shift) % len(AWKWARD)] for shift in range(4)]
        return (texts[0], "1s", texts[1], "plugin", texts[2], texts[3])

    def action_awkward(self) -> None:
        self.awkward += 1
        self.table.refresh_keys(self.keys[:9])

    def action_repaint(self) -> None:
        self.screen.refresh()

    def action_change(self, flash: bool) -> None:
        key = self.keys[2]
        self.failed ^= {key}
        self.table.refresh_keys([key])
        if flash:
            self.table.flash(key)

    def action_change_unseen(self) -> None:
        self.failed ^= {self.keys[-1]}
        self.table.refresh_keys([self.keys[-1]])
        self.table.flash(self.keys[-1])

    def action_add(self) -> None:
        self.keys.append(f"backup-{len(self.keys):06d}")
        self.table.set_keys(self.keys)

    def action_churn(self) -> None:
        self.set_interval(0.1, self.arrive)

    def arrive(self) -> None:
        self.keys = [f"backup-{len(self.keys):06d}", *self.keys]
        self.table.set_keys(self.keys)

    def action_second(self) -> None:
        self.seconds += 1
        self.table.tick()

    def action_nothing_new(self) -> None:
        self.table.set_keys(list(self.keys))


if __name__ == "__main__":
    TableApp(int(sys.argv[1])).run(mouse=False)
