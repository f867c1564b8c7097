"""Schedules by keyboard in a real terminal: created, edited, suspended, refused, overtaken."""

from __future__ import annotations

from typing import Any

from tests.e2e.conftest import Served, Start
from tests.e2e.terminal import Terminal
from tests.panes.objects import Manifest, a_cluster, a_schedule, stamp

ACCEPTED = "dry run: the server accepts it"
ENTER, ESCAPE, SAVE, FIX, CLEAR = "\r", "\x1b", "\x13", "\x06", "\x05\x15"


def checked(schedule: str, **spec: Any) -> Manifest:
    """A schedule of pg that the operator looked at a moment ago."""
    found = a_schedule("nightly", "pg", schedule)
    found["spec"] |= spec
    found["status"] = {"lastCheckTime": stamp(1), "lastScheduleTime": stamp(60)}
    return found


def stored(served: Served, name: str = "nightly") -> dict[str, Any]:
    """The spec the server ended up with."""

    def look(server: Any) -> list[Manifest]:
        resource = server.registry.at("postgresql.cnpg.io", "v1", "scheduledbackups")
        return [found.manifest() for found in server.store.listed(resource)]

    (spec,) = [each["spec"] for each in served.do(look) if each["metadata"]["name"] == name]
    assert isinstance(spec, dict)
    return spec


def in_the_pane(app: Start, *shown: str) -> Terminal:
    terminal = app()
    terminal.until("live")
    terminal.press("3")
    terminal.until("Schedules", *shown)
    return terminal


def in_the_editor(app: Start) -> Terminal:
    terminal = in_the_pane(app, "> nightly")
    terminal.press(ENTER)
    terminal.until("ScheduledBackup production/nightly of cluster pg", "Week")
    return terminal


def retype(terminal: Terminal, text: str) -> None:
    """``text`` in place of the schedule. In one burst Textual would obey ctrl-u after the text."""
    terminal.press(CLEAR)
    terminal.until("Empty spec string")
    terminal.press(text)
    terminal.until(lambda screen: f"Schedule {text} " in screen.flowing)


def test_the_trap_is_shown_mended_with_one_key_and_saved(app: Start, served: Served) -> None:
    served.seed(a_cluster("pg"), checked("0 2 * * *"))
    terminal = in_the_editor(app)
    terminal.until("accepted, but misread", "every hour at minute 2", "every day at 02:00")
    terminal.press(FIX)
    terminal.until("o valid", "every day at 02:00:00")
    terminal.press(SAVE)
    terminal.until(ACCEPTED, "+ schedule: 0 0 2 * * *")
    terminal.press(ENTER)
    terminal.until("o active")
    assert stored(served)["schedule"] == "0 0 2 * * *"


def test_a_schedule_is_created_from_the_keyboard_alone(app: Start, served: Served) -> None:
    served.seed(a_cluster("pg"))
    terminal = in_the_pane(app, "No ScheduledBackup here")
    terminal.press("n")
    terminal.until("New ScheduledBackup in production", "Week")
    retype(terminal, "0 30 3 * * *")
    terminal.until("every day at 03:30:00")
    terminal.press(ENTER)
    terminal.until(ACCEPTED, "Create ScheduledBackup pg-nightly")
    terminal.press(ENTER)
    terminal.until("> pg-nightly")
    made = stored(served, "pg-nightly")
    assert (made["schedule"], made["method"]) == ("0 30 3 * * *", "plugin")


def test_space_suspends_and_resumes(app: Start, served: Served) -> None:
    served.seed(a_cluster("pg"), checked("0 0 2 * * *"))
    terminal = in_the_pane(app, "> nightly")
    terminal.press(" ")
    terminal.until(ACCEPTED, "Suspend ScheduledBackup nightly")
    terminal.press(ENTER)
    terminal.until("! suspended")
    assert stored(served)["suspend"] is True
    terminal.press(" ")
    terminal.until(ACCEPTED, "Resume ScheduledBackup nightly")
    terminal.press(ENTER)
    terminal.until("o active")
    assert stored(served)["suspend"] is False


def test_the_servers_warning_stands_before_the_yes(app: Start, served: Served) -> None:
    served.seed(a_cluster("pg"), checked("0 0 2 * * *"))
    terminal = in_the_editor(app)
    retype(terminal, "0 3 * * *")
    terminal.press(SAVE)
    terminal.until(ACCEPTED, "Schedule parameter may not have the right number of arguments")


def test_a_refusal_keeps_what_was_typed_and_writes_nothing(app: Start, served: Served) -> None:
    served.seed(a_cluster("pg"), checked("0 0 2 * * *"))
    terminal = in_the_editor(app)
    retype(terminal, "0 0 2 *")
    terminal.press(SAVE)
    terminal.until("dry run: refused", "Expected 5 to 6 fields, found 4")
    terminal.press(ESCAPE)
    terminal.until("x refused", "write six fields")
    assert stored(served)["schedule"] == "0 0 2 * * *"


def test_somebody_faster_is_shown_beside_us_and_loses_nothing(app: Start, served: Served) -> None:
    served.seed(a_cluster("pg"), checked("0 2 * * *"))
    terminal = in_the_editor(app)
    terminal.press(FIX + SAVE)
    terminal.until(ACCEPTED)
    served.seed(checked("0 2 * * *", target="primary"))
    terminal.press(ENTER)
    terminal.until("They changed", "+ target: primary", "You want", "+ schedule: 0 0 2 * * *")
    assert stored(served)["schedule"] == "0 2 * * *"
    terminal.press(ENTER)
    terminal.until("o valid", "[primary]")
    terminal.press(SAVE)
    terminal.until(ACCEPTED)
    terminal.press(ENTER)
    terminal.until("o active")
    assert stored(served)["schedule"] == "0 0 2 * * *"
    assert stored(served)["target"] == "primary"
