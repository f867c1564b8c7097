"""Back up now: what will be created, what to know first, and what can still be chosen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.cnpg.backup import Method
from tui.live.orders.back_up import TARGETS, BackUpNow
from tui.live.orders.order import Refusal, Rehearsal
from tui.widgets.confirm import ConfirmScreen, Proposal

Prepare = Callable[[Method, str], BackUpNow | Refusal]
Rehearse = Callable[[BackUpNow], Awaitable[Rehearsal]]


class BackUpScreen(ConfirmScreen):
    """The confirmation of an on-demand backup; a change of choice prepares and rehearses anew."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "target", "target", id="back_up.target"),
        Binding("m", "method", "method", id="back_up.method"),
    ]

    def __init__(self, order: BackUpNow, prepare: Prepare, rehearse: Rehearse) -> None:
        super().__init__(_proposal(order))
        self.order = order
        self._prepare = prepare
        self._rehearse = rehearse

    def on_mount(self) -> None:
        super().on_mount()
        self._ask()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is no choice of method where only one can work."""
        if action == "method":
            return len(self.order.methods) > 1
        return super().check_action(action, parameters)

    def action_target(self) -> None:
        following = TARGETS[(TARGETS.index(self.order.target) + 1) % len(TARGETS)]
        self._change(self.order.method, following)

    def action_method(self) -> None:
        methods = self.order.methods
        following = methods[(methods.index(self.order.method) + 1) % len(methods)]
        self._change(following, self.order.target)

    def _change(self, method: Method, target: str) -> None:
        order = self._prepare(method, target)
        if isinstance(order, Refusal):
            self.rehearsal((), order.why)
            return
        self.order = order
        self.propose(_proposal(order))
        self._ask()

    def _ask(self) -> None:
        self.run_worker(self._rehearsed(self.order), exclusive=True)

    async def _rehearsed(self, order: BackUpNow) -> None:
        answer = await self._rehearse(order)
        self.rehearsal(answer.warnings, answer.refusal, unheard=answer.unheard)


def _proposal(order: BackUpNow) -> Proposal:
    target = order.target or "as the Cluster says"
    choices = [("t", "target", target)]
    if len(order.methods) > 1:
        choices.append(("m", "method", order.method.value))
    return Proposal(
        sentence=order.sentence,
        document=order.shown,
        command=order.kubectl,
        warnings=order.warnings,
        choices=tuple(choices),
    )
