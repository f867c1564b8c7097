"""How severity looks: a word first, then a glyph, and only then a colour. Three themes carry it.

``dark`` and ``light`` are for 256 colours and more; ``plain`` uses the terminal's own sixteen.
"""

from __future__ import annotations

from textual.content import Content
from textual.theme import Theme

from tui.verdict.health import Level

GLYPHS = {
    Level.FAILING: "x",
    Level.UNPROTECTED: "-",
    Level.DEGRADED: "!",
    Level.UNKNOWN: "?",
    Level.PROTECTED: "o",
}

STYLES = {
    Level.FAILING: "bold $text-error",
    Level.UNPROTECTED: "bold $text-warning",
    Level.DEGRADED: "$text-warning",
    Level.UNKNOWN: "",
    Level.PROTECTED: "$text-success",
}

DARK = Theme(
    name="dark",
    primary="#87afd7",
    secondary="#5f87af",
    accent="#d7af5f",
    success="#87af5f",
    warning="#d7af5f",
    error="#ff5f5f",
    foreground="#d0d0d0",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    dark=True,
)
LIGHT = Theme(
    name="light",
    primary="#005f87",
    secondary="#5f87af",
    accent="#875f00",
    success="#005f00",
    warning="#875f00",
    error="#af0000",
    foreground="#1c1c1c",
    background="#ffffff",
    surface="#eeeeee",
    panel="#e4e4e4",
    dark=False,
)
PLAIN = "ansi-dark"
"""Textual's own theme for the terminal's sixteen colours."""

THEMES = {"dark": DARK.name, "light": LIGHT.name, "plain": PLAIN}


def graded(level: Level, text: str) -> Content:
    """``text`` with the glyph and colour of a severity; never parsed as markup."""
    return Content.styled(f"{GLYPHS[level]} {text}", STYLES[level])


def quiet(text: str) -> Content:
    """Text that recedes: old, secondary, not a finding."""
    return Content.styled(text, "$foreground-muted")


def tinted(level: Level, text: str) -> Content:
    """``text`` in the colour of a severity, its word being signal enough."""
    return Content.styled(text, STYLES[level])
