"""WAL on its way: out of PostgreSQL, into the bucket, and nobody else's WAL beside it."""

from __future__ import annotations

from datetime import timedelta

from tui import words
from tui.cnpg.location import Location
from tui.verdict import evidence, filling
from tui.verdict.level import Level
from tui.verdict.triage.case import Case
from tui.verdict.triage.rung import Trouble, rule
from tui.verdict.witnesses import NotKnown

MISSING_DISK_SPACE = 4
"""Exit code of the postgres container that found no room for two segments (CNPG)."""

SWITCHED = timedelta(minutes=15)
"""A switchover that takes longer hangs, whatever ``spec.switchoverDelay`` allows it."""


@rule("F31")
def disk_full(case: Case) -> Trouble | None:
    """The instance manager does not start PostgreSQL without room for WAL."""
    full = [
        one.key.name
        for one in case.pods
        if one.postgres_exit_code == MISSING_DISK_SPACE and not one.ready
    ]
    if not full:
        return None
    return Trouble(
        "disk-full",
        Level.FAILING,
        "WAL disk full",
        "the volume with pg_wal is full",
        f"postgres in {', '.join(full)} ended with exit code 4: no room for WAL",
        "enlarge storage or walStorage and repair archiving; never delete files in pg_wal",
        case.command("kubectl -n {ns} edit clusters.postgresql.cnpg.io {cluster}"),
    )


@rule("F31")
def disk_fills(case: Case) -> Trouble | None:
    """What waits to be archived stays in pg_wal until there is no room."""
    fills = filling.of(case.seen)
    if fills is None or fills.full_in is None or fills.full_in > filling.SOON:
        return None
    return Trouble(
        "disk-fills",
        Level.FAILING if fills.full_in < filling.VERY_SOON else Level.DEGRADED,
        "WAL disk fills",
        f"pg_wal full in about {filling.about(fills.full_in)}",
        fills.said(),
        "repair archiving first; to gain time enlarge walStorage; never delete files in pg_wal",
        case.command("kubectl -n {ns} edit clusters.postgresql.cnpg.io {cluster}"),
    )


@rule("F32")
def switching_over(case: Case) -> Trouble | None:
    """Archiving is refused for a moment, which is no alarm; for long it is one."""
    cluster = case.seen.cluster
    if not cluster.is_switching_over:
        return None
    since = cluster.target_since
    hangs = since is not None and case.now - since > SWITCHED
    lasting = f" for {words.ago(since, case.now)}" if hangs and since else ""
    return Trouble(
        "switchover-hangs" if hangs else "switchover",
        Level.DEGRADED if hangs else Level.UNKNOWN,
        "switchover hangs" if hangs else "switchover",
        f"a switchover is under way{lasting}",
        f"primary {cluster.primary or '-'}, target {cluster.target_primary}",
        "see why the target's Pod does not take over: until then WAL may be refused"
        if hangs
        else "wait; if it stays so, see the target's Pod",
        f"kubectl -n {cluster.key.namespace} describe pod {cluster.target_primary}",
    )


@rule("F09", "F10")
def somebody_elses(case: Case) -> Trouble | None:
    """A check that fails on another cluster's archive."""
    if not case.fails or case.film is None or case.film.server.last_archived is None:
        return None
    mine = case.seen.system_id or "not known"
    strangers = case.film.strangers(case.seen.system_id)
    if not strangers:
        return None
    return Trouble(
        "not-empty",
        Level.FAILING,
        "archive not empty",
        "the archive under this server name belongs to another cluster",
        f"base backups there have system id {', '.join(sorted(strangers))}, ours is {mine}",
        "give the cluster a serverName of its own in spec.plugins parameters",
        case.command("kubectl -n {ns} edit clusters.postgresql.cnpg.io {cluster}"),
    )


def reached(case: Case) -> str | NotKnown:
    """Somebody got an answer from the endpoint: we did."""
    film = case.film
    if film is None or film.trouble:
        why = film.trouble if film else _why(case)
        return NotKnown(why or "the store has not been asked yet")
    endpoint = case.where.place.endpoint_url if isinstance(case.where, Location) else ""
    return f"{endpoint or 'AWS'} answered {words.moment(film.at, case.now)}"


def bucket_there(case: Case) -> str | NotKnown:
    """Its listing came."""
    if case.film is None or not isinstance(case.where, Location):
        return NotKnown(_why(case) or "the store has not been asked yet")
    return f"{case.where.place} lists {words.counted(case.film.server.segments, 'segment')}"


def writable(case: Case) -> str | NotKnown:
    """Only what landed lately proves that the sidecar's key may write."""
    if case.film is None:
        return NotKnown(_why(case) or "the store has not been asked yet")
    newest = case.film.server.last_archived
    if case.fails or newest is None:
        return NotKnown("listing is allowed; that writing is can only be seen when WAL lands")
    return f"WAL was written {words.moment(newest.at, case.now)}"


def own(case: Case) -> str | NotKnown:
    """Nobody else writes there."""
    if case.film is None:
        return NotKnown(_why(case) or "the bucket has not been looked at")
    return f"only this cluster writes under {case.seen.cluster.server_name}"


def leaves(case: Case) -> str | NotKnown:
    """The queue in front of the archiver."""
    condition, instance = case.seen.cluster.archiving, case.instance
    if instance is None:
        why = case.seen.instance.why if isinstance(case.seen.instance, NotKnown) else ""
        said = f"ContinuousArchiving {condition.status}" if condition else "no condition"
        return NotKnown(f"{said}; the instance was not asked{': ' + why if why else ''}")
    last = instance.last_archived
    said = f"{evidence.queue_said(instance)}, last archived {last.name if last else '-'}"
    if not instance.is_primary:
        return NotKnown(said)
    fills = filling.of(case.seen) if instance.waiting >= evidence.MANY else None
    return f"{said}; {fills.said()}" if fills else said


def lands(case: Case) -> str | NotKnown:
    """The newest segment in the bucket."""
    film = case.film
    if film is None:
        return NotKnown(_why(case) or "the bucket has not been looked at")
    newest = film.server.last_archived
    if newest is None:
        return NotKnown(f"no WAL under {film.server.name}/wals yet")
    return f"newest {newest.segment}, {words.moment(newest.at, case.now)}"


def _why(case: Case) -> str:
    return case.seen.film.why if isinstance(case.seen.film, NotKnown) else ""
