"""How a row of columns shares a line: which columns stand, and how wide.

Pure arithmetic on terminal cells; it draws nothing. A column that does not fit is left out whole,
by rank; what stands is shortened visibly by whoever draws it, never cut off at the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len

GAP = 2
"""Blank cells between two columns."""

_NARROWEST = 2
"""Below this a shortened cell says nothing: one character and an ellipsis."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. All widths are in terminal cells."""

    title: str
    width: int | None = None
    """A fixed width; None fits the title and the content."""
    min_width: int = 0
    """Below this others are left out first; narrower only where its content is, or no room at all."""
    max_width: int | None = None
    align: Literal["left", "right"] = "left"
    flexible: bool = False
    """Takes what the others leave over. At most one column of a table is flexible."""
    rank: int = 0
    """On a narrow terminal the highest rank goes first, from the right; 0 always stays."""

    def least(self, wanted: int) -> int:
        """The width it is content with before others are left out."""
        return min(self.min_width, wanted) if self.min_width else wanted

    def wanted(self, content: int) -> int:
        """The width asked for when the widest cell measures ``content``."""
        if self.width is not None:
            return self.width
        needed = max(cell_len(self.title), self.min_width if self.flexible else content)
        return needed if self.max_width is None else min(needed, self.max_width)


def allot(columns: Sequence[Column], content: Sequence[int], room: int) -> tuple[int | None, ...]:
    """The width of every column in ``room`` cells, given its widest content; None leaves it out.

    First columns are left out by rank until the least widths of the others fit, then the flexible
    one takes what is left over. Where it is too little, the widest give way, a cell at a time, first
    those that are wider than they have to be.
    """
    wanted = [column.wanted(cells) for column, cells in zip(columns, content, strict=True)]
    least = [column.least(width) for column, width in zip(columns, wanted, strict=True)]
    stands = _standing(columns, least, room)
    spare = room - _taken([wanted[at] for at in stands])
    for at in stands:
        if spare > 0 and columns[at].flexible:
            most = columns[at].max_width
            wanted[at] += spare if most is None else min(spare, max(0, most - wanted[at]))
    while spare < 0:
        widest = max(stands, key=lambda at: (wanted[at] > least[at], wanted[at], at))
        if wanted[widest] <= _NARROWEST:
            break
        wanted[widest] -= 1
        spare += 1
    return tuple(wanted[at] if at in stands else None for at in range(len(columns)))


def _standing(columns: Sequence[Column], least: Sequence[int], room: int) -> list[int]:
    """The columns that stand, as positions: the highest ranks left out until the rest fits."""
    stands = list(range(len(columns)))
    leaving = sorted(
        (at for at in stands if columns[at].rank), key=lambda at: (columns[at].rank, at)
    )
    while leaving and _taken([least[at] for at in stands]) > room:
        stands.remove(leaving.pop())
    return stands


def _taken(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * max(0, len(widths) - 1)
