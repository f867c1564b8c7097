"""One trial: a namespace where Backups come, change and go, a fault, and the app beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import yaml

from tests.apiserver.faults.witness import Event, Said, Witness
from tests.apiserver.manifests import backup, cluster
from tests.apiserver.relay import Relay
from tests.apiserver.server import KubeApiServer
from tests.apiserver.servers import Account, Genuine, Rule, path

EVERYTHING = Rule(("*",), ("*",), "*")
_BREATH = 0.5
"""Seconds between two things that happen."""


@dataclass(slots=True)
class Measured:
    """What came of a trial; moments are of the monotonic clock."""

    began: float
    ended: float = 0.0
    said: list[Said] = field(default_factory=list)
    """What header and pane said from the beginning of the fault to the recovery."""
    text: str = ""
    """The screen in the middle of the fault."""
    happened: list[Event] = field(default_factory=list)
    told: list[Event] = field(default_factory=list)
    table: dict[str, str] = field(default_factory=dict)
    fresh: dict[str, str] = field(default_factory=dict)

    @property
    def noticed(self) -> float | None:
        """When neither header nor pane said ``live`` any more; None: never."""
        return next((each.at for each in self.said[1:] if "live" not in each.words), None)

    @property
    def recovered(self) -> float:
        """When both said ``live`` again, for good; not before the end of the fault."""
        back = self.ended
        for before, after in pairwise(self.said):
            if before.words != after.words == {"live"}:
                back = max(self.ended, after.at)
        return back

    @property
    def words(self) -> list[str]:
        """What was said, in order, each once; the header's and the pane's."""
        return list(dict.fromkeys(word for each in self.said for word in sorted(each.words)))


class Trial:
    """A namespace, a kubeconfig, the app's screen, and somebody who writes."""

    def __init__(self, server: KubeApiServer, folder: Path) -> None:
        self.genuine = Genuine(server)
        self.kubeconfig = folder / "kubeconfig"
        self.relay = Relay(server.url)
        self.happened: list[Event] = []
        self._writing = asyncio.Event()
        self._idle = asyncio.Event()
        self._number = 0

    @asynccontextmanager
    async def running(
        self,
        *,
        led: bool = True,
        network: Any = None,
        environment: dict[str, str] | None = None,
    ) -> AsyncIterator[Witness]:
        """The app, live, with its log of Backups in front, while things happen.

        ``led``: through the relay, else straight to the server.
        """
        async with AsyncExitStack() as stack:
            await self.genuine.start()
            stack.push_async_callback(self.genuine.stop)
            await self._make(path(self.genuine, "clusters"), cluster())
            await self.relay.start(network.listening() if network else None)
            stack.push_async_callback(self.relay.stop)
            self.account = await self.genuine.account(EVERYTHING)
            self.sign_in(self.account, led=led)
            await self._step()
            del self.happened[0]  # the first list tells it completed
            inside = network.command if network else (lambda *command: command)
            witness = stack.enter_context(
                Witness(self.kubeconfig, inside=inside, environment=environment)
            )
            await witness.until_live()
            witness.press("2w")
            await witness.until_told(self.happened)
            writer = asyncio.create_task(self._write())
            stack.push_async_callback(_ended, writer)
            self._writing.set()
            await self._some_more(4)
            await witness.until_told(list(self.happened))
            yield witness

    def sign_in(self, account: Account, *, led: bool = True) -> None:
        """Write the kubeconfig (anew), as a tool that renews it does: at once, or not at all."""
        content = self.genuine.kubeconfig(account.token)
        fresh = self.kubeconfig.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(self.relay.kubeconfig(content) if led else content))
        fresh.replace(self.kubeconfig)

    async def hush(self) -> None:
        """Nothing happens for now: the server could not answer the writer."""
        self._writing.clear()
        await self._idle.wait()

    def go_on(self) -> None:
        """Things happen again."""
        self._writing.set()

    async def concluded(self, witness: Witness, measured: Measured) -> Measured:
        """Wait for the recovery and take down what the app knows and what the server has."""
        self.go_on()
        await witness.until_live()
        await self._some_more(3)
        await self.hush()
        await witness.until_told(self.happened)
        await witness.until_live()
        measured.said = witness.since(measured.began)
        measured.happened, measured.told = list(self.happened), witness.told
        listed = await self.genuine.admin.get(path(self.genuine, "backups"))
        measured.fresh = {
            item["metadata"]["name"]: item.get("status", {}).get("phase", "")
            for item in listed.body["items"]
        }
        witness.press("w")
        await witness.until("the table", lambda: set(witness.table) == set(measured.fresh))
        measured.table = witness.table
        return measured

    async def _some_more(self, count: int) -> None:
        enough = len(self.happened) + count
        while len(self.happened) < enough:  # noqa: ASYNC110 - the writer sets its own pace
            await asyncio.sleep(0.05)

    async def _write(self) -> None:
        while True:
            if not self._writing.is_set():
                self._idle.set()
                await self._writing.wait()
                self._idle.clear()
            await self._step()
            await asyncio.sleep(_BREATH)

    async def _step(self) -> None:
        """A Backup is made, completed; the one before the last goes."""
        self._number += 1
        backups = path(self.genuine, "backups")
        name = f"f-{self._number:04d}"
        await self._make(backups, backup(name))
        self.happened.append((name, "made"))
        await asyncio.sleep(_BREATH)
        admin = self.genuine.admin
        done = {"status": {"phase": "completed"}}
        await _insist(lambda: admin.patch(f"{backups}/{name}/status", done))
        self.happened.append((name, "completed"))
        if self._number > 2 and self._number % 2:
            await asyncio.sleep(_BREATH)
            gone = f"f-{self._number - 2:04d}"
            await _insist(lambda: admin.delete(f"{backups}/{gone}"))
            self.happened.append((gone, "gone"))

    async def _make(self, collection: str, body: dict[str, Any]) -> None:
        await _insist(lambda: self.genuine.admin.create(collection, body))


async def _insist(ask: Callable[[], Any]) -> None:
    """Ask until it is done; what is there, or gone, already was done by an answer that was lost."""
    while True:
        with suppress(aiohttp.ClientError, TimeoutError):
            answer = await ask()
            if answer.status in (200, 201, 404, 409):
                return
        await asyncio.sleep(0.2)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def now() -> float:
    """The clock of ``Measured``."""
    return monotonic()
