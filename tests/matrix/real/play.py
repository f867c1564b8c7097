"""Starts the genuine parts, stages all rows, and has them judged by ``cnpg-tui check`` in a process."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.apiserver import build
from tests.apiserver.server import KubeApiServer
from tests.e2e.genuine import kubeconfig
from tests.e2e.stack import Stack
from tests.matrix.failures import Judged
from tests.matrix.real import archive
from tests.matrix.real.archive import Made
from tests.matrix.real.network import Network
from tests.matrix.real.rows import Row
from tests.matrix.real.stage import World, stage
from tests.matrix.strict import Strict
from tests.sandbox import staged
from tui.sandbox import tls

PATIENCE = 120


@dataclass(frozen=True, slots=True)
class Played:
    """What was said of every row, by name: with all witnesses, and without log and instance."""

    heard: Mapping[str, Judged]
    unheard: Mapping[str, Judged]


async def play(rows: Sequence[Row]) -> Played:
    """Stage all rows at once and judge them twice."""
    with tempfile.TemporaryDirectory(prefix="real-") as folder:
        at = Path(folder)
        async with Network(at / "network") as network, _started(at, network) as world:
            await stage(world, rows)
            unheard = await _judged(world)
            network.up = True
            return Played(await _judged(world), unheard)


@asynccontextmanager
async def _started(folder: Path, network: Network) -> AsyncIterator[World]:
    """The servers, with PostgreSQL's archive in the bucket."""
    for name in ("api", "stack", "work"):
        (folder / name).mkdir()
    certificate = tls.self_made()
    api = KubeApiServer(build.find(), folder / "api", network.socket)
    stack = await asyncio.to_thread(Stack, folder / "stack", certificate)
    try:
        made, _ = await asyncio.gather(
            asyncio.to_thread(archive.make, stack), asyncio.to_thread(api.start)
        )
        with _strict(made) as strict:
            yield World(made, strict, certificate, api, network, folder / "work")
    finally:
        await asyncio.to_thread(api.stop)
        await asyncio.to_thread(stack.stop)


@contextmanager
def _strict(made: Made) -> Iterator[Strict]:
    strict = Strict(made.stack.weed)
    try:
        yield strict
    finally:
        strict.stop()


async def _judged(world: World) -> Mapping[str, Judged]:
    home = world.folder / "home"
    home.mkdir(exist_ok=True)
    config = kubeconfig(world.api, home / "kubeconfig", namespace="default")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tui", "check", "-A", "-o", "json"),
        env=staged.private(home, config),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        told, complained = await process.communicate()
    assert told, complained.decode()
    return {each["namespace"]: _told(each["level"], each["findings"]) for each in json.loads(told)}


def _told(level: str, findings: Sequence[Mapping[str, str]]) -> Judged:
    evidence = findings[0]["evidence"] if findings else ""
    return Judged(level, tuple(finding["code"] for finding in findings), evidence)
