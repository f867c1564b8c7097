"""However the app ends: it is gone soon, and the terminal is as it was."""

from __future__ import annotations

import signal
import stat
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Served, Start
from tests.e2e.terminal import Terminal
from tests.panes.objects import a_backup, a_cluster, completed

SOON = 15.0
"""Seconds: far more than it takes, as the machine may be busy; ``bench_app`` measures the second."""


def running(app: Start, served: Served) -> Terminal:
    served.seed(a_cluster("pg"), a_backup("pg-1", **completed()))
    terminal = app()
    terminal.until("> pg", "live")
    return terminal


def assert_given_back(terminal: Terminal) -> None:
    assert b"\x1b[?1049h" in terminal.sent
    assert terminal.modes_left_changed() == set()
    assert terminal.is_as_it_was()
    assert "Traceback" not in terminal.left_behind


@pytest.mark.parametrize("key", ["q", "\x03", "\x11"], ids=["q", "ctrl-c", "ctrl-q"])
def test_a_key_ends_it(app: Start, served: Served, key: str) -> None:
    terminal = running(app, served)
    terminal.press(key)
    assert terminal.ends_within(SOON) == 0
    assert_given_back(terminal)
    assert terminal.left_behind == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it(app: Start, served: Served, number: signal.Signals) -> None:
    terminal = running(app, served)
    terminal.send_signal(number)
    assert terminal.ends_within(SOON) == 128 + number
    assert_given_back(terminal)


def test_ctrl_c_ends_it_while_a_dialog_asks(app: Start, served: Served) -> None:
    terminal = running(app, served)
    terminal.press("b")
    terminal.until("dry run: the server accepts it")
    terminal.press("\x03")
    assert terminal.ends_within(SOON) == 0
    assert_given_back(terminal)
    assert not any(
        method == "POST" and path.endswith("/backups") and "dryRun" not in query
        for method, path, query in served.do(lambda server: server.requests)
    )


def test_it_ends_while_the_server_is_silent(app: Start, served: Served) -> None:
    terminal = running(app, served)
    served.do(lambda server: server.freeze())
    terminal.press("2")
    terminal.until("METHOD")
    terminal.press("R")
    terminal.press("q")
    assert terminal.ends_within(SOON) == 0
    assert_given_back(terminal)


def test_it_ends_before_it_is_connected(served: Served, app: Start) -> None:
    served.do(lambda server: server.freeze())
    terminal = app()
    terminal.until("Clusters")
    terminal.send_signal(signal.SIGTERM)
    assert terminal.ends_within(SOON) == 128 + signal.SIGTERM
    assert_given_back(terminal)


def test_a_dropped_line_ends_it(app: Start, served: Served) -> None:
    terminal = running(app, served)
    terminal.hang_up()
    assert terminal.ends_within(SOON) != 0


CRASHING = """
import sys
from tui import cli
from tui.panes.backups import BackupsPane

def broken(*_):
    secret = "a token"
    raise ZeroDivisionError("made on purpose")

BackupsPane.action_follow = broken
sys.argv = ["cnpg-tui", *sys.argv[1:]]
sys.exit(cli.main())
"""


def test_a_crash_is_one_sentence_and_a_log_for_the_user_alone(
    served: Served, start: Start, tmp_path: Path
) -> None:
    served.seed(a_cluster("pg"), a_backup("pg-1", **completed()))
    path = served.kubeconfig(tmp_path / "kubeconfig")
    terminal = start(command=(sys.executable, "-c", CRASHING, "--kubeconfig", str(path)))
    terminal.until("> pg", "live")
    terminal.press("2")
    terminal.until("METHOD")
    terminal.press("f")
    assert terminal.ends_within(SOON) == 1
    assert_given_back(terminal)
    log = tmp_path / "state" / "cnpg-tui" / "cnpg-tui.log"
    assert terminal.left_behind == (
        "cnpg-tui stopped because of a mistake of its own (ZeroDivisionError). "
        f"The details are in {log}."
    )
    assert "made on purpose" in log.read_text()
    assert "Traceback" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_the_log_goes_where_it_is_told(app: Start, served: Served, tmp_path: Path) -> None:
    chosen = tmp_path / "somewhere" / "else.log"
    terminal = app("--log-file", str(chosen))
    terminal.until("live")
    terminal.press("q")
    assert terminal.ends_within(SOON) == 0
    assert stat.S_IMODE(chosen.stat().st_mode) == 0o600


def test_a_log_that_cannot_be_written_is_a_sentence(app: Start) -> None:
    terminal = app("--log-file", "/dev/null/cnpg-tui.log")
    assert terminal.ends_within(SOON) == 1
    assert (
        "cannot write the log: /dev/null: File exists. Choose another file with --log-file"
        in terminal.left_behind
    )
    assert "Traceback" not in terminal.left_behind
