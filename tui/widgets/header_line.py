"""The first line: where am I, is it live, what time is it (UTC), how bad is it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from textual.content import Content
from textual.widget import Widget

from tui import themes
from tui.verdict.health import Level

_WORDS = {
    Level.FAILING: "failing",
    Level.UNPROTECTED: "unprotected",
    Level.DEGRADED: "degraded",
    Level.UNKNOWN: "not proven",
    Level.PROTECTED: "protected",
}
_PLACE = 20
"""Cells the name of the place may be shortened to, before the words beside it are."""


class HeaderLine(Widget):
    """One line, drawn again only when one of its words changes.

    On a narrow terminal the place gives way first and how bad it is last.
    """

    def __init__(self) -> None:
        super().__init__()
        self._place, self._state, self._clock = "", "", ""
        self._counts: Counter[Level] = Counter()

    def show(self, place: str, state: str, clock: str, levels: Iterable[Level]) -> None:
        """``place`` is context and namespace, ``state`` how the feeds do, ``levels`` all verdicts."""
        before = (self._place, self._state, self._clock, self._counts)
        self._place, self._state, self._clock = place, state, clock
        self._counts = Counter(levels)
        if before != (place, state, clock, self._counts):
            self.refresh()

    def render(self) -> Content:
        room = self.size.width
        words, glyphs = self._tally(in_words=True), self._tally(in_words=False)
        state, clock = Content(self._state), Content(self._clock)
        for place in (len(self._place), _PLACE):
            for tally in (words, glyphs):
                beside = _joined(state, clock, tally)
                least = min(place, len(self._place))
                if least + 2 + beside.cell_length <= room:
                    where = Content.styled(self._place, "bold")
                    spare = room - 2 - beside.cell_length
                    return _joined(where.truncate(spare, ellipsis=True), beside)
        short = _joined(glyphs, state)
        return short if short.cell_length <= room else glyphs or state

    def _tally(self, *, in_words: bool) -> Content:
        said = [
            (level, f"{count} {_WORDS[level]}" if in_words else f"{themes.GLYPHS[level]} {count}")
            for level, count in sorted(self._counts.items())
        ]
        return _joined(*(themes.tinted(level, text) for level, text in said))


def _joined(*parts: Content) -> Content:
    return Content("  ").join(part for part in parts if part)
