"""Orders that were sent, followed to their end: "requested" until the watch shows the object.

Pure bookkeeping. Nobody inserts a row for what was asked: the row comes with the watch, because the
server is the only source of truth.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tui import words
from tui.cnpg.backup import COMPLETED, Backup
from tui.cnpg.manifest import Key
from tui.live.changes import Event, EventType


@dataclass(frozen=True, slots=True)
class News:
    """How something that was asked for ended; told once."""

    key: Key
    text: str
    good: bool


@dataclass(slots=True)
class Following:
    """The Backups this user asked for and that have not ended yet."""

    requested: set[Key] = field(default_factory=set)
    """Sent, but not shown by the watch yet."""
    seen: set[Key] = field(default_factory=set)

    def ask(self, key: Key) -> None:
        """An order for this Backup was sent."""
        if key not in self.seen:
            self.requested.add(key)

    def drop(self, key: Key) -> None:
        """The server does not have it after all."""
        self.requested.discard(key)

    def hear(self, events: Iterable[Event]) -> list[News]:
        """Take in what a watch said; the answer is the news of what ended."""
        news = []
        for event in events:
            key = event.subject.key
            if key not in self.requested and key not in self.seen:
                continue
            self.requested.discard(key)
            self.seen.add(key)
            ended = _ended(event)
            if ended is not None:
                self.seen.discard(key)
                news.append(ended)
        return news


def _ended(event: Event) -> News | None:
    backup = event.subject
    if event.type is EventType.DELETED:
        return News(backup.key, f"Backup {backup.key.name} was deleted", good=False)
    if not isinstance(backup, Backup) or not backup.is_done:
        return None
    if backup.phase == COMPLETED:
        return News(backup.key, f"Backup {backup.key.name} completed", good=True)
    why = words.one_line(backup.error) or "no error given"
    return News(backup.key, f"Backup {backup.key.name} failed: {why}", good=False)
