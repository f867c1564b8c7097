"""The app in a real terminal, read as its user reads it: what it said of its own age, and when."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Self

from tests.e2e.terminal import Terminal, tui

_SIZE = (100, 320)
"""Tall enough for everything that happens in one trial."""

_STATE = re.compile(
    r"live|loading|stale since \d\d:\d\d:\d\dZ|not reached yet|signed out|polling|forbidden"
)
_PRINTED = re.compile(r"(ADDED|MODIFIED|DELETED) +(f-\d+) +\S+ +pg +plugin *(completed)?")
_ROW = re.compile(r"(f-\d+) +\S+ +pg +plugin *(completed)?")

LIMIT = 150.0
"""Seconds after which what was waited for is given up."""

Event = tuple[str, str]
"""A Backup's name and what became of it: ``made``, ``completed`` or ``gone``."""


def standing(events: list[Event]) -> dict[str, str]:
    """What is there after these."""
    return {name: became for name, became in dict(events).items() if became != "gone"}


@dataclass(frozen=True, slots=True)
class Said:
    """What the screen said of the clusters (in the header) and of the Backups (in their pane)."""

    at: float
    header: str
    pane: str

    @property
    def words(self) -> frozenset[str]:
        """Both, without the moments."""
        return frozenset(re.sub(r" since .*", "", each) for each in (self.header, self.pane))


class Witness:
    """One app. A thread of its own takes in what it writes, whoever else is waiting for what."""

    def __init__(
        self,
        kubeconfig: Path,
        *,
        inside: Callable[..., tuple[str, ...]] = lambda *command: command,
        environment: dict[str, str] | None = None,
    ) -> None:
        home = kubeconfig.parent
        own = {"HOME": str(home), "XDG_STATE_HOME": str(home), "XDG_DATA_HOME": str(home)}
        command = inside(*tui("--kubeconfig", str(kubeconfig)))
        self._terminal = Terminal(*command, size=_SIZE, environment=own | (environment or {}))
        self.said = [Said(monotonic(), "nothing", "nothing")]
        self._text = ""
        self._changed = False
        """Since the text was read: 300 lines take a while to read."""
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._terminal.close()

    @property
    def now(self) -> Said:
        """What stands there now."""
        return self.said[-1]

    def since(self, when: float) -> list[Said]:
        """What was said since a moment, beginning with what stood there then."""
        before = [each for each in self.said if each.at <= when]
        return [*before[-1:], *(each for each in self.said if each.at > when)]

    @property
    def text(self) -> str:
        """The whole screen."""
        if self._changed:
            with self._lock:
                self._changed = False
                self._text = "\n".join(line for line in self._terminal.lines if line)
        return self._text

    @property
    def told(self) -> list[Event]:
        """Every line of the log, in order."""
        became = {"ADDED": "made", "MODIFIED": "completed", "DELETED": "gone"}
        found = []
        for type_, name, phase in _PRINTED.findall(self.text):
            # A list tells of a Backup for the first time that has been completed meanwhile.
            found.append((name, "completed" if type_ != "DELETED" and phase else became[type_]))
        return found

    @property
    def table(self) -> dict[str, str]:
        """The rows, name to phase."""
        return dict(_ROW.findall(self.text))

    def press(self, keys: str) -> None:
        """Type."""
        self._terminal.press(keys)

    async def until(self, what: str, holds: Callable[[], bool], within: float = LIMIT) -> float:
        """Wait until it holds; the moment it did."""
        end = monotonic() + within
        while not holds():
            if monotonic() > end or self._terminal.process.poll() is not None:
                raise AssertionError(f"never came to be: {what}\n{self.text}")
            await asyncio.sleep(0.1)
        return monotonic()

    async def until_live(self) -> float:
        """Wait until both are live."""
        return await self.until("live", lambda: self.now.words == {"live"})

    async def until_told(self, happened: list[Event]) -> float:
        """Wait until the log leads to what is there after all that happened."""
        there = standing(happened)
        return await self.until("all told", lambda: standing(self.told) == there)

    def _read(self) -> None:
        while not self._over.wait(0.02):
            with self._lock:
                if not self._terminal.pump(0.01):
                    continue
                self._changed = True
                said = Said(monotonic(), self._state(0), self._state(1, 2))
            if (said.header, said.pane) != (self.now.header, self.now.pane):
                self.said.append(said)

    def _state(self, *rows: int) -> str:
        """What these lines at the top say of their age."""
        screen = self._terminal.screen
        for row in rows:
            line = "".join(screen.buffer[row][column].data for column in range(screen.columns))
            if found := _STATE.search(line):
                return found[0]
        return "nothing"
