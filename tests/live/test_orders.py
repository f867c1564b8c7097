"""An on-demand backup, from the wish to its fate. The port answers as a server would."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.verdict.triage.made_up import a_pod
from tui import faults
from tui.cnpg import backup, cluster
from tui.cnpg.backup import Method
from tui.cnpg.manifest import BACKUPS, BARMAN_PLUGIN, CLUSTERS, Key, Kind, Manifest
from tui.live.changes import Inspected, Listed
from tui.live.estate import Estate
from tui.live.orders import back_up
from tui.live.orders import order as orders
from tui.live.orders.back_up import BackUpNow
from tui.live.orders.order import Create, Done, NotDone, NotKnown, Patience, Refusal
from tui.verdict.witnesses import NOT_ASKED

NOW = datetime(2026, 11, 22, 14, 1, 2, tzinfo=UTC)
PG = Key("prod", "pg")
PLUGIN = {"name": BARMAN_PLUGIN, "isWALArchiver": True, "parameters": {"barmanObjectName": "r2"}}
IN_TREE = {"barmanObjectStore": {"destinationPath": "s3://acme/pg"}}
FAILING = {
    "type": "ContinuousArchiving",
    "status": "False",
    "lastTransitionTime": "2026-11-22T11:24:02Z",
}


def estate_with(
    spec: dict[str, Any],
    *backups: backup.Backup,
    annotations: dict[str, str] | None = None,
    conditions: tuple[dict[str, str], ...] = (),
) -> Estate:
    estate = Estate()
    source = {
        "metadata": {"name": "pg", "namespace": "prod", "annotations": annotations or {}},
        "spec": spec,
        "status": {"conditions": list(conditions)},
    }
    estate.apply(Listed(CLUSTERS, (cluster.read(source),), NOW))
    estate.apply(Listed(BACKUPS, backups, NOW))
    return estate


def a_backup(name: str, phase: str) -> backup.Backup:
    return backup.read(
        {
            "metadata": {"name": name, "namespace": "prod"},
            "spec": {"cluster": {"name": "pg"}},
            "status": {"phase": phase},
        }
    )


def prepared(estate: Estate, **choice: Any) -> BackUpNow:
    order = back_up.back_up_now(estate, PG, NOW, **choice)
    assert isinstance(order, BackUpNow)
    return order


def document(order: BackUpNow) -> Manifest:
    assert isinstance(order.act, Create)
    return order.act.document


def test_the_document_is_what_kubectl_cnpg_backup_makes() -> None:
    assert document(prepared(estate_with({"plugins": [PLUGIN]}))) == {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Backup",
        "metadata": {
            "name": "pg-20261122140102",
            "namespace": "prod",
            "labels": {"cnpg.io/cluster": "pg"},
        },
        "spec": {
            "cluster": {"name": "pg"},
            "method": "plugin",
            "pluginConfiguration": {"name": BARMAN_PLUGIN},
        },
    }


def test_the_kubectl_line_says_the_same() -> None:
    order = prepared(estate_with({"plugins": [PLUGIN]}), target="primary", context="eu")
    assert order.kubectl == (
        "kubectl cnpg backup pg -n prod --backup-name pg-20261122140102 --method plugin "
        f"--plugin-name {BARMAN_PLUGIN} --backup-target primary --context eu"
    )
    assert document(order)["spec"]["target"] == "primary"


def test_without_a_plugin_the_in_tree_store_is_used_and_its_end_announced() -> None:
    order = prepared(estate_with({"backup": IN_TREE}))
    assert order.method is Method.IN_TREE
    assert "pluginConfiguration" not in document(order)["spec"]
    assert any("1.31.0 removes it" in warning for warning in order.warnings)


def test_a_cluster_without_any_method_is_refused_with_the_reason() -> None:
    refusal = back_up.back_up_now(estate_with({}), PG, NOW)
    assert isinstance(refusal, Refusal)
    assert "no enabled plugin in spec.plugins and no spec.backup" in refusal.why


def test_a_method_that_cannot_work_here_is_not_taken() -> None:
    order = prepared(estate_with({"plugins": [PLUGIN]}), method=Method.VOLUME_SNAPSHOT)
    assert order.method is Method.PLUGIN


@pytest.mark.parametrize(
    ("circumstances", "warning"),
    [
        ({"conditions": (FAILING,)}, "WAL archiving fails since 11:24:02Z"),
        ({"annotations": {"cnpg.io/hibernation": "on"}}, "hibernated"),
        ({"annotations": {"cnpg.io/fencedInstances": '["pg-1"]'}}, "fenced: pg-1"),
        ({"annotations": {"cnpg.io/skipWalArchiving": "enabled"}}, "archiving is switched off"),
    ],
)
def test_trouble_is_told_before_the_fact(circumstances: dict[str, Any], warning: str) -> None:
    order = prepared(estate_with({"plugins": [PLUGIN]}, **circumstances))
    assert any(warning in said for said in order.warnings)


def test_a_pod_without_the_sidecar_is_named_before_the_fact() -> None:
    estate = estate_with({"plugins": [PLUGIN]})
    pods = (a_pod("pg-1"), a_pod("pg-2", sidecar=False))
    estate.apply(Inspected(PG, pods, NOT_ASKED, NOW))
    [said] = [line for line in prepared(estate).warnings if "sidecar" in line]
    assert said.startswith("no plugin sidecar in pg-2: a Backup sent there fails")


def test_the_queue_ahead_is_counted_and_its_head_named() -> None:
    ahead = (a_backup("pg-a", "started"), a_backup("pg-b", "pending"))
    order = prepared(estate_with({"plugins": [PLUGIN]}, *ahead))
    assert any("2 Backups ahead: pg-a is started" in said for said in order.warnings)


def test_a_second_order_within_the_same_second_is_refused() -> None:
    taken = a_backup("pg-20261122140102", "")
    refusal = back_up.back_up_now(estate_with({"plugins": [PLUGIN]}, taken), PG, NOW)
    assert isinstance(refusal, Refusal)


@dataclass
class Server:
    """A server as an order sees it: what create and each get answer, in turn."""

    on_create: faults.Fault | None = None
    takes_it: bool = True
    on_get: list[faults.Fault] = field(default_factory=list)
    stored: list[Manifest] = field(default_factory=list)
    manifest: Manifest = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    async def create(
        self, kind: Kind, namespace: str, body: Manifest, *, dry_run: bool = False
    ) -> Server:
        if not dry_run and self.takes_it:
            self.stored.append(body)
        if self.on_create:
            raise self.on_create
        return self

    async def patch(self, kind: Kind, key: Key, body: Any, *, dry_run: bool = False) -> Server:
        raise NotImplementedError

    async def delete(
        self, kind: Kind, key: Key, *, resource_version: str, uid: str, dry_run: bool = False
    ) -> Server:
        raise NotImplementedError

    async def get(self, kind: Kind, key: Key) -> Manifest:
        if self.on_get:
            raise self.on_get.pop(0)
        if not self.stored:
            raise faults.NotFound("not found", code=404)
        return self.stored[0]


async def at_once(seconds: float) -> None:
    """Patience without waiting."""


HURRY = Patience(looks=3, sleep=at_once)
LOST = faults.Unreachable("the connection was cut before the answer")
ORDER = prepared(estate_with({"plugins": [PLUGIN]}))


async def test_an_accepted_order_is_done_with_the_servers_warnings() -> None:
    server = Server(warnings=("deprecated",))
    assert await orders.carry_out(ORDER, server, HURRY) == Done(ORDER.key, ("deprecated",))


async def test_a_lost_answer_is_resolved_by_looking_not_by_creating_again() -> None:
    server = Server(on_create=LOST)
    assert await orders.carry_out(ORDER, server, HURRY) == Done(ORDER.key)
    assert len(server.stored) == 1


async def test_looking_goes_on_while_the_server_is_away() -> None:
    server = Server(on_create=LOST, on_get=[LOST, LOST])
    assert await orders.carry_out(ORDER, server, HURRY) == Done(ORDER.key)


async def test_an_order_that_never_arrived_is_not_done() -> None:
    outcome = await orders.carry_out(ORDER, Server(on_create=LOST, takes_it=False), HURRY)
    assert isinstance(outcome, NotDone)
    assert "did not do it" in outcome.why


async def test_when_nobody_answers_the_fate_is_not_known() -> None:
    outcome = await orders.carry_out(ORDER, Server(on_create=LOST, on_get=[LOST] * 3), HURRY)
    assert isinstance(outcome, NotKnown)
    assert "not known whether" in outcome.why


async def test_a_refusal_is_told_in_the_servers_words_and_not_looked_for() -> None:
    no = faults.Forbidden("cannot create backups in prod: forbidden", code=403)
    outcome = await orders.carry_out(ORDER, Server(on_create=no, takes_it=False), HURRY)
    assert outcome == NotDone(ORDER.key, "cannot create backups in prod: forbidden")


async def test_a_rehearsal_stores_nothing_and_brings_the_warnings() -> None:
    server = Server(warnings=("be careful",))
    rehearsal = await orders.rehearse(ORDER, server)
    assert (rehearsal.warnings, rehearsal.refusal, server.stored) == (("be careful",), "", [])
