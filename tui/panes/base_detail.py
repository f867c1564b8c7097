"""One base backup's backup.info, every line of it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from tui import themes
from tui.barman.info import Info
from tui.widgets.pager import Pager


class BaseDetail(Screen[None]):
    """backup.info as it lies in the bucket."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "app.pop_screen", "back", key_display="esc", id="base.back"),
    ]

    def __init__(self, url: str, info: Info) -> None:
        super().__init__()
        self.url = url
        self.info = info

    def compose(self) -> ComposeResult:
        rows = (
            Content.assemble(themes.quiet(f"{name:<20}"), value) for name, value in self.info.fields
        )
        yield Static(f"{self.url}backup.info", classes="pane-title", markup=False)
        with Pager():
            yield Static(Content("\n").join(rows), markup=False)
        yield Footer(compact=True, show_command_palette=False)
