"""The network of nodes and Pods as far as the API server asks into it: logs and ``/pg/status``.

kube-apiserver opens these connections by HTTP CONNECT over a Unix socket (its egress selector), so the
addresses need not exist. While the network is down every connection is refused: then what the user
asks of logs and instances is answered as by a cluster whose nodes do not answer.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tui.sandbox import tls

KUBELET = 10250
NODE = "10.42.255.1"
"""The one node's address."""


class Network:
    """What is to be heard there, and whether anything is. Use it as a context."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.up = False
        self.logs: dict[tuple[str, str], str] = {}
        """By namespace and Pod: what its sidecar logged."""
        self.statuses: dict[str, Mapping[str, Any]] = {}
        """By the Pod's address: what its instance manager says of PostgreSQL."""
        self._certificate = tls.self_made().context()
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._accept, str(self.socket))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
                await self._connect(reader, writer)
        except asyncio.CancelledError:
            pass  # it is over; asyncio would log what is raised here
        finally:
            self._serving.discard(task)
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ")[1]
        if not self.up:
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await writer.start_tls(self._certificate)
        host, _, port = to.rpartition(":")
        while True:
            target = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ")[1]
            body = self._log(target) if int(port) == KUBELET else self._status(host)
            status = "404 Not Found" if body is None else "200 OK"
            content = (body or "").encode()
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n\r\n".encode())
            writer.write(content)
            await writer.drain()

    def _log(self, target: str) -> str | None:
        _, _, namespace, pod, *_ = urlsplit(target).path.split("/")
        return self.logs.get((namespace, pod))

    def _status(self, host: str) -> str | None:
        found = self.statuses.get(host)
        return None if found is None else json.dumps(found)
