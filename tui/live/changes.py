"""The facts a feed may report, all of them on this page. Past tense: each has already happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from tui.cnpg.backup import Backup
from tui.cnpg.cluster import Cluster
from tui.cnpg.manifest import Key, Kind, Unreadable
from tui.cnpg.schedule import ScheduledBackup
from tui.cnpg.store import ObjectStore

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
    """401, also with credentials read anew: no more requests until the user asks (``R``)."""

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


Change: TypeAlias = Listed | Seen | FeedMoved

__all__ = [
    "Absent",
    "Change",
    "Event",
    "EventType",
    "FeedMoved",
    "FeedState",
    "Forbidden",
    "Key",
    "Listed",
    "Live",
    "Polling",
    "Reconnecting",
    "Seen",
    "SignedOut",
    "Starting",
    "Subject",
]
