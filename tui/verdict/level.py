"""How bad something is, and one thing to say about a cluster. Below the judge and the triage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from tui.verdict.fix import Fix


class Level(IntEnum):
    """How bad it is, worst first, so that sorting by level puts what needs a hand on top."""

    FAILING = 0
    UNPROTECTED = 1
    DEGRADED = 2
    UNKNOWN = 3
    PROTECTED = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to say about a cluster. ``headline`` has at most 70 characters."""

    code: str
    level: Level
    word: str
    headline: str
    advice: str = ""
    evidence: str = ""
    """What shows it, with its source; ``""`` where the headline says it all."""
    fix: Fix | None = None
    """The remedy, where it can be carried out from here."""
