"""The Estate: what is known now. One mutable object with one writer; everything in it is frozen.

``apply`` takes a fact and answers with the Delta: what really changed, told as watch events. A relist
after a lost watch, a replayed event or a page that arrives twice therefore change nothing on screen.
No locks and no Textual, so a test applies fifty changes and looks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from tui.cnpg.backup import Backup, Queue, queue
from tui.cnpg.cluster import Cluster
from tui.cnpg.manifest import BACKUPS, CLUSTERS, OBJECT_STORES, SCHEDULED_BACKUPS, Key, Kind
from tui.cnpg.schedule import ScheduledBackup
from tui.cnpg.store import ObjectStore
from tui.live.changes import (
    Change,
    Event,
    EventType,
    FeedMoved,
    FeedState,
    Listed,
    Live,
    Polling,
    Starting,
    Subject,
)
from tui.verdict import health
from tui.verdict.health import Verdict

KINDS = (CLUSTERS, BACKUPS, SCHEDULED_BACKUPS, OBJECT_STORES)


@dataclass(frozen=True, slots=True)
class Delta:
    """What one change really changed.

    ``events`` in the order they happened; ``clusters`` are those whose verdict may differ now;
    ``feed_moved`` says that the state of the kind's feed changed.
    """

    kind: Kind
    events: tuple[Event, ...] = ()
    clusters: frozenset[Key] = frozenset()
    feed_moved: bool = False

    def __bool__(self) -> bool:
        return bool(self.events) or self.feed_moved


@dataclass(slots=True)
class Estate:
    """Everything known, by kind and key. Read freely; only the app applies changes."""

    tables: dict[Kind, dict[Key, Subject]] = field(
        default_factory=lambda: {kind: {} for kind in KINDS}
    )
    feeds: dict[Kind, FeedState] = field(
        default_factory=lambda: {kind: Starting() for kind in KINDS}
    )
    verdicts: dict[Key, Verdict] = field(default_factory=dict)
    _backups_of: dict[Key, dict[Key, Backup]] = field(default_factory=dict)
    _schedules_of: dict[Key, dict[Key, ScheduledBackup]] = field(default_factory=dict)

    def apply(self, change: Change) -> Delta:
        """Take in a fact. Judging the touched clusters anew is a step of its own (``judge``)."""
        if isinstance(change, FeedMoved):
            moved = self.feeds[change.kind] != change.state
            self.feeds[change.kind] = change.state
            return Delta(change.kind, feed_moved=moved)
        told = self._difference(change) if isinstance(change, Listed) else change.events
        events: list[Event] = []
        touched: set[Key] = set()
        for event in told:
            real = self._take(change.kind, event)
            if real is not None:
                events.append(real)
                touched |= self._touched_by(real.subject)
        return Delta(change.kind, tuple(events), frozenset(touched))

    def judge(self, clusters: Collection[Key], now: datetime) -> frozenset[Key]:
        """Judge these clusters anew; the answer names those whose verdict differs."""
        changed: set[Key] = set()
        for key in clusters:
            cluster = self.cluster(key)
            verdict = None if cluster is None else health.judge(self.witnesses(cluster), now)
            if self.verdicts.get(key) != verdict:
                changed.add(key)
            if verdict is None:
                self.verdicts.pop(key, None)
            else:
                self.verdicts[key] = verdict
        return frozenset(changed)

    def witnesses(self, cluster: Cluster) -> health.Witnesses:
        """All that is known about a cluster, as the judge takes it."""
        store = self.tables[OBJECT_STORES].get(cluster.store) if cluster.store else None
        return health.Witnesses(
            cluster=cluster,
            store=store if isinstance(store, ObjectStore) else None,
            backups=tuple(self.backups_of(cluster.key)),
            schedules=tuple(self.schedules_of(cluster.key)),
        )

    def heard(self, kind: Kind) -> bool:
        """Whether the server has told this kind's list, now or at some time before."""
        state = self.feeds[kind]
        return isinstance(state, Live | Polling) or bool(getattr(state, "heard", None))

    def cluster(self, key: Key) -> Cluster | None:
        """The readable Cluster of that name, None if there is none."""
        found = self.tables[CLUSTERS].get(key)
        return found if isinstance(found, Cluster) else None

    def backup(self, key: Key) -> Backup | None:
        """The readable Backup of that name, None if there is none."""
        found = self.tables[BACKUPS].get(key)
        return found if isinstance(found, Backup) else None

    def backups_of(self, cluster: Key) -> Iterable[Backup]:
        """The Backups of a cluster, in no order."""
        return self._backups_of.get(cluster, {}).values()

    def schedules_of(self, cluster: Key) -> Iterable[ScheduledBackup]:
        """The ScheduledBackups of a cluster, in no order."""
        return self._schedules_of.get(cluster, {}).values()

    def queue_of(self, cluster: Key) -> Queue:
        """The Backups of a cluster that are not done, in the operator's order."""
        return queue(self.backups_of(cluster))

    def _difference(self, listed: Listed) -> Iterable[Event]:
        """A complete list as events: what is new, what is other, and what is gone, in that order."""
        known = self.tables[listed.kind]
        for subject in listed.subjects:
            kind = EventType.MODIFIED if subject.key in known else EventType.ADDED
            yield Event(kind, subject)
        present = {subject.key for subject in listed.subjects}
        for key in [key for key in known if key not in present]:
            yield Event(EventType.DELETED, known[key])

    def _take(self, kind: Kind, event: Event) -> Event | None:
        """Change the tables; the event as it really was, None if it told nothing new."""
        table, subject = self.tables[kind], event.subject
        before = table.get(subject.key)
        if event.type is EventType.DELETED:
            if before is None:
                return None
            del table[subject.key]
            self._index(before, remove=True)
            return event
        if before == subject:
            return None
        if before is not None:
            self._index(before, remove=True)
        table[subject.key] = subject
        self._index(subject)
        return Event(EventType.ADDED if before is None else EventType.MODIFIED, subject)

    def _index(self, subject: Subject, *, remove: bool = False) -> None:
        of_cluster: dict[Key, dict[Key, Backup]] | dict[Key, dict[Key, ScheduledBackup]]
        if isinstance(subject, Backup):
            of_cluster = self._backups_of
        elif isinstance(subject, ScheduledBackup):
            of_cluster = self._schedules_of
        else:
            return
        if remove:
            of_cluster[subject.cluster_key].pop(subject.key, None)
        else:
            of_cluster.setdefault(subject.cluster_key, {})[subject.key] = subject  # type: ignore[assignment]

    def _touched_by(self, subject: Subject) -> set[Key]:
        if isinstance(subject, Cluster):
            return {subject.key}
        if isinstance(subject, Backup | ScheduledBackup):
            return {subject.cluster_key}
        if isinstance(subject, ObjectStore):
            return {
                key
                for key, cluster in self.tables[CLUSTERS].items()
                if isinstance(cluster, Cluster) and cluster.store == subject.key
            }
        return {subject.key}
