"""The evidence under a verdict: one line a witness, with its source, and what could not be heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tui import words
from tui.barman import seals, wal
from tui.barman.path import Word
from tui.cnpg import backup
from tui.cnpg.cluster import Cluster, Condition
from tui.cnpg.happening import Happening
from tui.cnpg.instance import InstanceStatus
from tui.cnpg.sidecar_log import LogLine
from tui.verdict import clocks, exits, filling
from tui.verdict.window import Window
from tui.verdict.witnesses import NO_SUCH_OBJECT, Film, NotKnown, Witnesses

_ABOUT_BACKUPS = "barman-cloud-backup"
MANY = 8
"""Files waiting to be archived from which on the disk is worth a word."""

LATELY = timedelta(hours=1)
"""An Event that was last seen longer ago says nothing about now: most servers forget it by then."""

SHOWN = 5
"""Events told in the evidence."""


@dataclass(frozen=True, slots=True)
class AtRisk:
    """What would be lost if the primary vanished now: it grows while nobody says anything."""

    window: Window
    segments: int | None
    """None where the instance was not heard."""

    def said(self, now: datetime) -> str:
        """``3m41s of changes, 7 segments``."""
        told = f"{words.age(self.window.behind(now))} of changes"
        return (
            told if self.segments is None else f"{told}, {words.counted(self.segments, 'segment')}"
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a witness said, and when it was said (None: not dated)."""

    source: str
    text: str
    at: datetime | None = None
    clock: AtRisk | None = None
    """What makes the text another one as time passes."""

    def said(self, now: datetime) -> str:
        """The text as it reads now."""
        return self.text if self.clock is None else _at_risk_said(self.clock, now)


def of(seen: Witnesses, now: datetime) -> tuple[Evidence, ...]:
    """Every witness in the order one asks them."""
    return (
        _operator(seen.cluster, now),
        *_instance(seen, now),
        *_bucket(seen, now),
        *_at_risk(seen, now),
        *_backups(seen, now),
        _plugin(seen, now),
        _schedules(seen),
        *_circumstances(seen.cluster),
        *_happenings(seen, now),
    )


def last_good_backup(seen: Witnesses) -> datetime | None:
    """When the newest good base backup ended.

    From the completed Backups, the ObjectStore's recovery window and the bucket; never from
    ``Cluster.status.lastSuccessfulBackup``, which plugin backups do not write.
    """
    ends = [] if isinstance(seen.backups, NotKnown) else _completed(seen.backups)
    if not isinstance(seen.store, NotKnown):
        window = seen.store.recovery_windows.get(seen.cluster.server_name)
        if window and window.last_successful_backup:
            ends.append(window.last_successful_backup)
    if isinstance(seen.film, Film):
        ends += [reach.end_time for reach in seen.film.continuity.usable if reach.end_time]
    return max(ends, default=None)


def last_snapshot(seen: Witnesses) -> datetime | None:
    """When the newest completed Backup by volume snapshot of this very cluster ended."""
    if isinstance(seen.backups, NotKnown):
        return None
    since = seen.cluster.created
    ends = (
        one.stopped or one.reconciliation_terminated or one.created
        for one in seen.backups
        if one.method == backup.Method.VOLUME_SNAPSHOT and one.phase == backup.COMPLETED
        if since is None or (one.created is not None and one.created >= since)
    )
    return max((end for end in ends if end), default=None)


def around(seen: Witnesses, condition: Condition, now: datetime) -> Iterator[str]:
    """The words of a condition that does not hold, the log's about it, and who could not be heard."""
    if condition.message and not condition.holds:
        yield f"operator: {words.one_line(condition.message)}"
    if line := last_logged(seen, of_backups=False):
        when = f" at {words.moment(line.at, now)}" if line.at else ""
        yield f"sidecar{when}: {line.text}"
    film = seen.film
    if why := film.why if isinstance(film, NotKnown) else film.trouble:
        yield f"bucket: {why}"
    if isinstance(seen.sidecar_errors, NotKnown) and seen.sidecar_errors.why:
        yield f"sidecar's log: {seen.sidecar_errors.why}"
    if isinstance(seen.instance, NotKnown) and seen.instance.why:
        yield f"instance: {seen.instance.why}"


def last_logged(seen: Witnesses, *, of_backups: bool) -> LogLine | None:
    """The last error in the sidecars' logs about base backups, or about anything else."""
    lines = () if isinstance(seen.sidecar_errors, NotKnown) else seen.sidecar_errors
    mine = (line for line in lines if line.logger.startswith(_ABOUT_BACKUPS) is of_backups)
    return next(reversed(tuple(mine)), None)


