"""The last look before something is written: one sentence, the YAML, the kubectl line, the dry run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a confirmation shows. ``choices`` are the things that can still be changed, as told."""

    sentence: str
    document: str
    command: str
    warnings: tuple[str, ...] = ()
    choices: tuple[tuple[str, str, str], ...] = ()
    """Key, name and present value of each choice."""
    typed: str = ""
    """What has to be typed before yes counts, for what cannot be taken back."""


class _Typed(Input):
    """The line for what has to be typed; enter is greyed until it counts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "do it", id="confirm.typed"),
    ]

    def __init__(self, wanted: str, ready: Callable[[], bool]) -> None:
        super().__init__(placeholder=f"type {wanted} to go on", compact=True)
        self.display = bool(wanted)
        self.cursor_blink = False
        self._ready = ready

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "submit":
            return True if self._ready() else None
        return super().check_action(action, parameters)


class ConfirmScreen(ModalScreen[bool]):
    """Asks yes or no about a proposal. Enter says yes once the server's dry run has answered well.

    Whoever shows it listens to nothing but the result: True exactly once, or False. Choices go to
    ``on_choice`` of a subclass, which proposes anew.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "yes", "create", id="confirm.yes"),
        Binding("escape,q,n", "no", "cancel", key_display="esc", id="confirm.no"),
        Binding("j,down", "scroll(1)", "down", show=False),
        Binding("k,up", "scroll(-1)", "up", show=False),
    ]

    def __init__(self, proposal: Proposal) -> None:
        super().__init__()
        self.proposal = proposal
        self.rehearsed = False
        self.refusal = ""
        """Why yes does not count, ``""`` if it does."""
        self.unheard = False
        self.server_warnings: tuple[str, ...] = ()
        self._answered = False
        self._sentence = Static(markup=False)
        self._warnings = Static(markup=False)
        self._document = Static(markup=False)
        self._rehearsal = Static(markup=False)
        self._typed = _Typed(proposal.typed, lambda: self.ready)

    def compose(self) -> ComposeResult:
        with Vertical(id="confirm"):
            with VerticalScroll():
                yield self._sentence
                yield self._rehearsal
                yield self._warnings
                yield self._document
            yield self._typed
            yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        if self.proposal.typed:
            self._typed.focus()
        self.redraw()

    def propose(self, proposal: Proposal) -> None:
        """Show another proposal; it must be rehearsed again before yes counts."""
        self.proposal, self.rehearsed = proposal, False
        self.refusal, self.server_warnings = "", ()
        self.redraw()

    def rehearsal(self, warnings: Iterable[str], refusal: str, *, unheard: bool = False) -> None:
        """The server-side dry run answered; ``unheard``: it did not, and ``refusal`` says why."""
        self.rehearsed, self.refusal, self.unheard = True, refusal, unheard
        self.server_warnings = tuple(warnings)
        self.redraw()

    def redraw(self) -> None:
        """Draw the proposal and what is known of its dry run."""
        proposal = self.proposal
        self._sentence.update(Content.styled(proposal.sentence, "bold"))
        said = [f"! {warning}" for warning in (*proposal.warnings, *self.server_warnings)]
        self._warnings.update(Content.styled("\n".join(said), "$text-warning") if said else "")
        self._warnings.display = bool(said)
        chosen = "".join(f"{key}  {name:<8}{value}\n" for key, name, value in proposal.choices)
        parts = (chosen, f"{proposal.command}\n", proposal.document.rstrip())
        self._document.update("\n".join(part for part in parts if part))
        self._rehearsal.update(self._dry_run())
        self.refresh_bindings()

    def _dry_run(self) -> Content:
        if not self.rehearsed:
            return Content.styled("dry run: asking the server ...", "$foreground-muted")
        if self.refusal:
            how = "no answer" if self.unheard else "refused"
            return Content.styled(f"dry run: {how}. {self.refusal}", "$text-error")
        return Content.styled("dry run: the server accepts it", "$text-success")

    @property
    def ready(self) -> bool:
        """Whether yes counts: the dry run went well, and what had to be typed is."""
        typed = self._typed.value.strip() == self.proposal.typed
        return self.rehearsed and not self.refusal and typed

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        event.stop()
        self.refresh_bindings()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_yes()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Yes is greyed until it counts."""
        if action == "yes":
            return True if self.ready else None
        return True

    def action_yes(self) -> None:
        if self.ready and not self._answered:
            self._answered = True
            self.dismiss(True)

    def action_no(self) -> None:
        if not self._answered:
            self._answered = True
            self.dismiss(False)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
