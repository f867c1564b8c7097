"""Whether WAL archiving fails now, by the operator's and the instance's word and what lands.

The condition alone misleads both ways: it moves only with the next segment, and a switchover refuses
archiving for a moment.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tui.verdict.witnesses import NotKnown, Witnesses

SETTLED = timedelta(minutes=2)
"""An archived segment must be in the listing this long after PostgreSQL said so."""


QUIET_AFTER = timedelta(minutes=15)
"""Three times the archive_timeout CloudNativePG sets: a busy database has archived by then."""


def fails(seen: Witnesses) -> bool:
    """Whether the operator or the instance says that it fails, and nothing lands since."""
    condition = seen.cluster.archiving
    if condition is None or not said_to_fail(seen):
        return False
    return condition.holds or not _lands_since(seen, condition.since)


def said_to_fail(seen: Witnesses) -> bool:
    """Whether the operator or the instance says so, a switchover aside."""
    condition = seen.cluster.archiving
    if condition is None or seen.cluster.is_switching_over:
        return False
    instance = seen.instance
    return not condition.holds or (not isinstance(instance, NotKnown) and instance.fails_now)


def _lands_since(seen: Witnesses, since: datetime | None) -> bool:
    """Whether WAL lands, by a margin for clocks; none for long only where there was none to archive."""
    if isinstance(seen.film, NotKnown) or since is None:
        return False
    newest = seen.film.server.last_archived
    if newest is None or newest.at <= since + SETTLED:
        return False
    return seen.film.at - newest.at < QUIET_AFTER or _nothing_waits(seen)


def _nothing_waits(seen: Witnesses) -> bool:
    instance = seen.instance
    return not isinstance(instance, NotKnown) and instance.is_primary and not instance.waiting
