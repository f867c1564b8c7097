"""The failures that can be staged in the sandbox, and the finding each must be told by first.

    python -m tests.matrix.failures      plays them all and prints recall and precision

All of them play at once in one sandbox, each with a namespace, an ObjectStore and a path of its own,
beside healthy clusters that must stay green. They are judged by ``cnpg-tui check`` over real HTTP.
What cannot be staged so is judged from made-up witnesses in ``tests/verdict/triage``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.sandbox import staged
from tests.sandbox.staged import Sandbox

DEADLINE = 240
TRIES = 5
PLUGIN = "barman-cloud.cloudnative-pg.io"
NOT_RECONCILED = {"cnpg.io/reconciliationLoop": "disabled"}
"""The operator leaves the object alone, so that what is staged stays."""

Words = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure. ``cluster``, ``store`` and ``objects`` are a scenario's words for it."""

    name: str
    number: str
    """In the failure catalogue; ``""`` for a healthy cluster."""
    code: str
    """Of the finding that must stand first; ``""`` where there must be none."""
    level: str
    cluster: Words = field(default_factory=dict)
    store: Words = field(default_factory=dict)
    objects: tuple[Words, ...] = ()


def _failing(error: str, exit_code: int = 4, *, acted: bool = True) -> Words:
    return {"failing": {"since": "2h", "error": error, "exit": exit_code, "acted": acted}}


def _stopped(phase: str, reason: str) -> tuple[Words, ...]:
    status = {"phase": phase, "phaseReason": reason}
    return ({"kind": "Cluster", "metadata": {"annotations": NOT_RECONCILED}, "status": status},)


def _backup_failed(error: str) -> tuple[Words, tuple[Words, ...]]:
    """A newest Backup that failed with a text of the operator's, and the object that says so."""
    told = {"kind": "Backup", "metadata": {"name": "newest"}, "status": {"error": error}}
    return _last_backup(name="newest"), (told,)


def _last_backup(**failed: Any) -> Words:
    """A newest Backup that failed, whatever the time of day: no schedule makes another after it."""
    return {
        "schedules": [],
        "backups": [{"ago": "2d"}, {"ago": "20m", "phase": "failed", **failed}],
    }


def _schedule(**spec: Any) -> tuple[Words, ...]:
    return ({"kind": "ScheduledBackup", "metadata": {"name": "daily"}, "spec": spec},)


def _plugins(**item: Any) -> tuple[Words, ...]:
    return ({"kind": "Cluster", "spec": {"plugins": [{"name": PLUGIN, **item}]}},)


def _event(reason: str, kind: str, name: str, message: str, **ago: float) -> tuple[Words, ...]:
    """An Event that is told when the play begins."""
    return (
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name}.{reason.lower()}"},
            "involvedObject": {"kind": kind, "name": name},
            "type": "Warning",
            "reason": reason,
            "message": message,
            "lastTimestamp": f"{datetime.now(UTC) - timedelta(**ago):%Y-%m-%dT%H:%M:%SZ}",
        },
    )


def _rights(kind: str, **changed: Any) -> tuple[Words, ...]:
    """The Role or RoleBinding of the sidecar, other than the plugin wrote it."""
    return ({"kind": kind, "metadata": {"name": "pg-barman-cloud"}, **changed},)


_STORE_FORBIDDEN = (
    'objectstores.barmancloud.cnpg.io "x" is forbidden: User "system:serviceaccount:x:pg" cannot '
    'get resource "objectstores" in API group "barmancloud.cnpg.io"'
)

SINCE: Words = {"failing": {"since": "2h"}}
"""It has failed that long, and fails on as the store itself decides."""

BARMAN = "An error occurred ({}) when calling the PutObject operation: {}"
_RESTARTED, _RESTARTED_TOLD = _backup_failed(
    "instance manager was restarted during backup on pod pg-1"
)
_NOT_ROLLED, _NOT_ROLLED_TOLD = _backup_failed(f"requested plugin is not available: {PLUGIN}")
_IN_TREE, _IN_TREE_TOLD = _backup_failed(
    "no barmanObjectStore section defined on the target cluster"
)

