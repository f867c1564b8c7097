"""The ScheduledBackups: which fire as meant, which do not, when the next one is due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from tui import themes, words
from tui.cnpg import firing
from tui.cnpg.backup import Backup
from tui.cnpg.manifest import BACKUPS, CLUSTERS, SCHEDULED_BACKUPS, Key, Unreadable
from tui.cnpg.schedule import ScheduledBackup
from tui.live.around import around, standing
from tui.live.changes import Subject
from tui.live.estate import Delta, Estate
from tui.live.rights import Right
from tui.panes.findings import LEVELS
from tui.panes.intents import (
    ClusterChosen,
    DeleteScheduleWanted,
    EditScheduleWanted,
    FindingsWanted,
    NewScheduleWanted,
    RunNowWanted,
    SuspendWanted,
)
from tui.panes.pane import Clock
from tui.panes.table_pane import TablePane
from tui.verdict import lint
from tui.verdict.health import Level
from tui.verdict.schedules import LATE, Standing
from tui.widgets.live_table import Cell, Column, LiveTable
from tui.widgets.said import Said


class _Schedules(LiveTable[Key]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "edit", id="schedules.edit"),
    ]


class SchedulesPane(TablePane):
    """One row a schedule, worst first. ``zone`` is the operator's."""

    KIND = SCHEDULED_BACKUPS
    TITLE = "Schedules"
    TABLE = _Schedules
    EMPTY = "No ScheduledBackup here. n writes one for the cluster under the cursor."
    COLUMNS = (
        Column("NAME", max_width=24),
        Column("CLUSTER", max_width=16, rank=2),
        Column("SCHEDULE", max_width=16),
        Column("IN WORDS", flexible=True, min_width=20, rank=3),
        Column("NEXT RUN", max_width=9),
        Column("LAST RUN", max_width=9, rank=1),
        Column("STATE", max_width=24),
        Column("METHOD", max_width=17, rank=4),
    )

    NEEDS: ClassVar[Mapping[str, Right]] = {
        "edit": Right("patch", SCHEDULED_BACKUPS),
        "new": Right("create", SCHEDULED_BACKUPS),
        "suspend": Right("patch", SCHEDULED_BACKUPS),
        "run_now": Right("create", BACKUPS),
        "delete": Right("delete", SCHEDULED_BACKUPS),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "edit", show=False, id="schedules.edit_too"),
        Binding("n", "new", "new", id="schedules.new"),
        Binding("space", "suspend", "suspend", id="schedules.suspend", tooltip="or resume"),
        Binding("b", "run_now", "back up now", id="schedules.run_now"),
        Binding("D", "delete", "delete", show=False, id="schedules.delete"),
        Binding("l", "findings", "findings", id="schedules.findings"),
    ]

    def __init__(
        self,
        estate: Estate,
        clock: Clock,
        *,
        zone: tzinfo,
        with_namespace: bool,
        pane_id: str,
    ) -> None:
        super().__init__(estate, clock, with_namespace=with_namespace, pane_id=pane_id)
        self.zone = zone
        self.chosen: Key | None = None
        """The cluster another pane stands on."""
        self.details = Said(classes="detail")
        self._stands: dict[Key, Standing] = {}
        """How each schedule stands; judged anew when something touches it or a slot comes."""

    def compose_below(self) -> ComposeResult:
        yield self.details

    def cells(self, subject: Subject, now: datetime) -> tuple[Cell, ...]:
        if not isinstance(subject, ScheduledBackup):
            return (subject.key.name, *[""] * 5, themes.graded(Level.UNKNOWN, "unreadable"), "")
        stands = self._standing(subject, now)
        return (
            subject.key.name,
            subject.cluster,
            words.visible(subject.schedule),
            in_words(subject.schedule),
            _next_run(stands, now),
            words.ago(subject.last_schedule, now) if subject.last_schedule else "never",
            themes.graded(stands.level, stands.word),
            subject.method,
        )

    def ordered(self, subjects: Iterable[Subject]) -> Iterable[Subject]:
        now = self.clock()
        return sorted(subjects, key=lambda subject: (self._level(subject, now), subject.key))

    def sort_value(self, subject: Subject, column: int) -> tuple[float, str]:
        title = self.columns[column].title
        if title == "NEXT RUN" and isinstance(subject, ScheduledBackup):
            due = self._standing(subject, self.clock()).outlook.next_run
            return (due.timestamp() if due else float("inf"), "")
        if title == "LAST RUN" and isinstance(subject, ScheduledBackup):
            ran = subject.last_schedule
            return (-ran.timestamp() if ran else float("inf"), "")
        return super().sort_value(subject, column)

    def show(self, delta: Delta) -> None:
        """A Backup that ends, or does not end, matters to its schedule."""
        touched = {_about(event.subject) for event in delta.events}
        moved = self._judge(touched)
        super().show(delta)
        if moved and delta.kind != self.KIND:
            self.relist()
        if self.display and (touched or delta.feed_moved):
            self._detail()

    def tick(self) -> None:
        now = self.clock()
        if self._judge([key for key, stands in self._stands.items() if _outdated(stands, now)]):
            self.relist()
        super().tick()
        self._detail()

    def _judge(self, keys: Iterable[Key]) -> bool:
        """Judge these schedules anew; the answer is whether any of them stands otherwise now."""
        now, moved = self.clock(), False
        for key in keys:
            before = self._stands.pop(key, None)
            subject = self.estate.tables[self.KIND].get(key)
            if isinstance(subject, ScheduledBackup):
                after = self._standing(subject, now)
                moved |= before is None or (before.level, before.word) != (after.level, after.word)
        return moved

    def choose(self, cluster: Key) -> None:
        """Move the cursor to the first schedule of a cluster, because another pane chose it."""
        self.chosen = cluster
        of_cluster = [schedule.key for schedule in self.estate.schedules_of(cluster)]
        if of_cluster:
            self.table.cursor_key = min(of_cluster)

    def _standing(self, schedule: ScheduledBackup, now: datetime) -> Standing:
        found = self._stands.get(schedule.key)
        if found is None:
            found = self._stands[schedule.key] = standing(self.estate, schedule, now, self.zone)
        return found

    def _level(self, subject: Subject, now: datetime) -> Level:
        if isinstance(subject, ScheduledBackup):
            return self._standing(subject, now).level
        return Level.UNKNOWN

    def _detail(self) -> None:
        subject, now = self.current, self.clock()
        if isinstance(subject, ScheduledBackup):
            found = lint.lint(subject, around(self.estate, subject), now, self.zone)
            width = self.details.content_size.width
            self.details.update(details(subject, self._standing(subject, now), found, now, width))
        elif isinstance(subject, Unreadable):
            self.details.update(f"{subject.key.name} cannot be read: {subject.why}")
        else:
            self.details.update("")

    def on_show(self) -> None:
        self._detail()

    def on_resize(self) -> None:
        """The sentences are wrapped by hand, so that their second lines stand under the first."""
        self.call_after_refresh(self._detail)

    @on(LiveTable.Highlighted)
    def _moved(self, event: LiveTable.Highlighted[Key]) -> None:
        event.stop()
        self._detail()
        if self.table.has_focus and isinstance(self.current, ScheduledBackup):
            self.post_message(ClusterChosen(self.current.cluster_key))

    @on(LiveTable.Selected)
    def _opened(self, event: LiveTable.Selected[Key]) -> None:
        event.stop()
        self.post_message(EditScheduleWanted(event.key))

    def action_edit(self) -> None:
        if self.current is not None:
            self.post_message(EditScheduleWanted(self.current.key))

    def action_new(self) -> None:
        cluster = self._cluster_in_mind()
        if cluster is None:
            self.notify("There is no Cluster here to write a schedule for", severity="warning")
        else:
            self.post_message(NewScheduleWanted(cluster))

    @property
    def place(self) -> str:
        """The namespace of the schedule under the cursor, else that of the cluster in mind."""
        cluster = self._cluster_in_mind()
        return super().place or (cluster.namespace if cluster else "")

    def _cluster_in_mind(self) -> Key | None:
        """The cluster of the schedule under the cursor, else the one another pane stands on."""
        if isinstance(self.current, ScheduledBackup):
            return self.current.cluster_key
        return self.chosen or min(self.estate.tables[CLUSTERS], default=None)

    def action_suspend(self) -> None:
        if self.current is not None:
            self.post_message(SuspendWanted(self.current.key))

    def action_run_now(self) -> None:
        if self.current is not None:
            self.post_message(RunNowWanted(self.current.key))

    def action_delete(self) -> None:
        if self.current is not None:
            self.post_message(DeleteScheduleWanted(self.current.key))

    def action_findings(self) -> None:
        self.post_message(FindingsWanted())


