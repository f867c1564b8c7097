"""Reading a schedule's text exactly as ``cron.Parse`` of robfig/cron v1.2.0 does (parser.go, spec.go).

Six fields: second minute hour day month weekday. With five, the *weekday* is missing, so that
``0 2 * * *`` means second 0 of minute 2 of every hour. Any text gives a value: a schedule, or a
refusal with the library's own message. ``Parse`` has no way to panic, so neither has this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from tui.cnpg.cron import golang
from tui.cnpg.cron.schedule import (
    ALL_DAYS,
    ALL_HOURS,
    ALL_MONTHS,
    ALL_WEEKDAYS,
    Every,
    Schedule,
    Spec,
)

FIELD_COUNT_WARNING: Final = (
    "Schedule parameter may not have the right number of arguments "
    "(usually six arguments are needed)"
)
"""What the operator's webhook warns of (CNPG ``internal/webhook/v1/scheduledbackup_webhook.go``)."""

FIELD_ORDER: Final = "second minute hour day month weekday"

# Go's unicode.IsSpace. Python's split() would also split on U+001C..U+001F.
_BLANKS: Final = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_FIELD: Final = re.compile(f"[^{_BLANKS}]+")
_ITEM: Final = re.compile("[^,]+")
# Only JSON can bring half a surrogate pair; Go's decoder puts U+FFFD in its place.
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")

