"""Whether WAL archiving fails now, by the operator's and the instance's word and what lands.

The condition alone misleads both ways: it moves only with the next segment, and a switchover refuses
archiving for a moment.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tui.verdict.witnesses import NotKnown, Witnesses

SETTLED = timedelta(minutes=2)
"""An archived segment must be in the listing this long after PostgreSQL said so."""


def fails(seen: Witnesses) -> bool:
    """Whether the operator or the instance says that it fails, and nothing has landed since."""
    condition = seen.cluster.archiving
    if condition is None or not said_to_fail(seen):
        return False
    return condition.holds or landed_after(seen, condition.since) is None


def said_to_fail(seen: Witnesses) -> bool:
    """Whether the operator or the instance says so, a switchover aside."""
    condition = seen.cluster.archiving
    if condition is None or seen.cluster.is_switching_over:
        return False
    instance = seen.instance
    return not condition.holds or (not isinstance(instance, NotKnown) and instance.fails_now)


def landed_after(seen: Witnesses, since: datetime | None) -> datetime | None:
    """When the newest segment landed, if that was after ``since`` with a margin for clocks."""
    if isinstance(seen.film, NotKnown) or since is None:
        return None
    newest = seen.film.server.last_archived
    return newest.at if newest and newest.at > since + SETTLED else None
