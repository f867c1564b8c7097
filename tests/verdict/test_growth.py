"""How an archive grows, what is usual, and what it will cost."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.barman.archive import Archive
from tui.verdict import growth
from tui.verdict.growth import DAY, HOUR, R2, SPANS, Bucket, Growth, Rate, Span

NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
SIZE = 16 << 20


def steady(days: int, per_hour: int = 12, size: int = 1_000_000, until: datetime = NOW) -> Archive:
    """``per_hour`` segments an hour, spread over it, for some days up to ``until``."""
    archive = Archive()
    count = days * 24 * per_hour
    for number in range(count):
        archive.put(archive.key(1, number + 1), size, until - (count - number) * HOUR / per_hour)
    return archive


def of(archive: Archive, now: datetime = NOW) -> Growth:
    return growth.of(archive.listed, now=now, segment_size=SIZE)


def test_a_steady_archive_grows_now_as_usual() -> None:
    found = of(steady(20))
    assert found.now_per_hour == Rate(12, 12_000_000)
    assert found.usual_per_hour == Rate(12, 12_000_000)
    assert found.wal_per_day == Rate(288, 288_000_000)
    assert found.trend == 0
    assert found.size == 20 * 288_000_000
    assert found.compression_ratio == pytest.approx(SIZE / 1_000_000)


def test_a_burst_shows_in_the_rate_now_and_not_in_the_usual_one() -> None:
    archive = steady(20)
    for number in range(600):
        archive.put(archive.key(2, number + 1), 1_000_000, NOW - number * HOUR / 1200)
    found = of(archive)
    assert found.now_per_hour.size == 612_000_000
    assert found.usual_per_hour == Rate(12, 12_000_000)


def test_a_silent_archive_says_so_and_remembers_what_was_usual() -> None:
    found = of(steady(20), NOW + 3 * HOUR)
    assert found.now_per_hour == Rate(0, 0)
    assert found.usual_per_hour == Rate(12, 12_000_000)


def test_the_rate_now_takes_the_hour_before_in_proportion() -> None:
    archive = Archive()
    archive.put(archive.key(1, 1), 800, NOW.replace(hour=13, minute=10))
    archive.put(archive.key(1, 2), 100, NOW.replace(minute=5))
    assert of(archive).now_per_hour == Rate(1.5, 500)


def test_an_archive_that_doubled_has_a_trend_of_one() -> None:
    # The day begins with the hour, so the two weeks meet where an hour does.
    archive = steady(10, size=1_000_000, until=NOW.replace(minute=0) - 7 * DAY)
    for number in range(7 * 24):
        archive.put(
            archive.key(2, number + 1), 24_000_000, NOW.replace(minute=0) - (number + 1) * HOUR
        )
    found = of(archive)
    assert found.trend == pytest.approx(1.0)
    assert found.wal_per_day == Rate(24, 576_000_000)


@pytest.mark.parametrize("days", [0, 1, 3])
def test_of_a_young_archive_little_is_said(days: int) -> None:
    found = of(steady(days))
    assert found.trend is None
    if days == 0:
        assert found.usual_per_hour is None
    if days < 3:
        assert found.per_day is None or found.wal_per_day == Rate(288, 288_000_000)
    else:
        assert found.wal_per_day == Rate(288, 288_000_000)


def test_an_empty_archive_has_no_growth_and_no_forecast() -> None:
    found = of(Archive())
    assert (found.size, found.compression_ratio, found.per_day) == (0, None, None)
    assert growth.forecast(found, NOW, 30, None) is None


def test_base_backups_grow_by_their_size_over_their_distance() -> None:
    archive = steady(20)
    for day in range(20):
        archive.base(1, 1, end=NOW - day * 2 * DAY)
    found = of(archive)
    assert found.base_per_day == pytest.approx(5_001_400 / 2)
    assert found.per_day == pytest.approx(288_000_000 + 5_001_400 / 2)


def test_a_killed_backup_is_no_base_backup_to_count() -> None:
    archive = steady(2)
    archive.base(1, 1, end=NOW)
    archive.base(1, 1, end=NOW - DAY, files=(), status="STARTED")
    assert len(of(archive).bases) == 1
    assert of(archive).base_per_day is None


def test_without_retention_the_forecast_is_a_straight_line() -> None:
    found = of(steady(20))
    assert growth.forecast(found, NOW, 7, None) == pytest.approx(27 * 288_000_000)
    assert growth.forecast(found, NOW, 30, None) == pytest.approx(50 * 288_000_000)


def test_with_retention_the_forecast_levels_off() -> None:
    archive = steady(20)
    for day in range(20):
        archive.base(1, 1, end=NOW - day * DAY)
    found = of(archive)
    daily = 288_000_000 + 5_001_400
    for days, kept in ((0, 20), (5, 25), (60, 31)):
        told = growth.forecast(found, NOW, days, 30 * DAY)
        assert told == pytest.approx(kept * daily, rel=0.01)


def test_retention_without_two_base_backups_deletes_nothing() -> None:
    archive = steady(20)
    archive.base(1, 1, end=NOW - DAY)
    found = of(archive)
    assert growth.forecast(found, NOW, 60, DAY) == pytest.approx(80 * 288_000_000 + 5_001_400)


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [
        (SPANS[0], NOW.replace(day=21, hour=15, minute=0), NOW.replace(minute=0)),
        (SPANS[1], NOW.replace(day=15, hour=18, minute=0), NOW.replace(hour=12, minute=0)),
        (SPANS[2], NOW.replace(month=10, day=24, hour=0, minute=0), NOW.replace(hour=0, minute=0)),
    ],
    ids=[span.name for span in SPANS],
)
def test_a_chart_has_a_bar_for_every_step_up_to_now(
    span: Span, first: datetime, last: datetime
) -> None:
    found = of(steady(40))
    bars = growth.series(found.hours, NOW, span)
    assert len(bars) == span.count
    assert (bars[0].since, bars[-1].since) == (first, last)
    full = span.width // HOUR * 12
    assert {bar.segments for bar in bars[:-1]} == {full}
    assert bars[-1].segments < full
    assert {bar.size for bar in bars[:-1]} == {full * 1_000_000}


def test_a_chart_of_a_young_archive_begins_with_empty_bars() -> None:
    archive = Archive()
    archive.put(archive.key(1, 1), 800, NOW - HOUR / 6)
    bars = growth.series(of(archive).hours, NOW, Span("3 h", HOUR, 3))
    assert bars[:2] == (
        Bucket(NOW.replace(hour=12, minute=0), 0, 0),
        Bucket(NOW.replace(hour=13, minute=0), 0, 0),
    )
    assert bars[2] == Bucket(NOW.replace(hour=14, minute=0), 1, 800)


def test_a_price_is_by_the_decimal_gigabyte_and_month() -> None:
    assert R2.month(1000 * 10**9) == pytest.approx(15.0)
    assert R2.month(0) == 0
