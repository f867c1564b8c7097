"""Watches: what is there, then every change, as a stream of JSON lines.

Semantics of resourceVersion, bookmarks and sendInitialEvents as in the Kubernetes API concepts and
k8s.io/apiserver's watch cache.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator

from aiohttp import web

from tui.sandbox import reading, selectors
from tui.sandbox.exchange import Call
from tui.sandbox.objects import (
    Change,
    Compacted,
    Manifest,
    ObjectStore,
    Stored,
    Subscription,
    encode,
)
from tui.sandbox.reading import Shape
from tui.sandbox.refusals import Refusal, bad_request, expired, too_large_version
from tui.sandbox.trouble import Trouble

_INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}
_BEFORE_THE_END = 2.0
"""seconds between the last bookmark and the end of a watch"""
_HALF_AN_HOUR = 1800.0
"""kube-apiserver's --min-request-timeout, in seconds: watches without a timeout end after once to
twice that."""


class Watch:
    """One watch: turns changes of a resource into lines for one caller."""

    def __init__(self, store: ObjectStore, call: Call) -> None:
        self._store = store
        self._call = call
        self._shape: Shape = reading.shape(call)
        reading.check_list_options(call)
        query = call.query
        self._matches: Callable[[Stored], bool] = selectors.matcher(
            query.get("labelSelector", ""), query.get("fieldSelector", ""), call.resource
        ) or (lambda _: True)
        self.bookmarks = call.flag("allowWatchBookmarks")
        self.seconds = _timeout(call)
        self._version = _version(call)
        self._initial = call.flag("sendInitialEvents") or (
            # A watch from nowhere, or from 0, has always begun with what is there.
            "sendInitialEvents" not in query and not self._version
        )
        self._headers_sent = False

    def begin(self) -> tuple[Subscription, list[bytes]]:
        """Follow the resource from the moment asked for; gives the lines that come first.

        Raises Refusal for what the stream itself reports: 410 for a forgotten past, 504 for a
        future nobody knows.
        """
        store, resource = self._store, self._call.resource
        if self._initial:
            if self._version and self._version > store.revision:
                raise too_large_version(self._version, store.revision)
            subscription = store.subscribe(resource)
            there = store.listed(resource, self._call.target.namespace)
            lines = [self._line("ADDED", one) for one in there if self._matches(one)]
            if self.bookmarks:
                lines.append(self.bookmark(_INITIAL_EVENTS_END))
            return subscription, lines
        try:
            return store.subscribe(resource, self._version), []
        except Compacted as lost:
            raise expired(f"too old resource version: {lost.asked} ({lost.oldest})") from None

    def lines(self, change: Change) -> Iterator[bytes]:
        """What a change means to this caller: to leave a selection is to be deleted."""
        namespace = self._call.target.namespace
        if namespace and change.now.namespace != namespace:
            return
        if self._version and change.now.revision <= self._version:
            return
        before = change.before is not None and self._matches(change.before)
        now = not change.deleted and self._matches(change.now)
        if before and not now:
            yield self._line("DELETED", _last(change))
        elif now:
            yield self._line("MODIFIED" if before else "ADDED", change.now)

    def bookmark(self, annotations: Manifest | None = None) -> bytes:
        """A line that says how far the stream has come."""
        resource = self._call.resource
        meta: Manifest = {"resourceVersion": str(self._store.revision)}
        if annotations:
            meta["annotations"] = annotations
        manifest = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
        stored = Stored(resource, "", "", "", self._store.revision, {}, (), encode(manifest))
        return self._line("BOOKMARK", stored)

    def _line(self, kind: str, stored: Stored) -> bytes:
        body = reading.dressed(self._store, self._shape, stored, headers=not self._headers_sent)
        self._headers_sent = True
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), body)


def _last(change: Change) -> Stored:
    """The object as it was, stamped with the revision at which it went out of sight."""
    if change.deleted or change.before is None:
        return change.now
    manifest = change.before.manifest()
    manifest["metadata"]["resourceVersion"] = str(change.now.revision)
    before = change.before
    return Stored(
        before.resource,
        before.namespace,
        before.name,
        before.uid,
        change.now.revision,
        before.labels,
        before.owners,
        encode(manifest),
    )


def _version(call: Call) -> int | None:
    try:
        return reading.parse_version(call)
    except Refusal as why:
        told = why.message.removeprefix("invalid resource version: ")
        raise Refusal(500, "", told) from None


def _timeout(call: Call) -> float:
    given = call.query.get("timeoutSeconds", "")
    try:
        seconds = int(given or 0)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{given}": invalid syntax') from None
    return float(seconds) if seconds > 0 else _HALF_AN_HOUR * (1 + random.random())


async def stream(
    http: web.BaseRequest,
    call: Call,
    store: ObjectStore,
    trouble: Trouble,
    *,
    bookmark_every: float,
) -> web.StreamResponse:
    """Serve one watch until its time is over, the caller leaves or the resource is gone.

    `bookmark_every` is in seconds. Raises Refusal before the stream has begun.
    """
    watch = Watch(store, call)
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(http)
    try:
        subscription, lines = watch.begin()
    except Refusal as refusal:
        await response.write(b'{"type":"ERROR","object":%s}\n' % encode(refusal.status()))
        return response
    try:
        await trouble.write(response, b"".join(lines))
        await _follow(response, watch, subscription, trouble, bookmark_every)
    finally:
        store.unsubscribe(call.resource, subscription)
    return response


async def _follow(
    response: web.StreamResponse,
    watch: Watch,
    subscription: Subscription,
    trouble: Trouble,
    bookmark_every: float,
) -> None:
    clock = asyncio.get_running_loop().time
    end = clock() + watch.seconds
    bookmark = _next_bookmark(clock(), end, bookmark_every)
    while not subscription.closed or subscription.pending:
        until = min(end, bookmark) if watch.bookmarks else end
        try:
            async with asyncio.timeout_at(until):
                await subscription.wait()
        except TimeoutError:
            if clock() >= end:
                return
            bookmark = _next_bookmark(clock(), end, bookmark_every)
            await trouble.write(response, watch.bookmark())
            continue
        pending = [subscription.pending.popleft() for _ in range(len(subscription.pending))]
        lines = [line for change in pending for line in watch.lines(change)]
        await trouble.write(response, b"".join(lines))


def _next_bookmark(now: float, end: float, every: float) -> float:
    """When to say how far we are: regularly, and once shortly before the end."""
    last = end - _BEFORE_THE_END
    return min(now + every, last) if last > now else now + every
