"""The verdict from the operator's word alone: honest about what that is worth."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tui.cnpg import backup, cluster, store
from tui.cnpg.instance import InstanceStatus
from tui.cnpg.manifest import BARMAN_PLUGIN
from tui.verdict import health
from tui.verdict.health import Level, Verdict
from tui.verdict.witnesses import Film, NotKnown, Witnesses

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
PLUGIN = {"name": BARMAN_PLUGIN, "isWALArchiver": True, "parameters": {"barmanObjectName": "r2"}}
UNHEARD = NotKnown("")
SNAPSHOTS = {"backup": {"volumeSnapshot": {"className": "fast"}}}


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-11-22T11:24:02Z",
    }


WORKING = condition("ContinuousArchiving", "True")
FAILING = condition(
    "ContinuousArchiving",
    "False",
    message="unexpected failure invoking barman-cloud-wal-archive: exit status 4",
)


def witnesses(
    spec: dict[str, Any],
    *conditions: dict[str, str],
    backups: tuple[backup.Backup, ...] | NotKnown = (),
    window: dict[str, str] | None = None,
    film: Film | NotKnown = UNHEARD,
    instance: InstanceStatus | NotKnown = UNHEARD,
    **more: Any,
) -> Witnesses:
    source = {
        "metadata": {"name": "pg", "namespace": "prod", **more.pop("metadata", {})},
        "spec": spec,
        "status": {"conditions": list(conditions), **more},
    }
    kept = store.read(
        {
            "metadata": {"name": "r2", "namespace": "prod"},
            "spec": {"configuration": {}},
            "status": {"serverRecoveryWindow": {"pg": window or {}}},
        }
    )
    return Witnesses(
        cluster=cluster.read(source),
        store=kept,
        backups=backups,
        schedules=(),
        film=film,
        instance=instance,
        pods=NotKnown(""),
    )


def verdict(spec: dict[str, Any], *conditions: dict[str, str], **more: Any) -> Verdict:
    return health.judge(witnesses(spec, *conditions, **more), NOW)


def completed(
    stopped: str = "2026-11-22T02:14:09Z", phase: str = "completed", method: str = "plugin"
) -> backup.Backup:
    return backup.read(
        {
            "metadata": {"name": "b", "namespace": "prod"},
            "spec": {"cluster": {"name": "pg"}, "method": method},
            "status": {"phase": phase, "stoppedAt": stopped},
        }
    )


def test_nothing_configured_is_unprotected_even_when_the_condition_is_true() -> None:
    assert verdict({}, WORKING).level is Level.UNPROTECTED


def test_a_disabled_plugin_is_unprotected_and_the_remedy_names_it() -> None:
    found = verdict({"plugins": [PLUGIN | {"enabled": False}]}, WORKING)
    assert found.level is Level.UNPROTECTED
    assert f"set enabled: true on plugin {BARMAN_PLUGIN}" in found.advice


def test_an_absent_condition_is_unknown_not_fine() -> None:
    assert verdict({"plugins": [PLUGIN]}, backups=(completed(),)).level is Level.UNKNOWN


def test_the_operators_word_alone_is_never_green() -> None:
    found = verdict({"plugins": [PLUGIN]}, WORKING, backups=(completed(),))
    assert (found.level, found.word) == (Level.UNKNOWN, "operator says ok")
    assert "bucket was not looked at" in found.headline


def test_failing_archiving_says_since_when_and_what_the_exit_status_means() -> None:
    found = verdict({"plugins": [PLUGIN]}, FAILING, backups=(completed(),))
    assert (found.level, found.word) == (Level.FAILING, "operator says failing")
    assert found.headline == "the operator says WAL archiving fails since 11:24:02Z"
    assert found.advice.startswith("the store refused or could not be reached")


def test_a_backup_that_runs_now_is_no_failed_backup() -> None:
    started = condition("LastBackupSucceeded", "False", reason="BackupStarted")
    found = verdict({"plugins": [PLUGIN]}, WORKING, started, backups=(completed(),))
    assert found.word == "operator says ok"


def test_a_last_backup_that_failed_degrades() -> None:
    failed = condition("LastBackupSucceeded", "False", reason="LastBackupFailed")
    found = verdict({"plugins": [PLUGIN]}, WORKING, failed, backups=(completed(),))
    assert found.level is Level.DEGRADED


def test_a_film_without_a_photo_degrades() -> None:
    assert verdict({"plugins": [PLUGIN]}, WORKING).word == "no base backup"


def test_snapshots_without_wal_degrade() -> None:
    taken = completed(method="volumeSnapshot")
    assert verdict(SNAPSHOTS, backups=(taken,)).word == "no WAL archive"


def test_snapshots_that_are_only_configured_protect_nothing() -> None:
    """A base backup in a bucket, of a plugin that is gone, is no snapshot."""
    assert verdict(SNAPSHOTS, backups=(completed(),)).level is Level.UNPROTECTED


def test_archiving_switched_off_by_annotation_fails() -> None:
    annotated = {"annotations": {"cnpg.io/skipWalArchiving": "enabled"}}
    found = verdict({"plugins": [PLUGIN]}, WORKING, metadata=annotated)
    assert found.level is Level.FAILING


@pytest.mark.parametrize(
    ("backups", "window", "hour"),
    [
        ((completed(),), None, 2),
        ((), {"lastSuccessfulBackupTime": "2026-11-22T03:00:00Z"}, 3),
        ((completed(),), {"lastSuccessfulBackupTime": "2026-11-22T03:00:00Z"}, 3),
        ((completed(phase="failed"),), None, None),
    ],
)
def test_the_last_good_backup_is_the_newest_that_plugin_or_backups_know(
    backups: tuple[backup.Backup, ...], window: dict[str, str] | None, hour: int | None
) -> None:
    found = verdict({"plugins": [PLUGIN]}, WORKING, backups=backups, window=window)
    assert (found.last_good and found.last_good.hour) == hour


def test_the_clusters_own_last_successful_backup_is_not_believed() -> None:
    found = verdict({"plugins": [PLUGIN]}, WORKING, lastSuccessfulBackup="2026-11-22T03:00:00Z")
    assert found.last_good is None


def test_every_headline_fits_seventy_cells() -> None:
    for spec in ({}, SNAPSHOTS, {"plugins": [PLUGIN]}):
        for conditions in ((), (WORKING,), (FAILING,)):
            for backups in ((), (completed(),)):
                assert len(verdict(spec, *conditions, backups=backups).headline) <= 70
