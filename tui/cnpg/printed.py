"""How kubectl prints Backups: its columns, its cells, and the widths it remembers while it watches.

Sources: the printer columns of ``postgresql.cnpg.io_backups.yaml``, kubectl's ``tableprinter.go``
(cells end at the first line break, ESC is shown as ``^[``) and its tabwriter with the flag
RememberWidths, which never lets a column shrink during one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tui import words
from tui.cnpg.backup import Backup
from tui.cnpg.manifest import Unreadable

COLUMNS = ("NAME", "AGE", "CLUSTER", "METHOD", "PHASE", "ERROR")

_EVENT = len("MODIFIED")
"""kubectl fills up the shorter types of events (``formattedEventType``)."""
_PADDING = 3
_MINIMAL = 6


def cells(backup: Backup | Unreadable, now: datetime) -> tuple[str, ...]:
    """The cells of a Backup under :data:`COLUMNS`; a missing value is blank, as kubectl leaves it."""
    age = "<unknown>" if backup.created is None else words.age(now - backup.created)
    if isinstance(backup, Unreadable):
        return (backup.key.name, age, "", "", "unreadable", backup.why)
    return (backup.key.name, age, backup.cluster, backup.method, backup.phase, _cut(backup.error))


def _cut(text: str) -> str:
    """A cell ends at the first line break, with three dots to say that more follows."""
    first, broken, _ = text.partition("\n")
    return first + "..." if broken else first


class WatchPrinter:
    """Lines as ``kubectl get -w --output-watch-events`` prints them, widths remembered.

    Each call is one flush of kubectl's tabwriter: the rows of a call are aligned with each other and
    with the widest cells of all earlier calls.
    """

    def __init__(self, *, with_namespace: bool) -> None:
        """``with_namespace`` as with ``-A``: the namespace stands before the name."""
        self._with_namespace = with_namespace
        self._widths: list[int] = []
        self._headed = False

    def lines(self, events: Sequence[tuple[str, Backup | Unreadable]], now: datetime) -> list[str]:
        """The lines for these events, after the header the first time."""
        rows = [self._row(kind, backup, now) for kind, backup in events]
        if not self._headed:
            self._headed = True
            before = ("EVENT", "NAMESPACE") if self._with_namespace else ("EVENT",)
            rows.insert(0, (*before, *COLUMNS))
        self._widen(rows)
        return [self._line(row) for row in rows]

    def _row(self, kind: str, backup: Backup | Unreadable, now: datetime) -> tuple[str, ...]:
        event = kind.ljust(_EVENT)
        before = (event, backup.key.namespace) if self._with_namespace else (event,)
        return (*before, *cells(backup, now))

    def _widen(self, rows: Sequence[tuple[str, ...]]) -> None:
        needed = [
            max(_MINIMAL, *(len(cell) + _PADDING for cell in column))
            for column in list(zip(*rows, strict=True))[:-1]
        ]
        self._widths = (
            [max(pair) for pair in zip(self._widths, needed, strict=True)]
            if self._widths
            else needed
        )

    def _line(self, row: tuple[str, ...]) -> str:
        return "".join(map(str.ljust, row, self._widths)) + row[-1]
