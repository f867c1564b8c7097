"""Sandboxes that end with the module that started them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.sandbox.staged import Sandbox

Start = Callable[..., Sandbox]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a sandbox with a scenario, by name or as text, and flags; it ends with the module."""
    running: list[Sandbox] = []

    def begin(scenario: str, *flags: str, wait_for: str = "loaded") -> Sandbox:
        if "\n" in scenario:
            path = tmp_path_factory.mktemp("scenario") / "given.yaml"
            path.write_text(scenario)
            scenario = str(path)
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tui.sandbox.demo",
                "--until-eof",
                "--scenario",
                scenario,
                *flags,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        sandbox = Sandbox(process)
        running.append(sandbox)
        sandbox.wait_for(wait_for)
        return sandbox

    yield begin
    for sandbox in running:
        sandbox.stop()
