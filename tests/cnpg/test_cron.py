"""The dialect against vectors of the operator's own library, and against what its rules imply."""

from __future__ import annotations

import json
import random
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from tui.cnpg import cron
from tui.cnpg.cron import Every, Refusal, Spec

GOLDEN: Final = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "cron-golden.jsonl")
    .read_text(encoding="utf-8")
    .split("\n")
    if line
]
CHANGING_ZONES: Final = (
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Havana",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Tehran",
    "Africa/Casablanca",
    "Antarctica/Troll",
)


def rfc3339(when: datetime) -> str:
    return when.isoformat().removesuffix("+00:00") + ("" if when.utcoffset() else "Z")


def spec(text: str) -> Spec:
    read = cron.parse(text)
    assert isinstance(read, Spec), read
    return read


def refusal(text: str) -> Refusal:
    read = cron.parse(text)
    assert isinstance(read, Refusal), read
    return read


def moment(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).astimezone(zoneinfo.ZoneInfo(zone))


# The library's own answers


def answer(row: dict[str, Any]) -> dict[str, Any]:
    read = cron.parse(row["schedule"])
    if isinstance(read, Refusal):
        return {"error": read.message}
    start = moment(row["start"], row["tz"])
    count = max(len(row.get("next", ())), 1)
    return {"next": [rfc3339(when) for when in cron.next_runs(read, start, count)]}


@pytest.mark.parametrize("category", sorted({row["cat"] for row in GOLDEN}))
def test_every_vector_of_the_library_is_answered_alike(category: str) -> None:
    rows = [row for row in GOLDEN if row["cat"] == category]
    wrong = [
        (row["schedule"], row["start"], row["tz"], given)
        for row in rows
        if (given := answer(row)) != {key: row[key] for key in ("error", "next") if key in row}
    ]
    assert wrong == []


def test_there_are_vectors_of_every_kind() -> None:
    assert len(GOLDEN) > 1_000
    assert sum("error" in row for row in GOLDEN) > 300
    assert sum(row.get("next") == [] for row in GOLDEN) > 20


# Answers of the library outside the vectors


@pytest.mark.parametrize(
    ("text", "start", "zone", "runs"),
    [
        pytest.param(
            "0 30 2 * * *",
            "2026-03-28T12:00:00Z",
            "Europe/Berlin",
            ["2026-03-30T02:30:00+02:00", "2026-03-31T02:30:00+02:00"],
            id="a time that spring leaves out is left out",
        ),
        pytest.param(
            "0 30 2 * * *",
            "2026-10-24T12:00:00Z",
            "Europe/Berlin",
            ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"],
            id="a time that comes twice in autumn fires twice",
        ),
        pytest.param(
            "0 0 0 * * *",
            "2022-03-21T12:00:00Z",
            "Asia/Tehran",
            ["2022-03-23T00:00:00+04:30"],
            id="a day without a midnight is skipped",
        ),
        pytest.param(
            "0 0 3 * * 0",
            "2026-03-02T12:00:00Z",
            "America/Havana",
            ["2026-03-15T03:00:00-04:00"],
            id="a weekday without a midnight is skipped at any hour",
        ),
        pytest.param(
            "0 15 1 * * *",
            "2026-04-04T10:00:00Z",
            "Australia/Lord_Howe",
            ["2026-04-05T01:15:00+11:00", "2026-04-06T01:15:00+10:30"],
            id="half an hour back",
        ),
        pytest.param(
            "@every 90m",
            "2026-03-29T00:30:00.75Z",
            "Europe/Berlin",
            ["2026-03-29T04:00:00+02:00", "2026-03-29T05:30:00+02:00"],
            id="a delay counts real time from the whole second",
        ),
        pytest.param("0 0 0 29 2 *", "2096-02-29T00:00:00Z", "UTC", [], id="eight years off"),
        pytest.param(
            "0 0 0 29 2 *",
            "2098-12-31T23:59:59Z",
            "UTC",
            ["2104-02-29T00:00:00Z"],
            id="five years are calendar years, from the next second",
        ),
        pytest.param(
            "0 0 0 * * FR\u0130",
            "2098-12-31T23:59:59Z",
            "UTC",
            ["2099-01-02T00:00:00Z"],
            id="names are lowered as Go lowers them",
        ),
    ],
)
def test_runs_come_when_the_library_says(text: str, start: str, zone: str, runs: list[str]) -> None:
    given = cron.next_runs(spec_or_every(text), moment(start, zone), max(len(runs), 1))
    assert [rfc3339(when) for when in given] == runs


