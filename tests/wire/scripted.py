"""An API server that says exactly what a test tells it to, odd things included, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Any

from aiohttp import web

Line = dict[str, Any]
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Then(Enum):
    """What happens to a stream after its last line; without one the server ends it properly."""

    CUT = "the connection is reset"
    SILENCE = "nothing more comes, and the connection stays open"


def backup(name: str, version: int, phase: str = "started", namespace: str = "prod") -> Line:
    """A Backup as the server keeps it."""
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Backup",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": f"uid-of-{name}",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-11-22T14:00:00Z",
            "managedFields": [{"manager": "test", "operation": "Update"}],
        },
        "spec": {"cluster": {"name": "pg"}, "method": "plugin"},
        "status": {"phase": phase},
    }


def added(name: str, version: int, phase: str = "started") -> Line:
    return {"type": "ADDED", "object": backup(name, version, phase)}


def modified(name: str, version: int, phase: str = "started") -> Line:
    return {"type": "MODIFIED", "object": backup(name, version, phase)}


def deleted(name: str, version: int) -> Line:
    return {"type": "DELETED", "object": backup(name, version)}


def bookmark(version: int) -> Line:
    return {
        "type": "BOOKMARK",
        "object": {"kind": "Backup", "metadata": {"resourceVersion": str(version)}},
    }


def status(code: int, reason: str, message: str = "", **details: Any) -> Line:
    """A refusal in Kubernetes' own form."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }


def error(code: int, reason: str, message: str = "") -> Line:
    """A refusal in the midst of a watch."""
    return {"type": "ERROR", "object": status(code, reason, message)}


def answer(
    code: int,
    body: Line | str | bytes,
    *,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Handler:
    """One complete answer."""
    data = body if isinstance(body, bytes) else _text(body).encode()

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(
            status=code, body=data, headers={**(headers or {}), "Content-Type": content_type}
        )

    return handle


def stream(*parts: Line | bytes | float | Then) -> Handler:
    """A chunked answer: lines, raw bytes, pauses in seconds, and how it ends."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for part in parts:
            if part is Then.CUT:
                assert request.transport is not None
                request.transport.abort()
                break
            if part is Then.SILENCE:
                await asyncio.sleep(3600)
            elif isinstance(part, float):
                await asyncio.sleep(part)
            else:
                await response.write(part if isinstance(part, bytes) else _line(part))
        return response

    return handle


def slowly(body: Line, pieces: int, pause: float) -> Handler:
    """One complete answer that dribbles in."""
    data = json.dumps(body).encode()
    step = -(-len(data) // pieces)
    parts: list[bytes | float] = []
    for at in range(0, len(data), step):
        parts += [data[at : at + step], pause]
    return stream(*parts)


def _text(body: Line | str) -> str:
    return body if isinstance(body, str) else json.dumps(body)


def _line(part: Any) -> bytes:
    return json.dumps(part).encode() + b"\n"


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that nobody announces."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.01)


class Script:
    """The server. What has not been scripted: lists tell ``objects``, watches stay silent."""

    def __init__(self) -> None:
        self.objects: dict[str, Line] = {}
        self.version = 1
        self.requests: list[web.BaseRequest] = []
        self.bodies: list[bytes] = []
        self.url = ""
        self._scripted: dict[str, deque[Handler]] = defaultdict(deque)
        self._runner: web.ServerRunner | None = None
        self._news = asyncio.Condition()

    async def start(self, tls: ssl.SSLContext | None = None, port: int = 0) -> str:
        server = web.Server(self._serve, handler_cancellation=True)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=tls).start()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._runner.addresses[0][1]}"
        return self.url

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def has(self, *objects: Line) -> None:
        """From now on these are all the objects there are."""
        self.objects = {one["metadata"]["name"]: one for one in objects}
        versions = [int(one["metadata"]["resourceVersion"]) for one in objects]
        self.version = max([self.version, *versions])

    def next(self, verb: str, *handlers: Handler) -> None:
        """How the next requests of this verb (list, watch, or an HTTP method) are answered."""
        self._scripted[verb] += handlers

    async def received(self, count: int) -> None:
        """Wait until so many requests have come in all."""
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.bodies) >= count)

    def queries(self, verb: str) -> list[Mapping[str, str]]:
        """The queries of the requests of this verb so far."""
        return [one.query for one in self.requests if _verb(one) == verb]

    @property
    def versions(self) -> dict[str, str]:
        """The table as a fresh list would give it: resourceVersion by name."""
        return {name: one["metadata"]["resourceVersion"] for name, one in self.objects.items()}

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        async with self._news:
            self._news.notify_all()
        verb = _verb(request)
        if self._scripted[verb]:
            return await self._scripted[verb].popleft()(request)
        if verb == "watch":
            return await stream(Then.SILENCE)(request)
        return await answer(200, self.listed())(request)

    def listed(self, version: int | None = None) -> Line:
        """A complete list of the objects there are."""
        return {
            "apiVersion": "postgresql.cnpg.io/v1",
            "kind": "BackupList",
            "metadata": {"resourceVersion": str(version or self.version)},
            "items": list(self.objects.values()),
        }


def _verb(request: web.BaseRequest) -> str:
    if request.method != "GET":
        return request.method
    return "watch" if request.query.get("watch") else "list"
