"""What the real tools say when a real store refuses them, told as what it is.

Barman's own programs run against SeaweedFS (or, for what only R2 refuses, against a store that refuses
just that), their output is put into the sidecar's log as the plugin logs it and their exit status into
the operator's condition, and the judge must name the cause first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e import stack
from tests.matrix import sidecar
from tests.matrix.sidecar import CHECK, PLAIN, WAL_ARCHIVE, Ran
from tests.matrix.strict import Strict
from tests.verdict.test_two_witnesses import NOW
from tests.verdict.triage.made_up import EXIT, failing, judged
from tests.wire import stores
from tests.wire.stores import Weed
from tui.cnpg import sidecar_log

SEGMENT = "000000010000000000000005"


@dataclass(frozen=True, slots=True)
class Stores:
    """The two stores, and a folder with a segment."""

    weed: Weed
    strict: str
    folder: Path


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    if why := stack.missing():
        pytest.skip(f"the real stack is not here: {why}")
    folder = tmp_path_factory.mktemp("real")
    (folder / SEGMENT).write_bytes(bytes(16 * 1024**2))
    weed = Weed(folder / "weed")
    weed.put(f"prod/old/wals/0000000100000000/{SEGMENT}.gz")
    strict = Strict(weed)
    try:
        yield Stores(weed, strict.url, folder)
    finally:
        strict.stop()
        weed.stop()


@dataclass(frozen=True, slots=True)
class Fault:
    """A call that fails, and the code of the finding that must stand first."""

    code: str
    tool: str = WAL_ARCHIVE
    keys: tuple[str, str] = stores.ADMIN
    endpoint: str = "{weed}"
    bucket: str = "s3://backups/prod"
    server: str = "pg"
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    late: bool = False


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
        "endpoint-unreachable", tool=CHECK, endpoint="http://127.0.0.1:1"
    ),
    "TLS to a port that speaks none": Fault("tls", endpoint="{tls}"),
    "a destination that is no S3 URL": Fault("bad-endpoint", bucket="backups/prod"),
    "an archive that is not empty": Fault("not-empty", tool=CHECK, server="old"),
    "arguments it does not take": Fault("bad-arguments", options=("--no-such-option",)),
    "a clock an hour behind": Fault("clock-skew", late=True),
    "checksums R2 does not take": Fault("checksums", endpoint="{strict}"),
    "tags R2 does not take": Fault(
        "not-on-r2", endpoint="{strict}", options=("--tags=a,b",), environment=PLAIN
    ),
}


def run(there: Stores, fault: Fault) -> Ran:
    """The program, as the sidecar calls it."""
    endpoint = fault.endpoint.format(
        weed=there.weed.url,
        tls=there.weed.url.replace("http:", "https:"),
        strict=there.strict,
    )
    what = [str(there.folder / SEGMENT)] if fault.tool == WAL_ARCHIVE else []
    return sidecar.run(
        fault.tool,
        *("--endpoint-url", endpoint, *fault.options, fault.bucket, fault.server, *what),
        keys=fault.keys,
        folder=there.folder,
        environment=fault.environment,
        late=fault.late,
    )


@pytest.mark.parametrize("name", FAULTS)
def test_the_cause_stands_first(name: str, there: Stores) -> None:
    fault = FAULTS[name]
    done = run(there, fault)
    assert done.status != 0, done.stderr
    lines = sidecar_log.errors(done.logged(NOW))
    seen = failing(EXIT.format(done.status), sidecar_errors=lines)
    found = judged(seen).findings
    assert found[0].code == fault.code, (done.status, done.stderr)


@pytest.mark.parametrize("name", ["an archive that is not empty", "arguments it does not take"])
def test_the_exit_status_alone_tells_as_much(name: str, there: Stores) -> None:
    fault = FAULTS[name]
    done = run(there, fault)
    assert judged(failing(EXIT.format(done.status))).findings[0].code == fault.code