def spec_or_every(text: str) -> cron.Schedule:
    read = cron.parse(text)
    assert not isinstance(read, Refusal), read
    return read


def test_an_offset_of_odd_seconds_moves_the_noon_of_monrovia() -> None:
    # Until 1972 the clocks of Liberia were 44 minutes 30 seconds behind; the library loses the days
    # of the change: 6 January, then 9 January.
    given = cron.next_runs(
        spec("0 0 12 * * *"), moment("1972-01-06T00:00:00Z", "Africa/Monrovia"), 3
    )
    assert [when.replace(tzinfo=None).isoformat() for when in given] == [
        "1972-01-06T12:00:00",
        "1972-01-09T12:00:00",
        "1972-01-10T12:00:00",
    ]


def test_a_date_the_zone_left_out_is_stepped_over() -> None:
    # Samoa had no 30 December 2011, a Friday. The library never returns from this question.
    given = cron.next_runs(spec("0 0 2 * * 5,6"), moment("2011-12-29T13:00:00Z", "Pacific/Apia"), 2)
    assert [when.isoformat() for when in given] == [
        "2011-12-31T02:00:00+14:00",
        "2012-01-06T02:00:00+14:00",
    ]


# Refusals


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("", "Empty spec string", ""),
        ("0 0 2 *", "Expected 5 to 6 fields, found 4: 0 0 2 *", "0 0 2 *"),
        (
            "0 0 0 * * * * 5",
            "Expected 5 to 6 fields, found 8: 0 0 0 * * * * 5",
            "* 5",
        ),
        (" @daily", "Expected 5 to 6 fields, found 1:  @daily", " @daily"),
        ("@daily ", "Unrecognized descriptor: @daily ", "@daily "),
        ("@reboot", "Unrecognized descriptor: @reboot", "@reboot"),
        (
            "TZ=UTC 0 0 0 * * *",
            "Expected 5 to 6 fields, found 7: TZ=UTC 0 0 0 * * *",
            "*",
        ),
        ("0 0 0 * * 1,7", "End of range (7) above maximum (6): 7", "7"),
        ("0  0 0 * * 0-7", "End of range (7) above maximum (6): 0-7", "0-7"),
        ("0 3 * * 0", "Beginning of range (0) below minimum (1): 0", "0"),
        ("0 0 22-2 * * *", "Beginning of range (22) beyond end of range (2): 22-2", "22-2"),
        (
            "0 0 0 1,L *",
            'Failed to parse int from L: strconv.Atoi: parsing "L": invalid syntax',
            "L",
        ),
        (
            "0 0 0 * * fri#2",
            'Failed to parse int from fri#2: strconv.Atoi: parsing "fri#2": invalid syntax',
            "fri#2",
        ),
        (
            "0 0 0 1-x *",
            'Failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax',
            "x",
        ),
        (
            "0 -5 0 * *",
            'Failed to parse int from : strconv.Atoi: parsing "": invalid syntax',
            "-5",
        ),
        ("0 */-5 0 * *", "Negative number (-5) not allowed: -5", "-5"),
        ("0 */0 0 * *", "Step of range should be a positive number: */0", "*/0"),
        ("0 1-2-3 0 * *", "Too many hyphens: 1-2-3", "1-2-3"),
        ("0 */2/3 0 * *", "Too many slashes: */2/3", "*/2/3"),
        (
            "0\u200b0 0 0 * *",
            'Failed to parse int from 0\u200b0: strconv.Atoi: parsing "0\\u200b0": invalid syntax',
            "0\u200b0",
        ),
        (
            "99999999999999999999x 0 0 * *",
            (
                "Failed to parse int from 99999999999999999999x: strconv.Atoi: parsing "
                '"99999999999999999999x": value out of range'
            ),
            "99999999999999999999x",
        ),
        (
            "@every 1d",
            'Failed to parse duration @every 1d: time: unknown unit "d" in duration "1d"',
            "1d",
        ),
        (
            "@every ",
            'Failed to parse duration @every : time: invalid duration ""',
            "@every ",
        ),
        (
            "@every 5\u00e9",
            (
                "Failed to parse duration @every 5\u00e9: time: unknown unit "
                '"\\xc3\\xa9" in duration "5\\xc3\\xa9"'
            ),
            "5\u00e9",
        ),
    ],
)
def test_a_refusal_quotes_the_library_and_points_at_the_place(
    text: str, message: str, place: str
) -> None:
    refused = refusal(text)
    assert refused.message == message
    assert text[refused.start : refused.end] == place
    assert refused.hint


