"""``cnpg-tui cron``: one schedule judged for people or programs, or a stream of them, a line each.

The exit codes are those of the verdict: 0 valid, 1 accepted but misread, 2 refused. A stream exits
with the worst of its lines; a line that cannot be understood counts as refused.
"""

from __future__ import annotations

import json
import re
import textwrap
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from io import TextIOWrapper
from typing import Any, Final, Literal, TextIO

from tui.cnpg import cron
from tui.cnpg.cron import Judgement, Refusal, Verdict

DEFAULT_COUNT: Final = 5
MOST_RUNS: Final = 10_000
EXIT_CODES: Final[Mapping[Verdict, int]] = {
    Verdict.VALID: 0,
    Verdict.MISREAD: 1,
    Verdict.REFUSED: 2,
}
_BAD_INPUT: Final = 2
_UNIX_RUNS: Final = 100
"""The most runs of the second reading that are listed; they cost a millisecond each."""

_RFC3339: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ](?P<time>\d\d:\d\d:\d\d(?:\.\d+)?)"
    r"(?P<offset>[Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
_SHOWN: Final = 70
"""Columns beside the titles."""


class BadRequestError(ValueError):
    """A moment, zone or count that cannot be used; the text says which and what to write."""


@dataclass(frozen=True, slots=True)
class Request:
    """A schedule, the moment to count its runs from (in the zone to show them in) and how many."""

    schedule: str
    start: datetime
    count: int


def run(
    expr: str,
    from_: str | None,
    timezone: str | None,
    count: int | None,
    output: Literal["text", "json"],
    stdin: TextIO,
    stdout: TextIO,
    now: datetime,
) -> int:
    """The whole command: judges ``expr``, or every line of ``stdin`` where it is ``-``.

    With ``-`` the other arguments are what a line takes that does not give its own. ``count`` None
    means five. Returns the exit code. Raises :class:`BadRequestError` for ``from_``, ``timezone``
    or ``count`` out of order.
    """
    usual = {"from": from_, "timezone": timezone, "count": count}
    if expr == "-":
        _request({**usual, "schedule": ""}, now)
        if isinstance(stdin, TextIOWrapper):
            stdin.reconfigure(encoding="utf-8", errors="replace")
        return stream(stdin, stdout, now, usual)
    if isinstance(stdout, TextIOWrapper):
        stdout.reconfigure(errors="backslashreplace")
    request = _request({**usual, "schedule": expr}, now)
    judgement = cron.judge(request.schedule)
    if output == "json":
        stdout.write(as_json(judgement, request) + "\n")
    else:
        stdout.write(as_text(judgement, request))
    return EXIT_CODES[judgement.verdict]


def stream(
    lines: Iterable[str],
    out: TextIO,
    now: datetime,
    usual: Mapping[str, Any] | None = None,
) -> int:
    """Answers every JSON object in ``lines`` with one on ``out``, at once, in order.

    Keys: ``schedule``, and where wanted ``from`` (RFC3339, else ``usual`` or now), ``timezone``
    (an IANA name, else the offset of ``from``) and ``count``. Empty lines are passed over. Returns
    the worst exit code of the lines.
    """
    worst = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            request = _request({**(usual or {}), **_object(line)}, now)
        except BadRequestError as error:
            answer, code = _unreadable(error), _BAD_INPUT
        else:
            judgement = cron.judge(request.schedule)
            answer, code = _as_object(judgement, request), EXIT_CODES[judgement.verdict]
        out.write(json.dumps(answer) + "\n")
        out.flush()
        worst = max(worst, code)
    return worst


def as_json(judgement: Judgement, request: Request) -> str:
    """The judgement as one JSON object on one line, ASCII only."""
    return json.dumps(_as_object(judgement, request))


def as_text(judgement: Judgement, request: Request) -> str:
    """The judgement for people, in lines of at most 80 columns."""
    verdict = {Verdict.MISREAD: "accepted, but misread"}.get(judgement.verdict, judgement.verdict)
    lines = [*_excerpt(judgement), f"Verdict   {verdict}"]
    for title, sentence in _reasons(judgement):
        lines += _column(title, textwrap.wrap(sentence, _SHOWN, break_on_hyphens=False))
    if not isinstance(judgement.reading, Refusal):
        times = cron.next_runs(judgement.reading, request.start, request.count)
        lines += _column("Next", [rfc3339(when) for when in times] or ["no run within five years"])
    return "\n".join(lines) + "\n"


