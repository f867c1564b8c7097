"""How the state of a feed is told: a word for the header, a sentence for the pane."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tui import words
from tui.live.changes import (
    Absent,
    FeedState,
    Forbidden,
    Live,
    Polling,
    Reconnecting,
    SignedOut,
    Starting,
)


@dataclass(frozen=True, slots=True)
class Told:
    """``word`` fits a header; ``sentence`` says what to do (``""`` if all is well)."""

    word: str
    sentence: str = ""
    well: bool = False


def told(state: FeedState, now: datetime) -> Told:
    """Word and sentence for the state of a feed."""
    match state:
        case Live():
            return Told("live", well=True)
        case Starting(loaded=loaded):
            return Told(f"loading {words.number(loaded)}" if loaded else "loading", well=True)
        case Polling(every=every, why=why):
            return Told(f"polling every {every:.0f} s", why)
        case Reconnecting(heard=heard, why=why):
            return Told(_stale(heard, now), why)
        case Forbidden(heard=heard, why=why):
            return Told("forbidden", why)
        case SignedOut(heard=heard, why=why):
            return Told("signed out", f"{why}. R asks again")
        case Absent(why=why):
            return Told("not installed", why)


def _stale(heard: datetime | None, now: datetime) -> str:
    if heard is None:
        return "not reached yet"
    return f"stale since {words.moment(heard, now)}"


def countdown(state: FeedState, now: datetime) -> str:
    """``reconnecting in 5 s`` while a feed waits for its next try, else ``""``."""
    if not isinstance(state, Reconnecting):
        return ""
    seconds = (state.retry_at - now).total_seconds()
    return f"reconnecting in {seconds:.0f} s" if seconds >= 0.5 else "reconnecting"
