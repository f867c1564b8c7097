"""The first line: where am I, is it live, what time is it (UTC), how bad is it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from textual.content import Content
from textual.widgets import Static

from tui import themes
from tui.verdict.health import Level

_WORDS = {
    Level.FAILING: "failing",
    Level.UNPROTECTED: "unprotected",
    Level.DEGRADED: "degraded",
    Level.UNKNOWN: "not proven",
    Level.PROTECTED: "protected",
}


class HeaderLine(Static):
    """One line, drawn again only when one of its words changes."""

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._shown: tuple[object, ...] = ()

    def show(self, place: str, state: str, clock: str, levels: Iterable[Level]) -> None:
        """``place`` is context and namespace, ``state`` how the feeds do, ``levels`` all verdicts."""
        counts = Counter(levels)
        shown = (place, state, clock, tuple(sorted(counts.items())))
        if shown == self._shown:
            return
        self._shown = shown
        tally = [
            themes.tinted(level, f"{counts[level]} {_WORDS[level]}")
            for level in Level
            if counts[level]
        ]
        gap = Content("  ")
        self.update(
            gap.join([Content.styled(place, "bold"), Content(state), Content(clock), *tally])
        )
