"""No secret turns up anywhere: screen, log, files, processes, evidence, and what commands print.

The canaries are the keys in the Secrets of a sandbox, which its S3 server knows or refuses, and the
token in the kubeconfig. One store opens with its keys, one has a wrong secret, one does not answer.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.terminal import Terminal
from tests.e2e.test_check import DEADLINE
from tests.sandbox.staged import Sandbox, playing

SCENARIO = """
stores:
  - {name: r2-store, namespace: production, path: s3://acme-pg/prod}
  - {name: r2-wrong, namespace: production, path: s3://acme-pg/wrong, secret: wrong-creds,
     identity: wrong-secret}
  - {name: r2-gone, namespace: production, path: s3://acme-pg/gone, secret: gone-creds,
     endpoint: "http://127.0.0.1:1"}
clusters:
  - {name: pg, history: 1d, base: {takes: 1s}, schedules: [{name: six, cron: "0 0 */6 * * *"}]}
  - {name: pg-wrong, history: 1d, store: r2-wrong, base: {takes: 1s}, failing: {since: 1h}}
  - {name: pg-gone, history: 1d, store: r2-gone, base: {takes: 1s}, failing: {since: 1h}}
"""
CLUSTERS = ("pg-gone", "pg-wrong", "pg")
"""As the app lists them: failing ones first."""

_ESCAPES = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\)|[ -/]*[0-~])", re.DOTALL
)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A good store, a wrong secret, and a store that does not answer."""
    scenario = tmp_path_factory.mktemp("scenario") / "canary.yaml"
    scenario.write_text(SCENARIO)
    with playing(scenario) as running:
        yield running


@pytest.fixture(scope="module")
def canaries(sandbox: Sandbox) -> tuple[bytes, ...]:
    """Every value of every Secret, and the user's token; each also as base64, as the API has it."""
    secrets = sandbox.read("secrets", "-n", "production")["items"]
    coded = {value for secret in secrets for value in secret["data"].values()}
    plain = {base64.b64decode(value) for value in coded}
    assert len(plain) >= 3, "an access key that two share, and two secrets"
    token = json.loads(sandbox.kubeconfig.read_text())["users"][0]["user"]["token"].encode()
    return (*plain, *(value.encode() for value in coded), token)


def sung(text: bytes | str, canaries: tuple[bytes, ...]) -> list[bytes]:
    """The canaries in a text, however it is wrapped."""
    flat = b"".join((text.encode() if isinstance(text, str) else text).split())
    return [canary for canary in canaries if canary in flat]


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def family(pid: int) -> list[int]:
    """A process and all that it has started."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for each in threads for child in each.read_text().split()]
    return [pid, *(one for child in children for one in family(child))]


class _Watched:
    """The app in a terminal; what it shows is looked at, at every stop."""

    def __init__(self, terminal: Terminal, canaries: tuple[bytes, ...]) -> None:
        self.terminal = terminal
        self._canaries = canaries

    def stop_at(self, *wanted: str) -> None:
        """Wait for this, then look at the screen and at the processes."""
        self.terminal.until(*wanted)
        assert sung("".join(self.terminal.lines), self._canaries) == [], wanted
        for pid in family(self.terminal.process.pid):
            for what in ("cmdline", "environ"):
                assert sung(Path(f"/proc/{pid}/{what}").read_bytes(), self._canaries) == [], what

    def press(self, keys: str) -> None:
        self.terminal.press(keys)


def test_the_app_shows_writes_and_passes_on_no_secret(
    sandbox: Sandbox, canaries: tuple[bytes, ...], start: Start, tmp_path: Path
) -> None:
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    home = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_DATA_HOME": str(tmp_path / "data")}
    arguments = ("--kubeconfig", str(sandbox.kubeconfig), "-n", "production")
    terminal = start(*arguments, size=(160, 48), **home)
    app = _Watched(terminal, canaries)
    app.stop_at("> pg-", "1 protected")
    for name in CLUSTERS:
        app.stop_at(f"> {name} ")
        app.press("t")
        app.stop_at(f"Triage {name}", "window")
        app.press("\r")
        app.stop_at("operator ContinuousArchiving")
        app.press("e")
        app.stop_at("Into which folder")
        app.press("\x15")
        app.stop_at("a folder")
        app.press(f"{evidence}\r")
        app.stop_at("The evidence is in")
        app.press("\x1b")
        app.stop_at("NAME VERDICT")
        app.press("j")
    app.press("b")
    app.stop_at("Create Backup", "kubectl cnpg backup")
    app.press("\x1b")
    app.stop_at("NAME VERDICT")
    app.press("4")
    app.stop_at("s3://acme-pg", "the secret key is wrong")
    app.press("q")
    assert terminal.ends_within(DEADLINE) == 0

    assert sung(_ESCAPES.sub(b"", terminal.sent), canaries) == []
    found = files(tmp_path)
    names = {path.name for path in found}
    assert {"cnpg-tui.log", "archive.sqlite"} <= names
    written = [content for path, content in found.items() if path.parent == evidence]
    assert len(written) == len(CLUSTERS)
    assert any(b"the secret key is wrong" in content for content in written)
    assert [path for path, content in found.items() if sung(content, canaries)] == []


COMMANDS = [
    ("check", "-o", "text"),
    ("check", "-o", "json"),
    *(("archive", name) for name in CLUSTERS),
    ("bundle", "pg-wrong", "--folder", "-"),
    ("backup", "pg", "--wait", "-o", "json"),
    ("backup", "pg-wrong", "--wait"),
    ("report", "-o", "json"),
    ("archive", "s3://acme-pg/prod/pg", "--endpoint-url", "http://127.0.0.1:1"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_prints_or_keeps_a_secret(
    sandbox: Sandbox, canaries: tuple[bytes, ...], tmp_path: Path, command: tuple[str, ...]
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    private = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    # The environment is a source of keys, too: theirs must be as invisible as the Secret's.
    keys = {
        "AWS_ACCESS_KEY_ID": "AKIAC4N4RYACCESSKEY0",
        "AWS_SECRET_ACCESS_KEY": "c4n4ry/secret+from/the/environment/00000",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tui", *command],
        env=kept | private | keys | {"KUBECONFIG": str(sandbox.kubeconfig)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert done.stdout + done.stderr
    everything = (*canaries, *(value.encode() for value in keys.values()))
    assert sung(done.stdout, everything) == []
    assert sung(done.stderr, everything) == []
    assert [path for path, content in files(tmp_path).items() if sung(content, everything)] == []


MISTAKE = """
import sys
from tui.cli import main
from tui.wire import bucket

def broken(location, keys, **_):
    raise RuntimeError("a mistake")

bucket.Bucket.open = broken
sys.exit(main())
"""
"""Ours, where the keys are at hand: whatever prints the traceback must not print them."""


def test_a_mistake_of_our_own_leaves_no_secret_in_a_traceback(
    sandbox: Sandbox, canaries: tuple[bytes, ...], start: Start, tmp_path: Path
) -> None:
    command = (sys.executable, "-c", MISTAKE)
    where = ("--kubeconfig", str(sandbox.kubeconfig), "-n", "production")
    home = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_DATA_HOME": str(tmp_path / "data")}
    terminal = start(command=(*command, *where), size=(160, 48), **home)
    _Watched(terminal, canaries).stop_at("an error of cnpg-tui itself (RuntimeError, see the log)")
    terminal.press("q")
    assert terminal.ends_within(DEADLINE) == 0
    assert sung(_ESCAPES.sub(b"", terminal.sent), canaries) == []
    log = tmp_path / "state" / "cnpg-tui" / "cnpg-tui.log"
    assert "RuntimeError: a mistake" in log.read_text()
    assert sung(log.read_bytes(), canaries) == []

    headless = subprocess.run(
        [*command, "check", *where],
        env=os.environ | home,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert headless.returncode != 0
    assert b"RuntimeError" in headless.stdout + headless.stderr
    assert sung(headless.stdout + headless.stderr, canaries) == []
