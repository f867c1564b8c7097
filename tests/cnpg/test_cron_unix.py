"""The second reading, held against croniter's own reading of the same text."""

from __future__ import annotations

import random
import zoneinfo
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from croniter import croniter

from tui.cnpg import cron
from tui.cnpg.cron import Refusal, Verdict

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words", "fixed"),
    [
        ("0 2 * * *", "every day at 02:00", "0 0 2 * * *"),
        ("*/5 * * * *", "every 5 minutes", "0 */5 * * * *"),
        ("42 6 * * *", "every day at 06:42", "0 42 6 * * *"),
        ("0 3 * * 0", "every Sunday at 03:00", "0 0 3 * * 0"),
        ("0 3 * * 7", "every Sunday at 03:00", "0 0 3 * * 0"),
        ("0 3 * * 5-7", "every day from Friday to Sunday at 03:00", "0 0 3 * * 5,6,0"),
        ("0 3 * * sun-7", "every day at 03:00", "0 0 3 * * 0-6"),
        (
            "0 3 * * 1-7/2",
            "every Monday, Wednesday, Friday and Sunday, at 03:00",
            "0 0 3 * * 1,3,5,0",
        ),
        ("0 3 * * mon-fri", "every day from Monday to Friday at 03:00", "0 0 3 * * mon-fri"),
        ("\t0  3 1 * *", "on day 1 of every month at 03:00", "0 0 3 1 * *"),
        ("0 0 31 2 *", "never: there is no day 31 in February", "0 0 0 31 2 *"),
    ],
)
def test_five_fields_are_read_minute_first_and_fixed_in_front(
    text: str, words: str, fixed: str
) -> None:
    reading = cron.unix_reading(text)
    assert reading
    assert reading.description == words
    assert cron.fixed(text) == fixed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0 0 2 * * *",
        "0 2 * *",
        "@daily",
        "@reboot",
        "60 2 * * *",
        "0 24 * * *",
        "0 2 * * fri-mon",
        "0 2 * * 8",
        "0 2 * * 7/2",
        "0 2 L * *",
        "0 2 * * 5#2",
        "0,,5 2 * * *",
        "*-5 2 * * *",
        "+5 2 * * *",
        "0 */0 * * *",
        "0 2 * * 0-7/0",
        "0 2 1,*/6 * 2",  # crontab and CronJob disagree on it
        "0 2 * * \u0663",
        "1," * 600 + "1 2 * * *",
    ],
)
def test_what_unix_cron_does_not_take_has_no_second_reading(text: str) -> None:
    assert cron.unix_reading(text) is None
    assert cron.fixed(text) is None


def any_unix_text(source: random.Random) -> str:
    """Five fields in spellings croniter reads as crontab(5) does: it takes 5-5 for a star."""

    def item(low: int, high: int) -> str:
        first, last = sorted(source.sample(range(low, high + 1), 2))
        base = source.choice(["*", f"{first}-{last}"])
        stepped = base + source.choice(["", f"/{source.randint(1, 12)}"])
        return source.choice([stepped, str(first), str(last)])

    def field(low: int, high: int) -> str:
        first, *rest = [item(low, high) for _ in range(source.choice((1, 1, 2)))]
        return ",".join([first, *(other for other in rest if "*" not in other)])

    fields = [field(*limits) for limits in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))]
    if source.random() < 0.3:
        fields[4] = source.choice(["sun", "Mon-fri", "SAT"])
    return " ".join(fields)


def test_the_fixed_text_fires_when_croniter_says_the_five_fields_would() -> None:
    source = random.Random(5)
    for _ in range(400):
        text = any_unix_text(source)
        start = NOON + timedelta(minutes=source.randint(0, 10_000_000))
        fixed = cron.fixed(text)
        assert fixed, text
        schedule = cron.parse(fixed)
        assert not isinstance(schedule, Refusal), fixed
        ours = cron.next_runs(schedule, start, 5)
        theirs = croniter(text, start, ret_type=datetime, implement_cron_bug=True)
        for run in ours:
            assert theirs.get_next() == run, (text, fixed, start)


