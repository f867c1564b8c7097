"""Clusters, pods, WAL, retention and faults as the acted operator and its sidecars have them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.conftest import Start
from tests.sandbox.staged import Manifest, Sandbox, until
from tui.sandbox.client import BACKUPS, CLUSTERS, PODS, SECRETS, STORES, Kube
from tui.sandbox.retention import obsolete
from tui.sandbox.sidecar import Entry

SCENARIO = """
stores:
- {name: r2-store}
- {name: r2-closed, secret: r2-closed, identity: read-only}
- {name: r2-gone, secret: r2-gone, identity: absent}
- {name: r2-short, path: "s3://acme-pg/short", retention: 4d}
clusters:
- {name: pg, instances: 2, timeline: 2, switches: [6h], history: 1d, wal: {every: 40s}}
- {name: pg-closed, store: r2-closed, history: 1d, failing: {since: 30m}}
- {name: pg-gone, store: r2-gone, history: 1d}
- {name: pg-nowhere, store: missing, history: 1d}
- {name: pg-bare, plugin: absent, history: 1d, wal: {every: 20s}}
- {name: pg-unrolled, sidecar: false, history: 1d}
- {name: pg-acted, history: 1d,
   failing: {since: 1h, error: "Header 'x-amz-tagging' not implemented", acted: true}}
- {name: pg-short, store: r2-short, history: 9d,
   schedules: [{name: short, cron: "0 0 3 * * *", suspend: true, silent: 1h}]}
objects:
- {kind: ObjectStore, metadata: {name: r2-short, namespace: production},
   spec: {instanceSidecarConfiguration: {retentionPolicyIntervalSeconds: 60}}}
- {kind: Cluster, metadata: {name: pg-unrolled, namespace: production,
   annotations: {cnpg.io/reconciliationLoop: disabled}}}
