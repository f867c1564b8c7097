"""Orders about ScheduledBackups: what is sent, what is said before, and what cannot collide."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from tui import faults
from tui.cnpg import backup, cluster, schedule
from tui.cnpg.backup import Backup
from tui.cnpg.manifest import (
    BACKUPS,
    BARMAN_PLUGIN,
    CLUSTERS,
    SCHEDULED_BACKUPS,
    Key,
    Kind,
    Manifest,
)
from tui.cnpg.schedule import ScheduledBackup
from tui.live.changes import Listed
from tui.live.estate import Estate
from tui.live.orders import order as orders
from tui.live.orders import schedule as schedule_orders
from tui.live.orders.order import Change, Create, Delete, NotDone, Order, Refusal

NOW = datetime(2026, 11, 22, 14, 1, 2, tzinfo=UTC)
NIGHTLY = replace(
    schedule.new(Key("prod", "nightly"), "pg", "0 2 * * *", method="plugin", plugin=BARMAN_PLUGIN),
    resource_version="41",
    uid="u-1",
)


def estate_with(*schedules: ScheduledBackup, backups: tuple[Backup, ...] = ()) -> Estate:
    estate = Estate()
    source = {
        "metadata": {"name": "pg", "namespace": "prod"},
        "spec": {"plugins": [{"name": BARMAN_PLUGIN, "isWALArchiver": True}]},
    }
    estate.apply(Listed(CLUSTERS, (cluster.read(source),), NOW))
    estate.apply(Listed(BACKUPS, backups, NOW))
    estate.apply(Listed(SCHEDULED_BACKUPS, schedules, NOW))
    return estate


def a_child(name: str, phase: str = "completed") -> Backup:
    labels = {backup.SCHEDULE_LABEL: "nightly"}
    return backup.read(
        {
            "metadata": {"name": name, "namespace": "prod", "labels": labels},
            "spec": {"cluster": {"name": "pg"}},
            "status": {"phase": phase},
        }
    )


def made(order: Order | Refusal) -> Order:
    assert isinstance(order, Order), order
    return order


# Create and edit


def test_creating_shows_the_yaml_that_is_sent() -> None:
    order = made(schedule_orders.save_new(estate_with(), NIGHTLY, context="eu"))
    assert isinstance(order.act, Create)
    assert yaml.safe_load(order.shown) == order.act.document
    assert order.kubectl == "kubectl -n prod --context eu create -f -"


def test_a_name_that_is_taken_is_refused_before_anything_is_sent() -> None:
    refusal = schedule_orders.save_new(estate_with(NIGHTLY), NIGHTLY)
    assert isinstance(refusal, Refusal)
    assert "exists already" in refusal.why


@pytest.mark.parametrize(
    ("fields", "why"), [({"key": Key("prod", "")}, "a name"), ({"cluster": ""}, "a cluster")]
)
def test_a_schedule_without_a_name_or_cluster_is_refused(fields: dict[str, Any], why: str) -> None:
    refusal = schedule_orders.save_new(estate_with(), replace(NIGHTLY, **fields))
    assert isinstance(refusal, Refusal)
    assert why in refusal.why


def test_an_edit_sends_only_what_differs_guarded_by_what_was_looked_at() -> None:
    order = made(schedule_orders.save_changes(NIGHTLY, replace(NIGHTLY, schedule="0 0 2 * * *")))
    assert order.act == Change(
        SCHEDULED_BACKUPS, NIGHTLY.key, "41", {"spec": {"schedule": "0 0 2 * * *"}}
    )
    assert "-  schedule: 0 2 * * *\n+  schedule: 0 0 2 * * *" in order.shown


def test_the_kubectl_line_of_an_edit_carries_the_same_patch() -> None:
    order = made(schedule_orders.save_changes(NIGHTLY, replace(NIGHTLY, schedule="0 0 2 * * *")))
    assert shlex.split(order.kubectl) == [
        *["kubectl", "-n", "prod", "patch", "scheduledbackups.postgresql.cnpg.io", "nightly"],
        *["--type", "merge", "-p", '{"spec": {"schedule": "0 0 2 * * *"}}'],
    ]


def test_an_edit_that_changes_nothing_is_no_order() -> None:
    assert isinstance(schedule_orders.save_changes(NIGHTLY, NIGHTLY), Refusal)


def test_odd_characters_are_spelled_out_where_they_are_shown() -> None:
    odd = replace(NIGHTLY, schedule="0\u00a00\u202e 2\x1b * * *")
    shown = made(schedule_orders.save_changes(NIGHTLY, odd)).shown
    assert shown.replace("\n", "").isprintable()
    assert shown.isascii()


@pytest.mark.parametrize(("suspended", "verb"), [(True, "Suspend"), (False, "Resume")])
def test_suspending_and_resuming_are_said_as_such(suspended: bool, verb: str) -> None:
    before = replace(NIGHTLY, suspended=not suspended)
    order = made(schedule_orders.suspend(before, suspended=suspended))
    assert order.sentence == f"{verb} ScheduledBackup nightly in prod"
    assert isinstance(order.act, Change)
    assert order.act.fields == {"spec": {"suspend": suspended}}


# Run now


def test_a_run_by_hand_has_a_name_that_no_controller_can_make() -> None:
    order = made(schedule_orders.run_now(estate_with(NIGHTLY), NIGHTLY, NOW))
    assert order.key.name == "nightly-20261122140102-by-hand"
    assert not re.search(r"-\d{14}$", order.key.name)


def test_a_run_by_hand_is_no_child_of_the_schedule() -> None:
    order = made(schedule_orders.run_now(estate_with(NIGHTLY), NIGHTLY, NOW))
    assert isinstance(order.act, Create)
    assert backup.read(order.act.document).schedule == ""


def test_the_kubectl_line_of_a_run_names_all_of_its_shape() -> None:
    shaped = replace(NIGHTLY, target="primary", plugin_parameters={"a": "b", "c": "d"})
    line = made(schedule_orders.run_now(estate_with(shaped), shaped, NOW)).kubectl
    assert line == (
        "kubectl cnpg backup pg -n prod --backup-name nightly-20261122140102-by-hand --method plugin"
        f" --plugin-name {BARMAN_PLUGIN} --plugin-parameters a=b,c=d --backup-target primary"
    )


def test_what_waits_ahead_is_told_before_a_run() -> None:
    busy = estate_with(NIGHTLY, backups=(a_child("nightly-1", "started"),))
    order = made(schedule_orders.run_now(busy, NIGHTLY, NOW))
    assert any("1 Backup ahead: nightly-1 is started" in warning for warning in order.warnings)


def test_a_run_of_a_cluster_nobody_knows_is_warned_of() -> None:
    lonely = replace(NIGHTLY, cluster="gone")
    order = made(schedule_orders.run_now(estate_with(lonely), lonely, NOW))
    assert any("stays pending" in warning for warning in order.warnings)


# Delete


def test_deleting_is_guarded_by_uid_and_version() -> None:
    order = schedule_orders.delete(estate_with(NIGHTLY), NIGHTLY)
    assert order.act == Delete(SCHEDULED_BACKUPS, NIGHTLY.key, "u-1", "41")


@pytest.mark.parametrize(
    ("owner", "fate"),
    [
        ("self", "2 Backups made by it will be deleted with it (backupOwnerReference: self)"),
        ("cluster", "2 Backups made by it stay until cluster pg is deleted"),
        ("none", "2 Backups made by it stay (backupOwnerReference: none)"),
        ("", "2 Backups made by it stay (backupOwnerReference: none)"),
    ],
)
def test_the_fate_of_its_backups_is_told(owner: str, fate: str) -> None:
    found = replace(NIGHTLY, owner_reference=owner)
    both = (a_child("nightly-1"), a_child("nightly-2"))
    said = schedule_orders.delete(estate_with(found, backups=both), found).warnings
    assert fate in said[0]
    assert "what lies in the bucket stays" in said[0]


def test_the_last_schedule_of_a_cluster_is_called_so() -> None:
    said = schedule_orders.delete(estate_with(NIGHTLY), NIGHTLY).warnings
    assert "no other schedule takes base backups of cluster pg" in said
    weekly = replace(NIGHTLY, key=Key("prod", "weekly"))
    assert len(schedule_orders.delete(estate_with(NIGHTLY, weekly), NIGHTLY).warnings) == 1


# Overtaken


def test_planning_anew_puts_our_change_on_top_of_theirs() -> None:
    mine = replace(NIGHTLY, schedule="0 0 2 * * *")
    theirs = replace(NIGHTLY, target="primary", resource_version="42")
    again = schedule_orders.replanned(NIGHTLY, mine, theirs)
    assert (again.schedule, again.target) == ("0 0 2 * * *", "primary")
    assert again.resource_version == "42"


@dataclass
class Overtaken:
    """A server where somebody else was faster."""

    async def patch(self, kind: Kind, key: Key, body: Any, *, dry_run: bool = False) -> Any:
        assert body["metadata"] == {"resourceVersion": "41"}
        raise faults.Conflict("it was changed by somebody else", code=409)

    async def create(self, *args: Any, **more: Any) -> Any:
        raise NotImplementedError

    delete = create

    async def get(self, kind: Kind, key: Key) -> Manifest:
        raise NotImplementedError


async def test_a_change_that_somebody_overtook_is_not_done_and_says_so() -> None:
    order = made(schedule_orders.suspend(NIGHTLY, suspended=True))
    outcome = await orders.carry_out(order, Overtaken())
    assert isinstance(outcome, NotDone)
    assert outcome.overtaken
    assert (await orders.rehearse(order, Overtaken())).overtaken
