"""The JSON documents of the README: field for field what the commands print, no more and no less."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.staged import Sandbox, playing, private

README = (Path(__file__).parents[2] / "README.md").read_text()
DOCUMENTED: list[Any] = [
    json.loads(block) for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL)
]

COMMANDS = {
    "cron": ("cron", "0 2 * * *"),
    "lint": ("lint", "-A"),
    "check": ("check", "-A"),
    "archive": ("archive", "pg-orders"),
    "backup": ("backup", "pg", "--dry-run"),
}
"""In the order of the README."""

PROSE = {"[].window.holes[].from", "[].window.holes[].to"}
"""Described beside the document."""

SCENARIO = """\
clusters:
  - name: pg-orders
    lost: [{ago: 3d, count: 3}, {ago: 20m, count: 2}]
    schedules: [{name: orders-daily, cron: "0 2 * * *"}]
  - {name: pg}
"""


def fields(document: Any, path: str = "") -> set[str]:
    """The path of every field; those of all items of a list are one."""
    if isinstance(document, list):
        return {field for item in document for field in fields(item, f"{path}[]")}
    if isinstance(document, dict):
        return {
            field
            for name, value in document.items()
            for field in ({f"{path}.{name}"} | fields(value, f"{path}.{name}"))
        }
    return set()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    script = tmp_path_factory.mktemp("scenario") / "torn.yaml"
    script.write_text(SCENARIO)
    with playing(str(script)) as found:
        yield found


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_prints_the_fields_that_the_readme_has(
    command: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui", *COMMANDS[command], "-o", "json"],
        env=private(tmp_path, sandbox.kubeconfig),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    documented = fields(DOCUMENTED[list(COMMANDS).index(command)])
    assert fields(json.loads(done.stdout)) - PROSE == documented
