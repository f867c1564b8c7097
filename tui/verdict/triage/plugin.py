"""The plugin and how the Cluster names it: spec.plugins and the annotations about archiving."""

from __future__ import annotations

from datetime import timedelta

from tui import words
from tui.cnpg import backup
from tui.cnpg.happening import Happening
from tui.cnpg.manifest import BARMAN_PLUGIN
from tui.cnpg.plugin_service import PLUGIN_LABEL
from tui.verdict.evidence import LATELY, happened
from tui.verdict.fix import SwitchOn
from tui.verdict.level import Level
from tui.verdict.triage.case import Case
from tui.verdict.triage.happenings import HELD_UP
from tui.verdict.triage.rung import Trouble, rule
from tui.verdict.witnesses import NotKnown

TAKEN_UP = timedelta(minutes=5)
"""A Backup that has no phase for longer waits for an operator that cannot load its plugin."""

LOOKED_AT = timedelta(minutes=1)
"""After so long without a phase a Backup points to the plugin."""

_REGISTRATION_FAILS = frozenset(
    (
        "ServerSecretNotFound",
        "ClientSecretNotFound",
        "InvalidPortAnnotation",
        "InvalidClientCertificate",
        "InvalidServerCertificate",
        "PluginRegistrationFailed",
    )
)
"""Reasons of Events about the Service (cloudnative-pg ``plugin_controller.go``)."""

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
            f"Backup {one.key.name} has no phase since {since}{_seen_beside(case)}",
            "see whether the operator and the plugin's Deployment run",
            "kubectl get deployments -A -l app.kubernetes.io/name=cloudnative-pg; "
            "kubectl get deployments -A -l app=barman-cloud",
        )
    return None


@rule("F03")
def no_service(case: Case) -> Trouble | None:
    """Something is wrong with the plugin, and nothing is there by which the operator finds it."""
    seen, plugin = case.seen.plugin, case.seen.cluster.backup_plugin
    if isinstance(seen, NotKnown) or plugin is None or not _doubted(case):
        return None
    if seen.service is not None and not seen.service.lacks:
        return None
    if seen.service is None and not seen.everywhere:
        return None  # the operator may live elsewhere
    what = (
        f"Service {seen.service.key} lacks the annotations {', '.join(seen.service.lacks)}"
        if seen.service
        else f"no Service in any namespace has the label {PLUGIN_LABEL}: {plugin.name}"
    )
    return Trouble(
        "plugin-no-service",
        Level.DEGRADED,
        "plugin not found",
        "the operator has no Service by which it finds the plugin",
        what,
        "install the plugin in the operator's namespace, or correct its name in spec.plugins",
        f"kubectl get services -A -l {PLUGIN_LABEL}",
    )


@rule("F04", "F05")
def not_ready(case: Case) -> Trouble | None:
    """No Pod of the plugin is ready: a remark as long as the operator has not noticed."""
    seen = case.seen.plugin
    if isinstance(seen, NotKnown) or seen.service is None or isinstance(seen.pods, NotKnown):
        return None
    if any(one.ready for one in seen.pods):
        return None
    namespace, chosen = seen.service.key.namespace, seen.service.chosen_by
    told = ", ".join(f"{one.name}: {one.trouble or 'not ready'}" for one in seen.pods)
    return Trouble(
        "plugin-not-ready",
        Level.DEGRADED if _doubted(case) else Level.PROTECTED,
        "plugin down",
        "no Pod of the plugin is ready: new Backups are not taken up",
        _with_event(case, seen.pod_events, told)
        or f"Service {seen.service.key} has no Pods (selector {chosen})",
        "repair the plugin's Deployment; WAL archiving goes on meanwhile",
        f"kubectl -n {namespace} describe pods -l {chosen}",
    )


