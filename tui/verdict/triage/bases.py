"""Base backups: the queue of Backups, what became of the newest, and what lies in the bucket."""

from __future__ import annotations

from datetime import timedelta

from tui import words
from tui.barman.continuity import Continuity, Reach, Usable
from tui.cnpg import backup
from tui.cnpg.backup import Backup
from tui.cnpg.manifest import BARMAN_PLUGIN
from tui.verdict import evidence, queue
from tui.verdict.fix import DeleteBackup
from tui.verdict.level import Level
from tui.verdict.triage.case import Case
from tui.verdict.triage.rung import Trouble, rule
from tui.verdict.triage.texts import match
from tui.verdict.witnesses import NotKnown

ABANDONED = timedelta(days=1)
"""Data without a backup.info for longer is not a backup under way."""

LISTED = timedelta(minutes=15)
"""A look that ended so long after a Backup has listed its base backup."""

SECONDS = timedelta(seconds=2)
"""Times of Kubernetes have whole seconds, and clocks differ."""


@rule("F29")
def queue_stuck(case: Case) -> Trouble | None:
    """Oldest first: a Backup that never ends holds up all others and the schedule that made it."""
    hold = queue.of(case.backups, case.schedules, case.now, case.seen.queue_moved)
    if hold is None or not hold.stuck or case.seen.cluster.hibernated:
        return None
    key, behind = hold.head.key, len(hold.behind)
    blocked = f", {words.counted(behind, 'Backup')} behind it" if behind else ""
    waited = words.age(hold.stood(case.now))
    return Trouble(
        "queue-stuck",
        Level.DEGRADED,
        "queue stuck",
        words.shorten(f"a Backup is {hold.head.phase} for {waited}{blocked}", 70),
        hold.said(case.now),
        "see why it does not end; deleting this one Backup frees the queue and removes nothing from "
        "the bucket",
        f"kubectl -n {key.namespace} delete backups.postgresql.cnpg.io {key.name}",
        DeleteBackup(key),
    )


@rule("F20")
def hangs(case: Case) -> Trouble | None:
    """On a primary pg_backup_stop waits for WAL that is not archived."""
    head = backup.queue(case.backups).head
    if not case.fails or head is None or not head.is_executing:
        return None
    return Trouble(
        "backup-hangs",
        Level.DEGRADED,
        "backup hangs",
        "a base backup waits for WAL that is not archived",
        f"{head.key.name} is {head.phase} while WAL archiving fails",
        "repair archiving first: the Backup then ends by itself",
    )


@rule("F20")
def without_wal(case: Case) -> Trouble | None:
    """From a standby a backup completes even where its WAL is never archived.

    An older one may have outlived its WAL.
    """
    reaches = case.film.continuity.reaches if case.film else ()
    odd = [reach for reach in reaches if reach.usable is Usable.NO and reach.stopped_by is not None]
    if not odd:
        return None
    newest = odd[-1] == _newest(case)
    return Trouble(
        "base-without-wal",
        Level.DEGRADED if newest else Level.PROTECTED,
        "base without WAL",
        f"{'the newest' if newest else 'a'} base backup cannot be restored: its WAL is missing",
        f"base backup {odd[-1].base}: {odd[-1].why}",
        "take a base backup once WAL archiving works: b",
        _again(case),
    )


def _newest(case: Case) -> Reach | None:
    if case.film is None:
        return None
    there = [each for each in case.film.continuity.reaches if each.usable is not Usable.NOT_YET]
    return there[-1] if there else None


@rule("F43")
def misreported(case: Case) -> Trouble | None:
    """barman-cloud-backup-show failed after the upload: the data is whole."""
    failed = case.failed
    if failed is None or case.film is None or failed.reconciliation_started is None:
        return None
    end = failed.reconciliation_terminated or failed.stopped or case.now
    for reach in case.film.continuity.usable:
        # Not by its id, which is in the sidecar's own zone.
        if reach.end_time and failed.reconciliation_started <= reach.end_time <= end + SECONDS:
            return Trouble(
                "backup-misreported",
                Level.DEGRADED,
                "misreported",
                "a Backup is marked failed, yet its data is whole",
                f"{failed.key.name} failed; base backup {reach.base} in the bucket is usable",
                "the data can be restored; only the Backup's status is wrong",
            )
    return None


@rule()
def failed(case: Case) -> Trouble | None:
    """The newest Backup failed, with a text that is not known."""
    one = case.failed
    if one is None or any(match(said.text) for said in case.texts()):
        return None
    line = evidence.last_logged(case.seen, of_backups=True)
    logged = f"; sidecar: {line.text}" if line else ""
    return Trouble(
        "backup-failed",
        Level.DEGRADED,
        "last backup failed",
        "the newest Backup failed",
        words.shorten(f"{one.key.name}: {one.error or 'it gives no reason'}{logged}", 300),
        "the real error is in the log of the Pod it ran on; mend it, then back up again: b",
        case.command(
            "kubectl -n {ns} logs {pod} -c plugin-barman-cloud",
            pod=one.pod or case.names["primary"],
        ),
    )


