"""What a feed told, folded into a table, so that a test can compare it with what the server has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

from tui.cnpg import backup
from tui.cnpg.manifest import BACKUPS
from tui.live.changes import Change, EventType, FeedMoved, FeedState, Listed, Seen, Starting
from tui.live.feeds import Feed, Patience, Source

QUICK = Patience(
    batch=0.005,
    least=0.02,
    most=0.1,
    slow=5.0,
    answer=5.0,
    silence=10.0,
    settled=5.0,
    polling=(0.02, 0.04),
    rarely=0.05,
)
"""Waits short enough for a test; only what a test is about is shorter still."""

Happened = tuple[str, str, str]
"""Type, name and resourceVersion of an event."""


class Told:
    """A place for a feed to report to."""

    def __init__(self) -> None:
        self.table: dict[str, str] = {}
        """resourceVersion by name, as the facts so far make it"""
        self.changes: list[Change] = []
        self._news = asyncio.Event()

    def __call__(self, change: Change) -> None:
        self.changes.append(change)
        if isinstance(change, Listed):
            self.table = {one.key.name: one.resource_version for one in change.subjects}
        elif isinstance(change, Seen):
            for event in change.events:
                if event.type is EventType.DELETED:
                    self.table.pop(event.subject.key.name)
                else:
                    self.table[event.subject.key.name] = event.subject.resource_version
        self._news.set()

    @property
    def events(self) -> list[Happened]:
        return [
            (event.type.value, event.subject.key.name, event.subject.resource_version)
            for change in self.changes
            if isinstance(change, Seen)
            for event in change.events
        ]

    @property
    def states(self) -> list[FeedState]:
        """The states said so far, but for the count of what is loading."""
        moves = [change.state for change in self.changes if isinstance(change, FeedMoved)]
        return [state for state in moves if not isinstance(state, Starting)]

    @property
    def state(self) -> FeedState | None:
        return self.states[-1] if self.states else None

    @property
    def lists(self) -> list[Listed]:
        return [change for change in self.changes if isinstance(change, Listed)]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until ``holds``, looking again at every report and now and then."""
        async with asyncio.timeout(20):
            while not holds():
                self._news.clear()
                try:
                    await asyncio.wait_for(self._news.wait(), 0.003)
                except TimeoutError:
                    continue


def feed(
    source: Source,
    told: Told,
    patience: Patience = QUICK,
    *,
    namespace: str | None = "prod",
    random: Random | None = None,
) -> Feed:
    """A feed of Backups, not running yet."""
    return Feed(
        BACKUPS,
        namespace,
        source,
        backup.read,
        told,
        clock=lambda: datetime.now(UTC),
        random=random or Random(1),
        patience=patience,
    )
