"""The inspection, over real HTTP: what Pods and primaries say, and what may not be asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tui.cnpg.instance import InstanceStatus
from tui.cnpg.manifest import BARMAN_PLUGIN, Key
from tui.cnpg.wal_volume import METRICS_PORT, WalVolume
from tui.live.changes import Inspected
from tui.live.inspection import Inspection, Patience
from tui.sandbox.apiserver import EVERYTHING, ApiServer, Rule, User
from tui.verdict.witnesses import NO_SUCH_OBJECT, NOT_ASKED, NotKnown, SidecarRights
from tui.wire.kube import Kube
from tui.wire.kubeconfig import Where

PG = Key("prod", "pg")
DENIED = json.dumps(
    {
        "level": "info",
        "ts": "2026-11-22T13:58:00.1Z",
        "logger": "barman-cloud-wal-archive",
        "msg": "2026-11-22 13:58:00,100 [4711] ERROR: exception: (AccessDenied) \x1b[31m",
    }
)
STATUS = {
    "isPrimary": True,
    "isArchivingWAL": True,
    "lastArchivedWAL": "0000000300000012000000A1",
    "lastArchivedWALTime": "2026-11-22T11:20:31.123456Z",
    "lastFailedWAL": "0000000300000012000000A2",
    "lastFailedWALTime": "-infinity",
    "readyWalFiles": 163,
    "currentWAL": "000000030000001200000045",
    "timeLineID": 3,
    "systemID": "757",
}
READ_ONLY = Rule(("postgresql.cnpg.io",), ("clusters",), ("get", "list", "watch"))
PODS_TOO = Rule(("",), ("pods",), ("list",))


METRICS = b"""\
cnpg_collector_pg_wal{value="size"} 2.868903936e+09
cnpg_collector_pg_wal{value="volume_size"} 1.073741824e+10
"""


class Instances:
    """The instance managers behind the Pods; ``asked`` counts who was asked how."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.asked: list[str] = []
        self.logs: list[str] = []

    async def proxy(
        self, namespace: str, pod: str, scheme: str, port: int, path: str
    ) -> tuple[int, str, bytes]:
        self.asked.append(f"{scheme}:{pod}:{port}{path}")
        if port == METRICS_PORT:
            return 200, "text/plain", METRICS
        return 200, "application/json", self.body

    async def log(self, namespace: str, pod: str, container: str) -> list[str] | None:
        self.logs.append(pod)
        return [DENIED]


def a_pod(name: str, role: str) -> dict[str, Any]:
    sidecar = {"name": "plugin-barman-cloud", "image": "x", "env": [{"name": "A", "value": "b"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "prod",
            "labels": {"cnpg.io/cluster": "pg", "cnpg.io/instanceRole": role},
        },
        "spec": {
            "containers": [{"name": "postgres", "image": "x", "command": ["--status-port-tls"]}],
            "initContainers": [sidecar],
        },
        "status": {
            "initContainerStatuses": [
                {
                    "name": "plugin-barman-cloud",
                    "ready": False,
                    "restartCount": 7,
                    "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
                }
            ]
        },
    }


@asynccontextmanager
async def inspecting(
    path: Path, *rules: Rule, body: bytes = json.dumps(STATUS).encode()
) -> AsyncIterator[tuple[asyncio.Queue[Inspected], Instances, Inspection]]:
    instances, user = Instances(body), User("oncall", "token", rules)
    server = ApiServer(kubelet=instances, users=[user])
    server.store.seed(a_pod("pg-1", "primary"))
    server.store.seed(a_pod("pg-2", "replica"))
    await server.start()
    kubeconfig = path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(server.kubeconfig(user, namespace="prod")))
    kube = await Kube.open(Where(kubeconfig=str(kubeconfig)))
    heard: asyncio.Queue[Inspected] = asyncio.Queue()
    inspection = Inspection(
        "prod",
        kube,
        heard.put_nowait,
        clock=lambda: datetime.now(UTC),
        random=Random(1),
        patience=Patience(interval=0.05, forbidden=60),
    )
    inspection.want({PG: "pg-1"})
    task = asyncio.create_task(inspection.run())
    try:
        yield heard, instances, inspection
    finally:
        task.cancel()
        await asyncio.wait([task])
        await kube.close()
        await server.stop()


async def next_of(heard: asyncio.Queue[Inspected]) -> Inspected:
    return await asyncio.wait_for(heard.get(), 10)


async def test_the_primary_is_asked_as_its_pod_wants_to_be_asked(tmp_path: Path) -> None:
    async with inspecting(tmp_path, *EVERYTHING) as (heard, instances, _):
        found = await next_of(heard)
    assert instances.asked[0] == "https:pg-1:8000/pg/status"
    status = found.instance
    assert isinstance(status, InstanceStatus)
    assert (status.waiting, status.current_wal) == (163, "000000030000001200000045")
    assert status.last_archived
    assert status.last_archived.at == datetime(2026, 11, 22, 11, 20, 31, 123456, tzinfo=UTC)
    assert not status.fails_now, "a failure at -infinity never happened"


async def test_where_wal_waits_the_primary_is_asked_how_full_its_volume_is(tmp_path: Path) -> None:
    async with inspecting(tmp_path, *EVERYTHING) as (heard, instances, _):
        found = await next_of(heard)
    assert found.wal_volume == WalVolume(2868903936, 10737418240)
    assert instances.asked[1] == "http:pg-1:9187/metrics"


