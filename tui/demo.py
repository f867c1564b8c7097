"""Starts the sandbox as a process of its own, so that its work never delays a key in the app."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from types import TracebackType

from tui import faults

READY = "loaded"
"""Before that its bucket is being filled, in no order: whoever looks then sees holes."""
_PATIENCE = 60.0
"""Seconds until a sandbox that is not ready is given up."""


def check() -> None:
    """Raises ``faults.Misconfigured`` where the extra ``demo`` was not installed."""
    if importlib.util.find_spec("cryptography") is None:
        raise faults.Misconfigured("the demo needs more packages: pip install 'cnpg-tui[demo]'")


def command(scenario: str, speed: float) -> list[str]:
    """The command line of a sandbox."""
    return [sys.executable, "-m", "tui.sandbox.demo", "--scenario", scenario, "--speed", str(speed)]


class Sandbox:
    """A running sandbox: its environment once it is ready, gone when the context is left."""

    def __init__(self, scenario: str, speed: float) -> None:
        self._command = [*command(scenario, speed), "--until-eof"]
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> dict[str, str]:
        """Start it; the answer is what it exports. Raises ``faults.Misconfigured``."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,  # its end tells the sandbox that nobody needs it
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # ctrl-c in the terminal is for the app
        )
        ready = False
        try:
            async with asyncio.timeout(_PATIENCE):
                exports = await self._exports(self._process)
            ready = True
        except TimeoutError as late:
            raise faults.Misconfigured(
                f"the sandbox was not ready within {_PATIENCE:.0f} s"
            ) from late
        finally:
            if not ready:  # also when the user quits while it starts
                await self._stop()
        return exports

    async def _exports(self, process: asyncio.subprocess.Process) -> dict[str, str]:
        assert process.stdout is not None
        assert process.stderr is not None
        lines: list[str] = []
        while line := (await process.stdout.readline()).decode():
            if line.strip() == READY:
                return exported(lines)
            lines.append(line)
        said = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
        raise faults.Misconfigured(
            f"the sandbox did not start: {said[-1] if said else 'no reason given'}"
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._stop()

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(3):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def exported(lines: Sequence[str]) -> dict[str, str]:
    """The variables that shell lines like ``export NAME='value'`` set."""
    found = {}
    for line in lines:
        words = shlex.split(line, comments=True)
        if len(words) == 2 and words[0] == "export":
            name, _, value = words[1].partition("=")
            found[name] = value
    return found


def serve_only(scenario: str, speed: float) -> None:
    """Become the sandbox; never returns."""
    os.execv(sys.executable, command(scenario, speed))  # noqa: S606 - our own interpreter
