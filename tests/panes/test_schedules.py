"""The schedules: which fire as meant, which do not, and what the keys do to them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.panes.conftest import Open
from tests.panes.objects import (
    DAY,
    HOUR,
    MINUTE,
    Manifest,
    a_backup,
    a_cluster,
    a_schedule,
    completed,
    stamp,
)
from tests.panes.stage import Stage
from tui.sandbox.apiserver import ApiServer

ACCEPTED = "dry run: the server accepts it"
WIDE = (150, 30)


def checked(name: str, schedule: str, *, ago: float, cluster: str = "pg", **spec: Any) -> Manifest:
    """A schedule that the operator last looked at, and fired for, ``ago`` seconds ago."""
    found = a_schedule(name, cluster, schedule)
    found["spec"] |= spec
    found["status"] = {"lastCheckTime": stamp(ago), "lastScheduleTime": stamp(ago)}
    return found


def a_child(of: str, phase: str, age: float = HOUR) -> Manifest:
    labels = {"cnpg.io/scheduled-backup": of, "cnpg.io/cluster": "pg"}
    return a_backup(f"{of}-20261121020000", age=age, labels=labels, phase=phase)


def schedule_of(screen: Stage, name: str) -> Manifest:
    (found,) = [
        each for each in screen.stored("scheduledbackups") if each["metadata"]["name"] == name
    ]
    return found


async def opened(screen: Stage, *shown: str) -> None:
    """The pane, with its rows."""
    await screen.until("live")
    await screen.press("3")
    await screen.until(*shown)


async def test_each_schedule_has_its_state_worst_first(stage: Open) -> None:
    async with stage(
        a_cluster("pg"),
        checked("fine", "@every 24h", ago=HOUR),
        checked("resting", "0 0 2 * * *", ago=40 * DAY, suspend=True),
        checked("trapped", "59 59 * 31 12", ago=MINUTE),
        checked("wrong", "0 0 2 * * 7", ago=HOUR),
        checked("late", "@every 1h", ago=3 * HOUR),
        checked("stuck", "@every 1h", ago=3 * HOUR),
        a_child("stuck", "pending"),
        checked("idle", "0 0 0 30 2 *", ago=HOUR),
        size=WIDE,
    ) as screen:
        await opened(screen, "blocked by stuck-2026", "x overdue", "x invalid", "x never fires")
        await screen.until("! misread", "! suspended", "o active")
        names = ("idle", "late", "stuck", "wrong", "resting", "trapped", "fine")
        assert screen.column(*names)[:7] == list(names)


async def test_a_row_says_the_schedule_in_words_and_when_it_ran_and_will(stage: Open) -> None:
    async with stage(
        a_cluster("pg"), checked("half-daily", "@every 12h", ago=2.5 * HOUR), size=WIDE
    ) as screen:
        await opened(screen, "half-daily")
        row = " ".join(screen.row("> half-daily").split())
        assert row == (
            "> half-daily pg @every 12h every 12 hours, counted from the last check 9h 150m "
            "o active plugin"
        )


async def test_at_80_columns_what_matters_remains(stage: Open) -> None:
    long = checked("nightly-of-all-the-orders", "0 30 2 * * 1-5", ago=0, cluster="orders-eu-west")
    async with stage(a_cluster("orders-eu-west"), long) as screen:
        await opened(screen, "nightly")
        head = screen.row("SCHEDULE")
        assert all(title in head for title in ("NAME", "SCHEDULE", "NEXT RUN", "STATE"))
        assert "IN WORDS" not in head
        assert screen.row("> nightly").endswith("o active")
        await screen.until("cluster orders-eu-west, method plugin")


async def test_the_details_say_what_is_wrong_and_what_to_write(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("trap", "59 5 * * *", ago=0)) as screen:
        await opened(
            screen,
            "five fields begin with the second here",
            "Unix cron reads every day at 05:59",
            "now write 0 59 5 * * *",
        )


async def test_a_backup_that_ends_lets_its_schedule_go_on(stage: Open) -> None:
    child = a_child("stuck", "pending")
    async with stage(
        a_cluster("pg"), checked("stuck", "@every 1h", ago=62 * MINUTE), child
    ) as screen:
        await opened(screen, "blocked by stuck")
        screen.server.store.seed({**child, "status": completed(MINUTE)})
        await screen.until("o active")


async def test_a_schedule_that_cannot_be_read_is_a_row_with_the_reason(stage: Open) -> None:
    odd = a_schedule("odd", "pg", "0 0 2 * * *")
    odd["spec"]["pluginConfiguration"] = "none of your business"
    async with stage(odd) as screen:
        await opened(screen, "? unreadable", "odd cannot be read:", "pluginConfiguration")


async def test_no_schedule_at_all_is_a_sentence_with_a_way_on(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await opened(screen, "No ScheduledBackup here. n writes one")


async def test_an_escape_sequence_in_a_schedule_is_shown_not_obeyed(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("evil", "\x1b[2J 0 2 * * *", ago=HOUR)) as screen:
        await opened(screen, "·[2J 0 2 * * *", "x invalid")
        assert "\x1b" not in screen.text


async def test_the_schedules_of_the_cluster_that_is_chosen_come_under_the_cursor(
    stage: Open,
) -> None:
    async with stage(
        a_cluster("alpha"),
        a_cluster("beta"),
        checked("a-nightly", "@every 24h", ago=HOUR, cluster="alpha"),
        checked("b-nightly", "@every 24h", ago=HOUR, cluster="beta"),
    ) as screen:
        await screen.until("> alpha")
        await screen.press("j")
        await opened(screen, "> b-nightly")


async def test_sorting_by_the_next_run_puts_the_nearest_first(stage: Open) -> None:
    async with stage(
        a_cluster("pg"),
        checked("a-far", "@every 24h", ago=HOUR),
        checked("b-near", "@every 2h", ago=HOUR),
        checked("c-never", "@every 2h", ago=HOUR, suspend=True),
        size=WIDE,
    ) as screen:
        await opened(screen, "a-far")
        await screen.press("s", "s", "s", "s", "s")
        await screen.until("NEXT RUN↑")
        assert screen.column("a-far", "b-near", "c-never")[:3] == ["b-near", "a-far", "c-never"]


# Suspend and resume


async def test_space_suspends_after_showing_the_difference(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("nightly", "@every 24h", ago=HOUR)) as screen:
        await opened(screen, "> nightly")
        await screen.press("space")
        await screen.until(ACCEPTED, "Suspend ScheduledBackup nightly", "+ suspend: true")
        assert "suspend" not in schedule_of(screen, "nightly")["spec"]
        await screen.press("enter")
        await screen.until("! suspended")
        assert schedule_of(screen, "nightly")["spec"]["suspend"] is True


async def test_resuming_warns_that_a_backup_fires_at_once(stage: Open) -> None:
    resting = checked("nightly", "@every 24h", ago=30 * HOUR, suspend=True)
    async with stage(a_cluster("pg"), resting) as screen:
        await opened(screen, "! suspended")
        await screen.press("space")
        await screen.until(ACCEPTED, "Resume ScheduledBackup nightly", "! fires a backup at once")
        await screen.press("enter")
        await screen.gone("! suspended")
        assert schedule_of(screen, "nightly")["spec"]["suspend"] is False


async def test_saying_no_changes_nothing(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("nightly", "@every 24h", ago=HOUR)) as screen:
        await opened(screen, "> nightly")
        await screen.press("space")
        await screen.until(ACCEPTED)
        await screen.press("escape")
        await screen.until("> nightly")
        assert "suspend" not in schedule_of(screen, "nightly")["spec"]


async def test_a_schedule_that_somebody_else_suspended_first_is_left_alone(
    stage: Open, server: ApiServer
) -> None:
    async with stage(a_cluster("pg"), checked("nightly", "@every 24h", ago=HOUR)) as screen:
        await opened(screen, "> nightly")
        await screen.press("space")
        await screen.until(ACCEPTED)
        server.store.seed(checked("nightly", "@every 24h", ago=HOUR, suspend=True))
        await screen.press("enter")
        await screen.until("They changed", "You want", "both changed suspend")
        await screen.press("enter")
        await screen.until(lambda s: "nightly is suspended already" in s.toasts)


# Run now


async def test_b_takes_a_backup_of_the_schedules_shape_that_is_no_child_of_it(stage: Open) -> None:
    shaped = checked("nightly", "@every 24h", ago=HOUR, target="primary")
    async with stage(a_cluster("pg"), shaped) as screen:
        await opened(screen, "> nightly")
        await screen.press("b")
        await screen.until(ACCEPTED, "as nightly would", "--backup-target primary")
        await screen.press("enter")
        await screen.until(lambda s: s.stored("backups"))
        (made,) = screen.stored("backups")
        assert made["metadata"]["name"].startswith("nightly-")
        assert made["metadata"]["name"].endswith("-by-hand")
        assert made["metadata"]["labels"] == {"cnpg.io/cluster": "pg"}
        assert made["spec"]["target"] == "primary"


# Delete


async def test_deleting_takes_the_typed_name(stage: Open) -> None:
    async with stage(
        a_cluster("pg"),
        checked("nightly", "@every 24h", ago=HOUR, backupOwnerReference="self"),
        a_child("nightly", "completed"),
    ) as screen:
        await opened(screen, "> nightly")
        await screen.press("D")
        await screen.until(ACCEPTED, "1 Backup made by it will be deleted with it", "type nightly")
        await screen.press("enter")
        await screen.press(*"nightl", "enter")
        await screen.until("nightl")
        assert screen.stored("scheduledbackups")
        await screen.press("y")
        await screen.until("⏎ do it")
        await screen.press("enter")
        await screen.until("No ScheduledBackup here")
        assert not screen.stored("scheduledbackups")


async def test_a_schedule_that_changed_meanwhile_is_not_deleted(
    stage: Open, server: ApiServer
) -> None:
    async with stage(a_cluster("pg"), checked("nightly", "@every 24h", ago=HOUR)) as screen:
        await opened(screen, "> nightly")
        await screen.press("D")
        await screen.until(ACCEPTED)
        server.store.seed(checked("nightly", "0 0 2 * * *", ago=HOUR))
        await screen.press(*"nightly", "enter")
        await screen.until(lambda s: any("changed by somebody else" in each for each in s.toasts))
        assert screen.stored("scheduledbackups")


# Findings, rights


async def test_l_shows_what_is_wrong_in_the_whole_fleet(stage: Open) -> None:
    async with stage(
        a_cluster("pg"),
        a_cluster("lonely"),
        checked("trap", "0 2 * * *", ago=MINUTE),
        checked("wrong", "0 0 2 * * 7", ago=HOUR),
        size=(100, 40),
    ) as screen:
        await opened(screen, "trap")
        await screen.press("l")
        await screen.until(
            "Findings 1 error 2 warnings",
            "error refused production/wrong",
            "warning misread production/trap",
            "remedy write 0 0 2 * * *",
            "warning no-schedule production/lonely",
        )
        await screen.press("escape")
        await screen.until("Schedules 2 live")


@pytest.mark.parametrize("back", ["escape", "q"])
async def test_after_the_findings_were_read_every_key_works_again(stage: Open, back: str) -> None:
    async with stage(a_cluster("pg"), checked("nightly", "@every 24h", ago=HOUR)) as screen:
        await opened(screen, "nightly")
        await screen.press("l")
        await screen.until("every schedule is sound")
        await screen.press(back)
        await screen.until("> nightly")
        await screen.press("space")
        await screen.until(ACCEPTED)


@pytest.mark.parametrize("key", ["space", "b", "D"])
async def test_read_only_writes_nothing(stage: Open, key: str) -> None:
    async with stage(
        a_cluster("pg"), checked("nightly", "@every 24h", ago=HOUR), read_only=True
    ) as screen:
        await opened(screen, "> nightly")
        await screen.press(key)
        await screen.until(lambda s: "--read-only: nothing is written" in s.toasts)
        assert not screen.asked("PATCH", "/scheduledbackups")
        assert not screen.asked("DELETE", "/scheduledbackups")
        assert not screen.asked("POST", "/backups")
