"""The schedule editor: a form, and under the schedule, at every key, what CNPG will do with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any, ClassVar, TypeAlias

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.suggester import SuggestFromList
from textual.widgets import Footer, Input, Static

from tui.cnpg import firing, schedule
from tui.cnpg.backup import Method
from tui.cnpg.cluster import Cluster
from tui.cnpg.manifest import CLUSTERS, OBJECT_STORES, SCHEDULED_BACKUPS, Key
from tui.cnpg.schedule import ScheduledBackup
from tui.live.around import around
from tui.live.estate import Delta, Estate
from tui.live.orders import back_up
from tui.panes import schedule_form as form
from tui.panes.pane import Clock
from tui.panes.schedule_form import BadParameters
from tui.verdict import saving
from tui.verdict.lint import Around
from tui.widgets import cron_preview
from tui.widgets.cron_preview import CronPreview, Preview
from tui.widgets.form import Choice, Field, TextField
from tui.widgets.lines import Lines

Local = Callable[[datetime], datetime]
"""A moment on the clock of whoever looks at the screen."""


@dataclass(frozen=True, slots=True)
class Saved:
    """It is written, or given up on purpose: the editor can close."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Nothing was written, and why (``""``: because the user said so). The form stays as it is."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Rebased:
    """Somebody else was faster: go on from ``theirs``; ``wanted`` has the same changes on top."""

    theirs: ScheduledBackup
    wanted: ScheduledBackup


Submitted: TypeAlias = Saved | Kept | Rebased
Submit: TypeAlias = Callable[[ScheduledBackup | None, ScheduledBackup], Awaitable[Submitted]]


class _Form(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Scrolls to the field that has the keys; up and down go from field to field."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "next field", show=False),
        Binding("up", "app.focus_previous", "previous field", show=False),
    ]