FAILURES: tuple[Failure, ...] = (
    Failure("plugin-absent", "F01", "unprotected", "unprotected", {"plugin": "absent"}),
    Failure("plugin-off", "F01", "unprotected", "unprotected", {"plugin": "disabled"}),
    Failure(
        "plugin-unknown",
        "F03",
        "plugin-unknown",
        "degraded",
        objects=_stopped(
            "Cluster cannot proceed to reconciliation due to an unknown plugin being required",
            f"Unknown plugin: '{PLUGIN}'. This may be caused by the plugin not being loaded "
            "correctly by the operator. Check the operator and plugin logs for errors",
        ),
    ),
    Failure(
        "plugin-down",
        "F04",
        "plugin-down",
        "degraded",
        objects=_stopped(
            "Cluster cannot proceed to reconciliation due to an error while interacting with plugins",
            "Error while discovering plugins: while getting plugin connection: while querying plugin "
            "identity: rpc error: code = Unavailable desc = connection error: desc = "
            '"transport: Error while dialing: dial tcp 10.0.0.9:9090: connect: connection refused"',
        ),
    ),
    Failure(
        "plugin-tls",
        "F05",
        "plugin-tls",
        "degraded",
        objects=_stopped(
            "Cluster cannot proceed to reconciliation due to an error while interacting with plugins",
            "transport: authentication handshake failed: tls: failed to verify certificate: x509: "
            "certificate signed by unknown authority",
        ),
    ),
    Failure(
        "not-rolled", "F06", "sidecar-not-rolled", "degraded", _NOT_ROLLED, objects=_NOT_ROLLED_TOLD
    ),
    Failure(
        "no-sidecar",
        "F07",
        "sidecar-missing",
        "failing",
        {"sidecar": False},
        objects=({"kind": "Cluster", "metadata": {"annotations": NOT_RECONCILED}},),
    ),
    Failure(
        "not-empty",
        "F09",
        "not-empty",
        "failing",
        _failing("WAL archive check failed for server x: Expected empty archive", 1),
    ),
    Failure("store-missing", "F11", "store-missing", "failing", {"store": "gone"}),
    Failure("store-not-named", "F12", "store-not-named", "failing", objects=_plugins()),
    Failure("secret-missing", "F13", "secret-missing", "failing", SINCE, {"identity": "absent"}),
    Failure(
        "role-stale",
        "F15",
        "role-lacks",
        "failing",
        _failing("no permission to download the backup credentials, retrying"),
        objects=_rights("Role", rules=[]),
    ),
    Failure(
        "role-unbound",
        "F17",
        "role-unbound",
        "failing",
        _failing(_STORE_FORBIDDEN),
        objects=_rights("RoleBinding", subjects=[]),
    ),
    Failure("read-only-key", "F18", "access-denied", "failing", SINCE, {"identity": "read-only"}),
    Failure("revoked-key", "F18", "unknown-key", "failing", SINCE, {"identity": "revoked"}),
    Failure("wrong-secret", "F18", "wrong-secret", "failing", SINCE, {"identity": "wrong-secret"}),
    Failure(
        "no-bucket",
        "F19",
        "no-bucket",
        "failing",
        SINCE,
        {"path": "s3://no-such-bucket/x", "identity": "admin"},
    ),
    Failure(
        "endpoint",
        "F19",
        "endpoint-unreachable",
        "failing",
        SINCE,
        {"endpoint": "http://127.0.0.1:9"},
    ),
    Failure(
        "checksums",
        "F21",
        "checksums",
        "failing",
        _failing(
            BARMAN.format(
                "InvalidArgument",
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD or a valid sha256 value.",
            )
        ),
        {"checksums": False},
    ),
    Failure(
        "unequal-parts",
        "F22",
        "unequal-parts",
        "degraded",
        _last_backup(
            error="Upload error: An error occurred (InvalidPart) when calling the "
            "CompleteMultipartUpload operation: All non-trailing parts must have the same "
            "length. (worker 1)"
        ),
    ),
    Failure(
        "tags",
        "F23",
        "not-on-r2",
        "failing",
        _failing(
            BARMAN.format(
                "NotImplemented", "Header 'x-amz-tagging' with value 'a=b' not implemented"
            )
        ),
    ),
    Failure(
        "two-archivers",
        "F24",
        "two-archivers",
        "degraded",
        {"wal_archiver": False},
        objects=(
            {
                "kind": "Cluster",
                "spec": {"backup": {"barmanObjectStore": {"destinationPath": "s3://acme-pg/old"}}},
            },
        ),
    ),
    Failure("in-tree", "F25", "in-tree-method", "degraded", _IN_TREE, objects=_IN_TREE_TOLD),
    Failure(
        "schedule-method",
        "F25",
        "schedule-method",
        "degraded",
        objects=_schedule(method="barmanObjectStore", pluginConfiguration=None),
    ),
    Failure(
        "schedule-without-plugin",
        "F27",
        "schedule-without-plugin",
        "degraded",
        objects=_schedule(pluginConfiguration=None),
    ),
    Failure(
        "five-fields",
        "F28",
        "five-field-cron",
        "degraded",
        {"schedules": [{"name": "daily", "cron": "0 2 * * *"}], "history": "2d"},
    ),
    Failure(
        "stuck",
        "F29",
        "queue-stuck",
        "degraded",
        {"schedules": [{"name": "daily", "cron": "0 0 */6 * * *", "stuck": "12h"}]},
    ),
    Failure(
        "disk-full",
        "F31",
        "disk-full",
        "degraded",
        objects=_stopped(
            "Not enough disk space", "Insufficient disk space detected in one or more pods"
        ),
    ),
    Failure("restarted", "F34", "restarted", "degraded", _RESTARTED, objects=_RESTARTED_TOLD),
    Failure(
        "switched-off",
        "F35",
        "archiving-off",
        "failing",
        objects=(
            {
                "kind": "Cluster",
                "metadata": {"annotations": {"cnpg.io/skipWalArchiving": "enabled"}},
            },
        ),
    ),
    Failure(
        "retention",
        "F36",
        "retention-fails",
        "degraded",
        objects=_event("RetentionPolicyFailed", "Cluster", "pg", "Retention policy failed"),
    ),
    Failure(
        "torn",
        "F38",
        "torn-film",
        "failing",
        {"schedules": [], "backups": [{"ago": "2d"}], "lost": [{"ago": "3h", "count": 2}]},
    ),
    Failure("hole", "F38", "hole", "degraded", {"lost": [{"ago": "3d", "count": 3}]}),
    Failure(
        "skew",
        "F40",
        "clock-skew",
        "failing",
        _failing(
            BARMAN.format(
                "RequestTimeTooSkewed",
                "The difference between the request time and the server's time is too large.",
            )
        ),
    ),
    Failure(
        "temp-space",
        "F41",
        "no-temp-space",
        "degraded",
        _last_backup(error="No space left on device"),
    ),
    Failure("arguments", "F42", "bad-arguments", "failing", _failing("unrecognized arguments", 3)),
)

