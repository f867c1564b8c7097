"""The corners of Go's standard library a schedule's text meets: ``strconv`` and ``time.ParseDuration``.

The operator repeats what Go says about a bad number or duration, so those sentences are made here
as Go makes them. Nothing in here knows cron.
"""

from __future__ import annotations

import re
from typing import Final

_INT64_MAX: Final = 2**63 - 1
_UINT64_MAX: Final = 2**64 - 1
_DIGITS: Final = re.compile(r"[0-9]*")

_NANOSECONDS: Final = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # micro sign
    "\u03bcs": 1_000,  # Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_QUANTITY: Final = re.compile(r"(?P<whole>[0-9]*)(?P<fraction>\.[0-9]*)?(?P<unit>[^0-9.]*)")
# Too small to overflow, and what nearly everyone writes.
_PLAIN_QUANTITY: Final = re.compile(r"([0-9]{1,6})([hms])(?![^0-9.])")
_ESCAPES: Final = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
}


class GoError(ValueError):
    """What Go's own error says, word for word."""


def atoi(text: str) -> int:
    """``text`` as ``strconv.Atoi`` reads it on a 64-bit machine.

    ASCII digits with an optional sign: no blanks, no underscores, no digits of other scripts.
    Raises :class:`GoError`.
    """
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    body = text[1:] if text[:1] in ("+", "-") else text
    digits = _DIGITS.match(body)
    found = digits.group() if digits else ""
    # Go stops at the first digit that overflows 64 bits, before it sees a bad character after it.
    # Counting digits first keeps ten thousand of them away from Python's own conversion limit.
    significant = found.lstrip("0")
    overflows = len(significant) > 20 or int(significant or "0") > _UINT64_MAX
    if not overflows and (found != body or not found):
        raise GoError(f"strconv.Atoi: parsing {quote(text)}: invalid syntax")
    limit = _INT64_MAX + 1 if text.startswith("-") else _INT64_MAX
    if overflows or int(significant or "0") > limit:
        raise GoError(f"strconv.Atoi: parsing {quote(text)}: value out of range")
    number = int(significant or "0")
    return -number if text.startswith("-") else number


def quote(text: str) -> str:
    """``text`` as ``strconv.Quote`` prints it; which characters count as printable is Python's table."""
    return '"' + "".join(map(_quoted, text)) + '"'


def _quoted(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    if char in _ESCAPES:
        return _ESCAPES[char]
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def parse_duration(text: str) -> int:
    """Nanoseconds in ``text`` (``1h30m``, ``1.5s``) as ``time.ParseDuration`` reads it.

    Raises :class:`GoError`. Sums wrap where Go's unsigned 64-bit sum wraps.
    """
    at = 1 if text[:1] in ("+", "-") else 0
    if text[at:] == "0":
        return 0
    if at == len(text):
        raise _invalid_duration(text)
    total = 0
    while at < len(text):
        amount, at = _quantity(text, at)
        total = (total + amount) & _UINT64_MAX
        if total > _INT64_MAX + 1:
            raise _invalid_duration(text)
    if text.startswith("-"):
        return -total
    if total > _INT64_MAX:
        raise _invalid_duration(text)
    return total


def _quantity(text: str, at: int) -> tuple[int, int]:
    """The number with its unit at ``at`` in ``text``, in nanoseconds, and where it ends."""
    if plain := _PLAIN_QUANTITY.match(text, at):
        return int(plain[1]) * _NANOSECONDS[plain[2]], plain.end()
    found = _QUANTITY.match(text, at)
    whole, fraction, unit = found.group("whole", "fraction", "unit") if found else ("", None, "")
    significant = whole.lstrip("0") or "0"
    if len(significant) > 19 or int(significant) > _INT64_MAX + 1:
        raise _invalid_duration(text)
    if not whole and fraction in (None, "."):
        raise _invalid_duration(text)
    if not unit:
        raise GoError(f"time: missing unit in duration {_duration_quote(text)}")
    scale = _NANOSECONDS.get(unit)
    if scale is None:
        quoted = _duration_quote(unit)
        raise GoError(f"time: unknown unit {quoted} in duration {_duration_quote(text)}")
    amount = int(significant) * scale
    if amount <= _INT64_MAX + 1 and fraction:
        amount += _fraction(fraction[1:], scale)
    if amount > _INT64_MAX + 1:
        raise _invalid_duration(text)
    return amount, found.end() if found else at


def _invalid_duration(text: str) -> GoError:
    return GoError(f"time: invalid duration {_duration_quote(text)}")


def _fraction(digits: str, unit: int) -> int:
    """The digits behind the point in nanoseconds, with the floating-point rounding Go has there."""
    value, scale = 0, 1.0
    for digit in digits:
        if value > _INT64_MAX // 10:
            break
        grown = value * 10 + int(digit)
        if grown > _INT64_MAX + 1:
            break
        value, scale = grown, scale * 10
    return int(float(value) * (float(unit) / scale)) if value else 0


def _duration_quote(text: str) -> str:
    """``text`` as package ``time`` quotes it: every byte outside printable ASCII as ``\\x..``."""
    out = []
    for char in text:
        if char < " " or char >= "\x80":
            out += [f"\\x{byte:02x}" for byte in char.encode()]
        else:
            out.append("\\" + char if char in '"\\' else char)
    return '"' + "".join(out) + '"'
