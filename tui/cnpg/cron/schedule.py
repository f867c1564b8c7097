"""When a schedule fires: ``Next`` of robfig/cron v1.2.0 (spec.go, constantdelay.go), in any zone.

The library walks the local clock field by field, and its walk has habits that show at the edges of
daylight saving time (a schedule at midnight skips the day whose midnight does not exist, for one).
The walk is therefore taken step by step here as well; only what can be seen to lead nowhere is cut
short, because an empty list costs the library seconds of processor time.

Two datetimes in one zone compare by their local clocks in Python. Convert to UTC before comparing
or subtracting runs around a change of the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import islice
from typing import Final

SEARCH_YEARS: Final = 5
"""``Next`` gives up in the fifth calendar year after the one it starts in."""

# datetime ends with year 9999, and offsets have to fit on either side of a local time.
_LAST_YEAR: Final = 9998

LONGEST_MONTH: Final = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""The most days month 1..12 can have."""

ALL_SECONDS: Final = frozenset(range(60))
ALL_MINUTES: Final = frozenset(range(60))
ALL_HOURS: Final = frozenset(range(24))
ALL_DAYS: Final = frozenset(range(1, 32))
ALL_MONTHS: Final = frozenset(range(1, 13))
ALL_WEEKDAYS: Final = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Spec:
    """Six sets of values of the local clock (the library's ``SpecSchedule``)."""

    second: frozenset[int]
    minute: frozenset[int]
    hour: frozenset[int]
    day: frozenset[int]
    """Days of the month, 1..31."""
    month: frozenset[int]
    weekday: frozenset[int]
    """Days of the week, Sunday is 0."""
    starred: bool
    """``*`` or ``?`` stands somewhere in the day or the weekday field: a date must then match both;
    otherwise either is enough."""

    def date_matches(self, when: datetime) -> bool:
        """Whether the schedule fires on the local date of ``when`` (spec.go ``dayMatches``)."""
        day, weekday = when.day in self.day, when.isoweekday() % 7 in self.weekday
        return (day and weekday) if self.starred else (day or weekday)

    def next(self, after: datetime) -> datetime | None:
        """The first run strictly later than ``after``, in the zone of ``after``.

        None where the library finds none before the end of the fifth year after, and (here alone)
        where the search leaves the years a datetime can hold. Raises ValueError for a naive
        ``after``. On a date a zone left out (30 December 2011 in Apia) the library never returns;
        here that date is stepped over.
        """
        zone = _zone_of(after)
        if not can_fire(self):
            return None
        try:
            start = after.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
            return _Walk(self, start, zone).run()
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class Every:
    """A fixed delay from the last check (``@every``; the library's ``ConstantDelaySchedule``)."""

    delay: timedelta
    """Whole seconds, at least one."""

    def next(self, after: datetime) -> datetime | None:
        """``after`` without its fraction of a second, plus the delay; None past year 9999.

        Raises ValueError for a naive ``after``.
        """
        zone = _zone_of(after)
        try:
            return (after.astimezone(UTC).replace(microsecond=0) + self.delay).astimezone(zone)
        except OverflowError:
            return None


Schedule = Spec | Every


