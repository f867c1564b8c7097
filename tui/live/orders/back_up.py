"""Back up now: the Backup that ``kubectl cnpg backup`` would create, and what to know first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tui import words
from tui.cnpg import backup
from tui.cnpg.backup import Method
from tui.cnpg.cluster import Cluster
from tui.cnpg.manifest import BACKUPS, BARMAN_PLUGIN, Key
from tui.live.estate import Estate
from tui.live.orders.order import Create, Order, Refusal
from tui.live.orders.shown import as_yaml
from tui.verdict.witnesses import NotKnown


@dataclass(frozen=True, slots=True)
class BackUpNow(Order):
    """An on-demand Backup, and what can still be chosen about it."""

    method: Method = Method.PLUGIN
    methods: tuple[Method, ...] = ()
    """All that can work on this cluster."""
    target: str = ""


TARGETS = ("", "prefer-standby", "primary")
"""``spec.target``; empty means what the Cluster says, and prefer-standby if it says nothing."""


def methods(cluster: Cluster) -> tuple[Method, ...]:
    """The methods that can work on this cluster, the one to preset first."""
    found = []
    if cluster.backup_plugin:
        found.append(Method.PLUGIN)
    if cluster.in_tree_store:
        found.append(Method.IN_TREE)
    if cluster.volume_snapshots:
        found.append(Method.VOLUME_SNAPSHOT)
    return tuple(found)


def back_up_now(
    estate: Estate,
    cluster_key: Key,
    now: datetime,
    *,
    method: Method | None = None,
    target: str = "",
    context: str = "",
) -> BackUpNow | Refusal:
    """Prepare an on-demand backup of a cluster.

    Named and labelled as ``kubectl cnpg backup`` does: ``<cluster>-YYYYMMDDhhmmss`` in UTC. The
    method defaults to what works: the enabled backup plugin, else the in-tree store.
    """
    cluster = estate.cluster(cluster_key)
    if cluster is None:
        return Refusal(f"cluster {cluster_key} is not known here")
    possible = methods(cluster)
    if not possible:
        return Refusal(
            f"cluster {cluster_key} has no backup method: no enabled plugin in spec.plugins and no "
            "spec.backup. A Backup of it would fail"
        )
    chosen = method if method in possible else possible[0]
    key = Key(cluster_key.namespace, f"{cluster.key.name}-{now.astimezone(UTC):%Y%m%d%H%M%S}")
    if estate.backup(key):
        return Refusal(f"Backup {key} exists already: wait a second and try again")
    plugin = cluster.backup_plugin.name if cluster.backup_plugin else ""
    document = backup.document(key, cluster.key.name, chosen, plugin=plugin, target=target)
    return BackUpNow(
        act=Create(BACKUPS, key, document),
        sentence=f"Create Backup {key.name} of cluster {cluster.key.name} in {key.namespace}",
        shown=as_yaml(document),
        kubectl=_kubectl(key, cluster.key.name, chosen, plugin, target, context),
        warnings=tuple(before_the_fact(estate, cluster, chosen, now)),
        method=chosen,
        methods=possible,
        target=target,
    )


def _kubectl(key: Key, cluster: str, method: Method, plugin: str, target: str, context: str) -> str:
    line = ["kubectl cnpg backup", cluster, "-n", key.namespace, "--backup-name", key.name]
    line += ["--method", method.value]
    if method is Method.PLUGIN:
        line += ["--plugin-name", plugin]
    if target:
        line += ["--backup-target", target]
    if context:
        line += ["--context", context]
    return " ".join(line)


def _without_sidecar(estate: Estate, cluster: Cluster) -> list[str]:
    """Pods into which Barman's sidecar was never injected, as far as they were looked at."""
    inspected, plugin = estate.inspected.get(cluster.key), cluster.backup_plugin
    if inspected is None or plugin is None or plugin.name != BARMAN_PLUGIN:
        return []
    pods = () if isinstance(inspected.pods, NotKnown) else inspected.pods
    return [each.key.name for each in pods if each.sidecar is None]


def before_the_fact(estate: Estate, cluster: Cluster, method: str, now: datetime) -> list[str]:
    """What the operator will not check, but the user wants to know before the backup starts."""
    found = []
    if cluster.hibernated:
        found.append("the cluster is hibernated: the operator will fail this Backup")
    if cluster.fenced:
        found.append(
            f"fenced: {', '.join(cluster.fenced)}. A fenced target keeps the Backup pending"
        )
    condition = cluster.archiving
    if cluster.skips_wal_archiving:
        found.append("WAL archiving is switched off (cnpg.io/skipWalArchiving)")
    elif condition is not None and not condition.holds:
        since = f" since {words.moment(condition.since, now)}" if condition.since else ""
        found.append(
            f"WAL archiving fails{since}: on the primary the Backup will hang in started, on a "
            "standby it completes but cannot be restored. Repair archiving first"
        )
    if method == Method.PLUGIN and (bare := _without_sidecar(estate, cluster)):
        found.append(
            f"no plugin sidecar in {', '.join(bare)}: a Backup sent there fails. Restart the Pods first"
        )
    if method == Method.IN_TREE:
        found.append("barmanObjectStore is deprecated: CloudNativePG 1.31.0 removes it")
    queue = estate.queue_of(cluster.key)
    if queue.head:
        phase = queue.head.phase or "not taken up yet"
        found.append(
            f"{words.counted(len(queue), 'Backup')} ahead: {queue.head.key.name} is {phase}; this "
            "one waits until it is completed or failed"
        )
    return found
