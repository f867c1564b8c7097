"""Hours of a day and days of a week, counted without walking through 86,400 runs."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest

from tui.cnpg import cron, lanes
from tui.cnpg.cron import Schedule

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 14, 1, 2, tzinfo=UTC)

TEXTS = (
    "0 2 * * *",
    "0 0 2 * * *",
    "30 */15 * * * *",
    "0 0 2 * * 0",
    "0 0 */6 1,23 * *",
    "0 30 2 * 3 *",
    "15,45 1,2 14 * * *",
    "2 1 14 * * *",
    "3 1 14 * * *",
    "@every 90m",
    "@every 7m",
    "@hourly",
)


def parsed(text: str) -> Schedule:
    schedule = cron.parse(text)
    assert not isinstance(schedule, cron.Refusal)
    return schedule


def first_run(schedule: Schedule, now: datetime) -> datetime:
    first = schedule.next(now)
    assert first is not None
    return first


def walked(schedule: Schedule, first: datetime, end: datetime) -> list[datetime]:
    """The runs one by one, which is what the lanes must agree with."""
    later = cron.runs(schedule, first)
    return [first, *takewhile(lambda run: run.astimezone(UTC) < end.astimezone(UTC), later)]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    ("now", "zone"),
    [
        (NOW, UTC),
        (NOW, ZoneInfo("Asia/Kolkata")),
        (datetime(2027, 3, 26, 12, 0, 0, tzinfo=UTC), BERLIN),
        (datetime(2026, 10, 22, 12, 0, 0, tzinfo=UTC), BERLIN),
    ],
    ids=["UTC", "Kolkata", "Berlin in spring", "Berlin in autumn"],
)
def test_a_week_counts_what_walking_counts(text: str, now: datetime, zone: tzinfo) -> None:
    schedule, here = parsed(text), now.astimezone(zone)
    first = first_run(schedule, here)
    end = datetime.combine(here.date() + timedelta(days=lanes.DAYS), datetime.min.time(), zone)
    expected = Counter(run.date() for run in walked(schedule, first, end))
    found = lanes.week(schedule, first, here)
    assert [day for day, _ in found] == [here.date() + timedelta(days=at) for at in range(7)]
    assert {day: count for day, count in found if count} == {
        day: count for day, count in expected.items() if day <= found[-1][0]
    }


@pytest.mark.parametrize("text", [text for text in TEXTS if not text.startswith("@every")])
@pytest.mark.parametrize("per_hour", [1, 2, 4])
def test_a_day_shows_every_run_of_the_date(text: str, per_hour: int) -> None:
    schedule = parsed(text)
    first = first_run(schedule, NOW)
    midnight = first.replace(hour=0, minute=0, second=0)
    runs = walked(
        schedule,
        first_run(schedule, midnight - timedelta(seconds=1)),
        midnight + timedelta(days=1),
    )
    minutes = 60 // per_hour
    expected = Counter(run.hour * per_hour + run.minute // minutes for run in runs)
    assert lanes.day(schedule, first, per_hour) == tuple(
        expected[cell] for cell in range(24 * per_hour)
    )


def test_a_day_of_every_begins_with_its_first_run() -> None:
    first = NOW + timedelta(minutes=90)
    cells = lanes.day(parsed("@every 90m"), first, 2)
    assert [cell for cell, count in enumerate(cells) if count] == [31, 34, 37, 40, 43, 46]


def test_a_night_without_the_hour_has_no_run_in_it() -> None:
    half_past = parsed("0 30 * * * *")
    first = datetime(2027, 3, 28, 0, 30, tzinfo=BERLIN)
    cells = lanes.day(half_past, first, 1)
    assert cells[2] == 0
    assert sum(cells) == 23
    assert lanes.week(half_past, first, datetime(2027, 3, 28, tzinfo=BERLIN))[0] == (
        date(2027, 3, 28),
        23,
    )


def test_every_second_is_counted_at_once() -> None:
    every_second = parsed("* * * * * *")
    assert lanes.day(every_second, NOW, 1) == (3600,) * 24
    assert lanes.week(every_second, NOW, NOW)[1][1] == 86_400
