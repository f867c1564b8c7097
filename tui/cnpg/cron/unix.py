"""The second reading: what Unix cron, or a Kubernetes CronJob, would do with the same five fields.

That is what the author of ``0 2 * * *`` usually meant. The grammar here is what crontab(5) and
CronJob share, no more: minute hour day month weekday, Sunday as 0 or 7, names, lists, ranges and
steps. What either would refuse has no second reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tui.cnpg.cron import schedule
from tui.cnpg.cron.dialect import WEEKDAY_NAMES, fields, parse
from tui.cnpg.cron.explain import describe
from tui.cnpg.cron.schedule import ALL_DAYS, ALL_WEEKDAYS, Spec

_LONGEST: Final = 1000
"""A crontab line may have so many characters (``MAX_COMMAND`` of Vixie cron)."""
_YEARS: Final = 40
"""How far ahead the next run is looked for; a 29 February on a given weekday can take so long."""

_ATOM: Final = r"(?:[0-9]{1,2}|[A-Za-z]{3})"
_ITEM: Final = rf"(?:[*?]|{_ATOM}(?:-{_ATOM})?)(?:/[0-9]{{1,3}})?"
_FIELD: Final = re.compile(rf"{_ITEM}(?:,{_ITEM})*")
_TO_SEVEN: Final = re.compile(rf"(?P<low>{_ATOM})-0?7(?:/(?P<step>[0-9]+))?")


_WEEKDAYS: Final = {
    **{name[:3].lower(): number for number, name in enumerate(WEEKDAY_NAMES)},
    **{f"{zero}{number}": number for number in range(8) for zero in ("", "0")},
}


@dataclass(frozen=True, slots=True)
class UnixReading:
    """What a five-field text means elsewhere."""

    fixed: str
    """The six fields that make the operator do the same."""
    spec: Spec
    """The reading in the operator's terms; it fires at second 0."""

    @property
    def description(self) -> str:
        return describe(self.spec, seconds=False)

    def next_runs(self, after: datetime, count: int) -> tuple[datetime, ...]:
        """The next ``count`` runs of Unix cron later than ``after``, in its zone.

        They come from croniter, whose clock changes are those of Unix cron: a run inside the hour
        that is skipped in spring happens right after it, where the operator leaves it out.
        Fewer runs where none follows, or where croniter fails.
        """
        return _croniter_runs(self.spec, after, count)


@dataclass(frozen=True, slots=True)
class Padding:
    """Six fields that look like five with a ``*`` put at the wrong end."""

    fixed: str
    """The five fields as Unix cron reads them, with the second in front."""
    description: str
    """What that would do."""


def unix_reading(text: str) -> UnixReading | None:
    """How Unix cron reads ``text``, where it accepts it and does something else than the operator.

    The operator may well refuse a text that Unix cron accepts (``0 3 * * 0`` names month 0).
    """
    six = _six_fields(text)
    if six is None:
        return None
    spec = parse(six)
    if not isinstance(spec, Spec) or spec == parse(text):
        return None
    return UnixReading(six, spec)


def fixed(text: str) -> str | None:
    """The six fields that make the operator do what Unix cron does with ``text``.

    The second is put in front (``0 2 * * *`` gives ``0 0 2 * * *``); at the other end it would
    leave the hours running. None where there is no second reading.
    """
    reading = unix_reading(text)
    return reading.fixed if reading else None


def suspect_padding(text: str) -> Padding | None:
    """The likely meaning of six fields that look as if ``*`` had been appended to five.

    ``0 2 * * * *`` fires every hour at minute 2, just as ``0 2 * * *`` does. Suspected where the
    last field is ``*`` or ``?``, the schedule fires in every hour, and its first five fields would
    have named hours of the day to Unix cron. ``0 0 * * * *`` is the plain spelling of hourly and is
    let pass.
    """
    found = fields(text)
    actual = parse(text)
    if len(found) != 6 or found[5].text not in ("*", "?") or not isinstance(actual, Spec):
        return None
    if actual.hour != schedule.ALL_HOURS or actual.minute == actual.second == {0}:
        return None
    meant = unix_reading(" ".join(piece.text for piece in found[:5]))
    if meant is None or meant.spec.hour == schedule.ALL_HOURS:
        return None
    return Padding(meant.fixed, meant.description)


def _six_fields(text: str) -> str | None:
    """``text`` with second 0 in front and 7 as 0, None if Unix cron would not take it.

    Values out of range and ranges that wrap around are left for the parser to refuse.
    """
    found = [piece.text for piece in fields(text)] if len(text) <= _LONGEST else []
    if len(found) != 5 or not all(_FIELD.fullmatch(field) for field in found):
        return None
    if any("*" in field and field[0] not in "*?" for field in (found[2], found[4])):
        # In 1,*/6 the star counts for CronJob (both day fields must match), not for crontab.
        return None
    weekday = ",".join(_sunday(item) for item in found[4].split(","))
    return " ".join(("0", *found[:4], weekday))


def _sunday(item: str) -> str:
    """A weekday item with Sunday as 0 where Unix allows 7."""
    if item in ("7", "07"):
        return "0"
    ranged = _TO_SEVEN.fullmatch(item)
    low = _WEEKDAYS.get(ranged["low"].lower()) if ranged else None
    step = int(ranged["step"] or 1) if ranged else 0
    if low is None or not step:
        return item
    days = [str(day % 7) for day in range(low, 8, step)]
    return "0-6" if len(days) >= 7 else ",".join(days)


def _croniter_runs(spec: Spec, after: datetime, count: int) -> tuple[datetime, ...]:
    # Late: 50 to 90 ms, dateutil included, which the first frame need not wait for.
    from croniter import croniter

    if not schedule.can_fire(spec):
        return ()
    text, either = _plainly(spec)
    found: list[datetime] = []
    try:
        cron = croniter(
            text, after.replace(microsecond=0), day_or=either, max_years_between_matches=_YEARS
        )
        found.extend(
            datetime.fromtimestamp(cron.get_next(float), after.tzinfo) for _ in range(count)
        )
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, AssertionError):
        # croniter's own errors are ValueErrors; the others are its slips at the calendar's edges.
        return tuple(found)
    return tuple(found)


def _plainly(spec: Spec) -> tuple[str, bool]:
    """``spec`` spelled so that croniter cannot misread it, and whether either day field is enough.

    Plain lists of numbers: it reads ``5-5`` as ``*``, and takes ``*/2`` in a day field for a
    restriction like any other where cron wants both fields to match.
    """
    day, weekday = spec.day, spec.weekday
    if not spec.starred:
        if day == ALL_DAYS or weekday == ALL_WEEKDAYS:
            day, weekday = ALL_DAYS, ALL_WEEKDAYS
        elif not schedule.possible_days(spec):
            day = ALL_DAYS
    parts = (
        (spec.minute, schedule.ALL_MINUTES),
        (spec.hour, schedule.ALL_HOURS),
        (day, ALL_DAYS),
        (spec.month, schedule.ALL_MONTHS),
        (weekday, ALL_WEEKDAYS),
    )
    text = " ".join(
        "*" if values == everything else ",".join(map(str, sorted(values)))
        for values, everything in parts
    )
    return text, not spec.starred
