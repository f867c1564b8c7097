"""The rights that the sidecar runs with: its Role, and the RoleBinding to the Pods' ServiceAccount.

A right may come from elsewhere too: what these two lack is the cause only where somebody says that a
right is missing, and a remark otherwise.
"""

from __future__ import annotations

from tui.cnpg import secret
from tui.cnpg.manifest import BARMAN_PLUGIN
from tui.cnpg.sidecar_role import Binding, Role
from tui.verdict.level import Level
from tui.verdict.triage.case import Case
from tui.verdict.triage.rung import Trouble, rule
from tui.verdict.triage.texts import match
from tui.verdict.witnesses import NO_SUCH_OBJECT, NotKnown, SidecarRights

_REFUSED = ("role-stale", "store-forbidden")
"""Codes of texts that tell of a missing right."""

_AGAIN = (
    "see that the plugin runs: it writes the Role and its RoleBinding anew when the Cluster is "
    "reconciled"
)


@rule("F16")
def absent(case: Case) -> Trouble | None:
    """Somebody deleted one of them."""
    seen = _seen(case)
    if seen is None:
        return None
    gone = [
        kind
        for kind, one in (("Role", seen.role), ("RoleBinding", seen.binding))
        if one == NO_SUCH_OBJECT
    ]
    if not gone:
        return None
    return _trouble(
        case,
        "role-missing",
        "the sidecar's Role or RoleBinding does not exist",
        f"no {' and no '.join(gone)} {{cluster}}-barman-cloud in namespace {{ns}}",
    )


@rule("F15", "F16")
def lacking(case: Case) -> Trouble | None:
    """The Role names other objects: those the Cluster used before."""
    seen = _seen(case)
    if seen is None or not isinstance(seen.role, Role):
        return None
    store = case.seen.cluster.store
    lacks = [f"ObjectStore {store.name}"] if store and not seen.role.reads_store(store.name) else []
    if case.configuration is not None:
        named = sorted({each.secret for each in secret.named(case.configuration)})
        lacks += [f"Secret {name}" for name in named if not seen.role.reads_secret(name)]
    if not lacks:
        return None
    return _trouble(
        case,
        "role-lacks",
        "the sidecar's Role does not cover what the ObjectStore names",
        f"Role {{cluster}}-barman-cloud lets nobody get {', '.join(lacks)}",
    )


@rule("F17")
def unbound(case: Case) -> Trouble | None:
    """The RoleBinding does not name the account the Pods run as."""
    seen = _seen(case)
    if seen is None or not isinstance(seen.binding, Binding):
        return None
    runs = {one.service_account for one in case.pods if one.sidecar and one.service_account}
    strangers = sorted(runs - seen.binding.accounts)
    if not strangers:
        return None
    bound = ", ".join(sorted(seen.binding.accounts)) or "nobody"
    return _trouble(
        case,
        "role-unbound",
        "the RoleBinding does not name the Pods' ServiceAccount",
        f"Pods run as {strangers[0]}, RoleBinding {{cluster}}-barman-cloud names {bound}",
        f"add ServiceAccount {strangers[0]} to the RoleBinding's subjects; the plugin keeps it",
        "kubectl -n {ns} edit rolebinding {cluster}-barman-cloud",
    )


def _seen(case: Case) -> SidecarRights | None:
    plugin = case.seen.cluster.backup_plugin
    if plugin is None or plugin.name != BARMAN_PLUGIN or case.seen.cluster.store is None:
        return None
    return None if isinstance(case.seen.rights, NotKnown) else case.seen.rights


def _trouble(
    case: Case,
    code: str,
    headline: str,
    evidence: str,
    remedy: str = _AGAIN,
    command: str = "kubectl -n {ns} get role,rolebinding {cluster}-barman-cloud -o yaml",
) -> Trouble:
    return Trouble(
        code,
        case.grave if _is_refused(case) else Level.PROTECTED,
        "sidecar's rights",
        headline,
        evidence.format_map(case.names),
        remedy,
        case.command(command),
        explains=(*_REFUSED, "service-account"),
    )


def _is_refused(case: Case) -> bool:
    """Whether somebody says that the sidecar lacks a right."""
    found = (match(said.text) for said in case.texts())
    return any(known is not None and known.code in _REFUSED for known in found)
