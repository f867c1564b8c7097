"""The facts a feed may report, all of them on this page. Past tense: each has already happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from tui.barman.catalog import Catalog
from tui.barman.continuity import Infos
from tui.barman.path import Histories, Loss
from tui.barman.s3 import Requests, Rule, Untold, Uploads
from tui.barman.seals import Seal
from tui.cnpg.backup import Backup
from tui.cnpg.cluster import Cluster
from tui.cnpg.happening import Happening
from tui.cnpg.instance import InstanceStatus
from tui.cnpg.location import Place
from tui.cnpg.manifest import Key, Kind, Unreadable
from tui.cnpg.pod import Pod
from tui.cnpg.schedule import ScheduledBackup
from tui.cnpg.secret import Secret
from tui.cnpg.sidecar_log import LogLine
from tui.cnpg.store import ObjectStore
from tui.cnpg.wal_volume import WalVolume
from tui.verdict.witnesses import NOT_ASKED, NotKnown, PluginSeen, SidecarRights

Subject: TypeAlias = Cluster | Backup | ScheduledBackup | ObjectStore | Unreadable
"""A projected Kubernetes object. Each has ``key``, ``resource_version`` and ``created``."""


class EventType(StrEnum):
    """What a watch says of an object, in Kubernetes' words."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a watch. A DELETED event carries the object's last state."""

    type: EventType
    subject: Subject


@dataclass(frozen=True, slots=True)
class Listed:
    """A complete list arrived: what is not in it is gone."""

    kind: Kind
    subjects: tuple[Subject, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """A watch told these events, in this order."""

    kind: Kind
    events: tuple[Event, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Starting:
    """Nothing has been heard yet; ``loaded`` objects of the first list have arrived."""

    loaded: int = 0


@dataclass(frozen=True, slots=True)
class Live:
    """The watch is open; the last word from the server came at ``heard`` (events and bookmarks)."""

    heard: datetime


@dataclass(frozen=True, slots=True)
class Polling:
    """``watch`` is forbidden, so the list is asked every ``every`` seconds; last answer at ``heard``."""

    heard: datetime
    every: float
    why: str


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The server does not answer. What is shown was true at ``heard`` (None: never heard)."""

    heard: datetime | None
    retry_at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Forbidden:
    """The user may not list: ``why`` says which verb on which resource is missing."""

    heard: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class SignedOut:
    """401, also with credentials read anew: no more requests until the kubeconfig names others, or
    the user asks (``R``)."""

    heard: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The API server does not know the resource: its CRD is not installed."""

    why: str


FeedState: TypeAlias = Starting | Live | Polling | Reconnecting | Forbidden | SignedOut | Absent


@dataclass(frozen=True, slots=True)
class FeedMoved:
    """How a feed is doing changed (or it was heard again after a while)."""

    kind: Kind
    state: FeedState


@dataclass(frozen=True, slots=True)
class Folded:
    """What a sweep knows of a place by now. Whole, not a difference: the latest replaces the others."""

    place: Place
    catalog: Catalog
    """Every server name below the place; those a sweep was asked to look into are filled."""
    infos: Mapping[str, Infos]
    """By server, the backup.infos read so far."""
    histories: Mapping[str, Histories]
    """By server, the timeline histories read so far."""
    standalone: Mapping[str, frozenset[str]]
    """By server, the base backups kept with ``--target standalone``."""
    seals: Mapping[str, Seal]
    """By server, the full WAL folders that the last look took on trust, and since when."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Described:
    """What the store says of the bucket besides its objects. Asked after each thorough look."""

    place: Place
    uploads: Uploads | Untold
    rules: tuple[Rule, ...] | Untold
    versioning: str | Untold
    """``Enabled``, ``Suspended`` or ``""`` for never enabled."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Looking:
    """A sweep is listing: ``objects`` seen in this look, ``share`` of the folders done (0 to 1)."""

    objects: int
    share: float
    identity: str
    """Whose keys are used: ``secret r2-creds``, ``environment``, ``profile backup``. Never a value."""
    heard: datetime | None
    """The end of the last whole look; None: what is shown may not be all."""
    skew: timedelta | None = None
    """How far the store's clock is ahead of ours, by its last answer."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A look is done: what is shown is all there was at ``at``."""

    at: datetime
    requests: Requests
    """Of this look."""
    total: Requests
    """Since the sweep began."""
    identity: str
    next_at: datetime
    skew: timedelta | None = None


@dataclass(frozen=True, slots=True)
class CannotLook:
    """The store does not let us look, or the user stopped a look. What is shown was true at ``heard``
    (None: never looked)."""

    heard: datetime | None
    retry_at: datetime | None
    """None: not before the user asks."""
    why: str
    identity: str
    skew: timedelta | None = None


SweepState: TypeAlias = Looking | Looked | CannotLook


@dataclass(frozen=True, slots=True)
class SweepMoved:
    """How a sweep is doing changed."""

    place: Place
    state: SweepState


SweepFact: TypeAlias = Folded | Described | SweepMoved


@dataclass(frozen=True, slots=True)
class LossesKnown:
    """What the user has acknowledged as lost under one server name: shown, but no alarm."""

    place: Place
    server: str
    losses: frozenset[Loss]


@dataclass(frozen=True, slots=True)
class Inspected:
    """A cluster's Pods and its primary were asked how they are; what could not be heard says why."""

    cluster: Key
    pods: tuple[Pod, ...] | NotKnown
    instance: InstanceStatus | NotKnown
    at: datetime
    sidecar_errors: tuple[LogLine, ...] | NotKnown = ()
    """Errors in the sidecars' logs, which are read only where something fails."""
    wal_volume: WalVolume | NotKnown = NOT_ASKED
    """Of the primary, which is asked only where WAL waits."""
    secrets: Mapping[str, Secret | NotKnown] = field(default_factory=dict)
    """The Secrets of the ObjectStore by name, which are read only where something fails."""
    plugin: PluginSeen | NotKnown = NOT_ASKED
    """The plugin that the cluster uses, beside the operator."""
    rights: SidecarRights | NotKnown = NOT_ASKED
    """Of the sidecar, which are read only where something fails."""
    happenings: tuple[Happening, ...] | NotKnown = NOT_ASKED
    """Events of the cluster's namespace, also those about others, newest last."""


Change: TypeAlias = Listed | Seen | FeedMoved | SweepFact | LossesKnown | Inspected

__all__ = [
    "Absent",
    "CannotLook",
    "Change",
    "Described",
    "Event",
    "EventType",
    "FeedMoved",
    "FeedState",
    "Folded",
    "Forbidden",
    "Inspected",
    "Key",
    "Listed",
    "Live",
    "Looked",
    "Looking",
    "LossesKnown",
    "Polling",
    "Reconnecting",
    "Seen",
    "SignedOut",
    "Starting",
    "Subject",
    "SweepFact",
    "SweepMoved",
    "SweepState",
]
