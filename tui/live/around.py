"""What the estate knows around a schedule, as its judges take it; and the findings of the fleet."""

from __future__ import annotations

from datetime import datetime, tzinfo

from tui.cnpg import firing
from tui.cnpg.cluster import Cluster
from tui.cnpg.manifest import CLUSTERS, SCHEDULED_BACKUPS
from tui.cnpg.schedule import ScheduledBackup
from tui.live.estate import Estate
from tui.verdict import lint, schedules
from tui.verdict.lint import Around, Finding, Severity
from tui.verdict.schedules import Standing


def around(estate: Estate, schedule: ScheduledBackup) -> Around:
    """Everything a judge of ``schedule`` may want to know besides it."""
    backups = tuple(estate.backups_of(schedule.cluster_key))
    siblings = estate.schedules_of(schedule.cluster_key)
    return Around(
        cluster=estate.cluster(schedule.cluster_key),
        clusters_known=estate.heard(CLUSTERS),
        siblings=tuple(other for other in siblings if other.key != schedule.key),
        children=firing.children(schedule, backups),
        usual=schedules.usual_duration(backups),
        live=True,
    )


def standing(estate: Estate, schedule: ScheduledBackup, now: datetime, zone: tzinfo) -> Standing:
    """How a schedule stands; ``zone`` is the operator's."""
    children = firing.children(schedule, estate.backups_of(schedule.cluster_key))
    return schedules.standing(schedule, children, now, zone)


def findings(estate: Estate, now: datetime, zone: tzinfo) -> tuple[Finding, ...]:
    """All findings about all schedules and the clusters without one, worst first."""
    found: list[Finding] = []
    for schedule in estate.tables[SCHEDULED_BACKUPS].values():
        if isinstance(schedule, ScheduledBackup):
            found += lint.lint(schedule, around(estate, schedule), now, zone)
    if estate.heard(SCHEDULED_BACKUPS):
        for cluster in estate.tables[CLUSTERS].values():
            if isinstance(cluster, Cluster):
                lacking = lint.unscheduled(cluster, estate.schedules_of(cluster.key))
                found += [lacking] if lacking else []
    order = list(Severity)
    return tuple(sorted(found, key=lambda one: (order.index(one.severity), one.about, one.code)))
