"""The clusters, worst first, and what the witnesses say of the one under the cursor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from tui import themes, words
from tui.cnpg.cluster import HEALTHY_PHASE, Cluster
from tui.cnpg.manifest import BACKUPS, CLUSTERS, Key, Unreadable
from tui.live.changes import Subject
from tui.live.estate import Delta, Estate
from tui.live.rights import Right
from tui.panes.intents import (
    BackUpRequested,
    BackupsWanted,
    BundleWanted,
    ClusterChosen,
    TriageWanted,
)
from tui.panes.pane import Clock
from tui.panes.table_pane import TablePane
from tui.verdict.health import Level, Verdict
from tui.widgets.live_table import Cell, Column, LiveTable
from tui.widgets.said import Said


class _Clusters(LiveTable[Key]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "its backups", id="clusters.backups"),
    ]


class ClustersPane(TablePane):
    """One row a cluster; its verdict is the first thing read."""

    KIND = CLUSTERS
    TITLE = "Clusters"
    TABLE = _Clusters
    EMPTY = "No Cluster here. -n NAMESPACE or -A looks elsewhere."
    COLUMNS = (
        Column("NAME", flexible=True, min_width=16),
        Column("VERDICT", max_width=24),
        Column("RESTORABLE TO", max_width=16, rank=2),
        Column("BEHIND", max_width=8, rank=1),
        Column("LAST BASE", max_width=9, rank=3),
        Column("READY", max_width=7, rank=5),
        Column("ARCHIVING", max_width=16, rank=6),
        Column("PRIMARY", max_width=24, rank=7),
        Column("PHASE", max_width=40, rank=8),
    )

    NEEDS: ClassVar[Mapping[str, Right]] = {"back_up": Right("create", BACKUPS)}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "back_up", "back up now", id="clusters.back_up"),
        Binding("t", "triage", "triage", id="clusters.triage"),
        Binding("e", "bundle", "evidence file", id="clusters.bundle"),
    ]

    def __init__(self, estate: Estate, clock: Clock, *, with_namespace: bool, pane_id: str) -> None:
        super().__init__(estate, clock, with_namespace=with_namespace, pane_id=pane_id)
        self.detail_lines = Said(classes="detail")

    def compose_below(self) -> ComposeResult:
        yield self.detail_lines

    def cells(self, subject: Subject, now: datetime) -> tuple[Cell, ...]:
        verdict = self.estate.verdicts.get(subject.key)
        if isinstance(subject, Unreadable) or verdict is None:
            unreadable = (subject.key.name, themes.graded(Level.UNKNOWN, "unreadable"))
            return unreadable + ("",) * (len(self.COLUMNS) - len(unreadable))
        assert isinstance(subject, Cluster)
        return (
            subject.key.name,
            themes.graded(verdict.level, verdict.word),
            *_until(verdict, now),
            verdict.last_base(now),
            f"{subject.ready_instances}/{subject.instances}",
            _archiving(subject, now),
            subject.primary,
            "healthy" if subject.phase == HEALTHY_PHASE else subject.phase,
        )

    def ordered(self, subjects: Iterable[Subject]) -> Iterable[Subject]:
        return sorted(subjects, key=lambda subject: (self._level(subject.key), subject.key))

    def judged(self, clusters: Iterable[Key]) -> None:
        """Verdicts changed: rows move to their place and the details are drawn again."""
        self.relist()
        self.table.refresh_keys(tuple(clusters))
        self._detail()

    def sort_value(self, subject: Subject, column: int) -> tuple[float, str]:
        """Times sort as times; BEHIND begins with who would lose most."""
        verdict = self.estate.verdicts.get(subject.key)
        when: datetime | None = None
        match self.columns[column].title:
            case "VERDICT" if verdict:
                return float(verdict.level), verdict.word
            case "RESTORABLE TO" if verdict:
                when = verdict.window.until if verdict.window else None
            case "BEHIND" if verdict:
                return _loss(verdict, self.clock()), ""
            case "LAST BASE" if verdict:
                when = verdict.last_good
            case _:
                return super().sort_value(subject, column)
        age = (self.clock() - when).total_seconds() if when else float("inf")
        return (-age if self.columns[column].title == "RESTORABLE TO" else age), ""

    def draw(self, delta: Delta) -> None:
        super().draw(delta)
        if delta.events:
            self._detail()

    def tick(self) -> None:
        super().tick()
        self._detail()

    def choose(self, cluster: Key) -> None:
        """Move the cursor to a cluster, because another pane did."""
        self.table.cursor_key = cluster

    def on_resize(self) -> None:
        """The evidence is wrapped by hand, so that its second lines stand under the first."""
        self.call_after_refresh(self._detail)

    def _level(self, key: Key) -> Level:
        verdict = self.estate.verdicts.get(key)
        return verdict.level if verdict else Level.UNKNOWN

    def _detail(self) -> None:
        subject = self.current
        panel = self.detail_lines
        if subject is None:
            panel.update("")
        elif isinstance(subject, Unreadable):
            panel.update(f"{subject.key.name} cannot be read: {subject.why}")
        elif verdict := self.estate.verdicts.get(subject.key):
            panel.update(details(subject.key, verdict, self.clock(), panel.content_size.width))

    @on(LiveTable.Highlighted)
    def _moved(self, event: LiveTable.Highlighted[Key]) -> None:
        event.stop()
        self._detail()
        if event.key is not None:
            self.post_message(ClusterChosen(event.key))

    @on(LiveTable.Selected)
    def _chosen(self, event: LiveTable.Selected[Key]) -> None:
        event.stop()
        self.post_message(BackupsWanted(event.key))

    def action_back_up(self) -> None:
        if self.current is not None:
            self.post_message(BackUpRequested(self.current.key))

    def action_triage(self) -> None:
        if self.current is not None:
            self.post_message(TriageWanted(self.current.key))

    def action_bundle(self) -> None:
        if self.current is not None:
            self.post_message(BundleWanted(self.current.key))


def _until(verdict: Verdict, now: datetime) -> tuple[Cell, Cell]:
    """To which moment, and how far that lies back; ``-`` where nothing is restorable, ``?`` unknown."""
    window = verdict.window
    if window is None:
        nothing = verdict.looked or verdict.level is Level.UNPROTECTED
        return ("-", "-") if nothing else ("?", "?")
    return words.moment(window.until, now), words.minutes(window.behind(now))


def _loss(verdict: Verdict, now: datetime) -> float:
    """Less is worse: all is lost where nothing can be restored, and what is not known comes last."""
    if verdict.window is not None:
        return -verdict.window.behind(now).total_seconds()
    return float("-inf") if _until(verdict, now)[0] == "-" else float("inf")


def _archiving(cluster: Cluster, now: datetime) -> Cell:
    """``working 3d2h`` or ``failing 2h43m``, by the operator's word; ``-`` where it has none."""
    condition = cluster.archiving
    if condition is None:
        return "-"
    word = "working" if condition.holds else "failing"
    return f"{word} {words.ago(condition.since, now)}"


def details(key: Key, verdict: Verdict, now: datetime, width: int) -> Content:
    """Headline, the next step, and the evidence with its source, in ``width`` cells."""

    def line(label: Content, text: str) -> Content:
        return Content.assemble(label, words.hang(text, indent=len(label), width=width))

    headline = Content.assemble(
        (key.name, "bold"), "  ", themes.graded(verdict.level, verdict.headline)
    )
    evidence = [
        line(themes.quiet(f"  {item.source:<10}"), item.said(now)) for item in verdict.evidence
    ]
    advice = (
        [line(Content.styled("  now       ", "bold"), verdict.advice)] if verdict.advice else []
    )
    # What to do stands above the evidence: of a panel that is too low the end is cut off.
    return Content("\n").join([headline, *advice, *evidence])
