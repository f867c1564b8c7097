"""Schedules, Backups and a Cluster to judge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tui.cnpg import backup, cluster, schedule
from tui.cnpg.backup import Backup
from tui.cnpg.cluster import Cluster
from tui.cnpg.manifest import BARMAN_PLUGIN, Key

NOW = datetime(2026, 11, 22, 14, 1, 2, tzinfo=UTC)

NIGHTLY = replace(
    schedule.new(
        Key("prod", "nightly"), "pg", "0 0 2 * * *", method="plugin", plugin=BARMAN_PLUGIN
    ),
    created=datetime(2026, 10, 1, tzinfo=UTC),
    last_check=datetime(2026, 11, 22, 2, 0, 0, tzinfo=UTC),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_child(
    name: str = "nightly-20261122020000",
    phase: str = "completed",
    *,
    of: str = "nightly",
    started: str = "2026-11-22T02:00:00Z",
    ended: str = "2026-11-22T02:30:00Z",
) -> Backup:
    return backup.read(
        {
            "metadata": {
                "name": name,
                "namespace": "prod",
                "creationTimestamp": started,
                "labels": {backup.SCHEDULE_LABEL: of},
            },
            "spec": {"cluster": {"name": "pg"}},
            "status": {
                "phase": phase,
                "reconciliationStartedAt": started,
                "reconciliationTerminatedAt": ended if phase == "completed" else None,
            },
        }
    )


def a_cluster(**spec: Any) -> Cluster:
    plugins = [{"name": BARMAN_PLUGIN, "isWALArchiver": True}]
    return cluster.read(
        {"metadata": {"name": "pg", "namespace": "prod"}, "spec": {"plugins": plugins, **spec}}
    )
