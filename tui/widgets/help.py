"""All keys that work here, with their words: drawn from the same declarations as the footer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.widgets.pager import Pager


class HelpScreen(ModalScreen[None]):
    """The keys of the screen it was called from."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "app.pop_screen", "back", key_display="esc"),
    ]

    def __init__(self, bindings: Iterable[ActiveBinding]) -> None:
        super().__init__()
        self.bindings = tuple(bindings)

    def compose(self) -> ComposeResult:
        with Pager(id="help"):
            yield Static(self._keys(), markup=False)

    def _keys(self) -> Content:
        words: dict[str, list[str]] = {}
        for active in self.bindings:
            if active.binding.description:
                # Of several keys the footer shows one; here each is told by its own name.
                each = replace(active.binding, key_display=None)
                shown = self.app.get_key_display(each)
                words.setdefault(active.binding.description, []).append(shown)
        lines = [Content.styled("Keys", "bold"), Content("")]
        for description, keys in words.items():
            lines.append(Content.assemble((f"{' '.join(keys):<24}", "bold"), description))
        return Content("\n").join([*lines, Content(""), Content("esc closes this")])
