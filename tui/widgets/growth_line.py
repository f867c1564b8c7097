"""A line of eighth-blocks: how much arrived in each hour or day. Text, so a change costs a line."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCKS = " ▁▂▃▄▅▆▇█"


def bars(values: Sequence[float]) -> str:
    """One block a value, scaled to the largest; anything at all shows at least the lowest block."""
    top = max(values, default=0)
    if top <= 0:
        return _BLOCKS[0] * len(values)
    steps = len(_BLOCKS) - 1
    return "".join(
        _BLOCKS[max(1, round(value / top * steps))] if value > 0 else _BLOCKS[0] for value in values
    )
