"""Backups as the acted operator takes them: order, phases, fields, events, objects in the bucket."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tests.sandbox.conftest import Start
from tests.sandbox.staged import Manifest, Sandbox, until
from tui.sandbox.client import BACKUPS, Kube

PLUGIN = "barman-cloud.cloudnative-pg.io"
SCENARIO = """
stores:
- {name: r2-store}
- {name: r2-closed, secret: r2-closed, identity: read-only}
clusters:
- {name: pg, instances: 3, history: 2d, wal: {every: 20s}, base: {takes: 20s, size: 64KiB}}
- {name: pg-solo, history: 2d, wal: {every: 20s}, base: {takes: 20s, size: 64KiB}}
- {name: pg-slow, history: 1d, wal: {every: 20s}, base: {takes: 1d}}
- {name: pg-broken, history: 1d, wal: {every: 20s}, base: {takes: 4s, error: "No space left on device"}}
- {name: pg-closed, store: r2-closed, history: 1d, base: {takes: 4s}, failing: {since: 1h}}
- {name: pg-bare, plugin: absent, history: 1d, wal: {every: 20s}}
- {name: pg-unrolled, sidecar: false, history: 1d, wal: {every: 20s}}
- {name: pg-asleep, history: 1d}
- {name: pg-stuck, instances: 2, history: 1d, base: {takes: 4s, size: 64KiB},
   schedules: [{name: often, cron: "0 0 * * * *", stuck: 2h}]}
objects:
- {kind: Cluster, metadata: {name: pg-asleep, namespace: production,
   annotations: {cnpg.io/hibernation: "on"}}}
- {kind: Cluster, metadata: {name: pg-unrolled, namespace: production,
   annotations: {cnpg.io/reconciliationLoop: disabled}}}
"""


@pytest.fixture(scope="module")
def stage(start: Start) -> Sandbox:
    return start(SCENARIO, "--speed", "40")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for this test's Backup."""
    told: str = request.node.name
    return told.replace("_", "-")[5:50].rstrip("-")


def backup(name: str, cluster: str, **spec: Any) -> Manifest:
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Backup",
        "metadata": {"name": name, "namespace": "production"},
        "spec": {
            "cluster": {"name": cluster},
            "method": "plugin",
            "pluginConfiguration": {"name": PLUGIN},
        }
        | spec,
    }


async def ask(kube: Kube, name: str, cluster: str, **spec: Any) -> None:
    await kube.create(BACKUPS, backup(name, cluster, **spec))


async def status(kube: Kube, name: str, *phases: str) -> Manifest:
    """The status of a Backup once it has one of these phases."""

    async def holds() -> Manifest | None:
        found = await kube.get(BACKUPS, "production", name)
        current: Manifest = (found or {}).get("status", {})
        return current if current.get("phase") in phases else None

    found: Manifest = await until(holds)
    return found


def events(stage: Sandbox, name: str) -> list[tuple[str, str, str]]:
    found = stage.read("events", "-n", "production")["items"]
    mine = [one for one in found if one["involvedObject"]["name"] == name]
    return [(one["type"], one["reason"], one["message"]) for one in mine]


def condition(stage: Sandbox, cluster: str, kind: str) -> Manifest:
    found = stage.read("cluster", cluster, "-n", "production")["status"]["conditions"]
    return next(one for one in found if one["type"] == kind)


async def test_a_backup_passes_its_phases_and_gains_its_fields_when_it_should(
    stage: Sandbox, name: str
) -> None:
    async with stage.kube() as kube:
        _, revision = await kube.list(BACKUPS, "production")
        await ask(kube, name, "pg")
        seen: list[Manifest] = []
        async for event in kube.watch(BACKUPS, "production", revision):
            if event["object"]["metadata"]["name"] == name:
                seen.append(event["object"].get("status", {}))
                if seen[-1].get("phase") == "completed":
                    break
    phases = [one.get("phase", "") for one in seen]
    assert phases == sorted(phases, key=["", "started", "completed"].index)
    assert set(phases) == {"", "started", "completed"}
    started, completed = seen[phases.index("started")], seen[-1]
    assert set(started) == {
        "phase",
        "method",
        "majorVersion",
        "reconciliationStartedAt",
        "instanceID",
    }
    assert set(completed) - set(started) == {
        "startedAt",
        "stoppedAt",
        "reconciliationTerminatedAt",
        "backupId",
        "backupName",
        "beginWal",
        "endWal",
        "beginLSN",
        "endLSN",
        "online",
        "pluginMetadata",
    }
    assert completed["instanceID"]["podName"] == "pg-2", "the first standby by name"
    assert completed["beginWal"] <= completed["endWal"]
    assert set(completed["pluginMetadata"]) == {
        "timeline",
        "version",
        "name",
        "displayName",
        "clusterUID",
        "pluginName",
    }


