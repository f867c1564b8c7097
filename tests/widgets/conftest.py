"""The screen as text, two ways: as the compositor would draw it, and as a terminal received it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pexpect
import pyte
import pytest
from textual.app import App
from textual.strip import Strip

ROOT = Path(__file__).parents[2]

# Keyboard-protocol sequences that pyte would print.
_NOT_FOR_PYTE = re.compile(rb"\x1b\[[<>=?][0-9;]*u")


@pytest.fixture
def strips() -> Callable[[App[Any]], list[Strip]]:
    """Gives the lines of an app's screen, top to bottom, with their styles."""
    return lambda app: app.screen._compositor.render_strips()


@pytest.fixture
def lines(strips: Callable[[App[Any]], list[Strip]]) -> Callable[[App[Any]], list[str]]:
    """Gives the lines of an app's screen, top to bottom, without trailing blanks."""
    return lambda app: [strip.text.rstrip() for strip in strips(app)]


class Terminal:
    """A program in an 80x24 terminal of 256 colours that can synchronise its output."""

    QUIET = 0.3
    """Seconds without a byte after which the program has said what it had to say."""

    def __init__(self, *argv: str, **environment: str) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in {"COLORTERM", "NO_COLOR"} and not name.startswith("TEXTUAL")
        }
        kept |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)} | environment
        self.child = pexpect.spawn(
            sys.executable, list(argv), env=kept, dimensions=(24, 80), echo=False
        )
        self.child.delaybeforesend = None
        self.screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self.screen)

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    def read(self, within: float) -> bytes:
        """One lot of output; nothing when ``within`` seconds bring none."""
        try:
            data: bytes = self.child.read_nonblocking(65536, timeout=within)
        except pexpect.TIMEOUT:
            return b""
        if b"\x1b[?2026$p" in data:
            self.child.send("\x1b[?2026;2$y")
        self._stream.feed(_NOT_FOR_PYTE.sub(b"", data))
        return data

    def until(self, reached: Callable[[list[str]], bool], deadline: float = 20.0) -> bytes:
        """Everything sent until the screen is as wanted."""
        sent, end = b"", monotonic() + deadline
        while not reached(self.lines()):
            if monotonic() > end:
                raise AssertionError("the screen never came to be:\n" + "\n".join(self.lines()))
            sent += self.read(0.05)
        return sent

    def rest(self) -> bytes:
        """Everything sent until the program has fallen quiet."""
        sent = b""
        while data := self.read(self.QUIET):
            sent += data
        return sent

    def press(self, keys: str, reached: Callable[[list[str]], bool]) -> bytes:
        """What the program sends for ``keys``, until the screen is as wanted and it falls quiet."""
        self.child.send(keys)
        return self.until(reached) + self.rest()

    def close(self) -> None:
        self.child.close(force=True)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Starts programs of this Python in a terminal; they end with the test."""
    opened: list[Terminal] = []

    def start(*argv: str, **environment: str) -> Terminal:
        opened.append(Terminal(*argv, **environment))
        return opened[-1]

    yield start
    for each in opened:
        each.close()
