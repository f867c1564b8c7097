"""S3 stores for tests: a real one (SeaweedFS), one that says what it is told to, and a wire between.

All on 127.0.0.1. The wire records what passes and can be slow, as a store in another country is.
"""

from __future__ import annotations

import abc
import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

from tui.sandbox.bucket import free_ports, meta_entry, sockets
from tui.sandbox.s3 import Lying
from tui.sandbox.tls import Certificate

ADMIN = ("AKADMIN", "SKADMIN")
READER = ("AKREADER", "SKREADER")
STRANGER = ("AKSTRANGER", "SKSTRANGER")
BUCKET = "backups"

_IDENTITIES = {
    "identities": [
        {
            "name": name,
            "credentials": [{"accessKey": keys[0], "secretKey": keys[1]}],
            "actions": actions,
        }
        for name, keys, actions in (
            ("admin", ADMIN, ["Admin", "Read", "Write", "List", "Tagging"]),
            ("reader", READER, [f"Read:{BUCKET}", f"List:{BUCKET}"]),
            ("stranger", STRANGER, ["Read:elsewhere"]),
        )
    ]
}


def program() -> str | None:
    """The weed binary, None where it is not installed."""
    beside = Path(sys.prefix) / "bin" / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


class Weed:
    """A SeaweedFS with one bucket, started by hand and killed at the end.

    With a certificate it listens at ``tls_url`` too.
    """

    def __init__(self, folder: Path, tls: Certificate | None = None) -> None:
        found = program()
        assert found is not None
        self.ports = free_ports(6)
        self.port, master, volume, filer, admin, tls_port = self.ports
        self._folder = folder
        self.master, self.filer = f"127.0.0.1:{master}", f"127.0.0.1:{filer}"
        self.url = f"http://127.0.0.1:{self.port}"
        self.tls_url = f"https://127.0.0.1:{tls_port}"
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "identities.json"
        config.write_text(json.dumps(_IDENTITIES))
        self._log = (folder / "weed.log").open("wb")
        self._process = subprocess.Popen(
            [
                found,
                f"-logdir={folder}",
                "mini",
                f"-dir={folder / 'data'}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                f"-s3.port={self.port}",
                f"-master.port={master}",
                f"-volume.port={volume}",
                f"-filer.port={filer}",
                f"-admin.port={admin}",
                "-master.telemetry=false",
                f"-bucket={BUCKET}",
                "-webdav=false",
                "-admin.ui=false",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-s3.autoCreateBucket=false",
                f"-s3.config={config}",
                *(_tls(folder, tls, tls_port) if tls else ()),
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        self.client = client(self.url)
        self._wait()

    def put(self, key: str, content: bytes = b"x") -> None:
        """Store an object."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def delete(self, key: str) -> None:
        """Delete an object."""
        self.client.delete_object(Bucket=BUCKET, Key=key)

    def lay(self, past: Iterable[tuple[Lying, bytes | None]]) -> None:
        """Lay objects of the past there; one without a body is listed, but has nothing to read."""
        found = program()
        assert found is not None
        meta, lying = self._folder / "past.meta", None
        with meta.open("wb") as out:
            for lying, body in past:
                out.write(meta_entry(f"/buckets/{BUCKET}/{lying.key}", lying, body))
            assert lying is not None
            # The loader loses its last entries (SeaweedFS 4.48), so these are some nobody misses.
            for number in range(16):
                out.write(meta_entry(f"/padding/{number}", lying, b""))
        done = subprocess.run(
            [found, "shell", f"-master={self.master}", f"-filer={self.filer}"],
            input=f"fs.meta.load -v=false -concurrency=8 {meta}\nfs.du /buckets/{BUCKET}\n",
            text=True,
            check=False,
            capture_output=True,
        )
        meta.unlink()
        assert "is loaded" in done.stdout + done.stderr, done

    def keys(self, prefix: str = "") -> list[str]:
        """All keys."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [seen["Key"] for page in pages for seen in page.get("Contents", ())]

    def stop(self) -> None:
        """Kill it, and leave nothing: SIGTERM takes seconds, and the data is not wanted."""
        self.client.close()
        self._process.kill()
        self._process.wait()
        self._log.close()
        for socket_file in sockets(self.ports):
            socket_file.unlink(missing_ok=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                self.put("ready")
            except Exception:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.1)
            else:
                self.delete("ready")
                return


def _tls(folder: Path, certificate: Certificate, port: int) -> Iterator[str]:
    for name, content in (("cert", certificate.certificate), ("key", certificate.key)):
        file = folder / f"tls.{name}"
        file.write_bytes(content)
        yield f"-s3.{name}.file={file}"
    yield f"-s3.port.https={port}"


def client(url: str, keys: tuple[str, str] = ADMIN) -> Any:
    """boto3 as anybody would use it."""
    return boto3.session.Session(*keys).client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=15),
    )


