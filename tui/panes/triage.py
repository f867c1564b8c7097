"""Triage: the ladder of one cluster, and what to do about the rung under the cursor.

The cursor begins on the first broken rung, so that what is wrong and its remedy are read at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from tui import themes, words
from tui.cnpg.manifest import BACKUPS, Key
from tui.live.estate import Delta, Estate
from tui.live.orders import remedy
from tui.live.rights import Right, Rights
from tui.panes.clusters import details
from tui.panes.guarded import Guarded
from tui.panes.intents import BackUpRequested, BundleWanted, LookRequested, RemedyWanted
from tui.panes.pane import Clock
from tui.verdict.fix import Fix
from tui.verdict.health import Level, Verdict
from tui.verdict.triage.rung import Rung, State
from tui.widgets.live_table import Cell, Column, LiveTable
from tui.widgets.said import Said

RungKey = tuple[str, str]
"""Title and code: the same rung may break twice over."""


class _Ladder(LiveTable[RungKey]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "evidence", id="triage.evidence"),
    ]


class TriageScreen(Guarded, Screen[None]):
    """The ladder of one cluster, kept up to date while it is looked at."""

    NEEDS: ClassVar[Mapping[str, Right]] = {"back_up": Right("create", BACKUPS)}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "apply", "apply remedy", id="triage.apply"),
        Binding("b", "back_up", "back up now", id="triage.back_up"),
        Binding("e", "bundle", "to a file", id="triage.bundle"),
        Binding("r", "look", "look again", id="triage.look"),
        Binding("escape,q,t", "back", "back", key_display="esc", id="triage.back"),
    ]

    def __init__(self, estate: Estate, key: Key, clock: Clock, rights: Rights | None) -> None:
        super().__init__()
        self.rights = rights
        self.estate = estate
        self.key = key
        self.clock = clock
        self.title_line = Static(classes="pane-title", markup=False)
        columns = (
            Column("RUNG", max_width=23),
            Column("WHAT WAS SEEN", flexible=True, min_width=20),
        )
        self.table = _Ladder(columns, self._cells, empty="Not judged yet.")
        self.detail_lines = Said(classes="detail")
        self.with_evidence = False
        self._rungs: dict[RungKey, Rung] = {}
        self._placed_at: RungKey | None = None
        """Where the cursor was put: it moves on with what is first until the user moves it."""

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.table
        yield self.detail_lines
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.redraw()
        self.table.focus()

    @property
    def place(self) -> str:
        return self.key.namespace

    def needs(self, action: str) -> Right | None:
        fix = self.fix
        return remedy.right(fix) if action == "apply" and fix else super().needs(action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key where the rung under the cursor has no remedy of this kind."""
        if action == "apply" and self.fix is None:
            return False
        return super().check_action(action, parameters)

    @property
    def fix(self) -> Fix | None:
        """What can be done from here about the rung under the cursor."""
        rung = self._rungs.get(self.table.cursor_key) if self.table.cursor_key else None
        return rung.fix if rung else None

    @property
    def verdict(self) -> Verdict | None:
        """The present one, None where the cluster is gone."""
        return self.estate.verdicts.get(self.key)

    def show(self, delta: Delta) -> None:
        """Draw again, if this cluster was judged anew."""
        if self.key in delta.clusters or delta.events:
            self.redraw()

    def tick(self) -> None:
        """A second went by; the ladder itself says no ages, but what is at risk grows."""
        if self.with_evidence:
            self._explain()

    def redraw(self) -> None:
        """Put the present ladder on screen."""
        verdict = self.verdict
        if verdict is None:
            self.title_line.update(f"Triage  {self.key.name} is not known to the API server (now)")
            return
        self.title_line.update(
            Content.assemble(
                "Triage  ",
                self.key.name,
                "  ",
                themes.graded(verdict.level, verdict.headline),
            )
        )
        untouched = self._placed_at in (None, self.table.cursor_key)
        self._rungs = {(rung.title, rung.code): rung for rung in verdict.ladder}
        self.table.set_keys(self._rungs)
        self.table.refresh_keys(tuple(self._rungs))
        worst = first_broken(verdict)
        if untouched and worst is not None:
            self.table.cursor_key = self._placed_at = (worst.title, worst.code)
        self._detail()

    def on_resize(self) -> None:
        """The sentences are wrapped by hand, so that their second lines stand under the first."""
        self.call_after_refresh(self._detail)

    def _cells(self, key: RungKey) -> tuple[Cell, ...]:
        rung = self._rungs.get(key)
        if rung is None:
            return ("", "")
        said = rung.headline if rung.state is not State.HOLDS and rung.headline else rung.evidence
        return (themes.graded(_shade(rung), rung.title), words.one_line(said))

    def _detail(self) -> None:
        self.refresh_bindings()
        self.set_class(self.with_evidence, "-evidence")
        self._explain()

    def _explain(self) -> None:
        verdict, key = self.verdict, self.table.cursor_key
        rung = self._rungs.get(key) if key else None
        panel = self.detail_lines
        # Before the first frame it has no size yet: a text wrapped to nothing would fill the screen.
        width = panel.content_size.width or self.app.size.width - panel.gutter.width
        if verdict is None or rung is None:
            panel.update("")
        elif self.with_evidence:
            panel.update(details(self.key, verdict, self.clock(), width))
        else:
            panel.update(explained(rung, width))

    @on(LiveTable.Highlighted)
    def _moved(self, event: LiveTable.Highlighted[RungKey]) -> None:
        event.stop()
        self.with_evidence = False
        self._detail()

    @on(LiveTable.Selected)
    def _chosen(self, event: LiveTable.Selected[RungKey]) -> None:
        event.stop()
        self.with_evidence = not self.with_evidence
        self._detail()

    def action_apply(self) -> None:
        if self.fix is not None:
            self.post_message(RemedyWanted(self.fix))

    def action_back(self) -> None:
        self.dismiss()

    def action_bundle(self) -> None:
        self.post_message(BundleWanted(self.key))

    def action_look(self) -> None:
        self.post_message(LookRequested())

    def action_back_up(self) -> None:
        self.post_message(BackUpRequested(self.key))


