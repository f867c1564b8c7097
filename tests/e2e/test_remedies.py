"""Remedies applied by keyboard in a real terminal, on a sandbox whose operator acts on them: healed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.terminal import Terminal
from tests.matrix.failures import FAILURES, Failure, playing
from tests.sandbox.staged import Sandbox
from tui.cnpg.store import CHECKSUM_VARIABLES

ENTER = "\r"
STAGED = {row.name: row for row in FAILURES}
BRIEFLY = {"base": {"size": "1KiB", "takes": "1s"}}
LIVELY = {"wal": {"every": "3s", "size": "1KiB"}, "history": "1h"}
WAITING = {"backups": [{"ago": "41m", "phase": "pending", "name": "waiting"}]}
ROWS = (
    STAGED["five-fields"],
    STAGED["schedule-method"],
    replace(STAGED["stuck"], cluster=STAGED["stuck"].cluster | WAITING | BRIEFLY),
    Failure(
        "off", "F01", "unprotected", "unprotected", {"plugin": "disabled", **BRIEFLY, **LIVELY}
    ),
    Failure("variables", "F21", "", "protected", {}, {"checksums": False}),
)

Open = Callable[[str], Terminal]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Each in a namespace of its own."""
    with playing(ROWS, tmp_path_factory.mktemp("ills")) as sandbox:
        yield sandbox


@pytest.fixture
def ladder(start: Start, sandbox: Sandbox, tmp_path: Path) -> Open:
    """Opens the ladder of the one cluster in a namespace."""

    def open_(namespace: str) -> Terminal:
        private = {"XDG_CACHE_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
        kubeconfig = str(sandbox.kubeconfig)
        terminal = start("--kubeconfig", kubeconfig, "-n", namespace, **private)
        terminal.until("> pg")
        terminal.press("t")
        terminal.until("Triage pg")
        return terminal

    return open_


def apply(terminal: Terminal, *shown: str) -> None:
    """Have the remedy shown, and say yes."""
    terminal.until("a apply remedy")
    terminal.press("a")
    terminal.until(*shown, "dry run: the server accepts it")
    terminal.press(ENTER)


def found(sandbox: Sandbox, namespace: str, kind: str) -> list[dict[str, Any]]:
    listed = json.loads(sandbox.kubectl("-n", namespace, "get", kind, "-o", "json"))
    items: list[dict[str, Any]] = listed["items"]
    return items


def phases(sandbox: Sandbox, namespace: str) -> list[str]:
    """Of the Backups there."""
    backups = found(sandbox, namespace, "backups.postgresql.cnpg.io")
    return [one.get("status", {}).get("phase", "") for one in backups]


def stored(sandbox: Sandbox, prefix: str) -> bool:
    """Whether the bucket holds anything there."""
    bucket = sandbox.exported["CNPG_TUI_BUCKET"]
    return sandbox.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"] > 0


def test_a_stuck_backup_is_deleted_and_the_queue_goes_on(ladder: Open, sandbox: Sandbox) -> None:
    terminal = ladder("stuck")
    terminal.until("> x base backups")
    [stuck] = [
        one["metadata"]["name"]
        for one in found(sandbox, "stuck", "backups.postgresql.cnpg.io")
        if one["status"].get("phase") == "started"
    ]
    apply(terminal, f"Delete Backup {stuck} of cluster pg", "schedule daily made it")

    terminal.until("o base backups")
    terminal.until(lambda _: set(phases(sandbox, "stuck")) == {"completed"})
    left = found(sandbox, "stuck", "backups.postgresql.cnpg.io")
    assert stuck not in [one["metadata"]["name"] for one in left]


@pytest.mark.parametrize(
    ("namespace", "shown", "field", "value"),
    [
        ("five-fields", "+ schedule: 0 0 2 * * *", "schedule", "0 0 2 * * *"),
        ("schedule-method", "+ method: plugin", "method", "plugin"),
    ],
)
def test_a_schedule_that_was_not_meant_so_is_mended(
    ladder: Open, sandbox: Sandbox, namespace: str, shown: str, field: str, value: str
) -> None:
    terminal = ladder(namespace)
    terminal.until("> x schedule fires")
    apply(terminal, shown)
    terminal.until("Triage pg o restorable from")
    [schedule] = found(sandbox, namespace, "scheduledbackups.postgresql.cnpg.io")
    assert schedule["spec"][field] == value


def test_an_archiver_that_was_off_archives_and_after_a_backup_the_cluster_is_protected(
    ladder: Open, sandbox: Sandbox
) -> None:
    terminal = ladder("off")
    terminal.until("> x archiver configured")
    apply(terminal, "Enable barman-cloud.cloudnative-pg.io", "take a base backup")
    terminal.until(lambda _: stored(sandbox, "off/pg/wals/"))
    terminal.press("r")
    terminal.until("o WAL lands")
    terminal.press("b")
    terminal.until("dry run: the server accepts it")
    terminal.press(ENTER)
    terminal.until(lambda _: phases(sandbox, "off") == ["completed"])
    terminal.press("r")
    terminal.until("Triage pg o restorable from")


def test_checksum_variables_reach_every_sidecar(ladder: Open, sandbox: Sandbox) -> None:
    terminal = ladder("variables")
    terminal.until("Triage pg o restorable from")
    terminal.press("gjj")
    apply(terminal, "the Pods of pg are restarted", "+ - name: AWS_REQUEST_CHECKSUM_CALCULATION")

    def rolled(_: Terminal) -> bool:
        pods = found(sandbox, "variables", "pods")
        env = [
            each
            for pod in pods
            for container in pod["spec"].get("initContainers", ())
            for each in container.get("env", ())
            if each["name"] in CHECKSUM_VARIABLES and each["value"] == "when_required"
        ]
        return len(pods) == 1 and len(env) == 2

    terminal.until(rolled)
