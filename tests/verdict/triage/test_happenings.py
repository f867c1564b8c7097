"""What Kubernetes Events add to a verdict, and when they are over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.verdict.test_two_witnesses import NOW
from tests.verdict.triage.made_up import (
    a_backup,
    a_cluster,
    a_pod,
    a_schedule,
    ago,
    archiving,
    broken,
    failing,
    first,
    judged,
    remarks,
    witnesses,
)
from tui.cnpg.happening import Happening
from tui.verdict.level import Level
from tui.verdict.witnesses import Witnesses


def event(reason: str, about: str, *, minutes: float = 3, message: str = "") -> Happening:
    last = NOW - timedelta(minutes=minutes)
    return Happening("Warning", reason, message, "operator", last, 4, about, "prod")


RETENTION = event("RetentionPolicyFailed", "Cluster pg", message="Retention policy failed")
WAITING = a_backup("asked-for", "pending", created=ago(minutes=20))
NO_POD = event("FindingPod", "Backup asked-for", message="Couldn't find target pod pg-2")
REFUSED = event("BackupCreation", "ScheduledBackup nightly", message="it is refused")
MOUNT = event("FailedMount", "Pod pg-1", message='secret "x" not found')
DOWN = (a_pod("pg-1", ready=False), a_pod("pg-2"), a_pod("pg-3"))

TOLD = [
    (
        "retention-fails",
        witnesses(happenings=(RETENTION,)),
        "Event RetentionPolicyFailed on Cluster pg, 3m ago: Retention policy failed",
    ),
    (
        "backup-refused",
        witnesses(happenings=(REFUSED,)),
        "Event BackupCreation on ScheduledBackup nightly, 3m ago: it is refused",
    ),
    (
        "no-target-pod",
        witnesses(backups=(a_backup(), WAITING), happenings=(NO_POD,)),
        "Event FindingPod on Backup asked-for, 3m ago: Couldn't find target pod pg-2",
    ),
    (
        "pod-held-up",
        witnesses(pods=DOWN, happenings=(MOUNT,)),
        'Event FailedMount on Pod pg-1, 3m ago: secret "x" not found',
    ),
]


@pytest.mark.parametrize(("code", "seen", "said"), TOLD, ids=[code for code, *_ in TOLD])
def test_an_event_is_a_finding_that_cites_it(code: str, seen: Witnesses, said: str) -> None:
    assert first(seen) == code
    assert judged(seen).level is Level.DEGRADED
    assert broken(seen)[0].evidence == said
    assert said in [item.text for item in judged(seen).evidence]


CALM = {
    "retention that failed an hour ago": witnesses(
        happenings=(event("RetentionPolicyFailed", "Cluster pg", minutes=55),)
    ),
    "retention of another cluster": witnesses(
        happenings=(event("RetentionPolicyFailed", "Cluster other"),)
    ),
    "a slot that was refused before one that was not": witnesses(
        schedules=(a_schedule(),),
        happenings=(event("BackupCreation", "ScheduledBackup nightly", minutes=13 * 60),),
    ),
    "a refusal to a schedule that is suspended": witnesses(
        schedules=(a_schedule(suspend=True),), happenings=(REFUSED,)
    ),
    "a Backup that waited through a switchover": witnesses(
        backups=(a_backup(), a_backup("asked-for", "started", created=ago(minutes=3))),
        happenings=(NO_POD,),
    ),
    "a Backup that waits for a moment": witnesses(
        backups=(a_backup(), a_backup("asked-for", "pending", created=ago(minutes=2))),
        happenings=(NO_POD,),
    ),
    "a mount that failed before it worked": witnesses(happenings=(MOUNT,)),
    "a standby that does not start": witnesses(
        pods=(a_pod("pg-1"), a_pod("pg-2", ready=False)),
        happenings=(event("FailedMount", "Pod pg-2"),),
    ),
    "an Event that nobody dated": witnesses(
        happenings=(Happening("Warning", "RetentionPolicyFailed", "", "", None, 1, "Cluster pg"),)
    ),
}


@pytest.mark.parametrize("seen", CALM.values(), ids=CALM)
def test_no_alarm_is_raised_by(seen: Witnesses) -> None:
    assert judged(seen).level is Level.PROTECTED


def test_a_standby_that_does_not_start_is_a_remark_with_the_reason() -> None:
    assert "pod-held-up" in remarks(CALM["a standby that does not start"])


def test_why_the_primary_does_not_start_is_failing_where_archiving_fails() -> None:
    found = failing(pods=DOWN, happenings=(MOUNT,))
    assert [rung.level for rung in broken(found) if rung.code == "pod-held-up"] == [Level.FAILING]


def test_that_there_is_no_event_makes_nothing_green() -> None:
    spoilt = witnesses(cluster=a_cluster(archiving("False", "x")), happenings=())
    assert judged(spoilt).level is judged(witnesses(cluster=spoilt.cluster)).level
    assert judged(spoilt).level is not Level.PROTECTED


def test_what_an_event_says_cannot_reach_into_the_terminal() -> None:
    rude = event("FailedMount", "Pod pg-1", message="\x1b[31mred\nand more")
    said = broken(witnesses(pods=DOWN, happenings=(rude,)))[0].evidence
    assert said.endswith("ago: red and more")
