"""The plugin and how the Cluster names it: spec.plugins and the annotations about archiving."""

from __future__ import annotations

from datetime import timedelta

from tui import words
from tui.cnpg import backup
from tui.cnpg.manifest import BARMAN_PLUGIN
from tui.verdict.fix import SwitchOn
from tui.verdict.level import Level
from tui.verdict.triage.case import Case
from tui.verdict.triage.rung import Trouble, rule
from tui.verdict.witnesses import NotKnown

TAKEN_UP = timedelta(minutes=5)
"""A Backup that has no phase for longer waits for an operator that cannot load its plugin."""

_EDIT = "kubectl -n {ns} edit clusters.postgresql.cnpg.io {cluster}"


@rule("F04")
def not_taken_up(case: Case) -> Trouble | None:
    """A Backup without a phase: the operator has not even looked at it."""
    for one in case.backups:
        if one.phase or one.created is None or case.now - one.created < TAKEN_UP:
            continue
        since = words.moment(one.created, case.now)
        return Trouble(
            "not-taken-up",
            Level.DEGRADED,
            "Backup ignored",
            "a Backup is not taken up: operator or plugin is down",
            f"Backup {one.key.name} has no phase since {since}",
            "see whether the operator and the plugin's Deployment run",
            "kubectl get deployments -A -l 'app in (barman-cloud, cloudnative-pg)'",
        )
    return None


@rule("F02")
def flag_is_off(case: Case) -> Trouble | None:
    """It archives all the same, but without the flag a missing sidecar drops WAL in silence."""
    plugin = case.seen.cluster.backup_plugin
    if plugin is None or plugin.is_wal_archiver or case.seen.cluster.in_tree_store is not None:
        return None
    return Trouble(
        "archiver-flag",
        Level.PROTECTED,
        "flag off",
        "isWALArchiver is false: without a sidecar WAL is dropped in silence",
        f"spec.plugins: {plugin.name} is enabled, isWALArchiver is not true",
        "set isWALArchiver: true, so that a missing sidecar becomes an error",
        _EDIT.format_map(case.names),
        SwitchOn(case.seen.cluster.key, plugin.name) if plugin.name == BARMAN_PLUGIN else None,
    )


@rule("F12")
def no_store_named(case: Case) -> Trouble | None:
    """The plugin then skips the cluster: no sidecar is injected."""
    plugin = case.seen.cluster.backup_plugin
    if plugin is None or plugin.name != BARMAN_PLUGIN or case.seen.cluster.store is not None:
        return None
    return Trouble(
        "store-not-named",
        Level.FAILING,
        "no store named",
        "the plugin has no parameter barmanObjectName: nothing is archived",
        f"spec.plugins: {plugin.name} has no barmanObjectName",
        "set parameters.barmanObjectName to an ObjectStore of the same namespace",
        _EDIT.format_map(case.names),
    )


@rule("F24")
def two_archivers(case: Case) -> Trouble | None:
    """Plugin and in-tree store both archive: accepted while isWALArchiver is false."""
    cluster = case.seen.cluster
    if cluster.in_tree_store is None or cluster.backup_plugin is None:
        return None
    return Trouble(
        "two-archivers",
        Level.DEGRADED,
        "archives twice",
        "both the plugin and spec.backup.barmanObjectStore are configured",
        f"spec.plugins: {cluster.backup_plugin.name}, and spec.backup.barmanObjectStore",
        "remove spec.backup.barmanObjectStore and set isWALArchiver: true",
        _EDIT.format_map(case.names),
    )


@rule("F35")
def hibernated(case: Case) -> Trouble | None:
    """A hibernated cluster writes nothing and runs no backups; that is meant."""
    if not case.seen.cluster.hibernated:
        return None
    return Trouble(
        "hibernated",
        Level.PROTECTED,
        "hibernated",
        "the cluster is hibernated: it runs no backups",
        "annotation cnpg.io/hibernation: on",
    )


def known(case: Case) -> str | NotKnown:
    """Nothing the operator says speaks against the plugin."""
    plugin = case.seen.cluster.backup_plugin
    if plugin is None:
        return NotKnown("no plugin is enabled")
    taken = [one for one in case.backups if one.phase and one.method == backup.Method.PLUGIN]
    return f"{plugin.name}, phase {case.seen.cluster.phase or 'not set'}" + (
        f", {words.counted(len(taken), 'Backup')} taken up" if taken else ""
    )


def configured(case: Case) -> str | NotKnown:
    """Who archives, and under which name."""
    cluster = case.seen.cluster
    who = cluster.backup_plugin.name if cluster.backup_plugin else "in-tree barmanObjectStore"
    where = f"ObjectStore {cluster.store.name}, " if cluster.store else ""
    return f"{who}, {where}server name {cluster.server_name}"
