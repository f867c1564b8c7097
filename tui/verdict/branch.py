"""Whether what can be restored is what the cluster writes: an archive may hold more timelines than its.

A clone that archives under the same server name has the same system id; only its timeline is another
one. And a cluster that was restored to an earlier moment writes what no base backup of the branch it
left leads to.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tui import words
from tui.barman import wal
from tui.verdict.level import Finding, Level
from tui.verdict.window import Window
from tui.verdict.witnesses import Film, NotKnown, Witnesses

SETTLED = timedelta(minutes=30)
"""So long after a promotion the operator's word or our look may still be of the timeline before."""


def differs(seen: Witnesses, now: datetime) -> Finding | None:
    """The window is on another timeline than the one that is written now."""
    film, written = seen.film, _written(seen)
    if isinstance(film, NotKnown) or film.whole is None or not isinstance(film.window, Window):
        return None  # a history may lie where nobody has looked yet
    if written is None or film.continuity.cut_off or seen.cluster.is_switching_over:
        return None
    window = film.window
    since = _since(seen, film, window, written)
    if since is not None and now - since < SETTLED:
        return None
    if window.timeline != written:
        return _other(written, window.timeline)
    return None if window.latest else _not_latest(written)


def _written(seen: Witnesses) -> int | None:
    """The timeline PostgreSQL writes: a standby does not tell, nor a cluster that follows another."""
    instance = seen.instance
    if isinstance(instance, NotKnown):
        return None if seen.cluster.follows else seen.cluster.timeline
    stored = wal.parse(instance.current_wal) if instance.is_primary else None
    if stored is None or not isinstance(stored.file, wal.Segment):
        return None
    return stored.file.timeline


def _since(seen: Witnesses, film: Film, window: Window, written: int) -> datetime | None:
    """When the newer of the two timelines began, as far as it is known."""
    histories = film.server.histories
    if window.timeline < written and written not in histories:
        # Its history is on its way. A replica cluster that is promoted keeps its target primary.
        return max(seen.cluster.target_since or window.until, window.until)
    newer = (held.modified for timeline, held in histories.items() if timeline >= written)
    return max(newer, default=None)


def _other(written: int, restorable: int) -> Finding:
    advice = (
        f"take a base backup now (b): it starts on timeline {written}"
        if restorable < written
        else "another cluster writes, or wrote, under this server name: give this one a serverName of "
        "its own, then take a base backup (b)"
    )
    headline = f"restorable is timeline {restorable}, and the cluster writes timeline {written}"
    return Finding(
        "other-timeline", Level.FAILING, "other timeline", words.shorten(headline, 70), advice
    )


def _not_latest(written: int) -> Finding:
    return Finding(
        "not-latest",
        Level.DEGRADED,
        "not latest",
        f"a restore must name timeline {written}: a newer one is not the cluster's",
        f'restore with recoveryTarget.targetTLI: "{written}"; another cluster writes, or wrote, under '
        "this server name: give this one a serverName of its own",
    )
