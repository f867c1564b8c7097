"""Schedules by keyboard in a real terminal: created, edited, suspended, refused, overtaken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import pytest

from tests.e2e.conftest import Served, Start
from tests.e2e.genuine import GenuineServed
from tests.e2e.terminal import Terminal
from tests.panes.objects import NAMESPACE, Manifest, a_cluster, a_schedule, stamp

AnyServed: TypeAlias = Served | GenuineServed

ACCEPTED = "dry run: the server accepts it"
REFUSED = "Expected 5 to 6 fields, found 4"
ODD = "Schedule parameter may not have the right number of arguments (usually six are needed)"
ENTER, ESCAPE, SAVE, FIX, CLEAR = "\r", "\x1b", "\x13", "\x06", "\x05\x15"


def checked(schedule: str, **spec: Any) -> Manifest:
    """A schedule of pg that the operator looked at a moment ago."""
    found = a_schedule("nightly", "pg", schedule)
    found["spec"] |= spec
    found["status"] = {"lastCheckTime": stamp(1), "lastScheduleTime": stamp(60)}
    return found


def stored(served: AnyServed, name: str = "nightly") -> dict[str, Any]:
    """The spec the server ended up with."""
    found = served.listed("scheduledbackups")
    (spec,) = [each["spec"] for each in found if each["metadata"]["name"] == name]
    assert isinstance(spec, dict)
    return spec


@pytest.fixture(params=["sandbox", pytest.param("kube-apiserver", marks=pytest.mark.apiserver)])
def served(request: pytest.FixtureRequest) -> Iterator[AnyServed]:
    """One server after the other. The genuine one has no operator, whose webhook refuses and warns:
    policies of its own do, in the operator's words."""
    if request.param == "sandbox":
        running = Served()
        running.do(lambda server: server.store.ensure_namespace(NAMESPACE))
        yield running
        running.close()
        return
    genuine = GenuineServed(request.getfixturevalue("kube_apiserver"))
    fields = "object.spec.schedule.split(' ').size()"
    genuine.admits("schedule-fields-refused", f"{fields} >= 5", REFUSED, action="Deny")
    genuine.admits("schedule-fields-odd", f"{fields} == 6 || {fields} < 5", ODD, action="Warn")
    genuine.until_refused(checked("0 0 2 *"))
    yield genuine


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


def test_the_trap_is_shown_mended_with_one_key_and_saved(app: Start, served: AnyServed) -> None:
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


def test_a_schedule_is_created_from_the_keyboard_alone(app: Start, served: AnyServed) -> None:
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


def test_space_suspends_and_resumes(app: Start, served: AnyServed) -> None:
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


def test_the_servers_warning_stands_before_the_yes(app: Start, served: AnyServed) -> None:
    served.seed(a_cluster("pg"), checked("0 0 2 * * *"))
    terminal = in_the_editor(app)
    retype(terminal, "0 3 * * *")
    terminal.press(SAVE)
    terminal.until(ACCEPTED, "Schedule parameter may not have the right number of arguments")


def test_a_refusal_keeps_what_was_typed_and_writes_nothing(app: Start, served: AnyServed) -> None:
    served.seed(a_cluster("pg"), checked("0 0 2 * * *"))
    terminal = in_the_editor(app)
    retype(terminal, "0 0 2 *")
    terminal.press(SAVE)
    terminal.until("dry run: refused", "Expected 5 to 6 fields, found 4")
    terminal.press(ESCAPE)
    terminal.until("x refused", "write six fields")
    assert stored(served)["schedule"] == "0 0 2 * * *"


def test_somebody_faster_is_shown_beside_us_and_loses_nothing(
    app: Start, served: AnyServed
) -> None:
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


def test_a_schedule_is_deleted_once_its_name_was_typed(app: Start, served: AnyServed) -> None:
    served.seed(a_cluster("pg"), checked("0 0 2 * * *"))
    terminal = in_the_pane(app, "> nightly")
    terminal.press("D")
    terminal.until(ACCEPTED, "Delete ScheduledBackup nightly")
    terminal.press(ENTER)
    terminal.press("nightly")
    terminal.press(ENTER)
    terminal.until("No ScheduledBackup here")
    assert served.listed("scheduledbackups") == []


def test_a_backup_of_the_schedules_shape_is_taken_now(app: Start, served: AnyServed) -> None:
    served.seed(a_cluster("pg"), checked("0 0 2 * * *", target="primary"))
    terminal = in_the_pane(app, "> nightly")
    terminal.press("b")
    terminal.until(ACCEPTED, "as nightly would")
    terminal.press(ENTER)
    terminal.press("2")
    terminal.until("Backups 1 live", "-by-hand")
    (made,) = served.listed("backups")
    assert made["spec"]["target"] == "primary"
    assert made["spec"]["pluginConfiguration"]["name"] == "barman-cloud.cloudnative-pg.io"