class Listener(abc.ABC):
    """A server on 127.0.0.1 that leaves nothing behind."""

    def __init__(self) -> None:
        self.url = ""
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Listen no more, and cut what is open."""
        assert self._server is not None
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # stopped; asyncio would log what is raised here
        finally:
            self._serving.discard(task)
            writer.transport.abort()

    @abc.abstractmethod
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""


class Wire(Listener):
    """A TCP relay to a store that notes every request and may hold each up for a while."""

    def __init__(self, port: int, delay: float = 0.0) -> None:
        super().__init__()
        self._to = port
        self.delay = delay
        self.requests: list[str] = []
        """``GET /backups?list-type=2``: method and target of each."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._requests(reader, up_writer))
                group.create_task(_relay(up_reader, writer))
        except* (OSError, EOFError):
            pass
        finally:
            up_writer.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # None of our requests has a body, and none is sent before the last one is answered.
        while chunk := await reader.read(1 << 16):
            line = chunk.partition(b"\r\n")[0].decode()
            if line.endswith("HTTP/1.1"):
                self.requests.append(line.removesuffix(" HTTP/1.1"))
                await asyncio.sleep(self.delay)
            writer.write(chunk)
            await writer.drain()
        writer.close()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1 << 18):
        writer.write(chunk)
        await writer.drain()
    writer.close()


@dataclass(frozen=True)
class Say:
    """An answer, as it goes over the wire."""

    body: bytes = b""
    status: str = "200 OK"
    content_type: str = "application/xml"
    headers: tuple[str, ...] = ()
    length: int | None = None
    """Content-Length, where it is to be another than the body's."""


CLOSE = Say(status="")
"""The connection is closed without an answer."""
SILENCE = Say(status="silence")
"""The connection stays open and nothing comes."""


class Script(Listener):
    """A store that answers every request with what ``answer`` says, over real HTTP."""

    def __init__(self, answer: Callable[[str], Say]) -> None:
        super().__init__()
        self.answer = answer
        self.targets: list[str] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while await self._answered(reader, writer):
                pass

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first = await reader.readexactly(1)
        if not first.isalpha():
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")  # TLS, to a port that has none
            await writer.drain()
            return False
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
        self.targets.append(head.split(" ", 2)[1])
        said = self.answer(self.targets[-1])
        if said is CLOSE:
            return False
        if said is SILENCE:
            await reader.read()
            return False
        length = len(said.body) if said.length is None else said.length
        lines = (
            f"HTTP/1.1 {said.status}",
            f"Content-Type: {said.content_type}",
            f"Content-Length: {length}",
            *said.headers,
        )
        writer.write("\r\n".join((*lines, "", "")).encode() + said.body)
        await writer.drain()
        return said.length is None


def always(said: Say) -> Callable[[str], Say]:
    """The same answer to everything."""
    return lambda _: said


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another program
            await asyncio.sleep(0.01)