_CALM = tuple(
    Failure(f"calm-{name}", "", "", "protected", cluster, store)
    for name, cluster, store in (
        ("one", {}, {}),
        ("three", {"instances": 3}, {}),
        ("timeline", {"timeline": 7, "switches": ["20d", "9d", "2d"], "instances": 3}, {}),
        ("plain", {}, {"compression": "none"}),
        ("zstd", {}, {"compression": "zstd"}),
        ("running", {"backups": [{"ago": "20s", "phase": "started"}]}, {}),
        ("made-up-for", {"backups": [{"ago": "3d", "phase": "failed", "error": "x"}]}, {}),
        ("suspended", {"schedules": [{"name": "daily", "suspend": True}]}, {}),
        ("flag-off", {"wal_archiver": False}, {}),
        ("no-policy", {}, {"retention": "365d"}),
        ("busy", {"wal": {"every": "5s", "size": "6KiB"}, "history": "26h"}, {}),
        ("hourly", {"schedules": [{"name": "daily", "cron": "0 0 * * * *"}], "history": "2d"}, {}),
    )
)

HEALTHY: tuple[Failure, ...] = (
    *_CALM,
    Failure(
        "calm-failed-once",
        "",
        "",
        "protected",
        objects=_event("RetentionPolicyFailed", "Cluster", "pg", "It failed", minutes=55),
    ),
)


