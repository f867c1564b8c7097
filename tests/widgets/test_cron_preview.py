"""The preview under a schedule that is being written: what it says, and that it never jumps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from tests.verdict.fleet import NIGHTLY, NOW, at
from tui.cnpg import firing
from tui.verdict import saving
from tui.verdict.lint import Around
from tui.widgets import cron_preview
from tui.widgets.cron_preview import HEIGHT, LABEL, Preview

BERLIN = ZoneInfo("Europe/Berlin")
CHECKED = replace(NIGHTLY, last_check=at("2026-11-22T10:31:07"))


def in_berlin(moment: datetime) -> datetime:
    return moment.astimezone(BERLIN)


def preview(text: str, zone: tzinfo = UTC) -> Preview:
    wanted = replace(CHECKED, schedule=text)
    outlook = firing.outlook(wanted, (), NOW, zone)
    remarks = saving.on_save(CHECKED, wanted, Around(), NOW, zone, outlook)
    return Preview(outlook, remarks, NOW, zone, in_berlin)


def drawn(text: str, *, width: int = 78, zone: tzinfo = UTC) -> list[str]:
    return [line.plain.rstrip() for line in cron_preview.lines(preview(text, zone), width)]


def test_the_trap_is_told_with_both_readings_its_price_and_its_fix() -> None:
    assert drawn("0 2 * * *") == [
        "",
        "CNPG       every hour at minute 2, second 0",
        "           24 a day, 730.49 a month",
        "Unix cron  reads every day at 02:00",
        "           ctrl-f makes it 0 0 2 * * *",
        "On save    ! fires a backup at once: the last check was 10:31:07Z and 3 slots",
        "             from 11:02:00Z on lie behind; they become one,",
        "             nightly-20261122110200",
        "Next       in       UTC                   local            operator: UTC",
        "           at once  for the missed slot Sun 22 Nov 11:02:00Z",
        "           58s      Sun 22 Nov 14:02:00Z  Sun 15:02:00 CET",
        "           60m      Sun 22 Nov 15:02:00Z  Sun 16:02:00 CET",
        "           120m     Sun 22 Nov 16:02:00Z  Sun 17:02:00 CET",
        "           3h       Sun 22 Nov 17:02:00Z  Sun 18:02:00 CET",
        "Sun 22 Nov 0     3     6     9     12    15    18    21    24",
        "           |.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.|.",
        "Week       Sun 10  Mon 24  Tue 24  Wed 24  Thu 24  Fri 24  Sat 24",
    ]


@pytest.mark.parametrize("text", ["@reboot", "@Daily", "@daily foo"])
def test_the_hint_about_descriptors_is_read_to_its_end(text: str) -> None:
    told = drawn(text)
    assert "only these, in small letters: @" in " ".join(told)
    assert any(line.endswith("@every with a duration") for line in told)


def test_a_sound_schedule_says_when_and_nothing_more() -> None:
    said = drawn("0 0 3 * * *")
    assert said[1] == "CNPG       every day at 03:00:00"
    assert said[3:5] == ["", ""]
    assert said[5] == "On save    o fires nothing; next run 23 Nov 03:00:00Z, in 12h"
    assert said[9] == "           12h      Mon 23 Nov 03:00:00Z  Mon 04:00:00 CET"
    assert said[15] == "           ......|........................................."


def test_a_refusal_is_underlined_and_says_what_to_write() -> None:
    said = drawn("0 0 0 * * 1,7")
    assert said[0] == " " * (LABEL + len("0 0 0 * * 1,")) + "^"
    assert said[1:3] == [
        "CNPG       End of range (7) above maximum (6): 7",
        "           the weekday field takes 0 to 6 or sun to sat; Sunday is 0",
    ]
    assert said[5] == "On save    x the server will refuse it"
    assert said[8:] == [""] * (HEIGHT - 8)


def test_a_refusal_is_read_to_its_end_also_in_a_narrow_terminal() -> None:
    assert drawn("TZ=UTC 0 0 2 * * *", width=48)[:5] == [
        " " * (LABEL + len("TZ=UTC 0 0 2 * * ")) + "^",
        "CNPG       Expected 5 to 6 fields, found 7:",
        "           TZ=UTC 0 0 2 * * *",
        "           a schedule cannot name a zone; the",
        "           operator's own counts, which is normally UTC",
    ]


def test_where_a_meant_schedule_stands_below_a_refusal_each_has_its_two_lines() -> None:
    said = drawn("0 1 * * 0")
    assert said[1] == "CNPG       Beginning of range (0) below minimum (1): 0"
    assert said[2].startswith("           the month field takes 1 to 12 or jan to dec; five")
    assert said[3:5] == [
        "Unix cron  reads every Sunday at 01:00",
        "           ctrl-f makes it 0 0 1 * * 0",
    ]


def test_the_operators_clock_has_a_column_where_it_is_not_utc() -> None:
    said = drawn("0 0 2 * * *", zone=ZoneInfo("Asia/Tokyo"))
    assert said[8].endswith("operator Asia/Tokyo")
    assert said[9] == "           178m     Sun 22 Nov 17:00:00Z  Sun 18:00:00 CET Mon 02:00:00 JST"


@pytest.mark.parametrize(
    ("text", "word", "fix"),
    [
        ("0 0 2 * * *", "o valid", None),
        ("0 2 * * *", "x accepted, but misread", "0 0 2 * * *"),
        ("0 2 * * * *", "! valid; is it meant?", "0 0 2 * * *"),
        ("0 0 0 30 2 *", "x valid, but never fires", None),
        ("0 3 * * 0", "x refused", "0 0 3 * * 0"),
        ("", "x refused", None),
    ],
)
def test_the_verdict_is_a_glyph_and_a_word(text: str, word: str, fix: str | None) -> None:
    outlook = preview(text).outlook
    assert cron_preview.verdict(outlook).plain == word
    assert cron_preview.fix(outlook.judgement) == fix


@pytest.mark.parametrize("width", [20, 40, 60, 78, 118, 158])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "0 2 * * *",
        "0 0 2 * * *",
        "* * * * * *",
        "*/7 1-3 * * 1,3 *",
        "@every 1h",
        "0 0 0 30 2 *",
        "0 0 0 29 2 1",
        "x" * 10_000,
        "1," * 5_000,
        "0 0\x1b[2J 0 * *",
        "\u200b \u3000 * * * *",
    ],
)
def test_whatever_is_typed_it_is_as_high_as_ever_and_moves_no_cursor(text: str, width: int) -> None:
    said = cron_preview.lines(preview(text), width)
    assert len(said) == HEIGHT
    assert all(line.plain.isprintable() for line in said)


def test_trouble_far_into_a_long_text_is_named_by_its_place() -> None:
    assert drawn("1," * 100 + "x 0 0 * * *")[0].strip() == (
        "the trouble is at character 201 of 211"
    )


def test_more_remarks_than_room_are_counted() -> None:
    many = replace(
        preview("0 0 3 * * *"), remarks=(saving.Remark(preview("").remarks[0].level, "a"),) * 5
    )
    said = [line.plain.rstrip() for line in cron_preview.lines(many, 78)]
    assert said[5:8] == [
        "On save    x a",
        "           x a",
        "           and 3 more remarks, shown before saving",
    ]