def runs(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Every run later than ``after``, one after the other, in its zone."""
    when = schedule.next(after)
    while when is not None:
        yield when
        when = schedule.next(when)


def next_runs(schedule: Schedule, after: datetime, count: int) -> tuple[datetime, ...]:
    """The next ``count`` runs later than ``after``, in its zone; fewer where the runs end."""
    return tuple(islice(runs(schedule, after), count))


@lru_cache(maxsize=512)
def can_fire(spec: Spec) -> bool:
    """Whether any date and time at all matches ``spec``: false for 30 February and for empty lists."""
    if not (spec.second and spec.minute and spec.hour and spec.month):
        return False
    day = bool(possible_days(spec))
    return (day and bool(spec.weekday)) if spec.starred else (day or bool(spec.weekday))


def possible_days(spec: Spec) -> frozenset[int]:
    """Those days of the month that at least one of the schedule's months can have."""
    longest = max((LONGEST_MONTH[month] for month in spec.month), default=0)
    return frozenset(day for day in spec.day if day <= longest)


def _zone_of(after: datetime) -> tzinfo:
    if after.tzinfo is None:
        raise ValueError("a schedule is counted in a time zone; give a datetime that has one")
    return after.tzinfo


class _Walk:
    """One search of ``Next``: month, day, hour, minute, second, each moved until it matches.

    A field that comes round to its first value sends the walk back to the months.
    """

    __slots__ = ("local", "moved", "spec", "utc", "zone")

    def __init__(self, spec: Spec, start: datetime, zone: tzinfo) -> None:
        self.spec = spec
        self.zone = zone
        self.moved = False
        """Set with the first step; the smaller fields have been put to their first values."""
        self._go_to(start)

    def run(self) -> datetime | None:
        last = min(self.local.year + SEARCH_YEARS, _LAST_YEAR)
        while self.local.year <= last:
            if (
                self._months()
                and self._days()
                and self._hours()
                and self._minutes()
                and self._seconds()
            ):
                return self.local
        return None

    def _months(self) -> bool:
        while self.local.month not in self.spec.month:
            if not self.moved:
                self.moved = True
                self._go_to_date(self.local.replace(day=1, hour=0, minute=0, second=0))
            self._go_to_date(self.local, months=1)
            if self.local.month == 1:
                return False
        return True

    def _days(self) -> bool:
        while not self.spec.date_matches(self.local):
            if not self.moved:
                self.moved = True
                self._go_to_date(self.local.replace(hour=0, minute=0, second=0))
            before, here = self.utc, self.local
            self._go_to_date(here, days=1)
            if self.utc <= before:  # the zone left the next date out
                self._go_to_date(here, days=2)
            if self.local.day == 1:
                return False
        return True

    def _hours(self) -> bool:
        while self.local.hour not in self.spec.hour:
            if not self.moved:
                self.moved = True
                self._go_to_date(self.local.replace(minute=0, second=0))
            self._go_to(self.utc + timedelta(hours=1))
            if self.local.hour == 0:
                return False
        return True

    def _minutes(self) -> bool:
        while self.local.minute not in self.spec.minute:
            if not self.moved:
                self.moved = True
                # Cut on the absolute clock, as Go's Truncate does: old offsets have odd seconds.
                self._go_to(self.utc.replace(second=0))
            self._step(_ahead(self.spec.minute, self.local.minute), timedelta(minutes=1))
            if self.local.minute == 0:
                return False
        return True

    def _seconds(self) -> bool:
        while self.local.second not in self.spec.second:
            self.moved = True
            self._step(_ahead(self.spec.second, self.local.second), timedelta(seconds=1))
            if self.local.second == 0:
                return False
        return True

    def _step(self, count: int, unit: timedelta) -> None:
        """``count`` minutes or seconds at once, or one where the clock changes on the way."""
        offset, before = self.local.utcoffset(), self.utc
        self._go_to(before + count * unit)
        if self.local.utcoffset() != offset:
            self._go_to(before + unit)

    def _go_to(self, utc: datetime) -> None:
        self.utc = utc
        self.local = utc.astimezone(self.zone)

    def _go_to_date(self, wall: datetime, *, months: int = 0, days: int = 0) -> None:
        """To the instant Go's ``time.Date`` picks for a wall clock, which need not exist.

        Go looks the offset up as though the wall clock were UTC, then once more at the instant that
        offset gives, and stays with the second answer.
        """
        naive = wall.replace(tzinfo=UTC, fold=0)
        if months:
            naive = _month_later(naive)
        naive += timedelta(days=days)
        first = _offset(naive.astimezone(self.zone))
        self._go_to(naive - first)
        second = _offset(self.local)
        if second != first:
            self._go_to(naive - second)


def _ahead(values: frozenset[int], at: int) -> int:
    """Steps from ``at`` to the next of ``values`` below 60, or to 60."""
    return min((value for value in values if value > at), default=60) - at


def _month_later(wall: datetime) -> datetime:
    """The same day and time a month on; a day the month lacks runs over into the one after."""
    year, month = (wall.year, wall.month + 1) if wall.month < 12 else (wall.year + 1, 1)
    return wall.replace(year=year, month=month, day=1) + timedelta(days=wall.day - 1)


def _offset(local: datetime) -> timedelta:
    return local.utcoffset() or timedelta()