def scenario(rows: Sequence[Failure]) -> Words:
    """All of them in one scenario."""
    staged: dict[str, list[Words]] = {"stores": [], "clusters": [], "objects": []}
    # Hours ago: a Backup that failed a while ago must be the newest, whatever the time of day.
    first = (datetime.now(UTC).hour - 2) % 8
    thrice = f"0 0 {first},{first + 8},{first + 16} * * *"
    for row in rows:
        path = f"s3://acme-pg/{row.name}"
        staged["stores"].append({"namespace": row.name, "path": path, **row.store})
        usual = {"history": "4d", "wal": {"every": "3m", "size": "1KiB"}, "base": {"size": "1KiB"}}
        schedules = [{"name": "daily", "cron": thrice}]
        mine = {"name": "pg", "namespace": row.name, "schedules": schedules, **usual}
        staged["clusters"].append(mine | row.cluster)
        for given in row.objects:
            metadata = {"name": "pg", "namespace": row.name, **given.get("metadata", {})}
            staged["objects"].append({**given, "metadata": metadata})
    return {"title": "Everything at once", **staged}


@contextmanager
def playing(rows: Sequence[Failure], folder: Path) -> Iterator[Sandbox]:
    """A sandbox in which all of them have happened."""
    file = folder / "matrix.yaml"
    file.write_text(yaml.safe_dump(scenario(rows)))
    with staged.playing(file) as sandbox:
        yield sandbox


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of one cluster."""

    level: str
    codes: tuple[str, ...]
    """Of the findings, gravest first."""
    evidence: str = ""
    """Of the first of them, where it was asked for."""

    @property
    def first(self) -> str:
        """The finding that is read first."""
        return self.codes[0] if self.codes else ""


def judge(sandbox: Sandbox, home: Path) -> Mapping[str, Judged]:
    """What ``cnpg-tui check`` says of every cluster, by its namespace."""
    done = subprocess.run(
        [sys.executable, "-m", "tui", "check", "-A", "-o", "json"],
        env=staged.private(home, sandbox.kubeconfig),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.stdout, done.stderr
    return {
        each["namespace"]: Judged(
            each["level"], tuple(finding["code"] for finding in each["findings"])
        )
        for each in json.loads(done.stdout)
    }


def judged(
    sandbox: Sandbox, home: Path, rows: Sequence[Failure]
) -> tuple[Mapping[str, Judged], ...]:
    """Judge until all is told as it was staged, some times at most: what fails has to fail first.

    The sandbox's archivers begin when the app does, and the reason of a failure stands in a log once
    they have tried. The last judgement is the one that counts; no healthy cluster may alarm in any.
    """
    found: list[Mapping[str, Judged]] = []
    while len(found) < TRIES:
        found.append(judge(sandbox, home))
        if all(as_staged(row, found[-1][row.name]) for row in rows):
            break
    return tuple(found)


def as_staged(row: Failure, found: Judged) -> bool:
    """Whether it is told by its own finding first, at its level."""
    return (found.first, found.level) == (row.code, row.level)


def main() -> None:
    """Play all, print a line each and the totals."""
    rows = (*FAILURES, *HEALTHY)
    with tempfile.TemporaryDirectory() as folder, playing(rows, Path(folder)) as sandbox:
        found = judged(sandbox, Path(folder), rows)[-1]
    for row in rows:
        said = found[row.name]
        verdict = "as staged" if as_staged(row, said) else "NOT as staged"
        print(
            f"{row.number or '-':4} {row.name:24} {said.level:12} {', '.join(said.codes):60} {verdict}"
        )
    told = [row for row in FAILURES if found[row.name].first == row.code]
    alarms = [
        row for row in rows if found[row.name].level in ("failing", "unprotected", "degraded")
    ]
    right = [row for row in alarms if row.code]
    green = [row for row in FAILURES if found[row.name].level == "protected"]
    print(f"recall {len(told)}/{len(FAILURES)} told first by the right finding")
    print(f"precision {len(right)}/{len(alarms)} alarms about a real failure")
    print(f"false greens {len(green)}, false alarms {len(alarms) - len(right)}")


if __name__ == "__main__":
    main()
