"""The acted operator before both API servers: it needs nothing but plain Kubernetes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.apiserver.servers import Rule, Server
from tests.sandbox.staged import Manifest, until
from tui.sandbox import past, scenario
from tui.sandbox.bucket import new_identities
from tui.sandbox.client import (
    BACKUPS,
    CLUSTERS,
    EVENTS,
    PODS,
    SCHEDULES,
    SECRETS,
    SERVICES,
    STORES,
    Kind,
    Kube,
    Refused,
)
from tui.sandbox.operator import Operator
from tui.sandbox.s3 import Memory
from tui.sandbox.work import Pace

METHOD = {"method": "plugin", "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"}}
KINDS = {"Secret": SECRETS, "Service": SERVICES, "ObjectStore": STORES, "Pod": PODS}


@pytest.fixture
async def kube(server: Server) -> AsyncIterator[Kube]:
    """A connection to a server with a store, a plugin and a running operator, but no Cluster yet."""
    account = await server.account(Rule(("*",), ("*",), "*"), cluster_wide=True)
    trust = ssl.create_default_context(cadata=server.ca.decode())
    kube = Kube(server.url, account.token, trust=trust)
    who = new_identities()
    script = scenario.parse(f"stores: [{{namespace: {server.namespace}}}]")
    stage = past.stage(script, endpoint="http://s3", keys=who.named, now=datetime.now(UTC))
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cnpg-system"}}
    await plant(kube, Kind("", "namespaces"), namespace)
    for manifest in stage.manifests:
        await plant(kube, KINDS[manifest["kind"]], manifest)
    operator = Operator(kube, Memory("acme-pg", (who.full,)), pace=Pace(40))
    operator.bucket_is_set()
    playing = asyncio.create_task(operator.run())
    yield kube
    assert not playing.done()
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    await kube.close()


async def plant(kube: Kube, kind: Kind, manifest: Manifest) -> None:
    """Create an object and then its status, as only a server without history allows."""
    status = manifest.pop("status", None)
    for given in ("uid", "creationTimestamp"):
        manifest["metadata"].pop(given, None)
    try:
        await kube.create(kind, manifest)
    except Refused as refusal:
        if refusal.code != 409:
            raise
    if status:
        meta = manifest["metadata"]
        await kube.patch_status(kind, meta["namespace"], meta["name"], status)


def cluster(namespace: str) -> Manifest:
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {"name": "pg", "namespace": namespace},
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
    }


async def test_a_cluster_comes_up_and_its_schedule_makes_a_complete_backup(
    server: Server, kube: Kube
) -> None:
    namespace = server.namespace
    await kube.create(CLUSTERS, cluster(namespace))
    await until(lambda: has(kube, CLUSTERS, namespace, "pg", phase="Cluster in healthy state"))
    await kube.create(
        SCHEDULES,
        {
            "apiVersion": "postgresql.cnpg.io/v1",
            "kind": "ScheduledBackup",
            "metadata": {"name": "now", "namespace": namespace},
            "spec": METHOD
            | {"schedule": "0 0 0 1 1 *", "cluster": {"name": "pg"}, "immediate": True}
            | {"backupOwnerReference": "self"},
        },
    )

    async def made() -> list[Manifest]:
        return (await kube.list(BACKUPS, namespace))[0]

    (backup,) = await until(made)
    name = backup["metadata"]["name"]
    await until(lambda: has(kube, BACKUPS, namespace, name, phase="completed"))
    done = await kube.get(BACKUPS, namespace, name)
    assert done is not None
    assert {"startedAt", "stoppedAt", "backupId", "beginWal", "pluginMetadata"} <= set(
        done["status"]
    )
    assert done["status"]["instanceID"]["podName"] == "pg-2"

    async def window() -> bool:
        store = await kube.get(STORES, namespace, "r2-store")
        windows = (store or {}).get("status", {}).get("serverRecoveryWindow", {})
        return bool(
            windows.get("pg", {}).get("lastSuccessfulBackupTime") == done["status"]["stoppedAt"]
        )

    await until(window)
    events, _ = await kube.list(EVENTS, namespace)
    assert {event["reason"] for event in events} >= {"Starting", "Completed", "BackupSchedule"}


async def test_a_pod_somebody_deletes_politely_comes_back(server: Server, kube: Kube) -> None:
    namespace = server.namespace
    await kube.create(CLUSTERS, cluster(namespace))
    await until(lambda: has(kube, CLUSTERS, namespace, "pg", phase="Cluster in healthy state"))
    before = await kube.get(PODS, namespace, "pg-1")
    assert before is not None
    await server.admin.delete(f"/api/v1/namespaces/{namespace}/pods/pg-1")

    async def another() -> bool:
        pod = await kube.get(PODS, namespace, "pg-1")
        return bool(
            pod
            and pod["metadata"]["uid"] != before["metadata"]["uid"]
            and pod["status"].get("podIP")
        )

    await until(another)
    await until(lambda: has(kube, CLUSTERS, namespace, "pg", phase="Cluster in healthy state"))


async def has(kube: Kube, kind: Kind, namespace: str, name: str, **status: Any) -> bool:
    found = await kube.get(kind, namespace, name)
    return status.items() <= ((found or {}).get("status") or {}).items()
