"""The plugin's sidecar as far as errors go: it runs Barman's own programs, and passes on what they say.

What they print stands in the sidecar's log alone, a JSON object a line, at level info; the operator
hears of their exit status (cloudnative-pg/machinery ``pkg/execlog``, barman-cloud ``pkg/walarchive``).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.e2e import stack

WAL_ARCHIVE = "barman-cloud-wal-archive"
CHECK = "barman-cloud-check-wal-archive"
BACKUP = "barman-cloud-backup"
DELETE = "barman-cloud-backup-delete"
_MODULES = {
    WAL_ARCHIVE: "walarchive",
    CHECK: "check_wal_archive",
    BACKUP: "backup",
    DELETE: "backup_delete",
}

PLAIN = {
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
}
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_SIGNALS = {int(signal.SIGKILL): "signal: killed"}
_LATE = """\
import datetime
import botocore.auth
def late(remove_tzinfo=True):
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    return now.replace(tzinfo=None) if remove_tzinfo else now
botocore.auth.get_current_datetime = late
"""
"""As if the node's clock were an hour behind."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a program."""

    tool: str
    status: int
    """As Go has it: a negative one is the signal that ended it."""
    stderr: str

    def logged(self, when: datetime) -> str:
        """Its output as it stands in the sidecar's log, and the structured line behind it."""
        at = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        rows: list[dict[str, str | int]] = [
            {"level": "info", "ts": at, "logger": self.tool, "msg": line, "pipe": "stderr"}
            for line in self.stderr.splitlines()
            if line.strip()
        ]
        said = f"Error invoking {self.tool}"
        how = ended(self.status)
        rows.append({"level": "error", "ts": at, "msg": said, "exitCode": -1, "error": how})
        return "\n".join(json.dumps(row) for row in rows) + "\n"


def ended(status: int) -> str:
    """How a program ended, as Go's os/exec says it."""
    return f"exit status {status}" if status >= 0 else _SIGNALS[-status]


def run(
    tool: str,
    *arguments: str,
    keys: tuple[str, str] | None,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    late: bool = False,
) -> Ran:
    """Run one of Barman's programs as the sidecar does, ``late``: on a node whose clock is behind."""
    path = [str(stack.barman())]
    if late:
        module = folder / "late"
        module.mkdir(exist_ok=True)
        (module / "sitecustomize.py").write_text(_LATE)
        path.insert(0, str(module))
    done = subprocess.run(
        [sys.executable, "-m", f"barman.clients.cloud_{_MODULES[tool]}", *arguments],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **(dict(zip(_KEYS, keys, strict=True)) if keys else {}),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "PYTHONPATH": os.pathsep.join(path),
            "PYTHONWARNINGS": "ignore",
            **(environment or {}),
        },
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    return Ran(tool, done.returncode, done.stderr)
