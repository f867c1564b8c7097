"""The confirmation of an order, and what to do when somebody else was faster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from tui.cnpg import schedule
from tui.cnpg.schedule import ScheduledBackup
from tui.live.orders import schedule as orders
from tui.live.orders.order import Order, Rehearsal
from tui.widgets.confirm import ConfirmScreen, Proposal

Rehearse = Callable[[Order], Awaitable[Rehearsal]]


class OrderScreen(ConfirmScreen, inherit_bindings=False):
    """Shows an order and has it rehearsed. ``overtaken`` says why it closed by itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "yes", "do it", id="confirm.yes"),
        *ConfirmScreen.BINDINGS[1:],
    ]

    def __init__(self, order: Order, rehearse: Rehearse, *, typed: str = "") -> None:
        super().__init__(
            Proposal(order.sentence, order.shown, order.kubectl, order.warnings, typed=typed)
        )
        self.order = order
        self.overtaken = False
        self._rehearse = rehearse

    def on_mount(self) -> None:
        super().on_mount()
        self.run_worker(self._rehearsed())

    async def _rehearsed(self) -> None:
        answer = await self._rehearse(self.order)
        self.overtaken = answer.overtaken
        self.rehearsal(answer.warnings, answer.refusal, unheard=answer.unheard)
        if self.overtaken:
            self.action_no()


class OvertakenScreen(ModalScreen[bool]):
    """What somebody else changed first in an object, and what was to be changed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "answer(True)", "put mine on top of theirs", id="overtaken.replan"),
        Binding("escape,q", "answer(False)", "keep theirs", key_display="esc", id="overtaken.drop"),
        Binding("j,down", "scroll(1)", "down", show=False),
        Binding("k,up", "scroll(-1)", "up", show=False),
    ]

    def __init__(self, name: str, theirs: str, mine: str, clash: Iterable[str] = ()) -> None:
        super().__init__()
        self.object_name = name
        self.theirs, self.mine = theirs, mine
        self.clash = tuple(clash)

    def compose(self) -> ComposeResult:
        with Vertical(id="confirm"):
            with VerticalScroll():
                yield Static(
                    Content.styled(
                        f"{self.object_name} was changed by somebody else: nothing is written",
                        "bold",
                    ),
                    markup=False,
                )
                yield Static(Content("\n").join(self._told()), markup=False)
            yield Footer(compact=True, show_command_palette=False)

    def _told(self) -> list[Content]:
        lines = [
            Content(""),
            Content.styled("They changed", "bold"),
            Content(self.theirs or "nothing you can see here"),
            Content(""),
            Content.styled("You want", "bold"),
            Content(self.mine),
        ]
        if self.clash:
            clash = f"! both changed {', '.join(self.clash)}: yours would replace theirs"
            lines += [Content(""), Content.styled(clash, "$text-warning")]
        return lines

    def action_answer(self, replan: bool) -> None:
        self.dismiss(replan)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def overtaken(
    before: ScheduledBackup, wanted: ScheduledBackup, theirs: ScheduledBackup
) -> OvertakenScreen:
    """Of a schedule; fields that both changed are named."""
    both = _fields(before, theirs) & _fields(before, wanted)
    return OvertakenScreen(
        before.key.name,
        orders.difference(before, theirs),
        orders.difference(before, wanted),
        sorted(both),
    )


def _fields(before: ScheduledBackup, after: ScheduledBackup) -> set[str]:
    """Names under ``spec`` that differ."""
    return set(schedule.changes(before, after).get("spec", {}))
