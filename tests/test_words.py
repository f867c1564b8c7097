"""How we say things, against the tables of those whose notation we keep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tui import words

SECOND = timedelta(seconds=1)
HAIR = timedelta(milliseconds=1)
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
YEAR = 365 * DAY

# The cases of Kubernetes' own TestHumanDuration and TestHumanDurationBoundaries
# (apimachinery pkg/util/duration/duration_test.go), restated.
KUBECTL_AGES = [
    (SECOND, "1s"),
    (70 * SECOND, "70s"),
    (190 * SECOND, "3m10s"),
    (70 * MINUTE, "70m"),
    (47 * HOUR, "47h"),
    (49 * HOUR, "2d1h"),
    (8 * DAY + 2 * HOUR, "8d"),
    (367 * DAY, "367d"),
    (2 * YEAR + 25 * HOUR, "2y1d"),
    (8 * YEAR + 2 * HOUR, "8y"),
    (-2 * SECOND, "<invalid>"),
    (-2 * SECOND + HAIR, "0s"),
    (0 * SECOND, "0s"),
    (SECOND - HAIR, "0s"),
    (2 * MINUTE - HAIR, "119s"),
    (2 * MINUTE, "2m"),
    (2 * MINUTE + SECOND, "2m1s"),
    (10 * MINUTE - HAIR, "9m59s"),
    (10 * MINUTE, "10m"),
    (10 * MINUTE + SECOND, "10m"),
    (3 * HOUR - HAIR, "179m"),
    (3 * HOUR, "3h"),
    (3 * HOUR + MINUTE, "3h1m"),
    (8 * HOUR - HAIR, "7h59m"),
    (8 * HOUR, "8h"),
    (8 * HOUR + 59 * MINUTE, "8h"),
    (2 * DAY - HAIR, "47h"),
    (2 * DAY, "2d"),
    (2 * DAY + HOUR, "2d1h"),
    (8 * DAY - HAIR, "7d23h"),
    (8 * DAY, "8d"),
    (8 * DAY + 23 * HOUR, "8d"),
    (2 * YEAR - HAIR, "729d"),
    (2 * YEAR, "2y"),
    (2 * YEAR + 23 * HOUR, "2y"),
    (2 * YEAR + 23 * HOUR + 59 * MINUTE, "2y"),
    (2 * YEAR + DAY - HAIR, "2y"),
    (2 * YEAR + DAY, "2y1d"),
    (3 * YEAR, "3y"),
    (4 * YEAR, "4y"),
    (5 * YEAR, "5y"),
    (6 * YEAR, "6y"),
    (7 * YEAR, "7y"),
    (8 * YEAR - HAIR, "7y364d"),
    (8 * YEAR, "8y"),
    (8 * YEAR + 364 * DAY, "8y"),
    (9 * YEAR, "9y"),
]


@pytest.mark.parametrize(("span", "printed"), KUBECTL_AGES)
def test_an_age_reads_as_kubectl_prints_it(span: timedelta, printed: str) -> None:
    assert words.age(span) == printed


@pytest.mark.parametrize(
    ("outside", "inside"),
    [
        ("plain text", "plain text"),
        ("[/foo] [bold]x[/]", "[/foo] [bold]x[/]"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;c2VjcmV0\x1b\\after", "after"),
        ("a\x1bcb", "ab"),
        ("\x9b2Jx", "2Jx"),
        ("safe\u202egnp.exe", "safegnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("line\r\nnext\ttab", "line\nnext\ttab"),
        ("bell\x07 back\x08", "bell back"),
        ("\ud800lone", "lone"),
        ("数据库 é", "数据库 é"),
    ],
)
def test_text_from_outside_cannot_move_the_cursor(outside: str, inside: str) -> None:
    assert words.clean(outside) == inside


def test_a_time_of_today_is_a_clock_and_an_older_one_has_its_date() -> None:
    now = datetime(2026, 11, 22, 14, 3, 12, tzinfo=UTC)
    assert words.moment(now - timedelta(hours=2), now) == "12:03:12Z"
    assert words.moment(now - timedelta(days=2), now) == "20 Nov 14:03:12Z"
    assert words.moment(now - timedelta(days=400), now) == "2025-10-18 14:03:12Z"


def test_counts_agree_with_their_noun() -> None:
    assert words.counted(1, "backup") == "1 backup"
    assert words.counted(41203, "segment") == "41,203 segments"
    assert words.counted(2, "history", "histories") == "2 histories"


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(0), "<1m"),
        (59 * SECOND, "<1m"),
        (MINUTE, "1m"),
        (9 * MINUTE + 59 * SECOND, "9m"),
        (10 * MINUTE, "10m"),
        (3 * HOUR + MINUTE, "3h1m"),
    ],
)
def test_a_cell_of_a_whole_fleet_moves_once_a_minute_at_most(span: timedelta, said: str) -> None:
    assert words.minutes(span) == said