async def test_a_completed_backup_lies_in_the_bucket_with_its_wal(
    stage: Sandbox, name: str
) -> None:
    async with stage.kube() as kube:
        await ask(kube, name, "pg-solo")
        done = await status(kube, name, "completed")
    root = f"prod/pg-solo/base/{done['backupId']}/"
    assert stage.keys(root) == [f"{root}backup.info", f"{root}data.tar.gz"]
    info = stage.body(f"{root}backup.info").decode()
    assert "\nstatus=DONE\n" in info
    assert f"\nbegin_wal={done['beginWal']}\n" in info
    assert f"\nend_xlog={done['endLSN']}\n" in info
    keys = stage.keys("prod/pg-solo/wals/")
    for wal in (done["beginWal"], done["endWal"]):
        assert f"prod/pg-solo/wals/{wal[:16]}/{wal}.gz" in keys
    (label,) = [key for key in keys if done["beginWal"] in key and ".backup" in key]
    assert f"(file {done['beginWal']})" in gzip.decompress(stage.body(label)).decode()
    body = stage.body(f"prod/pg-solo/wals/{done['endWal'][:16]}/{done['endWal']}.gz")
    assert len(gzip.decompress(body)) == 16 * 1024**2


async def test_a_running_backup_shows_in_the_bucket_and_on_the_cluster(
    stage: Sandbox, name: str
) -> None:
    async with stage.kube() as kube:
        await ask(kube, name, "pg-slow")
        await status(kube, name, "started")

    def info() -> list[str]:
        return [key for key in stage.keys("prod/pg-slow/base/") if key.endswith("backup.info")]

    (key,) = await until(info)
    assert "\nstatus=STARTED\n" in stage.body(key).decode()
    running = condition(stage, "pg-slow", "LastBackupSucceeded")
    assert (running["status"], running["reason"]) == ("False", "BackupStarted")


async def test_backups_of_one_cluster_run_one_after_the_other_oldest_first(
    stage: Sandbox, name: str
) -> None:
    names = [f"{name}-{which}" for which in "cab"]
    order: list[str] = []
    async with stage.kube() as kube:
        _, revision = await kube.list(BACKUPS, "production")
        for one in names:
            await ask(kube, one, "pg-solo", target="primary")
            # Creation times are whole seconds; within one the name decides.
        waiting = {names[0], names[1], names[2]}
        executing: set[str] = set()
        pended: set[str] = set()
        async for event in kube.watch(BACKUPS, "production", revision):
            one, phase = (
                event["object"]["metadata"]["name"],
                event["object"].get("status", {}).get("phase"),
            )
            if one not in names:
                continue
            if phase == "pending":
                pended.add(one)
            if phase == "started" and one not in executing:
                executing.add(one)
                order.append(one)
            if phase == "completed":
                executing.discard(one)
                waiting.discard(one)
            assert len(executing) <= 1
            if not waiting:
                break
        ages = {
            one: (await kube.get(BACKUPS, "production", one) or {})["metadata"] for one in names
        }
    assert pended
    # The first may start before the others exist.
    rest = order[1:]
    assert rest == sorted(rest, key=lambda one: (ages[one]["creationTimestamp"], one))


async def test_a_stuck_backup_blocks_until_it_is_deleted(stage: Sandbox, name: str) -> None:
    (stuck,) = [
        one["metadata"]["name"]
        for one in stage.read("backups.postgresql.cnpg.io", "-n", "production")["items"]
        if one["spec"]["cluster"]["name"] == "pg-stuck" and one["status"]["phase"] == "started"
    ]
    async with stage.kube() as kube:
        await ask(kube, name, "pg-stuck")
        await status(kube, name, "pending")
        still = await kube.get(BACKUPS, "production", stuck)
        assert (still or {})["status"]["phase"] == "started"
        await kube.delete(BACKUPS, "production", stuck)
        await status(kube, name, "completed")


