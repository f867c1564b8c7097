"""Which columns stand on a line, and how wide."""

from __future__ import annotations

import pytest

from tui.widgets.columns import Column, allot

NAME = Column("NAME", min_width=10)
AGE = Column("AGE", width=6)
METHOD = Column("METHOD", rank=1)
ERROR = Column("ERROR", flexible=True, min_width=8, rank=2)


@pytest.mark.parametrize(
    ("columns", "content", "room", "widths"),
    [
        pytest.param(
            [NAME, AGE], [14, 3], 40, (14, 6), id="a fitted column is as wide as it needs"
        ),
        pytest.param(
            [NAME, AGE], [4, 3], 40, (4, 6), id="and no wider, whatever it may ask of others"
        ),
        pytest.param([METHOD], [2], 40, (6,), id="a title is never shortened while there is room"),
        pytest.param([Column("N", max_width=5)], [30], 40, (5,), id="nor wider than its maximum"),
        pytest.param([NAME, ERROR], [10, 3], 40, (10, 28), id="the flexible one takes the rest"),
        pytest.param(
            [NAME, METHOD, AGE, ERROR], [10, 6, 3, 50], 33, (10, 6, 6, None), id="rank 2 goes first"
        ),
        pytest.param(
            [NAME, METHOD, AGE, ERROR], [10, 6, 3, 50], 24, (10, None, 6, None), id="then rank 1"
        ),
        pytest.param([METHOD, METHOD], [6, 6], 10, (6, None), id="of one rank the right one goes"),
        pytest.param(
            [NAME, METHOD],
            [30, 6],
            20,
            (12, 6),
            id="a wide one gives way before others are left out",
        ),
        pytest.param([NAME, METHOD], [30, 6], 17, (17, None), id="but not below its minimum"),
        pytest.param([NAME, AGE], [14, 3], 14, (6, 6), id="rank 0 stays: the widest gives way"),
        pytest.param([NAME, AGE], [14, 3], 3, (2, 2), id="down to a character and an ellipsis"),
        pytest.param(
            [NAME, Column("ERROR", flexible=True, max_width=12)],
            [10, 50],
            60,
            (10, 12),
            id="a flexible column stops at its maximum",
        ),
    ],
)
def test_columns_share_the_room(
    columns: list[Column], content: list[int], room: int, widths: tuple[int | None, ...]
) -> None:
    assert allot(columns, content, room) == widths
