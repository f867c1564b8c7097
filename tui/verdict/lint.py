"""What is wrong or odd with a ScheduledBackup, each finding with a code, a sentence and a remedy.

Pure. One finding says one thing. An ``error`` means that the API server refuses it or that no Backup
comes of it; a ``warning`` that it is accepted and does something else than meant; a ``note`` is worth
knowing and no reason to fail a pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

from tui import words
from tui.cnpg import cron, firing
from tui.cnpg.backup import Backup, Method
from tui.cnpg.cluster import Cluster
from tui.cnpg.cron import Spec, Verdict
from tui.cnpg.firing import Outlook
from tui.cnpg.manifest import Key
from tui.cnpg.schedule import LONGEST_NAME, ScheduledBackup
from tui.verdict import schedules
from tui.verdict.health import Level

OFTEN: Final = 24.0
"""Runs a day above which a base backup schedule is worth a note."""

_LOOKED_AT: Final = 5
"""Runs that are looked at for collisions and short intervals."""


class Severity(StrEnum):
    """How much a finding matters, worst first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found."""

    severity: Severity
    code: str
    """A short name that stays the same: for grep and for pipelines."""
    about: Key
    """The ScheduledBackup, or the Cluster that lacks one."""
    sentence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Around:
    """What is known besides the schedule. From a file there is often nothing."""

    cluster: Cluster | None = None
    clusters_known: bool = False
    """Whether all Clusters were looked at, so that None means there is none."""
    siblings: tuple[ScheduledBackup, ...] = ()
    """The other schedules of its cluster."""
    children: tuple[Backup, ...] = ()
    """The Backups it made."""
    usual: timedelta | None = None
    """How long a Backup of its cluster usually takes."""
    live: bool = False
    """Whether all this is what a server says now, not what a file wants."""


class _Told(NamedTuple):
    severity: Severity
    code: str
    sentence: str
    remedy: str


class _Case(NamedTuple):
    schedule: ScheduledBackup
    outlook: Outlook
    around: Around
    now: datetime
    zone: tzinfo


def lint(
    schedule: ScheduledBackup, around: Around, now: datetime, zone: tzinfo
) -> tuple[Finding, ...]:
    """Everything found about one schedule, worst first; ``zone`` is the operator's."""
    outlook = firing.outlook(schedule, around.children, now, zone, count=_LOOKED_AT)
    case = _Case(schedule, outlook, around, now, zone)
    found = [
        Finding(told.severity, told.code, schedule.key, told.sentence, told.remedy)
        for rule in _RULES
        for told in rule(case)
    ]
    return tuple(sorted(found, key=_worst_first))


def warning(judgement: cron.Judgement) -> str:
    """What to know before a text is saved that is accepted and hardly meant; ``""`` if nothing."""
    return next((f"{told.sentence}. Better: {told.remedy}" for told in _judged(judgement)), "")


def unable(schedule: ScheduledBackup, cluster: Cluster) -> str:
    """Why ``cluster`` cannot do the method of its schedule; ``""`` if it can."""
    enabled = [plugin.name for plugin in cluster.plugins if plugin.enabled]
    missing = ""
    if schedule.method == Method.PLUGIN:
        if schedule.plugin and schedule.plugin not in enabled:
            missing = f"does not enable plugin {schedule.plugin}"
    elif schedule.method == Method.VOLUME_SNAPSHOT:
        missing = "" if cluster.volume_snapshots else "has no spec.backup.volumeSnapshot"
    elif not cluster.in_tree_store:
        missing = "has no spec.backup.barmanObjectStore"
    if not missing:
        return ""
    able = f"; it enables {', '.join(enabled)}" if enabled else ""
    return f"cluster {cluster.key.name} {missing}{able}: every Backup fails"


def deprecated(schedule: ScheduledBackup) -> str:
    """What is deprecated about the method, and until when it works; ``""`` if nothing."""
    if schedule.method not in (Method.IN_TREE, ""):
        return ""
    unnamed = "" if schedule.method else " (the default, as none is named)"
    return f"method barmanObjectStore{unnamed}: CloudNativePG 1.31.0 removes it"


