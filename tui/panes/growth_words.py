"""How a server name grows, in a chart and a few lines under it. Pure: values in, words out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from tui import words
from tui.cnpg.location import Location, Place
from tui.cnpg.manifest import CLUSTERS
from tui.live.estate import Estate
from tui.verdict import growth, kept
from tui.verdict.growth import DAY, HOUR, R2, SPANS, Bucket, Growth, Span
from tui.verdict.health import STALE_AFTER
from tui.verdict.kept import Kept
from tui.verdict.witnesses import Film
from tui.widgets import growth_line

_EACH = {HOUR: "/h", DAY: "/day"}


def of(estate: Estate, place: Place, film: Film, span: Span, now: datetime) -> Iterator[str]:
    """The chart of a span, the rates, the newest WAL, and what it comes to."""
    seen = film.at
    """What came after the last look is not known: its rate is not "now"."""
    grown = growth.of(film.server, now=seen, segment_size=film.continuity.segment_size)
    when = "now" if now - seen < STALE_AFTER else f"{seen:%H:%MZ}"
    yield from chart(grown, span, seen, when)
    yield f"{when:<10}{_rates(grown)}"
    yield f"newest    {newest(estate, place, film, now)}"
    yield f"grows     {_per_day(grown)}{_compressed(grown)}"
    yield from ahead(grown, retention_of(estate, place, film, grown), seen)
    if film.whole is None:
        yield "not all has been listed yet: these are lower bounds"


def retention_of(estate: Estate, place: Place, film: Film, grown: Growth) -> Kept:
    """What the clusters that use this server name delete of it."""
    users = estate.users(place, film.server.name)
    located = (estate.locations[key] for key in users)
    policies = [at.retention_policy for at in located if isinstance(at, Location)]
    if not users and not estate.heard(CLUSTERS):
        policies = [None]
    fold = estate.archives.folds.get(place)
    return kept.of(policies, grown, fold.infos.get(film.server.name, {}) if fold else {})


def chart(grown: Growth, span: Span, now: datetime, until: str) -> Iterator[str]:
    """Bytes and segments, a line each with the largest named, and under them from when to when."""
    bars = growth.series(grown.hours, now, span)
    yield _bars("bytes", bars, span, lambda bar: bar.size, words.size)
    yield _bars("segments", bars, span, lambda bar: bar.segments, words.number)
    since = _at(bars[0].since, span)
    following = SPANS[(SPANS.index(span) + 1) % len(SPANS)]
    until = until.rjust(span.count - len(since))
    older = ""
    if grown.hours and grown.hours[0][0] * 3600 >= bars[1].since.timestamp():
        oldest = datetime.fromtimestamp(grown.hours[0][0] * 3600, now.tzinfo)
        older = f"  none is older than {oldest:%d %b %H:%MZ}"
    yield f"{span.name:<10}{since}{until}  z: {following.name}{older}"


def _bars(
    label: str,
    bars: Sequence[Bucket],
    span: Span,
    value: Callable[[Bucket], int],
    said: Callable[[int], str],
) -> str:
    most = max(bars, key=value)
    drawn = growth_line.bars([value(bar) for bar in bars])
    if not value(most):
        return f"{label:<10}{drawn}  none in {span.name}"
    each = _EACH.get(span.width, f" in {span.width // HOUR} h")
    return f"{label:<10}{drawn}  most {said(value(most))}{each}, {_at(most.since, span)}"


def _at(since: datetime, span: Span) -> str:
    return f"{since:%d %b}" if span.width == DAY else f"{since:%d %b %H:%MZ}"


def _rates(grown: Growth) -> str:
    rate, usual = grown.now_per_hour, grown.usual_per_hour
    segments = words.counted(round(rate.segments), "segment")
    said = f"{words.size(round(rate.size))} and {segments} an hour"
    if usual is None:
        return f"{said}; too young to say what is usual"
    return f"{said}; usual {words.size(round(usual.size))} and {usual.segments:.0f}"


def newest(estate: Estate, place: Place, film: Film, now: datetime) -> str:
    """How old the newest WAL is, beside the archive_timeout of whoever writes it."""
    last = film.server.last_archived
    if last is None:
        return "no WAL"
    said = f"{last.segment}, {words.ago(last.at, now)} ago"
    limits = [
        (key.name, cluster.archive_timeout)
        for key in estate.users(place, film.server.name)
        if (cluster := estate.cluster(key)) is not None and cluster.archive_timeout
    ]
    told = (f"archive_timeout of {name} {words.age(limit)}" for name, limit in limits)
    over = any(now - last.at > 2 * limit for _, limit in limits)
    return "; ".join([said, *told, *(["idle, or behind"] if over else [])])


def _per_day(grown: Growth) -> str:
    if grown.per_day is None:
        return "too young to say"
    trend = f", {grown.trend:+.0%} on the week before" if grown.trend is not None else ""
    return f"+{words.size(round(grown.per_day))}/day{trend}"


def _compressed(grown: Growth) -> str:
    ratio = grown.compression_ratio
    return f"; WAL compressed {ratio:.1f} to 1" if ratio is not None else ""


def ahead(grown: Growth, holds: Kept, now: datetime) -> Iterator[str]:
    """What it comes to in 7 and 30 days, what that costs, and on which retention it counts."""
    found = [
        f"{words.size(round(size))} in {days} d (${R2.month(size):.2f}/month)"
        for days in (7, 30)
        if (size := growth.forecast(grown, now, days, holds.window)) is not None
    ]
    if found:
        yield f"forecast  {', '.join(found)}"
    yield f"          {holds.why}{'; prices of R2' if found else ''}"
