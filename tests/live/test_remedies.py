"""Orders that mend what triage found: what is sent, what is shown, and what it sets in motion."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tui.cnpg import backup, cluster, schedule
from tui.cnpg.backup import Backup
from tui.cnpg.manifest import (
    BACKUPS,
    BARMAN_PLUGIN,
    CLUSTERS,
    OBJECT_STORES,
    SCHEDULED_BACKUPS,
    Key,
    Manifest,
)
from tui.cnpg.store import CHECKSUM_VARIABLES
from tui.live.changes import Listed
from tui.live.estate import Estate
from tui.live.orders import remedy
from tui.live.orders.order import Change, Delete, Order, Refusal
from tui.live.rights import Right
from tui.verdict.fix import DeleteBackup, SetChecksums, SetOptions, SwitchOn

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
STORE = Key("prod", "r2")
REQUEST, RESPONSE = CHECKSUM_VARIABLES
BOTH = [{"name": REQUEST, "value": "when_required"}, {"name": RESPONSE, "value": "when_required"}]
REGION = {"name": "AWS_DEFAULT_REGION", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}


def a_cluster(name: str = "pg") -> cluster.Cluster:
    plugin = {"name": BARMAN_PLUGIN, "parameters": {"barmanObjectName": "r2"}}
    metadata = {"name": name, "namespace": "prod"}
    return cluster.read({"metadata": metadata, "spec": {"plugins": [plugin]}})


def a_backup(name: str, phase: str, age: int, *, by: str = "") -> Backup:
    created = (NOW - timedelta(hours=age)).isoformat().replace("+00:00", "Z")
    return backup.read(
        {
            "metadata": {
                "name": name,
                "namespace": "prod",
                "uid": f"u-{name}",
                "resourceVersion": "7",
                "creationTimestamp": created,
                "labels": {backup.SCHEDULE_LABEL: by},
            },
            "spec": {"cluster": {"name": "pg"}, "method": "plugin"},
            "status": {"phase": phase},
        }
    )


def estate_with(*backups: Backup) -> Estate:
    estate = Estate()
    estate.apply(Listed(CLUSTERS, (a_cluster("pg"), a_cluster("pg-audit")), NOW))
    estate.apply(Listed(BACKUPS, backups, NOW))
    return estate


def a_store(sidecar: Manifest | None) -> dict[str, Any]:
    spec: dict[str, Any] = {"configuration": {"destinationPath": "s3://b/"}}
    if sidecar is not None:
        spec["instanceSidecarConfiguration"] = sidecar
    return {"metadata": {"name": "r2", "namespace": "prod", "resourceVersion": "41"}, "spec": spec}


def made(order: Order | Refusal) -> Order:
    assert isinstance(order, Order), order
    return order


def operations(order: Order) -> list[dict[str, Any]]:
    line = shlex.split(order.kubectl)
    assert line[line.index("--type") + 1] == "json"
    found: list[dict[str, Any]] = json.loads(line[-1])
    return found


@pytest.mark.parametrize(
    ("sidecar", "env"),
    [
        (None, BOTH),
        ({}, BOTH),
        ({"logLevel": "debug", "env": []}, BOTH),
        ({"env": [REGION]}, [REGION, *BOTH]),
        (
            {"env": [{"name": RESPONSE, "value": "when_supported"}, REGION]},
            [BOTH[1], REGION, BOTH[0]],
        ),
    ],
)
def test_both_variables_are_set_and_no_other_is_touched(
    sidecar: Manifest | None, env: list[Manifest]
) -> None:
    order = made(remedy.set_checksums(estate_with(), STORE, a_store(sidecar)))
    assert order.act == Change(
        OBJECT_STORES, STORE, "41", {"spec": {"instanceSidecarConfiguration": {"env": env}}}
    )


def test_what_rolls_is_said_before_by_the_names_of_all_clusters_of_the_store() -> None:
    order = made(remedy.set_checksums(estate_with(), STORE, a_store(None)))
    assert "the Pods of pg, pg-audit are restarted" in order.warnings[0]


def test_no_value_of_another_variable_is_shown() -> None:
    secret = {"name": "AWS_SECRET_ACCESS_KEY", "value": "hunter2"}
    order = made(remedy.set_checksums(estate_with(), STORE, a_store({"env": [secret]})))
    assert "+      value: when_required" in order.shown
    assert "hunter2" not in order.shown + order.kubectl + order.sentence


def test_a_store_that_has_both_is_left_alone() -> None:
    order = remedy.set_checksums(estate_with(), STORE, a_store({"env": BOTH}))
    assert isinstance(order, Refusal)
    assert "both variables already" in order.why


def test_a_cluster_that_recovers_from_the_store_is_restarted_too() -> None:
    estate = estate_with()
    source = {"name": "origin", "plugin": {"name": BARMAN_PLUGIN, "parameters": a_name("r2")}}
    other = {"name": "other", "plugin": {"name": BARMAN_PLUGIN, "parameters": a_name("r3")}}
    spec = {
        "bootstrap": {"recovery": {"source": "origin"}},
        "externalClusters": [source, other],
    }
    restored = cluster.read({"metadata": {"name": "restored", "namespace": "prod"}, "spec": spec})
    assert restored.source_stores == ("r2",)
    estate.apply(Listed(CLUSTERS, (a_cluster("pg"), restored), NOW))
    order = made(remedy.set_checksums(estate, STORE, a_store(None)))
    assert "the Pods of pg, restored are restarted" in order.warnings[0]


def a_name(store: str) -> Manifest:
    return {"barmanObjectName": store}


def test_an_option_is_taken_out_and_what_that_means_is_said() -> None:
    found = a_store(None)
    found["spec"]["configuration"] |= {
        "tags": {"a": "b"},
        "wal": {"encryption": "AES256", "compression": "gzip"},
    }
    fix = SetOptions(STORE, {("tags",): None, ("wal", "encryption"): None})
    order = made(remedy.order(estate_with(), fix, found))
    fields = {"spec": {"configuration": {"tags": None, "wal": {"encryption": None}}}}
    assert order.act == Change(OBJECT_STORES, STORE, "41", fields)
    assert order.sentence == "Remove tags, wal.encryption of ObjectStore r2 in prod"
    assert [line for line in order.shown.splitlines() if line[0] in "+-"] == [
        "-    tags:",
        "-      a: b",
        "-      encryption: AES256",
    ]
    assert "the sidecars of pg, pg-audit read it within 10 s: no Pod" in order.warnings[0]
    assert "encrypted only if the bucket does so" in order.warnings[1]
    assert json.loads(shlex.split(order.kubectl)[-1]) == fields


def test_an_option_that_is_so_already_is_left_alone() -> None:
    gone = remedy.order(estate_with(), SetOptions(STORE, {("tags",): None}), a_store(None))
    assert isinstance(gone, Refusal)
    assert "like that already" in gone.why


def test_only_the_version_makes_no_other_order_but_anything_that_is_shown_does() -> None:
    estate = estate_with()
    order = made(remedy.set_checksums(estate, STORE, a_store(None)))
    later = a_store(None)
    later["metadata"] = {**later["metadata"], "resourceVersion": "42"}
    assert remedy.is_same(order, made(remedy.set_checksums(estate, STORE, later)))
    changed = a_store({"env": [REGION]})
    assert not remedy.is_same(order, made(remedy.set_checksums(estate, STORE, changed)))


def a_manifest(*plugins: Manifest) -> Manifest:
    metadata = {"name": "pg", "namespace": "prod", "resourceVersion": "9"}
    return {"metadata": metadata, "spec": {"plugins": list(plugins)}}


OTHER = {"name": "other.io", "parameters": {"a": "b"}}
OFF = {"name": BARMAN_PLUGIN, "enabled": False, "parameters": {"barmanObjectName": "r2"}}


def test_a_plugin_that_is_off_becomes_the_archiver_and_the_others_stay_as_they_are() -> None:
    order = made(remedy.switch_on(Key("prod", "pg"), BARMAN_PLUGIN, a_manifest(OTHER, OFF)))
    on = {**OFF, "enabled": True, "isWALArchiver": True}
    assert order.act == Change(CLUSTERS, Key("prod", "pg"), "9", {"spec": {"plugins": [OTHER, on]}})
    assert operations(order) == [
        {"op": "test", "path": "/spec/plugins/1/name", "value": BARMAN_PLUGIN},
        {"op": "add", "path": "/spec/plugins/1/enabled", "value": True},
        {"op": "add", "path": "/spec/plugins/1/isWALArchiver", "value": True},
    ]
    assert "take a base backup" in " ".join(order.warnings)


def test_a_plugin_that_is_gone_or_on_already_is_a_sentence() -> None:
    gone = remedy.switch_on(Key("prod", "pg"), BARMAN_PLUGIN, a_manifest(OTHER))
    on = a_manifest({**OFF, "enabled": True, "isWALArchiver": True})
    already = remedy.switch_on(Key("prod", "pg"), BARMAN_PLUGIN, on)
    assert isinstance(gone, Refusal)
    assert isinstance(already, Refusal)
    assert "look again" in gone.why
    assert "already" in already.why


def test_deleting_a_stuck_backup_says_what_stays_what_goes_on_and_who_is_next() -> None:
    estate = estate_with(
        a_backup("stuck", "started", 12), a_backup("next", "pending", 3), a_backup("b", "", 1)
    )
    order = made(remedy.delete_backup(estate, a_backup("stuck", "started", 12)))
    assert order.act == Delete(BACKUPS, Key("prod", "stuck"), "u-stuck", "7")
    assert "what lies in the bucket stays" in order.warnings[0]
    assert "is not stopped" in order.warnings[1]
    assert order.warnings[2] == "2 Backups wait behind it, next first"


def test_deleting_a_backup_that_waits_itself_is_said_to_free_nothing() -> None:
    waiting = a_backup("next", "pending", 3)
    estate = estate_with(a_backup("stuck", "started", 12), waiting, a_backup("b", "", 1))
    warnings = made(remedy.delete_backup(estate, waiting)).warnings
    assert warnings[1:] == ("this frees nothing: it waits itself, stuck is started",)


def test_a_schedule_that_goes_on_once_its_backup_is_deleted_is_named() -> None:
    estate, stuck = estate_with(), a_backup("daily-1", "started", 12, by="daily")
    assert len(made(remedy.delete_backup(estate, stuck)).warnings) == 2
    spec = {"schedule": "0 0 2 * * *", "cluster": {"name": "pg"}}
    daily = schedule.read({"metadata": {"name": "daily", "namespace": "prod"}, "spec": spec})
    estate.apply(Listed(SCHEDULED_BACKUPS, (daily,), NOW))
    assert "daily made it: that goes on" in made(remedy.delete_backup(estate, stuck)).warnings[2]


@pytest.mark.parametrize("phase", ["completed", "failed"])
def test_a_backup_that_is_done_is_not_deleted(phase: str) -> None:
    refusal = remedy.delete_backup(estate_with(), a_backup("b", phase, 1))
    assert isinstance(refusal, Refusal)
    assert "holds up nothing" in refusal.why


def test_each_remedy_names_the_right_it_needs() -> None:
    assert remedy.right(SetChecksums(STORE)) == Right("patch", OBJECT_STORES)
    assert remedy.right(SetOptions(STORE, {})) == Right("patch", OBJECT_STORES)
    assert remedy.right(SwitchOn(STORE, "x")) == Right("patch", CLUSTERS)
    assert remedy.right(DeleteBackup(STORE)) == Right("delete", BACKUPS)
    assert str(SCHEDULED_BACKUPS) == "scheduledbackups.postgresql.cnpg.io"