async def test_where_nothing_waits_nobody_asks_for_metrics(tmp_path: Path) -> None:
    calm = json.dumps({**STATUS, "readyWalFiles": 0}).encode()
    async with inspecting(tmp_path, *EVERYTHING, body=calm) as (heard, instances, _):
        found = await next_of(heard)
    assert found.wal_volume == NotKnown("")
    assert not [asked for asked in instances.asked if "metrics" in asked]


async def test_the_sidecar_is_read_from_the_init_containers(tmp_path: Path) -> None:
    async with inspecting(tmp_path, *EVERYTHING) as (heard, _, _):
        found = await next_of(heard)
    assert not isinstance(found.pods, NotKnown)
    sidecar = found.pods[0].sidecar
    assert sidecar is not None
    assert (sidecar.restarts, sidecar.last_ended, sidecar.env) == (7, "OOMKilled", {"A": "b"})


async def test_without_pods_the_operators_primary_is_asked_all_the_same(tmp_path: Path) -> None:
    proxied = Rule(("",), ("pods/proxy",), ("get",))
    async with inspecting(tmp_path, READ_ONLY, proxied) as (heard, _, _):
        found = await next_of(heard)
    assert isinstance(found.pods, NotKnown)
    assert "pods" in found.pods.why
    assert isinstance(found.instance, InstanceStatus)


async def test_a_refusal_is_told_and_not_asked_again_until_the_user_does(tmp_path: Path) -> None:
    async with inspecting(tmp_path, READ_ONLY, PODS_TOO) as (heard, instances, inspection):
        for _ in range(3):
            found = await next_of(heard)
            assert isinstance(found.instance, NotKnown)
            assert "forbidden" in found.instance.why
        assert instances.asked == []
        inspection.look_now()
        assert isinstance((await next_of(heard)).instance, NotKnown)


async def test_an_answer_that_is_no_status_is_not_known(tmp_path: Path) -> None:
    async with inspecting(tmp_path, *EVERYTHING, body=b"<html>") as (heard, _, _):
        found = await next_of(heard)
    assert isinstance(found.instance, NotKnown)
    assert "answers something else than its status" in found.instance.why


async def test_the_primarys_log_is_read_only_where_archiving_fails(tmp_path: Path) -> None:
    async with inspecting(tmp_path, *EVERYTHING) as (heard, instances, inspection):
        assert (await next_of(heard)).sidecar_errors == ()
        assert instances.logs == []
        inspection.want({PG: "pg-1"}, archiving_fails={PG})
        while not (found := await next_of(heard)).sidecar_errors:
            pass
    assert instances.logs[0] == "pg-1"
    assert not isinstance(found.sidecar_errors, NotKnown)
    assert [line.text for line in found.sidecar_errors] == ["exception: (AccessDenied)"]


async def test_after_a_failed_backup_the_logs_of_all_pods_are_read(tmp_path: Path) -> None:
    async with inspecting(tmp_path, *EVERYTHING) as (heard, instances, inspection):
        inspection.want({PG: "pg-1"}, backup_failed={PG})
        while not (await next_of(heard)).sidecar_errors:
            pass
    assert set(instances.logs) == {"pg-1", "pg-2"}


async def test_logs_that_may_not_be_read_are_told_and_not_asked_again(tmp_path: Path) -> None:
    proxied = Rule(("",), ("pods/proxy",), ("get",))
    rules = (READ_ONLY, PODS_TOO, proxied)
    async with inspecting(tmp_path, *rules) as (heard, instances, inspection):
        inspection.want({PG: "pg-1"}, archiving_fails={PG})
        for _ in range(3):
            found = await next_of(heard)
        assert isinstance(found.sidecar_errors, NotKnown)
        assert "pods/log" in found.sidecar_errors.why
        assert instances.logs == []


async def test_where_archiving_fails_the_secrets_are_looked_at_and_nowhere_else(
    tmp_path: Path,
) -> None:
    named = {PG: (Key("prod", "r2-creds"),)}
    async with inspecting(tmp_path, *EVERYTHING) as (heard, _, inspection):
        inspection.want({PG: "pg-1"}, secrets=named)
        assert (await next_of(heard)).secrets == {}
        inspection.want({PG: "pg-1"}, archiving_fails={PG}, secrets=named)
        while not (found := await next_of(heard)).secrets:
            pass
    assert found.secrets == {"r2-creds": NO_SUCH_OBJECT}


async def test_where_something_fails_the_sidecars_role_is_read_and_nowhere_else(
    tmp_path: Path,
) -> None:
    used = {PG: BARMAN_PLUGIN}
    async with inspecting(tmp_path, *EVERYTHING) as (heard, _, inspection):
        inspection.want({PG: "pg-1"}, plugins=used)
        assert (await next_of(heard)).rights == NOT_ASKED
        inspection.want({PG: "pg-1"}, archiving_fails={PG}, plugins=used)
        while (found := await next_of(heard)).rights == NOT_ASKED:
            pass
    assert found.rights == SidecarRights(NO_SUCH_OBJECT, NO_SUCH_OBJECT)


async def test_a_role_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    async with inspecting(tmp_path, READ_ONLY, PODS_TOO) as (heard, _, inspection):
        inspection.want({PG: "pg-1"}, archiving_fails={PG}, plugins={PG: BARMAN_PLUGIN})
        while (found := await next_of(heard)).rights == NOT_ASKED:
            pass
    assert found.rights == SidecarRights(
        NotKnown("get on roles.rbac.authorization.k8s.io in prod is forbidden"),
        NotKnown("get on rolebindings.rbac.authorization.k8s.io in prod is forbidden"),
    )