@lru_cache(maxsize=1024)
def in_words(text: str) -> str:
    """What a schedule does, in the operator's reading."""
    return firing.judged(text).description


def _about(subject: Subject) -> Key:
    """The schedule that a change may concern: itself, or the one that made the Backup."""
    if isinstance(subject, Backup):
        return Key(subject.key.namespace, subject.schedule)
    return subject.key


def _outdated(stands: Standing, now: datetime) -> bool:
    """Whether time alone may have changed how it stands: a slot came, or is late by now."""
    outlook = stands.outlook
    if outlook.at_once is None:
        due = outlook.next_run
        return due is not None and due.astimezone(UTC) <= now
    late = outlook.at_once.astimezone(UTC) + LATE <= now
    return late and stands.level is not Level.FAILING and not outlook.suspended


def _next_run(stands: Standing, now: datetime) -> str:
    due = stands.outlook.next_run
    if due is None:
        return "-"
    wait = due.astimezone(UTC) - now.astimezone(UTC)
    return words.age(wait) if wait.total_seconds() > 0 else "due"


def details(
    schedule: ScheduledBackup,
    stands: Standing,
    findings: Iterable[lint.Finding],
    now: datetime,
    width: int,
) -> Content:
    """How it stands, of what, what to do, when it fires next, and what else was found."""

    def line(label: Content, text: str) -> Content:
        return Content.assemble(label, words.hang(text, indent=len(label), width=width))

    name = Content.styled(f"{schedule.key.name}  ", "bold")
    said = f"{themes.GLYPHS[stands.level]} {stands.sentence}"
    head = words.hang(said, indent=len(name), width=width)
    lines = [
        Content.assemble(name, themes.tinted(stands.level, head)),
        line(themes.quiet("  cluster   "), f"{schedule.cluster}, method {schedule.method}"),
    ]
    if stands.advice:
        lines.append(line(Content.styled("  now       ", "bold"), stands.advice))
    held, outlook = stands.outlook.held_by, stands.outlook
    if held is not None and outlook.at_once is None:
        phase = held.phase or "not taken up"
        lines.append(
            line(
                themes.quiet("  running   "),
                f"{held.key.name} is {phase}; the next slot waits for it",
            )
        )
    if outlook.next_run is not None and outlook.at_once is None:
        due = words.moment(outlook.next_run, now)
        lines.append(line(themes.quiet("  next      "), f"{due}, {in_words(schedule.schedule)}"))
    word = stands.word.split()[0]
    for finding in findings:
        if finding.code not in (word, "refused", "never"):
            label = themes.tinted(LEVELS[finding.severity], f"  {finding.severity:<10}")
            lines.append(line(label, f"{finding.sentence}. Remedy: {finding.remedy}"))
    return Content("\n").join(lines)
