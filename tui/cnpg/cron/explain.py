"""A schedule in plain words, and how often it fires.

The words are made from the sets of values a schedule was read into, not from its text, so they say
what will happen however oddly the text is spelled. A set that has no short name is listed in full.
"""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from typing import Final

from tui.cnpg.cron.dialect import MONTH_NAMES, WEEKDAY_NAMES
from tui.cnpg.cron.schedule import (
    ALL_DAYS,
    ALL_HOURS,
    ALL_MINUTES,
    ALL_MONTHS,
    ALL_SECONDS,
    ALL_WEEKDAYS,
    Every,
    Schedule,
    Spec,
    can_fire,
    possible_days,
)

_CLOCKS_LISTED: Final = 6
"""Up to so many times of day are listed; more are told by their parts."""

_CYCLE_YEARS: Final = 400
"""After so many years the Gregorian calendar repeats, weekdays included."""
_CYCLE_DAYS: Final = 146_097


_WEEK: Final = (*WEEKDAY_NAMES[1:], WEEKDAY_NAMES[0])
"""The weekdays as a week is spoken, Monday first."""


def describe(schedule: Schedule, *, seconds: bool = True) -> str:
    """What ``schedule`` does: ``every day at 02:00:00``, ``every hour at minute 2, second 0``.

    Without ``seconds`` the words of a schedule that fires at second 0 leave the second out, which
    is how one speaks of a Unix schedule: ``every day at 02:00``.
    """
    if isinstance(schedule, Every):
        return f"every {_span(schedule.delay)}, counted from the last check"
    if not can_fire(schedule):
        return f"never: {_why_never(schedule)}"
    dates = _dates(schedule)
    clocks = _clocks(schedule, seconds=seconds)
    if clocks:
        comma = "," if ", " in dates else ""
        return f"{dates}{comma} at {_listed(clocks)}"
    time = _time(schedule, seconds=seconds)
    if dates == "every day":
        return time
    return f"{time}, {dates.removeprefix('every day ')}"


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a schedule fires, on average."""

    per_day: float
    per_month: float
    """Per twelfth of a year."""


def rate(schedule: Schedule) -> Rate:
    """Runs per day and per month, averaged over the calendar's whole 400-year cycle.

    Exact for a clock that never changes; daylight saving time moves it by a run or two a year.
    The library's five-year search limit is left aside.
    """
    if isinstance(schedule, Every):
        cycle = timedelta(days=_CYCLE_DAYS) / schedule.delay
    else:
        per_date = len(schedule.second) * len(schedule.minute) * len(schedule.hour)
        cycle = float(per_date * _dates_in_cycle(schedule))
    return Rate(cycle / _CYCLE_DAYS, cycle / (_CYCLE_YEARS * 12))


def _dates_in_cycle(spec: Spec) -> int:
    def fires(month: int, day: int, weekday: int) -> bool:
        if month not in spec.month:
            return False
        if spec.starred:
            return day in spec.day and weekday in spec.weekday
        return day in spec.day or weekday in spec.weekday

    return sum(count for key, count in _calendar().items() if fires(*key))


@cache
def _calendar() -> Mapping[tuple[int, int, int], int]:
    """How often each (month, day, weekday) comes in 400 years, from the 14 kinds of year there are."""
    kinds = Counter(
        (date(year, 1, 1).isoweekday() % 7, calendar.isleap(year))
        for year in range(2000, 2000 + _CYCLE_YEARS)
    )
    dates: Counter[tuple[int, int, int]] = Counter()
    for (weekday, leap), years in kinds.items():
        year = 2000 if leap else 2001
        for ordinal in range(366 if leap else 365):
            when = date(year, 1, 1) + timedelta(days=ordinal)
            dates[when.month, when.day, (weekday + ordinal) % 7] += years
    return dates


def _span(delay: timedelta) -> str:
    minutes, second = divmod(int(delay.total_seconds()), 60)
    hour, minute = divmod(minutes, 60)
    parts = [
        f"{number} {unit}{'s' if number > 1 else ''}"
        for number, unit in ((hour, "hour"), (minute, "minute"), (second, "second"))
        if number
    ]
    return parts[0].removeprefix("1 ") if len(parts) == 1 else " ".join(parts)


def _why_never(spec: Spec) -> str:
    empty = [
        name
        for name, values in (
            ("second", spec.second),
            ("minute", spec.minute),
            ("hour", spec.hour),
            ("day", spec.day),
            ("month", spec.month),
            ("weekday", spec.weekday),
        )
        if not values
    ]
    if empty:
        return f"{_listed(empty)} {'has' if len(empty) == 1 else 'have'} no value"
    return f"there is no {_days_of_month(spec.day)} in {_months(spec.month)}"


# Dates


def _dates(spec: Spec) -> str:
    """On which dates, always with a leading ``every`` or ``on``."""
    every_month = spec.month == ALL_MONTHS
    months = "" if every_month else f" in {_months(spec.month)}"
    days = possible_days(spec)
    on_days = (
        f"on {_days_of_month(days)} of {'every month' if every_month else _months(spec.month)}"
    )
    if spec.month == {2} and days == {29}:
        on_days += ", leap years only"
    full_days, full_weekdays = spec.day == ALL_DAYS, spec.weekday == ALL_WEEKDAYS
    if (full_days and full_weekdays) or (not spec.starred and (full_days or full_weekdays)):
        return f"every day{months}"
    if full_weekdays or not spec.weekday:
        return on_days
    if full_days or not days:
        return f"{_weekdays(spec.weekday)}{months}"
    if spec.starred:
        return f"{on_days}, but only on a {_listed(_weekday_names(spec.weekday), 'or')}"
    return f"{on_days}, and also {_weekdays(spec.weekday)}{months}"


def _days_of_month(days: Collection[int]) -> str:
    return _unit_values("day", days, ALL_DAYS)


def _months(months: Collection[int]) -> str:
    """Three or more neighbours as ``April to September``, the rest by name."""
    parts: list[str] = []
    for first, last in _neighbours(sorted(months)):
        names = MONTH_NAMES[first - 1 : last]
        parts += [f"{names[0]} to {names[-1]}"] if len(names) > 2 else names
    return _listed(parts)


def _weekdays(weekdays: Collection[int]) -> str:
    names = _weekday_names(weekdays)
    together = names in [[*_WEEK[at : at + len(names)]] for at in range(7)]
    if len(names) > 2 and together:
        return f"every day from {names[0]} to {names[-1]}"
    return f"every {_listed(names)}"


def _weekday_names(weekdays: Collection[int]) -> list[str]:
    return [name for number, name in enumerate(_WEEK, 1) if number % 7 in weekdays]


# Times of day


def _clocks(spec: Spec, *, seconds: bool) -> list[str]:
    """The times of day, if there are few."""
    if len(spec.second) * len(spec.minute) * len(spec.hour) > _CLOCKS_LISTED:
        return []
    tail = seconds or spec.second != {0}
    return [
        f"{hour:02}:{minute:02}" + (f":{second:02}" if tail else "")
        for hour in sorted(spec.hour)
        for minute in sorted(spec.minute)
        for second in sorted(spec.second)
    ]


def _time(spec: Spec, *, seconds: bool) -> str:
    """The times of day by their parts: which seconds of which minutes of which hours."""
    second, minute, hour = spec.second, spec.minute, spec.hour
    tail = seconds or second != {0}
    if hour == ALL_HOURS and minute == ALL_MINUTES:
        return _within_the_minute(second, tail=tail)
    if hour == ALL_HOURS and len(second) == 1:
        ending = f", {_seconds(second)}" if tail else ""
        step = _even_step(minute, 60)
        if minute != ALL_MINUTES and step:
            return f"every {step} minutes{_at(second) if tail else ''}"
        return f"every hour at {_unit_values('minute', minute, ALL_MINUTES)}{ending}"
    if len(second) == len(minute) == 1 and (step := _even_step(hour, 24)):
        ending = f", {_seconds(second)}" if tail else ""
        return f"every {step} hours at {_unit_values('minute', minute, ALL_MINUTES)}{ending}"
    minutes = _unit_values("minute", minute, ALL_MINUTES)
    of_hours = f"of {_unit_values('hour', hour, ALL_HOURS)}"
    if not tail:
        return f"{'' if minute == ALL_MINUTES else 'at '}{minutes} {of_hours}"
    if len(second) == len(minute) == 1:
        return f"at {minutes}, {_seconds(second)} {of_hours}"
    at = "" if second == ALL_SECONDS else "at "
    return f"{at}{_seconds(second)} of {minutes} {of_hours}"


def _within_the_minute(second: frozenset[int], *, tail: bool) -> str:
    if second == ALL_SECONDS:
        return "every second"
    if step := _even_step(second, 60):
        return f"every {step} seconds"
    return f"every minute{_at(second) if tail else ''}"


def _at(second: frozenset[int]) -> str:
    return f" at {_seconds(second)}"


def _seconds(second: frozenset[int]) -> str:
    return _unit_values("second", second, ALL_SECONDS)


def _even_step(values: Collection[int], size: int) -> int | None:
    """The gap, in a set that starts at 0 and keeps one gap even across the turn of the clock."""
    step = size // len(values) if size % len(values) == 0 else 0
    return step if 1 < step < size and set(values) == set(range(0, size, step)) else None


# Sets of numbers


def _unit_values(unit: str, values: Collection[int], everything: Collection[int]) -> str:
    """``every minute``, ``minute 2``, ``minutes 0 and 30``, ``every 7th minute from 0 to 56``."""
    ordered = sorted(values)
    if len(ordered) == len(everything):
        return f"every {unit}"
    if len(ordered) == 1:
        return f"{unit} {ordered[0]}"
    gaps = {later - earlier for earlier, later in pairwise(ordered)}
    if len(ordered) > 4 and len(gaps) == 1 and gaps != {1}:
        return f"every {_ordinal(gaps.pop())} {unit} from {ordered[0]} to {ordered[-1]}"
    return f"{unit}s {_runs_of(ordered)}"


def _runs_of(values: Sequence[int]) -> str:
    parts: list[str] = []
    for first, last in _neighbours(values):
        if last - first >= 2:
            parts.append(f"{first} to {last}")
        else:
            parts.extend(str(value) for value in range(first, last + 1))
    return _listed(parts)


def _neighbours(values: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending values as unbroken runs, first and last of each."""
    found: list[tuple[int, int]] = []
    for value in values:
        if found and found[-1][1] == value - 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return found


def _listed(parts: Sequence[str], word: str = "and") -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{({1: 'st', 2: 'nd', 3: 'rd'}).get(number % 10, 'th')}"
