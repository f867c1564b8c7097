"""Retention: what should be gone is gone, and nothing else deletes."""

from __future__ import annotations

from datetime import datetime, timedelta

from tui import words
from tui.barman import retention
from tui.barman.continuity import Usable
from tui.barman.s3 import Rule
from tui.cnpg.location import Location
from tui.verdict import evidence
from tui.verdict.level import Level
from tui.verdict.triage.case import Case
from tui.verdict.triage.rung import Trouble, rule
from tui.verdict.window import Window
from tui.verdict.witnesses import NotKnown

GRACE = timedelta(days=2)
"""Retention runs every half hour; a policy that was made shorter lately needs a moment too."""
JUMP = timedelta(days=1)
"""How much later than the plugin says the bucket's window may begin before that is told."""


@rule("F36")
def idle(case: Case) -> Trouble | None:
    """Base backups that the policy gave up long ago are still there."""
    policy = _policy(case)
    if policy is None or not (old := _obsolete(case, case.now - policy.window - GRACE)):
        return None
    return Trouble(
        "retention-idle",
        Level.DEGRADED,
        "retention idle",
        "retention does not run: old base backups and their WAL stay",
        f"{words.counted(len(old), 'base backup')} not needed by {policy}, the oldest {old[0]}",
        "see the primary's sidecar log; do the keys allow to delete?",
        case.command("kubectl -n {ns} logs {primary} -c plugin-barman-cloud"),
    )


def _obsolete(case: Case, before: datetime) -> list[str]:
    """Ids of usable backups that ended before this, but for the newest of them, which is kept."""
    if case.film is None:
        return []
    bases = case.film.server.bases
    old = [
        each.base
        for each in case.film.continuity.reaches
        if each.usable is Usable.YES and each.end_time and each.end_time < before
    ]
    return [base for base in old[:-1] if base in bases and bases[base].keep is None]


@rule("F36")
def unreadable(case: Case) -> Trouble | None:
    """Barman deletes nothing at all while it cannot read one backup.info."""
    reaches = case.film.continuity.reaches if case.film else ()
    odd = [reach for reach in reaches if reach.unreadable]
    if not odd:
        return None
    return Trouble(
        "retention-fails",
        Level.DEGRADED,
        "retention fails",
        "retention fails: nothing old is deleted",
        f"base backup {odd[0].base}: {odd[0].why}",
        "remove or repair the base backup whose backup.info cannot be read",
        case.command("{aws} s3 ls --recursive {bases}"),
    )


@rule("F37")
def eaten(case: Case) -> Trouble | None:
    """A lifecycle rule of the bucket deletes what is restored from, whatever retention would keep."""
    eating = _eating(case)
    if not eating:
        return None
    first = min(eating, key=lambda each: each.expires_after or 0)
    policy, days = _policy(case), first.expires_after
    soon = days is None or (policy is not None and timedelta(days=days) <= policy.window)
    when = f"after {days} d" if days is not None else _on(first, case.now)
    kept = f", retentionPolicy keeps {case.store.retention_policy}" if policy and case.store else ""
    return Trouble(
        "lifecycle-rule",
        Level.DEGRADED if soon else Level.PROTECTED,
        "lifecycle rule",
        f"a lifecycle rule deletes base backups and WAL {when}",
        f"rule {first.id or '(without id)'} on {first.prefix or 'everything'}: deletes {when}{kept}",
        "take this path out of the rule: what is to be deleted is for retentionPolicy to say",
        case.command("{aws} s3api get-bucket-lifecycle-configuration --bucket {bucket}"),
    )


def _eating(case: Case) -> list[Rule]:
    if case.film is None or not isinstance(case.where, Location):
        return []
    path = case.where.place.path
    below = f"{path}/{case.where.server}/" if path else f"{case.where.server}/"
    return [each for each in case.film.rules if each.eats(below)]


def _on(rule: Rule, now: datetime) -> str:
    return f"from {words.moment(rule.expires_on, now)} on" if rule.expires_on else ""


@rule("F36")
def no_policy(case: Case) -> Trouble | None:
    """Nothing is ever deleted; a policy left in the Cluster is ignored."""
    if case.store is None or case.store.retention_policy or _eating(case):
        return None
    return Trouble(
        "no-retention",
        Level.PROTECTED,
        "no retention",
        "no retentionPolicy: base backups and WAL stay for ever",
        f"ObjectStore {case.store.key.name} has no spec.retentionPolicy",
        "set spec.retentionPolicy of the ObjectStore, 30d for one",
        case.command("kubectl -n {ns} edit objectstores.barmancloud.cnpg.io {store}"),
    )


@rule("F37")
def window_jumped(case: Case) -> Trouble | None:
    """The plugin's first recoverability point lies well before anything that can be restored."""
    film, store = case.film, case.store
    if film is None or store is None or not isinstance(film.window, Window):
        return None
    told = store.recovery_windows.get(case.seen.cluster.server_name)
    first = told.first_recoverability_point if told else None
    if first is None or film.window.since - first < JUMP:
        return None
    return Trouble(
        "window-shrunk",
        Level.PROTECTED,
        "window shrunk",
        "the plugin promises an older moment than the bucket can restore",
        f"plugin: from {words.moment(first, case.now)}; bucket: from "
        f"{words.moment(film.window.since, case.now)}",
        "see whether a lifecycle rule of the bucket deletes objects",
    )


def _policy(case: Case) -> retention.Policy | None:
    return retention.parse(case.store.retention_policy) if case.store else None


def runs(case: Case) -> str | NotKnown:
    """Nothing older than the policy is left."""
    policy = _policy(case)
    if case.film is None or policy is None:
        return NotKnown("the bucket has not been looked at" if policy else "no policy is known")
    return f"{policy}: {words.counted(len(case.film.server.bases), 'base backup')} in the bucket"


def reaches(case: Case) -> str | NotKnown:
    """From when to when."""
    film = case.film
    if film is None or not isinstance(film.window, Window):
        return NotKnown("nothing is known to be restorable")
    since, until = (words.moment(when, case.now) for when in (film.window.since, film.window.until))
    lost = evidence.at_risk(case.seen)
    at_risk = f"; {lost.said(case.now)} at risk" if lost else ""
    holes = evidence.out_of_reach(film.window, case.now)
    return f"restorable from {since} to {until}{holes}{at_risk}"
