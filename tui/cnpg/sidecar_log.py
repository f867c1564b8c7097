"""What the plugin's sidecar wrote to its log when something failed.

JSON lines. The Python tools' stderr comes at level info, with the tool as ``logger``; the structured
line beside it repeats only the exit status (cloudnative-pg/machinery ``pkg/execlog/execlog.go``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tui import words

TOOLS = frozenset(
    {
        "barman-cloud-wal-archive",
        "barman-cloud-check-wal-archive",
        "barman-cloud-backup",
        "barman-cloud-backup-delete",
        "barman-cloud-backup-list",
        "barman-cloud-backup-show",
        "barman-cloud-wal-restore",
        "barman-cloud-restore",
    }
)
LONGEST = 600
"""Characters of one error that are kept."""

_TOOLS_ERROR = re.compile(r"(?:^|\] )(?:ERROR|CRITICAL): (?P<said>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One error: who said it (a tool's name, or ``plugin``) and when (None: the line has no time)."""

    at: datetime | None
    logger: str
    text: str


def errors(log: str, *, keep: int = 8) -> tuple[LogLine, ...]:
    """The last errors in a log, oldest first; one that repeats is kept once, with its last time."""
    found: dict[tuple[str, str], LogLine] = {}
    for line in _read(log):
        found.pop((line.logger, line.text), None)
        found[line.logger, line.text] = line
    return tuple(found.values())[-keep:]


def _read(log: str) -> Iterator[LogLine]:
    for row in log.splitlines():
        try:
            said: Any = json.loads(row)
        except ValueError:
            continue  # a line cut by the tail, or a Python traceback: it has no place of its own
        if isinstance(said, dict) and (line := _error(said)):
            yield line


def _error(said: dict[str, Any]) -> LogLine | None:
    logger, message = str(said.get("logger", "")), str(said.get("msg", ""))
    if logger in TOOLS:
        found = _TOOLS_ERROR.search(message)
        return _line(said, logger, found["said"]) if found else None
    error = said.get("error")
    if said.get("level") != "error" or not isinstance(error, str):
        return None
    if re.fullmatch(r"exit status \d+", error):
        return None  # the tool's own line says why
    return _line(said, "plugin", f"{message}: {error}")


def _line(said: dict[str, Any], logger: str, text: str) -> LogLine:
    return LogLine(_moment(said.get("ts")), logger, words.shorten(words.clean(text), LONGEST))


def _moment(value: Any) -> datetime | None:
    """zap writes RFC 3339 or seconds since 1970, as it is configured."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        when = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
