"""How an archive grows: by the hour and the day, now against usual, and what it will cost.

Samples are the LastModified times of what is there now. What retention has deleted is not seen, so a
rate is of arrivals, and of a time the policy still covers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

from tui.barman.catalog import Server
from tui.barman.directory import Hour
from tui.barman.s3 import Requests

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GB = 10**9
"""Bytes of the GB stores charge by; the larger price of the two readings."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a store charges, in US dollars."""

    gb_month: float
    class_a_million: float
    """Listing and writing."""
    class_b_million: float
    """Reading."""

    def month(self, size: float) -> float:
        """A month of ``size`` bytes. Free allowances belong to the account and are not taken off."""
        return size / GB * self.gb_month

    def requests(self, spent: Requests) -> float:
        """What these requests cost."""
        return (
            spent.class_a * self.class_a_million + spent.class_b * self.class_b_million
        ) / 1_000_000


R2 = Price(gb_month=0.015, class_a_million=4.50, class_b_million=0.36)
"""Cloudflare R2, standard storage (cloudflare-docs ``src/content/docs/r2/pricing.mdx``)."""


@dataclass(frozen=True, slots=True)
class Span:
    """What one chart shows: ``count`` bars of ``width``, whole hours each, up to now."""

    name: str
    width: timedelta
    count: int


SPANS = (Span("24 h", HOUR, 24), Span("7 d", 6 * HOUR, 28), Span("30 d", DAY, 30))


@dataclass(frozen=True, slots=True)
class Bucket:
    """What arrived from ``since`` on, in one bar of a chart."""

    since: datetime
    segments: int
    size: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Arrivals in one hour or one day, whichever the name of the field says."""

    segments: float
    size: float


@dataclass(frozen=True, slots=True)
class Growth:
    """How one server's part of the bucket grows. None: too little has been seen to say."""

    size: int
    """Bytes of everything under the server name."""
    hours: tuple[Hour, ...]
    """WAL by the hour; :func:`series` makes charts of it."""
    bases: tuple[tuple[datetime, int], ...]
    """When the last object of each base backup was written and its bytes, oldest first."""
    now_per_hour: Rate
    """WAL in the last sixty minutes, taken from clock hours in proportion."""
    usual_per_hour: Rate | None
    """WAL in a median hour of the week before, hours without any included."""
    wal_per_day: Rate | None
    """The mean of the last seven days, of fewer if the archive is younger."""
    base_per_day: float | None
    """Bytes of base backups: their mean size over their mean distance."""
    trend: float | None
    """The last seven days against the seven before: 0.2 is a fifth more."""
    compression_ratio: float | None
    """Bytes PostgreSQL wrote for each byte stored."""

    @property
    def per_day(self) -> float | None:
        """Bytes that arrive in a day, WAL and base backups."""
        if self.wal_per_day is None:
            return None
        return self.wal_per_day.size + (self.base_per_day or 0.0)


def of(server: Server, *, now: datetime, segment_size: int) -> Growth:
    """The growth of ``server`` up to ``now``."""
    hours = server.hours
    done = (base for base in server.bases.values() if base.archives)
    bases = tuple(sorted((base.newest, base.size) for base in done))
    stored = server.segments_size
    return Growth(
        size=server.wal_size + server.base_size,
        hours=hours,
        bases=bases,
        now_per_hour=_last_hour(hours, now),
        usual_per_hour=_usual(hours, now),
        wal_per_day=_daily(hours, now, 0, 7),
        base_per_day=_base_per_day(bases),
        trend=_trend(hours, now),
        compression_ratio=server.segments * segment_size / stored if stored else None,
    )


def series(hours: Iterable[Hour], now: datetime, span: Span) -> tuple[Bucket, ...]:
    """The bars of a chart, each begun on a multiple of their width, UTC."""
    wide = span.width // HOUR
    last = _hour(now) // wide
    bars = [[0, 0] for _ in range(span.count)]
    for hour, segments, size in hours:
        at = hour // wide - last + span.count - 1
        if 0 <= at < span.count:
            bars[at][0] += segments
            bars[at][1] += size
    return tuple(
        Bucket(datetime.fromtimestamp((last - span.count + 1 + at) * wide * 3600, UTC), *bar)
        for at, bar in enumerate(bars)
    )


def forecast(growth: Growth, now: datetime, days: int, window: timedelta | None) -> float | None:
    """Bytes under the server name in ``days``, None if the growth is not known.

    With a retention ``window`` what falls out of it by then is taken off. A policy keeps one base
    backup older than its window with the WAL since, so that what is kept reaches back by the window
    and the distance of two base backups; with fewer than two of them nothing is ever deleted.
    """
    if growth.per_day is None:
        return None
    distance = _distance(growth.bases)
    if window is None or distance is None:
        return growth.size + growth.per_day * days
    kept = window + distance
    cut = now + days * DAY - kept
    arriving = min(days * DAY, kept) / DAY
    gone = sum(size for hour, _, size in growth.hours if hour < _hour(cut))
    gone += sum(size for at, size in growth.bases if at < cut)
    return max(growth.size - gone, 0) + growth.per_day * arriving


def _hour(moment: datetime) -> int:
    return int(moment.timestamp()) // 3600


def _between(hours: Iterable[Hour], begin: int, end: int) -> Rate:
    found = [(segments, size) for hour, segments, size in hours if begin <= hour < end]
    return Rate(sum(segments for segments, _ in found), sum(size for _, size in found))


def _last_hour(hours: Sequence[Hour], now: datetime) -> Rate:
    current = _hour(now)
    rest = 1 - (now.timestamp() % 3600) / 3600
    this, before = _between(hours, current, current + 1), _between(hours, current - 1, current)
    return Rate(this.segments + rest * before.segments, this.size + rest * before.size)


def _usual(hours: Sequence[Hour], now: datetime) -> Rate | None:
    # The hour before the current one is part of "now", and the archive's first hour is not a whole one.
    end = _hour(now) - 1
    begin = max(end - 7 * 24, hours[0][0] + 1) if hours else end
    if end - begin < 3:
        return None
    seen = {hour: (segments, size) for hour, segments, size in hours if begin <= hour < end}
    week = [seen.get(hour, (0, 0)) for hour in range(begin, end)]
    return Rate(median(segments for segments, _ in week), median(size for _, size in week))


def _daily(hours: Sequence[Hour], now: datetime, ago: int, days: int) -> Rate | None:
    """The mean day of the ``days`` days that ended ``ago`` days before this hour began."""
    end = _hour(now) - 24 * ago
    if not hours or (whole := min((end - hours[0][0] - 1) // 24, days)) < 1:
        return None
    found = _between(hours, end - 24 * whole, end)
    return Rate(found.segments / whole, found.size / whole)


def _trend(hours: Sequence[Hour], now: datetime) -> float | None:
    if not hours or _hour(now) - hours[0][0] <= 14 * 24:
        return None
    this, before = _daily(hours, now, 0, 7), _daily(hours, now, 7, 7)
    if this is None or before is None or before.size == 0:
        return None
    return this.size / before.size - 1


def _distance(bases: Sequence[tuple[datetime, int]]) -> timedelta | None:
    if len(bases) < 2:
        return None
    return (bases[-1][0] - bases[0][0]) / (len(bases) - 1)


def _base_per_day(bases: Sequence[tuple[datetime, int]]) -> float | None:
    distance = _distance(bases)
    if not distance:
        return None
    return sum(size for _, size in bases) / len(bases) / (distance / DAY)
