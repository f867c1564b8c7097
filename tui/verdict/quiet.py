"""Whether it is only quiet: nothing landed for a while, and nothing fails.

An idle database looks so, archiving that hangs, WAL that goes somewhere else, and a PostgreSQL that does
not archive at all.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tui import words
from tui.barman import wal
from tui.barman.catalog import Archived
from tui.cnpg.instance import InstanceStatus, Passed
from tui.verdict import archiving
from tui.verdict.archiving import QUIET_AFTER, SETTLED
from tui.verdict.level import Finding, Level
from tui.verdict.window import Window
from tui.verdict.witnesses import NotKnown, Witnesses

LATELY = timedelta(minutes=10)
"""What the instance said longer ago proves nothing about now."""
JUST_NOW = 2
"""So few files may wait because a database that was idle wrote something a moment ago."""


def finding(seen: Witnesses, now: datetime) -> Finding | None:
    """Nothing landed for a while: an idle database, or archiving that hangs without failing."""
    newest, instance = _newest(seen), seen.instance
    if newest is None or now - newest.at < SETTLED or archiving.said_to_fail(seen):
        return None
    if not isinstance(instance, NotKnown) and (told := _since_our_look(seen, instance)):
        return _unsettled(seen, told, newest, now)
    if now - newest.at < QUIET_AFTER:
        return None
    age = words.age(now - newest.at)
    if isinstance(instance, NotKnown) and seen.cluster.hibernated:
        headline = f"hibernated: no WAL landed for {age}, and no instance can be asked"
        return _idle_or_stuck(headline, "what it wrote last is known when it is woken")
    if isinstance(instance, NotKnown):
        why = f"instance: {instance.why}" if instance.why else ""
        return _idle_or_stuck(
            f"no WAL landed for {age}: idle or stuck, the instance was not asked", why
        )
    if now - instance.at > LATELY:
        heard = words.moment(instance.at, now)
        return _idle_or_stuck(
            f"no WAL landed for {age}: idle or stuck, the instance is not heard",
            f"instance: last heard at {heard}",
        )
    if instance.waiting:
        return _waits(seen, instance, newest, age, now)
    if not instance.is_primary:
        return _idle_or_stuck(
            f"no WAL landed for {age}: idle or stuck, a standby tells no queue", ""
        )
    return _neither_waits_nor_landed(seen, instance, newest)


def _newest(seen: Witnesses) -> Archived | None:
    """What landed last: the newest by name, or the end of the window, which may be on a branch."""
    if isinstance(seen.film, NotKnown):
        return None
    window, server = seen.film.window, seen.film.server
    found = [server.last_archived] if server.last_archived else []
    if isinstance(window, Window) and (at := server.modified(window.through)) is not None:
        found.append(Archived(window.through, at))
    return max(found, key=lambda each: each.at, default=None)


def _since_our_look(seen: Witnesses, instance: InstanceStatus) -> Passed | None:
    """What PostgreSQL archived lately, so that it may have landed since."""
    told = instance.last_archived
    if isinstance(seen.film, NotKnown) or told is None or told.at is None:
        return None
    return told if told.at + SETTLED > seen.film.at else None


def _unsettled(seen: Witnesses, told: Passed, newest: Archived, now: datetime) -> Finding | None:
    """It archives again, or into nowhere: what it said before tells which, if it was asked before."""
    if isinstance(seen.film, NotKnown) or archiving.settled(seen) is not None:
        return None
    segment, again = archiving.segment_of(told), "look again in two minutes"
    if segment is None:
        if now - newest.at < QUIET_AFTER:
            return None
        age = words.age(now - newest.at)
        headline = f"no WAL landed for {age}, and only {told.name} was archived since"
        return _idle_or_stuck(words.shorten(headline, 70), again)
    ahead = newest.segment.distance(segment, seen.film.continuity.segment_size)
    if ahead <= JUST_NOW:
        return None
    return _idle_or_stuck(
        f"PostgreSQL archived {words.counted(ahead, 'segment')} since our look, or elsewhere",
        f"{segment} must be in the bucket by then: {again}",
    )


def _idle_or_stuck(headline: str, advice: str) -> Finding:
    return Finding("quiet", Level.UNKNOWN, "quiet", headline, advice)


def _waits(
    seen: Witnesses, instance: InstanceStatus, newest: Archived, age: str, now: datetime
) -> Finding | None:
    verb = "waits" if instance.waiting == 1 else "wait"
    waiting = f"{words.counted(instance.waiting, 'WAL file')} {verb}"
    waited = [each.at for each in seen.queue_before if each.waiting and each.at > newest.at]
    if instance.waiting <= JUST_NOW and not any(now - at >= SETTLED for at in waited):
        headline = f"{waiting}, none landed for {age}: since just now, or stuck"
        return _idle_or_stuck(headline, "look again in two minutes")
    return Finding(
        "hangs",
        Level.FAILING,
        "WAL hangs",
        f"{waiting}, none landed for {age}, though nothing fails",
        archiving.advice(seen.cluster, ""),
    )


def _neither_waits_nor_landed(
    seen: Witnesses, instance: InstanceStatus, newest: Archived
) -> Finding | None:
    """PostgreSQL went on, and what it finished is nowhere: it runs without archive_mode."""
    current = wal.parse(instance.current_wal)
    if isinstance(seen.film, NotKnown) or current is None:
        return None
    if not isinstance(current.file, wal.Segment):
        return None
    gone = newest.segment.distance(current.file, seen.film.continuity.segment_size) - 1
    if gone < 1:
        return None
    return Finding(
        "not-archived",
        Level.FAILING,
        "not archived",
        f"{words.counted(gone, 'finished segment')} of WAL neither waiting nor in the bucket",
        "SHOW archive_mode on the primary: where it is off, restart the Pod (it stays off until then "
        "after cnpg.io/skipWalArchiving is removed); then take a base backup: b",
    )
