"""``cnpg-tui backup`` against a sandbox over real HTTP: what it makes, what it says, how it exits."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Served
from tests.e2e.test_check import DEADLINE
from tests.panes.objects import a_cluster
from tests.sandbox.staged import Sandbox, playing, private, waited
from tui import backup_report, connect
from tui.sandbox.apiserver import ApiServer

SCENARIO = """
stores:
  - {name: r2-store, namespace: production, path: s3://acme-pg/prod}
clusters:
  - {name: pg, history: 1d, base: {takes: 2s}}
  - {name: pg-slow, history: 1d, base: {takes: 1000h}}
  - {name: pg-broken, history: 1d, base: {takes: 1s, error: "ERROR: no space left on device"}}
  - {name: pg-torn, instances: 2, history: 1d, base: {takes: 1s},
     failing: {since: 1h, acted: true}}
  - {name: pg-none, history: 1d, plugin: absent}
users:
  - name: no-secrets
    rules:
      - {api_groups: [postgresql.cnpg.io], resources: [clusters, backups],
         verbs: [get, list, watch, create]}
      - {api_groups: [barmancloud.cnpg.io], resources: [objectstores], verbs: [list, watch]}
  - name: creator
    rules:
      - {api_groups: [postgresql.cnpg.io], resources: [clusters], verbs: [list, watch]}
      - {api_groups: [postgresql.cnpg.io], resources: [backups], verbs: [create, get]}
"""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One of each kind of cluster, with an operator and a bucket."""
    scenario = tmp_path_factory.mktemp("scenario") / "backup.yaml"
    scenario.write_text(SCENARIO)
    with playing(scenario) as running:
        yield running


def begun(sandbox: Sandbox, home: Path, *arguments: str, user: str = "") -> subprocess.Popen[str]:
    """Start it as a program would."""
    kubeconfig = sandbox.kubeconfig.with_name(f"{user}.yaml") if user else sandbox.kubeconfig
    return started(kubeconfig, home, *arguments)


def started(kubeconfig: Path, home: Path, *arguments: str) -> subprocess.Popen[str]:
    """Against any server."""
    return subprocess.Popen(
        [sys.executable, "-m", "tui", "backup", *arguments],
        env=private(home, kubeconfig),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def backed_up(
    sandbox: Sandbox, home: Path, *arguments: str, user: str = ""
) -> tuple[int, str, str]:
    """Run it; exit code, standard output, standard error."""
    process = begun(sandbox, home, *arguments, user=user)
    out, err = process.communicate(timeout=DEADLINE)
    assert "Traceback" not in err
    return process.returncode, out, err


def backups_of(sandbox: Sandbox, cluster: str) -> dict[str, Any]:
    found = sandbox.read("backups.postgresql.cnpg.io", "-n", "production")["items"]
    return {
        each["metadata"]["name"]: each
        for each in found
        if each["spec"]["cluster"]["name"] == cluster
    }


def test_a_backup_is_followed_and_what_it_needs_is_found_in_the_bucket(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    code, out, err = backed_up(sandbox, tmp_path, "pg", "--wait", "--timeout", "2m", "-o", "json")
    assert code == 0, err
    told = json.loads(out)
    assert list(told) == [
        *("name", "namespace", "cluster", "phase", "backup_id", "begin_wal", "end_wal"),
        *("verified", "missing", "headline"),
    ]
    assert (told["namespace"], told["cluster"], told["phase"]) == ("production", "pg", "completed")
    assert (told["verified"], told["missing"]) == (True, [])
    made = backups_of(sandbox, "pg")[told["name"]]
    assert told["backup_id"] == made["status"]["backupId"]
    keys = sandbox.keys("prod/pg/")
    assert f"prod/pg/base/{told['backup_id']}/backup.info" in keys
    for wal in (told["begin_wal"], told["end_wal"]):
        assert any(key.rpartition("/")[2].startswith(wal) for key in keys)
    phases = re.findall(rf"^[\d:]+Z {told['name']} (\w+)", err, re.MULTILINE)
    assert phases[-2:] == ["started", "completed"]
    assert f"kubectl cnpg backup pg -n production --backup-name {told['name']}" in err


def test_without_wait_it_is_created_and_said_as_kubectl_says_it(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    before = backups_of(sandbox, "pg")
    code, out, _ = backed_up(sandbox, tmp_path, "pg", "--target", "primary")
    (name,) = backups_of(sandbox, "pg").keys() - before.keys()
    assert (code, out) == (0, f"backup.postgresql.cnpg.io/{name} created\n")
    assert backups_of(sandbox, "pg")[name]["spec"]["target"] == "primary"


def test_a_dry_run_asks_the_server_and_leaves_no_trace(sandbox: Sandbox, tmp_path: Path) -> None:
    before = backups_of(sandbox, "pg-slow")
    code, out, _ = backed_up(sandbox, tmp_path, "pg-slow", "--dry-run")
    assert code == 0
    assert out.endswith(" created (server dry run)\n")
    assert backups_of(sandbox, "pg-slow") == before


def test_a_backup_that_fails_is_two_with_its_reason(sandbox: Sandbox, tmp_path: Path) -> None:
    code, out, err = backed_up(sandbox, tmp_path, "pg-broken", "--wait", "-o", "json")
    told = json.loads(out)
    assert (code, told["phase"], told["verified"]) == (2, "failed", False)
    assert "failed: " in told["headline"]
    assert told["headline"] in err


def test_a_completed_backup_whose_wal_never_lands_is_one_and_names_what_is_missing(
    sandbox: Sandbox,
) -> None:
    out: list[str] = []
    err: list[str] = []
    code = backup_report.run(
        connect.Flags(kubeconfig=str(sandbox.kubeconfig), s3_credentials="secret", remember=False),
        backup_report.Request("pg-torn", wait=True),
        output="json",
        write=out.append,
        complain=err.append,
        patience=backup_report.Patience(landing=1.0, between=0.5),
    )
    told = json.loads(out[0])
    assert (code, told["phase"], told["verified"]) == (1, "completed", False), err
    wal = told["begin_wal"]
    assert told["missing"][0] == f"wals/{wal[:16]}/{wal}"
    assert any(line.startswith("warning: WAL archiving fails") for line in err)
    assert any("looking again: " in line for line in err)


def test_a_cluster_that_cannot_be_backed_up_is_refused_before_anything_is_sent(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    code, _, err = backed_up(sandbox, tmp_path, "pg-none", "--wait")
    assert code == 2
    assert "has no backup method" in err
    assert "No Backup was created" in err
    assert backups_of(sandbox, "pg-none") == {}


def test_without_keys_to_the_bucket_it_is_not_known_whether_it_is_there(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    code, out, _ = backed_up(sandbox, tmp_path, "pg", "--wait", "-o", "json", user="no-secrets")
    told = json.loads(out)
    assert (code, told["phase"], told["verified"]) == (3, "completed", None)
    assert "completed, not verified: " in told["headline"]
    assert "secrets" in told["headline"]


def test_who_may_not_list_backups_can_create_one_but_not_wait_for_it(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    code, _, err = backed_up(sandbox, tmp_path, "pg-slow", "--wait", user="creator")
    assert code == 2
    assert "Ask for list" in err
    assert backups_of(sandbox, "pg-slow") == {}
    assert backed_up(sandbox, tmp_path, "pg", "--dry-run", user="creator")[0] == 0


def test_the_end_of_the_time_and_an_interrupt_leave_the_backup_running(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    code, out, _ = backed_up(
        sandbox, tmp_path, "pg-slow", "--wait", "--timeout", "3s", "-o", "json"
    )
    late = json.loads(out)
    assert (code, late["phase"]) == (3, "started")
    assert late["headline"].endswith("is started after 3s, and goes on")

    process = begun(sandbox, tmp_path, "pg-slow", "--wait", "-o", "json")
    waited(lambda: len(backups_of(sandbox, "pg-slow")) == 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE)
    stopped = json.loads(out)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert stopped["headline"].startswith("stopped by SIGINT. ")
    assert {late["name"], stopped["name"]} == set(backups_of(sandbox, "pg-slow"))


def heard(process: subprocess.Popen[str], word: str) -> None:
    """Read what it says until a line holds this word."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if word in line:
            return
    raise AssertionError(f"never said {word!r}: {said}")


def test_a_backup_that_somebody_deletes_is_two(served: Served, tmp_path: Path) -> None:
    served.seed(a_cluster("pg"))
    process = started(served.kubeconfig(tmp_path / "kubeconfig"), tmp_path, "pg", "--wait")
    heard(process, "not taken up yet")

    def delete(server: ApiServer) -> None:
        resource = server.registry.at("postgresql.cnpg.io", "v1", "backups")
        assert resource is not None
        (made,) = server.store.listed(resource)
        server.store.remove(made)

    served.do(delete)
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 2
    assert "was deleted before it was completed" in err


def test_a_server_that_goes_away_is_waited_for_and_the_end_is_not_known(
    served: Served, tmp_path: Path
) -> None:
    served.seed(a_cluster("pg"))
    kubeconfig = served.kubeconfig(tmp_path / "kubeconfig")
    process = started(kubeconfig, tmp_path, "pg", "--wait", "-o", "json")
    heard(process, "not taken up yet")
    served.stop()
    heard(process, "not heard of now, trying again")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 128 + signal.SIGTERM
    told = json.loads(out)
    assert told["headline"].endswith("goes on without being watched")
    assert (told["phase"], told["verified"]) == (None, None)


def test_no_server_is_two_because_nothing_was_created(tmp_path: Path) -> None:
    nowhere = tmp_path / "kubeconfig"
    nowhere.write_text("not a kubeconfig")
    done = subprocess.run(
        [sys.executable, "-m", "tui", "backup", "pg", "--kubeconfig", str(nowhere), "-o", "json"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 2
    assert "No Backup was created" in json.loads(done.stdout)["headline"]