def rfc3339(when: datetime) -> str:
    """``when`` to the second with its offset as Go prints it: ``Z`` for none, minutes cut short."""
    offset = when.utcoffset() or timedelta()
    clock = when.replace(tzinfo=None, microsecond=0).isoformat()
    if not offset:
        return clock + "Z"
    minutes = int(offset / timedelta(minutes=1))
    return f"{clock}{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _reasons(judgement: Judgement) -> Iterator[tuple[str, str]]:
    """What is to be said, as titles and sentences."""
    reading = judgement.reading
    if isinstance(reading, Refusal):
        yield "CNPG", textwrap.shorten(_visible(reading.message), 4 * _SHOWN, placeholder=" ...")
        yield "Hint", reading.hint
    else:
        often = cron.rate(reading)
        yield "CNPG", judgement.description
        yield "", f"{_amount(often.per_day)} a day, {_amount(often.per_month)} a month"
    if judgement.warning:
        yield "Warning", judgement.warning
    if judgement.unix:
        yield "Unix", judgement.unix.description
        yield "Fix", judgement.unix.fixed
    if judgement.padding:
        yield "Suspect", f"was {judgement.padding.description} meant?"
        yield "Fix", judgement.padding.fixed


def _amount(number: float) -> str:
    if 0 < number < 0.01:
        return "less than 0.01"
    return f"{number:,.2f}".removesuffix("0").removesuffix(".0")


def _column(title: str, values: Iterable[str]) -> list[str]:
    return [f"{title if not at else '':<10}{value}" for at, value in enumerate(values)]


def _excerpt(judgement: Judgement) -> list[str]:
    """The schedule, cut to one line, and carets under what is refused."""
    text, reading = _visible(judgement.text), judgement.reading
    start, end = (reading.start, reading.end) if isinstance(reading, Refusal) else (0, 0)
    room = _SHOWN - len("......")
    first = max(0, min(start - room // 2, len(text) - room))
    last = min(first + room, len(text))
    before, after = ("..." if first else ""), ("..." if last < len(text) else "")
    lines = _column("Schedule", [f"{before}{text[first:last]}{after}"])
    if start < end:
        carets = "^" * (min(end, last) - start)
        lines += _column("", [" " * (len(before) + start - first) + carets])
    return lines


def _visible(text: str) -> str:
    """``text`` with a middle dot for every character that prints nothing or moves the cursor."""
    return "".join(char if char.isprintable() else "\u00b7" for char in text)


def _as_object(judgement: Judgement, request: Request) -> dict[str, Any]:
    reading = judgement.reading
    if isinstance(reading, Refusal):
        error, times = reading.message, list[str]()
    else:
        runs = cron.next_runs(reading, request.start, request.count)
        error, times = None, [rfc3339(when) for when in runs]
    return {
        "schedule": judgement.text,
        "error": error,
        "verdict": judgement.verdict,
        "warning": judgement.warning,
        "description": judgement.description,
        "next": times,
        "unix_reading": _unix_object(judgement, request),
    }


def _unreadable(error: BadRequestError) -> dict[str, Any]:
    """The answer to a line that holds no request, with the keys of any other."""
    return {
        "schedule": None,
        "error": str(error),
        "verdict": Verdict.REFUSED,
        "warning": None,
        "description": "",
        "next": [],
        "unix_reading": None,
    }


def _unix_object(judgement: Judgement, request: Request) -> dict[str, Any] | None:
    if judgement.unix is None:
        return None
    times = judgement.unix.next_runs(request.start, min(request.count, _UNIX_RUNS))
    return {
        "description": judgement.unix.description,
        "fixed": judgement.unix.fixed,
        "next": [rfc3339(when) for when in times],
    }


def _object(line: str) -> Mapping[str, Any]:
    try:
        value = json.loads(line, strict=False)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"not a JSON object: {error}") from error
    if not isinstance(value, dict):
        raise BadRequestError('not a JSON object; write {"schedule": "0 0 2 * * *"}')
    return {name: item for name, item in value.items() if item is not None}


def _request(given: Mapping[str, Any], now: datetime) -> Request:
    schedule = given.get("schedule")
    if not isinstance(schedule, str):
        raise BadRequestError("schedule is missing or not a text")
    count = given.get("count")
    if count is None:
        count = DEFAULT_COUNT
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_RUNS:
        raise BadRequestError(f"count is not a number from 1 to {MOST_RUNS}")
    return Request(schedule, _start(given, now), count)


def _start(given: Mapping[str, Any], now: datetime) -> datetime:
    from_, name = given.get("from"), given.get("timezone")
    start = now.astimezone(UTC) if from_ is None else moment(from_)
    try:
        return start if name is None else start.astimezone(zone(name))
    except OverflowError as error:
        raise BadRequestError(f"from is outside the years 1 to 9999 in {name}") from error


def moment(text: Any) -> datetime:
    """An RFC3339 time, with its offset. Raises :class:`BadRequestError`."""
    found = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    try:
        if found:
            offset = found["offset"].upper()
            return datetime.fromisoformat(f"{found['date']}T{found['time']}{offset}")
    except ValueError:
        pass
    raise BadRequestError(f"from is not an RFC3339 time such as 2026-11-22T14:03:12Z: {text!r}")


def zone(name: Any) -> tzinfo:
    """The IANA time zone ``name``. Raises :class:`BadRequestError`."""
    unknown = f"timezone is not a known IANA name such as Europe/Berlin: {name!r}"
    if not isinstance(name, str):
        raise BadRequestError(unknown)
    try:
        return zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise BadRequestError(unknown) from error
