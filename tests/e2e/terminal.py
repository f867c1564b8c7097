"""A program in a real pseudo-terminal, its screen as a terminal would show it, and what it leaves.

The other end of the line stays open after the program is gone, so that the settings it leaves
behind can be compared with those it found.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pyte

ROOT = Path(__file__).parents[2]
DEADLINE = 40.0
"""Seconds until something that was waited for is given up; the machine may be busy."""
PATIENCE = 10.0
"""Seconds that a program which is no longer wanted may take to go by itself."""

# Keyboard-protocol and synchronisation sequences that pyte would print.
_NOT_FOR_PYTE = re.compile(rb"\x1b\[[<>=?][0-9;]*u|\x1b\[\?2026\$p")
_MODES = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
_KEYBOARD = re.compile(rb"\x1b\[([<>])[0-9;]*u")
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\)|[ -/]*[0-~])", re.DOTALL
)

_ON_AT_FIRST = {"7": True, "25": True}
"""Private modes that are set in a fresh terminal: autowrap, and the cursor that can be seen."""


class Terminal:
    """One program in one terminal; ``environment`` is added to a bare one."""

    def __init__(
        self,
        *command: str,
        size: tuple[int, int] = (80, 24),
        environment: dict[str, str] | None = None,
    ) -> None:
        columns, rows = size
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.sent = b""
        """Everything the program has written."""
        self._master, self._slave = pty.openpty()
        self._set_size(size)
        self.settings: list[Any] = termios.tcgetattr(self._slave)
        """Of the terminal as the program found it."""
        self.process = subprocess.Popen(
            command,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=_bare_environment() | (environment or {}),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    # -- the screen ----------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """What the terminal shows, without trailing blanks."""
        return [line.rstrip() for line in self.screen.display]

    @property
    def text(self) -> str:
        """The whole screen."""
        return "\n".join(self.lines)

    @property
    def flowing(self) -> str:
        """The screen as one line, so that a sentence is found however it is wrapped."""
        return " ".join(re.sub("[│▌]", " ", self.text).split())

    @property
    def left_behind(self) -> str:
        """The words on the terminal once the program has given it back."""
        written = self.sent.rpartition(b"\x1b[?1049l")[2].decode(errors="replace")
        return " ".join(_ESCAPES.sub("", written).split())

    def pump(self, within: float) -> bytes:
        """Take in what the program writes in the next ``within`` seconds, at most one lot."""
        ready, _, _ = select.select([self._master], [], [], within)
        if not ready:
            return b""
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: nobody holds the other end any more
            return b""
        self.sent += data
        if b"\x1b[?2026$p" in data:
            os.write(self._master, b"\x1b[?2026;2$y")
        self._stream.feed(_NOT_FOR_PYTE.sub(b"", data))
        return data

    def until(self, *wanted: str | re.Pattern[str] | Callable[[Terminal], object]) -> None:
        """Wait until the screen shows every one of ``wanted``."""
        for each in wanted:
            end = monotonic() + DEADLINE
            while not self._shows(each):
                if monotonic() > end:
                    raise AssertionError(f"never came to be: {each}\n{self.text}")
                if not self.pump(0.05) and self.process.poll() is not None:
                    raise AssertionError(f"ended before: {each}\n{self.left_behind}")

    def quiet(self, seconds: float) -> None:
        """Wait until the program has written nothing for so long."""
        while self.pump(seconds):
            pass

    def _shows(self, wanted: str | re.Pattern[str] | Callable[[Terminal], object]) -> bool:
        if isinstance(wanted, str):
            return wanted in self.flowing
        if isinstance(wanted, re.Pattern):
            return bool(wanted.search(self.flowing))
        return bool(wanted(self))

    # -- the keyboard, the line, the window ----------------------------------------------------

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def resize(self, size: tuple[int, int]) -> None:
        """Change the window, as a user who drags its corner."""
        self.screen.resize(size[1], size[0])
        self._set_size(size)

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the program alone, as ``kill`` does."""
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """Close the line, as a dropped connection does: no more reading or writing."""
        os.close(self._slave)
        os.close(self._master)
        self._slave = self._master = -1

    def _set_size(self, size: tuple[int, int]) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    # -- the end -------------------------------------------------------------------------------

    def ends_within(self, seconds: float) -> int:
        """Wait for the program's end and give its exit code; fail where it takes longer."""
        start = monotonic()
        while self.process.poll() is None:
            if self._master >= 0:
                self.pump(0.02)
            else:
                self.process.wait(seconds)
            assert monotonic() < start + seconds, f"still there after {seconds} s\n{self.text}"
        while self._master >= 0 and self.pump(0.05):
            pass
        assert self.process.returncode is not None
        return self.process.returncode

    def modes_left_changed(self) -> set[str]:
        """The modes of the terminal that the program has changed and not changed back."""
        now: dict[str, bool] = {}
        for numbers, letter in _MODES.findall(self.sent):
            now |= dict.fromkeys(numbers.decode().split(";"), letter == b"h")
        left = {mode for mode, is_on in now.items() if is_on != _ON_AT_FIRST.get(mode, False)}
        depth = sum(1 if sign == b">" else -1 for sign in _KEYBOARD.findall(self.sent))
        return left | ({"keyboard protocol"} if depth > 0 else set())

    def is_as_it_was(self) -> bool:
        """Whether stty's settings are those the program found."""
        settings: list[Any] = termios.tcgetattr(self._slave)
        return settings == self.settings

    def close(self) -> None:
        """Make sure that the program, and whatever it started, is gone."""
        if self.process.poll() is None:
            self.process.terminate()
            end = monotonic() + PATIENCE
            while self.process.poll() is None and monotonic() < end:
                # Who writes to a terminal that nobody reads may wait for ever.
                if self._master < 0 or not self.pump(0.02):
                    sleep(0.01)
            self.process.kill()
            self.process.wait()
        for end in (self._master, self._slave):
            if end >= 0:
                os.close(end)


def _bare_environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    return environment | {
        "TERM": "xterm-256color",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "default",
    }


def tui(*arguments: str) -> tuple[str, ...]:
    """The command line of the app."""
    return (sys.executable, "-m", "tui", *arguments)