def _completed(backups: tuple[backup.Backup, ...]) -> list[datetime]:
    return [item.stopped for item in backups if item.phase == backup.COMPLETED and item.stopped]


def _operator(cluster: Cluster, now: datetime) -> Evidence:
    condition = cluster.archiving
    if condition is None:
        return Evidence("operator", "no ContinuousArchiving condition")
    since = f" since {words.moment(condition.since, now)}" if condition.since else ""
    said = f"ContinuousArchiving {condition.status}{since}"
    if not condition.holds and condition.message:
        said += f", {exits.status(condition.message) or words.one_line(condition.message)}"
    return Evidence("operator", said, condition.since)


def _instance(seen: Witnesses, now: datetime) -> Iterator[Evidence]:
    if isinstance(seen.pods, NotKnown) and seen.pods.why:
        yield Evidence("pods", f"not known: {seen.pods.why}")
    if isinstance(seen.sidecar_errors, NotKnown) and seen.sidecar_errors.why:
        yield Evidence("sidecar", f"its log was not read: {seen.sidecar_errors.why}")
    yield from _rights(seen)
    status = seen.instance
    if isinstance(status, NotKnown):
        if status.why:
            yield Evidence("instance", f"not asked: {status.why}")
        return
    archived = status.last_archived
    said = f"last archived {archived.name}" if archived else "nothing archived yet"
    if archived and archived.at:
        said += f" at {words.moment(archived.at, now)}"
    said += f", {queue_said(status)}"
    if status.fails_now and status.last_failed:
        said += f"; {status.last_failed.name} failed"
    yield Evidence("instance", said, status.at)
    fills = filling.of(seen) if status.waiting >= MANY else None
    if fills is not None:
        yield Evidence("disk", fills.said(), status.at)
        if isinstance(seen.wal_volume, NotKnown) and seen.wal_volume.why:
            yield Evidence("disk", f"its room is not known: {seen.wal_volume.why}")


def queue_said(status: InstanceStatus) -> str:
    """How much waits to be archived: a standby, which archives in a replica cluster, does not tell."""
    if not status.is_primary:
        return "a standby: what waits is not known"
    return f"{words.counted(status.waiting, 'file')} waiting"


def _rights(seen: Witnesses) -> Iterator[Evidence]:
    """Which of the sidecar's rights could not be read."""
    rights = seen.rights
    each = {rights} if isinstance(rights, NotKnown) else {rights.role, rights.binding}
    why = sorted(one.why for one in each if isinstance(one, NotKnown) and one != NO_SUCH_OBJECT)
    if any(why):
        yield Evidence("rights", f"the sidecar's were not read: {'; '.join(filter(None, why))}")


def _bucket(seen: Witnesses, now: datetime) -> Iterator[Evidence]:
    film = seen.film
    if isinstance(film, NotKnown):
        yield Evidence("bucket", f"not looked at{': ' + film.why if film.why else ''}")
        return
    newest = film.server.last_archived
    said = f"newest {newest.segment} at {words.moment(newest.at, now)}" if newest else "no WAL"
    said += f", {_film_said(film)}"
    if isinstance(film.window, Window):
        said += f", restorable from {words.moment(film.window.since, now)}"
        said += out_of_reach(film.window, now)
    yield Evidence("bucket", said, film.at)
    if off := clocks.said(seen):
        yield Evidence("clock", off, film.at)
    if film.seal is not None and now - film.seal.since > 2 * seals.TRUST:
        ago = words.ago(film.seal.since, now)
        yield Evidence("bucket", f"full WAL folders were last listed {ago} ago")
    if film.trouble:
        yield Evidence("bucket", f"seen {words.ago(film.at, now)} ago; now: {film.trouble}")


def out_of_reach(window: Window, now: datetime) -> str:
    """What of the window nobody can restore to, acknowledged or not: said behind its ends."""
    if not window.holes:
        return ""
    last, others = window.holes[-1], len(window.holes) - 1
    also = f" nor in {words.counted(others, 'older hole')}" if others else ""
    since, until = words.moment(last.since, now), words.moment(last.until, now)
    return f", but not from {since} to {until}{also}"


def at_risk(seen: Witnesses) -> AtRisk | None:
    """What would be lost if the primary vanished; None where nothing can be restored anyway."""
    if not isinstance(seen.film, Film) or not isinstance(seen.film.window, Window):
        return None
    window = seen.film.window
    stored = None if isinstance(seen.instance, NotKnown) else wal.parse(seen.instance.current_wal)
    if stored is None or not isinstance(stored.file, wal.Segment):
        return AtRisk(window, None)
    return AtRisk(window, window.segments_behind(stored.file))


def _at_risk(seen: Witnesses, now: datetime) -> Iterator[Evidence]:
    clock = at_risk(seen)
    if clock is not None:
        yield Evidence("at risk", _at_risk_said(clock, now), clock.window.until, clock)