def first_broken(verdict: Verdict) -> Rung | None:
    """The rung to look at first: what the first finding is about, else the first that breaks."""
    broken = [rung for rung in verdict.ladder if rung.state is State.BROKEN]
    first = verdict.findings[0].code if verdict.findings else ""
    named = (rung for rung in (*broken, *verdict.ladder) if rung.code == first)
    return next(named, broken[0] if broken else None)


def explained(rung: Rung, width: int) -> Content:
    """A rung in full: what was seen, what to do, and the command for it, in ``width`` cells."""
    word = rung.state.value if rung.state is not State.HOLDS or not rung.remedy else "remark"
    lines = [
        Content.assemble(
            themes.graded(_shade(rung), f"{rung.title} {word}"),
            "  ",
            themes.quiet(rung.headline),
        ),
    ]
    if rung.evidence != rung.headline:
        lines.append(_line("seen", rung.evidence, width))
    if rung.remedy:
        lines.append(_line("remedy", rung.remedy, width))
    if rung.command:
        lines.append(_line("run", rung.command, width))
    return Content("\n").join(lines)


def _line(label: str, text: str, width: int) -> Content:
    shown = f"  {label:<8}"
    return Content.assemble(themes.quiet(shown), words.hang(text, indent=len(shown), width=width))


def _shade(rung: Rung) -> Level:
    """A rung that holds, with a remedy for something odd, has the glyph of a warning."""
    if rung.state is State.HOLDS:
        return Level.DEGRADED if rung.remedy else Level.PROTECTED
    return Level.UNKNOWN if rung.state is State.UNKNOWN else Level.FAILING
