"""A healthy cluster as its witnesses would tell of it, to be spoilt one thing at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.verdict.test_two_witnesses import NOW, SYSTEM, film, instance
from tui.cnpg import backup, cluster, pod, schedule, store
from tui.cnpg.backup import Backup
from tui.cnpg.manifest import BARMAN_PLUGIN
from tui.cnpg.pod import Pod
from tui.cnpg.schedule import ScheduledBackup
from tui.cnpg.sidecar_log import LogLine
from tui.verdict import health
from tui.verdict.health import Verdict
from tui.verdict.triage.rung import Rung, State
from tui.verdict.witnesses import Witnesses

R2 = "https://0123456789abcdef.r2.cloudflarestorage.com"
WHEN_REQUIRED = [
    {"name": "AWS_REQUEST_CHECKSUM_CALCULATION", "value": "when_required"},
    {"name": "AWS_RESPONSE_CHECKSUM_VALIDATION", "value": "when_required"},
]
CREDENTIALS = {
    "accessKeyId": {"name": "r2-creds", "key": "ACCESS_KEY_ID"},
    "secretAccessKey": {"name": "r2-creds", "key": "ACCESS_SECRET_KEY"},
}
PLUGIN = {
    "name": BARMAN_PLUGIN,
    "isWALArchiver": True,
    "parameters": {"barmanObjectName": "r2"},
}
EXIT = (
    "rpc error: code = Unknown desc = unexpected failure invoking barman-cloud-wal-archive: "
    "exit status {}"
)


def stamp(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def ago(**span: float) -> str:
    return stamp(NOW - timedelta(**span))


def archiving(status: str = "True", message: str = "") -> dict[str, str]:
    return {
        "type": "ContinuousArchiving",
        "status": status,
        "message": message,
        "lastTransitionTime": ago(hours=2) if status == "False" else ago(days=2),
    }


def a_cluster(
    *conditions: dict[str, str],
    spec: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
    **status: Any,
) -> cluster.Cluster:
    return cluster.read(
        {
            "metadata": {
                "name": "pg",
                "namespace": "prod",
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "annotations": annotations or {},
            },
            "spec": {"instances": 3, "plugins": [PLUGIN], **(spec or {})},
            "status": {
                "phase": "Cluster in healthy state",
                "instances": 3,
                "readyInstances": 3,
                "currentPrimary": "pg-1",
                "targetPrimary": "pg-1",
                "systemID": SYSTEM,
                "conditions": list(conditions or (archiving(),)),
                **status,
            },
        }
    )


def a_store(*, env: Any = None, retention: str = "30d", **configuration: Any) -> store.ObjectStore:
    return store.read(
        {
            "metadata": {"name": "r2", "namespace": "prod"},
            "spec": {
                "configuration": {
                    "destinationPath": "s3://acme-pg/prod",
                    "endpointURL": R2,
                    "s3Credentials": CREDENTIALS,
                    "wal": {"compression": "gzip"},
                    "data": {"compression": "gzip"},
                    **configuration,
                },
                "retentionPolicy": retention,
                "instanceSidecarConfiguration": {"env": WHEN_REQUIRED if env is None else env},
            },
        }
    )


def a_pod(name: str = "pg-1", **more: Any) -> Pod:
    """A Pod that runs; ``sidecar`` False: it was never injected, a mapping: its status differs."""
    state = more.get("sidecar", {})
    container = {
        "name": "plugin-barman-cloud",
        "image": "x",
        "env": more.get("env", WHEN_REQUIRED),
    }
    return pod.read(
        {
            "metadata": {
                "name": name,
                "namespace": "prod",
                "labels": {
                    "cnpg.io/cluster": "pg",
                    "cnpg.io/instanceRole": "primary" if name == "pg-1" else "replica",
                },
            },
            "spec": {
                "serviceAccountName": more.get("account", "pg"),
                "containers": [{"name": "postgres", "image": "x"}],
                "initContainers": [] if state is False else [container],
            },
            "status": {
                "phase": "Running",
                "conditions": [
                    {"type": "Ready", "status": "True" if more.get("ready", True) else "False"}
                ],
                "containerStatuses": [
                    {
                        "name": "postgres",
                        "lastState": {"terminated": {"exitCode": more["postgres"]}},
                    }
                ]
                if "postgres" in more
                else [],
                "initContainerStatuses": []
                if state is False
                else [{"name": "plugin-barman-cloud", "ready": True, "started": True, **state}],
            },
        }
    )


def a_backup(
    name: str = "pg-20261122020000",
    phase: str = "completed",
    *,
    created: str = "2026-11-22T02:00:00Z",
    took: timedelta = timedelta(minutes=10),
    **status: Any,
) -> Backup:
    end = stamp(datetime.fromisoformat(created) + took)
    done = {"reconciliationTerminatedAt": end, "stoppedAt": end}
    return backup.read(
        {
            "metadata": {"name": name, "namespace": "prod", "creationTimestamp": created},
            "spec": {
                "cluster": {"name": "pg"},
                "method": "plugin",
                "pluginConfiguration": {"name": BARMAN_PLUGIN},
            },
            "status": {
                "phase": phase,
                **({"reconciliationStartedAt": created} if phase not in ("", "pending") else {}),
                **(done if phase in ("completed", "failed") else {}),
                **status,
            },
        }
    )


def a_schedule(cron: str = "0 0 2 * * *", **spec: Any) -> ScheduledBackup:
    return schedule.read(
        {
            "metadata": {
                "name": "nightly",
                "namespace": "prod",
                "creationTimestamp": "2026-10-01T00:00:00Z",
            },
            "spec": {
                "cluster": {"name": "pg"},
                "schedule": cron,
                "method": "plugin",
                "pluginConfiguration": {"name": BARMAN_PLUGIN},
                **spec,
            },
            "status": {
                "lastCheckTime": "2026-11-22T02:00:00Z",
                "lastScheduleTime": "2026-11-22T02:00:00Z",
                "nextScheduleTime": "2026-11-23T02:00:00Z",
            },
        }
    )


def witnesses(**spoilt: Any) -> Witnesses:
    """All that is said of a healthy cluster, but for what is given."""
    healthy = Witnesses(
        cluster=a_cluster(),
        store=a_store(),
        backups=(a_backup(),),
        schedules=(a_schedule(),),
        film=film(),
        instance=instance(),
        pods=(a_pod("pg-1"), a_pod("pg-2"), a_pod("pg-3")),
        sidecar_errors=(),
    )
    return replace(healthy, **spoilt)


def failing(message: str = EXIT.format(4), **spoilt: Any) -> Witnesses:
    """The same with WAL archiving that has failed for two hours."""
    late = {"film": film(newest=NOW - timedelta(hours=2, minutes=10))}
    return witnesses(cluster=a_cluster(archiving("False", message)), **{**late, **spoilt})


def said_by_barman(text: str, logger: str = "barman-cloud-wal-archive") -> tuple[LogLine, ...]:
    return (LogLine(NOW - timedelta(minutes=2), logger, text),)


def judged(seen: Witnesses) -> Verdict:
    return health.judge(seen, NOW)


def first(seen: Witnesses) -> str:
    """The code of the first finding, ``""`` if there is none."""
    return next((finding.code for finding in judged(seen).findings), "")


def broken(seen: Witnesses) -> list[Rung]:
    return [rung for rung in judged(seen).ladder if rung.state is State.BROKEN]


def remarks(seen: Witnesses) -> list[str]:
    """Codes of rungs that hold, with something to say about them."""
    return [
        rung.code for rung in judged(seen).ladder if rung.state is State.HOLDS and rung.headline
    ]
