"""The sandbox as a program: what it prints, whom it lets in, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.conftest import Start
from tests.sandbox.staged import gone, waited
from tui.sandbox import demo

SMALL = """
clusters: [{name: pg, history: 2h}]
users:
- name: viewer
  rules:
  - {api_groups: [postgresql.cnpg.io], resources: [clusters], verbs: [get, list],
     namespaces: [production]}
"""


def test_a_shell_evaluates_what_it_prints(start: Start, tmp_path: Path) -> None:
    sandbox = start(SMALL)
    assert [line.partition("=")[0] for line in sandbox.lines] == [
        "export KUBECONFIG",
        "export AWS_ENDPOINT_URL_S3",
        "export AWS_ACCESS_KEY_ID",
        "export AWS_SECRET_ACCESS_KEY",
        "export CNPG_TUI_BUCKET",
        "ready",
        "loaded",
    ]
    exports = "\n".join(line for line in sandbox.lines if line.startswith("export"))
    kubectl = Path(sys.executable).with_name("kubectl")
    script = f'{exports}\n"{kubectl}" get clusters -o name; echo $CNPG_TUI_BUCKET'
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True)
    assert done.stdout == "cluster.postgresql.cnpg.io/pg\nacme-pg\n"
    assert sandbox.keys("prod/pg/wals/")
    assert sandbox.kubeconfig.stat().st_mode & 0o077 == 0
    assert sandbox.kubeconfig.parent.stat().st_mode & 0o077 == 0


def test_a_user_of_the_scenario_may_do_what_the_scenario_says(start: Start) -> None:
    sandbox = start(SMALL, "--no-bucket")
    assert "pg" in sandbox.kubectl("get", "clusters", "-n", "production", user="viewer")
    refused = sandbox.try_kubectl("get", "secrets", "-n", "production", user="viewer")
    assert 'User "viewer" cannot list resource "secrets"' in refused.stderr


def test_without_tls_everybody_is_administrator(start: Start) -> None:
    sandbox = start(SMALL, "--no-bucket", "--no-tls")
    config = json.loads(sandbox.kubeconfig.read_text())
    assert config["clusters"][0]["cluster"]["server"].startswith("http://127.0.0.1:")
    assert "pg" in sandbox.kubectl("get", "secrets,clusters")


def test_without_a_bucket_the_api_serves_until_its_input_ends(tmp_path: Path) -> None:
    with _run(tmp_path, "--until-eof", "--no-bucket") as program:
        (exported,) = _read(program, "ready")[:-1]
        assert exported.startswith("export KUBECONFIG=")
        _, err = program.communicate(timeout=10)
    assert program.returncode == 0
    assert err == "no S3 server was asked for: the bucket exists only in the operator's mind\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it(tmp_path: Path, told: signal.Signals) -> None:
    with _run(tmp_path, "--no-bucket") as program:
        _read(program, "ready")
        program.send_signal(told)
        program.communicate(timeout=10)
    assert program.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_it_ends_without_a_word_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    with _run(tmp_path, "--until-eof") as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        assert program.wait(30) == 128 + signal.SIGPIPE
        assert program.stderr.read() == ""
    assert list(tmp_path.iterdir()) == []


def test_it_ends_with_its_s3_server_and_leaves_nothing(tmp_path: Path) -> None:
    with _run(tmp_path) as program:
        _read(program, "ready")
        (weed,) = waited(lambda: _children(program.pid))
        assert list(tmp_path.iterdir())
        program.terminate()
        _, err = program.communicate(timeout=10)
    assert (program.returncode, err) == (0, "")
    assert gone(weed)
    assert list(tmp_path.iterdir()) == []


def test_a_signal_before_it_is_ready_ends_it_too(tmp_path: Path) -> None:
    with _run(tmp_path) as program:
        waited(lambda: list(tmp_path.iterdir()))
        program.terminate()
        program.communicate(timeout=10)
    assert program.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--speed", "0"], "argument --speed: 0 is not a number above 0"),
        (["--speed", "1001"], "argument --speed: 1001 is not a number above 0, at most 1000"),
        (["--speed", "nan"], "argument --speed: nan is not a number above 0"),
        (["--speed", "fast"], "argument --speed: fast is not a number above 0"),
    ],
)
def test_a_wrong_speed_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        demo.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_an_unknown_scenario_is_a_sentence(tmp_path: Path) -> None:
    with _run(tmp_path, "--scenario", "helthy") as program:
        out, err = program.communicate(timeout=30)
    assert (program.returncode, out) == (2, "")
    assert err.startswith("there is no scenario 'helthy' (")
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def _run(folder: Path, *flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tui.sandbox.demo", "--scenario", "torn-film", *flags],
        env=os.environ | {"TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _read(program: subprocess.Popen[str], last: str) -> list[str]:
    assert program.stdout is not None
    lines: list[str] = []
    while not lines or lines[-1] != last:
        lines.append(program.stdout.readline().rstrip("\n"))
        assert lines[-1], "it ended early"
    return lines


def _children(pid: int) -> list[int]:
    """Processes that are children of `pid` and run weed."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    found = [int(child) for child in text.split()]
    return [child for child in found if b"weed" in Path(f"/proc/{child}/cmdline").read_bytes()]