"""


EXIT_4 = (
    "rpc error: code = Unknown desc = "
    "unexpected failure invoking barman-cloud-wal-archive: exit status 4"
)


@pytest.fixture(scope="module")
def stage(start: Start) -> Sandbox:
    return start(SCENARIO, "--speed", "40")


def condition(stage: Sandbox, cluster: str) -> Manifest:
    found = stage.read("cluster", cluster, "-n", "production")["status"]["conditions"]
    return next(one for one in found if one["type"] == "ContinuousArchiving")


def instance(stage: Sandbox, pod: str) -> Manifest:
    path = f"/api/v1/namespaces/production/pods/https:{pod}:8000/proxy/pg/status"
    found: Manifest = json.loads(stage.kubectl("get", "--raw", path))
    return found


def log(stage: Sandbox, pod: str, container: str = "plugin-barman-cloud") -> list[Manifest]:
    text = stage.kubectl("logs", pod, "-n", "production", "-c", container)
    return [json.loads(line) for line in text.splitlines()]


async def test_wal_lands_in_the_bucket_and_in_the_status_of_the_primary(stage: Sandbox) -> None:
    began = datetime.now(UTC)

    def landed() -> list[str]:
        found = stage.objects("prod/pg/wals/00000002")
        return [key for key, at in found.items() if at > began - timedelta(seconds=1)]

    key = (await until(landed))[0]
    name = key.rpartition("/")[2].removesuffix(".gz")
    assert key == f"prod/pg/wals/{name[:16]}/{name}.gz"
    await until(lambda: instance(stage, "pg-1")["lastArchivedWAL"] >= name)
    assert any(line["msg"] == "Archived WAL file" for line in log(stage, "pg-1"))


async def test_the_film_of_the_past_goes_on_without_a_hole(stage: Sandbox) -> None:
    names = [key.rpartition("/")[2] for key in stage.keys("prod/pg/wals/")]
    numbers = sorted(
        {int(name[8:16], 16) * 256 + int(name[16:24], 16) for name in names if len(name) == 27}
    )
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert {"00000002.history.gz"} == {name for name in names if "history" in name}


def test_the_primary_says_more_than_a_standby(stage: Sandbox) -> None:
    primary, standby = instance(stage, "pg-1"), instance(stage, "pg-2")
    assert primary["isPrimary"] is True
    assert primary["isArchivingWAL"] is True
    assert primary["lastFailedWALTime"] == "-infinity"
    assert "readyWalFiles" not in primary or primary["readyWalFiles"] > 0
    assert {"currentLsn", "currentWAL", "lastArchivedWAL"} <= set(primary)
    assert standby["isPrimary"] is False
    assert not {"currentLsn", "currentWAL", "lastArchivedWAL", "isArchivingWAL"} & set(standby)
    assert {"receivedLsn", "replayLsn"} <= set(standby)
    assert primary["systemID"] == standby["systemID"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("http:pg-1:8000/proxy/pg/status", "BadRequest"),
        ("https:pg-1:8000/proxy/pg/mode/backup", "You must be logged in"),
        ("pg-1:5432/proxy/", "connection refused"),
    ],
)
def test_other_doors_of_a_pod_stay_shut(stage: Sandbox, path: str, said: str) -> None:
    done = stage.try_kubectl("get", "--raw", f"/api/v1/namespaces/production/pods/{path}")
    assert done.returncode
    assert said in done.stdout + done.stderr


def test_metrics_tell_of_the_archiver(stage: Sandbox) -> None:
    text = stage.kubectl(
        "get", "--raw", "/api/v1/namespaces/production/pods/pg-1:9187/proxy/metrics"
    )
    rows = dict(line.rsplit(" ", 1) for line in text.splitlines())
    assert float(rows["cnpg_pg_stat_archiver_archived_count"]) > 10
    assert rows["cnpg_pg_stat_archiver_last_failed_time"] == "-1"
    assert 'cnpg_collector_pg_wal{value="volume_size"}' in rows


async def test_a_read_only_key_fails_for_real_and_a_better_one_mends_it(stage: Sandbox) -> None:
    failing = condition(stage, "pg-closed")
    assert failing["status"] == "False"
    assert failing["message"] == EXIT_4

    def told() -> bool:
        lines = log(stage, "pg-closed-1")
        return any("AccessDenied) when calling the PutObject" in line["msg"] for line in lines)

    await until(told)
    before = instance(stage, "pg-closed-1")
    assert before["readyWalFiles"] >= 59
    assert "isArchivingWAL" not in before
    async with stage.kube() as kube:
        good = await kube.get(SECRETS, "production", "r2-creds")
        assert good is not None
        await kube.patch(SECRETS, "production", "r2-closed", {"data": good["data"]})
    await until(lambda: condition(stage, "pg-closed")["status"] == "True")
    await until(lambda: instance(stage, "pg-closed-1").get("readyWalFiles", 0) < 5)
    assert f"prod/pg-closed/wals/{before['lastFailedWAL'][:16]}/{before['lastFailedWAL']}.gz" in (
        stage.keys("prod/pg-closed/wals/")
    )


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        (
            "pg-gone",
            'rpc error: code = Unknown desc = while getting secret r2-gone: secrets "r2-gone" not found',
        ),
        (
            "pg-unrolled",
            "wal archive plugin is not available: barman-cloud.cloudnative-pg.io",
        ),
        (
            "pg-acted",
            EXIT_4,
        ),
    ],
)
async def test_the_condition_says_why_nothing_is_archived(
    stage: Sandbox, cluster: str, message: str
) -> None:
    await until(lambda: condition(stage, cluster)["message"] == message)


async def test_without_a_plugin_everything_looks_well_and_nothing_lands(stage: Sandbox) -> None:
    first = instance(stage, "pg-bare-1")["lastArchivedWAL"]
    await until(lambda: instance(stage, "pg-bare-1")["lastArchivedWAL"] != first)
    assert condition(stage, "pg-bare")["status"] == "True"
    assert stage.keys("prod/pg-bare/") == []


async def phase(kube: Kube, name: str) -> str:
    found = await kube.get(CLUSTERS, "production", name)
    current: str = (found or {}).get("status", {}).get("phase", "")
    return current


async def test_a_new_cluster_comes_up_and_archives(stage: Sandbox) -> None:
    async with stage.kube() as kube:
        await kube.create(
            CLUSTERS,
            {
                "apiVersion": "postgresql.cnpg.io/v1",
                "kind": "Cluster",
                "metadata": {"name": "pg-new", "namespace": "production"},
                "spec": {
                    "instances": 2,
                    "storage": {"size": "1Gi"},
                    "plugins": [
                        {
                            "name": "barman-cloud.cloudnative-pg.io",
                            "isWALArchiver": True,
                            "parameters": {"barmanObjectName": "r2-store"},
                        }
                    ],
                },
            },
        )

        async def healthy() -> bool:
            return await phase(kube, "pg-new") == "Cluster in healthy state"

        await until(healthy)
        pods, _ = await kube.list(PODS, "production")
    mine = sorted(pod["metadata"]["name"] for pod in pods if "pg-new" in pod["metadata"]["name"])
    assert mine == ["pg-new-1", "pg-new-2"]
    role = stage.read("role", "pg-new-barman-cloud", "-n", "production")
    assert {rule["resources"][0]: rule["resourceNames"] for rule in role["rules"]} == {
        "objectstores": ["r2-store"],
        "objectstores/status": ["r2-store"],
        "secrets": ["r2-creds"],
    }
    binding = stage.read("rolebinding", "pg-new-barman-cloud", "-n", "production")
    assert [subject["name"] for subject in binding["subjects"]] == ["pg-new"]
    await until(lambda: stage.keys("prod/pg-new/wals/"))


async def test_a_used_server_name_stops_a_new_cluster_from_archiving(stage: Sandbox) -> None:
    async with stage.kube() as kube:
        await kube.create(
            CLUSTERS,
            {
                "apiVersion": "postgresql.cnpg.io/v1",
                "kind": "Cluster",
                "metadata": {"name": "pg-clash", "namespace": "production"},
                "spec": {
                    "instances": 1,
                    "storage": {"size": "1Gi"},
                    "plugins": [
                        {
                            "name": "barman-cloud.cloudnative-pg.io",
                            "isWALArchiver": True,
                            "parameters": {"barmanObjectName": "r2-store", "serverName": "pg"},
                        }
                    ],
                },
            },
        )

    def refused() -> bool:
        found = stage.read("cluster", "pg-clash", "-n", "production").get("status", {})
        return any(
            one["message"].endswith("barman-cloud-wal-archive: exit status 1")
            for one in found.get("conditions", ())
        )

    await until(refused)
    told = "WAL archive check failed for server pg: Expected empty archive"
    assert any(told in line["msg"] for line in log(stage, "pg-clash-1"))


async def test_a_deleted_pod_comes_back_and_a_larger_cluster_grows(stage: Sandbox) -> None:
    async with stage.kube() as kube:
        before = await kube.get(PODS, "production", "pg-2")
        await kube.delete(PODS, "production", "pg-2")

        async def back() -> bool:
            now = await kube.get(PODS, "production", "pg-2")
            settled = await phase(kube, "pg") == "Cluster in healthy state"
            return bool(
                settled and now and before and now["metadata"]["uid"] != before["metadata"]["uid"]
            )

        await until(back)
        await kube.patch(CLUSTERS, "production", "pg", {"spec": {"instances": 3}})

        async def grown() -> bool:
            found = await kube.get(CLUSTERS, "production", "pg")
            return bool(found and found["status"]["readyInstances"] == 3)

        await until(grown)


async def test_a_changed_environment_rolls_the_pods(stage: Sandbox) -> None:
    async with stage.kube() as kube:
        env = [{"name": "AWS_DEFAULT_REGION", "value": "auto"}]
        settings = {"spec": {"instanceSidecarConfiguration": {"env": env}}}
        await kube.patch(STORES, "production", "r2-short", settings)

        async def rolled() -> bool:
            pod = await kube.get(PODS, "production", "pg-short-1")
            return pod is not None and env[0] in pod["spec"]["initContainers"][1]["env"]

        await until(rolled)


async def test_without_the_plugin_new_backups_stay_without_a_phase(stage: Sandbox) -> None:
    async with stage.kube() as kube:
        pods, _ = await kube.list(PODS, "cnpg-system")
        (plugin,) = [pod for pod in pods if pod["metadata"]["name"].startswith("barman-cloud")]
        down = [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-22T00:00:00Z"}]
        up = plugin["status"]["conditions"]
        name = plugin["metadata"]["name"]
        await kube.patch_status(PODS, "cnpg-system", name, {"conditions": down})

        async def halted() -> bool:
            return "an error while interacting with plugins" in await phase(kube, "pg-closed")

        await until(halted)
        await kube.create(
            BACKUPS,
            {
                "apiVersion": "postgresql.cnpg.io/v1",
                "kind": "Backup",
                "metadata": {"name": "unheard", "namespace": "production"},
                "spec": {
                    "cluster": {"name": "pg-closed"},
                    "method": "plugin",
                    "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"},
                },
            },
        )
        found = await kube.get(BACKUPS, "production", "unheard")
        assert not (found or {}).get("status")
        await kube.patch_status(PODS, "cnpg-system", name, {"conditions": up})

        async def heard() -> bool:
            backup = await kube.get(BACKUPS, "production", "unheard")
            return bool(backup and backup.get("status", {}).get("phase") == "completed")

        await until(heard)


async def test_retention_prunes_data_wal_and_backups(stage: Sandbox) -> None:
    """Nine daily backups and a window of four days: four or five stay in it, and one before it."""

    def pruned() -> bool:
        return len([key for key in stage.keys("short/pg-short/base/") if "info" in key]) <= 6

    await until(pruned)
    ids = {key.split("/")[3] for key in stage.keys("short/pg-short/base/")}
    infos = [stage.body(f"short/pg-short/base/{one}/backup.info").decode() for one in sorted(ids)]
    needed = infos[0].partition("begin_wal=")[2][:24]
    segments = [key.rpartition("/")[2][:24] for key in stage.keys("short/pg-short/wals/")]
    assert min(segments) == needed

    def forgotten() -> bool:
        found = stage.read("backups.postgresql.cnpg.io", "-n", "production")["items"]
        mine = [one for one in found if one["spec"]["cluster"]["name"] == "pg-short"]
        return {one["status"]["backupId"] for one in mine} == ids

    await until(forgotten)


NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)


def entry(days: float, status: str = "DONE") -> Entry:
    ended = NOW - timedelta(days=days)
    return Entry(f"{ended:%Y%m%dT%H%M%S}", status, ended, 1, "000000010000000000000001")


@pytest.mark.parametrize(
    ("policy", "ages", "gone"),
    [
        ("7d", [1, 6.9], []),
        ("7d", [1, 7.1], []),
        ("7d", [1, 7.1, 8], [8]),
        ("1w", [8, 9, 10], [10, 9]),
        ("1m", [30.9, 31.1, 32], [32]),
        ("7d", [], []),
    ],
)
def test_one_backup_older_than_the_window_is_kept(
    policy: str, ages: list[float], gone: list[float]
) -> None:
    assert obsolete([entry(age) for age in ages], policy, NOW) == [entry(age) for age in gone]


def test_what_is_not_done_is_never_obsolete() -> None:
    assert obsolete([entry(20, "FAILED"), entry(30, "STARTED"), entry(9)], "7d", NOW) == []
