"""What stands on the terminal, so that only cells that really differ are sent over the line.

Textual repaints whatever may have changed: opening a screen draws it three or four times while its
layout settles, some 30 KB at 80x24 of which most says again what stands there already. Here every
update is held against the cells the terminal shows, and the difference goes out.

What others write over it (``wall``, a multiplexer's message) is not known here: ``forget``, and the
next whole update is sent in full.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.control import Control
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

Cell: TypeAlias = tuple[str, Style]
"""A character with all that combines with it; of a wide one the second cell holds ``""``."""

_UNKNOWN: Cell = ("\0", Style.null())
"""Equal to no cell that is ever drawn."""

_APART = 8
"""Equal cells between two runs that cost less sent again than a move of the cursor around them."""


class Difference(CompositorUpdate):
    """The cells to send, as moves of the cursor and runs of text."""

    def __init__(self, runs: Sequence[tuple[int, int, Strip]]) -> None:
        self.runs = runs

    def render_segments(self, console: Console) -> str:
        """What is written to the terminal."""
        return "".join(
            Control.move_to(x, y).segment.text + strip.render(console) for x, y, strip in self.runs
        )


class Glass:
    """The cells of one terminal, as they were last sent."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Cell]] = {}
        self._size = Size(0, 0)

    def forget(self) -> None:
        """Somebody else may have written: nothing is known of the cells any more."""
        self._rows.clear()

    def difference(self, update: LayoutUpdate | ChopsUpdate, size: Size) -> Difference | None:
        """What of the update does not stand on a terminal of that size already; None if all does.

        The answer counts as sent. What was still drawn for a larger terminal is cut at the edges:
        written, the terminal would put it over the last line.
        """
        if size != self._size:
            self._size = size
            self.forget()
        runs: list[tuple[int, int, Strip]] = []
        for y, pieces in _lines(update):
            if y >= size.height:
                break
            standing = self._rows.setdefault(y, [_UNKNOWN] * size.width)
            for x, strip in pieces:
                runs += ((at, y, run) for at, run in _runs(standing, x, strip))
        return Difference(runs) if runs else None


def _lines(
    update: LayoutUpdate | ChopsUpdate,
) -> Iterator[tuple[int, Iterable[tuple[int, Strip]]]]:
    """The pieces of every line that was drawn, each with the column where it begins."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            yield y, _placed(update.region.x, strips)
    else:
        for y, begin, end in sorted(update.spans):
            yield y, _within(update, y, begin, end)


def _within(update: ChopsUpdate, y: int, begin: int, end: int) -> Iterator[tuple[int, Strip]]:
    """The pieces of a line that lie in a span. What lies beside it was not drawn by the widget that
    is seen there, but by what is under it: side by side with another pane it would blot that out."""
    for stop, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
        if strip is not None and x < end and stop > begin:
            yield x, strip.crop(0, min(stop, end) - x)


def _placed(x: int, strips: Iterable[Strip]) -> Iterator[tuple[int, Strip]]:
    for strip in strips:
        yield x, strip
        x += strip.cell_length


def _runs(standing: list[Cell], x: int, strip: Strip) -> Iterator[tuple[int, Strip]]:
    """The runs of a piece that differ from what stands there, which is brought up to date."""
    cells = _cells(strip)[: max(len(standing) - x, 0)]
    before = standing[x : x + len(cells)]
    if cells == before:
        return
    standing[x : x + len(cells)] = cells
    differing = [at for at, cell in enumerate(cells) if cell != before[at]]
    for begin, end in _together(differing):
        # The second half of a wide character cannot be written without the first.
        first = begin - 1 if begin and not cells[begin][0] else begin
        yield x + first, _strip(cells[first:end])


def _together(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs over these places (begin, end), joined where they lie close to each other."""
    begin = places[0]
    for last, following in zip(places, (*places[1:], None), strict=True):
        if following is None:
            yield begin, last + 1
        elif following - last > _APART:
            yield begin, last + 1
            begin = following


def _cells(strip: Strip) -> list[Cell]:
    """A strip cell by cell, without what cannot be seen (where a mouse click leads)."""
    cells: list[Cell] = []
    for text, style, _ in strip:
        look = style.clear_meta_and_links() if style else Style.null()
        if text.isascii():
            cells += [(char, look) for char in text]
            continue
        for char in text:
            width = cell_len(char)
            if width:
                cells += [(char, look), *[("", look)] * (width - 1)]
            elif cells:
                combined, under = cells[-1]
                cells[-1] = combined + char, under
    return cells


def _strip(cells: Iterable[Cell]) -> Strip:
    return Strip(
        Segment("".join(char for char, _ in run), look)
        for look, run in groupby(cells, key=itemgetter(1))
    )
