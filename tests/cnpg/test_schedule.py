"""A ScheduledBackup as it is sent: the manifest that creates it, the patch that changes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tui.cnpg import schedule
from tui.cnpg.manifest import BARMAN_PLUGIN, Key
from tui.cnpg.schedule import ScheduledBackup

KEY = Key("prod", "nightly")
NIGHTLY = schedule.new(KEY, "pg", "0 0 2 * * *", method="plugin", plugin=BARMAN_PLUGIN)


def stored(found: ScheduledBackup) -> ScheduledBackup:
    """As it comes back from the server it was sent to."""
    return schedule.read(schedule.document(found))


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386, word for word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def test_a_new_schedule_says_everything_that_matters_and_nothing_else() -> None:
    assert schedule.document(NIGHTLY) == {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "ScheduledBackup",
        "metadata": {"name": "nightly", "namespace": "prod"},
        "spec": {
            "schedule": "0 0 2 * * *",
            "cluster": {"name": "pg"},
            "backupOwnerReference": "self",
            "method": "plugin",
            "target": "prefer-standby",
            "pluginConfiguration": {"name": BARMAN_PLUGIN},
        },
    }


@pytest.mark.parametrize(
    "wanted",
    [
        NIGHTLY,
        replace(NIGHTLY, immediate=True, suspended=True),
        replace(NIGHTLY, plugin_parameters={"a": "b"}, target=""),
        replace(NIGHTLY, method="volumeSnapshot", plugin="", online=False, wait_for_archive=False),
        replace(NIGHTLY, method="volumeSnapshot", plugin="", immediate_checkpoint=True),
        replace(NIGHTLY, schedule="0\t0 2\u00a0* * *"),
    ],
)
def test_what_is_written_is_read_back(wanted: ScheduledBackup) -> None:
    assert stored(wanted) == wanted


@pytest.mark.parametrize(
    ("change", "patch"),
    [
        ({"schedule": "0 0 3 * * *"}, {"schedule": "0 0 3 * * *"}),
        ({"suspended": True}, {"suspend": True}),
        ({"target": ""}, {"target": None}),
        ({"plugin_parameters": {"a": "b"}}, {"pluginConfiguration": {"parameters": {"a": "b"}}}),
        ({"method": "volumeSnapshot", "plugin": "", "online": False},
         {"pluginConfiguration": None, "method": "volumeSnapshot", "online": False}),
        ({"wait_for_archive": False}, {"onlineConfiguration": {"waitForArchive": False}}),
    ],
)  # fmt: skip
def test_a_change_is_a_patch_of_the_fields_that_differ(
    change: dict[str, Any], patch: dict[str, Any]
) -> None:
    wanted = replace(NIGHTLY, **change)
    assert schedule.changes(NIGHTLY, wanted) == {"spec": patch}
    assert merged(schedule.document(NIGHTLY), {"spec": patch}) == schedule.document(wanted)


def test_a_resumed_schedule_says_so_in_words() -> None:
    assert schedule.changes(replace(NIGHTLY, suspended=True), NIGHTLY) == {
        "spec": {"suspend": False}
    }


def test_nothing_changed_is_no_patch() -> None:
    assert schedule.changes(NIGHTLY, replace(NIGHTLY)) == {}


def test_a_backup_by_hand_has_the_shape_of_the_schedules_and_no_label_of_a_child() -> None:
    found = replace(NIGHTLY, plugin_parameters={"a": "b"}, target="primary", suspended=True)
    made = schedule.backup_now(found, Key("prod", "nightly-by-hand"))
    assert made["metadata"]["labels"] == {"cnpg.io/cluster": "pg"}
    assert made["spec"] == {
        "cluster": {"name": "pg"},
        "method": "plugin",
        "target": "primary",
        "pluginConfiguration": {"name": BARMAN_PLUGIN, "parameters": {"a": "b"}},
    }
