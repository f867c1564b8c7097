"""A TCP relay in front of an API server: what goes wrong on the way goes wrong here, TLS and all."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import socket

_CHUNK = 65_536


class Relay:
    """Passes bytes on, both ways, until told otherwise."""

    def __init__(self, url: str) -> None:
        self._server = urlsplit(url)
        self._listener: asyncio.Server | None = None
        self._ways: set[_Way] = set()
        self.rate: int | None = None
        """Bytes a second that a client gets on one connection; None: as fast as they come."""

    async def start(self, listening: socket.socket | None = None) -> None:
        """Listen on ``listening``, else on a port of loopback."""
        if listening is None:
            self._listener = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        else:
            self._listener = await asyncio.start_server(self._pass_on, sock=listening)

    async def stop(self) -> None:
        """Stop listening, cut what is open."""
        assert self._listener is not None
        self._listener.close()
        await asyncio.sleep(0)  # what was accepted a moment ago becomes known
        while self._ways:
            self.cut()
            await asyncio.gather(*(way.task for way in self._ways), return_exceptions=True)
        await asyncio.sleep(0)  # sockets are closed in the loop's next turn

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def kubeconfig(self, direct: dict[str, Any]) -> dict[str, Any]:
        """``direct``, led through here. The server's certificate is still asked for its own name."""
        assert self._listener is not None
        host, port = self._listener.sockets[0].getsockname()[:2]
        led = deepcopy(direct)
        cluster = led["clusters"][0]["cluster"]
        cluster["server"] = f"{self._server.scheme}://{host}:{port}"
        cluster["tls-server-name"] = self._server.hostname
        return led

    def cut(self) -> None:
        """Reset every open connection."""
        for way in self._ways:
            way.reset()

    def refuse(self) -> None:
        """Refuse new connections from now on."""
        assert self._listener is not None
        self._listener.close()

    def lose_answers(self) -> None:
        """On connections open now, what the server says next is lost and the connection is reset."""
        for way in self._ways:
            way.answers_are_lost = True

    def lose_requests(self) -> None:
        """On connections open now, what the client says next is lost and the connection is reset."""
        for way in self._ways:
            way.requests_are_lost = True

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        way = _Way(self, task, writer)
        self._ways.add(way)
        try:
            with suppress(OSError):
                up = await asyncio.open_connection(self._server.hostname, self._server.port)
                await way.run(reader, *up)
        finally:
            self._ways.discard(way)
            way.reset()


class _Way:
    """One connection through the relay."""

    def __init__(
        self, relay: Relay, task: asyncio.Task[None], writer: asyncio.StreamWriter
    ) -> None:
        self.task = task
        self.answers_are_lost = False
        self.requests_are_lost = False
        self._relay = relay
        self._client = writer
        self._server: asyncio.StreamWriter | None = None

    def reset(self) -> None:
        self._client.transport.abort()
        if self._server is not None:
            self._server.transport.abort()

    async def run(
        self,
        client: asyncio.StreamReader,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        """Until either side ends it."""
        self._server = to_server
        both = [
            asyncio.create_task(self._up(client, to_server)),
            asyncio.create_task(self._down(server)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _up(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        while (said := await client.read(_CHUNK)) and not self.requests_are_lost:
            to_server.write(said)
            await to_server.drain()

    async def _down(self, server: asyncio.StreamReader) -> None:
        while (said := await server.read(self._relay.rate or _CHUNK)) and not self.answers_are_lost:
            self._client.write(said)
            await self._client.drain()
            if self._relay.rate:
                await asyncio.sleep(len(said) / self._relay.rate)
