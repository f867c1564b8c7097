"""The schedule editor by keyboard: what it says at every key, and what the server ends up with."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.panes.conftest import Open
from tests.panes.objects import HOUR, PLUGIN, Manifest, a_cluster, a_schedule, stamp
from tests.panes.stage import Stage
from tui.sandbox.apiserver import ApiServer
from tui.widgets.form import Choice

ACCEPTED = "dry run: the server accepts it"


def checked(schedule: str, *, ago: float = 60, name: str = "nightly", **spec: Any) -> Manifest:
    """A schedule of pg that the operator last looked at ``ago`` seconds ago."""
    found = a_schedule(name, "pg", schedule)
    found["spec"] |= spec
    found["status"] = {"lastCheckTime": stamp(ago), "lastScheduleTime": stamp(ago)}
    return found


async def edited(screen: Stage) -> None:
    """The editor, on the schedule under the cursor."""
    await screen.until("live")
    await screen.press("3")
    await screen.until("> nightly")
    await screen.press("enter")
    await screen.until("ScheduledBackup production/nightly", "CNPG", _on_the_schedule)


async def created(screen: Stage) -> None:
    """The editor, on a new schedule."""
    await screen.until("live")
    await screen.press("3", "n")
    await screen.until("New ScheduledBackup in production", "CNPG", _on_the_schedule)


def _on_the_schedule(screen: Stage) -> bool:
    return screen.app.focused is not None and screen.app.focused.id == "schedule"


async def typed(screen: Stage, text: str) -> None:
    """``text`` in place of what stands in the field."""
    await screen.press("end", "ctrl+u")
    for char in text:
        await screen.press({" ": "space", "*": "asterisk", "/": "slash"}.get(char, char))


def stored(screen: Stage, name: str = "nightly") -> Manifest:
    (spec,) = [
        each["spec"]
        for each in screen.stored("scheduledbackups")
        if each["metadata"]["name"] == name
    ]
    assert isinstance(spec, dict)
    return spec


# What is said


async def test_the_five_field_trap_is_told_and_mended_with_one_key(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("0 2 * * *")) as screen:
        await edited(screen)
        await screen.until(
            "x accepted, but misread",
            "CNPG every hour at minute 2, second 0 24 a day, 730.49 a month",
            "Unix cron reads every day at 02:00 ctrl-f makes it 0 0 2 * * *",
            "^f write the fix",
        )
        await screen.press("ctrl+f")
        await screen.until("o valid", "every day at 02:00:00")
        assert "0 0 2 * * *" in screen.row(" Schedule ")
        await screen.gone("^f write the fix")


async def test_the_verdict_follows_every_key(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("0 0 2 * * *")) as screen:
        await edited(screen)
        await screen.until("o valid")
        await screen.press("backspace", "backspace")
        await screen.until("x accepted, but misread", "every day at 02:00:00")
        await screen.press("backspace", "backspace")
        await screen.until("x refused", "Expected 5 to 6 fields, found 4: 0 0 2 *")
        await typed(screen, "0 0 0 * * 1,7")
        await screen.until("End of range (7) above maximum (6): 7", "Sunday is 0")
        caret = screen.lines[screen.lines.index(screen.row(" Schedule ")) + 1]
        assert caret.index("^") == screen.row(" Schedule ").index("1,7") + 2
        await typed(screen, "@daily")
        await screen.until("o valid", "every day at 00:00:00")


async def test_the_form_below_never_moves_while_one_types(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("0 2 * * *")) as screen:
        await edited(screen)
        await screen.until("Method")
        before = screen.lines.index(screen.row("Method"))
        for text in ("", "0 0 2 * * *", "nonsense", "*/7 1-3 * * 1,3 *"):
            await typed(screen, text)
            assert screen.lines.index(screen.row("Method")) == before


async def test_an_edit_that_fires_at_once_says_so_in_the_form_and_before_the_yes(
    stage: Open,
) -> None:
    async with stage(a_cluster("pg"), checked("@every 24h", ago=3 * HOUR + 60)) as screen:
        await edited(screen)
        await screen.until("On save o fires nothing; next run")
        await typed(screen, "@every 1h")
        await screen.until(
            "On save ! fires a backup at once", "3 slots from", "at once for the missed"
        )
        await screen.press("ctrl+s")
        await screen.until(ACCEPTED, "! fires a backup at once: the last check was")


async def test_the_operators_own_clock_is_shown_where_it_is_not_utc(stage: Open) -> None:
    async with stage(
        a_cluster("pg"), checked("0 0 2 * * *"), operator_zone=ZoneInfo("Asia/Tokyo")
    ) as screen:
        await edited(screen)
        await screen.until("operator Asia/Tokyo", "17:00:00Z", "02:00:00 JST")


# Saving


async def test_saving_shows_the_difference_and_sends_nothing_else(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("0 2 * * *", target="primary")) as screen:
        await edited(screen)
        await screen.press("ctrl+f", "ctrl+s")
        await screen.until(
            ACCEPTED, "- schedule: 0 2 * * *", "+ schedule: 0 0 2 * * *", "kubectl -n production"
        )
        assert stored(screen)["schedule"] == "0 2 * * *"
        await screen.press("enter")
        await screen.until("Schedules 1 live", "0 0 2 * * *")
        assert stored(screen)["schedule"] == "0 0 2 * * *"
        assert stored(screen)["target"] == "primary"
        assert "nightly is saved" in screen.toasts


async def test_the_servers_warning_is_shown_before_the_yes(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("0 0 2 * * *")) as screen:
        await edited(screen)
        await typed(screen, "0 3 * * *")
        await screen.press("enter")
        await screen.until(
            ACCEPTED,
            "! Schedule parameter may not have the right number of arguments",
            "! five fields begin with the second: it runs every hour at minute 3",
            "Better: write 0 0 3 * * *",
        )


async def test_a_refusal_of_the_server_is_shown_in_its_words_and_nothing_is_written(
    stage: Open,
) -> None:
    async with stage(a_cluster("pg"), checked("0 0 2 * * *")) as screen:
        await edited(screen)
        await typed(screen, "0 0 2 *")
        await screen.press("ctrl+s")
        await screen.until("dry run: refused", "Expected 5 to 6 fields, found 4: 0 0 2 *")
        await screen.press("enter", "escape")
        await screen.until("ScheduledBackup production/nightly of cluster pg")
        assert stored(screen)["schedule"] == "0 0 2 * * *"


async def test_cancelling_the_confirmation_keeps_what_was_typed(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("0 0 2 * * *")) as screen:
        await edited(screen)
        await typed(screen, "0 0 4 * * *")
        await screen.press("ctrl+s")
        await screen.until(ACCEPTED)
        await screen.press("escape")
        await screen.until("every day at 04:00:00")


async def test_nothing_changed_is_said_and_not_sent(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("0 0 2 * * *")) as screen:
        await edited(screen)
        await screen.press("ctrl+s")
        await screen.until("nothing changes: nightly is like that already")


async def test_a_schedule_with_odd_blanks_keeps_them_when_another_field_is_changed(
    stage: Open,
) -> None:
    async with stage(a_cluster("pg"), checked("0\t0 2\t* * *")) as screen:
        await edited(screen)
        await screen.until("o valid")
        screen.app.screen.query_one("#suspended", Choice).focus()
        await screen.press("space", "ctrl+s")
        await screen.until(ACCEPTED)
        await screen.press("enter")
        await screen.until("! suspended")
        assert stored(screen)["schedule"] == "0\t0 2\t* * *"


# Leaving


async def test_leaving_with_changes_is_asked_about_once(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("0 0 2 * * *")) as screen:
        await edited(screen)
        await typed(screen, "0 0 3 * * *")
        await screen.press("escape")
        await screen.until("Not saved: esc again drops the changes")
        await screen.press("escape")
        await screen.until("Schedules 1 live")
        assert stored(screen)["schedule"] == "0 0 2 * * *"


async def test_leaving_without_changes_asks_nothing(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("0 0 2 * * *")) as screen:
        await edited(screen)
        await screen.press("escape")
        await screen.until("Schedules 1 live")


async def test_keys_of_the_app_do_not_reach_through_the_form(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("0 0 2 * * *")) as screen:
        await edited(screen)
        screen.app.screen.query_one("#suspended", Choice).focus()
        await screen.press("1", "2", "b", "D", "space")
        await screen.until("On save ! nothing fires while it is suspended")
        await screen.press("q")
        await screen.until("Not saved")


async def test_with_read_only_one_may_look_and_not_save(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("0 2 * * *"), read_only=True) as screen:
        await edited(screen)
        await screen.press("ctrl+f", "ctrl+s")
        await screen.until(lambda s: "--read-only: nothing is written" in s.toasts)
        assert not screen.asked("PATCH", "/scheduledbackups")


# Somebody else


async def test_both_versions_are_shown_and_planned_anew_when_somebody_was_faster(
    stage: Open, server: ApiServer
) -> None:
    async with stage(a_cluster("pg"), checked("0 2 * * *")) as screen:
        await edited(screen)
        await screen.press("ctrl+f", "ctrl+s")
        await screen.until(ACCEPTED)
        server.store.seed(checked("0 2 * * *", target="primary"))
        await screen.press("enter")
        await screen.until(
            "nightly was changed by somebody else: nothing is written",
            "They changed",
            "+ target: primary",
            "You want",
            "+ schedule: 0 0 2 * * *",
        )
        assert stored(screen)["schedule"] == "0 2 * * *"
        await screen.press("enter")
        await screen.until("o valid", "every day at 02:00:00", "[primary]")
        await screen.press("ctrl+s")
        await screen.until(ACCEPTED)
        await screen.press("enter")
        await screen.until("Schedules 1 live")
        assert stored(screen)["schedule"] == "0 0 2 * * *"
        assert stored(screen)["target"] == "primary"


async def test_the_same_field_changed_by_both_is_called_so(stage: Open, server: ApiServer) -> None:
    async with stage(a_cluster("pg"), checked("0 2 * * *")) as screen:
        await edited(screen)
        await screen.press("ctrl+f")
        server.store.seed(checked("0 0 5 * * *"))
        await screen.until("Somebody changed it meanwhile")
        await screen.press("ctrl+s")
        await screen.until("both changed schedule: yours would replace theirs")
        await screen.press("escape")
        await screen.until("Schedules 1 live")
        assert stored(screen)["schedule"] == "0 0 5 * * *"


async def test_the_controllers_own_status_is_no_conflict(stage: Open, server: ApiServer) -> None:
    async with stage(a_cluster("pg"), checked("0 2 * * *", ago=HOUR)) as screen:
        await edited(screen)
        await screen.press("ctrl+f", "ctrl+s")
        await screen.until(ACCEPTED)
        server.store.seed(checked("0 2 * * *", ago=1))
        await screen.press("enter")
        await screen.until(ACCEPTED)
        await screen.press("enter")
        await screen.until(lambda s: "nightly is saved" in s.toasts)
        assert stored(screen)["schedule"] == "0 0 2 * * *"


async def test_a_schedule_that_is_gone_is_said_while_it_is_edited(
    stage: Open, server: ApiServer
) -> None:
    async with stage(a_cluster("pg"), checked("0 2 * * *")) as screen:
        await edited(screen)
        schedules = server.registry.at("postgresql.cnpg.io", "v1", "scheduledbackups")
        assert schedules is not None
        found = server.store.get(schedules, "production", "nightly")
        assert found is not None
        server.store.remove(found)
        await screen.until("It is gone from the server")


# Creating


async def test_a_new_schedule_is_preset_to_what_works(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await created(screen)
        await screen.until("fires nothing; first run")
        await screen.press("ctrl+s")
        await screen.until(
            ACCEPTED, "Create ScheduledBackup pg-nightly of cluster pg in production"
        )
        await screen.press("enter")
        await screen.until("> pg-nightly")
        assert stored(screen, "pg-nightly") == {
            "backupOwnerReference": "self",
            "cluster": {"name": "pg"},
            "method": "plugin",
            "pluginConfiguration": {"name": PLUGIN},
            "schedule": "0 0 2 * * *",
            "target": "prefer-standby",
        }


async def test_every_field_reaches_the_server(stage: Open) -> None:
    async with stage(a_cluster("pg"), size=(100, 40)) as screen:
        await created(screen)
        await screen.press("up", "up")
        await typed(screen, "mine")
        await screen.press("down", "down")
        await typed(screen, "@every 6h")
        await screen.press("down", "down", "down")
        await typed(screen, "a=b,c=d")
        await screen.press("down", "space", "down", "space", "down", "space", "down", "space")
        await screen.until("[primary]", "[cluster: with the Cluster]", "o valid")
        await screen.press("ctrl+s")
        await screen.until(ACCEPTED)
        await screen.press("enter")
        await screen.until("> mine")
        assert stored(screen, "mine") == {
            "backupOwnerReference": "cluster",
            "cluster": {"name": "pg"},
            "immediate": True,
            "method": "plugin",
            "pluginConfiguration": {"name": PLUGIN, "parameters": {"a": "b", "c": "d"}},
            "schedule": "@every 6h",
            "suspend": True,
            "target": "primary",
        }


async def test_another_name_is_proposed_where_the_usual_one_is_taken(stage: Open) -> None:
    async with stage(a_cluster("pg"), checked("0 0 2 * * *", name="pg-nightly")) as screen:
        await created(screen)
        assert "pg-nightly2" in screen.row("Name")
        await screen.press("up", "up")
        await typed(screen, "pg-nightly")
        await screen.press("ctrl+s")
        await screen.until("ScheduledBackup production/pg-nightly exists already")


async def test_a_cluster_that_does_not_exist_is_said_before_saving(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await created(screen)
        await screen.press("up")
        await typed(screen, "nowhere")
        await screen.until("x there is no Cluster nowhere in production")


async def test_the_method_follows_the_cluster_that_is_named(stage: Open) -> None:
    in_tree = {"backup": {"barmanObjectStore": {"destinationPath": "s3://acme/pg"}}}
    async with stage(a_cluster("pg"), a_cluster("old", spec=in_tree), size=(90, 40)) as screen:
        await screen.until("> old")
        await created(screen)
        await screen.until("[barmanObjectStore, deprecated]")
        assert "Parameters" not in screen.text
        await screen.press("up")
        await typed(screen, "pg")
        await screen.until("[plugin]", "Parameters", PLUGIN)


async def test_parameters_that_cannot_be_read_say_how_to_write_them(stage: Open) -> None:
    async with stage(a_cluster("pg"), size=(90, 40)) as screen:
        await created(screen)
        await screen.press("down", "down", "down")
        await typed(screen, "just words")
        await screen.until("parameters are written name=value,name=value: 'just words' is not")
        await screen.press("ctrl+s")
        assert not screen.asked("POST", "/scheduledbackups")


async def test_without_a_cluster_there_is_nothing_to_write_a_schedule_for(stage: Open) -> None:
    async with stage() as screen:
        await screen.until("live")
        await screen.press("3", "n")
        await screen.until(lambda s: "There is no Cluster here to write a schedule for" in s.toasts)


@pytest.mark.parametrize("size", [(80, 24), (60, 16), (40, 11), (160, 48)])
async def test_the_trap_is_told_at_any_size(stage: Open, size: tuple[int, int]) -> None:
    async with stage(a_cluster("pg"), checked("0 2 * * *"), size=size) as screen:
        await edited(screen)
        await screen.until("every hour at minute 2")
        assert max(len(line) for line in screen.lines) <= size[0]
