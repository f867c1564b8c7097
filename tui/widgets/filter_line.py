"""The filter at the foot of a pane: ``/`` opens it, enter keeps it, escape clears it."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class FilterLine(Input):
    """One line to type a filter into; hidden while it is empty and not focused."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "clear filter"),
    ]

    class Narrowed(Message):
        """The text to filter by changed (``""``: show everything)."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The user is done typing; the focus belongs to the list again."""

    def __init__(self) -> None:
        super().__init__(placeholder="filter", compact=True, select_on_focus=False)
        self.display = False

    def open(self) -> None:
        """Show the line and type into it."""
        self.display = True
        self.screen.set_focus(self)  # at once: the next key typed is text already

    def clear_and_leave(self) -> None:
        """Show everything again."""
        self.value = ""
        self.display = False

    def action_clear(self) -> None:
        self.clear_and_leave()
        self.post_message(self.Left())

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Narrowed(event.value))

    @on(Input.Submitted)
    def _leave(self, event: Input.Submitted) -> None:
        event.stop()
        self.display = bool(self.value)
        self.post_message(self.Left())