def unscheduled(cluster: Cluster, siblings: Iterable[ScheduledBackup]) -> Finding | None:
    """A cluster whose WAL is archived and that no schedule takes base backups of."""
    if not cluster.archives or any(True for _ in siblings):
        return None
    return Finding(
        Severity.WARNING,
        "no-schedule",
        cluster.key,
        "its WAL is archived, but no ScheduledBackup takes base backups of it",
        "create one: n in Schedules",
    )


def _worst_first(finding: Finding) -> tuple[int, str]:
    return (list(Severity).index(finding.severity), finding.code)


def _text(case: _Case) -> Iterator[_Told]:
    """What the schedule's text alone shows."""
    yield from _judged(case.outlook.judgement)
    if case.outlook.never:
        said = case.outlook.judgement.description
        yield _Told(Severity.WARNING, "never", said, "name a date that exists")


def _judged(judgement: cron.Judgement) -> Iterator[_Told]:
    if isinstance(judgement.reading, cron.Refusal):
        remedy = judgement.reading.hint
        if judgement.unix:
            remedy += f"; what Unix cron reads ({judgement.unix.description}) is here "
            remedy += judgement.unix.fixed
        message = schedules.said(judgement.reading.message)
        yield _Told(Severity.ERROR, "refused", f"CNPG refuses the schedule: {message}", remedy)
    elif judgement.verdict is Verdict.MISREAD:
        yield _misread(judgement)
    elif judgement.padding:
        hourly = cron.rate(judgement.reading).per_day <= OFTEN
        yield _Told(
            # Every ten minutes is written so on purpose as well; at one minute of every hour hardly.
            Severity.WARNING if hourly else Severity.NOTE,
            "padding",
            f"runs {judgement.description}: was {judgement.padding.description} meant, with * "
            "put at the wrong end?",
            f"write {judgement.padding.fixed}; if every hour is meant, write the hours as 0-23",
        )


def _misread(judgement: cron.Judgement) -> _Told:
    sentence = f"five fields begin with the second: it runs {judgement.description}"
    if not judgement.unix:
        return _Told(Severity.WARNING, "misread", sentence, f"write six: {cron.FIELD_ORDER}")
    sentence += f", where Unix cron reads {judgement.unix.description}"
    return _Told(Severity.WARNING, "misread", sentence, f"write {judgement.unix.fixed}")


def _frequency(case: _Case) -> Iterator[_Told]:
    reading = case.outlook.judgement.reading
    if isinstance(reading, cron.Refusal):
        return
    per_day = cron.rate(reading).per_day
    if per_day > OFTEN:
        yield _Told(
            Severity.NOTE,
            "often",
            f"runs {words.number(round(per_day))} times a day: each run is a whole base backup",
            "the WAL in between restores any moment; once a day is usual",
        )


def _shape(case: _Case) -> Iterator[_Told]:
    """Fields that do not go together."""
    schedule = case.schedule
    if schedule.method == Method.PLUGIN and not schedule.plugin:
        yield _Told(
            Severity.ERROR,
            "no-plugin",
            "method plugin without spec.pluginConfiguration.name: the schedule is accepted, every "
            "Backup it makes is refused",
            "name the plugin, normally barman-cloud.cloudnative-pg.io",
        )
    old = deprecated(schedule)
    if old:
        yield _Told(
            Severity.NOTE,
            "deprecated",
            old,
            "move to the Barman Cloud plugin, then set method: plugin and pluginConfiguration",
        )
        if schedule.online is not None or schedule.wait_for_archive is not None:
            yield _Told(
                Severity.ERROR,
                "online",
                "online and onlineConfiguration are refused unless the method is volumeSnapshot",
                "remove them",
            )
    if len(schedule.key.name) > LONGEST_NAME:
        yield _Told(
            Severity.ERROR,
            "long-name",
            f"the name has {len(schedule.key.name)} characters: as a label of its Backups it may "
            f"have {LONGEST_NAME}, so every Backup it makes is refused",
            "choose a shorter name",
        )


