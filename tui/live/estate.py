"""The Estate: what is known now. One mutable object with one writer; everything in it is frozen.

``apply`` takes a fact and answers with the Delta: what really changed, told as watch events. A relist
after a lost watch, a replayed event or a page that arrives twice therefore change nothing on screen.
No locks and no Textual, so a test applies fifty changes and looks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from tui.cnpg import location
from tui.cnpg.backup import Backup, Queue, queue
from tui.cnpg.cluster import Cluster
from tui.cnpg.happening import Happening
from tui.cnpg.instance import InstanceStatus
from tui.cnpg.location import Location, NoLocation, Place
from tui.cnpg.manifest import (
    BACKUPS,
    CLUSTERS,
    OBJECT_STORES,
    SCHEDULED_BACKUPS,
    Key,
    Kind,
    Unreadable,
)
from tui.cnpg.schedule import ScheduledBackup
from tui.cnpg.store import ObjectStore
from tui.live.archives import Archives
from tui.live.changes import (
    Change,
    Described,
    Event,
    EventType,
    FeedMoved,
    FeedState,
    Folded,
    Inspected,
    Listed,
    Live,
    LossesKnown,
    Polling,
    Seen,
    Starting,
    Subject,
    SweepMoved,
)
from tui.verdict import health
from tui.verdict.health import Verdict
from tui.verdict.witnesses import NO_SUCH_OBJECT, NOT_ASKED, Film, NotKnown, Witnesses

T = TypeVar("T")

KINDS = (CLUSTERS, BACKUPS, SCHEDULED_BACKUPS, OBJECT_STORES)


@dataclass(frozen=True, slots=True)
class Delta:
    """What one change really changed.

    ``events`` in the order they happened; ``clusters`` are those whose verdict may differ now;
    ``feed_moved`` says that the state of the kind's feed changed.
    """

    kind: Kind | None = None
    events: tuple[Event, ...] = ()
    clusters: frozenset[Key] = frozenset()
    feed_moved: bool = False
    place: Place | None = None
    """The place in a store of which something else is known now."""

    def __bool__(self) -> bool:
        return bool(self.events) or self.feed_moved or self.place is not None


REMEMBERED = timedelta(hours=1)
"""How long what an instance said is kept, to see how its queue grows."""

WAITS = timedelta(minutes=2)
"""A Backup that waits for longer, or a slot that passed without one, is worth asking about."""

ROUND = 30
"""Seconds within which every verdict is looked at again."""


@dataclass(slots=True)
class Estate:
    """Everything known, by kind and key. Read freely; only the app applies changes."""

    tables: dict[Kind, dict[Key, Subject]] = field(
        default_factory=lambda: {kind: {} for kind in KINDS}
    )
    feeds: dict[Kind, FeedState] = field(
        default_factory=lambda: {kind: Starting() for kind in KINDS}
    )
    archives: Archives = field(default_factory=Archives)
    inspected: dict[Key, Inspected] = field(default_factory=dict)
    verdicts: dict[Key, Verdict] = field(default_factory=dict)
    _said_before: dict[Key, tuple[InstanceStatus, ...]] = field(default_factory=dict)
    locations: dict[Key, Location | NoLocation] = field(default_factory=dict)
    """Where each cluster's archive lies."""
    _claims: dict[tuple[Place, str], set[Key]] = field(default_factory=dict)
    _backups_of: dict[Key, dict[Key, Backup]] = field(default_factory=dict)
    queue_moved: dict[Key, datetime] = field(default_factory=dict)
    """When a Backup of the cluster was last seen to leave the queue."""
    context: str = ""
    """The context that was asked for by name: commands that are shown have to name it, too."""
    _schedules_of: dict[Key, dict[Key, ScheduledBackup]] = field(default_factory=dict)

    def apply(self, change: Change) -> Delta:
        """Take in a fact. Judging the touched clusters anew is a step of its own (``judge``)."""
        match change:
            case FeedMoved():
                return self._feed_moved(change)
            case Listed():
                return self._told(change.kind, self._difference(change), change.at)
            case Seen():
                return self._told(change.kind, change.events, change.at)
            case Inspected():
                self._inspect(change)
                return Delta(clusters=frozenset({change.cluster}))
            case Folded():
                self.archives.folds[change.place] = change
            case SweepMoved():
                self.archives.sweeps[change.place] = change.state
            case LossesKnown():
                self.archives.acknowledged[change.place, change.server] = change.losses
            case Described():
                self.archives.described[change.place] = change
        return Delta(clusters=self._clusters_at(change.place), place=change.place)

    def _inspect(self, told: Inspected) -> None:
        """Keep what an instance says, and what the same one said in the last hour."""
        before = self.inspected.get(told.cluster)
        self.inspected[told.cluster] = told
        if before is None or isinstance(before.instance, NotKnown):
            return
        earlier = (*self._said_before.get(told.cluster, ()), before.instance)
        self._said_before[told.cluster] = tuple(
            each
            for each in earlier
            if told.at - each.at < REMEMBERED and each.timeline == before.instance.timeline
        )

    def _feed_moved(self, change: FeedMoved) -> Delta:
        moved, before = self.feeds[change.kind] != change.state, self._hearing(change.kind)
        self.feeds[change.kind] = change.state
        # What was not known becomes known (or the other way): every verdict may differ.
        everyone = self._hearing(change.kind) != before
        touched = frozenset(self.tables[CLUSTERS]) if everyone else frozenset()
        return Delta(change.kind, clusters=touched, feed_moved=moved)

    def _told(self, kind: Kind, told: Iterable[Event], at: datetime) -> Delta:
        events: list[Event] = []
        touched: set[Key] = set()
        for event in told:
            before = self.backup(event.subject.key) if kind == BACKUPS else None
            real = self._take(kind, event)
            if real is not None:
                if before is not None and _leaves_queue(before, real):
                    self.queue_moved[before.cluster_key] = at
                events.append(real)
                touched |= self._touched_by(real.subject)
        if kind in (CLUSTERS, OBJECT_STORES):
            touched |= self._locate(touched)
        return Delta(kind, tuple(events), frozenset(touched))

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

    def due(self, now: datetime) -> frozenset[Key]:
        """The clusters to judge in this second although nothing was heard of them: time passes too.

        Everyone has a second of its own, so that a thousand do not stop the keyboard together.
        """
        second = int(now.timestamp()) % ROUND
        return frozenset(key for key in self.verdicts if hash(key) % ROUND == second)

    def witnesses(self, cluster: Cluster) -> Witnesses:
        """All that is known about a cluster, as the judge takes it."""
        key = cluster.key
        inspected = self.inspected.get(key)
        return Witnesses(
            cluster=cluster,
            store=self._store_of(cluster),
            backups=self._unless_unheard(BACKUPS, self.backups_of(key)),
            schedules=self._unless_unheard(SCHEDULED_BACKUPS, self.schedules_of(key)),
            film=self._film_of(key),
            instance=inspected.instance if inspected else NOT_ASKED,
            pods=inspected.pods if inspected else NOT_ASKED,
            sidecar_errors=inspected.sidecar_errors if inspected else NOT_ASKED,
            wal_volume=inspected.wal_volume if inspected else NOT_ASKED,
            secrets=inspected.secrets if inspected else {},
            plugin=inspected.plugin if inspected else NOT_ASKED,
            rights=inspected.rights if inspected else NOT_ASKED,
            happenings=self._happenings_of(cluster, inspected),
            queue_before=self._said_before.get(key, ()),
            unheard_since=self._unheard_since(CLUSTERS),
            queue_moved=self.queue_moved.get(key),
            context=self.context,
        )

    def _happenings_of(
        self, cluster: Cluster, inspected: Inspected | None
    ) -> tuple[Happening, ...] | NotKnown:
        told = inspected.happenings if inspected else NOT_ASKED
        if isinstance(told, NotKnown) or inspected is None or not told:
            return told
        pods = () if isinstance(inspected.pods, NotKnown) else inspected.pods
        about = {f"Cluster {cluster.key.name}", *(f"Pod {pod.key.name}" for pod in pods)}
        about |= {f"Backup {one.key.name}" for one in self.backups_of(cluster.key)}
        about |= {f"ScheduledBackup {one.key.name}" for one in self.schedules_of(cluster.key)}
        return tuple(each for each in told if each.about in about)

    def unwell(self, now: datetime) -> frozenset[Key]:
        """Clusters with a Backup that waits, or a schedule that missed its slot."""
        waits = {
            key
            for key, backups in self._backups_of.items()
            for one in backups.values()
            if not one.is_done and not one.is_executing
            if one.created is not None and now - one.created > WAITS
        }
        late = {
            key
            for key, schedules in self._schedules_of.items()
            for one in schedules.values()
            if not one.suspended and one.next_schedule is not None
            if now - one.next_schedule > WAITS
        }
        return frozenset(waits | late)

    def _hearing(self, kind: Kind) -> tuple[bool, bool]:
        return self.heard(kind), self._unheard_since(kind) is None

    def _unheard_since(self, kind: Kind) -> datetime | None:
        """When the server last told of this kind; None while it does, or if it never did."""
        state = self.feeds[kind]
        return None if isinstance(state, Live | Polling) else getattr(state, "heard", None)

    def _unless_unheard(self, kind: Kind, found: Iterable[T]) -> tuple[T, ...] | NotKnown:
        if self.heard(kind):
            return tuple(found)
        return NotKnown(getattr(self.feeds[kind], "why", "the list has not arrived yet"))

    def _store_of(self, cluster: Cluster) -> ObjectStore | NotKnown:
        if cluster.store is None:
            return NotKnown("none is named")
        found = self.tables[OBJECT_STORES].get(cluster.store)
        if isinstance(found, ObjectStore):
            return found
        if isinstance(found, Unreadable):
            return NotKnown(found.why)
        if self.heard(OBJECT_STORES):
            return NO_SUCH_OBJECT
        return NotKnown(getattr(self.feeds[OBJECT_STORES], "why", "the list has not arrived yet"))

    def _film_of(self, key: Key) -> Film | NotKnown:
        where = self.locations.get(key, NoLocation("the cluster is not known"))
        if isinstance(where, NoLocation):
            return NotKnown(where.why)
        same = tuple(sorted(self._claims.get((where.place, where.server), set()) - {key}))
        return self.archives.film(where.place, where.server, same)

    def _clusters_at(self, place: Place) -> frozenset[Key]:
        return frozenset(
            key
            for key, where in self.locations.items()
            if isinstance(where, Location) and where.place == place
        )

    def _locate(self, keys: Collection[Key]) -> set[Key]:
        """Find out anew where these archives lie; the answer names all who share a path with them."""
        neighbours: set[Key] = set()
        for key in keys:
            neighbours |= self._claim(key, remove=True)
            cluster = self.cluster(key)
            if cluster is None:
                self.locations.pop(key, None)
                self.inspected.pop(key, None)
                self._said_before.pop(key, None)
                self.queue_moved.pop(key, None)
                continue
            store = self._store_of(cluster)
            known = store if isinstance(store, ObjectStore) else None
            self.locations[key] = location.of(cluster, known)
            neighbours |= self._claim(key)
        return neighbours

    def users(self, place: Place, server: str) -> list[Key]:
        """The clusters that archive under this server name of a place, by name."""
        return sorted(self._claims.get((place, server), ()))

    def _claim(self, key: Key, *, remove: bool = False) -> set[Key]:
        """Note who uses a place and server name (or no longer does); the answer is all who do."""
        where = self.locations.get(key)
        if not isinstance(where, Location):
            return set()
        claims = self._claims.setdefault((where.place, where.server), set())
        if remove:
            claims.discard(key)
        else:
            claims.add(key)
        return claims

    def heard(self, kind: Kind) -> bool:
        """Whether the server has told this kind's list, now or at some time before."""
        state = self.feeds[kind]
        return isinstance(state, Live | Polling) or bool(getattr(state, "heard", None))

    def cluster(self, key: Key) -> Cluster | None:
        """The readable Cluster of that name, None if there is none."""
        found = self.tables[CLUSTERS].get(key)
        return found if isinstance(found, Cluster) else None

    def clusters(self) -> Iterable[Cluster]:
        """Every readable Cluster."""
        return (found for found in self.tables[CLUSTERS].values() if isinstance(found, Cluster))

    def located(self) -> dict[Key, Location]:
        """The place and server name that each cluster archives to, where that is known."""
        return {key: at for key, at in self.locations.items() if isinstance(at, Location)}

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


def _leaves_queue(before: Backup, event: Event) -> bool:
    """Whether a Backup that was not done is gone or done now: the next one's turn begins."""
    if before.is_done:
        return False
    return event.type is EventType.DELETED or getattr(event.subject, "is_done", False)
