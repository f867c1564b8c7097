"""What the app knows of every pane: its title, its list, and how to tell it that something changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from textual.containers import Vertical
from textual.widget import Widget

from tui.live.estate import Delta, Estate
from tui.panes.guarded import Guarded
from tui.widgets.filter_line import FilterLine
from tui.widgets.live_table import LiveTable

Clock = Callable[[], datetime]


class Pane(Guarded, Vertical):
    """A part of the screen with a list in it that takes the keys."""

    TITLE: ClassVar[str]
    table: LiveTable[Any]

    def __init__(self, estate: Estate, clock: Clock, *, pane_id: str) -> None:
        super().__init__(id=pane_id)
        self.estate = estate
        self.clock = clock
        self.filter_line = FilterLine()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the filter its own key is text."""
        if action == "filter" and self.screen.focused is self.filter_line:
            return False
        return super().check_action(action, parameters)

    def action_filter(self) -> None:
        self.filter_line.open()

    @property
    def front(self) -> Widget:
        """What takes the keys."""
        return self.table

    def show(self, delta: Delta) -> None:
        """Draw what changed, if it is this pane's business."""
        raise NotImplementedError

    def tick(self) -> None:
        """A second went by: ages and countdowns may read differently now."""
        raise NotImplementedError
