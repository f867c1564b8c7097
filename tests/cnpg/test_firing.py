"""What the controller does next, told from what its source does (scheduledbackup_controller.go)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tui.cnpg import backup, firing, schedule
from tui.cnpg.backup import Backup
from tui.cnpg.firing import Outlook
from tui.cnpg.manifest import BARMAN_PLUGIN, Key
from tui.cnpg.schedule import ScheduledBackup

NOW = datetime(2026, 11, 22, 14, 1, 2, tzinfo=UTC)
NIGHTLY = schedule.new(
    Key("prod", "nightly"), "pg", "0 0 2 * * *", method="plugin", plugin=BARMAN_PLUGIN
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def checked(text: str, last_check: str, **more: bool) -> ScheduledBackup:
    return replace(NIGHTLY, schedule=text, last_check=at(last_check), **more)  # type: ignore[arg-type]


def foreseen(found: ScheduledBackup, *children: Backup, count: int = 5) -> Outlook:
    return firing.outlook(found, children, NOW, UTC, count=count)


def a_child(name: str, phase: str, created: str = "2026-11-22T02:00:00Z") -> Backup:
    return backup.read(
        {
            "metadata": {
                "name": name,
                "namespace": "prod",
                "creationTimestamp": created,
                "labels": {backup.SCHEDULE_LABEL: "nightly"},
            },
            "spec": {"cluster": {"name": "pg"}},
            "status": {"phase": phase},
        }
    )


def test_a_new_schedule_waits_for_its_first_slot() -> None:
    seen = foreseen(NIGHTLY)
    assert not seen.fires_now
    assert seen.runs[:2] == (at("2026-11-23T02:00:00"), at("2026-11-24T02:00:00"))


def test_immediate_fires_when_the_schedule_is_first_seen() -> None:
    seen = foreseen(replace(NIGHTLY, immediate=True))
    assert seen.fires_now
    assert seen.immediate
    assert seen.at_once == NOW


def test_immediate_means_nothing_after_the_first_check() -> None:
    assert not foreseen(checked("0 0 2 * * *", "2026-11-22T02:00:00", immediate=True)).fires_now


def test_a_slot_that_came_since_the_last_check_fires_at_once() -> None:
    seen = foreseen(checked("0 0 14 * * *", "2026-11-22T13:31:07"))
    assert seen.fires_now
    assert seen.missed == 1
    assert seen.at_once == at("2026-11-22T14:00:00")
    assert seen.next_run == seen.at_once


def test_missed_slots_become_one_named_after_the_oldest() -> None:
    seen = foreseen(checked("0 2 * * *", "2026-11-22T10:31:07"))
    assert seen.missed == 3
    assert seen.at_once == at("2026-11-22T11:02:00")
    assert firing.child_name("nightly", seen.at_once) == "nightly-20261122110200"
    assert seen.runs[0] == at("2026-11-22T14:02:00")


def test_missed_slots_are_not_counted_for_ever() -> None:
    assert foreseen(checked("* * * * * *", "2026-10-22T10:31:07")).missed == firing.MOST_MISSED


def test_a_suspended_schedule_fires_nothing_and_still_knows_what_it_would_do() -> None:
    seen = foreseen(checked("0 2 * * *", "2026-11-22T10:31:07", suspended=True))
    assert not seen.fires_now
    assert seen.next_run is None
    assert seen.missed == 3


@pytest.mark.parametrize("phase", ["", "pending", "started", "walArchivingFailing"])
def test_a_child_that_is_not_done_holds_it(phase: str) -> None:
    seen = foreseen(checked("0 2 * * *", "2026-11-22T10:31:07"), a_child("nightly-1", phase))
    assert seen.held_by is not None
    assert not seen.fires_now


@pytest.mark.parametrize("phase", ["completed", "failed"])
def test_a_child_that_is_done_holds_nothing(phase: str) -> None:
    seen = foreseen(checked("0 2 * * *", "2026-11-22T10:31:07"), a_child("nightly-1", phase))
    assert seen.fires_now


def test_the_oldest_child_is_the_one_to_look_at() -> None:
    seen = foreseen(
        NIGHTLY,
        a_child("nightly-2", "pending", "2026-11-22T02:00:00Z"),
        a_child("nightly-1", "pending", "2026-11-21T02:00:00Z"),
    )
    assert seen.held_by is not None
    assert seen.held_by.key.name == "nightly-1"


def test_only_backups_with_the_label_and_of_the_namespace_are_children() -> None:
    mine = a_child("nightly-1", "pending")
    elsewhere = replace(mine, key=Key("test", "nightly-1"))
    by_hand = replace(mine, key=Key("prod", "by-hand"), schedule="")
    assert firing.children(NIGHTLY, [mine, elsewhere, by_hand]) == (mine,)


def test_every_counts_from_the_last_check_and_is_not_aligned() -> None:
    seen = foreseen(checked("@every 90m", "2026-11-22T13:00:01"), count=2)
    assert seen.runs == (at("2026-11-22T14:30:01"), at("2026-11-22T16:00:01"))


def test_every_that_fires_now_counts_on_from_now() -> None:
    seen = foreseen(checked("@every 1h", "2026-11-22T10:00:00"), count=1)
    assert seen.at_once == at("2026-11-22T11:00:00")
    assert seen.runs == (at("2026-11-22T15:01:02"),)


def test_slots_are_those_of_the_operators_clock() -> None:
    zone = ZoneInfo("Asia/Tokyo")
    seen = firing.outlook(NIGHTLY, (), NOW, zone, count=1)
    assert seen.runs[0].astimezone(UTC) == at("2026-11-22T17:00:00")
    assert firing.child_name("nightly", seen.runs[0]) == "nightly-20261123020000"


@pytest.mark.parametrize(
    ("text", "refused", "never"),
    [("0 0 0 30 2 *", False, True), ("0 3 * * 0", True, False), ("0 0 2 * * *", False, False)],
)
def test_a_text_that_is_refused_and_one_that_never_fires_are_told_apart(
    text: str, refused: bool, never: bool
) -> None:
    seen = foreseen(replace(NIGHTLY, schedule=text))
    assert (seen.refused, seen.never) == (refused, never)
