"""``cnpg-tui check`` against sandboxes over real HTTP: the cause first, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.staged import Sandbox, playing, private, waited

DEADLINE = 120


def check(
    sandbox: Sandbox, home: Path, *arguments: str, user: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run it as a program would."""
    kubeconfig = sandbox.kubeconfig.with_name(f"{user}.yaml") if user else sandbox.kubeconfig
    return subprocess.run(
        [sys.executable, "-m", "tui", "check", *arguments],
        env=private(home, kubeconfig),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def verdicts(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert done.stdout, done.stderr
    return {each["cluster"]: each for each in json.loads(done.stdout)}


def torn() -> str:
    """Five hours ago WAL was lost: after the newest base backup of 02:00, or before it."""
    return "hole" if 2 <= datetime.now(UTC).hour < 7 else "torn-film"


SCENARIOS: list[tuple[str, dict[str, tuple[str, str]], int]] = [
    ("archiving-fails", {"pg-orders": ("failing", "access-denied")}, 2),
    ("torn-film", {"pg-orders": ("failing", torn())}, 2),
    ("stuck-queue", {"pg-orders": ("degraded", "queue-stuck")}, 1),
    (
        "five-field-cron",
        {
            "pg-orders": ("degraded", "five-field-cron"),
            "pg-audit": ("degraded", "five-field-cron"),
        },
        1,
    ),
    (
        "unprotected",
        {
            "pg-scratch": ("unprotected", "unprotected"),
            "pg-audit": ("unprotected", "unprotected"),
            "pg-auth": ("failing", "sidecar-missing"),
        },
        2,
    ),
]


@pytest.mark.parametrize(("scenario", "expected", "code"), SCENARIOS, ids=[s[0] for s in SCENARIOS])
def test_the_first_finding_is_what_was_staged_and_the_others_are_protected(
    scenario: str, expected: dict[str, tuple[str, str]], code: int, tmp_path: Path
) -> None:
    with playing(scenario) as sandbox:
        if scenario == "archiving-fails":  # the cause is known once the sidecar has tried
            log = ("logs", "pg-orders-1", "-c", "plugin-barman-cloud", "-n", "production")
            waited(lambda: "AccessDenied" in sandbox.kubectl(*log))
        done = check(sandbox, tmp_path, "-A", "-o", "json")
    found = verdicts(done)
    for name, (level, first) in expected.items():
        if first == "hole":
            level = "degraded"
        assert (found[name]["level"], found[name]["findings"][0]["code"]) == (level, first)
    others = {name: each for name, each in found.items() if name not in expected}
    assert {each["level"] for each in others.values()} == {"protected"}, others
    assert [each["findings"] for each in others.values()] == [[] for _ in others]
    assert done.returncode == (1 if torn() == "hole" and scenario == "torn-film" else code)
    assert set(found["pg"]) == {
        "namespace",
        "cluster",
        "level",
        "headline",
        "window",
        "data_loss_seconds",
        "findings",
    }
    assert set(found["pg"]["window"]) == {"from", "to", "holes"}
    assert "sandbox-secret" not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def healthy() -> Iterator[Sandbox]:
    with playing("healthy") as sandbox:
        yield sandbox


def test_one_healthy_cluster_is_protected_and_a_wrong_name_is_unknown(
    healthy: Sandbox, tmp_path: Path
) -> None:
    one = check(healthy, tmp_path, "pg", "-n", "production", "-o", "nagios")
    wrong = check(healthy, tmp_path, "gone", "-A", "-o", "json")
    every = check(healthy, tmp_path, "-A", "-o", "prometheus")
    assert one.returncode == 0
    assert one.stdout.startswith("CNPG OK - 1 protected | failing=0 unprotected=0 degraded=0")
    assert (wrong.returncode, wrong.stdout) == (3, "[]\n")
    assert "there is no Cluster gone here" in wrong.stderr
    assert every.returncode == 0, every.stdout
    assert 'cnpg_tui_level{namespace="production",cluster="pg",level="protected"} 1' in every.stdout
    assert "cnpg_tui_check_complete 1" in every.stdout.splitlines()


def test_what_is_not_all_known_is_ok_in_no_format(healthy: Sandbox, tmp_path: Path) -> None:
    nagios = check(healthy, tmp_path, "pg", "gone", "-n", "production", "-o", "nagios")
    metrics = check(healthy, tmp_path, "pg", "gone", "-n", "production", "-o", "prometheus")
    assert nagios.returncode == metrics.returncode == 3
    assert nagios.stdout.startswith("CNPG UNKNOWN - 1 protected; there is no Cluster gone here")
    assert "cnpg_tui_check_complete 0" in metrics.stdout.splitlines()


def test_a_lifecycle_rule_that_deletes_sooner_than_retention_is_no_green(
    healthy: Sandbox, tmp_path: Path
) -> None:
    bucket = healthy.exported["CNPG_TUI_BUCKET"]
    healthy.s3.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "tidy",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "prod/pg/"},
                    "Expiration": {"Days": 7},
                }
            ]
        },
    )
    try:
        done = check(healthy, tmp_path, "-A", "-o", "json")
    finally:
        healthy.s3.delete_bucket_lifecycle(Bucket=bucket)
    found = verdicts(done)
    assert done.returncode == 1
    assert {name for name, each in found.items() if each["level"] != "protected"} == {"pg"}
    (only,) = found["pg"]["findings"]
    assert (only["code"], only["severity"]) == ("lifecycle-rule", "degraded")
    assert only["evidence"] == (
        "rule tidy on prod/pg/: deletes after 7 d, retentionPolicy keeps 30d"
    )
    assert "aws --endpoint-url http" in only["advice"]


def test_no_server_is_unknown_and_says_so(tmp_path: Path) -> None:
    nowhere = tmp_path / "kubeconfig"
    nowhere.write_text("not a kubeconfig")
    done = subprocess.run(
        [sys.executable, "-m", "tui", "check", "--kubeconfig", str(nowhere), "-o", "nagios"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 3
    assert done.stdout.startswith("CNPG UNKNOWN - ")
