"""Scenarios: those that come along say what they should, and a wrong one says where."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tui.sandbox import past, scenario
from tui.sandbox.bucket import new_identities
from tui.sandbox.demo import Endpoints, Options, serve
from tui.sandbox.manifests import Manifest
from tui.sandbox.past import Stage
from tui.sandbox.scenario import BadScenario

NOW = datetime(2026, 11, 22, 14, 3, 12, tzinfo=UTC)


@functools.cache
def staged(name: str) -> Stage:
    keys = new_identities()
    return past.stage(scenario.load(name), endpoint="http://s3", keys=keys.named, now=NOW)


def one(stage: Stage, kind: str, name: str) -> Manifest:
    found: list[Manifest] = [
        manifest
        for manifest in stage.manifests
        if manifest["kind"] == kind and manifest["metadata"]["name"] == name
    ]
    assert len(found) == 1
    return found[0]


def condition(cluster: Manifest, kind: str) -> Manifest:
    found: list[Manifest] = [
        each for each in cluster["status"]["conditions"] if each["type"] == kind
    ]
    assert len(found) == 1
    return found[0]


def backups(stage: Stage, cluster: str) -> list[Manifest]:
    return [
        manifest
        for manifest in stage.manifests
        if manifest["kind"] == "Backup" and manifest["spec"]["cluster"]["name"] == cluster
    ]


def segments_of(stage: Stage, server: str) -> list[tuple[int, int]]:
    """Timeline and number of every whole segment a server has in the bucket, sorted."""
    found = []
    for lying, _ in stage.lying:
        name = lying.key.rpartition("/")[2].removesuffix(".gz")
        if f"/{server}/wals/" in lying.key and len(name) == 24:
            found.append((int(name[:8], 16), int(name[8:16], 16) * 256 + int(name[16:], 16)))
    return sorted(found)


def holes(stage: Stage, server: str) -> int:
    """Segments missing between the first and the last, whatever the timeline."""
    numbers = sorted({number for _, number in segments_of(stage, server)})
    return numbers[-1] - numbers[0] + 1 - len(numbers)


@pytest.mark.parametrize("name", scenario.names())
def test_a_scenario_that_comes_along_can_be_staged(name: str) -> None:
    assert scenario.load(name).title
    stage = staged(name)
    ages = [manifest["metadata"]["creationTimestamp"] for manifest in stage.manifests]
    assert max(ages) <= "2026-11-22T14:03:12Z"
    assert all(lying.modified <= NOW for lying, _ in stage.lying)
    times = [lying.modified for lying, _ in stage.lying]
    assert times == sorted(times, reverse=True)


def test_healthy_has_whole_films_and_every_backup_its_wal() -> None:
    stage = staged("healthy")
    keys = {lying.key for lying, _ in stage.lying}
    for server in ("pg", "pg-orders", "pg-auth", "pg-audit", "pg-sessions", "pg-scratch"):
        assert holes(stage, server) == 0
        for backup in backups(stage, server):
            status = backup["status"]
            if status["phase"] == "completed":
                prefix = "prod" if backup["metadata"]["namespace"] == "production" else "staging"
                folder = f"{prefix}/{server}/wals/{status['beginWal'][:16]}"
                assert f"{folder}/{status['beginWal']}.gz" in keys
                assert f"{prefix}/{server}/base/{status['backupId']}/backup.info" in keys


def test_a_film_crosses_its_timelines_with_histories_and_partial_segments() -> None:
    stage = staged("healthy")
    found = segments_of(stage, "pg")
    assert {timeline for timeline, _ in found} == {1, 2, 3}
    by_number = [timeline for timeline, _ in sorted(found, key=lambda each: each[1])]
    assert by_number == sorted(by_number)
    keys = [lying.key for lying, _ in stage.lying if "/pg/wals/" in lying.key]
    assert {key.rpartition("/")[2] for key in keys if ".history" in key} == {
        "00000002.history.gz",
        "00000003.history.gz",
    }
    assert sum(".partial" in key for key in keys) == 2


def test_the_recovery_window_is_that_of_the_base_backups() -> None:
    stage = staged("healthy")
    (store,) = (
        manifest
        for manifest in stage.manifests
        if manifest["kind"] == "ObjectStore" and manifest["metadata"]["namespace"] == "production"
    )
    window = store["status"]["serverRecoveryWindow"]["pg"]
    ends = [
        backup["status"]["stoppedAt"]
        for backup in backups(stage, "pg")
        if "stoppedAt" in backup["status"]
    ]
    assert (window["firstRecoverabilityPoint"], window["lastSuccessfulBackupTime"]) == (
        min(ends),
        max(ends),
    )


def test_the_plugin_leaves_the_deprecated_fields_of_the_cluster_empty_but_one() -> None:
    status = one(staged("healthy"), "Cluster", "pg")["status"]
    assert "lastSuccessfulBackup" not in status
    assert "firstRecoverabilityPoint" not in status
    assert status["lastFailedBackup"] == "2026-11-17T14:03:13Z"


def test_archiving_fails_for_one_cluster_since_the_moment_told() -> None:
    stage = staged("archiving-fails")
    failing = condition(one(stage, "Cluster", "pg-orders"), "ContinuousArchiving")
    assert failing["status"] == "False"
    assert failing["lastTransitionTime"] == "2026-11-22T11:20:12Z"
    assert failing["message"].endswith(
        "unexpected failure invoking barman-cloud-wal-archive: exit status 4"
    )
    waiting = stage.postgres["production", "pg-orders"]
    assert len(waiting.ready) == 162
    newest = max(lying.modified for lying, _ in stage.lying if "/pg-orders/wals/" in lying.key)
    assert newest <= NOW - timedelta(hours=2, minutes=43)
    assert condition(one(stage, "Cluster", "pg"), "ContinuousArchiving")["status"] == "True"
    assert not stage.postgres["production", "pg"].ready


def test_the_torn_film_has_holes_behind_a_green_condition() -> None:
    stage = staged("torn-film")
    assert holes(stage, "pg-orders") == 6
    assert condition(one(stage, "Cluster", "pg-orders"), "ContinuousArchiving")["status"] == "True"
    assert holes(stage, "pg") == 0


def test_the_stuck_queue_has_one_started_and_others_behind_it() -> None:
    stage = staged("stuck-queue")
    found = sorted(
        backups(stage, "pg-orders"), key=lambda each: each["metadata"]["creationTimestamp"]
    )
    assert [each["status"]["phase"] for each in found[-4:]] == [
        "completed",
        "started",
        "pending",
        "pending",
    ]
    stuck = found[-3]
    assert stuck["metadata"]["name"] == "orders-daily-20261122000000"
    assert "startedAt" not in stuck["status"]
    schedule = one(stage, "ScheduledBackup", "orders-daily")
    assert schedule["status"]["nextScheduleTime"] == "2026-11-22T06:00:00Z"


def test_five_fields_left_a_pile_of_hourly_backups() -> None:
    stage = staged("five-field-cron")
    found = backups(stage, "pg-orders")
    assert len(found) == 30 * 24
    assert {each["metadata"]["creationTimestamp"][14:] for each in found} == {"02:00Z"}


def test_unprotected_clusters_have_green_conditions_and_nothing_in_the_bucket() -> None:
    stage = staged("unprotected")
    for name in ("pg-scratch", "pg-audit", "pg-auth"):
        cluster = one(stage, "Cluster", name)
        assert (
            condition(cluster, "ContinuousArchiving")["message"]
            == "Continuous archiving is working"
        )
        assert segments_of(stage, name) == []
    assert "plugins" not in one(stage, "Cluster", "pg-scratch")["spec"]
    assert one(stage, "Cluster", "pg-audit")["spec"]["plugins"][0]["enabled"] is False
    pod = one(stage, "Pod", "pg-auth-1")
    assert [each["name"] for each in pod["spec"]["initContainers"]] == ["bootstrap-controller"]


def test_the_fleet_is_two_hundred_clusters_in_ten_namespaces() -> None:
    stage = staged("fleet")
    clusters = [manifest for manifest in stage.manifests if manifest["kind"] == "Cluster"]
    spread = Counter(manifest["metadata"]["namespace"] for manifest in clusters)
    assert len(spread) == 10
    assert set(spread.values()) == {20}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- a\n- b", "a scenario is a mapping"),
        ("clusters: [", "the scenario is not YAML"),
        ("clusters: [pg]", "clusters: 'pg' is not a mapping"),
        ("cluster: []", "scenario: nothing is known of 'cluster', only of title"),
        ("clusters: [{name: 4}]", "scenario.clusters[0].name: 4 is not a text"),
        ("clusters: [{}]", "scenario.clusters[0]: "),
        (
            "clusters: [{name: pg, wal: {every: 30}}]",
            "scenario.clusters[0].wal.every: '30' is no duration such as 2h43m",
        ),
        ("clusters: [{name: pg, base: {size: 6MB}}]", "'6MB' is no size such as 60KiB"),
        ("clusters: [{name: pg, plugin: gone}]", "'gone' is none of enabled, disabled, absent"),
        (
            "clusters: [{name: pg, timeline: 2, switches: [9d, 2d]}]",
            "pg: a cluster on timeline 2 has switched",
        ),
        ("clusters: [{each: {a: [x]}, name: '{b}'}]", "cannot fill '{b}'"),
        ("stores: {name: r2}", "stores: 'name' is not a mapping"),
        ("users: {name: r2}", "scenario.users: a list is expected"),
    ],
)
def test_a_wrong_scenario_says_where(text: str, why: str) -> None:
    with pytest.raises(BadScenario) as refused:
        scenario.parse(text)
    assert why in str(refused.value)


def test_an_unknown_scenario_names_the_known_ones() -> None:
    with pytest.raises(
        BadScenario, match=r"there is no scenario 'helthy' .*fleet, healthy, stuck-queue"
    ):
        scenario.load("helthy")


def test_a_scenario_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("clusters: [{name: pg, failing: {since: 2h43m}}]")
    (cluster,) = scenario.load(str(path)).clusters
    assert cluster.failing is not None
    assert cluster.failing.since == timedelta(hours=2, minutes=43)


def test_each_multiplies_and_a_later_entry_replaces() -> None:
    found = scenario.parse(
        "clusters:\n"
        "- {each: {team: [a, b], app: [x, y]}, name: '{app}', namespace: '{team}'}\n"
        "- {name: x, namespace: b, instances: 3}\n"
    )
    assert [(each.namespace, each.name, each.instances) for each in found.clusters] == [
        ("a", "x", 1),
        ("a", "y", 1),
        ("b", "x", 3),
        ("b", "y", 1),
    ]


def test_objects_are_merged_or_added() -> None:
    script = scenario.parse(
        "clusters: [{name: pg}]\n"
        "objects:\n"
        "- {kind: Cluster, metadata: {name: pg, namespace: production}, status: {phase: Failing over}}\n"
        "- {apiVersion: v1, kind: Secret, metadata: {name: other, namespace: production}}\n"
    )
    stage = past.stage(script, endpoint="http://s3", keys=new_identities().named, now=NOW)
    cluster = one(stage, "Cluster", "pg")
    assert cluster["status"]["phase"] == "Failing over"
    assert cluster["status"]["currentPrimary"] == "pg-1"
    assert one(stage, "Secret", "other")["apiVersion"] == "v1"


SHOWN = {
    "healthy": (
        (
            "clusters",
            "pg-orders   90d   3           3       Cluster in healthy state   pg-orders-1",
        ),
        ("scheduledbackups", "pg-daily       90d   pg"),
    ),
    "archiving-fails": (("objectstores", "r2-orders"),),
    "stuck-queue": (("backups.postgresql.cnpg.io", "pg-orders   plugin   pending"),),
    "five-field-cron": (("scheduledbackups", "orders-daily    90d   pg-orders"),),
    "unprotected": (("clusters", "pg-scratch   40d"),),
    "torn-film": (("clusters", "pg-orders   90d   3"),),
    "fleet": (("clusters", "pg-users"), ("pods", "pg-users-2")),
}


@pytest.mark.parametrize("name", scenario.names())
async def test_kubectl_shows_the_scenario(name: str) -> None:
    ready: asyncio.Future[Endpoints] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(Options(name, bucket=False), ready=ready.set_result))
    try:
        kubeconfig = (await ready).kubeconfig
        for resource, said in SHOWN[name]:
            assert said in await kubectl(kubeconfig, "get", resource)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert not kubeconfig.exists()


async def kubectl(kubeconfig: Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("kubectl"),
        *arguments,
        env=os.environ | {"KUBECONFIG": str(kubeconfig)},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()