# fmt: off
MONTH_NAMES: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)
WEEKDAY_NAMES: Final = (
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Refusal:
    """CNPG does not take this text."""

    message: str
    """The library's own words, which the webhook repeats; they quote the text, whatever it holds."""
    start: int
    """Where in the text the trouble begins, counted in characters."""
    end: int
    """Where it ends; equal to ``start`` only for an empty text."""
    hint: str
    """What to write instead, in our words."""


@dataclass(frozen=True, slots=True, eq=False)
class _Bounds:
    """What one field may hold."""

    name: str
    low: int
    high: int
    names: Mapping[str, int]

    @property
    def takes(self) -> str:
        """What the field takes, in words."""
        values = f"the {self.name} field takes {self.low} to {self.high}"
        if not self.names:
            return values
        first, *_, last = self.names
        return f"{values} or {first} to {last}"


def _short(names: Sequence[str], first: int) -> dict[str, int]:
    return {name[:3].lower(): number for number, name in enumerate(names, first)}


_BOUNDS: Final = (
    _Bounds("second", 0, 59, {}),
    _Bounds("minute", 0, 59, {}),
    _Bounds("hour", 0, 23, {}),
    _Bounds("day", 1, 31, {}),
    _Bounds("month", 1, 12, _short(MONTH_NAMES, 1)),
    _Bounds("weekday", 0, 6, _short(WEEKDAY_NAMES, 0)),
)
_ZERO: Final = frozenset({0})
_FIRST: Final = frozenset({1})


def _at_midnight(day: frozenset[int], month: frozenset[int], weekday: frozenset[int]) -> Spec:
    return Spec(_ZERO, _ZERO, _ZERO, day, month, weekday, starred=True)


_DAILY: Final = _at_midnight(ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS)
_YEARLY: Final = _at_midnight(_FIRST, _FIRST, ALL_WEEKDAYS)
_EVERY: Final = "@every "
DESCRIPTORS: Final[Mapping[str, Spec]] = {
    "@yearly": _YEARLY,
    "@annually": _YEARLY,
    "@monthly": _at_midnight(_FIRST, ALL_MONTHS, ALL_WEEKDAYS),
    "@weekly": _at_midnight(ALL_DAYS, ALL_MONTHS, _ZERO),
    "@daily": _DAILY,
    "@midnight": _DAILY,
    "@hourly": Spec(_ZERO, _ZERO, ALL_HOURS, ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS, starred=True),
}
"""The words that stand for a schedule, spelled exactly so; ``@every`` takes a duration besides."""


class _RefusedError(Exception):
    """Carries a refusal out of the parser."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Piece(NamedTuple):
    """A part of the schedule's text and where it begins."""

    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    def refused(self, message: str, hint: str) -> _RefusedError:
        return _RefusedError(Refusal(message, self.start, self.end, hint))


@lru_cache(maxsize=256)
def parse(text: str) -> Schedule | Refusal:
    """What the operator makes of ``text``."""
    text = _LONE_SURROGATE.sub("\ufffd", text)
    try:
        if not text:
            raise Piece("", 0).refused("Empty spec string", f"write six fields: {FIELD_ORDER}")
        return _descriptor(text) if text.startswith("@") else _fields(text)
    except _RefusedError as refused:
        return refused.refusal


@lru_cache(maxsize=64)
def fields(text: str) -> tuple[Piece, ...]:
    """The fields of ``text`` as Go's ``strings.Fields`` cuts them."""
    return tuple(Piece(found.group(), found.start()) for found in _FIELD.finditer(text))


def webhook_warning(text: str) -> str | None:
    """The warning the webhook adds to a schedule it accepts, None if it has none to add.

    It counts blank-separated words, so a descriptor such as ``@daily`` is warned of as well.
    """
    if isinstance(parse(text), Refusal) or len(fields(text)) == len(_BOUNDS):
        return None
    return FIELD_COUNT_WARNING


def _fields(text: str) -> Spec:
    found = fields(text)
    if len(found) not in (5, 6):
        raise _miscounted(text, found)
    if len(found) == 5:
        values = [*_five(found), (ALL_WEEKDAYS, True)]
    else:
        values = [_values(piece, bounds) for piece, bounds in zip(found, _BOUNDS, strict=True)]
    (second, _), (minute, _), (hour, _), (day, day_star), (month, _), (weekday, star) = values
    return Spec(second, minute, hour, day, month, weekday, starred=day_star or star)


def _five(found: tuple[Piece, ...]) -> list[tuple[frozenset[int], bool]]:
    try:
        return [_values(piece, bounds) for piece, bounds in zip(found, _BOUNDS[:5], strict=True)]
    except _RefusedError as refused:
        hint = f"{refused.refusal.hint}; five fields are read as second minute hour day month"
        raise _RefusedError(replace(refused.refusal, hint=hint)) from refused


def _miscounted(text: str, found: tuple[Piece, ...]) -> _RefusedError:
    message = f"Expected 5 to 6 fields, found {len(found)}: {text}"
    hint = f"write six fields: {FIELD_ORDER}"
    if found and re.match(r"(CRON_)?TZ=", found[0].text):
        hint = "a schedule cannot name a zone; the operator's own counts, which is normally UTC"
    elif found and found[0].text.startswith("@"):
        hint = "nothing may stand before a descriptor, not even a blank"
    where = Piece(text, 0)
    if len(found) > 6:
        where = Piece(text[found[6].start : found[-1].end], found[6].start)
    return where.refused(message, hint)


def _values(field: Piece, bounds: _Bounds) -> tuple[frozenset[int], bool]:
    """The values of one field, and whether ``*`` or ``?`` is among its items.

    Items between two commas that are empty count for nothing, as in the library: ``,`` alone is a
    field without any value.
    """
    bits, starred = 0, False
    seen: set[str] = set()
    for found in _ITEM.finditer(field.text):
        text = found.group()
        if text in seen:  # ten kilobytes of one item are read once
            continue
        seen.add(text)
        item_bits, star = _range(Piece(text, field.start + found.start()), bounds)
        bits |= item_bits
        starred = starred or star
    values = frozenset(value for value in range(bounds.low, bounds.high + 1) if bits >> value & 1)
    return values, starred


def _range(item: Piece, bounds: _Bounds) -> tuple[int, bool]:
    """One item, ``N``, ``N-M``, ``*`` or ``?``, each with an optional ``/step``, as bits.

    What follows a hyphen after ``*`` or ``?`` is not looked at, as in the library.
    """
    span, *steps = item.text.split("/")
    low_text, *high_texts = span.split("-")
    star = low_text in ("*", "?")
    if star:
        low, high = bounds.low, bounds.high
    else:
        low = _number(item, low_text, 0, bounds)
        if len(high_texts) > 1:
            raise item.refused(f"Too many hyphens: {item.text}", "a range has one hyphen: 1-5")
        high = _number(item, high_texts[0], len(low_text) + 1, bounds) if high_texts else low
    if len(steps) > 1:
        raise item.refused(f"Too many slashes: {item.text}", "a step has one slash: */15")
    step = _step(item, steps[0], len(span) + 1) if steps else 1
    if steps and not high_texts:
        high = bounds.high  # N/step runs on to the end of the field
    _check_span(item, low, high, step, bounds)
    return _bits(low, high, min(step, 64)), star


def _check_span(item: Piece, low: int, high: int, step: int, bounds: _Bounds) -> None:
    if low < bounds.low:
        raise item.refused(
            f"Beginning of range ({low}) below minimum ({bounds.low}): {item.text}",
            bounds.takes,
        )
    if high > bounds.high:
        hint = bounds.takes
        if bounds.name == "weekday" and high == 7:
            hint += "; Sunday is 0"
        raise item.refused(
            f"End of range ({high}) above maximum ({bounds.high}): {item.text}", hint
        )
    if low > high:
        wraps = bounds.low <= high < low <= bounds.high
        raise item.refused(
            f"Beginning of range ({low}) beyond end of range ({high}): {item.text}",
            f"a range does not wrap around; write {low}-{bounds.high},{bounds.low}-{high}"
            if wraps
            else bounds.takes,
        )
    if step == 0:
        raise item.refused(
            f"Step of range should be a positive number: {item.text}", "a step is 1 or more"
        )


def _number(item: Piece, text: str, offset: int, bounds: _Bounds) -> int:
    # Go lowers a dotted capital I to a plain i; no other letter outside ASCII reaches these names.
    named = bounds.names.get(text.replace("\u0130", "i").lower()) if bounds.names else None
    return _integer(item, text, offset, bounds.takes) if named is None else named


def _step(item: Piece, text: str, offset: int) -> int:
    step = _integer(item, text, offset, "a step is a whole number, 1 or more")
    if step < 0:
        raise Piece(text, item.start + offset).refused(
            f"Negative number ({step}) not allowed: {text}", "a step is 1 or more"
        )
    return step


def _integer(item: Piece, text: str, offset: int, hint: str) -> int:
    try:
        return golang.atoi(text)
    except golang.GoError as error:
        where = Piece(text, item.start + offset) if text else item
        message = f"Failed to parse int from {text}: {error}"
        raise where.refused(message, hint) from error


@lru_cache(maxsize=4096)
def _bits(low: int, high: int, step: int) -> int:
    return sum(1 << value for value in range(low, high + 1, step))


def _descriptor(text: str) -> Schedule:
    if text in DESCRIPTORS:
        return DESCRIPTORS[text]
    if not text.startswith(_EVERY):
        raise Piece(text, 0).refused(
            f"Unrecognized descriptor: {text}",
            f"only these, in small letters: {', '.join(DESCRIPTORS)}, @every with a duration",
        )
    duration = text[len(_EVERY) :]
    try:
        nanoseconds = golang.parse_duration(duration)
    except golang.GoError as error:
        where = Piece(duration, len(_EVERY)) if duration else Piece(text, 0)
        raise where.refused(
            f"Failed to parse duration {text}: {error}",
            "write a duration in h, m and s, such as 90m or 1h30m",
        ) from error
    return Every(timedelta(seconds=max(nanoseconds // 1_000_000_000, 1)))
