"""The store's clock against ours: where they differ, no age that is told here can be relied on.

S3 refuses requests that are signed more than 15 minutes off; long before that, WAL that is late looks
fresh to a clock that is slow.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tui import words
from tui.verdict.level import Finding, Level
from tui.verdict.witnesses import Film, Witnesses

TOLD = timedelta(minutes=1)
"""An answer may take a while and the store's word has whole seconds: less is not worth a line."""
DOUBTED = timedelta(minutes=3)
"""So much off, and nothing is called fresh."""


def said(seen: Witnesses) -> str:
    """``this machine's clock is 7m12s behind the store's``, ``""`` if it is not."""
    film = seen.film
    skew = film.skew if isinstance(film, Film) else None
    if skew is None or abs(skew) <= TOLD:
        return ""
    how = "behind" if skew > timedelta(0) else "ahead of"
    return f"this machine's clock is {words.age(abs(skew))} {how} the store's"


def differ(seen: Witnesses, now: datetime) -> Finding | None:
    """Too far apart to say how old anything in the bucket is."""
    film = seen.film
    skew = film.skew if isinstance(film, Film) else None
    if skew is None or abs(skew) <= DOUBTED:
        return None
    return Finding(
        "clocks-differ",
        Level.UNKNOWN,
        "clocks differ",
        said(seen),
        "no age told here can be relied on: set this machine's clock (timedatectl shows whether it is "
        "synchronized); if it is right, the store's is wrong and refuses signatures 15 minutes off",
    )
