"""What may not be asked is remembered for a while, so that it is not asked again at every round."""

from __future__ import annotations

import asyncio

from tui import faults
from tui.verdict.witnesses import NotKnown


class Refusals:
    """By what was asked. ``lasting`` is in seconds."""

    def __init__(self, lasting: float) -> None:
        self._lasting = lasting
        self._refused: dict[str, tuple[float, NotKnown]] = {}
        """When the refusal came (loop time), and its reason."""

    def remembered(self, asked: str) -> NotKnown | None:
        """Why this was refused lately, None if it was not."""
        if asked not in self._refused:
            return None
        at, why = self._refused[asked]
        return why if asyncio.get_running_loop().time() - at < self._lasting else None

    def not_known(self, asked: str, fault: faults.Fault, said: str = "") -> NotKnown:
        """Why it was not told, in ``said`` words if given; remembered if it was refused."""
        why = NotKnown(said or str(fault))
        if isinstance(fault, faults.Forbidden):
            self._refused[asked] = (asyncio.get_running_loop().time(), why)
        return why

    def forget(self) -> None:
        """The user asked: everything may be asked again."""
        self._refused.clear()
