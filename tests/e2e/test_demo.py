"""The whole of it: the demo starts, a backup is ordered and followed to its end, nothing is left."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Served, Start
from tests.e2e.terminal import Terminal
from tests.panes.objects import a_backup, a_cluster, completed

SOON = 20.0
"""Seconds: far more than it takes, as the machine may be busy."""


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that are still there."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def test_a_backup_is_ordered_and_followed_to_its_end(start: Start) -> None:
    terminal = start("demo", "--speed", "20", size=(120, 24))
    terminal.until("live", re.compile("> production [a-z]"))
    sandboxes = children_of(terminal.process.pid)
    assert sandboxes
    while "> production pg " not in terminal.flowing:
        down(terminal)
    terminal.press("b")
    terminal.until("Create Backup pg-", "dry run: the server accepts it")
    name = re.search(r"Create Backup (pg-\d{14})", terminal.flowing)
    assert name
    terminal.press("\r")
    # A new line comes above what is being looked at: out of view, unless the newest is followed.
    # Which that is is not asked: every ten minutes a schedule of the demo makes one, too.
    terminal.press("2f")
    terminal.until(f"production {name[1]}", f"Backup {name[1]} completed")
    terminal.until(re.compile(f"production {name[1]} \\S+ pg plugin completed"))
    terminal.press("q")
    assert terminal.ends_within(SOON) == 0
    assert terminal.modes_left_changed() == set()
    assert terminal.is_as_it_was()
    assert terminal.left_behind == ""
    gone(sandboxes)


def cursor(terminal: Terminal) -> str:
    """The name of what the cursor is on, "" while it is being drawn."""
    found = re.search(r"> \S+ (\S+)", terminal.flowing)
    return found[1] if found else ""


def down(terminal: Terminal) -> None:
    """Move the cursor to the next line."""
    before = cursor(terminal)
    terminal.press("j")
    terminal.until(lambda there: cursor(there) not in ("", before))


def gone(pids: list[int]) -> None:
    """Fail unless these processes have ended, which may take them a moment."""
    for pid in pids:
        for _ in range(200):
            if not is_there(pid):
                break
            subprocess.run(["sleep", "0.05"], check=True)
        else:
            pytest.fail(f"the sandbox {pid} is still there")


def test_a_killed_app_takes_its_sandbox_with_it(start: Start) -> None:
    terminal = start("demo")
    terminal.until("live")
    sandboxes = children_of(terminal.process.pid)
    assert sandboxes
    terminal.process.kill()
    terminal.process.wait()
    gone(sandboxes)


def test_an_unknown_scenario_is_a_sentence(start: Start) -> None:
    terminal = start("demo", "--scenario", "no-such-play")
    assert terminal.ends_within(SOON) == 1
    assert "no-such-play" in terminal.left_behind
    assert "Traceback" not in terminal.left_behind


def test_nothing_is_sent_while_nothing_changes(app: Start, served: Served) -> None:
    served.seed(a_cluster("pg"), a_backup("pg-1", **completed()))
    terminal = app()
    terminal.until("> pg", "live")
    terminal.quiet(1.0)
    sent = b"".join(terminal.pump(0.1) for _ in range(40))
    # The minute of the clock may turn once in these seconds, and an age that is told in minutes.
    assert len(sent) < 400, sent


def test_the_terminal_shows_what_a_whole_repaint_would(app: Start, served: Served) -> None:
    served.seed(a_cluster("pg"), a_cluster("pg-audit"), a_backup("pg-1", **completed()))
    terminal = app()
    # What is not known yet at the start changes by itself; from then on nothing does.
    terminal.until("> pg x no ObjectStore", "pg-audit x no ObjectStore", "live")
    terminal.quiet(1.0)
    for key, wanted in (
        ("j", "> pg-audit"),
        ("t", "Triage"),
        ("\x1b", "> pg-audit"),
        ("?", "Keys"),
        ("\x1b", "> pg-audit"),
        ("2", "> pg-1"),
        ("\r", "status.phase"),
        ("\x1b", "> pg-1"),
        ("3", "No ScheduledBackup"),
        ("4", "Bucket"),
        ("1", "> pg-audit"),
    ):
        terminal.press(key)
        terminal.until(wanted)
    terminal.quiet(0.5)
    before = cells(terminal)
    sent = len(terminal.sent)
    terminal.press("\x0c")
    terminal.until(lambda there: len(there.sent) > sent + 1920)
    terminal.quiet(0.5)
    assert cells(terminal) == before


def cells(terminal: Terminal) -> list[tuple[str, str]]:
    """Every line but the clock's as it stands on the terminal: its characters, and their look."""
    screen = terminal.screen
    rows = [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(1, screen.lines)]
    return [
        ("".join(cell.data for cell in row), str([cell._replace(data="") for cell in row]))
        for row in rows
    ]