@rule("F37")
def incomplete(case: Case) -> Trouble | None:
    """Something else deletes objects: a lifecycle rule, or a hand."""
    if case.film is None:
        return None
    odd = [
        base.id
        for base in case.film.server.bases.values()
        if base.info is None and case.now - base.newest > ABANDONED
    ]
    if not odd:
        return None
    return Trouble(
        "base-incomplete",
        Level.PROTECTED,
        "incomplete base",
        "a base backup in the bucket has lost its backup.info",
        f"without backup.info: {', '.join(sorted(odd)[:3])}",
        "see whether a lifecycle rule of the bucket deletes objects: retention is the plugin's work",
        case.command("{aws} s3api get-bucket-lifecycle-configuration --bucket {bucket}"),
    )


@rule("F37")
def without_data(case: Case) -> Trouble | None:
    """A base backup that is DONE has lost its data; an older one may be on its way out."""
    reaches = case.film.continuity.reaches if case.film else ()
    odd = [reach for reach in reaches if reach.lacks]
    if not odd:
        return None
    newest = odd[-1] == _newest(case)
    return Trouble(
        "base-without-data",
        Level.DEGRADED if newest else Level.PROTECTED,
        "base without data",
        f"{'the newest' if newest else 'a'} base backup cannot be restored: its data is missing",
        f"base backup {odd[-1].base}: {odd[-1].why}",
        "take a base backup: b; see whether a lifecycle rule of the bucket deletes objects",
        _again(case),
    )


@rule("F37", "F20")
def absent(case: Case) -> Trouble | None:
    """The newest Backup is completed, and the bucket has no such base backup, nor a later one."""
    film, one = case.film, _newest_completed(case)
    if film is None or one is None or film.whole is None or not film.server.bases_listed:
        return None
    if one.stopped is None or film.whole < one.stopped + LISTED:
        return None
    if any(id_ >= one.backup_id for id_ in film.server.bases):
        return None
    return Trouble(
        "base-absent",
        Level.DEGRADED,
        "base absent",
        "the newest completed Backup is not in the bucket",
        f"{one.key.name} is completed, but base/{one.backup_id} is not under {film.server.name}",
        "take a base backup: b; see whether a lifecycle rule of the bucket deletes objects, or whether "
        "destinationPath or serverName was changed since",
        _again(case),
    )


def _newest_completed(case: Case) -> Backup | None:
    """By the plugin, of this very cluster: Backups of one that had its name before are left out."""
    since = case.seen.cluster.created
    done = [
        one
        for one in case.backups
        if one.phase == backup.COMPLETED
        and one.plugin == BARMAN_PLUGIN
        and one.backup_id
        and (since is None or (one.created is not None and one.created >= since))
    ]
    return max(done, key=lambda one: one.backup_id, default=None)


def complete(case: Case) -> str | NotKnown:
    """The newest base backup that a restore can begin with."""
    if case.film is None:
        why = case.seen.film.why if isinstance(case.seen.film, NotKnown) else ""
        return NotKnown(why or "the bucket has not been looked at")
    usable = case.film.continuity.usable
    if not usable:
        return NotKnown("none is usable yet")
    newest = usable[-1]
    return f"{newest.base} complete, its WAL {newest.begin} on is there"


def whole(case: Case) -> str | NotKnown:
    """No WAL is missing since the oldest usable base backup."""
    if case.film is None:
        why = case.seen.film.why if isinstance(case.seen.film, NotKnown) else ""
        return NotKnown(why or "the bucket has not been looked at")
    if case.film.whole is None:
        return NotKnown("the bucket is being looked at")
    if not case.film.continuity.usable:
        return NotKnown("there is no base backup to follow WAL from")
    film = case.film.continuity
    if film.alarms and not _since_usable(film):
        lost = words.counted(sum(piece.count for piece in film.alarms), "segment")
        return f"WAL is found from base {film.usable[0].base} on; {lost} lost before it"
    but = f", but for {gone}, acknowledged" if (gone := evidence.acknowledged(case.film)) else ""
    return f"WAL is {film.word.value} from base {film.usable[0].base} on{but}"


def _since_usable(film: Continuity) -> bool:
    """Whether any of what is lost lies behind the beginning of the oldest usable base backup."""
    begin = film.usable[0].begin
    return begin is None or any(
        piece.last.number(film.segment_size) >= begin.number(film.segment_size)
        for piece in film.alarms
    )


def _again(case: Case) -> str:
    plugin = case.seen.cluster.backup_plugin
    how = f" --method plugin --plugin-name {plugin.name}" if plugin else ""
    return case.command("kubectl cnpg backup {cluster} -n {ns}") + how
