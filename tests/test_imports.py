"""What is loaded when, and who may know whom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CLIENTS = ("kubernetes", "aiohttp", "boto3", "botocore", "croniter")


def loaded_by(module: str) -> set[str]:
    """The top-level modules a fresh interpreter has loaded after importing ``module``."""
    script = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_first_frame_waits_for_no_client_library() -> None:
    assert loaded_by("tui.app").isdisjoint(CLIENTS)


@pytest.mark.parametrize("module", ["tui.reports", "tui.connect", "tui.cli"])
def test_what_draws_nothing_loads_no_textual(module: str) -> None:
    assert loaded_by(module).isdisjoint({"textual", "rich", *CLIENTS})


def test_the_rooms_know_only_whom_they_may() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