def _at_risk_said(clock: AtRisk, now: datetime) -> str:
    return f"{clock.said(now)}, if the primary vanished now"


def _film_said(film: Film) -> str:
    alarms = film.continuity.alarms
    if alarms:
        return f"{words.counted(sum(piece.count for piece in alarms), 'segment')} lost"
    for each in film.continuity.cut_off:
        return f"timeline {each.timeline} out of reach: {each.why}"
    word = film.continuity.word
    if word is not Word.FOUND:
        return word.value
    if film.whole is None:
        return "not all of it has been looked at"
    if not film.continuity.usable:
        return "no usable base backup"
    return f"{gone}, acknowledged" if (gone := acknowledged(film)) else "whole"


def acknowledged(film: Film) -> str:
    """``2 segments lost``, of which a user has said that they shall not alarm; ``""`` if none."""
    count = sum(piece.count for piece in film.continuity.pieces if piece.acknowledged)
    return f"{words.counted(count, 'segment')} lost" if count else ""


def _backups(seen: Witnesses, now: datetime) -> Iterator[Evidence]:
    if isinstance(seen.backups, NotKnown):
        yield Evidence("backups", f"not known: {seen.backups.why}")
        return
    newest = max(_completed(seen.backups), default=None)
    said = (
        f"newest completed ended {words.moment(newest, now)}"
        if newest
        else "none has been completed"
    )
    yield Evidence("backups", f"{said}, {words.counted(len(seen.backups), 'Backup')}", newest)
    queue = backup.queue(seen.backups)
    if queue.head:
        ran = queue.head.elapsed(now)
        for_long = f" for {words.age(ran)}" if ran else ""
        behind = f", {len(queue) - 1} behind it" if len(queue) > 1 else ""
        phase = queue.head.phase or "not taken up"
        yield Evidence("queue", f"{queue.head.key.name} is {phase}{for_long}{behind}")


def _plugin(seen: Witnesses, now: datetime) -> Evidence:
    if seen.cluster.store is None:
        in_tree = seen.cluster.in_tree_store is not None
        return Evidence("store", "in-tree store" if in_tree else "no ObjectStore is named")
    if isinstance(seen.store, NotKnown):
        return Evidence("store", f"ObjectStore {seen.cluster.store.name}: {seen.store.why}")
    window = seen.store.recovery_windows.get(seen.cluster.server_name)
    if window is None or window.first_recoverability_point is None:
        return Evidence("store", f"{seen.store.key.name}: no recovery window written yet")
    first = words.moment(window.first_recoverability_point, now)
    return Evidence(
        "store", f"{seen.store.key.name}: recoverable from {first}", window.last_successful_backup
    )


def _schedules(seen: Witnesses) -> Evidence:
    if isinstance(seen.schedules, NotKnown):
        return Evidence("schedule", f"not known: {seen.schedules.why}")
    if not seen.schedules:
        return Evidence("schedule", "none: base backups are taken by hand only")
    return Evidence(
        "schedule",
        ", ".join(
            f"{item.key.name} {words.clean(item.schedule)}{' (suspended)' if item.suspended else ''}"
            for item in sorted(seen.schedules, key=lambda item: item.key)
        ),
    )


def _circumstances(cluster: Cluster) -> Iterator[Evidence]:
    if cluster.is_switching_over:
        switch = f"switchover: {cluster.primary or '-'} to {cluster.target_primary}"
        yield Evidence("cluster", switch)
    if cluster.hibernated:
        yield Evidence("cluster", "hibernated: it runs no backups")
    if cluster.fenced:
        yield Evidence("cluster", f"fenced: {', '.join(cluster.fenced)}")


def _happenings(seen: Witnesses, now: datetime) -> Iterator[Evidence]:
    """What went wrong lately, the newest first; each reason once."""
    if isinstance(seen.happenings, NotKnown):
        if seen.happenings.why:
            yield Evidence("events", f"not known: {seen.happenings.why}")
        return
    told = set[tuple[str, str]]()
    for each in reversed(seen.happenings):
        which = each.reason, each.about
        lately = each.last is not None and now - each.last < LATELY
        if each.type == "Warning" and lately and which not in told and len(told) < SHOWN:
            told.add(which)
            yield Evidence("events", words.shorten(happened(each, now), 300), each.last)


def happened(one: Happening, now: datetime) -> str:
    """``Event RetentionPolicyFailed on Cluster pg, 3m10s ago: Retention policy failed``."""
    said = f"Event {one.reason} on {one.about}, {words.ago(one.last, now)} ago"
    return words.one_line(words.clean(f"{said}: {one.message}" if one.message else said))
