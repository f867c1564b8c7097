"""Everything a Backup's status says, the queue it stands in, and the Events about it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from tui import themes, words
from tui.cnpg.backup import Backup
from tui.cnpg.happening import Happening
from tui.cnpg.manifest import BACKUPS, Key, Unreadable
from tui.live.estate import Delta, Estate
from tui.panes.backups import in_words
from tui.panes.intents import HappeningsWanted
from tui.panes.pane import Clock
from tui.widgets.pager import Pager
from tui.widgets.said import Said


class BackupDetail(Screen[None]):
    """The details of one Backup, kept up to date while they are looked at."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "app.pop_screen", "back", key_display="esc", id="detail.back"),
    ]

    def __init__(self, estate: Estate, key: Key, clock: Clock) -> None:
        super().__init__()
        self.estate = estate
        self.key = key
        self.clock = clock
        self.fields = Said()
        self.events = Said()
        self.happenings: tuple[Happening, ...] | str = "asking ..."

    def compose(self) -> ComposeResult:
        yield Static(
            f"Backup {self.key.name} in {self.key.namespace}", classes="pane-title", markup=False
        )
        with Pager():
            yield self.fields
            yield self.events
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.redraw()
        self._ask()

    def show(self, delta: Delta) -> None:
        """Draw again, if it was this Backup that changed."""
        if any(event.subject.key == self.key for event in delta.events) and delta.kind == BACKUPS:
            self.redraw()
            self._ask()

    def tick(self) -> None:
        """A second went by."""
        self.redraw()

    def show_happenings(self, found: tuple[Happening, ...] | str) -> None:
        """The Events arrived, or a sentence why not."""
        self.happenings = found
        self.redraw()

    def redraw(self) -> None:
        """Put the present state on screen."""
        subject, now = self.estate.tables[BACKUPS].get(self.key), self.clock()
        if isinstance(subject, Backup):
            told = _table(in_words(self.estate, subject, now), fields(subject, now))
        elif isinstance(subject, Unreadable):
            told = Content(f"This Backup cannot be read: {subject.why}")
        else:
            told = Content("This Backup is gone from the API server.")
        self.fields.update(told)
        self.events.update(_told(self.happenings, now))

    def _ask(self) -> None:
        backup = self.estate.backup(self.key)
        self.post_message(HappeningsWanted(BACKUPS, self.key, backup.uid if backup else ""))


def fields(backup: Backup, now: datetime) -> Iterable[tuple[str, str]]:
    """Field names as the manifest spells them, with their values; unset ones show ``-``."""
    elapsed = backup.elapsed(now)
    metadata = ", ".join(f"{name}={value}" for name, value in backup.plugin_metadata.items())
    yield "spec.cluster.name", backup.cluster
    yield "spec.method", backup.method
    yield "spec.pluginConfiguration.name", backup.plugin
    yield "spec.target", backup.target or "as the Cluster says"
    yield "scheduled by", backup.schedule or "nobody: on demand"
    yield "status.phase", backup.phase or "not set: the operator has not taken it up"
    yield "status.error", backup.error
    yield "status.commandError", backup.command_error
    yield "elapsed", words.age(elapsed) if elapsed is not None else ""
    yield "created", _when(backup.created, now)
    yield "status.reconciliationStartedAt", _when(backup.reconciliation_started, now)
    yield "status.reconciliationTerminatedAt", _when(backup.reconciliation_terminated, now)
    yield "status.startedAt", _when(backup.started, now)
    yield "status.stoppedAt", _when(backup.stopped, now)
    yield "status.backupId", backup.backup_id
    yield "status.backupName", backup.backup_name
    yield "status.beginWal", backup.begin_wal
    yield "status.endWal", backup.end_wal
    yield "status.beginLSN", backup.begin_lsn
    yield "status.endLSN", backup.end_lsn
    yield "status.instanceID.podName", backup.pod
    yield "status.instanceID.ContainerID", backup.container_id
    yield "status.instanceID.sessionID", backup.session_id
    yield "status.majorVersion", str(backup.major_version or "")
    yield "status.online", "" if backup.online is None else str(backup.online).lower()
    yield "status.pluginMetadata", metadata


def _when(moment: datetime | None, now: datetime) -> str:
    return "" if moment is None else f"{words.stamp(moment)}  {words.age(now - moment)} ago"


def _table(said: str, rows: Iterable[tuple[str, str]]) -> Content:
    lines = [Content.styled(said, "bold"), Content("")]
    lines += [Content.assemble(themes.quiet(f"{name:<34}"), value or "-") for name, value in rows]
    return Content("\n").join(lines)


def _told(happenings: tuple[Happening, ...] | str, now: datetime) -> Content:
    lines = [Content(""), Content.styled("Events", "bold")]
    if isinstance(happenings, str):
        return Content("\n").join([*lines, Content(happenings)])
    if not happenings:
        lines.append(Content("none (the API server keeps them for an hour)"))
    for item in happenings:
        often = f" x{item.count}" if item.count > 1 else ""
        head = f"{words.ago(item.last, now):<8}{item.type:<8} {item.reason}{often}  "
        lines.append(Content.assemble(themes.quiet(head), words.one_line(item.message)))
    return Content("\n").join(lines)
