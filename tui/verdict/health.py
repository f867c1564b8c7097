"""The verdict on a cluster: can it be restored, says who, since when, and what to do.

Pure. Two witnesses are needed for green, what the operator says and what lies in the bucket. While
the bucket has not been looked at, the best this module says is what the operator says, in those
words, and it is not green.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

from tui import words
from tui.cnpg import backup
from tui.cnpg.backup import Backup
from tui.cnpg.cluster import LAST_BACKUP_SUCCEEDED, Cluster
from tui.cnpg.schedule import ScheduledBackup
from tui.cnpg.store import ObjectStore


class Level(IntEnum):
    """How bad it is, worst first, so that sorting by level puts what needs a hand on top."""

    FAILING = 0
    UNPROTECTED = 1
    DEGRADED = 2
    UNKNOWN = 3
    PROTECTED = 4


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Everything known about one cluster."""

    cluster: Cluster
    store: ObjectStore | None
    backups: tuple[Backup, ...]
    schedules: tuple[ScheduledBackup, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line of what a witness said: who, what, and when it was said (None: not dated)."""

    source: str
    text: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement. ``word`` stands in the table, ``headline`` above the evidence, at most 70 cells."""

    level: Level
    word: str
    headline: str
    evidence: tuple[Evidence, ...]
    advice: str
    last_good: datetime | None
    """End of the newest base backup that succeeded, by the plugin's or the Backups' word."""


class _Finding(NamedTuple):
    level: Level
    word: str
    headline: str
    advice: str = ""


def judge(seen: Witnesses, now: datetime) -> Verdict:
    """The verdict on a cluster from what its witnesses say."""
    found = _finding(seen, now)
    return Verdict(
        level=found.level,
        word=found.word,
        headline=found.headline,
        evidence=_evidence(seen, now),
        advice=found.advice,
        last_good=last_good_backup(seen),
    )


def last_good_backup(seen: Witnesses) -> datetime | None:
    """When the newest good base backup ended.

    From the completed Backups and the ObjectStore's recovery window; never from
    ``Cluster.status.lastSuccessfulBackup``, which plugin backups do not write.
    """
    ends = [
        item.stopped for item in seen.backups if item.phase == backup.COMPLETED and item.stopped
    ]
    window = seen.store and seen.store.recovery_windows.get(seen.cluster.server_name)
    if window and window.last_successful_backup:
        ends.append(window.last_successful_backup)
    return max(ends, default=None)


def _finding(seen: Witnesses, now: datetime) -> _Finding:
    cluster, condition = seen.cluster, seen.cluster.archiving
    if not cluster.archives:
        return _without_archiver(seen)
    if cluster.skips_wal_archiving:
        return _Finding(
            Level.FAILING,
            "archiving off",
            "WAL archiving is switched off by an annotation",
            "remove the annotation cnpg.io/skipWalArchiving, then take a base backup",
        )
    if condition is None:
        return _Finding(
            Level.UNKNOWN,
            "unknown",
            "no WAL has been archived yet: nothing is known",
            (
                "an idle database switches no segment before archive_timeout (5 min); "
                "SELECT pg_switch_wal() makes it try now"
            ),
        )
    if not condition.holds:
        since = f" since {words.moment(condition.since, now)}" if condition.since else ""
        return _Finding(
            Level.FAILING,
            "operator says failing",
            f"the operator says WAL archiving fails{since}",
            _advice_on_failure(cluster, condition.message),
        )
    return _while_archiving(seen)


def _without_archiver(seen: Witnesses) -> _Finding:
    if seen.cluster.volume_snapshots and last_good_backup(seen):
        return _Finding(
            Level.DEGRADED,
            "no WAL archive",
            "volume snapshots only: no moment between them can be restored",
            "configure a WAL archiver: an enabled item in spec.plugins with isWALArchiver: true",
        )
    disabled = [plugin.name for plugin in seen.cluster.plugins if not plugin.enabled]
    return _Finding(
        Level.UNPROTECTED,
        "unprotected",
        "no WAL archiver and no backup is configured",
        f"set enabled: true on plugin {disabled[0]} in spec.plugins, then take a base backup at once"
        if disabled
        else "add the Barman Cloud plugin to spec.plugins, then take a base backup at once",
    )


def _while_archiving(seen: Witnesses) -> _Finding:
    last = seen.cluster.condition(LAST_BACKUP_SUCCEEDED)
    if last_good_backup(seen) is None:
        return _Finding(
            Level.DEGRADED,
            "no base backup",
            "WAL is archived, but there is no base backup to start from",
            "take one now: b",
        )
    if last is not None and not last.holds and last.reason == "LastBackupFailed":
        return _Finding(
            Level.DEGRADED,
            "last backup failed",
            "the operator says archiving works, but the last backup failed",
            "see the newest Backup's error (enter), mend it, back up again: b",
        )
    return _Finding(
        Level.UNKNOWN,
        "operator says ok",
        "the operator says archiving works; the bucket was not looked at",
    )


_EXIT_STATUS = re.compile(r"exit status (\d+)")
_EXIT_MEANING = {
    "1": "the archive is not empty: another cluster wrote to this serverName",
    "2": "the endpoint could not be reached",
    "3": "bad arguments: see archiveAdditionalCommandArgs of the ObjectStore",
    "4": "the store refused or could not be reached",
}


def _advice_on_failure(cluster: Cluster, message: str) -> str:
    """What the exit status of barman-cloud-wal-archive or its check means, and where the text is.

    The condition's message hides the real error; N decodes its class (BARMAN clients/cloud_cli.py).
    """
    found = _EXIT_STATUS.search(message)
    meaning = f"{_EXIT_MEANING[found[1]]}; " if found and found[1] in _EXIT_MEANING else ""
    pod = cluster.primary or "the primary"
    return (
        f"{meaning}the real error is in the sidecar's log: "
        f"kubectl -n {cluster.key.namespace} logs {pod} -c plugin-barman-cloud"
    )


def _evidence(seen: Witnesses, now: datetime) -> tuple[Evidence, ...]:
    cluster = seen.cluster
    found = [_operator_says(cluster, now)]
    found.extend(_backups_say(seen, now))
    found.append(_plugin_says(seen, now))
    found.append(_schedules_say(seen))
    found.append(Evidence("bucket", "not looked at"))
    if cluster.is_switching_over:
        switch = f"switchover: {cluster.primary or '-'} to {cluster.target_primary}"
        found.append(Evidence("cluster", switch))
    if cluster.hibernated:
        found.append(Evidence("cluster", "hibernated: it runs no backups"))
    if cluster.fenced:
        found.append(Evidence("cluster", f"fenced: {', '.join(cluster.fenced)}"))
    return tuple(found)


def _operator_says(cluster: Cluster, now: datetime) -> Evidence:
    condition = cluster.archiving
    if condition is None:
        return Evidence("operator", "no ContinuousArchiving condition")
    since = f" since {words.moment(condition.since, now)}" if condition.since else ""
    said = f"ContinuousArchiving {condition.status}{since}"
    if not condition.holds and condition.message:
        exit_status = _EXIT_STATUS.search(condition.message)
        said += f", {exit_status[0] if exit_status else words.one_line(condition.message)}"
    return Evidence("operator", said, condition.since)


def _backups_say(seen: Witnesses, now: datetime) -> list[Evidence]:
    completed = [
        item.stopped for item in seen.backups if item.stopped and item.phase == "completed"
    ]
    newest = max(completed, default=None)
    said = (
        f"newest completed ended {words.moment(newest, now)}"
        if newest
        else "none has been completed"
    )
    found = [Evidence("backups", f"{said}, {words.counted(len(seen.backups), 'Backup')}", newest)]
    queue = backup.queue(seen.backups)
    if queue.head:
        ran = queue.head.elapsed(now)
        for_long = f" for {words.age(ran)}" if ran and ran > timedelta(0) else ""
        behind = f", {len(queue) - 1} behind it" if len(queue) > 1 else ""
        phase = queue.head.phase or "not taken up"
        found.append(Evidence("queue", f"{queue.head.key.name} is {phase}{for_long}{behind}"))
    return found


def _plugin_says(seen: Witnesses, now: datetime) -> Evidence:
    if seen.cluster.store is None:
        said = "in-tree store" if seen.cluster.in_tree_store else "no ObjectStore is named"
        return Evidence("store", said)
    if seen.store is None:
        return Evidence("store", f"ObjectStore {seen.cluster.store.name} is not known here")
    window = seen.store.recovery_windows.get(seen.cluster.server_name)
    if window is None or window.first_recoverability_point is None:
        return Evidence("store", f"{seen.store.key.name}: no recovery window written yet")
    first = words.moment(window.first_recoverability_point, now)
    return Evidence(
        "store", f"{seen.store.key.name}: recoverable from {first}", window.last_successful_backup
    )


def _schedules_say(seen: Witnesses) -> Evidence:
    if not seen.schedules:
        return Evidence("schedule", "none: base backups are taken by hand only")
    return Evidence(
        "schedule",
        ", ".join(
            f"{item.key.name} {item.schedule}{' (suspended)' if item.suspended else ''}"
            for item in sorted(seen.schedules, key=lambda item: item.key)
        ),
    )
