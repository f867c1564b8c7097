"""When a schedule fires: the sandbox's own small reading of the operator's cron dialect.

Five or six fields, seconds first (`sec min hour day month [weekday]`): numbers, `*`, `?`, `*/n`,
`a-b`, `a-b/n`, `n/s`, lists, English names of months and weekdays, and the descriptors
(`@daily`, ...; not `@every`). Everything is UTC, as an operator without TZ counts.
(robfig/cron v1.2.0 parser.go, spec.go)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_BOUNDS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_WEEKDAYS = {
    name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
}
_DESCRIPTORS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}
_HORIZON = timedelta(days=5 * 366)


class Unreadable(ValueError):
    """The text is no schedule of this dialect; the message says which part is at fault."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The moments a schedule names."""

    second: frozenset[int]
    minute: frozenset[int]
    hour: frozenset[int]
    day: frozenset[int]
    month: frozenset[int]
    weekday: frozenset[int]
    either_day: bool
    """Day and weekday are both restricted: one of them suffices."""

    def next(self, after: datetime) -> datetime | None:
        """The first slot strictly later than `after`; None when five years hold none."""
        if not (self.second and self.minute and self.hour):
            return None
        moment = after.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        limit = moment + _HORIZON
        while moment <= limit:
            day = moment.replace(hour=0, minute=0, second=0)
            if self._names(day):
                slot = self._within(moment)
                if slot is not None:
                    return slot
            moment = day + timedelta(days=1)
        return None

    def between(self, start: datetime, end: datetime) -> list[datetime]:
        """All slots later than `start` and not later than `end`, oldest first."""
        found: list[datetime] = []
        slot = self.next(start)
        while slot is not None and slot <= end:
            found.append(slot)
            slot = self.next(slot)
        return found

    def _names(self, day: datetime) -> bool:
        if day.month not in self.month:
            return False
        by_day = day.day in self.day
        by_weekday = day.isoweekday() % 7 in self.weekday
        return (by_day or by_weekday) if self.either_day else (by_day and by_weekday)

    def _within(self, moment: datetime) -> datetime | None:
        """The first slot of the day of `moment` that is not earlier than it."""
        floor = (moment.hour, moment.minute, moment.second)
        for hour in sorted(self.hour):
            if hour < floor[0]:
                continue
            for minute in sorted(self.minute):
                if (hour, minute) < floor[:2]:
                    continue
                for second in sorted(self.second):
                    if (hour, minute, second) >= floor:
                        return moment.replace(hour=hour, minute=minute, second=second)
        return None


def parse(text: str) -> Slots:
    """Read a schedule; raises Unreadable."""
    fields = _DESCRIPTORS.get(text, text).split()
    if len(fields) not in {5, 6}:
        raise Unreadable(f"Expected 5 to 6 fields, found {len(fields)}: {text}")
    if len(fields) == 5:
        fields.append("*")
    second, minute, hour, day, month, weekday = (
        _field(field, *bounds, names)
        for field, bounds, names in zip(
            fields, _BOUNDS, ({}, {}, {}, {}, _MONTHS, _WEEKDAYS), strict=True
        )
    )
    either = not _starred(fields[3]) and not _starred(fields[5])
    return Slots(second, minute, hour, day, month, weekday, either)


def _starred(field: str) -> bool:
    return any(item[0] in "*?" for item in field.split(",") if item)


def _field(text: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    values: set[int] = set()
    for item in filter(None, text.split(",")):
        span, _, step_text = item.partition("/")
        step = _number(step_text, {}) if "/" in item else 1
        if step < 1:
            raise Unreadable(f"Step of range should be a positive number: {item}")
        values.update(range(*_span(span, low, high, names, stepped="/" in item), step))
    return frozenset(values)


def _span(
    text: str, low: int, high: int, names: dict[str, int], *, stepped: bool
) -> tuple[int, int]:
    """First value and the one after the last."""
    if text in {"*", "?"}:
        return low, high + 1
    first_text, dash, last_text = text.partition("-")
    first = _number(first_text, names)
    last = _number(last_text, names) if dash else (high if stepped else first)
    if first < low:
        raise Unreadable(f"Beginning of range ({first}) below minimum ({low}): {text}")
    if last > high:
        raise Unreadable(f"End of range ({last}) above maximum ({high}): {text}")
    if first > last:
        raise Unreadable(f"Beginning of range ({first}) beyond end of range ({last}): {text}")
    return first, last + 1


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not text.isascii() or not text.isdigit():
        raise Unreadable(f"Failed to parse int from {text}")
    return int(text)
