"""What saving will do, said before it is saved."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from tests.verdict.fleet import NIGHTLY, NOW, a_child, a_cluster, at
from tui.cnpg import firing
from tui.cnpg.backup import Backup
from tui.cnpg.schedule import ScheduledBackup
from tui.verdict import saving
from tui.verdict.health import Level
from tui.verdict.lint import Around

CHECKED = replace(NIGHTLY, last_check=at("2026-11-22T10:31:07"))


def remarks(before: ScheduledBackup | None, after: ScheduledBackup, *backups: Backup) -> list[str]:
    outlook = firing.outlook(after, firing.children(after, backups), NOW, UTC)
    said = saving.on_save(before, after, Around(children=backups), NOW, UTC, outlook)
    return [remark.text for remark in said]


def test_an_edit_that_moves_a_slot_behind_us_fires_at_once_and_says_how_many_become_one() -> None:
    (said,) = remarks(CHECKED, replace(CHECKED, schedule="0 2 * * *"))
    assert said == (
        "fires a backup at once: the last check was 10:31:07Z and 3 slots from 11:02:00Z on lie "
        "behind; they become one, nightly-20261122110200"
    )


def test_resuming_fires_at_once_where_a_slot_was_missed() -> None:
    resting = replace(NIGHTLY, suspended=True, last_check=at("2026-11-21T02:00:00"))
    (said,) = remarks(resting, replace(resting, suspended=False))
    assert said == (
        "fires a backup at once: the last check was 21 Nov 02:00:00Z and the slot 02:00:00Z lies "
        "behind. It is named nightly-20261122020000"
    )


def test_an_edit_that_fires_nothing_says_when_the_next_run_is() -> None:
    assert remarks(CHECKED, replace(CHECKED, schedule="0 0 3 * * *")) == [
        "fires nothing; next run 23 Nov 03:00:00Z, in 12h"
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"suspended": True}, "nothing fires while it is suspended"),
        ({"immediate": True}, "immediate has no effect: the operator has seen this schedule"),
        ({"schedule": "0 3 * * 0"}, "the server will refuse it"),
        ({"schedule": "0 0 0 30 2 *"}, "it never fires"),
        ({"plugin": ""}, "no plugin is named"),
    ],
)
def test_other_consequences_are_said_too(fields: dict[str, Any], said: str) -> None:
    assert any(said in remark for remark in remarks(CHECKED, replace(CHECKED, **fields)))


def test_a_method_the_cluster_cannot_do_stands_before_the_next_run() -> None:
    wanted = replace(CHECKED, method="volumeSnapshot", plugin="")
    outlook = firing.outlook(wanted, (), NOW, UTC)
    around = Around(a_cluster(), clusters_known=True)
    first, then = saving.on_save(CHECKED, wanted, around, NOW, UTC, outlook)
    assert first.level is Level.FAILING
    assert "has no spec.backup.volumeSnapshot" in first.text
    assert first.text.endswith("every Backup fails")
    assert then.text.startswith("fires nothing; next run")


def test_the_method_that_goes_away_says_when() -> None:
    said = remarks(CHECKED, replace(CHECKED, method="barmanObjectStore", plugin=""))
    assert said[-1] == "method barmanObjectStore: CloudNativePG 1.31.0 removes it"


def test_immediate_on_a_new_schedule_fires_at_once() -> None:
    new = replace(NIGHTLY, last_check=None, created=None, immediate=True)
    assert remarks(None, new)[0].startswith("fires a backup at once: immediate is set")


def test_a_stuck_child_is_named_instead_of_a_promise() -> None:
    stuck = a_child(phase="pending")
    (said,) = remarks(CHECKED, replace(CHECKED, schedule="0 2 * * *"), stuck)
    assert said.startswith("blocked: nightly-20261122020000 is pending since 02:00:00Z")


def test_the_worst_stands_first() -> None:
    said = remarks(CHECKED, replace(CHECKED, schedule="0 2 * * *", plugin=""))
    assert "no plugin" in said[0]
