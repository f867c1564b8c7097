"""A stage for the app: a sandbox API server, a kubeconfig, and a pilot that reads the screen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from unittest.mock import patch

import yaml
from textual.pilot import Pilot

from tests.panes.objects import NAMESPACE, Manifest
from tui import connect
from tui.app import CnpgTui
from tui.sandbox.apiserver import EVERYTHING, ApiServer, User

DEADLINE = 30.0
"""Seconds until a screen that was waited for is given up; a loaded machine needs many."""

ADMIN = User("admin", "an-admin-token", EVERYTHING)

FRAME = 1 / 60
"""Seconds after which Textual draws what has changed meanwhile."""

Wanted = str | re.Pattern[str] | Callable[["Stage"], object]


async def idle(*_: float) -> None:
    """Until this process has nothing left to do but to wait.

    Textual's own way is to look at the processor's time, for 20 ms and more, several times a key.
    """
    loop: Any = asyncio.get_running_loop()
    turns = 0
    while turns < 3:
        await asyncio.sleep(0)
        turns = 0 if loop._ready else turns + 1


class Stage:
    """The running app as its user has it: keys in, lines out. ``server`` is the other side."""

    def __init__(self, app: CnpgTui, pilot: Pilot[None], server: ApiServer) -> None:
        self.app = app
        self.pilot = pilot
        self.server = server

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, top to bottom, without trailing blanks."""
        strips = self.app.screen._compositor.render_strips()
        return [strip.text.rstrip() for strip in strips]

    @property
    def text(self) -> str:
        """The whole screen."""
        return "\n".join(self.lines)

    @property
    def flowing(self) -> str:
        """The screen as one line, so that a sentence is found however it is wrapped."""
        return " ".join(re.sub("[│▌]", " ", self.text).split())

    @property
    def footer(self) -> str:
        """The last line with words: the keys that matter here."""
        return next(line for line in reversed(self.lines) if line.strip("│└┘─ "))

    @property
    def toasts(self) -> list[str]:
        """The notifications that were shown so far and have not timed out."""
        return [notification.message for notification in self.app._notifications]

    def row(self, name: str) -> str:
        """The line that holds ``name``; the test fails where there is none."""
        return next(line for line in self.lines if name in line)

    def column(self, *names: str) -> list[str]:
        """Those of ``names`` that are on screen, in the order they appear from the top."""
        return [name for line in self.lines for name in names if f" {name} " in f"{line} "]

    async def until(self, *wanted: Wanted) -> None:
        """Wait until the screen shows every one of ``wanted``: text, pattern, or a question."""
        for each in wanted:
            await self._until(each)

    async def _until(self, wanted: Wanted) -> None:
        end = monotonic() + DEADLINE
        while not self._shows(wanted):
            if monotonic() > end:
                raise AssertionError(f"never came to be: {wanted}\n{self.text}")
            await asyncio.sleep(0.01)
        await self.drawn()

    async def gone(self, text: str) -> None:
        """Wait until the screen no longer shows ``text``."""
        await self._until(lambda stage: text not in stage.flowing)

    def _shows(self, wanted: Wanted) -> bool:
        if isinstance(wanted, str):
            return wanted in self.flowing
        if isinstance(wanted, re.Pattern):
            return bool(wanted.search(self.flowing))
        return bool(wanted(self))

    async def press(self, *keys: str) -> None:
        """Press keys, and let the app do what they ask for."""
        await self.pilot.press(*keys)
        await self.drawn()

    async def drawn(self) -> None:
        """Wait until what the app has been told so far is on the screen."""
        for _ in range(2):
            await self.pilot.pause()
            await asyncio.sleep(FRAME)
        await self.pilot.pause()

    def stored(self, plural: str, group: str = "postgresql.cnpg.io") -> list[Manifest]:
        """What the server ended up with."""
        resource = self.server.registry.at(group, "v1", plural)
        assert resource is not None
        return [stored.manifest() for stored in self.server.store.listed(resource)]

    def asked(self, method: str, path: str) -> list[tuple[str, str, str]]:
        """The requests that reached the server so far."""
        return [each for each in self.server.requests if each[0] == method and path in each[1]]


def write_kubeconfig(
    path: Path, server: ApiServer, user: User = ADMIN, *, namespace: str = NAMESPACE
) -> Path:
    """A kubeconfig for ``user`` in ``path``."""
    path.write_text(yaml.safe_dump(server.kubeconfig(user, namespace=namespace)))
    return path


@asynccontextmanager
async def staged(
    server: ApiServer,
    kubeconfig: Path,
    *,
    size: tuple[int, int] = (80, 24),
    flags: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Stage]:
    """The app on ``server``, in a terminal of ``size``; gone when the context is left."""
    app = CnpgTui(connect.Flags(kubeconfig=str(kubeconfig), **(flags or {})), **options)
    async with opened(app, server, size=size) as stage:
        yield stage


@asynccontextmanager
async def opened(
    app: CnpgTui, server: ApiServer, *, size: tuple[int, int], notifications: bool = True
) -> AsyncIterator[Stage]:
    """An app in a terminal of ``size``."""
    with (
        patch("textual.app.wait_for_idle", idle),
        patch("textual.pilot.wait_for_idle", idle),
    ):
        async with app.run_test(size=size, notifications=notifications) as pilot:
            yield Stage(app, pilot, server)


def seed(server: ApiServer, manifests: Iterable[Manifest]) -> list[Manifest]:
    """Put objects there; the answer is what the server has made of them."""
    return [server.store.seed(manifest) for manifest in manifests]
