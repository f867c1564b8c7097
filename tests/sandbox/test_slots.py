"""When the sandbox's schedules fire, held against the answers of the operator's own cron library."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tui.sandbox import slots

GOLDEN = Path(__file__).parent.parent / "data" / "cron-golden.jsonl"
ODD = ("@every", "+", "*-", "?-", "\x1c")
"""What the sandbox does not read: durations, signed numbers, stars as ends of ranges, odd blanks."""


def golden() -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()]
    return [
        row
        for row in rows
        if row["tz"] == "UTC"
        and row["schedule"].isascii()
        and not any(odd in row["schedule"] for odd in ODD)
    ]


def test_slots_are_those_of_the_operators_library() -> None:
    wrong = [row["schedule"] for row in golden() if answer(row) != row.get("next")]
    assert len(golden()) > 400
    assert wrong == []


def answer(row: dict[str, Any]) -> list[str] | None:
    """The next slots as the golden file writes them; None for a schedule that is refused."""
    try:
        cron = slots.parse(row["schedule"])
    except slots.Unreadable:
        return None
    found: list[str] = []
    at: datetime | None = datetime.fromisoformat(row["start"])
    while len(found) < len(row.get("next", "?")):
        at = cron.next(at) if at else None
        if at is None:
            break
        found.append(at.isoformat().replace("+00:00", "Z"))
    return found


def test_slots_between_two_moments_exclude_the_first_and_include_the_last() -> None:
    two, four = datetime(2026, 11, 22, 2, tzinfo=UTC), datetime(2026, 11, 22, 4, tzinfo=UTC)
    assert slots.parse("0 0 * * * *").between(two, four) == [two.replace(hour=3), four]


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("0 1 * * 0", "Beginning of range (0) below minimum (1): 0"),
        ("0 0 24 * * *", "End of range (24) above maximum (23): 24"),
        ("0 2 * *", "Expected 5 to 6 fields, found 4: 0 2 * *"),
    ],
)
def test_a_schedule_that_cannot_be_read_says_where(schedule: str, why: str) -> None:
    with pytest.raises(slots.Unreadable) as refused:
        slots.parse(schedule)
    assert str(refused.value) == why
