"""The schedules: do they fire, as meant, and can what they make work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from tui import words
from tui.cnpg import firing
from tui.cnpg.backup import Backup, Method
from tui.cnpg.cron import Verdict
from tui.cnpg.schedule import ScheduledBackup
from tui.verdict import schedules as standings
from tui.verdict.fix import ChangeSchedule
from tui.verdict.level import Level
from tui.verdict.triage.case import Case
from tui.verdict.triage.rung import Trouble, rule
from tui.verdict.witnesses import NotKnown

ZONES = (UTC, *(timezone(timedelta(hours=hours)) for hours in range(-12, 15)))
"""In which the operator may reckon."""


@rule("F28")
def five_fields(case: Case) -> Trouble | None:
    """Accepted with a warning, and it means something else."""
    for one in _active(case):
        judgement = firing.judged(one.schedule)
        if judgement.verdict is not Verdict.MISREAD:
            continue
        meant = judgement.unix.fixed if judgement.unix else ""
        return Trouble(
            "five-field-cron",
            Level.DEGRADED,
            "cron misread",
            words.shorten(f"{one.key.name} runs {judgement.description}", 70),
            f'schedule "{words.visible(one.schedule)}" has five fields; the first is the second',
            f'write "{meant}"' if meant else "write six fields, the second first",
            _patch(one, f'{{"spec":{{"schedule":"{meant}"}}}}') if meant else "",
            ChangeSchedule(one, replace(one, schedule=meant)) if meant else None,
        )
    return None


@rule("F27")
def names_no_plugin(case: Case) -> Trouble | None:
    """Every Backup it makes is refused."""
    for one in _active(case):
        if one.method == Method.PLUGIN and not one.plugin:
            plugin = case.seen.cluster.backup_plugin
            name = plugin.name if plugin else "barman-cloud.cloudnative-pg.io"
            return Trouble(
                "schedule-without-plugin",
                Level.DEGRADED,
                "schedule refused",
                "a schedule names no plugin: every Backup it makes is refused",
                f"{one.key.name}: method plugin without pluginConfiguration.name",
                f"set pluginConfiguration.name to {name}",
                _patch(one, f'{{"spec":{{"pluginConfiguration":{{"name":"{name}"}}}}}}'),
                ChangeSchedule(one, replace(one, plugin=name)),
            )
    return None


@rule("F25")
def other_method(case: Case) -> Trouble | None:
    """A schedule from before the migration to the plugin."""
    cluster = case.seen.cluster
    plugin = cluster.backup_plugin
    if plugin is None or cluster.in_tree_store is not None:
        return None
    for one in _active(case):
        if one.method in (Method.IN_TREE, ""):
            fields = f'{{"method":"plugin","pluginConfiguration":{{"name":"{plugin.name}"}}}}'
            return Trouble(
                "schedule-method",
                Level.DEGRADED,
                "schedule's method",
                "a schedule asks for the in-tree method: every Backup of it fails",
                f"{one.key.name}: method {one.method or 'not set'}, the cluster has a plugin only",
                "set method: plugin and pluginConfiguration",
                _patch(one, f'{{"spec":{fields}}}'),
                ChangeSchedule(one, replace(one, method=Method.PLUGIN.value, plugin=plugin.name)),
            )
    return None


@rule("F28")
def never_fires(case: Case) -> Trouble | None:
    """The operator cannot act on it, or no date matches: no status and no Event says so."""
    for one in _without_slot(case):
        if one.method == Method.PLUGIN and not one.plugin:
            continue  # that is said already
        stands = standings.standing(one, firing.children(one, case.backups), case.now, UTC)
        if stands.word in ("invalid", "never fires"):
            return Trouble(
                "schedule-never-fires",
                Level.DEGRADED,
                "never fires",
                "a schedule makes no Backup at all",
                f"{one.key.name}: {stands.sentence}",
                stands.advice,
                f"kubectl -n {one.key.namespace} edit scheduledbackup {one.key.name}",
            )
    return None


@rule("F29", "F30")
def overdue(case: Case) -> Trouble | None:
    """A slot has passed without a Backup, by the operator's own reckoning and by ours.

    Both, since the object does not say in which zone the operator reckons. Before its first Backup
    the operator names no slot; then it must have passed in every zone.
    """
    for one in _without_slot(case):
        if case.freed is not None and case.now - case.freed < standings.LATE:
            continue  # the operator looks again within a minute of what held it up
        children = firing.children(one, case.backups)
        if any(not child.is_done for child in children):
            continue  # held up: the queue's rule speaks of it once it is too long
        told = one.next_schedule is not None or one.last_check is None
        if all(_late(one, children, case.now, zone) for zone in ((UTC,) if told else ZONES)):
            stands = standings.standing(one, children, case.now, UTC)
            return Trouble(
                "schedule-overdue",
                Level.DEGRADED,
                "schedule overdue",
                "a schedule has missed its slot",
                f"{one.key.name}: {stands.sentence}",
                "is the operator up? The schedule's Events say whether its Backups are refused",
                f"kubectl -n {one.key.namespace} describe scheduledbackup {one.key.name}",
            )
    return None


def _late(one: ScheduledBackup, children: Sequence[Backup], now: datetime, zone: tzinfo) -> bool:
    return standings.standing(one, children, now, zone).word == "overdue"


@rule("F30")
def suspended(case: Case) -> Trouble | None:
    """Meant by somebody, and easily forgotten."""
    asleep = sorted((one for one in case.schedules if one.suspended), key=lambda one: one.key)
    if not asleep:
        return None
    return Trouble(
        "schedule-suspended",
        Level.PROTECTED,
        "suspended",
        "a schedule is suspended",
        f"{', '.join(one.key.name for one in asleep)} suspended: nothing fires",
        f"resume {asleep[0].key.name}; what it then fires at once is shown first",
        _patch(asleep[0], '{"spec":{"suspend":false}}'),
        ChangeSchedule(asleep[0], replace(asleep[0], suspended=False)),
    )


def fires(case: Case) -> str | NotKnown:
    """What there is, and when it ran last."""
    if isinstance(case.seen.schedules, NotKnown):
        return NotKnown(case.seen.schedules.why)
    if not case.schedules:
        return "none: base backups are taken by hand"
    told = []
    for one in sorted(case.schedules, key=lambda one: one.key):
        last = f", last {words.moment(one.last_schedule, case.now)}" if one.last_schedule else ""
        told.append(f"{one.key.name} {firing.judged(one.schedule).description}{last}")
    return "; ".join(told)


def _without_slot(case: Case) -> Iterator[ScheduledBackup]:
    """Those whose next slot has passed, or is not named, or is of a text that was refused since."""
    for one in _active(case):
        due = one.next_schedule
        if due is None or one.error or case.now - due >= standings.LATE:
            yield one


def _active(case: Case) -> Iterator[ScheduledBackup]:
    ours = (one for one in case.schedules if not one.suspended)
    return iter(sorted(ours, key=lambda one: one.key))


def _patch(one: ScheduledBackup, fields: str) -> str:
    return (
        f"kubectl -n {one.key.namespace} patch scheduledbackup {one.key.name} --type merge "
        f"-p '{fields}'"
    )
