"""Where the runs of a schedule fall: in the hours of a day, on the days of a week.

Counted from the sets of values, since a schedule may fire 86,400 times a day; only on a day whose
clock changes are the runs walked through. Days and hours are those of the operator's clock.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice, pairwise, takewhile
from typing import Final

from tui.cnpg import cron
from tui.cnpg.cron import Every, Schedule, Spec

DAYS: Final = 7

_WALKED: Final = 1000
"""Runs that are walked through on a day whose clock changes; beyond, the sets are near enough."""


def day(schedule: Schedule, first: datetime, per_hour: int) -> tuple[int, ...]:
    """How many runs fall into each cell of the day of ``first``; an hour has ``per_hour`` cells.

    ``first`` is a run of the schedule; ``@every`` counts from it.
    """
    minutes = 60 // per_hour
    cells = [0] * (24 * per_hour)
    if isinstance(schedule, Every):
        return _spread(schedule, first, len(cells))
    walked = _walked(schedule, first.date(), _zone(first))
    if walked is not None:
        for run in walked:
            cells[run.hour * per_hour + run.minute // minutes] += 1
        return tuple(cells)
    for hour in schedule.hour:
        for minute in schedule.minute:
            cells[hour * per_hour + minute // minutes] += len(schedule.second)
    return tuple(cells)


def week(schedule: Schedule, first: datetime, now: datetime) -> tuple[tuple[date, int], ...]:
    """How many runs fall on each of the next seven days, of today only those later than ``now``.

    ``first`` is the first of them, ``now`` a moment in the operator's zone.
    """
    today = now.date()
    dates = [today + timedelta(days=ahead) for ahead in range(DAYS)]
    return tuple((date, _on(schedule, date, first, now)) for date in dates)


def _on(schedule: Schedule, date: date, first: datetime, now: datetime) -> int:
    zone = _zone(now)
    begins = max(_midnight(date, zone).astimezone(UTC), now.astimezone(UTC))
    ends = _midnight(date + timedelta(days=1), zone).astimezone(UTC)
    if isinstance(schedule, Every):
        return _before(schedule, first, ends) - _before(schedule, first, begins)
    if not _matches(schedule, date, zone):
        return 0
    walked = _walked(schedule, date, zone)
    if walked is not None:
        return sum(1 for run in walked if run.astimezone(UTC) > now.astimezone(UTC))
    whole = len(schedule.hour) * len(schedule.minute) * len(schedule.second)
    return whole - (_until(schedule, now.time()) if date == now.date() else 0)


def _until(spec: Spec, clock: time) -> int:
    """Runs of a day up to and with this time of day."""
    minutes, seconds = len(spec.minute), len(spec.second)
    count = _below(spec.hour, clock.hour) * minutes * seconds
    if clock.hour in spec.hour:
        count += _below(spec.minute, clock.minute) * seconds
        if clock.minute in spec.minute:
            count += _below(spec.second, clock.second + 1)
    return count


def _below(values: Collection[int], limit: int) -> int:
    return sum(1 for value in values if value < limit)


def _matches(spec: Spec, date: date, zone: tzinfo) -> bool:
    return date.month in spec.month and spec.date_matches(_midnight(date, zone))


def _walked(spec: Spec, date: date, zone: tzinfo) -> list[datetime] | None:
    """The runs of a day whose clock changes; None for any other day, and where there are too many."""
    start, end = _midnight(date, zone), _midnight(date + timedelta(days=1), zone)
    if start.utcoffset() == end.utcoffset():
        return None
    later = cron.runs(spec, (start.astimezone(UTC) - timedelta(seconds=1)).astimezone(zone))
    found = list(islice(takewhile(lambda run: run.date() == date, later), _WALKED + 1))
    return None if len(found) > _WALKED else found


def _spread(schedule: Every, first: datetime, cells: int) -> tuple[int, ...]:
    start = _midnight(first.date(), _zone(first)).astimezone(UTC)
    edges = [start + timedelta(days=1) * cell / cells for cell in range(cells + 1)]
    before = [_before(schedule, first, edge) for edge in edges]
    return tuple(later - earlier for earlier, later in pairwise(before))


def _before(schedule: Every, first: datetime, moment: datetime) -> int:
    """Runs earlier than ``moment``, counted from ``first`` on."""
    return max(0, -((first.astimezone(UTC) - moment) // schedule.delay))


def _midnight(date: date, zone: tzinfo) -> datetime:
    return datetime.combine(date, time(), zone)


def _zone(moment: datetime) -> tzinfo:
    assert moment.tzinfo is not None
    return moment.tzinfo
