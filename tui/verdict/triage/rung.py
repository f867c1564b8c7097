"""A rung of the ladder, and what a rule says when something is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tui.verdict.fix import Fix
from tui.verdict.level import Level
from tui.verdict.triage.case import Case
from tui.verdict.witnesses import NotKnown


class State(StrEnum):
    """What is said of a rung."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a rule found. ``headline`` has at most 70 characters, ``word`` stands in a table."""

    code: str
    level: Level
    """FAILING to DEGRADED break the rung and become findings; UNKNOWN says that one cannot tell;
    PROTECTED is a remark on a rung that holds."""
    word: str
    headline: str
    evidence: str
    remedy: str = ""
    """What to do, in a sentence without a full stop."""
    command: str = ""
    """The exact command or patch, ``""`` where there is none."""
    fix: Fix | None = None
    """The remedy, where it can be carried out from here."""
    explains: tuple[str, ...] = ()
    """Codes on the same rung that only follow from this: it stands before them."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One thing that must hold for a cluster to be restorable."""

    code: str
    """Of the rung, and of the trouble where it is broken."""
    title: str
    state: State
    evidence: str
    level: Level = Level.PROTECTED
    headline: str = ""
    word: str = ""
    remedy: str = ""
    command: str = ""
    fix: Fix | None = None
    numbers: tuple[str, ...] = ()
    """Entries of the failure catalogue."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A look at one thing, and the entries of the catalogue it answers to."""

    numbers: tuple[str, ...]
    look: Callable[[Case], Trouble | None]


def rule(*numbers: str) -> Callable[[Callable[[Case], Trouble | None]], Rule]:
    """Make a rule of a function: ``@rule("F21")``."""
    return lambda look: Rule(numbers, look)


Sound = Callable[[Case], str | NotKnown]
"""Why a rung holds that no rule breaks, or why one cannot tell."""
