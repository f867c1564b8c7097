"""The words for a schedule, read back by a reader of its own and compared with what it does."""

from __future__ import annotations

import random
import re
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from typing import Final

import pytest

from tui.cnpg import cron
from tui.cnpg.cron import Refusal, Spec


def schedule(text: str) -> cron.Schedule:
    read = cron.parse(text)
    assert not isinstance(read, Refusal), read
    return read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 0 2 * * *", "every day at 02:00:00"),
        ("0 2 * * *", "every hour at minute 2, second 0"),
        ("* * * * * *", "every second"),
        ("0 * * * * *", "every minute at second 0"),
        ("*/15 * * * * *", "every 15 seconds"),
        ("0 */15 * * * *", "every 15 minutes at second 0"),
        ("0 */7 * * * *", "every hour at every 7th minute from 0 to 56, second 0"),
        ("0 0,30 * * * *", "every 30 minutes at second 0"),
        ("0 5,35 * * * *", "every hour at minutes 5 and 35, second 0"),
        ("0 0 */2 * * *", "every 2 hours at minute 0, second 0"),
        ("0 0 */12 * * *", "every day at 00:00:00 and 12:00:00"),
        ("* 2 * * * *", "every second of minute 2 of every hour"),
        ("0 0-29 8-18 * * *", "at second 0 of minutes 0 to 29 of hours 8 to 18"),
        (
            "0 0 8-18 * * mon-fri",
            "at minute 0, second 0 of hours 8 to 18, from Monday to Friday",
        ),
        ("0 0 22 * * 6,0", "every Saturday and Sunday at 22:00:00"),
        ("0 0 22 * * 1-5", "every day from Monday to Friday at 22:00:00"),
        ("0 0 2 1 * *", "on day 1 of every month at 02:00:00"),
        (
            "0 30 1 1,15 jan-mar,dec ?",
            "on days 1 and 15 of January to March and December at 01:30:00",
        ),
        ("0 0 2 * 7 *", "every day in July at 02:00:00"),
        ("0 3 * * 7", "every hour at minute 3, second 0, in July"),
        (
            "0 0 0 13 * 5",
            "on day 13 of every month, and also every Friday, at 00:00:00",
        ),
        (
            "0 0 0 */10 * 0",
            "on days 1, 11, 21 and 31 of every month, but only on a Sunday, at 00:00:00",
        ),
        ("0 0 0 1-31 * 5", "every day at 00:00:00"),
        ("0 0 0 29 2 *", "on day 29 of February, leap years only, at 00:00:00"),
        ("0 0 0 30 2 *", "never: there is no day 30 in February"),
        ("0 0 0 31 4,6 *", "never: there is no day 31 in April and June"),
        (", 0 0 * * *", "never: second has no value"),
        ("@weekly", "every Sunday at 00:00:00"),
        ("@yearly", "on day 1 of January at 00:00:00"),
        ("@every 90m", "every 1 hour 30 minutes, counted from the last check"),
        ("@every 1h", "every hour, counted from the last check"),
        ("@every 2h0m5s", "every 2 hours 5 seconds, counted from the last check"),
    ],
)
def test_a_schedule_is_said_in_plain_words(text: str, words: str) -> None:
    assert cron.describe(schedule(text)) == words


def test_without_seconds_the_words_are_those_for_a_unix_schedule() -> None:
    assert cron.describe(schedule("0 0 2 * * *"), seconds=False) == "every day at 02:00"
    assert cron.describe(schedule("0 */5 * * * *"), seconds=False) == "every 5 minutes"
    assert cron.describe(schedule("0 * * * * *"), seconds=False) == "every minute"


def test_a_second_other_than_zero_is_never_left_out() -> None:
    assert cron.describe(schedule("5 0 2 * * *"), seconds=False) == "every day at 02:00:05"


# A reader of those words, made from their grammar alone

MONTHS: Final = [date(2001, month, 1).strftime("%B") for month in range(1, 13)]
WEEK: Final = [date(2001, 1, day).strftime("%A") for day in range(1, 8)]
LONGEST: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
SIZES: Final = {"second": (0, 59), "minute": (0, 59), "hour": (0, 23), "day": (1, 31)}
Times = set[tuple[int, int, int]]
Dates = set[tuple[int, int, int]]


