"""Who descends from whom, as PostgreSQL reads it."""

from __future__ import annotations

import pytest

from tui.barman import history
from tui.barman.history import History, Span, Switch, Unreadable


def read(text: str, timeline: int = 9) -> History | Unreadable:
    return history.parse(text.encode(), timeline)


def spans(text: str, timeline: int) -> list[tuple[int, int, int | None]]:
    found = read(text, timeline)
    assert isinstance(found, History)
    return [(span.timeline, span.start, span.end) for span in found.spans]


def test_a_history_names_parents_and_switch_points() -> None:
    text = "1\t0/120000A0\tno recovery target specified\n\n2\t1/0\tbefore 2026-11-22 14:00:00+00\n"
    assert read(text, 3) == History(
        3,
        (
            Switch(1, 0x120000A0, "no recovery target specified"),
            Switch(2, 0x1_00000000, "before 2026-11-22 14:00:00+00"),
        ),
    )


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "# comment\n", "  # comment\n\t\n"],
)
def test_a_history_without_lines_has_no_ancestors(text: str) -> None:
    assert read(text) == History(9, ())


def test_a_reason_may_be_missing_hold_tabs_or_try_to_move_the_cursor() -> None:
    found = read("1 0/1000000\n2\t0/2000000\ta\tb\x1b[2J c\n")
    assert isinstance(found, History)
    assert [switch.reason for switch in found.switches] == ["", "a b c"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("one\t0/1\tx", "line 1 is not a timeline and a switch point"),
        ("1\n", "line 1 is not a timeline and a switch point"),
        ("1\tnowhere\tx", "line 1 is not a timeline and a switch point"),
        ("1\t0/123456789\tx", "line 1: '0/123456789' is not an LSN"),
        ("2\t0/1\tx\n1\t0/2\tx", "line 2: timelines are not in increasing order"),
        ("2\t0/1\tx\n2\t0/2\tx", "line 2: timelines are not in increasing order"),
        ("9\t0/1\tx", "it names timeline 9 as an ancestor"),
        ("<html>", "line 1 is not a timeline and a switch point"),
    ],
)
def test_what_postgresql_refuses_is_unreadable_with_its_reason(text: str, why: str) -> None:
    assert read(text, 9) == Unreadable(9, why)


def test_bytes_that_are_no_utf8_do_not_hide_the_switch_point() -> None:
    found = history.parse(b"1\t0/1000000\tcaf\xe9\n", 2)
    assert isinstance(found, History)
    assert found.switches[0].at == 0x1000000


def test_each_timeline_contributes_from_its_switch_to_the_next() -> None:
    assert spans("1\t0/10\ta\n2\t0/30\tb\n", 3) == [(1, 0, 0x10), (2, 0x10, 0x30), (3, 0x30, None)]


def test_a_timeline_left_where_it_began_contributes_nothing() -> None:
    assert spans("1\t0/10\ta\n2\t0/10\tb\n", 3) == [(1, 0, 0x10), (3, 0x10, None)]


def test_lines_overtaken_by_a_recovery_to_an_older_point_contribute_nothing() -> None:
    assert spans("1\t0/50\ta\n2\t0/60\tb\n3\t0/30\tc\n", 4) == [(1, 0, 0x30), (4, 0x30, None)]
    assert spans("1\t0/50\ta\n2\t0/90\tb\n3\t0/60\tc\n", 4) == [
        (1, 0, 0x50),
        (2, 0x50, 0x60),
        (4, 0x60, None),
    ]


def test_a_history_is_asked_for_one_timeline() -> None:
    found = read("1\t0/10\ta\n2\t0/10\tb\n", 3)
    assert isinstance(found, History)
    assert found.span_of(1) == Span(1, 0, 0x10)
    assert found.span_of(2) is None