def _cluster(case: _Case) -> Iterator[_Told]:
    """What its cluster cannot do."""
    schedule, cluster = case.schedule, case.around.cluster
    if cluster is None:
        if case.around.clusters_known:
            yield _Told(
                Severity.ERROR,
                "no-cluster",
                f"there is no Cluster {schedule.cluster} in {schedule.key.namespace}: its Backups "
                "stay pending, and the first one stops the schedule",
                "spec.cluster cannot be changed: delete it, create it for another cluster",
            )
        return
    why = unable(schedule, cluster)
    if why:
        yield _Told(
            Severity.ERROR,
            "method",
            why,
            "set the method, and with plugin its name, to what the cluster has",
        )
    if cluster.hibernated:
        yield _Told(
            Severity.NOTE, "hibernated", "the cluster is hibernated: its Backups fail", "wake it"
        )


def _now(case: _Case) -> Iterator[_Told]:
    """How it stands on the server."""
    schedule, outlook = case.schedule, case.outlook
    if schedule.suspended:
        resumed = ""
        if outlook.at_once is not None:
            resumed = "; resuming it fires a backup at once"
        yield _Told(Severity.NOTE, "suspended", f"suspended: nothing fires{resumed}", "resume it")
    if not case.around.live:
        return
    stands = schedules.standing(schedule, case.around.children, case.now, case.zone)
    word = stands.word.split()[0]
    if stands.level is Level.FAILING and word in ("blocked", "overdue"):
        yield _Told(Severity.ERROR, word, stands.sentence, stands.advice)
    if schedule.immediate and schedule.last_check is not None:
        yield _Told(
            Severity.NOTE,
            "immediate",
            "immediate: true has no effect any more: it counts when the schedule is first seen",
            "remove it",
        )


def _interval(case: _Case) -> Iterator[_Told]:
    usual = case.around.usual
    shortest = shortest_interval(case.outlook.runs)
    if usual is None or shortest is None or shortest >= usual:
        return
    yield _Told(
        Severity.WARNING,
        "interval",
        f"fires every {words.age(shortest)}, but a backup of {case.schedule.cluster} usually takes "
        f"{words.age(usual)}: slots are skipped while one runs",
        "let it fire less often",
    )


def _collisions(case: _Case) -> Iterator[_Told]:
    usual = case.around.usual or timedelta(0)
    for sibling in case.around.siblings:
        met = collision(case.outlook, sibling, case.now, case.zone, usual)
        if met is None:
            continue
        yield _Told(
            Severity.NOTE,
            "collision",
            f"{sibling.key.name} fires too at {words.moment(met, case.now)}: one of the two waits "
            "until the other is done",
            f"move one of them{f' by {words.age(usual)} or more' if usual else ''}",
        )


_RULES: Final[tuple[Callable[[_Case], Iterator[_Told]], ...]] = (
    _text,
    _frequency,
    _shape,
    _cluster,
    _now,
    _interval,
    _collisions,
)


def shortest_interval(runs: Iterable[datetime]) -> timedelta | None:
    """The shortest time between two of these runs, None for less than two."""
    moments = [run.astimezone(UTC) for run in runs]
    return min((later - earlier for earlier, later in pairwise(moments)), default=None)


def collision(
    outlook: Outlook, other: ScheduledBackup, now: datetime, zone: tzinfo, usual: timedelta
) -> datetime | None:
    """The first run, among the next few of both, at which one fires while the other's backup runs.

    ``usual`` is how long a backup takes. The operator runs one Backup of a cluster at a time. Those
    of ``@every`` drift with the checks, so they are left aside.
    """
    mine, theirs = outlook.judgement.reading, firing.judged(other.schedule).reading
    if not isinstance(mine, Spec) or not isinstance(theirs, Spec):
        return None
    if outlook.suspended or other.suspended:
        return None
    their_runs = cron.next_runs(theirs, now.astimezone(zone), _LOOKED_AT)
    met = [_met(run, theirs, usual) for run in outlook.runs]
    met += [_met(run, mine, usual) for run in their_runs]
    return min((moment for moment in met if moment is not None), default=None)


def _met(run: datetime, other: Spec, usual: timedelta) -> datetime | None:
    """The later of ``run`` and the run of ``other`` whose backup would still be running then."""
    before = run.astimezone(UTC) - usual - timedelta(seconds=1)
    earlier = other.next(before.astimezone(run.tzinfo))
    if earlier is None or earlier.astimezone(UTC) > run.astimezone(UTC):
        return None
    return run.astimezone(UTC)
