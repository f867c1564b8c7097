"""Starting the sandbox as a process: what it exports, and what is said when it does not start."""

from __future__ import annotations

import pytest

from tui import faults
from tui.demo import Sandbox, exported


@pytest.mark.parametrize(
    ("lines", "variables"),
    [
        (["export A=b\n"], {"A": "b"}),
        (["export A='b c'\n", 'export D="e=f"\n'], {"A": "b c", "D": "e=f"}),
        (["# a remark\n", "\n", "echo hello\n", "export A=\n"], {"A": ""}),
    ],
)
def test_shell_lines_are_read_as_a_shell_would(lines: list[str], variables: dict[str, str]) -> None:
    assert exported(lines) == variables


async def test_a_scenario_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(faults.Misconfigured, match="no-such-play"):
        async with Sandbox("no-such-play", 1.0):
            pytest.fail("there is no such scenario")
