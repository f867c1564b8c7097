"""What the real tools say when a real store refuses them, told as what it is.

Barman's own programs run against SeaweedFS (or, for what only R2 refuses, against a store that refuses
just that), their output is put into the sidecar's log as the plugin logs it and their exit status into
the operator's condition, and the judge must name the cause first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e import stack
from tests.verdict.test_two_witnesses import NOW
from tests.verdict.triage.made_up import EXIT, failing, judged
from tests.wire import stores
from tests.wire.stores import Weed
from tui.cnpg import sidecar_log

SEGMENT = "000000010000000000000005"
SKEWED = """\
import datetime
import botocore.auth
def late(remove_tzinfo=True):
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    return now.replace(tzinfo=None) if remove_tzinfo else now
botocore.auth.get_current_datetime = late
"""


class Strict(BaseHTTPRequestHandler):
    """A store that takes everything but the headers R2 does not implement."""

    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        for name in ("x-amz-tagging", "x-amz-sdk-checksum-algorithm"):
            if name in self.headers:
                shown = name.replace("-sdk", "")
                told = f"Header '{shown}' with value '{self.headers[name]}' not implemented"
                body = f"<Error><Code>NotImplemented</Code><Message>{told}</Message></Error>"
                return self._answer(501, body.encode())
        return self._answer(200, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the test's output is not a log."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The two stores, and a folder with a segment and a module that sets the clock back."""

    weed: Weed
    strict: str
    folder: Path


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    if why := stack.missing():
        pytest.skip(f"the real stack is not here: {why}")
    folder = tmp_path_factory.mktemp("real")
    (folder / SEGMENT).write_bytes(bytes(16 * 1024**2))
    (folder / "late").mkdir()
    (folder / "late" / "sitecustomize.py").write_text(SKEWED)
    weed = Weed(folder / "weed")
    weed.put(f"prod/old/wals/0000000100000000/{SEGMENT}.gz")
    strict = ThreadingHTTPServer(("127.0.0.1", 0), Strict)
    thread = threading.Thread(target=strict.serve_forever, daemon=True)
    thread.start()
    try:
        yield Stores(weed, f"http://127.0.0.1:{strict.server_port}", folder)
    finally:
        strict.shutdown()
        strict.server_close()
        thread.join(10)
        weed.stop()


@dataclass(frozen=True, slots=True)
class Fault:
    """A call that fails, and the code of the finding that must stand first."""

    code: str
    tool: str = "walarchive"
    keys: tuple[str, str] = stores.ADMIN
    endpoint: str = "{weed}"
    bucket: str = "s3://backups/prod"
    server: str = "pg"
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


PLAIN = {"AWS_REQUEST_CHECKSUM_CALCULATION": "when_required"}
FAULTS = {
    "a secret key that is wrong": Fault("wrong-secret", keys=(stores.ADMIN[0], "wrong")),
    "an access key nobody knows": Fault("unknown-key", keys=("AKNOBODY", "SKNOBODY")),
    "a key that may only read": Fault("access-denied", keys=stores.READER),
    "a key of another bucket": Fault("access-denied", keys=stores.STRANGER),
    "a bucket that is not there": Fault("no-bucket", bucket="s3://nowhere/prod"),
    "an endpoint where nobody listens": Fault(
        "endpoint-unreachable", endpoint="http://127.0.0.1:1"
    ),
    "the same, found by the check": Fault(
        "endpoint-unreachable", tool="check_wal_archive", endpoint="http://127.0.0.1:1"
    ),
    "TLS to a port that speaks none": Fault("tls", endpoint="{tls}"),
    "a destination that is no S3 URL": Fault("bad-endpoint", bucket="backups/prod"),
    "an archive that is not empty": Fault("not-empty", tool="check_wal_archive", server="old"),
    "arguments it does not take": Fault("bad-arguments", options=("--no-such-option",)),
    "a clock an hour behind": Fault("clock-skew", environment={"PYTHONPATH": "late"}),
    "checksums R2 does not take": Fault("checksums", endpoint="{strict}"),
    "tags R2 does not take": Fault(
        "not-on-r2", endpoint="{strict}", options=("--tags=a,b",), environment=PLAIN
    ),
}


def run(there: Stores, fault: Fault) -> subprocess.CompletedProcess[str]:
    """The program, as the sidecar calls it."""
    endpoint = fault.endpoint.format(
        weed=there.weed.url,
        tls=there.weed.url.replace("http:", "https:"),
        strict=there.strict,
    )
    what = [str(there.folder / SEGMENT)] if fault.tool == "walarchive" else []
    command = [
        *(sys.executable, "-m", f"barman.clients.cloud_{fault.tool}", "--endpoint-url", endpoint),
        *(*fault.options, fault.bucket, fault.server, *what),
    ]
    path = [str(stack.barman())]
    if fault.environment.get("PYTHONPATH"):
        path.insert(0, str(there.folder / fault.environment["PYTHONPATH"]))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **fault.environment,
        "AWS_ACCESS_KEY_ID": fault.keys[0],
        "AWS_SECRET_ACCESS_KEY": fault.keys[1],
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONWARNINGS": "ignore",
    }
    return subprocess.run(
        command, env=environment, cwd=there.folder, check=False, capture_output=True, text=True
    )


def logged(done: subprocess.CompletedProcess[str], tool: str) -> str:
    """Its output as the plugin's sidecar logs it: a JSON object a line, level info."""
    name = {"walarchive": "barman-cloud-wal-archive"}.get(tool, "barman-cloud-check-wal-archive")
    stamp = datetime.now(UTC)
    at = NOW.isoformat()
    return "\n".join(
        json.dumps(
            {
                "level": "info",
                "ts": at,
                "logger": name,
                "msg": line if "ERROR:" in line else f"{stamp:%Y-%m-%d} [1] ERROR: {line}",
                "pipe": "stderr",
            }
        )
        for line in done.stderr.splitlines()
        if line.strip()
    )


@pytest.mark.parametrize("name", FAULTS)
def test_the_cause_stands_first(name: str, there: Stores) -> None:
    fault = FAULTS[name]
    done = run(there, fault)
    assert done.returncode != 0, done.stderr
    lines = sidecar_log.errors(logged(done, fault.tool))
    seen = failing(EXIT.format(done.returncode), sidecar_errors=lines)
    found = judged(seen).findings
    assert found[0].code == fault.code, (done.returncode, done.stderr)


@pytest.mark.parametrize("name", ["an archive that is not empty", "arguments it does not take"])
def test_the_exit_status_alone_tells_as_much(name: str, there: Stores) -> None:
    fault = FAULTS[name]
    done = run(there, fault)
    assert judged(failing(EXIT.format(done.returncode))).findings[0].code == fault.code
