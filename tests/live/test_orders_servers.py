"""Orders over the sandbox and over the genuine kube-apiserver, with one outcome."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.apiserver.client import Body
from tests.apiserver.manifests import cluster as a_cluster
from tests.apiserver.relay import Relay
from tests.apiserver.servers import Rule, Server, path
from tui.cnpg import cluster, schedule
from tui.cnpg.manifest import BACKUPS, BARMAN_PLUGIN, CLUSTERS, SCHEDULED_BACKUPS, Key
from tui.cnpg.schedule import ScheduledBackup
from tui.live.changes import Listed
from tui.live.estate import Estate
from tui.live.orders import order as orders
from tui.live.orders import schedule as schedule_orders
from tui.live.orders.back_up import back_up_now
from tui.live.orders.order import (
    Change,
    Create,
    Done,
    NotDone,
    NotKnown,
    Order,
    Patience,
    Refusal,
    Rehearsal,
)
from tui.wire.kube import Kube

NOW = datetime(2026, 11, 22, 14, 1, 2, tzinfo=UTC)
HURRY = Patience(looks=3, between=0.05)
WRITER = Rule(("get", "create", "patch", "delete"), ("backups", "scheduledbackups"))

Open = Callable[..., Awaitable[Kube]]


@pytest.fixture
async def token(server: Server) -> str:
    """The token of somebody who may write Backups and ScheduledBackups."""
    return (await server.account(WRITER)).token


@pytest.fixture
async def kube(server: Server, opened: Open, token: str) -> Kube:
    return await opened(server.kubeconfig(token))


@pytest.fixture
async def estate(server: Server) -> Estate:
    """What is known of a server with one Cluster, as the server has it."""
    plugins = [{"name": BARMAN_PLUGIN, "isWALArchiver": True}]
    made = await server.admin.create(path(server, "clusters"), a_cluster(plugins=plugins))
    assert made.status == 201, made.text
    known = Estate()
    known.apply(Listed(CLUSTERS, (cluster.read(made.body),), NOW))
    known.apply(Listed(BACKUPS, (), NOW))
    known.apply(Listed(SCHEDULED_BACKUPS, (), NOW))
    return known


@pytest.fixture
def order(server: Server, estate: Estate) -> Order:
    """Back up now."""
    return made(back_up_now(estate, Key(server.namespace, "pg"), NOW))


def made(order: Order | Refusal) -> Order:
    assert isinstance(order, Order), order
    return order


async def stored(server: Server, plural: str) -> list[Body]:
    items: list[Body] = (await server.admin.get(path(server, plural))).body["items"]
    return items


# Back up now


async def test_a_backup_is_rehearsed_without_a_trace_and_then_made_as_shown(
    server: Server, kube: Kube, order: Order
) -> None:
    assert await orders.rehearse(order, kube) == Rehearsal()
    assert await stored(server, "backups") == []
    assert await orders.carry_out(order, kube) == Done(order.key)
    (found,) = await stored(server, "backups")
    assert isinstance(order.act, Create)
    assert found["spec"] == order.act.document["spec"]
    assert found["metadata"]["labels"] == {"cnpg.io/cluster": "pg"}
    managers = {entry["manager"] for entry in found["metadata"]["managedFields"]}
    assert managers == {"cnpg-tui"}


async def test_without_the_right_to_create_the_rehearsal_names_it(
    server: Server, opened: Open, order: Order
) -> None:
    account = await server.account(Rule(("get", "list"), ("backups",)))
    kube = await opened(server.kubeconfig(account.token))
    rehearsal = await orders.rehearse(order, kube)
    assert "forbidden. Ask for create on backups.postgresql.cnpg.io" in rehearsal.refusal
    outcome = await orders.carry_out(order, kube)
    assert isinstance(outcome, NotDone)
    assert outcome.why == rehearsal.refusal


async def test_a_name_that_was_taken_meanwhile_is_not_taken_over(
    server: Server, kube: Kube, order: Order
) -> None:
    assert isinstance(order.act, Create)
    theirs = await server.admin.create(path(server, "backups"), dict(order.act.document))
    rehearsal = await orders.rehearse(order, kube)
    assert "there is one of that name already" in rehearsal.refusal
    outcome = await orders.carry_out(order, kube, HURRY)
    assert isinstance(outcome, NotDone)
    assert await stored(server, "backups") == [theirs.body]


async def test_a_namespace_that_went_away_is_said(kube: Kube, order: Order) -> None:
    assert isinstance(order.act, Create)
    nowhere = replace(order, act=replace(order.act, key=Key("nowhere", order.key.name)))
    assert "cannot create Backup" in (await orders.rehearse(nowhere, kube)).refusal


# The answer is lost


@pytest.fixture
async def relay(server: Server) -> AsyncIterator[Relay]:
    async with Relay(server.url) as relay:
        yield relay


@pytest.fixture
async def behind(server: Server, opened: Open, token: str, relay: Relay) -> Kube:
    """A gateway whose way to the server can be disturbed."""
    return await opened(relay.kubeconfig(server.kubeconfig(token)))


async def test_an_answer_that_is_lost_leaves_one_backup_and_is_told_as_done(
    server: Server, behind: Kube, relay: Relay, order: Order
) -> None:
    assert await orders.rehearse(order, behind) == Rehearsal()
    relay.lose_answers()
    assert await orders.carry_out(order, behind, HURRY) == Done(order.key)
    assert len(await stored(server, "backups")) == 1


async def test_an_order_that_is_lost_is_told_as_not_done(
    server: Server, behind: Kube, relay: Relay, order: Order
) -> None:
    await orders.rehearse(order, behind)
    relay.lose_requests()
    outcome = await orders.carry_out(order, behind, HURRY)
    assert isinstance(outcome, NotDone)
    assert "the server did not do it" in outcome.why.lower()
    assert await stored(server, "backups") == []


async def test_where_nobody_can_be_asked_the_fate_is_not_known(
    server: Server, behind: Kube, relay: Relay, order: Order
) -> None:
    await orders.rehearse(order, behind)
    relay.lose_answers()
    relay.refuse()
    assert isinstance(await orders.carry_out(order, behind, HURRY), NotKnown)
    assert len(await stored(server, "backups")) == 1


@pytest.mark.parametrize("lost", ["answer", "request"])
async def test_a_deletion_whose_way_breaks_ends_in_the_deletion(
    server: Server, behind: Kube, relay: Relay, saved: ScheduledBackup, lost: str
) -> None:
    order = schedule_orders.delete(Estate(), saved)
    assert await orders.rehearse(order, behind) == Rehearsal()
    {"answer": relay.lose_answers, "request": relay.lose_requests}[lost]()
    assert await orders.carry_out(order, behind, HURRY) == Done(saved.key)
    assert await stored(server, "scheduledbackups") == []


# Schedules


@pytest.fixture
async def saved(server: Server, kube: Kube, estate: Estate) -> ScheduledBackup:
    """A schedule made by an order."""
    key = Key(server.namespace, "nightly")
    wanted = schedule.new(key, "pg", "0 0 2 * * *", method="plugin", plugin=BARMAN_PLUGIN)
    order = made(schedule_orders.save_new(estate, wanted))
    assert await orders.rehearse(order, kube) == Rehearsal()
    assert await orders.carry_out(order, kube) == Done(key)
    (found,) = await stored(server, "scheduledbackups")
    return schedule.read(found)


async def touch(server: Server, change: dict[str, Any]) -> None:
    """Somebody else changes the schedule."""
    answer = await server.admin.patch(path(server, "scheduledbackups", "nightly"), change)
    assert answer.status == 200, answer.text


async def test_a_schedule_is_stored_as_it_was_written(
    server: Server, saved: ScheduledBackup
) -> None:
    (found,) = await stored(server, "scheduledbackups")
    assert found["spec"] == schedule.spec(saved)


async def test_an_edit_changes_what_it_names_and_nothing_else(
    server: Server, kube: Kube, saved: ScheduledBackup
) -> None:
    wanted = replace(saved, schedule="0 30 3 * * *", owner_reference="", target="")
    order = made(schedule_orders.save_changes(saved, wanted))
    assert await orders.rehearse(order, kube) == Rehearsal()
    assert await orders.carry_out(order, kube) == Done(saved.key)
    (found,) = await stored(server, "scheduledbackups")
    assert found["spec"] == {
        "schedule": "0 30 3 * * *",
        "cluster": {"name": "pg"},
        "method": "plugin",
        "pluginConfiguration": {"name": BARMAN_PLUGIN},
        # The CRD's default comes back for what was taken out.
        "backupOwnerReference": "none",
    }


async def test_suspending_and_resuming_are_stored(
    server: Server, kube: Kube, saved: ScheduledBackup
) -> None:
    for suspended in (True, False):
        (before,) = await stored(server, "scheduledbackups")
        order = made(schedule_orders.suspend(schedule.read(before), suspended=suspended))
        assert await orders.carry_out(order, kube) == Done(saved.key)
        (after,) = await stored(server, "scheduledbackups")
        assert after["spec"]["suspend"] is suspended


async def test_a_deletion_deletes(server: Server, kube: Kube, saved: ScheduledBackup) -> None:
    order = schedule_orders.delete(Estate(), saved)
    assert await orders.rehearse(order, kube) == Rehearsal()
    assert len(await stored(server, "scheduledbackups")) == 1
    assert await orders.carry_out(order, kube) == Done(saved.key)
    assert await stored(server, "scheduledbackups") == []


@pytest.mark.parametrize("what", ["edit", "suspend", "delete"])
async def test_who_was_overtaken_writes_nothing_and_is_told(
    server: Server, kube: Kube, saved: ScheduledBackup, what: str
) -> None:
    order = {
        "edit": made(schedule_orders.save_changes(saved, replace(saved, schedule="0 0 5 * * *"))),
        "suspend": made(schedule_orders.suspend(saved, suspended=True)),
        "delete": schedule_orders.delete(Estate(), saved),
    }[what]
    await touch(server, {"spec": {"target": "primary"}})
    theirs = await stored(server, "scheduledbackups")

    rehearsal = await orders.rehearse(order, kube)
    outcome = await orders.carry_out(order, kube)

    assert rehearsal.overtaken
    assert isinstance(outcome, NotDone)
    assert outcome.overtaken
    assert "changed by somebody else" in outcome.why
    assert await stored(server, "scheduledbackups") == theirs


async def test_an_edit_planned_anew_keeps_what_the_other_did(
    server: Server, kube: Kube, saved: ScheduledBackup
) -> None:
    wanted = replace(saved, schedule="0 0 5 * * *")
    await touch(server, {"spec": {"target": "primary"}})
    theirs = schedule.read(await kube.get(SCHEDULED_BACKUPS, saved.key))
    again = schedule_orders.replanned(saved, wanted, theirs)
    order = made(schedule_orders.save_changes(theirs, again))
    assert await orders.carry_out(order, kube) == Done(saved.key)
    (found,) = await stored(server, "scheduledbackups")
    assert (found["spec"]["schedule"], found["spec"]["target"]) == ("0 0 5 * * *", "primary")


async def test_a_schedule_that_was_made_anew_is_not_deleted_for_the_old_one(
    server: Server, kube: Kube, saved: ScheduledBackup
) -> None:
    one = path(server, "scheduledbackups", "nightly")
    await server.admin.delete(one)
    await server.admin.create(path(server, "scheduledbackups"), schedule.document(saved))
    outcome = await orders.carry_out(schedule_orders.delete(Estate(), saved), kube)
    assert isinstance(outcome, NotDone)
    assert len(await stored(server, "scheduledbackups")) == 1


# What the schema refuses


async def test_another_cluster_cannot_be_written_into_a_schedule(
    server: Server, kube: Kube, saved: ScheduledBackup
) -> None:
    order = made(schedule_orders.save_changes(saved, replace(saved, cluster="other")))
    rehearsal = await orders.rehearse(order, kube)
    assert "cluster reference is immutable after creation" in rehearsal.refusal
    assert isinstance(await orders.carry_out(order, kube), NotDone)
    assert schedule.read((await stored(server, "scheduledbackups"))[0]) == saved


async def test_the_spec_of_a_backup_cannot_be_changed(
    server: Server, kube: Kube, order: Order
) -> None:
    await orders.carry_out(order, kube)
    (found,) = await stored(server, "backups")
    version = found["metadata"]["resourceVersion"]
    change = Change(BACKUPS, order.key, version, {"spec": {"target": "primary"}})
    outcome = await orders.carry_out(replace(order, act=change), kube)
    assert isinstance(outcome, NotDone)
    assert "BackupSpec is immutable once set" in outcome.why


async def test_a_refusal_does_not_quote_the_whole_object(
    kube: Kube, saved: ScheduledBackup
) -> None:
    secret = {"parameters": {"note": "a word that is in the object " * 20}}
    fields = {"spec": {"pluginConfiguration": secret, "suspend": "perhaps"}}
    change = Change(SCHEDULED_BACKUPS, saved.key, saved.resource_version, fields)
    order = replace(made(schedule_orders.suspend(saved, suspended=True)), act=change)
    rehearsal = await orders.rehearse(order, kube)
    assert "suspend" in rehearsal.refusal
    assert len(rehearsal.refusal) < 400


# What the operator's webhooks say: they are in the sandbox alone


async def test_a_warning_of_the_webhook_comes_with_the_rehearsal_and_with_the_deed(
    sandbox: Server, opened: Open
) -> None:
    kube = await opened(sandbox.kubeconfig((await sandbox.account(WRITER)).token))
    key = Key(sandbox.namespace, "nightly")
    five = schedule.new(key, "pg", "0 2 * * *", method="plugin", plugin=BARMAN_PLUGIN)
    order = made(schedule_orders.save_new(Estate(), five))
    warning = (await orders.rehearse(order, kube)).warnings
    assert "six arguments are needed" in warning[0]
    assert await orders.carry_out(order, kube) == Done(key, warning)


async def test_a_refusal_of_the_webhook_is_told_in_its_words(sandbox: Server, opened: Open) -> None:
    kube = await opened(sandbox.kubeconfig((await sandbox.account(WRITER)).token))
    key = Key(sandbox.namespace, "nightly")
    odd = schedule.new(key, "pg", "0 2 * *", method="plugin", plugin=BARMAN_PLUGIN)
    order = made(schedule_orders.save_new(Estate(), odd))
    assert "Expected 5 to 6 fields, found 4" in (await orders.rehearse(order, kube)).refusal
    assert isinstance(await orders.carry_out(order, kube), NotDone)
    assert await stored(sandbox, "scheduledbackups") == []
