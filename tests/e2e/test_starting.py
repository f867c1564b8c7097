"""What a user sees who starts it where it cannot work: one clear sentence, soon, and no traceback."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import Served, Start
from tests.e2e.terminal import ROOT, Terminal, tui
from tests.panes.objects import a_backup, a_cluster, archiving, completed, started
from tui.sandbox.tls import self_made

SOON = 20.0
"""Seconds: far more than the five it may take, as the machine may be busy."""


def ends_with(terminal: Terminal, sentence: str) -> None:
    assert terminal.ends_within(SOON) == 1
    assert sentence in terminal.left_behind
    assert "Traceback" not in terminal.left_behind
    assert terminal.is_as_it_was()
    assert terminal.modes_left_changed() == set()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("{ not: [yaml", "is not YAML"),
        ("- a list", "is not a kubeconfig"),
        ("apiVersion: v1\nkind: Config\n", "has no contexts"),
    ],
    ids=["empty", "not YAML", "a list", "no contexts"],
)
def test_a_kubeconfig_that_leads_nowhere(
    start: Start, tmp_path: Path, content: str, sentence: str
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    ends_with(start("--kubeconfig", str(path)), sentence)


def test_a_kubeconfig_that_is_not_there(start: Start, tmp_path: Path) -> None:
    ends_with(start("--kubeconfig", str(tmp_path / "none")), str(tmp_path / "none"))


def test_a_kubeconfig_that_cannot_be_read(start: Start, tmp_path: Path) -> None:
    ends_with(start("--kubeconfig", str(tmp_path)), "is a directory")


def test_an_unknown_context_is_answered_with_those_there_are(app: Start) -> None:
    ends_with(app("--context", "produktion"), "There are: demo")


def test_a_missing_namespace(app: Start) -> None:
    ends_with(
        app("-n", "produktion"),
        "namespace produktion does not exist in context demo: choose another with -n, or -A",
    )


def test_a_server_that_is_down(served: Served, start: Start, tmp_path: Path) -> None:
    path = served.kubeconfig(tmp_path / "kubeconfig")
    served.stop()
    terminal = start("--kubeconfig", str(path))
    terminal.until("not reached yet", "cannot connect to http://127.0.0.1", "connection refused")


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_server_that_is_silent(served: Served, start: Start, tmp_path: Path, silent: str) -> None:
    path = served.kubeconfig(tmp_path / "kubeconfig")
    config = yaml.safe_load(path.read_text())
    config["clusters"][0]["cluster"]["server"] = silent
    path.write_text(yaml.safe_dump(config))
    terminal = start("--kubeconfig", str(path))
    terminal.until("the server has not answered for", "still waiting")


def test_a_certificate_that_is_not_trusted(start: Start, tmp_path: Path) -> None:
    served = Served(tls=self_made())
    try:
        path = served.kubeconfig(tmp_path / "kubeconfig")
        config = yaml.safe_load(path.read_text())
        del config["clusters"][0]["cluster"]["certificate-authority-data"]
        path.write_text(yaml.safe_dump(config))
        terminal = start("--kubeconfig", str(path), size=(120, 24))
        terminal.until("is not trusted", "Check certificate-authority in the kubeconfig")
    finally:
        served.close()


def test_a_wrong_token(served: Served, start: Start, tmp_path: Path) -> None:
    path = served.kubeconfig(tmp_path / "kubeconfig")
    path.write_text(path.read_text().replace("an-admin-token", "a-wrong-token"))
    terminal = start("--kubeconfig", str(path))
    terminal.until("signed out", "the server does not accept these credentials", "R asks again")
    assert "a-wrong-token" not in terminal.sent.decode(errors="replace")
    log = tmp_path / "state" / "cnpg-tui" / "cnpg-tui.log"
    assert "a-wrong-token" not in log.read_text()


def test_a_terminal_of_20x5_works(app: Start, served: Served) -> None:
    served.seed(a_cluster("pg", archiving("False")), a_backup("pg-1", **completed()))
    terminal = app(size=(20, 5))
    terminal.until("x 1", "> pg")
    terminal.press("2")
    terminal.until("> pg-1", "PHASE")
    terminal.press("q")
    assert terminal.ends_within(SOON) == 0


def test_a_window_may_change_its_size_at_any_time(app: Start, served: Served) -> None:
    served.seed(a_cluster("pg"), a_backup("pg-1", **completed()))
    terminal = app()
    terminal.until("> pg")
    terminal.resize((160, 48))
    terminal.until("VERDICT", "METHOD", "PHASE")
    terminal.resize((20, 5))
    terminal.until(lambda t: "METHOD" not in t.text and "> pg" in t.text)
    terminal.resize((80, 24))
    terminal.until("VERDICT", "LAST BASE")
    terminal.press("q")
    assert terminal.ends_within(SOON) == 0


def test_what_changes_in_one_pane_leaves_the_one_beside_it_alone(
    app: Start, served: Served
) -> None:
    served.seed(a_cluster("pg"), a_backup("pg-1", age=1, **started(1)))
    terminal = app(size=(160, 48))
    terminal.until("> pg ", re.compile(r"> pg-1 +\ds "), "Schedules")
    terminal.until(re.compile(r"> pg-1 +1\ds "))  # its age was drawn anew several times
    assert any("> pg " in line.split("│")[0] for line in terminal.lines), terminal.text


def test_a_dumb_terminal_gets_the_report(app: Start, served: Served) -> None:
    served.seed(a_cluster("pg", archiving("False")), a_backup("pg-1", **completed()))
    terminal = app(TERM="dumb")
    assert terminal.ends_within(SOON) == 0
    assert b"\x1b" not in terminal.sent
    assert "NAMESPACE NAME VERDICT" in terminal.left_behind
    assert "pg-1" in terminal.left_behind


def test_no_terminal_gets_the_report(served: Served, tmp_path: Path) -> None:
    served.seed(a_cluster("pg"), a_backup("pg-1", **completed()))
    path = served.kubeconfig(tmp_path / "kubeconfig")
    done = subprocess.run(
        tui("--kubeconfig", str(path)),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].split()[:3] == ["NAMESPACE", "NAME", "VERDICT"]
    assert "pg-1" in done.stdout


def test_the_demo_without_a_terminal_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui", "demo"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "--serve-only" in done.stderr
