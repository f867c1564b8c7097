"""Whether WAL archiving fails now, by the operator's and the instance's word and what lands.

The condition alone misleads both ways: it moves only with the next segment, and a switchover refuses
archiving for a moment.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tui.barman import wal
from tui.barman.catalog import Archived
from tui.cnpg.cluster import Cluster
from tui.cnpg.instance import Passed
from tui.verdict import exits
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


def settled(seen: Witnesses) -> Archived | None:
    """What PostgreSQL archived last so long before our look that it must be in it.

    A busy primary archives every few seconds: what it says now may always have landed since our look,
    but what it said before may not.
    """
    if isinstance(seen.film, NotKnown) or isinstance(seen.instance, NotKnown):
        return None
    for heard in (seen.instance, *reversed(seen.queue_before)):
        told = heard.last_archived
        if told is None or (segment := segment_of(told)) is None or told.at is None:
            continue
        if min(told.at, heard.at) + SETTLED <= seen.film.at:
            return Archived(segment, told.at)
    return None


def segment_of(told: Passed) -> wal.Segment | None:
    """The segment that passed, None if it was a history, a label or a partial segment."""
    stored = wal.parse(told.name)
    return stored.file if stored is not None and isinstance(stored.file, wal.Segment) else None


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


def advice(cluster: Cluster, message: str) -> str:
    """What an exit status in ``message`` means, and where the error itself stands."""
    pod = cluster.primary or "the primary"
    meaning = exits.meaning(message)
    return (
        f"{meaning + '; ' if meaning else ''}the real error is in the sidecar's log: "
        f"kubectl -n {cluster.key.namespace} logs {pod} -c plugin-barman-cloud"
    )
