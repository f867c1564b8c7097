"""The API server's memory: objects, the order in which they changed, and how far back that is known.

One revision counter numbers every change, as etcd's does; `resourceVersion` is that number. A window
of past changes allows watches to resume and lists to be continued as of an older revision; what has
left the window raises `Compacted`.

Objects are kept as the JSON they are served as (17,000 Backups take 41 MB that way, and five times
that as dictionaries), so nobody can change a stored object by accident.
"""

from __future__ import annotations

import asyncio
import bisect
import datetime as dt
import json
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tui.sandbox.resources import Registry, Resource

Manifest = dict[str, Any]

_HISTORY = 10_000
"""Changes remembered before the oldest is forgotten."""
_SNAPSHOTS = 4
"""Older states kept at hand for lists that are being paged through."""


class Compacted(Exception):
    """The asked revision lies before what is remembered."""

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"revision {asked} is forgotten, the oldest known is {oldest}")
        self.asked = asked
        self.oldest = oldest


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of one object."""

    resource: Resource
    namespace: str
    name: str
    uid: str
    revision: int
    labels: Mapping[str, str]
    owners: tuple[str, ...]
    """uids of its owners"""
    body: bytes
    """the object as JSON"""

    @property
    def key(self) -> str:
        """Where it stands in etcd's order: `namespace/name`, or `name`."""
        return key_of(self.namespace, self.name)

    def manifest(self) -> Manifest:
        """A fresh copy, the caller's to change."""
        manifest: Manifest = json.loads(self.body)
        return manifest


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to one object; `now` of a deletion is its last state."""

    before: Stored | None
    now: Stored
    deleted: bool = False


class Subscription:
    """Changes of one resource since a moment, in order; iterate with `next_change`."""

    def __init__(self, backlog: Iterable[Change]) -> None:
        self.pending: deque[Change] = deque(backlog)
        self.closed = False
        self._news = asyncio.Event()

    def push(self, change: Change) -> None:
        """Queue a change and wake the reader."""
        self.pending.append(change)
        self._news.set()

    def close(self) -> None:
        """Tell the reader that nothing follows."""
        self.closed = True
        self._news.set()

    async def wait(self) -> None:
        """Return when something is pending, or nothing will ever be."""
        while not self.pending and not self.closed:
            self._news.clear()
            await self._news.wait()


class _Shelf:
    """The objects of one resource, by key and in key order."""

    def __init__(self) -> None:
        self.items: dict[str, Stored] = {}
        self.keys: list[str] = []
        self.subscriptions: list[Subscription] = []

    def put(self, stored: Stored) -> None:
        if stored.key not in self.items:
            bisect.insort(self.keys, stored.key)
        self.items[stored.key] = stored

    def pop(self, key: str) -> None:
        del self.items[key]
        del self.keys[bisect.bisect_left(self.keys, key)]


class ObjectStore:
    """Every object, one writer, no locks: it lives in one event loop."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.revision = 1
        self.oldest = 1
        """The oldest revision whose state is known."""
        self.now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
        self._shelves: dict[Resource, _Shelf] = {}
        self._history: deque[Change] = deque()
        self._snapshots: dict[tuple[Resource, int], Sequence[Stored]] = {}
        self._by_uid: dict[str, Stored] = {}
        self._dependents: dict[str, dict[tuple[Resource, str], None]] = {}

    def seed(self, manifest: Mapping[str, Any]) -> Manifest:
        """Put an object there as it is, status, uid and creationTimestamp included, and give it back.

        Makes what is missing: namespace (`default`), the Namespace object, uid, creationTimestamp,
        generation. Replaces an object of the same name. Watches see it like any other change.
        """
        resource = self.registry.of(manifest)
        meta: Manifest = dict(manifest["metadata"])
        given: Manifest = dict(manifest) | {"metadata": meta}
        if resource.namespaced:
            self.ensure_namespace(meta.setdefault("namespace", "default"))
        there = self.get(resource, meta.get("namespace", ""), meta["name"])
        meta.setdefault("uid", there.uid if there else str(uuid.uuid4()))
        meta.setdefault("creationTimestamp", self.timestamp())
        if resource.custom:
            meta.setdefault("generation", 1)
        self.put(resource, given)
        return given

    def ensure_namespace(self, name: str) -> None:
        """Make the Namespace object unless it is there."""
        if self.namespace(name) is None:
            self.seed(
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
                    "spec": {"finalizers": ["kubernetes"]},
                    "status": {"phase": "Active"},
                }
            )

    def timestamp(self) -> str:
        """Now, as metav1.Time writes it: RFC 3339, UTC, whole seconds."""
        return self.now().astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def get(self, resource: Resource, namespace: str, name: str) -> Stored | None:
        """The current version of an object."""
        return self._shelf(resource).items.get(key_of(namespace, name))

    def put(self, resource: Resource, manifest: Manifest) -> Stored:
        """Store a new version of an object under the next revision, and tell the watches."""
        self.revision += 1
        meta = manifest["metadata"]
        meta["resourceVersion"] = str(self.revision)
        stored = _stored(resource, manifest, self.revision)
        shelf = self._shelf(resource)
        before = shelf.items.get(stored.key)
        shelf.put(stored)
        if before is not None:
            self._unindex(before)
        self._index(stored)
        self._publish(shelf, Change(before, stored))
        return stored

    def remove(self, stored: Stored, last: Manifest | None = None) -> Stored:
        """Delete an object; gives its last state, stamped with the revision of its deletion.

        `last` is that state when it differs from the one stored.
        """
        self.revision += 1
        manifest = last or stored.manifest()
        manifest["metadata"]["resourceVersion"] = str(self.revision)
        gone = _stored(stored.resource, manifest, self.revision)
        shelf = self._shelf(stored.resource)
        shelf.pop(stored.key)
        self._unindex(stored)
        self._publish(shelf, Change(stored, gone, deleted=True))
        return gone

    def by_uid(self, uid: str) -> Stored | None:
        """The object with this uid, if it is there."""
        return self._by_uid.get(uid)

    def dependents(self, uid: str) -> Sequence[Stored]:
        """The objects that name this uid as an owner."""
        return [self._shelf(resource).items[key] for resource, key in self._dependents.get(uid, {})]

    def namespace(self, name: str) -> Stored | None:
        """The Namespace object of that name."""
        namespaces = self.registry.at("", "v1", "namespaces")
        return self.get(namespaces, "", name) if namespaces else None

    def _index(self, stored: Stored) -> None:
        self._by_uid[stored.uid] = stored
        for owner in stored.owners:
            self._dependents.setdefault(owner, {})[stored.resource, stored.key] = None

    def _unindex(self, stored: Stored) -> None:
        self._by_uid.pop(stored.uid, None)
        for owner in stored.owners:
            held = self._dependents[owner]
            held.pop((stored.resource, stored.key), None)
            if not held:
                del self._dependents[owner]

    def listed(
        self, resource: Resource, namespace: str = "", *, at: int | None = None
    ) -> Sequence[Stored]:
        """The objects of a namespace (or of all) in key order, now or as of revision `at`.

        Raises Compacted when `at` is forgotten.
        """
        shelf = self._shelf(resource)
        if at is not None and at < self.revision:
            return _within(self._state(resource, at), namespace)
        if not namespace:
            return [shelf.items[key] for key in shelf.keys]
        start = bisect.bisect_left(shelf.keys, f"{namespace}/")
        end = bisect.bisect_left(shelf.keys, f"{namespace}0")  # "0" follows "/"
        return [shelf.items[key] for key in shelf.keys[start:end]]

    def everything(self) -> Iterator[Stored]:
        """All objects of all resources."""
        for shelf in self._shelves.values():
            yield from list(shelf.items.values())

    def subscribe(self, resource: Resource, since: int | None = None) -> Subscription:
        """Follow a resource from now, or from revision `since`; raises Compacted."""
        backlog: list[Change] = []
        if since is not None and since < self.revision:
            backlog = self._changes_after(resource, since)
        subscription = Subscription(backlog)
        self._shelf(resource).subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, resource: Resource, subscription: Subscription) -> None:
        """Stop following."""
        self._shelf(resource).subscriptions.remove(subscription)

    def watched(self) -> int:
        """How many subscriptions are open."""
        return sum(len(shelf.subscriptions) for shelf in self._shelves.values())

    def compact(self) -> None:
        """Forget all history: only the present can be asked for."""
        self._history.clear()
        self._snapshots.clear()
        # A revision nobody saw, so that the latest one handed out is forgotten too.
        self.revision += 1
        self.oldest = self.revision

    def drop(self, resource: Resource) -> None:
        """Lose a resource with all its objects, as when its CRD is deleted."""
        for stored in self.listed(resource):
            self.remove(stored)
        for subscription in self._shelf(resource).subscriptions:
            subscription.close()

    def _shelf(self, resource: Resource) -> _Shelf:
        shelf = self._shelves.get(resource)
        if shelf is None:
            shelf = self._shelves[resource] = _Shelf()
        return shelf

    def _publish(self, shelf: _Shelf, change: Change) -> None:
        self._history.append(change)
        if len(self._history) > _HISTORY:
            self.oldest = self._history.popleft().now.revision
        for subscription in shelf.subscriptions:
            subscription.push(change)

    def _changes_after(self, resource: Resource, revision: int) -> list[Change]:
        if revision < self.oldest:
            raise Compacted(revision, self.oldest)
        after: list[Change] = []
        for change in reversed(self._history):
            if change.now.revision <= revision:
                break
            if change.now.resource is resource:
                after.append(change)
        after.reverse()
        return after

    def _state(self, resource: Resource, revision: int) -> Sequence[Stored]:
        """All objects of a resource as of a past revision: the present, undone step by step."""
        if revision < self.oldest:
            raise Compacted(revision, self.oldest)
        found = self._snapshots.get((resource, revision))
        if found is not None:
            return found
        items = dict(self._shelf(resource).items)
        for change in reversed(self._changes_after(resource, revision)):
            if change.before is None:
                del items[change.now.key]
            else:
                items[change.before.key] = change.before
        state = [items[key] for key in sorted(items)]
        while len(self._snapshots) >= _SNAPSHOTS:
            del self._snapshots[next(iter(self._snapshots))]
        self._snapshots[resource, revision] = state
        return state


def key_of(namespace: str, name: str) -> str:
    """`namespace/name`, or `name` for what has no namespace."""
    return f"{namespace}/{name}" if namespace else name


def encode(value: object) -> bytes:
    """JSON as the Go server writes it: keys in order, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _stored(resource: Resource, manifest: Manifest, revision: int) -> Stored:
    meta = manifest["metadata"]
    return Stored(
        resource=resource,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        revision=revision,
        labels=meta.get("labels") or {},
        owners=tuple(owner["uid"] for owner in meta.get("ownerReferences") or ()),
        body=encode(manifest),
    )


def _within(state: Sequence[Stored], namespace: str) -> Sequence[Stored]:
    return [one for one in state if one.namespace == namespace] if namespace else state
