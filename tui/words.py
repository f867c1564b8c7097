"""How we say things: ages as kubectl prints them, times, sizes; and the cleaning of text from outside.

Text that comes from a cluster or a bucket may hold escape sequences, bidirectional marks or ten
kilobytes of error. It is cleaned once, on entry, by :func:`clean`; everything past the gateways may
trust it not to move the cursor.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import humanize

# Control characters save tab and newline, the C1 block, and every mark that reorders or hides text
# (Unicode TR9 explicit formatting, zero-width characters, BOM, line and paragraph separators).
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_ESCAPES = re.compile(
    "\x1b(?:"
    r"\[[0-?]*[ -/]*[@-~]|"  # CSI ... final byte
    "[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|"  # OSC, DCS, SOS, PM, APC ... BEL or ST
    r"[ -/]*[0-~])"  # two-character sequences
)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def clean(text: str) -> str:
    """``text`` without escape sequences, control characters and marks that reorder or hide text.

    Newlines and tabs stay: a detail view shows them, a cell folds them (:func:`one_line`).
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))


def visible(text: str) -> str:
    """``text`` with a middle dot for every character that prints nothing or moves the cursor.

    For text that must not be cleaned because its odd characters are the matter, a schedule for one.
    """
    return "".join(char if char.isprintable() else "\u00b7" for char in text)


def one_line(text: str) -> str:
    """``text`` on one line: runs of blanks, tabs and newlines become one space."""
    return " ".join(text.split())


def age(span: timedelta) -> str:
    """A duration exactly as kubectl prints AGE: ``119s``, ``2m10s``, ``3h12m``, ``2d1h``, ``8y``.

    The rule is ``HumanDuration`` of Kubernetes (apimachinery ``pkg/util/duration/duration.go``),
    small negative spans included: clocks of two machines differ.
    """
    seconds = int(span / timedelta(seconds=1))  # towards zero, as Go converts
    if seconds < -1:
        return "<invalid>"
    if seconds < 120:
        return f"{max(seconds, 0)}s"
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 24 * 8:
        return _two(hours // 24, "d", hours % 24, "h")
    if hours < 24 * 365 * 2:
        return f"{hours // 24}d"
    if hours < 24 * 365 * 8:
        return _two(hours // 24 // 365, "y", hours // 24 % 365, "d")
    return f"{hours // 24 // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def ago(when: datetime | None, now: datetime) -> str:
    """How long ago, as kubectl's AGE; ``-`` for never."""
    return "-" if when is None else age(now - when)


def clock(when: datetime) -> str:
    """The time of day in UTC: ``14:03:12Z``."""
    return when.astimezone(UTC).strftime("%H:%M:%SZ")


def minutes(span: timedelta) -> str:
    """A duration that reads differently once a minute at most: ``<1m``, ``4m``, ``163m``, ``2d1h``.

    For cells of a whole fleet: seconds would be sent over the line every second, and decide nothing.
    """
    if span < MINUTE:
        return "<1m"
    return f"{span // MINUTE}m" if span < 10 * MINUTE else age(span)


def stamp(when: datetime) -> str:
    """Date and time in UTC to the second, as RFC3339: ``2026-11-22T14:03:12Z``."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(when: datetime, now: datetime) -> str:
    """The shortest unambiguous form: the clock today, date and clock on any other day (UTC)."""
    utc = when.astimezone(UTC)
    if utc.date() == now.astimezone(UTC).date():
        return clock(utc)
    layout = "%d %b %H:%M:%SZ" if utc.year == now.astimezone(UTC).year else "%Y-%m-%d %H:%M:%SZ"
    return utc.strftime(layout)


def size(count: int) -> str:
    """Bytes for people, in binary units: ``312.0 GiB``."""
    return humanize.naturalsize(count, binary=True)


def shorten(text: str, width: int) -> str:
    """``text`` on one line, cut to ``width`` characters with an ellipsis that says so."""
    line = one_line(text)
    return line if len(line) <= width else line[: width - 1] + "…"


def hang(text: str, *, indent: int, width: int) -> str:
    """``text`` wrapped to ``width`` cells, all lines after the first indented by ``indent``."""
    lines = textwrap.wrap(one_line(text), max(width - indent, 12), break_on_hyphens=False)
    return ("\n" + " " * indent).join(lines)


def number(count: int) -> str:
    """A whole number with thousands separated: ``41,203``."""
    return humanize.intcomma(count)


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """``1 backup``, ``2 backups``, ``41,203 segments``."""
    return f"{number(count)} {singular if count == 1 else plural or singular + 's'}"


def aligned(
    header: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, empty: str = ""
) -> Iterator[str]:
    """The lines of a table, its columns as wide as their widest; ``empty`` alone without rows."""
    if not rows:
        yield from [empty] if empty else []
        return
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        yield "   ".join(map(str.ljust, row, widths)).rstrip()
