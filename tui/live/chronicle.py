"""The verdicts of this session as they turned: what got worse, what recovered, and when.

Pure bookkeeping. A verdict that is still being found out is no news: while the first lists and the
first look into a bucket arrive, it goes through what it does not mean.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tui.cnpg.manifest import Key
from tui.verdict.health import Level, Verdict

SETTLING = timedelta(minutes=1)
"""How long after a cluster was first judged its verdict may change without being news."""

KEPT = 500
"""Turns that are remembered, the newest."""

FEW = 3
"""So many turns at once are told one by one; more of them in one sentence."""

PAUSE = timedelta(seconds=10)
"""Between two tellings at least: what turns meanwhile is told together."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One cluster's level became another."""

    at: datetime
    cluster: Key
    before: Level
    after: Level
    lasted: timedelta
    """How long the level before had been known."""
    headline: str

    @property
    def worse(self) -> bool:
        """Whether it got worse; else it recovered, wholly or in part."""
        return self.after < self.before


@dataclass(frozen=True, slots=True)
class _Known:
    level: Level
    since: datetime


@dataclass(slots=True)
class Chronicle:
    """What has been heard of verdicts since the session began."""

    turns: deque[Turn] = field(default_factory=lambda: deque(maxlen=KEPT))
    """Oldest first."""
    _untold: list[Turn] = field(default_factory=list)
    _told_at: datetime | None = None
    _first: dict[Key, datetime] = field(default_factory=dict)
    _known: dict[Key, _Known] = field(default_factory=dict)

    def hear(self, judged: Iterable[Key], verdicts: Mapping[Key, Verdict], now: datetime) -> bool:
        """These clusters were judged anew; the answer is whether any has turned."""
        heard = [turn for key in judged if (turn := self._turn(key, verdicts.get(key), now))]
        self.turns.extend(heard)
        self._untold.extend(heard)
        return bool(heard)

    def news(self, now: datetime) -> tuple[Turn, ...]:
        """What is to be told now, each turn once: nothing while the last telling is fresh."""
        fresh = self._told_at is not None and timedelta(0) <= now - self._told_at < PAUSE
        if fresh or not self._untold:
            return ()
        told, self._untold, self._told_at = tuple(self._untold), [], now
        return told

    def _turn(self, key: Key, verdict: Verdict | None, now: datetime) -> Turn | None:
        if verdict is None:  # the cluster is gone: another of its name begins anew
            self._first.pop(key, None)
            self._known.pop(key, None)
            return None
        known, level = self._known.get(key), verdict.level
        if _is_looking(verdict) or (known is None and level is Level.UNKNOWN):
            self._first.setdefault(key, now)
            return None
        if known is not None and known.level is level:
            return None
        settling = now - self._first.setdefault(key, now) < SETTLING
        self._known[key] = _Known(level, now)
        if known is None or settling:
            return None
        return Turn(now, key, known.level, level, now - known.since, verdict.headline)


def summary(turns: Sequence[Turn]) -> tuple[str, ...]:
    """The turns as sentences: a few one by one, a storm of them in one."""
    if len(turns) <= FEW:
        return tuple(
            f"{turn.cluster.name} {word(turn.before)} -> {word(turn.after)}: {turn.headline}"
            for turn in turns
        )
    named = sorted(turns, key=lambda turn: not turn.worse)[:FEW]
    names = ", ".join(dict.fromkeys(turn.cluster.name for turn in named))
    worse = sum(turn.worse for turn in turns)
    counts = [f"{worse} got worse"] * bool(worse)
    counts += [f"{len(turns) - worse} recovered"] * (worse < len(turns))
    return (f"verdicts: {', '.join(counts)}: {names} ... v shows them all",)


def _is_looking(verdict: Verdict) -> bool:
    """Whether the bucket is being looked at: that says nothing new."""
    return bool(verdict.findings) and verdict.findings[0].code == "looking"


def word(level: Level) -> str:
    """A level as it is said."""
    return level.name.lower()
