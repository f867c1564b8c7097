"""Every entry of the failure catalogue has a rule, or a reason why there is none."""

from __future__ import annotations

import pytest

from tui.cnpg import sidecar_log
from tui.verdict.triage import ladder
from tui.verdict.triage.texts import TEXTS, match
from tui.verdict.triage.unseen import UNSEEN

CATALOGUE = {f"F{number:02}" for number in range(1, 44)}


def answered() -> set[str]:
    rules = {number for step in ladder.STEPS for rule in step.rules for number in rule.numbers}
    symptoms = {
        number for step in ladder.STEPS for each in step.symptoms.values() for number in each
    }
    return rules | symptoms | {number for known in TEXTS for number in known.numbers}


def test_every_entry_is_answered_by_a_rule_or_said_to_be_unseen_and_none_by_both() -> None:
    assert answered() | set(UNSEEN) == CATALOGUE
    assert answered() & set(UNSEEN) == set()
    assert all(UNSEEN.values())


def test_every_text_belongs_to_a_rung_and_fills_its_remedy() -> None:
    steps = {step.code for step in ladder.STEPS}
    names = dict.fromkeys(
        ("ns", "cluster", "primary", "store", "secret", "bucket", "endpoint", "server", "backup"),
        "x",
    )
    for known in TEXTS:
        assert known.step in steps
        assert len(known.headline.format_map(names)) <= 70
        assert known.remedy.format_map(names)
        known.command.format_map(names)


def test_no_code_stands_for_two_rungs() -> None:
    places: dict[str, str] = {}
    for known in TEXTS:
        assert places.setdefault(known.code, known.step) == known.step


@pytest.mark.parametrize(
    "text",
    [
        "Cluster in healthy state: ",
        "Continuous archiving is working",
        "Backup was successful",
        "switchover in progress, refusing archiving",
        "Switchover in progress: Switching over to pg-2",
        "Creating a new replica: Creating replica pg-3-join",
        "",
    ],
)
def test_what_healthy_clusters_say_means_nothing(text: str) -> None:
    assert match(text) is None


LOG = """\
{"level":"info","ts":"2026-11-22T13:58:00.1Z","logger":"barman-cloud-wal-archive","msg":"2026-11-22 13:58:00,100 [4711] ERROR: Barman cloud WAL archiver exception: An error occurred (AccessDenied)","pipe":"stderr"}
{"level":"error","ts":"2026-11-22T13:58:00.2Z","msg":"Error invoking barman-cloud-wal-archive","exitCode":-1,"error":"exit status 4"}
{"level":"info","ts":1795355940.5,"msg":"Archived WAL file","walName":"pg_wal/0001"}
Traceback (most recent call last):
{"level":"info","ts":"2026-11-22T13:59:00.1Z","logger":"barman-cloud-wal-archive","msg":"2026-11-22 13:59:00,100 [4712] ERROR: Barman cloud WAL archiver exception: An error occurred (AccessDenied)","pipe":"stderr"}
{"level":"error","ts":1795355941,"msg":"while getting credentials","error":"secrets \\"a\\" not found"}
[1, 2]
{"level":"info","logger":"barm"""  # noqa: E501


def test_the_sidecars_log_is_read_for_its_errors_alone() -> None:
    found = sidecar_log.errors(LOG)
    assert [(line.logger, line.text) for line in found] == [
        (
            "barman-cloud-wal-archive",
            "Barman cloud WAL archiver exception: An error occurred (AccessDenied)",
        ),
        ("plugin", 'while getting credentials: secrets "a" not found'),
    ]
    assert found[0].at is not None
    assert (found[0].at.minute, found[1].at and found[1].at.year) == (59, 2026)


def test_a_log_that_is_no_log_has_no_errors() -> None:
    assert sidecar_log.errors("\x00\n{\n[]\nnull\n{}\n") == ()
