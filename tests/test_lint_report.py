"""``cnpg-tui lint`` as a pipeline sees it: lines that name a place, and an exit code."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.panes.objects import NAMESPACE, a_cluster, a_schedule
from tui import lint_report
from tui.connect import Flags
from tui.sandbox.apiserver import EVERYTHING, ApiServer, Rule, User

NOW = datetime(2026, 11, 22, 14, 1, 2, tzinfo=UTC)

SOUND = """\
apiVersion: postgresql.cnpg.io/v1
kind: ScheduledBackup
metadata:
  name: nightly
  namespace: prod
spec:
  cluster:
    name: pg
  method: plugin
  pluginConfiguration:
    name: barman-cloud.cloudnative-pg.io
  schedule: "0 0 2 * * *"
"""
TRAP = SOUND.replace("0 0 2 * * *", "0 2 * * *")
REFUSED = SOUND.replace("0 0 2 * * *", "0 3 * * 0")


def linted(*texts: str, output: Any = "text", stdin: str = "", tmp: Path) -> tuple[int, str]:
    names = []
    for number, text in enumerate(texts):
        path = tmp / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        names.append(str(path))
    out = io.StringIO()
    code = lint_report.run_files(
        names or ["-"],
        output=output,
        zone=UTC,
        stdin=io.StringIO(stdin),
        stdout=out,
        now=NOW,
    )
    return code, out.getvalue().replace(f"{tmp}/", "")


@pytest.mark.parametrize(("text", "code"), [(SOUND, 0), (TRAP, 1), (REFUSED, 2), ("", 0)])
@pytest.mark.parametrize("output", ["text", "json"])
def test_the_exit_code_is_that_of_the_worst(
    text: str, code: int, output: str, tmp_path: Path
) -> None:
    assert linted(text, output=output, tmp=tmp_path)[0] == code
    assert linted(SOUND, text, output=output, tmp=tmp_path)[0] == code


def test_a_finding_is_one_line_that_names_file_and_line_and_remedy(tmp_path: Path) -> None:
    _, said = linted(TRAP, tmp=tmp_path)
    line, total = said.splitlines()
    assert line == (
        "0.yaml:12: warning [misread] prod/nightly: five fields begin with the second: it runs every "
        "hour at minute 2, second 0, where Unix cron reads every day at 02:00. Remedy: write "
        "0 0 2 * * *"
    )
    assert total == "1 ScheduledBackup, 0 errors, 1 warning, 0 notes"


def test_other_documents_pass_and_lists_are_looked_into(tmp_path: Path) -> None:
    listed = yaml.safe_load(TRAP)
    text = "\n---\n".join(
        [
            "kind: Deployment\napiVersion: apps/v1",
            "# nothing but a comment",
            "just a text",
            yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [listed, 5, None]}),
            SOUND.replace("nightly", "other").replace("name: pg", "name: pg2"),
        ]
    )
    code, said = linted(text, tmp=tmp_path)
    assert code == 1
    assert said.count("[misread]") == 1
    assert said.endswith("2 ScheduledBackups, 0 errors, 1 warning, 0 notes\n")


def test_standard_input_is_a_file_called_stdin(tmp_path: Path) -> None:
    code, said = linted(stdin=REFUSED, tmp=tmp_path)
    assert code == 2
    assert said.startswith("stdin:12: error [refused] prod/nightly: CNPG refuses the schedule: ")


def test_json_from_kubectl_is_yaml_enough(tmp_path: Path) -> None:
    text = json.dumps({"kind": "ScheduledBackupList", "items": [yaml.safe_load(TRAP)]}, indent=4)
    code, said = linted(stdin=text, output="json", tmp=tmp_path)
    answer = json.loads(said)
    assert (code, answer["schedules"]) == (1, 1)
    (finding,) = answer["findings"]
    assert finding["code"] == "misread"
    assert finding["severity"] == "warning"
    assert (finding["namespace"], finding["name"], finding["file"]) == ("prod", "nightly", "stdin")
    assert isinstance(finding["line"], int)


def test_a_cluster_beside_its_schedule_is_compared_with_it(tmp_path: Path) -> None:
    bare = yaml.safe_dump(a_cluster("pg", namespace="prod", spec={}))
    code, said = linted(SOUND, bare, tmp=tmp_path)
    assert code == 2
    assert "[method] prod/nightly: cluster pg does not enable plugin" in said


def test_two_files_for_one_cluster_collide(tmp_path: Path) -> None:
    said = linted(SOUND, SOUND.replace("nightly", "weekly"), tmp=tmp_path)[1]
    assert "0.yaml:12: note [collision] prod/nightly: weekly fires too" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("spec: {{ .Values.x }}", "0.yaml:1: error [unreadable] no YAML"),
        ("spec:\n  schedule: * * * * *", "Remedy: put the schedule in quotes"),
        ("spec:\n  schedule: @daily", "Remedy: put the schedule in quotes"),
        (SOUND.replace("spec:", "spec: nothing\nother:"), "this ScheduledBackup cannot be read"),
        ("[" * 100_000, "nested too deeply"),
        ("a: !secret b", "no YAML"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_place(
    text: str, said: str, tmp_path: Path
) -> None:
    code, told = linted(text, tmp=tmp_path)
    assert code == 2
    assert said in told


def test_a_file_that_is_not_there_and_one_that_is_no_text_are_errors(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    out = io.StringIO()
    code = lint_report.run_files(
        [str(tmp_path / "missing"), str(binary), str(tmp_path)],
        output="text",
        zone=UTC,
        stdin=io.StringIO(),
        stdout=out,
        now=NOW,
    )
    assert code == 2
    assert out.getvalue().count("cannot read it") == 3


def test_a_time_without_quotes_is_a_text_to_kubernetes_too(tmp_path: Path) -> None:
    dated = SOUND.replace(
        "  name: nightly", "  name: nightly\n  creationTimestamp: 2026-11-22T01:00:00Z"
    )
    assert linted(dated, tmp=tmp_path)[0] == 0


def test_the_command_takes_files_and_gives_the_code(tmp_path: Path) -> None:
    path = tmp_path / "trap.yaml"
    path.write_text(TRAP)
    done = subprocess.run(
        [sys.executable, "-m", "tui", "lint", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "[misread]" in done.stdout


def test_bytes_that_are_no_text_on_standard_input_are_an_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui", "lint", "-"],
        input=b"\xff\xfe",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert b"no UTF-8 text" in done.stdout


async def live(tmp_path: Path, user: User, *manifests: dict[str, Any]) -> tuple[int, str]:
    """Lint what a real server has, in a thread with a loop of its own, as the command does."""
    server = ApiServer(users=(user,))
    await server.start()
    server.store.ensure_namespace(NAMESPACE)
    for manifest in manifests:
        server.store.seed(manifest)
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(server.kubeconfig(user, namespace=NAMESPACE)))
    out = io.StringIO()
    try:
        code = await asyncio.to_thread(
            lint_report.run_live,
            Flags(kubeconfig=str(path)),
            output="text",
            zone=UTC,
            stdout=out,
            now=NOW,
        )
    finally:
        await server.stop()
    return code, out.getvalue()


async def test_a_server_is_asked_where_no_file_is_named(tmp_path: Path) -> None:
    code, said = await live(
        tmp_path,
        User("admin", "a-token", EVERYTHING),
        a_cluster("pg"),
        a_cluster("lonely"),
        a_schedule("nightly", "pg", "0 2 * * *"),
        a_schedule("astray", "gone", "0 0 2 * * *"),
    )
    assert code == 2
    assert "error [no-cluster] production/astray: there is no Cluster gone in production" in said
    assert "warning [misread] production/nightly" in said
    assert "warning [no-schedule] production/lonely" in said
    assert said.endswith("2 ScheduledBackups, 1 error, 2 warnings, 0 notes\n")


async def test_a_right_that_is_missing_is_an_error_not_a_clean_bill(tmp_path: Path) -> None:
    rules = (Rule(("postgresql.cnpg.io",), ("clusters",), ("list", "watch")),)
    code, said = await live(tmp_path, User("viewer", "a-token", rules))
    assert code == 2
    assert "Ask for list on scheduledbackups.postgresql.cnpg.io" in said
