"""What needs a right greys its key while the server says that the user has none, and says which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import events
from textual.widget import Widget

from tui.live.rights import Right, Rights


class Guarded(Widget):
    """A pane or a screen whose keys need rights."""

    NEEDS: ClassVar[Mapping[str, Right]] = {}
    """By action, the right without which it cannot work: its key is greyed then."""

    rights: Rights | None = None
    """None until the wire is open."""

    @property
    def place(self) -> str:
        """The namespace that the keys work in, ``""`` while there is none."""
        return ""

    def needs(self, action: str) -> Right | None:
        """The right without which an action cannot work, None if it needs none."""
        return self.NEEDS.get(action)

    def missing(self, action: str) -> Right | None:
        """The right that this action needs and that the server has said is not there."""
        right = self.needs(action)
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
