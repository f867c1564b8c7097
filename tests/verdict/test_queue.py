"""Who holds up whom, since when, and what frees them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.verdict.test_two_witnesses import NOW
from tests.verdict.triage.made_up import a_backup, a_schedule, ago
from tui.cnpg.backup import Backup
from tui.verdict import queue
from tui.verdict.queue import Hold

DONE = a_backup()
"""It took ten minutes."""


def hold(*backups: Backup) -> Hold:
    found = queue.of(backups, (a_schedule(),), NOW)
    assert found is not None
    return found


def test_an_empty_queue_holds_up_nobody() -> None:
    assert queue.of((DONE,), (a_schedule(),), NOW) is None


def test_the_oldest_holds_up_all_behind_it_in_the_operators_order() -> None:
    first = a_backup("b", "started", created=ago(minutes=20))
    later = [a_backup(name, "pending", created=ago(minutes=m)) for name, m in (("d", 3), ("c", 9))]
    found = hold(*later, DONE, first)
    assert [one.key.name for one in (found.head, *found.behind)] == ["b", "c", "d"]
    assert found.said(NOW) == (
        "b is started since 13:40:00Z (usually 10m) and holds up 2 Backups; that clears when it ends"
    )


def test_a_schedule_is_silent_while_a_backup_of_its_own_stands_anywhere_in_the_queue() -> None:
    first = a_backup("b", "started", created=ago(minutes=20))
    child = replace(a_backup("c", "pending", created=ago(minutes=5)), schedule="nightly")
    assert [one.key.name for one in hold(first, child).silent] == ["nightly"]
    assert hold(first).silent == ()


@pytest.mark.parametrize(
    ("head", "stuck"),
    [
        (a_backup("b", "started", created=ago(hours=1)), False),
        (a_backup("b", "started", created=ago(hours=3)), True),
        (a_backup("b", "pending", created=ago(minutes=9)), False),
        (a_backup("b", "pending", created=ago(minutes=11)), True),
        (a_backup("b", "", created=ago(hours=9)), False),
    ],
)
def test_what_stands_too_long_is_cleared_by_nobody(head: Backup, stuck: bool) -> None:
    behind = a_backup("c", "pending", created=ago(minutes=1))
    found = hold(DONE, head, behind)
    assert found.stuck is stuck
    freed = "deleting b frees them"  # by name: the sentence also stands over a Backup that waits
    assert (freed in found.said(NOW)) is stuck


def test_where_no_backup_was_ever_completed_a_day_must_go_by() -> None:
    assert not hold(a_backup("b", "started", created=ago(hours=23))).stuck
    assert hold(a_backup("b", "started", created=ago(hours=25))).stuck
