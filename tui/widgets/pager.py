"""Text that is longer than the screen, moved in with the keys of the lists."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

PAGING: list[BindingType] = [
    Binding("j", "scroll_down", "Next line", show=False),
    Binding("k", "scroll_up", "Previous line", show=False),
    Binding("g", "scroll_home", "First line", show=False),
    Binding("G", "scroll_end", "Last line", show=False),
    Binding("ctrl+d", "page_down", "Page down", show=False),
    Binding("ctrl+u", "page_up", "Page up", show=False),
]
"""As k9s and less have them; arrows and page keys are Textual's."""


class Pager(VerticalScroll):
    """It takes the focus, so that the keys work without any being pressed before."""

    BINDINGS: ClassVar[list[BindingType]] = PAGING
