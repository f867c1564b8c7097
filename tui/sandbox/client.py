"""The operator's way to Kubernetes: list, watch, write, with a bearer token.

Nothing here knows whose server it talks to; a genuine kube-apiserver will do.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from tui.sandbox.manifests import Manifest, key_of

_PAGE = 500
_AGAIN = 1.0
"""Seconds before a lost list or watch is tried again."""
_TRIES = 40
_TRANSIENT = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource, by its place in the API."""

    group: str
    plural: str
    version: str = "v1"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Its URL path; without a namespace that of all of them."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = (f"namespaces/{namespace}" if namespace else "", self.plural, name, subresource)
        return "/".join([root, *filter(None, parts)])


CLUSTERS = Kind("postgresql.cnpg.io", "clusters")
BACKUPS = Kind("postgresql.cnpg.io", "backups")
SCHEDULES = Kind("postgresql.cnpg.io", "scheduledbackups")
STORES = Kind("barmancloud.cnpg.io", "objectstores")
PODS = Kind("", "pods")
ROLES = Kind("rbac.authorization.k8s.io", "roles")
ROLE_BINDINGS = Kind("rbac.authorization.k8s.io", "rolebindings")
SECRETS = Kind("", "secrets")
SERVICES = Kind("", "services")
EVENTS = Kind("", "events")


class Refused(Exception):
    """The server answered with an error; `code` is the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Kube:
    """A connection to one API server."""

    def __init__(self, url: str, token: str, *, trust: ssl.SSLContext | None = None) -> None:
        self._url = url.rstrip("/")
        self._http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}", "User-Agent": "sandbox-operator"},
            connector=aiohttp.TCPConnector(ssl=trust or True, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        )

    async def close(self) -> None:
        """Drop all connections."""
        await self._http.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """One object; None where there is none. Raises Refused."""
        try:
            return await self._call("GET", kind.path(namespace, name))
        except Refused as refusal:
            if refusal.code == 404:
                return None
            raise

    async def create(self, kind: Kind, manifest: Mapping[str, Any]) -> Manifest:
        """Create an object; raises Refused."""
        return await self._call("POST", kind.path(key_of(manifest)[0]), manifest)

    async def patch(self, kind: Kind, namespace: str, name: str, patch: Manifest) -> Manifest:
        """Merge into an object; raises Refused."""
        return await self._call("PATCH", kind.path(namespace, name), patch)

    async def patch_status(
        self, kind: Kind, namespace: str, name: str, status: Manifest
    ) -> Manifest:
        """Merge into an object's status; None removes a field. Raises Refused."""
        return await self._call("PATCH", kind.path(namespace, name, "status"), {"status": status})

    async def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object at once; one that is gone is no error. Raises Refused.

        Without a kubelet nobody else would end a pod's period of grace.
        """
        try:
            await self._call("DELETE", kind.path(namespace, name), {"gracePeriodSeconds": 0})
        except Refused as refusal:
            if refusal.code != 404:
                raise

    async def list(self, kind: Kind, namespace: str = "") -> tuple[list[Manifest], str]:
        """All objects, page by page, and the resourceVersion to watch from. Raises Refused."""
        found: list[Manifest] = []
        query = {"limit": str(_PAGE)}
        while True:
            page = await self._call("GET", kind.path(namespace), query=query)
            found += page["items"]
            if not page["metadata"].get("continue"):
                return found, page["metadata"]["resourceVersion"]
            query["continue"] = page["metadata"]["continue"]

    async def watch(self, kind: Kind, namespace: str, since: str) -> AsyncIterator[Manifest]:
        """Watch events after `since`; ends when the server closes. Raises Refused (410: list anew)."""
        query = {"watch": "1", "resourceVersion": since, "allowWatchBookmarks": "true"}
        async with self._http.get(self._url + kind.path(namespace), params=query) as answer:
            if answer.status >= 400:
                raise _refusal(answer.status, await answer.text())
            rest = b""
            async for chunk, _ in answer.content.iter_chunks():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    event: Manifest = json.loads(line)
                    if event["type"] == "ERROR":
                        raise Refused(event["object"].get("code", 500), str(event["object"]))
                    yield event

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Manifest:
        """Ask, and ask again while the server is away: an operator does not give up on a cut line.

        A create that got through although its answer was lost comes back as 409.
        """
        for _ in range(_TRIES - 1):
            try:
                return await self._once(method, path, body, query)
            except (aiohttp.ClientConnectionError, OSError):
                await asyncio.sleep(_AGAIN / 4)
            except Refused as refusal:
                if refusal.code not in _TRANSIENT:
                    raise
                await asyncio.sleep(_AGAIN / 4)
        return await self._once(method, path, body, query)

    async def _once(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, str] | None,
    ) -> Manifest:
        media = "application/merge-patch+json" if method == "PATCH" else "application/json"
        async with self._http.request(
            method,
            self._url + path,
            params=query,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": media} if body is not None else None,
        ) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise _refusal(answer.status, text)
            found: Manifest = json.loads(text)
            return found


def _refusal(code: int, text: str) -> Refused:
    try:
        return Refused(code, json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return Refused(code, text[:300])


class Mirror:
    """All objects of one kind as they are now, kept by list and watch."""

    def __init__(
        self,
        kube: Kube,
        kind: Kind,
        seen: Callable[[Manifest, bool], None] = lambda _manifest, _gone: None,
        namespace: str = "",
    ) -> None:
        """`seen` hears of every object listed, changed or (True) gone."""
        self._kube, self._kind, self._namespace, self._seen = kube, kind, namespace, seen
        self.objects: dict[tuple[str, str], Manifest] = {}
        self.listed = asyncio.Event()

    def note(self, manifest: Manifest) -> None:
        """Take over the answer to a write of our own, before the watch brings it."""
        known = self.objects.get(key_of(manifest))
        if known is None or _revision(known) < _revision(manifest):
            self.objects[key_of(manifest)] = manifest

    async def run(self) -> None:
        """Follow the server for ever."""
        while True:
            try:
                revision = await self._list()
                self.listed.set()
                while True:
                    revision = await self._watch(revision)
            except (Refused, aiohttp.ClientError, OSError, TimeoutError):
                await asyncio.sleep(_AGAIN)

    async def _list(self) -> str:
        found, revision = await self._kube.list(self._kind, self._namespace)
        fresh = {key_of(one): one for one in found}
        gone = [one for key, one in self.objects.items() if key not in fresh]
        self.objects = fresh
        for one in gone:
            self._seen(one, True)
        for one in found:
            self._seen(one, False)
        return revision

    async def _watch(self, revision: str) -> str:
        async for event in self._kube.watch(self._kind, self._namespace, revision):
            manifest: Manifest = event["object"]
            revision = manifest["metadata"]["resourceVersion"]
            if event["type"] == "BOOKMARK":
                continue
            gone = event["type"] == "DELETED"
            if gone:
                self.objects.pop(key_of(manifest), None)
            else:
                self.note(manifest)
            self._seen(manifest, gone)
        return revision


def _revision(manifest: Manifest) -> int:
    """Kubernetes calls it opaque, but compares it as a number itself since 1.35."""
    return int(manifest["metadata"]["resourceVersion"])