def numbers(words: str, unit: str) -> set[int]:
    low, high = SIZES[unit]
    if words == f"every {unit}":
        return set(range(low, high + 1))
    if step := re.fullmatch(rf"every (\d+)(?:st|nd|rd|th) {unit} from (\d+) to (\d+)", words):
        gap, first, last = map(int, step.groups())
        assert (last - first) % gap == 0
        return set(range(first, last + 1, gap))
    listed = re.fullmatch(rf"{unit}s? (.*)", words)
    assert listed, words
    found: set[int] = set()
    for part in re.split(", | and ", listed[1]):
        begin, end = (part.split(" to ") * 2)[:2]
        found |= set(range(int(begin), int(end) + 1))
    return found


def names(words: str, order: list[str], first: int) -> set[int]:
    found: set[int] = set()
    for part in re.split(", | and | or ", words):
        begin, end = (part.split(" to ") * 2)[:2]
        found |= set(range(order.index(begin) + first, order.index(end) + first + 1))
    return found


def grid(hours: AbstractSet[int], minutes: AbstractSet[int], seconds: AbstractSet[int]) -> Times:
    return {(h, m, s) for h in hours for m in minutes for s in seconds}


def times(words: str) -> Times:
    """What the words for the time of day say, clocks aside."""
    every_hour, every_minute = set(range(24)), set(range(60))
    if words == "every second":
        return grid(every_hour, every_minute, every_minute)
    if found := re.fullmatch(r"every (\d+) seconds", words):
        return grid(every_hour, every_minute, set(range(0, 60, int(found[1]))))
    if found := re.fullmatch(r"every minute at (.*second.*)", words):
        return grid(every_hour, every_minute, numbers(found[1], "second"))
    if found := re.fullmatch(r"every (\d+) minutes at (second \d+)", words):
        return grid(every_hour, set(range(0, 60, int(found[1]))), numbers(found[2], "second"))
    if found := re.fullmatch(r"every hour at (.*), (second \d+)", words):
        return grid(every_hour, numbers(found[1], "minute"), numbers(found[2], "second"))
    if found := re.fullmatch(r"every (\d+) hours at (minute \d+), (second \d+)", words):
        hours = set(range(0, 24, int(found[1])))
        return grid(hours, numbers(found[2], "minute"), numbers(found[3], "second"))
    if found := re.fullmatch(r"at (minute \d+), (second \d+) of (.*)", words):
        return grid(
            numbers(found[3], "hour"), numbers(found[1], "minute"), numbers(found[2], "second")
        )
    found = re.fullmatch(r"(?:at )?(.*second.*) of (.*minute.*) of (.*hour.*)", words)
    assert found, words
    return grid(numbers(found[3], "hour"), numbers(found[2], "minute"), numbers(found[1], "second"))


ALL_DATES: Final[Dates] = {
    (month, day, weekday)
    for month in range(1, 13)
    for day in range(1, LONGEST[month - 1] + 1)
    for weekday in range(7)
}


def weekdays(words: str) -> set[int]:
    if run := re.fullmatch(r"every day from (\w+) to (\w+)", words):
        first, last = WEEK.index(run[1]), WEEK.index(run[2])
        return {(at + 1) % 7 for at in range(first, last + 1)}
    return {number % 7 for number in names(words.removeprefix("every "), WEEK, 1)}


def dates(words: str) -> Dates:
    """What the words for the dates say."""
    months = set(range(1, 13))
    if found := re.fullmatch(
        r"(.*) of (every month|[A-Z].*?)(, leap years only)?(, (?:but|and) .*)?", words
    ):
        if found[2] != "every month":
            months = names(found[2], MONTHS, 1)
        days = numbers(found[1].removeprefix("on "), "day")
        matched = {when for when in ALL_DATES if when[0] in months and when[1] in days}
        if also := re.fullmatch(r", and also (every .*?)( in .*)?", found[4] or ""):
            assert bool(also[2]) == (found[2] != "every month")
            assert not also[2] or names(also[2].removeprefix(" in "), MONTHS, 1) == months
            wanted = weekdays(also[1])
            return matched | {w for w in ALL_DATES if w[0] in months and w[2] in wanted}
        if only := re.fullmatch(r", but only on a (.*)", found[4] or ""):
            wanted = weekdays(only[1])
            return {when for when in matched if when[2] in wanted}
        assert not found[4]
        return matched
    found = re.fullmatch(r"(every .*?)(?: in (.*))?", words)
    assert found, words
    if found[2]:
        months = names(found[2], MONTHS, 1)
    wanted = set(range(7)) if found[1] == "every day" else weekdays(found[1])
    return {when for when in ALL_DATES if when[0] in months and when[2] in wanted}