@pytest.mark.parametrize(
    ("cluster", "spec", "error", "reason"),
    [
        (
            "pg-bare",
            {},
            "cannot proceed with the backup as the cluster has no plugin configured",
            "ClusterHasNoBackupExecutorPlugin",
        ),
        ("pg-asleep", {}, "cannot backup a hibernated cluster", "ClusterIsHibernated"),
        (
            "pg",
            {"method": "barmanObjectStore", "pluginConfiguration": None},
            "cannot proceed with the backup as the cluster has no backup section",
            "ClusterHasBackupConfigured",
        ),
        ("pg-unrolled", {}, f"requested plugin is not available: {PLUGIN}", "Failed"),
        (
            "pg",
            {"pluginConfiguration": {"name": "barman"}},
            "requested plugin is not available: barman",
            "Failed",
        ),
        ("pg-broken", {}, "rpc error: code = Unknown desc = exit status 1", "Failed"),
        ("pg-closed", {}, "rpc error: code = Unknown desc = exit status 1", "Failed"),
    ],
)
async def test_a_backup_that_cannot_be_taken_fails_in_the_operators_words(
    stage: Sandbox, cluster: str, spec: Manifest, error: str, reason: str
) -> None:
    name = f"cannot-{cluster}-{len(json.dumps(spec))}"
    wanted = {key: value for key, value in spec.items() if value is not None}
    asked = backup(name, cluster, **wanted)
    if spec.get("pluginConfiguration", ...) is None:
        del asked["spec"]["pluginConfiguration"]
    async with stage.kube() as kube:
        await kube.create(BACKUPS, asked)
        failed = await status(kube, name, "failed")
        assert failed["error"] == error
        assert "stoppedAt" not in failed
        await until(lambda: reason in {told for _, told, _ in events(stage, name)})
    if reason == "Failed":
        assert ("Normal", "Failed", "Backup failed") in events(stage, name)
    last = condition(stage, cluster, "LastBackupSucceeded")
    assert (last["status"], last["reason"], last["message"]) == ("False", "LastBackupFailed", error)
    assert stage.read("cluster", cluster, "-n", "production")["status"]["lastFailedBackup"]


async def test_the_cause_of_a_failed_backup_stands_in_the_sidecars_log_only(
    stage: Sandbox, name: str
) -> None:
    async with stage.kube() as kube:
        await ask(kube, name, "pg-broken")
        await status(kube, name, "failed")
    lines = stage.kubectl("logs", "pg-broken-1", "-n", "production", "-c", "plugin-barman-cloud")
    told = [json.loads(line) for line in lines.splitlines()]
    (said, *_) = [one for one in told if one.get("logger") == "barman-cloud-backup"]
    assert said["level"] == "info"
    assert said["msg"].endswith("ERROR: Barman cloud backup exception: No space left on device")
    infos = [
        stage.body(key).decode() for key in stage.keys("prod/pg-broken/base/") if "info" in key
    ]
    assert any("error=failure uploading data (No space left on device)" in info for info in infos)
    store = stage.read("objectstore", "r2-store", "-n", "production")
    assert "lastFailedBackupTime" in store["status"]["serverRecoveryWindow"]["pg-broken"]


async def test_a_backup_of_a_missing_cluster_waits_for_it(stage: Sandbox, name: str) -> None:
    async with stage.kube() as kube:
        await ask(kube, name, "nowhere")
        assert await status(kube, name, "pending") == {"phase": "pending"}
    told = ("Warning", "FindingCluster", "Unknown cluster nowhere, will retry in 30 seconds")
    await until(lambda: told in events(stage, name))


async def test_the_events_of_a_backup_are_those_of_operator_and_instance(
    stage: Sandbox, name: str
) -> None:
    async with stage.kube() as kube:
        await ask(kube, name, "pg")
        await status(kube, name, "completed")
    wanted = {
        ("Normal", "Starting", "Starting backup for cluster pg"),
        ("Normal", "Starting", "Backup started"),
        ("Normal", "Completed", "Backup completed"),
    }
    await until(lambda: set(events(stage, name)) == wanted)


async def test_the_recovery_window_follows_a_backup(stage: Sandbox, name: str) -> None:
    async with stage.kube() as kube:
        await ask(kube, name, "pg")
        done = await status(kube, name, "completed")

    def window() -> bool:
        store = stage.read("objectstore", "r2-store", "-n", "production")
        found = store["status"]["serverRecoveryWindow"].get("pg", {})
        return bool(found.get("lastSuccessfulBackupTime") == done["stoppedAt"])

    await until(window)


async def test_deleting_the_pod_restarts_the_backup_elsewhere(stage: Sandbox, name: str) -> None:
    async with stage.kube() as kube:
        await ask(kube, name, "pg", target="primary")
        before = await status(kube, name, "started")
        stage.kubectl("delete", "pod", before["instanceID"]["podName"], "-n", "production")
        done = await status(kube, name, "completed")
    assert done["instanceID"]["sessionID"] != before["instanceID"]["sessionID"]
    assert "ReStarting" in {reason for _, reason, _ in events(stage, name)}
