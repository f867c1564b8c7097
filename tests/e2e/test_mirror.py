"""Log mode is ``kubectl get -w``: the same server, the same events, the same lines."""

from __future__ import annotations

import asyncio
import os
import random
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Protocol

import pytest
from textual.widgets import Log

from tests.apiserver import build
from tests.apiserver.server import KubeApiServer
from tests.e2e.genuine import GenuineServed
from tests.panes.objects import Manifest, a_backup
from tests.panes.stage import ADMIN, staged, write_kubeconfig
from tui.sandbox.apiserver import ApiServer

EVENTS, BURST = 320, 8
DEADLINE = 60.0
"""Seconds until a line that was waited for is given up; the machine may be busy."""

KUBECTL = str(Path(sys.executable).with_name("kubectl"))
NAMESPACES = ("a", "production", "a-namespace-with-a-long-name")
PHASES = ("", "pending", "started", "running", "completed", "failed", "walArchivingFailing")
ERRORS = (
    "",
    "exit status 4",
    "rpc error: code = Unknown desc = " + "unexpected failure " * 12,
    "first line\nsecond line",
    "ein Fehler, größer als 日本",
    "[/foo] [red]no markup[/red]",
)

# Event, namespace and name, then the age with its padding, then the rest.
_LINE = re.compile(r"^(\w+ +\S+ +\S+ +)(\S+)( +)(.*)$")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "y": 31_536_000}


class Kubectl:
    """A running kubectl that watches, and what it has printed."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @asynccontextmanager
    async def watching(self, kubeconfig: Path) -> AsyncIterator[None]:
        process = await asyncio.create_subprocess_exec(
            *(KUBECTL, "--kubeconfig", str(kubeconfig), "get", "backups.postgresql.cnpg.io"),
            *("-A", "-w", "--output-watch-events"),
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"HOME": str(kubeconfig.parent)},
        )
        assert process.stdout is not None
        reading = asyncio.create_task(self._read(process.stdout))
        try:
            yield
        finally:
            process.terminate()
            await process.wait()
            await reading

    async def _read(self, output: asyncio.StreamReader) -> None:
        async for line in output:
            self.lines.append(line.decode().rstrip("\n"))


class Stored(Protocol):
    """A server's objects, as a film changes them."""

    def put(self, manifest: Manifest) -> Manifest:
        """Create it, or change its status; the answer is what is stored."""
        ...

    def remove(self, manifest: Manifest) -> None:
        """Delete it."""
        ...


class SandboxStored:
    """The sandbox's, behind its API."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    def put(self, manifest: Manifest) -> Manifest:
        return self._server.store.seed(manifest)

    def remove(self, manifest: Manifest) -> None:
        backups = self._server.registry.at("postgresql.cnpg.io", "v1", "backups")
        gone = manifest["metadata"]
        assert backups is not None
        stored = self._server.store.get(backups, gone["namespace"], gone["name"])
        assert stored is not None
        self._server.store.remove(stored)


class GenuineStored:
    """The genuine server's. It dates what is created itself, so that nothing there is old."""

    def __init__(self, server: KubeApiServer) -> None:
        self._served = {name: GenuineServed(server, name) for name in NAMESPACES}

    def put(self, manifest: Manifest) -> Manifest:
        (stored,) = self._served[manifest["metadata"]["namespace"]].seed(manifest)
        return stored

    def remove(self, manifest: Manifest) -> None:
        self._served[manifest["metadata"]["namespace"]].remove({"kind": "Backup", **manifest})


class Film:
    """Random Backups that come, change and go, the same for the same seed."""

    def __init__(self, stored: Stored, seed: int) -> None:
        self.stored = stored
        self.random = random.Random(seed)
        self.alive: list[Manifest] = []
        self.made = 0

    def begin(self) -> None:
        """What is there before anybody looks: old, as the two do not look in the same second.

        The oldest has the widest age of all, so that no age widens its column later on.
        """
        self._make(age=3.5 * 86_400 + 1800)
        for _ in range(6):
            self._make(age=self.random.uniform(9, 40) * 3600)

    def step(self) -> None:
        """One event."""
        choice = self.random.random()
        if choice < 0.35 or len(self.alive) < 3:
            self._make()
        elif choice < 0.85:
            self._change()
        else:
            self._delete()

    def _make(self, age: float | None = None) -> None:
        self.made += 1
        width = self.random.choice((1, 4, 12, 30, 50))
        backup = a_backup(
            f"b{self.made}-{'x' * width}",
            self.random.choice(("pg", "orders", "a-cluster-with-a-long-name")),
            namespace=self.random.choice(NAMESPACES),
            age=self.random.uniform(0, 7200) if age is None else age,
            phase=self.random.choice(PHASES),
            error=self.random.choice(ERRORS),
        )
        self.alive.append(self.stored.put(backup))

    def _change(self) -> None:
        at = self.random.randrange(len(self.alive))
        status = {"phase": self.random.choice(PHASES), "error": self.random.choice(ERRORS)}
        self.alive[at] = self.stored.put({**self.alive[at], "status": status})

    def _delete(self) -> None:
        self.stored.remove(self.alive.pop(self.random.randrange(len(self.alive))))