def test_the_place_is_that_of_the_first_field_the_library_stumbles_over() -> None:
    refused = refusal("0 0 0 7,7x * 7")
    assert (refused.start, refused.end) == (8, 10)


def test_half_a_surrogate_pair_is_read_as_the_operator_would_read_it() -> None:
    assert refusal("\ud800 0 0 * *").message.startswith("Failed to parse int from \ufffd:")


def test_the_hint_for_sunday_as_seven_says_zero() -> None:
    assert "Sunday is 0" in refusal("0 0 0 * * 7").hint


def test_the_hint_for_five_fields_names_the_order_they_are_read_in() -> None:
    assert "second minute hour day month" in refusal("0 3 * * 0").hint


def test_the_hint_for_a_range_around_the_week_can_be_pasted() -> None:
    assert "5-6,0-1" in refusal("0 0 0 * * fri-mon").hint
    assert not isinstance(cron.parse("0 0 0 * * 5-6,0-1"), Refusal)


# Durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("@every 1h30m", 5400),
        ("@every 0s", 1),
        ("@every -5h", 1),
        ("@every 1.999s", 1),
        ("@every 1500ms1500ms", 3),
        ("@every .5h", 1800),
        ("@every +90m", 5400),
        ("@every 1000000\u00b5s1000000\u03bcs", 2),
        ("@every 9223372036854775808ns9223372036854775808ns", 1),  # wraps to zero in Go
    ],
)
def test_a_delay_is_whole_seconds_and_at_least_one(text: str, seconds: int) -> None:
    assert cron.parse(text) == Every(timedelta(seconds=seconds))


# Warnings


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("0 2 * * *", True),
        ("0 0 2 * * *", False),
        ("\t0 0 2 * * *\n", False),
        ("@daily", True),
        ("@every 1h", True),
        ("0 3 * * 0", False),
        ("0 0 0 * * * *", False),
    ],
)
def test_the_webhook_warns_of_what_it_accepts_without_six_fields(text: str, warned: bool) -> None:
    assert (cron.webhook_warning(text) == cron.FIELD_COUNT_WARNING) is warned


# What the rules imply, on made-up schedules

LIMITS: Final = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


def any_field(source: random.Random, low: int, high: int) -> str:
    def item() -> str:
        first, last = sorted((source.randint(low, high), source.randint(low, high)))
        base = source.choice(["*", "?", str(first), f"{first}-{last}", str(last)])
        return base + source.choice(["", "", "", f"/{source.randint(1, 20)}"])

    return source.choice(["*", "0" if not low else "1", ",".join(item() for _ in range(2)), item()])


def any_schedules(seed: int, count: int) -> Iterator[tuple[str, random.Random]]:
    source = random.Random(seed)
    for _ in range(count):
        fields = LIMITS[: source.choice((5, 6, 6))]
        yield " ".join(any_field(source, *limits) for limits in fields), source


def any_moment(source: random.Random, zone: tzinfo) -> datetime:
    seconds = source.randint(0, 130 * 365 * 86_400)
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(zone)


def matches(schedule: Spec, when: datetime) -> bool:
    clock = (
        when.second in schedule.second
        and when.minute in schedule.minute
        and when.hour in schedule.hour
    )
    day, weekday = when.day in schedule.day, when.isoweekday() % 7 in schedule.weekday
    on_date = (day and weekday) if schedule.starred else (day or weekday)
    return clock and on_date and when.month in schedule.month


