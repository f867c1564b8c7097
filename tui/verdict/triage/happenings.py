"""What Kubernetes Events tell. They are forgotten within the hour: that there is none says nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta

from tui import words
from tui.cnpg.happening import RETENTION_FAILED, Happening
from tui.verdict.evidence import LATELY, happened
from tui.verdict.level import Level
from tui.verdict.triage.case import Case
from tui.verdict.triage.rung import Trouble, rule
from tui.verdict.witnesses import NotKnown

STILL = timedelta(minutes=5)
"""What the operator or the kubelet tries again every half minute or so, and said longer ago, is over."""

WAITED = timedelta(minutes=5)
"""A Backup that waits no longer than this for a Pod sits out a switchover or a restart."""

ROUND = timedelta(minutes=40)
"""Retention runs every half hour: one that said nothing for longer has not failed since."""

HELD_UP = frozenset(
    {"FailedMount", "FailedAttachVolume", "FailedScheduling", "FailedCreatePodSandBox", "Evicted"}
)
"""Why a Pod does not start."""
_NO_POD = frozenset({"FindingPod", "BackupPending", "TargetPodNotHealthy"})


@rule("F36")
def retention_fails(case: Case) -> Trouble | None:
    """The plugin says so, half-hourly, in an Event and in the sidecar's log alone."""
    about = f"Cluster {case.seen.cluster.key.name}"
    for told in _told(case, {RETENTION_FAILED}, ROUND):
        if told.about == about:
            return Trouble(
                "retention-fails",
                Level.DEGRADED,
                "retention fails",
                "retention fails: nothing old is deleted",
                _said(case, told),
                "see the primary's sidecar log; do the keys allow to delete?",
                case.command("kubectl -n {ns} logs {primary} -c plugin-barman-cloud"),
                explains=("retention-idle",),
            )
    return None


@rule("F27")
def backup_refused(case: Case) -> Trouble | None:
    """The API server refuses the Backups of a schedule: it is tried again at the next slot only."""
    ours = {f"ScheduledBackup {one.key.name}": one for one in case.schedules if not one.suspended}
    for told in _told(case, {"BackupCreation"}, LATELY):
        one = ours.get(told.about)
        if one is None or told.last is None:
            continue
        if one.last_schedule is not None and one.last_schedule > told.last:
            continue  # a later slot made its Backup
        return Trouble(
            "backup-refused",
            Level.DEGRADED,
            "schedule refused",
            "the Backups of a schedule cannot be created",
            _said(case, told),
            "see what refuses them: a webhook, a quota, or a name that is taken",
            f"kubectl -n {one.key.namespace} describe scheduledbackup {one.key.name}",
            explains=("schedule-overdue",),
        )
    return None


@rule("F32")
def no_pod_to_take_it(case: Case) -> Trouble | None:
    """The operator finds no Pod for a Backup, or none that is ready, and tries every 30 seconds."""
    waiting = {
        f"Backup {one.key.name}": one
        for one in case.backups
        if not one.is_done
        and not one.is_executing
        and one.created is not None
        and case.now - one.created > WAITED
    }
    for told in _told(case, _NO_POD, STILL):
        one = waiting.get(told.about)
        if one is None or case.seen.cluster.hibernated:
            continue
        return Trouble(
            "no-target-pod",
            Level.DEGRADED,
            "no Pod for Backup",
            "a Backup waits: no Pod is there, or ready, to take it",
            _said(case, told),
            "bring the instance up; the Backup then goes on by itself",
            case.command("kubectl cnpg status {cluster} -n {ns}"),
            explains=("queue-stuck",),
        )
    return None


@rule("F08")
def pod_held_up(case: Case) -> Trouble | None:
    """A Pod that does not start says why in its Events alone."""
    down = {f"Pod {one.key.name}": one for one in case.pods if not one.ready}
    for told in _told(case, HELD_UP, STILL):
        one = down.get(told.about)
        if one is None:
            continue
        return Trouble(
            "pod-held-up",
            case.grave if one.is_primary else Level.PROTECTED,
            "Pod held up",
            f"the {'primary' if one.is_primary else 'standby'}'s Pod does not start",
            _said(case, told),
            "give it what it waits for: the volume, the Secret, or room on a node",
            f"kubectl -n {one.key.namespace} describe pod {one.key.name}",
        )
    return None


def _told(case: Case, reasons: Collection[str], within: timedelta) -> Iterator[Happening]:
    """Events of these reasons that are not over, newest first."""
    if isinstance(case.seen.happenings, NotKnown):
        return
    for each in reversed(case.seen.happenings):
        if each.reason in reasons and each.last is not None and case.now - each.last <= within:
            yield each


def _said(case: Case, told: Happening) -> str:
    return words.shorten(happened(told, case.now), 300)