@pytest.mark.parametrize("seed", [1, 2026])
async def test_log_mode_prints_what_kubectl_prints(tmp_path: Path, seed: int) -> None:
    server = ApiServer()
    await server.start()
    try:
        kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", server, ADMIN)
        await play(SandboxStored(server), kubeconfig, seed, partial(two_watch, server))
    finally:
        await server.stop()


@pytest.mark.apiserver
async def test_log_mode_prints_what_kubectl_prints_of_the_genuine_server(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="kube-apiserver-") as directory:
        server = KubeApiServer(build.find(), Path(directory))
        try:
            await asyncio.to_thread(server.start)
            kubeconfig = GenuineServed(server).kubeconfig(tmp_path / "kubeconfig")
            stored = GenuineStored(server)
            await play(stored, kubeconfig, 7, partial(two_watch_the_genuine, server))
        finally:
            server.stop()


async def play(stored: Stored, kubeconfig: Path, seed: int, watched: Callable[[], bool]) -> None:
    """Play a film before kubectl and the app, and hold what they print against each other."""
    kubectl, film, unused = Kubectl(), Film(stored, seed), None
    await asyncio.to_thread(film.begin)
    options = {"size": (160, 24), "flags": {"all_namespaces": True}}
    async with (
        kubectl.watching(kubeconfig),
        staged(unused, kubeconfig, **options) as screen,  # type: ignore[arg-type]
    ):
        await screen.press("2", "w")
        ours = screen.app.backups.event_log
        already = len(film.alive) + 1
        await reached(partial(have_printed, already, kubectl, ours))
        await reached(watched)
        for told in range(already + BURST, already + EVENTS + 1, BURST):
            for _ in range(BURST):
                await asyncio.to_thread(film.step)
            # An age is that of the moment a line is printed: nobody may fall behind.
            await reached(partial(have_printed, told, kubectl, ours))
        # The genuine server tells of a status by an event of its own: there are more lines than steps.
        await reached(lambda: len(printed(ours.lines)) == len(kubectl.lines))
        assert_equal(printed(ours.lines), kubectl.lines)


def have_printed(count: int, kubectl: Kubectl, ours: Log) -> bool:
    return len(kubectl.lines) >= count and len(printed(ours.lines)) >= count


def printed(lines: Iterable[str]) -> list[str]:
    """The lines of a Log; an empty one stands after the last."""
    return [line for line in lines if line]


def two_watch(server: ApiServer) -> bool:
    """Whether two have opened a watch of Backups: kubectl and the app."""
    asked = list(server.requests)
    return sum("/backups" in path and "watch=" in query for _, path, query in asked) >= 2


def two_watch_the_genuine(server: KubeApiServer) -> bool:
    """The same, by the genuine server's own count."""
    counted = re.findall(
        r'apiserver_longrunning_requests\{[^}]*resource="backups"[^}]*\} (\d+)', (server.metrics())
    )
    return sum(map(int, counted)) >= 2


async def reached(condition: Callable[[], bool]) -> None:
    end = monotonic() + DEADLINE
    while not condition():
        assert monotonic() < end, "the lines never came"
        await asyncio.sleep(0.02)


def assert_equal(ours: list[str], theirs: list[str]) -> None:
    """Line by line the same text, the age within a second."""
    assert len(ours) == len(theirs)
    assert ours[0] == theirs[0]
    for mine, real in zip(ours[1:], theirs[1:], strict=True):
        our, their = _LINE.match(mine), _LINE.match(real)
        assert our, mine
        assert their, real
        assert (our[1], our[4]) == (their[1], their[4])
        assert len(our[2] + our[3]) == len(their[2] + their[3])
        assert abs(seconds(our[2]) - seconds(their[2])) <= tolerance(their[2])


def seconds(age: str) -> int:
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhdy])", age))


def tolerance(age: str) -> int:
    """A second later, an age told in coarser units differs by one of its smallest unit."""
    return _UNITS[age[-1]]