def _with_event(case: Case, events: tuple[Happening, ...] | NotKnown, told: str) -> str:
    """With the newest Event that says why a Pod does not start, such as a Secret it cannot mount."""
    for each in () if isinstance(events, NotKnown) else reversed(events):
        if each.reason in HELD_UP and each.last and case.now - each.last < LATELY:
            return f"{told}; {words.shorten(happened(each, case.now), 250)}"
    return told


@rule("F05")
def not_trusted(case: Case) -> Trouble | None:
    """What the operator says about the plugin's Service: its certificates, mostly."""
    seen = case.seen.plugin
    if isinstance(seen, NotKnown) or seen.service is None or isinstance(seen.events, NotKnown):
        return None
    last = seen.events[-1] if seen.events else None
    if last is None or last.reason not in _REGISTRATION_FAILS or not _doubted(case):
        return None
    when = f" {words.moment(last.last, case.now)}" if last.last else ""
    return Trouble(
        "plugin-not-registered",
        Level.DEGRADED,
        "plugin refused",
        "the operator could not register the plugin",
        f"Service {seen.service.key}: {last.reason}{when}: {last.message}",
        "look at cert-manager's Certificates, then restart the plugin and after it the operator",
        f"kubectl -n {seen.service.key.namespace} get certificates.cert-manager.io,secrets",
    )


def _doubted(case: Case) -> bool:
    """Whether anything points to the plugin."""
    return case.seen.cluster.doubts_plugin or any(
        not one.phase and one.created is not None and case.now - one.created >= LOOKED_AT
        for one in case.backups
    )


def _seen_beside(case: Case) -> str:
    """``; plugin in cnpg-system: 1 of 1 Pods ready``, and what may not be seen."""
    seen = case.seen.plugin
    if isinstance(seen, NotKnown):
        return f"; the plugin's Service was not seen: {seen.why}" if seen.why else ""
    if seen.service is None:
        where = "anywhere" if seen.everywhere else "in cnpg-system"
        return f"; no Service of the plugin was found {where}"
    if isinstance(seen.pods, NotKnown):
        return f"; Service {seen.service.key}, its Pods were not seen: {seen.pods.why}"
    ready = sum(one.ready for one in seen.pods)
    return f"; Service {seen.service.key}, {ready} of {len(seen.pods)} Pods ready"


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
        case.command(_EDIT),
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
        case.command(_EDIT),
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
        case.command(_EDIT),
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


@rule("F35")
def fenced(case: Case) -> Trouble | None:
    """PostgreSQL is stopped there on purpose: a Backup that is sent there stays pending."""
    cluster = case.seen.cluster
    if not cluster.fenced:
        return None
    who = "every instance" if "*" in cluster.fenced else ", ".join(cluster.fenced)
    return Trouble(
        "fenced",
        Level.PROTECTED,
        "fenced",
        "instances are fenced: no WAL and no base backup comes from them",
        f"annotation cnpg.io/fencedInstances: {who}",
        "lift the fence once what it was for is done",
        " && ".join(
            case.command("kubectl cnpg fencing off {cluster} {instance} -n {ns}", instance=name)
            for name in cluster.fenced
        ),
    )


def known(case: Case) -> str | NotKnown:
    """Nothing the operator says speaks against the plugin."""
    plugin = case.seen.cluster.backup_plugin
    if plugin is None:
        return NotKnown("no plugin is enabled")
    taken = [one for one in case.backups if one.phase and one.method == backup.Method.PLUGIN]
    return (
        f"{plugin.name}, phase {case.seen.cluster.phase or 'not set'}"
        + (f", {words.counted(len(taken), 'Backup')} taken up" if taken else "")
        + _seen_beside(case)
    )


def configured(case: Case) -> str | NotKnown:
    """Who archives, and under which name."""
    cluster = case.seen.cluster
    who = cluster.backup_plugin.name if cluster.backup_plugin else "in-tree barmanObjectStore"
    where = f"ObjectStore {cluster.store.name}, " if cluster.store else ""
    return f"{who}, {where}server name {cluster.server_name}"
