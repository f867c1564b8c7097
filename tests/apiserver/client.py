"""A bare Kubernetes client for tests: what was sent and what came back, nothing made nicer."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import aiohttp

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    from multidict import CIMultiDictProxy

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

DEADLINE = 30.0
"""Seconds a test waits for what ought to come at once."""

CNPG = "/apis/postgresql.cnpg.io/v1"
BARMAN_CLOUD = "/apis/barmancloud.cnpg.io/v1"

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer."""

    status: int
    text: str
    headers: CIMultiDictProxy[str]

    @property
    def body(self) -> Body:
        """The JSON that came."""
        body: Body = json.loads(self.text)
        return body

    @property
    def warnings(self) -> list[str]:
        """The Warning headers as they came."""
        return self.headers.getall("Warning", [])

    @property
    def message(self) -> str:
        """The text of a Status."""
        text: str = self.body["message"]
        return text

    @property
    def causes(self) -> list[tuple[str, str]]:
        """Reason and field of each cause of a Status, in order of the fields."""
        causes = self.body["details"]["causes"]
        return sorted((cause["reason"], cause.get("field", "")) for cause in causes)

    @property
    def names(self) -> list[str]:
        """The names of a list's items."""
        return [item["metadata"]["name"] for item in self.body["items"]]


class Watch:
    """An open watch; each read waits no longer than ``DEADLINE``."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self) -> Body:
        """The next event. Raises ``EndOfWatch`` where the server ended the stream."""
        async with asyncio.timeout(DEADLINE):
            line = await self._response.content.readline()
        if not line:
            raise EndOfWatch
        event: Body = json.loads(line)
        return event

    async def types_and_names(self, count: int) -> list[tuple[str, str]]:
        """The next ``count`` events, each as its type and its object's name."""
        events = [await self.next() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"]["name"]) for event in events]

    async def until(self, kind: str) -> list[Body]:
        """The events up to and including the first of type ``kind``."""
        events = [await self.next()]
        while events[-1]["type"] != kind:
            events.append(await self.next())
        return events

    async def rest(self) -> list[Body]:
        """What comes until the server ends the stream."""
        events = []
        try:
            while True:
                events.append(await self.next())
        except EndOfWatch:
            return events


class EndOfWatch(Exception):
    """The server ended the stream as HTTP ends one: nothing was cut."""


class Client:
    """Requests to one server under one bearer token (None: none is sent)."""

    def __init__(self, url: str, token: str | None, trust: ssl.SSLContext) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._session = aiohttp.ClientSession(
            url,
            headers=headers,
            connector=aiohttp.TCPConnector(ssl=trust),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=DEADLINE),
            read_bufsize=2**22,  # the longest line of a watch we can read, half of it
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        # Sockets are closed in the loop's next turn; one left open is a warning, thus an error.
        await asyncio.sleep(0)

    async def get(self, path: str, accept: str = JSON, **query: str | int) -> Answer:
        return await self._call("GET", path, query, accept=accept)

    async def create(self, path: str, body: Any, **query: str | int) -> Answer:
        return await self._call("POST", path, query, body)

    async def replace(self, path: str, body: Any, **query: str | int) -> Answer:
        return await self._call("PUT", path, query, body)

    async def patch(
        self, path: str, body: Any, content_type: str = MERGE_PATCH, **query: str | int
    ) -> Answer:
        return await self._call("PATCH", path, query, body, content_type=content_type)

    async def delete(self, path: str, body: Any = None, **query: str | int) -> Answer:
        return await self._call("DELETE", path, query, body)

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Any = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Answer:
        async with (
            asyncio.timeout(DEADLINE),
            self._session.request(
                method,
                path,
                params=query,
                data=None if body is None else json.dumps(body),
                headers={"Content-Type": content_type, "Accept": accept},
            ) as response,
        ):
            return Answer(response.status, await response.text(), response.headers)

    @asynccontextmanager
    async def watch(
        self, path: str, accept: str = JSON, **query: str | int
    ) -> AsyncIterator[Watch]:
        """An open watch of a collection; leaving the block closes it."""
        async with asyncio.timeout(DEADLINE):
            response = await self._session.get(
                path, params={"watch": "true", **query}, headers={"Accept": accept}
            )
        try:
            if response.status != 200:
                raise AssertionError(f"watch answered {response.status}: {await response.text()}")
            yield Watch(response)
        finally:
            # A TLS connection closed politely waits for the server, which still has things to say.
            if response.connection is not None and response.connection.transport is not None:
                response.connection.transport.abort()
            response.close()