def understood(words: str) -> tuple[Times, Dates]:
    clocked = re.fullmatch(r"(.*?),? at (\d\d:\d\d:\d\d(?:(?:, | and )\d\d:\d\d:\d\d)*)", words)
    if clocked:
        clocks = {
            (int(h), int(m), int(s)) for h, m, s in re.findall(r"(\d\d):(\d\d):(\d\d)", clocked[2])
        }
        return clocks, dates(clocked[1])
    cut = re.fullmatch(r"(.*?), ((?:on day|in [A-Z]|from [A-Z]|every [A-Z]|on every).*)", words)
    if not cut:
        return times(words), dates("every day")
    said = cut[2] if cut[2].startswith(("on ", "every ")) else f"every day {cut[2]}"
    return times(cut[1]), dates(said)


def meant(spec: Spec) -> tuple[Times, Dates]:
    def on(when: tuple[int, int, int]) -> bool:
        month, day, weekday = when
        either = day in spec.day, weekday in spec.weekday
        return month in spec.month and (all(either) if spec.starred else any(either))

    return grid(spec.hour, spec.minute, spec.second), set(filter(on, ALL_DATES))


def any_set(source: random.Random, low: int, high: int) -> frozenset[int]:
    everything = range(low, high + 1)
    first, last = sorted((source.choice(everything), source.choice(everything)))
    return frozenset(
        source.choice(
            [
                everything,
                [first],
                range(first, last + 1),
                range(low, high + 1, source.randint(1, 30)),
                range(first, high + 1, source.randint(2, 9)),
                source.sample(everything, source.randint(1, min(8, len(everything)))),
            ]
        )
    )


def any_spec(source: random.Random) -> Spec:
    zero = frozenset({0})
    return Spec(
        second=zero if source.random() < 0.5 else any_set(source, 0, 59),
        minute=zero if source.random() < 0.3 else any_set(source, 0, 59),
        hour=any_set(source, 0, 23),
        day=any_set(source, 1, 31),
        month=any_set(source, 1, 12),
        weekday=any_set(source, 0, 6),
        starred=source.random() < 0.5,
    )


def test_the_words_read_back_mean_what_the_schedule_does() -> None:
    source = random.Random(11)
    for _ in range(800):
        spec = any_spec(source)
        words = cron.describe(spec)
        if words.startswith("never: "):
            assert not meant(spec)[1], words
            continue
        assert understood(words) == meant(spec), words


# How often


@pytest.mark.parametrize(
    ("text", "per_day"),
    [
        ("0 0 2 * * *", 1),
        ("0 2 * * *", 24),
        ("* * * * * *", 86_400),
        ("0 0 0 * * 1", 1 / 7),
        ("0 0 0 30 2 *", 0),
        ("@every 90m", 16),
        ("@every 48h", 0.5),
    ],
)
def test_runs_a_day_are_counted(text: str, per_day: float) -> None:
    assert cron.rate(schedule(text)).per_day == pytest.approx(per_day)


@pytest.mark.parametrize(("text", "per_month"), [("@monthly", 1), ("@yearly", 1 / 12)])
def test_runs_a_month_are_counted(text: str, per_month: float) -> None:
    assert cron.rate(schedule(text)).per_month == pytest.approx(per_month)


@pytest.mark.parametrize("text", ["0 0 0 13 * 5", "0 0 0,12 */9 2-4 1", "0 0 0 29 2 *"])
def test_runs_are_averaged_over_the_whole_calendar(text: str) -> None:
    spec = schedule(text)
    assert isinstance(spec, Spec)
    first, days = date(2000, 1, 1), 146_097
    every = (first + timedelta(days=at) for at in range(days))
    on = meant(spec)[1]
    fired = sum((when.month, when.day, when.isoweekday() % 7) in on for when in every)
    assert cron.rate(spec).per_day == pytest.approx(fired * len(spec.hour) / days)