class ScheduleEditor(Screen[Rebased | None]):
    """Create a ScheduledBackup (``before`` is None), or edit one.

    ``submit`` confirms and writes. The result is None, or what to open another editor on.
    """

    AUTO_FOCUS = "#schedule"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "review and save", id="editor.save"),
        Binding("ctrl+f", "fix", "write the fix", id="editor.fix", priority=True),
        Binding("escape,q", "leave", "back", key_display="esc", id="editor.leave"),
    ]

    def __init__(
        self,
        estate: Estate,
        before: ScheduledBackup | None,
        wanted: ScheduledBackup,
        submit: Submit,
        *,
        clock: Clock,
        zone: tzinfo,
        local: Local = datetime.astimezone,
    ) -> None:
        super().__init__()
        self.estate = estate
        self.before = before
        self.initial = wanted
        self._submit = submit
        self.clock, self.zone, self.local = clock, zone, local
        self._around: tuple[Key, Around] | None = None
        self._leaving = False
        self._said = ""
        self._shown_for: str | None = None
        self._fixable = False
        self._drawn = False
        """Whether the form is there: the clock may tick before."""
        self._opened: dict[str, Any] = {}
        """The manifest the form stood for when it was opened; empty: none that is saved."""

    def compose(self) -> ComposeResult:
        yield Static(self._title(), classes="pane-title", markup=False)
        with _Form(id="editor"):
            if self.before is None:
                yield Field("Name", TextField(self.initial.key.name, id="name"))
                yield Field("Cluster", self._cluster_field())
            yield Field(
                "Schedule",
                TextField(self.initial.schedule, id="schedule"),
                Lines(1, id="verdict"),
            )
            yield CronPreview()
            with Vertical(id="fields"):
                yield from self._fields()
        yield Static(id="status", markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def _title(self) -> str:
        key = self.initial.key
        if self.before is None:
            return f"New ScheduledBackup in {key.namespace}"
        return f"ScheduledBackup {key} of cluster {self.initial.cluster}"

    def _cluster_field(self) -> TextField:
        names = sorted(
            cluster.key.name
            for cluster in self.estate.tables[CLUSTERS].values()
            if cluster.key.namespace == self.initial.key.namespace
        )
        return TextField(self.initial.cluster, suggester=SuggestFromList(names), id="cluster")

    def _fields(self) -> ComposeResult:
        start = self.initial
        line = form.parameters_line(start.plugin_parameters)
        yield Field("Method", Choice(form.METHODS, start.method, id="method"))
        yield Field("Plugin", TextField(start.plugin, id="plugin"), id="of-plugin")
        yield Field(
            "Parameters",
            TextField(line, placeholder="name=value,name=value", id="parameters"),
            id="of-parameters",
        )
        yield Field("Target", Choice(form.TARGETS, start.target, id="target"))
        owner = start.owner_reference or "none"
        yield Field("Backups", Choice(form.OWNERS, owner, id="owner"))
        immediate = form.flag_word(start.immediate)
        yield Field("Immediate", Choice(form.FLAGS, immediate, id="immediate"))
        yield Field(
            "Suspended", Choice(form.FLAGS, form.flag_word(start.suspended), id="suspended")
        )
        for label, name, value in (
            ("Online", "online", start.online),
            ("Checkpoint", "immediate_checkpoint", start.immediate_checkpoint),
            ("Wait WAL", "wait_for_archive", start.wait_for_archive),
        ):
            choice = Choice(form.MAYBE, form.flag_word(value), id=name)
            yield Field(label, choice, id=f"of-{name}")

    def on_mount(self) -> None:
        # Changes that were carried over to another version are not saved yet.
        carried = self.before is not None and bool(schedule.changes(self.before, self.initial))
        self._opened = {} if carried else schedule.document(self.wanted)
        self._drawn = True
        self._redraw()

    # -- what is written in the form -----------------------------------------------------------

    @property
    def wanted(self) -> ScheduledBackup:
        """The schedule as the form says it. Raises :class:`BadParameters`."""
        key, cluster = self.initial.key, self.initial.cluster
        if self.before is None:
            key = Key(key.namespace, self._text("name").strip())
            cluster = self._text("cluster").strip()
        owner = self._value("owner")
        unset = not self.initial.owner_reference and owner == "none"
        return replace(
            self._shaped(),
            key=key,
            cluster=cluster,
            schedule=self._text("schedule"),
            target=self._value("target"),
            owner_reference="" if unset else owner,
            immediate=self._value("immediate") == "yes",
            suspended=self._value("suspended") == "yes",
        )

    def _shaped(self) -> ScheduledBackup:
        """The method with what belongs to it; what belongs to another goes with a change alone."""
        start, method = self.before or self.initial, self._value("method")
        if method != start.method:
            start = replace(
                start,
                method=method,
                plugin="",
                plugin_parameters={},
                online=None,
                immediate_checkpoint=None,
                wait_for_archive=None,
            )
        if method == Method.PLUGIN:
            return replace(
                start,
                plugin=self._text("plugin").strip(),
                plugin_parameters=form.parameters(self._text("parameters")),
            )
        if method == Method.VOLUME_SNAPSHOT:
            return replace(
                start,
                online=form.flag(self._value("online")),
                immediate_checkpoint=form.flag(self._value("immediate_checkpoint")),
                wait_for_archive=form.flag(self._value("wait_for_archive")),
            )
        return start

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", TextField).text

    def _value(self, name: str) -> str:
        return self.query_one(f"#{name}", Choice).value

    # -- what the app calls --------------------------------------------------------------------

    def show(self, delta: Delta) -> None:
        """Something on the server changed; perhaps the very schedule."""
        if delta.kind == OBJECT_STORES or not delta.events or not self._drawn:
            return
        self._around = None
        if delta.kind == SCHEDULED_BACKUPS and self.before is not None:
            self._compare(self.before)
        self._redraw()

    def _compare(self, before: ScheduledBackup) -> None:
        now = self.estate.tables[SCHEDULED_BACKUPS].get(before.key)
        if now is None or not isinstance(now, ScheduledBackup):
            self._say("It is gone from the server, or cannot be read any more.")
        elif schedule.changes(before, now):
            self._say("Somebody changed it meanwhile: saving shows both versions first.")
        else:  # the controller wrote its status: the same schedule, another resourceVersion
            self.before = now

    def tick(self) -> None:
        """A second went by; the last one may find the form half taken down."""
        if self._drawn and self.query(CronPreview):
            self._redraw()

    # -- drawing -------------------------------------------------------------------------------

    @on(Input.Changed)
    @on(Choice.Changed)
    def _edited(self, event: Input.Changed | Choice.Changed) -> None:
        event.stop()
        self._leaving = False
        if event.control.id == "cluster":
            self._preset_method()
        self._say("")
        self._redraw()

    def _preset_method(self) -> None:
        """What works on the cluster, when its name has become that of one."""
        cluster = self.estate.cluster(Key(self.initial.key.namespace, self._text("cluster")))
        if cluster is not None:
            method, plugin = usual_method(cluster)
            self.query_one("#method", Choice).value = method
            self.query_one("#plugin", TextField).value = plugin

    def _redraw(self) -> None:
        self._show_fields(self._value("method"))
        try:
            wanted = self.wanted
        except BadParameters as bad:
            self._say(str(bad))
            return
        self._preview(wanted)

    def _show_fields(self, method: str) -> None:
        """Only what belongs to the method."""
        if method == self._shown_for:
            return
        self._shown_for = method
        for name in ("plugin", "parameters"):
            self.query_one(f"#of-{name}").display = method == Method.PLUGIN
        for name in ("online", "immediate_checkpoint", "wait_for_archive"):
            self.query_one(f"#of-{name}").display = method == Method.VOLUME_SNAPSHOT

    def _preview(self, wanted: ScheduledBackup) -> None:
        now, company = self.clock(), self._company(wanted)
        outlook = firing.outlook(wanted, company.children, now, self.zone)
        remarks = saving.on_save(self.before, wanted, company, now, self.zone, outlook)
        self.query_one(CronPreview).draw(Preview(outlook, remarks, now, self.zone, self.local))
        self.query_one("#verdict", Lines).show([cron_preview.verdict(outlook)])
        if self._fixable != bool(
            self._fix()
        ):  # drawing the footer anew costs more than all the rest
            self._fixable = not self._fixable
            self.refresh_bindings()

    def _company(self, wanted: ScheduledBackup) -> Around:
        """What is around it; a new schedule of a name that is taken has no children yet."""
        if self._around is None or self._around[0] != wanted.cluster_key:
            found = around(self.estate, wanted)
            if self.before is None:
                found = replace(found, children=())
            self._around = (wanted.cluster_key, found)
        return self._around[1]

    def _say(self, text: str) -> None:
        if text == self._said:
            return
        self._said = text
        status = self.query_one("#status", Static)
        status.display = bool(text)
        status.update(Content.styled(text, "$text-warning"))

    # -- keys ----------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The fix is there only where there is something to mend."""
        if action == "fix":
            return self._fixable
        return True

    def _fix(self) -> str | None:
        return cron_preview.fix(firing.judged(self._text("schedule")))

    def action_fix(self) -> None:
        fixed = self._fix()
        if fixed:
            field = self.query_one("#schedule", TextField)
            field.value = fixed
            field.focus()

    def action_leave(self) -> None:
        """Leave; what was changed and not saved is asked about once."""
        try:
            changed = schedule.document(self.wanted) != self._opened
        except BadParameters:
            changed = True
        if changed and not self._leaving:
            self._leaving = True
            self._say("Not saved: esc again drops the changes, ctrl-s saves them.")
            return
        self.dismiss(None)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_save()

    def action_save(self) -> None:
        try:
            wanted = self.wanted
        except BadParameters as bad:
            self._say(str(bad))
            return
        self.run_worker(self._save(wanted), exclusive=True)

    async def _save(self, wanted: ScheduledBackup) -> None:
        match await self._submit(self.before, wanted):
            case Saved():
                self.dismiss(None)
            case Kept(why):
                self._say(why)
            case Rebased() as rebased:
                self.dismiss(rebased)


def usual_method(cluster: Cluster) -> tuple[str, str]:
    """The method to preset for a cluster, and the plugin's name where it is ``plugin``."""
    methods = back_up.methods(cluster)
    method = methods[0] if methods else Method.PLUGIN
    plugin = cluster.backup_plugin
    return method.value, plugin.name if plugin and method is Method.PLUGIN else ""