def first_by_trial(schedule: Spec, after: datetime) -> datetime | None:
    """The first match after ``after`` in UTC up to the end of the fifth year, date by date."""
    last = date((after + timedelta(seconds=1)).year + 5, 12, 31)
    on = after.date()
    while on <= last:
        start = datetime(on.year, on.month, on.day, tzinfo=UTC)
        if matches(
            Spec(
                *(frozenset({0}),) * 3,
                schedule.day,
                schedule.month,
                schedule.weekday,
                schedule.starred,
            ),
            start,
        ):
            times = (
                start.replace(hour=hour, minute=minute, second=second)
                for hour in sorted(schedule.hour)
                for minute in sorted(schedule.minute)
                for second in sorted(schedule.second)
            )
            found = next((when for when in times if when > after), None)
            if found:
                return found
        on += timedelta(days=1)
    return None


def test_where_clocks_never_change_the_next_run_is_the_first_match_within_five_years() -> None:
    empty = 0
    for text, source in any_schedules(seed=4, count=250):
        after = any_moment(source, UTC).replace(microsecond=source.choice((0, 0, 1, 999_999)))
        schedule = spec(text)
        given = schedule.next(after)
        assert given == first_by_trial(schedule, after), (text, after)
        empty += given is None
    assert empty < 25


@pytest.mark.parametrize(
    "text", ["0 0 0 30 2 *", ", 0 0 * *", "0 0 0 , * *", "0 0 0 31 4,6 ?", "0 0 0 * * ,"]
)
def test_a_schedule_that_can_never_fire_has_no_runs(text: str) -> None:
    for zone in ("UTC", "Europe/Berlin"):
        assert cron.next_runs(spec(text), moment("2026-01-01T00:00:00Z", zone), 3) == ()


@pytest.mark.parametrize("zone", CHANGING_ZONES)
def test_runs_grow_are_whole_seconds_and_match_their_fields(zone: str) -> None:
    for text, source in any_schedules(seed=len(zone), count=60):
        schedule = spec(text)
        after = any_moment(source, zoneinfo.ZoneInfo(zone)).replace(microsecond=7)
        given = cron.next_runs(schedule, after, 12)
        for earlier, later in pairwise((after, *given)):
            assert earlier.astimezone(UTC) < later.astimezone(UTC), (text, zone, after)
        for when in given:
            assert when.microsecond == 0
            assert when.tzinfo is after.tzinfo
            assert matches(schedule, when), (text, zone, after, when)


@pytest.mark.parametrize("zone", CHANGING_ZONES)
def test_asking_from_any_moment_before_a_run_gives_that_run(zone: str) -> None:
    for text, source in any_schedules(seed=len(zone) + 100, count=40):
        schedule = spec(text)
        after = any_moment(source, zoneinfo.ZoneInfo("UTC"))
        run = schedule.next(after)
        if run is None:
            continue
        between = after + (run - after) * source.random()
        assert schedule.next(between) == (run if between < run else schedule.next(run)), text


def test_a_delay_keeps_the_zone_it_was_asked_in() -> None:
    nepal = timezone(timedelta(hours=5, minutes=45))
    assert Every(timedelta(hours=1)).next(datetime(2026, 1, 1, tzinfo=nepal)) == datetime(
        2026, 1, 1, 1, tzinfo=nepal
    )


@pytest.mark.parametrize("text", ["0 0 2 * * *", "@every 1h"])
def test_a_moment_without_a_zone_is_refused(text: str) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - the very thing refused
    with pytest.raises(ValueError, match="time zone"):
        spec_or_every(text).next(naive)


@pytest.mark.parametrize("text", ["* * * * * *", "0 0 0 1 1 *", "@every 2562047h"])
@pytest.mark.parametrize("year", [1, 9998, 9999])
@pytest.mark.parametrize("hours", [-12, 0, 14])
def test_the_ends_of_the_calendar_end_the_runs_quietly(text: str, year: int, hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    for month, day in ((1, 1), (12, 31)):
        after = datetime(year, month, day, 12, tzinfo=zone)
        for run in cron.next_runs(spec_or_every(text), after, 3):
            assert run > after
