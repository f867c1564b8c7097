"""What the app knows of every pane: its title, its list, and how to tell it that something changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from textual import events
from textual.containers import Vertical
from textual.widget import Widget

from tui.live.estate import Delta, Estate
from tui.live.rights import Right, Rights
from tui.widgets.live_table import LiveTable

Clock = Callable[[], datetime]


class Pane(Vertical):
    """A part of the screen with a list in it that takes the keys."""

    TITLE: ClassVar[str]
    NEEDS: ClassVar[Mapping[str, Right]] = {}
    """By action, the right without which it cannot work: its key is greyed then."""

    table: LiveTable[Any]

    def __init__(self, estate: Estate, clock: Clock, *, pane_id: str) -> None:
        super().__init__(id=pane_id)
        self.estate = estate
        self.clock = clock
        self.rights: Rights | None = None
        """None until the wire is open."""

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

    @property
    def place(self) -> str:
        """The namespace that the keys work in, ``""`` while there is none."""
        return ""

    def missing(self, action: str) -> Right | None:
        """The right that this action needs and that the server has said is not there."""
        right = self.NEEDS.get(action)
        if right is None or self.rights is None or not self.place:
            return None
        return right if self.rights.lacks(right, self.place) else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what this user may not do."""
        return None if self.missing(action) else True

    def on_key(self, event: events.Key) -> None:
        """A greyed key says why it is."""
        active = self.screen.active_bindings.get(event.key)
        if active is None or active.enabled or active.node is not self:
            return
        right = self.missing(active.binding.action)
        if right is not None:
            event.stop()
            self.notify(
                f"{active.binding.description}: you lack {right} in {self.place}. Ask for it; "
                "R looks again",
                severity="warning",
                markup=False,
            )
