"""An API server of the sandbox inside the test, a client for it, and kubectl pointed at it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.apiserver.client import CNPG, Client
from tui.sandbox.apiserver import EVERYTHING, ApiServer, Certificate, Kubelet, User

DEADLINE = 20.0
"""Seconds a test waits for what ought to come at once."""

ADMIN = User("admin", "token-of-admin", EVERYTHING)
BACKUPS = f"{CNPG}/namespaces/default/backups"

Manifest = dict[str, Any]


@dataclass(slots=True)
class Served:
    """A running server and an administrator's client."""

    server: ApiServer
    url: str
    client: Client


@contextlib.asynccontextmanager
async def serving(
    *,
    kubelet: Kubelet | None = None,
    users: Sequence[User] = (ADMIN,),
    tls: Certificate | None = None,
) -> AsyncIterator[Served]:
    """A server with an administrator among its users, stopped at the end."""
    server = ApiServer(kubelet=kubelet, users=users, tls=tls)
    url = await server.start()
    trust = ssl.create_default_context(cadata=tls.ca.decode() if tls else None)
    try:
        async with Client(url, ADMIN.token, trust) as client:
            yield Served(server, url, client)
    finally:
        await server.stop()


def backup(name: str, **spec: Any) -> Manifest:
    """A Backup by the plugin."""
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Backup",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "cluster": {"name": "pg"},
            "method": "plugin",
            "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"},
        }
        | spec,
    }


async def until(holds: Callable[[], object]) -> None:
    """Return when a condition has come true."""
    async with asyncio.timeout(DEADLINE):
        while not holds():  # noqa: ASYNC110 - there is nothing to be woken by
            await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[list[str]]:
        """The words of each line of output."""
        return [line.split() for line in self.out.splitlines()]


class Kubectl:
    """The genuine kubectl, with a kubeconfig and a cache of its own."""

    def __init__(self, folder: Path, kubeconfig: Manifest) -> None:
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(kubeconfig))
        self._program = Path(sys.executable).with_name("kubectl")
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KUBECONFIG": str(path),
            "KUBECACHEDIR": str(folder / "cache"),
        }

    async def __call__(self, *words: str, stdin: Manifest | None = None) -> Said:
        """Run to the end."""
        process = await self.start(*words)
        given = yaml.safe_dump(stdin).encode() if stdin is not None else None
        async with asyncio.timeout(DEADLINE):
            out, err = await process.communicate(given)
        return Said(process.returncode or 0, out.decode(), err.decode())

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        """Start, for commands that go on until they are ended."""
        return await asyncio.create_subprocess_exec(
            self._program,
            *words,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
