"""How a schedule stands: the words in the list and the sentence under it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from tests.verdict.fleet import NIGHTLY, NOW, a_child, at
from tui.cnpg.backup import Backup
from tui.cnpg.manifest import Key
from tui.verdict import schedules
from tui.verdict.health import Level
from tui.verdict.schedules import Standing


def stands(*children: Backup, **fields: Any) -> Standing:
    return schedules.standing(replace(NIGHTLY, **fields), children, NOW, UTC)


def test_a_schedule_that_fires_as_it_should_is_active() -> None:
    found = stands(a_child())
    assert (found.level, found.word) == (Level.PROTECTED, "active")
    assert found.sentence == "every day at 02:00:00"
    assert found.outlook.next_run == at("2026-11-23T02:00:00")


@pytest.mark.parametrize(
    ("fields", "word", "said"),
    [
        ({"suspended": True}, "suspended", "nothing fires"),
        ({"schedule": "0 0 2 * * 7"}, "invalid", "End of range (7) above maximum (6): 7"),
        ({"error": "the resource failed"}, "invalid", "guard refused it: the resource failed"),
        ({"plugin": ""}, "invalid", "no plugin is named"),
        ({"schedule": "0 0 0 30 2 *"}, "never fires", "no day 30 in February"),
        ({"schedule": "0 2 * * *", "last_check": at("2026-11-22T13:02:00")}, "misread",
         "every hour at minute 2, second 0. Unix cron reads every day at 02:00"),
        ({"last_check": at("2026-11-21T02:00:00")}, "overdue", "the slot 02:00:00Z has passed"),
        ({"last_check": None}, "overdue", "has not looked at it since it was created 52d ago"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_a_word_and_a_sentence(
    fields: dict[str, Any], word: str, said: str
) -> None:
    found = stands(**fields)
    assert found.word == word
    assert said in found.sentence
    assert found.advice


def test_a_name_too_long_for_a_label_is_invalid() -> None:
    found = stands(key=Key("prod", "n" * 64))
    assert found.word == "invalid"
    assert "64 characters" in found.sentence


def test_a_stuck_backup_blocks_once_a_slot_has_come() -> None:
    stuck = a_child("nightly-20261121020000", "pending", started="2026-11-21T02:00:00Z")
    found = stands(stuck, last_check=at("2026-11-21T02:00:00"))
    assert found.word == "blocked by nightly-20261121020000"
    assert "is pending since 21 Nov 02:00:00Z" in found.sentence


def test_a_backup_that_runs_between_two_slots_blocks_nothing() -> None:
    assert stands(a_child(phase="started")).word == "active"


def test_a_slot_of_a_moment_ago_is_not_overdue_yet() -> None:
    late = replace(NIGHTLY, schedule="0 0 14 * * *", last_check=at("2026-11-21T14:00:00"))
    assert schedules.standing(late, (), NOW, UTC).word == "active"
    assert schedules.standing(late, (), NOW + timedelta(minutes=5), UTC).word == "overdue"


def test_a_suspended_schedule_is_never_called_overdue() -> None:
    assert stands(suspended=True, last_check=at("2026-01-01T00:00:00")).word == "suspended"


def test_odd_characters_of_a_schedule_do_not_reach_the_screen() -> None:
    assert "\x1b" not in stands(schedule="\x1b[2J 0 0 * * *").sentence


def test_the_usual_duration_is_that_of_the_newest_ten() -> None:
    old = [
        a_child(
            f"old-{day}", started=f"2026-10-{day:02}T02:00:00Z", ended=f"2026-10-{day:02}T09:00:00Z"
        )
        for day in range(1, 20)
    ]
    new = [
        a_child(
            f"new-{day}", started=f"2026-11-{day:02}T02:00:00Z", ended=f"2026-11-{day:02}T02:20:00Z"
        )
        for day in range(1, 11)
    ]
    assert schedules.usual_duration([*old, *new]) == timedelta(minutes=20)
    assert schedules.usual_duration([a_child(phase="failed")]) is None