def test_the_runs_listed_for_unix_are_those_of_the_fixed_text() -> None:
    source = random.Random(6)
    for _ in range(200):
        text = any_unix_text(source)
        start = NOON + timedelta(seconds=source.randint(0, 10**9), microseconds=1)
        reading = cron.unix_reading(text)
        assert reading
        ours = cron.next_runs(reading.spec, start, 4)
        assert reading.next_runs(start, 4)[: len(ours)] == ours, (text, start)


@pytest.mark.parametrize("zone", ["Europe/Dublin", "Africa/Casablanca", "Pacific/Apia"])
@pytest.mark.parametrize("year", [1, 2011, 2026, 9999])
def test_runs_of_unix_grow_and_never_raise(zone: str, year: int) -> None:
    source = random.Random(year)
    for _ in range(12):
        reading = cron.unix_reading(any_unix_text(source))
        assert reading
        start = datetime(year, 12, 29, source.randint(0, 23), tzinfo=zoneinfo.ZoneInfo(zone))
        runs = (start, *reading.next_runs(start, 3))
        for earlier, later in pairwise(runs):
            assert earlier.timestamp() < later.timestamp()


def test_a_time_that_spring_leaves_out_runs_right_after_it_in_unix() -> None:
    reading = cron.unix_reading("30 2 * * *")
    assert reading
    start = datetime(2026, 3, 28, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
    assert reading.next_runs(start, 1)[0].isoformat() == "2026-03-29T03:00:00+02:00"


def test_thirty_one_february_has_no_runs_in_unix() -> None:
    reading = cron.unix_reading("0 0 31 2 *")
    assert reading
    assert reading.next_runs(NOON, 3) == ()


# A star at the wrong end


@pytest.mark.parametrize(
    ("text", "fixed", "words"),
    [
        ("0 2 * * * *", "0 0 2 * * *", "every day at 02:00"),
        ("30 4 * * * ?", "0 30 4 * * *", "every day at 04:30"),
        ("0 */6 * * * *", "0 0 */6 * * *", "every day at 00:00, 06:00, 12:00 and 18:00"),
    ],
)
def test_six_fields_that_look_appended_are_suspected(text: str, fixed: str, words: str) -> None:
    suspected = cron.suspect_padding(text)
    assert suspected
    assert suspected.fixed == fixed
    assert suspected.description == words


@pytest.mark.parametrize(
    "text",
    [
        "0 0 * * * *",
        "0 0 2 * * *",
        "0 2 * * * 1",
        "0 2 * * *",
        "0 30 * * * *",
        "* * * * * *",
        "@daily",
    ],
)
def test_six_fields_in_order_are_not_suspected(text: str) -> None:
    assert cron.suspect_padding(text) is None


# Verdicts


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("0 0 2 * * *", Verdict.VALID),
        ("@daily", Verdict.VALID),
        ("@every 1h", Verdict.VALID),
        ("0 2 * * * *", Verdict.VALID),
        ("0 2 * * *", Verdict.MISREAD),
        ("0 2 1,15 * ?", Verdict.MISREAD),
        ("5/20 0 1 1,15 *", Verdict.MISREAD),
        ("*-5 2 * * *", Verdict.MISREAD),
        ("0 3 * * 0", Verdict.REFUSED),
        ("", Verdict.REFUSED),
        ("0 0 0 * * 7", Verdict.REFUSED),
    ],
)
def test_the_verdict_tells_accepted_from_misread_from_refused(text: str, verdict: Verdict) -> None:
    assert cron.judge(text).verdict is verdict


def test_a_descriptor_is_warned_of_but_not_misread() -> None:
    judged = cron.judge("@daily")
    assert judged.warning == cron.FIELD_COUNT_WARNING
    assert judged.unix is None


def test_a_refused_text_that_unix_takes_comes_with_its_reading() -> None:
    judged = cron.judge("0 3 * * 0")
    assert judged.description.startswith("refused: ")
    assert judged.unix
    assert judged.unix.fixed == "0 0 3 * * 0"
