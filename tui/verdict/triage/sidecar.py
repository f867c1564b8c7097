"""The plugin's sidecar in the Pods, as it runs, and the rights it runs with."""

from __future__ import annotations

from datetime import timedelta

from tui import words
from tui.cnpg.manifest import BARMAN_PLUGIN
from tui.cnpg.pod import Pod, Sidecar
from tui.cnpg.sidecar_role import Binding
from tui.cnpg.store import CHECKSUM_VARIABLES
from tui.verdict.level import Level
from tui.verdict.triage.case import Case
from tui.verdict.triage.rung import Trouble, rule
from tui.verdict.witnesses import NotKnown, SidecarRights

LATELY = timedelta(hours=1)
"""A sidecar that was killed longer ago and runs since is an old story."""


def _expected(case: Case) -> bool:
    """Whether the plugin injects a sidecar at all."""
    plugin = case.seen.cluster.backup_plugin
    return plugin is not None and plugin.name == BARMAN_PLUGIN


@rule("F02", "F06", "F07")
def missing(case: Case) -> Trouble | None:
    """Without it in the primary WAL is dropped, in silence where isWALArchiver is false."""
    primary = case.primary
    if not _expected(case) or primary is None or primary.sidecar is not None:
        return None
    if case.seen.cluster.is_switching_over:
        return None
    return Trouble(
        "sidecar-missing",
        Level.FAILING,
        "no sidecar",
        "the primary has no plugin sidecar: its WAL goes nowhere",
        f"Pod {primary.key.name} has no init container plugin-barman-cloud",
        "restart the Pods so that the sidecar is injected, then take a base backup",
        case.command("kubectl cnpg restart {cluster} -n {ns}"),
    )


@rule("F06")
def not_rolled(case: Case) -> Trouble | None:
    """A standby without it cannot take the backup that is sent to it."""
    primary = case.primary
    if not _expected(case) or primary is None or primary.sidecar is None:
        return None
    without = [one.key.name for one in case.pods if one.sidecar is None]
    if not without or case.seen.cluster.is_switching_over:
        return None
    return Trouble(
        "sidecar-not-rolled",
        Level.PROTECTED,
        "rollout",
        "not every Pod has the sidecar: a backup sent there fails",
        f"{', '.join(without)} without init container plugin-barman-cloud",
        "finish the rollout",
        case.command("kubectl cnpg restart {cluster} -n {ns}"),
    )


@rule("F08")
def dead(case: Case) -> Trouble | None:
    """The sidecar crashes, or was killed for want of memory."""
    for one in sorted(case.pods, key=lambda one: not one.is_primary):
        why = _why_dead(case, one.sidecar) if one.sidecar else ""
        if why:
            return Trouble(
                "sidecar-dead" if one.sidecar and not one.sidecar.ready else "sidecar-killed",
                case.grave if one.is_primary else Level.DEGRADED,
                "sidecar dies",
                "the plugin's sidecar dies",
                f"Pod {one.key.name}: {why}",
                "raise instanceSidecarConfiguration.resources, which rolls the Pods; see its log",
                f"kubectl -n {one.key.namespace} logs {one.key.name} -c plugin-barman-cloud -p",
            )
    return None


def _why_dead(case: Case, sidecar: Sidecar) -> str:
    restarts = words.counted(sidecar.restarts, "restart")
    ended = sidecar.last_ended_at
    lately = ended is not None and case.now - ended < LATELY
    if sidecar.waiting == "CrashLoopBackOff" or (not sidecar.ready and sidecar.restarts):
        said = f"{sidecar.waiting or 'not ready'}, {restarts}, last {sidecar.last_ended or '-'}"
    elif sidecar.last_ended == "OOMKilled" and lately and ended:
        said = f"OOMKilled {words.moment(ended, case.now)}, {restarts}"
    else:
        return ""
    return f"{said}, memory limit {sidecar.memory_limit or 'none'}"


@rule("F21")
def old_environment(case: Case) -> Trouble | None:
    """A rollout that has not happened leaves the environment as it was."""
    if case.store is None:
        return None
    wanted = {name: case.store.sidecar_env.get(name) for name in CHECKSUM_VARIABLES}
    behind = [one.key.name for one in case.pods if one.sidecar and _differs(one.sidecar, wanted)]
    if not behind:
        return None
    return Trouble(
        "old-environment",
        case.suspect,
        "old environment",
        "the sidecar still runs without the ObjectStore's environment",
        f"{', '.join(behind)}: checksum variables differ from the ObjectStore's",
        "finish the rollout: restart the Pods",
        case.command("kubectl cnpg restart {cluster} -n {ns}"),
    )


def _differs(sidecar: Sidecar, wanted: dict[str, str | None]) -> bool:
    return any(value and sidecar.env.get(name) != value for name, value in wanted.items())


@rule("F17")
def other_account(case: Case) -> Trouble | None:
    """The plugin binds the ServiceAccount that is named like the cluster."""
    if isinstance(case.seen.rights, SidecarRights) and isinstance(
        case.seen.rights.binding, Binding
    ):
        return None  # who is bound is known
    strangers = {one.service_account for one in case.pods if _other(case, one)}
    if not strangers:
        return None
    name = min(strangers)
    return Trouble(
        "service-account",
        case.suspect,
        "ServiceAccount",
        "the Pods run as a ServiceAccount that the plugin does not bind",
        f"Pods run as {name}, RoleBinding {case.names['cluster']}-barman-cloud names the cluster's",
        f"add ServiceAccount {name} to the RoleBinding's subjects; the plugin keeps it",
        case.command("kubectl -n {ns} edit rolebinding {cluster}-barman-cloud"),
        explains=("store-forbidden", "role-stale"),
    )


def _other(case: Case, one: Pod) -> bool:
    expected = case.seen.cluster.key.name
    return one.sidecar is not None and one.service_account not in ("", expected)


@rule("F39")
def former_primary(case: Case) -> Trouble | None:
    """A demoted Pod with WAL that was never archived does not come back."""
    cluster = case.seen.cluster
    if cluster.is_switching_over or case.primary is None or not case.primary.ready:
        return None
    down = [
        one.key.name
        for one in case.pods
        if not one.is_primary and not one.ready and one.phase == "Running"
    ]
    if not down:
        return None
    return Trouble(
        "standby-not-ready",
        Level.PROTECTED,
        "standby not ready",
        "a standby is not ready",
        f"{', '.join(down)}: a former primary with WAL that was never archived looks like this",
        "see its log; if it was the primary, do not delete its volume before its WAL is saved",
        f"kubectl -n {cluster.key.namespace} logs {down[0]} -c plugin-barman-cloud",
    )


def runs(case: Case) -> str | NotKnown:
    """The sidecars are up, with the environment they should have."""
    if isinstance(case.seen.pods, NotKnown):
        return NotKnown(f"Pods: {case.seen.pods.why or 'not asked yet'}")
    with_it = [one for one in case.pods if one.sidecar]
    if not with_it:
        return NotKnown("no Pod was found") if not case.pods else "no sidecar is expected"
    ready = sum(sidecar.ready for one in case.pods if (sidecar := one.sidecar))
    return f"ready on {ready} of {len(case.pods)} Pods"
