"""Projections: what is kept of a manifest, and that an odd one is refused with the field's name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tui.cnpg import backup, cluster, manifest, schedule, store
from tui.cnpg.manifest import BARMAN_PLUGIN, Key

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


def thing(name: str, spec: dict[str, Any], status: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "prod",
            "uid": f"uid-{name}",
            "resourceVersion": "7",
            "creationTimestamp": "2026-11-22T12:00:00Z",
        },
        "spec": spec,
        "status": status or {},
    }


def cluster_with(**spec: Any) -> cluster.Cluster:
    return cluster.read(thing("pg", spec))


PLUGIN = {"name": BARMAN_PLUGIN, "isWALArchiver": True, "parameters": {"barmanObjectName": "r2"}}


def test_a_plugin_is_enabled_unless_it_says_otherwise() -> None:
    assert cluster_with(plugins=[PLUGIN]).archives
    assert not cluster_with(plugins=[PLUGIN | {"enabled": False}]).archives


def test_a_plugin_archives_even_when_the_archiver_flag_is_false() -> None:
    assert cluster_with(plugins=[PLUGIN | {"isWALArchiver": False}]).archives


def test_an_in_tree_store_archives() -> None:
    found = cluster_with(backup={"barmanObjectStore": {"destinationPath": "s3://acme/pg"}})
    assert found.archives
    assert found.backup_plugin is None
    assert found.in_tree_store is not None
    assert found.in_tree_store.destination_path == "s3://acme/pg"


def test_the_server_name_is_the_parameter_or_the_clusters_name() -> None:
    assert cluster_with(plugins=[PLUGIN]).server_name == "pg"
    named = PLUGIN | {"parameters": {"barmanObjectName": "r2", "serverName": "pg-old"}}
    assert cluster_with(plugins=[named]).server_name == "pg-old"


def test_the_wal_archiver_is_the_backup_plugin_among_several() -> None:
    other = {"name": "other.example"}
    assert (
        cluster_with(plugins=[other, PLUGIN]).backup_plugin
        == cluster_with(plugins=[PLUGIN]).backup_plugin
    )


def test_a_plugin_that_does_something_else_leaves_the_in_tree_store_the_archiver() -> None:
    in_tree = {"barmanObjectStore": {"destinationPath": "s3://acme/pg", "serverName": "pg-old"}}
    found = cluster_with(plugins=[{"name": "other.example"}], backup=in_tree)
    assert found.backup_plugin is None
    assert found.server_name == "pg-old"
    both = cluster_with(plugins=[{"name": "other.example"}, PLUGIN], backup=in_tree)
    assert both.backup_plugin is not None
    assert both.backup_plugin.name == BARMAN_PLUGIN


def test_a_condition_that_is_absent_is_none_not_fine() -> None:
    assert cluster_with().archiving is None


def test_annotations_tell_of_hibernation_fencing_and_skipped_archiving() -> None:
    source = thing("pg", {})
    source["metadata"]["annotations"] = {
        "cnpg.io/hibernation": "on",
        "cnpg.io/fencedInstances": '["pg-1"]',
        "cnpg.io/skipWalArchiving": "enabled",
    }
    found = cluster.read(source)
    assert (found.hibernated, found.fenced, found.skips_wal_archiving) == (True, ("pg-1",), True)


def backup_named(name: str, phase: str = "", minute: int = 0, **status: Any) -> backup.Backup:
    source = thing(name, {"cluster": {"name": "pg"}, "method": "plugin"}, status | {"phase": phase})
    source["metadata"]["creationTimestamp"] = f"2026-11-22T12:{minute:02}:00Z"
    return backup.read(source)


def test_elapsed_time_counts_from_the_reconciliation_not_from_started_at() -> None:
    running = backup_named("b", "started", reconciliationStartedAt="2026-11-22T13:50:00Z")
    assert running.elapsed(NOW) == timedelta(minutes=10)
    assert backup_named("b", "pending").elapsed(NOW) is None


def test_the_queue_is_oldest_first_then_by_name() -> None:
    line = backup.queue(
        [backup_named("c", minute=1), backup_named("b"), backup_named("a", "failed")]
    )
    assert [item.key.name for item in line.waiting] == ["b", "c"]


def test_an_executing_backup_holds_up_even_an_older_one() -> None:
    old, running = backup_named("old", "pending"), backup_named("running", "started", minute=5)
    line = backup.queue([old, running])
    assert line.ahead_of(old) == running
    assert line.ahead_of(running) is None


@pytest.mark.parametrize(
    "phase", ["", "pending", "walArchivingFailing", "invalid backup definition"]
)
def test_a_head_in_any_unfinished_phase_blocks_those_behind(phase: str) -> None:
    head, behind = backup_named("head", phase), backup_named("behind", "pending", minute=1)
    assert backup.queue([behind, head]).ahead_of(behind) == head


def test_a_schedules_text_keeps_its_blanks() -> None:
    found = schedule.read(thing("daily", {"schedule": "0\t0 2 * * *", "cluster": {"name": "pg"}}))
    assert found.schedule == "0\t0 2 * * *"


def test_a_store_keeps_references_to_secrets_and_the_plain_environment() -> None:
    found = store.read(
        thing(
            "r2",
            {
                "configuration": {
                    "destinationPath": "s3://acme/prod",
                    "endpointURL": "https://acct.r2.cloudflarestorage.com",
                    "s3Credentials": {"accessKeyId": {"name": "creds", "key": "ID"}},
                },
                "instanceSidecarConfiguration": {
                    "env": [
                        {"name": "AWS_REQUEST_CHECKSUM_CALCULATION", "value": "when_required"},
                        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}},
                    ]
                },
            },
            {"serverRecoveryWindow": {"pg": {"lastSuccessfulBackupTime": "2026-11-22T02:00:00Z"}}},
        )
    )
    assert found.configuration.s3_credentials is not None
    assert found.configuration.s3_credentials.access_key_id == store.SecretKey("creds", "ID")
    assert found.sidecar_env == {
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "TOKEN": None,
    }
    assert found.recovery_windows["pg"].last_successful_backup == datetime(
        2026, 11, 22, 2, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (thing("b", {"cluster": "pg"}), "cluster is a text, not an object"),
        (thing("b", {"cluster": {"name": 7}}), "cluster.name is a number, not a text"),
        (thing("b", {}, {"startedAt": "yesterday"}), "startedAt is 'yesterday', not a time"),
        (thing("b", {}, {"majorVersion": "18"}), "majorVersion is a text, not a whole number"),
        ({"metadata": {}}, "the object has no metadata.name"),
    ],
)
def test_an_odd_field_is_named(source: dict[str, Any], why: str) -> None:
    with pytest.raises(manifest.Odd, match=why):
        backup.read(source)


def test_escape_sequences_end_at_the_door() -> None:
    assert backup_named("b", "failed", error="\x1b[2Jgone\u202e").error == "gone"


def test_keys_read_as_namespace_and_name() -> None:
    assert str(Key("prod", "pg")) == "prod/pg"


@pytest.mark.parametrize(
    ("told", "timeout"),
    [
        ({}, timedelta(minutes=5)),
        ({"archive_timeout": "60"}, timedelta(minutes=1)),
        ({"archive_timeout": "1h"}, timedelta(hours=1)),
        ({"archive_timeout": "0"}, None),
        ({"archive_timeout": "soon"}, None),
    ],
    ids=["default", "seconds", "unit", "off", "odd"],
)
def test_archive_timeout_is_read_as_postgres_reads_it(
    told: dict[str, str], timeout: timedelta | None
) -> None:
    manifest = {
        "metadata": {"namespace": "production", "name": "pg", "resourceVersion": "1", "uid": "u"},
        "spec": {"postgresql": {"parameters": told}},
    }
    assert cluster.read(manifest).archive_timeout == timeout


@pytest.mark.parametrize(
    ("size", "bytes_"),
    [
        ("50Gi", 50 * 1024**3),
        ("1.5G", 1_500_000_000),
        ("5e10", 5 * 10**10),
        ("1000", 1000),
        ("many", None),
        ("", None),
        (None, None),
    ],
)
def test_the_size_of_a_volume_is_read_as_kubernetes_reads_it(size: Any, bytes_: int | None) -> None:
    found = cluster_with(walStorage={"size": size})
    assert (found.wal_storage, found.storage) == (bytes_, None)


@pytest.mark.parametrize(
    ("replica", "follows"),
    [
        (None, False),
        ({"source": "there", "enabled": True}, True),
        ({"source": "there", "enabled": False}, False),
        ({"source": "there", "primary": "there"}, True),
        ({"source": "there", "primary": "here", "self": "here"}, False),
        ({"source": "there", "primary": "pg"}, False),
    ],
    ids=["none", "enabled", "disabled", "another is primary", "itself by self", "itself by name"],
)
def test_a_replica_cluster_is_told_as_the_operator_tells_it(replica: Any, follows: bool) -> None:
    assert cluster_with(replica=replica).follows is follows
