"""Findings about schedules: each by its code, with a remedy that mends it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from tests.verdict.fleet import NIGHTLY, NOW, a_child, a_cluster, at
from tui.cnpg.manifest import Key
from tui.cnpg.schedule import ScheduledBackup
from tui.verdict import lint
from tui.verdict.lint import Around, Finding, Severity

WEEKLY = replace(NIGHTLY, key=Key("prod", "weekly"), schedule="0 0 2 * * 0")


def found(schedule: ScheduledBackup, around: Around | None = None) -> tuple[Finding, ...]:
    return lint.lint(schedule, around or Around(), NOW, UTC)


def codes(schedule: ScheduledBackup, around: Around | None = None) -> list[str]:
    return [finding.code for finding in found(schedule, around)]


def test_a_sound_schedule_has_no_findings() -> None:
    around = Around(a_cluster(), clusters_known=True, children=(a_child(),), live=True)
    assert found(NIGHTLY, around) == ()


@pytest.mark.parametrize(
    ("fields", "severity", "code", "remedy"),
    [
        ({"schedule": "0 2 * * *"}, Severity.WARNING, "misread", "write 0 0 2 * * *"),
        ({"schedule": "42 6 * * 1"}, Severity.WARNING, "misread", "write 0 42 6 * * 1"),
        ({"schedule": "0 2 * * * *"}, Severity.WARNING, "padding", "write 0 0 2 * * *"),
        ({"schedule": "0 3 * * 0"}, Severity.ERROR, "refused", "0 0 3 * * 0"),
        ({"schedule": ""}, Severity.ERROR, "refused", "write six fields"),
        ({"schedule": "0 0 0 30 2 *"}, Severity.WARNING, "never", "a date that exists"),
        ({"schedule": "0 */10 * * * *"}, Severity.NOTE, "often", "once a day is usual"),
        ({"plugin": ""}, Severity.ERROR, "no-plugin", "barman-cloud.cloudnative-pg.io"),
        ({"method": ""}, Severity.NOTE, "deprecated", "set method: plugin"),
        ({"method": "barmanObjectStore", "online": True}, Severity.ERROR, "online", "remove"),
        ({"key": Key("prod", "n" * 64)}, Severity.ERROR, "long-name", "shorter name"),
        ({"suspended": True}, Severity.NOTE, "suspended", "resume it"),
    ],
)
def test_what_a_file_alone_shows(
    fields: dict[str, Any], severity: Severity, code: str, remedy: str
) -> None:
    findings = {finding.code: finding for finding in found(replace(NIGHTLY, **fields))}
    assert findings[code].severity is severity
    assert remedy in findings[code].remedy


def test_every_ten_minutes_may_be_meant_and_fails_no_pipeline() -> None:
    assert {finding.severity for finding in found(replace(NIGHTLY, schedule="0 */10 * * * *"))} == {
        Severity.NOTE
    }


def test_every_remedy_that_names_a_schedule_names_a_sound_one() -> None:
    for text in ("0 2 * * *", "0 2 * * * *", "0 3 * * 0", "*/5 2 * * 7"):
        remedy = found(replace(NIGHTLY, schedule=text))[0].remedy
        mended = remedy.split(";")[0].removeprefix("write ")
        if "is here" in remedy:
            mended = remedy.split("is here ")[1]
        assert codes(replace(NIGHTLY, schedule=mended)) == []


@pytest.mark.parametrize(
    ("fields", "spec", "said"),
    [
        ({"plugin": "other.example"}, {}, "does not enable plugin other.example"),
        ({}, {"plugins": []}, "does not enable plugin barman-cloud"),
        ({"method": "volumeSnapshot"}, {}, "has no spec.backup.volumeSnapshot"),
        ({"method": "barmanObjectStore"}, {}, "has no spec.backup.barmanObjectStore"),
    ],
)
def test_a_method_the_cluster_cannot_do_is_an_error(
    fields: dict[str, Any], spec: dict[str, Any], said: str
) -> None:
    around = Around(a_cluster(**spec), clusters_known=True)
    finding = found(replace(NIGHTLY, **fields), around)[0]
    assert (finding.severity, finding.code) == (Severity.ERROR, "method")
    assert said in finding.sentence


def test_a_cluster_that_does_not_exist_is_an_error_only_where_somebody_looked() -> None:
    assert codes(NIGHTLY, Around(clusters_known=True)) == ["no-cluster"]
    assert codes(NIGHTLY, Around()) == []


def test_two_schedules_at_one_moment_are_told_where_and_when() -> None:
    around = Around(siblings=(WEEKLY,))
    (finding,) = found(NIGHTLY, around)
    assert finding.code == "collision"
    assert "weekly fires too at 29 Nov 02:00:00Z" in finding.sentence


def test_a_schedule_that_falls_into_the_others_backup_collides_with_it() -> None:
    quarter_past = replace(WEEKLY, schedule="0 15 2 * * *")
    assert codes(NIGHTLY, Around(siblings=(quarter_past,))) == []
    slow = Around(siblings=(quarter_past,), usual=timedelta(minutes=30))
    assert codes(NIGHTLY, slow) == ["collision"]


@pytest.mark.parametrize("other", ["0 0 14 * * *", "@every 1h", "nonsense"])
def test_schedules_apart_do_not_collide(other: str) -> None:
    assert codes(NIGHTLY, Around(siblings=(replace(WEEKLY, schedule=other),))) == []


def test_an_interval_shorter_than_a_backup_takes_is_a_warning() -> None:
    often = replace(NIGHTLY, schedule="0 */20 * * * *")
    finding = found(often, Around(usual=timedelta(minutes=30)))[0]
    assert (finding.severity, finding.code) == (Severity.WARNING, "interval")
    assert "every 20m, but a backup of pg usually takes 30m" in finding.sentence


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"last_check": at("2026-11-20T02:00:00")}, "overdue"),
        ({"immediate": True}, "immediate"),
    ],
)
def test_what_only_a_server_knows_is_left_out_of_files(fields: dict[str, Any], code: str) -> None:
    schedule = replace(NIGHTLY, **fields)
    assert codes(schedule, Around(live=True)) == [code]
    assert codes(schedule, Around()) == []


def test_a_stuck_backup_is_an_error_of_its_schedule() -> None:
    stuck = a_child(phase="pending")
    late = replace(NIGHTLY, last_check=at("2026-11-21T02:00:00"))
    assert "blocked" in codes(late, Around(children=(stuck,), live=True))


def test_a_protected_cluster_without_a_schedule_is_found() -> None:
    finding = lint.unscheduled(a_cluster(), ())
    assert finding is not None
    assert finding.about == Key("prod", "pg")
    assert lint.unscheduled(a_cluster(), [NIGHTLY]) is None
    assert lint.unscheduled(a_cluster(plugins=[]), ()) is None
