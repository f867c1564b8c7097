"""CnpgTui: the composition root. It owns the estate, lays out the panes and routes their intents.

Facts come in by ``report``, are applied, judged, and told to the panes once. Intents of the panes
become orders here. Nothing else happens in this file: if a handler grows, a room is missing.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import ClassVar

from rich.console import RenderableType
from textual import on, work
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static
from textual.worker import Worker, WorkerError

from tui import bundling, connect, faults, themes
from tui.cnpg.backup import Method
from tui.cnpg.manifest import CLUSTERS, OBJECT_STORES, Key
from tui.live.changes import Change
from tui.live.chronicle import Chronicle, summary
from tui.live.estate import Delta, Estate
from tui.live.following import Following
from tui.live.orders import order as orders
from tui.live.orders.back_up import BackUpNow, back_up_now
from tui.live.orders.order import Done, NotDone, Order, Refusal, Rehearsal
from tui.live.rights import Rights
from tui.live.telling import told
from tui.panes import intents
from tui.panes.back_up import BackUpScreen
from tui.panes.backup_detail import BackupDetail
from tui.panes.backups import BackupsPane
from tui.panes.base_detail import BaseDetail
from tui.panes.bucket import BucketPane
from tui.panes.clusters import ClustersPane
from tui.panes.ordering import Desk, Wish
from tui.panes.pane import Pane
from tui.panes.schedule_editor import ScheduleEditor
from tui.panes.schedules import SchedulesPane
from tui.panes.triage import TriageScreen
from tui.panes.turns import TurnsScreen
from tui.widgets.confirm import ConfirmScreen
from tui.widgets.glass import Glass
from tui.widgets.header_line import HeaderLine
from tui.widgets.help import HelpScreen
from tui.widgets.prompt import Prompt

log = logging.getLogger(__name__)

HEARTBEAT = 1.0
"""Seconds between two looks at the clock; only what then reads differently is drawn."""

FAREWELL = 0.7
"""Seconds for connections to close when the app ends."""

READING = 12
"""Characters a second that a message is given to be read."""


def utc_now() -> datetime:
    """The one clock of the app."""
    return datetime.now(UTC)


class CnpgTui(App[None]):
    """The app. ``opener`` opens the wire after the first frame; tests bring their own clock."""

    CSS_PATH = "app.tcss"
    TITLE = "cnpg-tui"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "colon"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012 - as App has it
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (12, "-low"), (35, "-tall")]  # noqa: RUF012

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "pane('clusters')", "clusters", show=False, id="app.clusters"),
        Binding("2", "pane('backups')", "backups", show=False, id="app.backups"),
        Binding("3", "pane('schedules')", "schedules", show=False, id="app.schedules"),
        Binding("4", "pane('bucket')", "bucket", show=False, id="app.bucket"),
        Binding("v", "turns", "verdict changes", show=False, id="app.turns"),
        Binding("R", "retry", "ask again now", show=False, id="app.retry"),
        Binding("ctrl+l", "redraw", "draw the screen anew", show=False, id="app.redraw"),
        Binding("question_mark", "help", "help", key_display="?", id="app.help"),
        Binding("q", "quit", "quit", id="app.quit"),
        Binding("ctrl+q,ctrl+c", "quit", "quit", show=False, priority=True, id="app.quit_now"),
    ]

    def __init__(
        self,
        flags: connect.Flags,
        *,
        opener: connect.Opener = connect.open_wire,
        clock: Callable[[], datetime] = utc_now,
        read_only: bool = False,
        theme: str = "dark",
        log_file: Path | None = None,
        operator_zone: tzinfo = UTC,
        rings: bool = False,
    ) -> None:
        super().__init__(ansi_color=True if theme == "plain" else None)
        self.animation_level = "none"  # a scroll that glides sends every frame over the line
        self.register_theme(themes.DARK)
        self.register_theme(themes.LIGHT)
        self.theme = themes.THEMES[theme]
        self.flags = flags
        self.opener = opener
        self.clock = clock
        self.read_only = read_only
        self.log_file = log_file
        self.operator_zone = operator_zone
        self.rings = rings
        """Whether the terminal's bell rings when a verdict gets worse."""
        self.chronicle = Chronicle()
        self.began = clock()
        self.estate = Estate(context=flags.context or "")
        self.following = Following()
        self.wire: connect.Connection | None = None
        self._connecting: Worker[None] | None = None
        self.last_words = ""
        """Why it ended by itself; for the terminal, once the app has given it back."""
        self.rights: Rights | None = None
        self.serving = False
        """Whether a wish is being served at the desk: one after the other."""
        several = flags.all_namespaces
        self.header_line = HeaderLine()
        self.rail = Static(id="rail", markup=False)
        self.clusters = ClustersPane(self.estate, clock, with_namespace=several, pane_id="clusters")
        self.backups = BackupsPane(self.estate, clock, with_namespace=several, pane_id="backups")
        self.schedules = SchedulesPane(
            self.estate,
            clock,
            zone=operator_zone,
            with_namespace=several,
            pane_id="schedules",
        )
        self.bucket = BucketPane(self.estate, clock, pane_id="bucket")
        self.panes: tuple[Pane, ...] = (self.clusters, self.backups, self.schedules, self.bucket)
        self.news = Static(id="news", markup=False)
        self.glass = Glass()

    # -- first frame, then the wire ------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield self.header_line
        yield self.rail
        with Container(id="panes"):
            yield from self.panes
        yield self.news
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        for number in (signal.SIGHUP, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._leave, number)
        self.app_resume_signal.subscribe(self, lambda _: self.glass.forget())
        self.action_pane("clusters")
        self._header()
        self.set_interval(HEARTBEAT, self._heartbeat)
        self.call_after_refresh(self._start)

    def on_resize(self) -> None:
        """What a terminal shows once its size has changed is its own affair."""
        self.glass.forget()

    def _start(self) -> None:
        self._connecting = self._connect()

    async def on_unmount(self) -> None:
        """Wait for the connections to be closed: their worker has been told to stop by now."""
        if self._connecting is not None:
            with suppress(WorkerError, TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._connecting.wait()

    @work(exclusive=True, group="wire")
    async def _connect(self) -> None:
        try:
            async with self.opener(self.flags) as self.wire:
                self._header()
                with Rights(self.wire, self.refresh_bindings) as self.rights:
                    for pane in self.panes:
                        pane.rights = self.rights
                    await self.wire.run(self.report)
        except faults.Misconfigured as fault:
            self.last_words = f"cnpg-tui: {fault}"
            self.exit(return_code=1)

    def _leave(self, number: signal.Signals) -> None:
        self.exit(return_code=128 + number)

    def _fatal_error(self) -> None:
        """Textual's last word on an unhandled exception: here a sentence, the rest in the log."""
        log.exception("unhandled", exc_info=self._exception)
        where = f" The details are in {self.log_file}." if self.log_file else ""
        name = type(self._exception).__name__
        self.last_words = f"cnpg-tui stopped because of a mistake of its own ({name}).{where}"
        self.panic()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Textual's one way to the terminal: of an update send what does not stand there already."""
        if isinstance(renderable, LayoutUpdate | ChopsUpdate) and self._draws:
            # Written by its render_segments, as every CompositorUpdate.
            difference = self.glass.difference(renderable, self.size)
            super()._display(screen, difference)  # type: ignore[arg-type]
        else:
            super()._display(screen, renderable)

    @property
    def _draws(self) -> bool:
        """Whether what is displayed now reaches the terminal (as Textual's ``_display`` has it)."""
        return self._running and not (self._closed or self.is_headless or self._batch_count)

    # -- facts come in -------------------------------------------------------------------------

    def report(self, change: Change) -> None:
        """A feed reports a fact: apply it, judge whom it touches, tell the panes."""
        if self._screens_are_gone:
            return
        delta = self.estate.apply(change)
        if self.wire is not None and delta.kind in (CLUSTERS, OBJECT_STORES):
            for said in self.wire.attend(
                self.estate.clusters(),
                self.estate.located(),
                lambda: self.estate.unwell(self.clock()),
            ):
                self._say(said, "warning")
        self._judge(delta)

    def _judge(self, delta: Delta) -> None:
        """Judge whom the change touches, and tell what is other now."""
        judged = self.estate.judge(delta.clusters, self.clock())
        if delta or judged:
            self._tell(replace(delta, clusters=judged))
        if judged:
            self.clusters.judged(judged)
            turned = self.chronicle.hear(judged, self.estate.verdicts, self.clock())
            if turned and isinstance(self.screen, TurnsScreen):
                self.screen.redraw()
        if delta or judged:
            self._header()

    def _say_turns(self) -> None:
        """Say which verdicts got worse or recovered."""
        turns = self.chronicle.news(self.clock())
        worse = any(turn.worse for turn in turns)
        for said in summary(turns):
            self._say(said, "error" if worse else "information")
        if worse and self.rings:
            self.bell()

    def _tell(self, delta: Delta) -> None:
        for pane in self.panes:
            pane.show(delta)
        for screen in self.screen_stack:
            if isinstance(screen, BackupDetail | ScheduleEditor | TriageScreen):
                screen.show(delta)
        for news in self.following.hear(delta.events):
            self._say(news.text, "information" if news.good else "error")
        self._requested()

    @property
    def _screens_are_gone(self) -> bool:
        """Whether the app is being closed: Textual ends timers and workers after the screens."""
        return not self.screen_stack

    def _heartbeat(self) -> None:
        if self._screens_are_gone:
            return
        self._judge(Delta(clusters=self.estate.due(self.clock())))
        self._say_turns()
        for pane in self.panes:
            if pane.display:
                pane.tick()
        if isinstance(self.screen, BackupDetail | ScheduleEditor | TriageScreen):
            self.screen.tick()
        self._header()

    def _header(self) -> None:
        now = self.clock()
        wire = self.wire
        place = f"{wire.context}  {wire.namespace or '(all)'}" if wire else "connecting"
        if self.read_only:
            place += "  read-only"
        levels = (verdict.level for verdict in self.estate.verdicts.values())
        state = told(self.estate.feeds[CLUSTERS], now).word
        self.header_line.show(place, state, f"{now.astimezone(UTC):%H:%MZ}", levels)

    # -- intents go out ------------------------------------------------------------------------

    @on(intents.BackUpRequested)
    def _back_up(self, event: intents.BackUpRequested) -> None:
        if self.read_only:
            self._say("--read-only: nothing is written, no Backup was created", "warning")
        elif self.wire is None:
            self._say("Not connected yet: nothing can be created", "warning")
        elif not isinstance(self.screen, ConfirmScreen):
            self._confirm_backup(event.cluster, self.wire)

    @work(group="orders")
    async def _confirm_backup(self, cluster: Key, wire: connect.Connection) -> None:
        def prepare(method: Method | None, target: str) -> BackUpNow | Refusal:
            return back_up_now(
                self.estate,
                cluster,
                self.clock(),
                method=method,
                target=target,
                context=wire.context,
            )

        async def rehearse(order: BackUpNow) -> Rehearsal:
            return await orders.rehearse(order, wire.port)

        order = prepare(None, "")
        if isinstance(order, Refusal):
            self._say(order.why, "warning")
            return
        screen = BackUpScreen(order, prepare, rehearse)
        if await self.push_screen_wait(screen):
            await self._carry_out(screen.order, wire)

    async def _carry_out(self, order: Order, wire: connect.Connection) -> None:
        self.following.ask(order.key)
        self._requested()
        outcome = await orders.carry_out(order, wire.port)
        if isinstance(outcome, Done):
            for warning in outcome.warnings:
                self._say(warning, "warning")
            return
        if isinstance(outcome, NotDone):
            self.following.drop(order.key)
            self._requested()
        self._say(outcome.why, "error")

    @on(intents.ScheduleWish)
    @on(intents.FindingsWanted)
    @on(intents.RemedyWanted)
    @work(group="orders")
    async def _at_the_desk(self, event: Wish) -> None:
        elsewhere = len(self.screen_stack) > 1 and not isinstance(self.screen, TriageScreen)
        if elsewhere:
            return
        if self.serving:
            self._say("The wish before is not served yet: the server has not answered", "warning")
            return
        wire = self.wire
        desk = Desk(
            self,
            self.estate,
            self.clock,
            self.operator_zone,
            port=wire.port if wire else None,
            context=wire.context if wire else "",
            read_only=self.read_only,
            follow=self._follow,
        )
        self.serving = True
        try:
            await desk.serve(event)
        finally:
            self.serving = False

    async def _follow(self, order: Order) -> None:
        if self.wire is not None:
            await self._carry_out(order, self.wire)

    def _requested(self) -> None:
        """Say what was asked for and has not shown up in the watch yet."""
        waiting = sorted(self.following.requested)
        if waiting or self.news.display:
            self.news.display = bool(waiting)
            self.news.update("requested: " + ", ".join(key.name for key in waiting))

    def _say(self, text: str, severity: str) -> None:
        patience = max(self.NOTIFICATION_TIMEOUT, len(text) / READING)
        self.notify(text, severity=severity, markup=False, timeout=patience)  # type: ignore[arg-type]

    @on(intents.ClusterChosen)
    def _choose(self, event: intents.ClusterChosen) -> None:
        for pane in (self.clusters, self.backups, self.schedules):
            if not pane.table.has_focus:
                pane.choose(event.cluster)

    @on(intents.BackupsWanted)
    def _backups_of(self, event: intents.BackupsWanted) -> None:
        self.backups.only(event.cluster)
        self.action_pane("backups")

    @on(intents.TriageWanted)
    def _triage(self, event: intents.TriageWanted) -> None:
        self.push_screen(TriageScreen(self.estate, event.cluster, self.clock, self.rights))

    @on(intents.BundleWanted)
    @work(exclusive=True, group="bundle")
    async def _bundle(self, event: intents.BundleWanted) -> None:
        question = f"Into which folder with the evidence of {event.cluster.name}? enter writes it"
        folder = await self.push_screen_wait(Prompt(question, "a folder", value=bundling.here()))
        if not folder:
            return
        if self.wire is None:
            self._say("Not connected yet: there is no evidence to write", "warning")
            return
        try:
            path = await bundling.written(
                self.estate, event.cluster, self.wire, self.clock(), folder, self.chronicle
            )
        except (faults.Fault, OSError) as why:
            self._say(f"no evidence was written: {bundling.reason(why)}", "error")
        else:
            log.info("evidence of %s: %s", event.cluster, path)
            self._say(f"The evidence is in {path}", "information")

    @on(intents.DetailsWanted)
    def _details(self, event: intents.DetailsWanted) -> None:
        self.push_screen(BackupDetail(self.estate, event.backup, self.clock))

    @on(intents.BaseWanted)
    def _base(self, event: intents.BaseWanted) -> None:
        self.push_screen(BaseDetail(event.url, event.info))

    @on(intents.AcknowledgeWanted)
    @work(group="orders")
    async def _acknowledge(self, event: intents.AcknowledgeWanted) -> None:
        loss = event.loss
        question = (
            f"{loss.first} .. {loss.last} is lost for good. Once a base backup lies behind it, it "
            "shall not alarm any more. Why?"
        )
        why = await self.push_screen_wait(Prompt(question, "a word for whoever reads it next"))
        if not why or self.wire is None:
            return
        try:
            self.wire.acknowledge(event.place, event.server, loss, why)
        except (ValueError, OSError) as unwritable:
            self._say(f"not acknowledged: {unwritable}", "error")

    @on(intents.LookRequested)
    def _look(self, event: intents.LookRequested) -> None:
        if self.wire is not None:
            self.wire.retry(deep=event.deep)

    @on(intents.LookIntoRequested)
    def _look_into(self, event: intents.LookIntoRequested) -> None:
        if self.wire is not None:
            self.wire.look_into(event.place, event.server)

    @on(intents.LookStopped)
    def _stop_looking(self) -> None:
        if self.wire is not None:
            self.wire.stop_looking()

    @on(intents.HappeningsWanted)
    @work(exclusive=True, group="happenings")
    async def _happenings(self, event: intents.HappeningsWanted) -> None:
        if self.wire is None:
            return
        try:
            found: tuple[object, ...] | str = await self.wire.happenings(event.key, event.uid)
        except faults.Fault as fault:
            found = str(fault)
        if isinstance(self.screen, BackupDetail) and self.screen.key == event.key:
            self.screen.show_happenings(found)  # type: ignore[arg-type]

    # -- keys ----------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Panes change on the main screen alone: what lies above it keeps its keys to itself."""
        if action in ("pane", "turns"):
            return len(self.screen_stack) == 1 or isinstance(self.screen, CommandPalette)
        return super().check_action(action, parameters)

    def action_pane(self, name: str) -> None:
        """Bring a pane to the front and give it the keys."""
        for pane in self.panes:
            pane.set_class(pane.id == name, "-active")
        rail = [
            Content.styled(f"{number} {pane.TITLE}", "reverse" if pane.id == name else "")
            for number, pane in enumerate(self.panes, 1)
        ]
        self.rail.update(Content("   ").join(rail))
        # At once: keys typed in the same moment are meant for the new pane already.
        self.screen_stack[0].set_focus(next(pane for pane in self.panes if pane.id == name).front)

    def action_turns(self) -> None:
        """The verdict changes of this session."""
        self.push_screen(TurnsScreen(self.chronicle, self.began, self.clock))

    def action_retry(self) -> None:
        """Ask the server now instead of when the feeds would."""
        if self.wire is not None:
            self.wire.retry()
        if self.rights is not None:
            self.rights.ask_again()

    def action_redraw(self) -> None:
        """Something else wrote on the terminal: send the whole screen again."""
        self.glass.forget()
        self.screen.refresh()

    def action_help(self) -> None:
        """All keys that work where the focus is, but for those Textual gives to every screen."""
        textuals = {binding.action for binding in Screen.BINDINGS if isinstance(binding, Binding)}
        ours = [
            active
            for active in self.screen.active_bindings.values()
            if active.binding.action not in textuals
        ]
        self.push_screen(HelpScreen(ours))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every declared key with words, then the themes."""
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.description and binding.id and active.enabled:
                key = self.get_key_display(binding)
                yield SystemCommand(
                    binding.description, f"key {key}", self._runner(active.node, binding.action)
                )
        for name, theme in themes.THEMES.items():
            yield SystemCommand(f"theme {name}", "change the look", self._themer(theme))

    def _runner(self, node: object, action: str) -> Callable[[], object]:
        return lambda: self.run_action(action, node)  # type: ignore[arg-type]

    def _themer(self, theme: str) -> Callable[[], object]:
        return lambda: setattr(self, "theme", theme)
