"""Orders: what the user wants done, prepared here (pure) and carried out through a port.

An order is shown before it is sent, rehearsed by a server-side dry run, and carried out once. When
the answer is lost, the server is asked what became of it; nothing is ever created a second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from tui import faults, words
from tui.cnpg import backup
from tui.cnpg.backup import Method
from tui.cnpg.cluster import Cluster
from tui.cnpg.manifest import BACKUPS, Key, Kind, Manifest
from tui.live.estate import Estate


class Answer(Protocol):
    """What the server said to a write: the object as it is now, and its warnings."""

    @property
    def manifest(self) -> Manifest: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


class Orderly(Protocol):
    """The port that orders go out through; ``wire.kube.Kube`` fits it. Raises ``faults.Fault``."""

    async def create(
        self, kind: Kind, namespace: str, body: dict[str, Any], *, dry_run: bool = False
    ) -> Answer: ...
    async def get(self, kind: Kind, key: Key) -> Manifest: ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """An order that is not even prepared, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class BackUpNow:
    """An on-demand Backup, ready to be shown: the document, what to know first, the kubectl line."""

    key: Key
    cluster: Key
    method: Method
    methods: tuple[Method, ...]
    """All that can work on this cluster."""
    target: str
    document: dict[str, Any]
    kubectl: str
    warnings: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What happens if the user says yes."""
        return (
            f"Create Backup {self.key.name} of cluster {self.cluster.name} in {self.key.namespace}"
        )


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the server-side dry run said: ``refusal`` is its sentence, ``""`` if it would accept."""

    warnings: tuple[str, ...] = ()
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The server has it."""

    key: Key
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotDone:
    """The server does not have it, and why."""

    key: Key
    why: str


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The answer was lost and the server cannot be asked: it may exist or not."""

    key: Key
    why: str


Outcome = Done | NotDone | NotKnown

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
        return Refusal(f"Backup {key} exists already: wait a second and press b again")
    plugin = cluster.backup_plugin.name if cluster.backup_plugin else ""
    return BackUpNow(
        key=key,
        cluster=cluster_key,
        method=chosen,
        methods=possible,
        target=target,
        document=backup.document(key, cluster.key.name, chosen, plugin=plugin, target=target),
        kubectl=_kubectl(key, cluster.key.name, chosen, plugin, target, context),
        warnings=tuple(_before_the_fact(estate, cluster, chosen, now)),
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


def _before_the_fact(estate: Estate, cluster: Cluster, method: Method, now: datetime) -> list[str]:
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
    if method is Method.IN_TREE:
        found.append("barmanObjectStore is deprecated: CloudNativePG 1.31.0 removes it")
    queue = estate.queue_of(cluster.key)
    if queue.head:
        phase = queue.head.phase or "not taken up yet"
        found.append(
            f"{words.counted(len(queue), 'Backup')} ahead: {queue.head.key.name} is {phase}; this "
            "one waits until it is completed or failed"
        )
    return found


async def rehearse(order: BackUpNow, port: Orderly) -> Rehearsal:
    """Ask the server to check the order without doing it (``dryRun=All``)."""
    try:
        answer = await port.create(BACKUPS, order.key.namespace, order.document, dry_run=True)
    except faults.Fault as fault:
        return Rehearsal(refusal=str(fault))
    return Rehearsal(warnings=answer.warnings)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to look for the fate of an order whose answer was lost (seconds)."""

    looks: int = 10
    between: float = 2.0
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)


async def carry_out(order: BackUpNow, port: Orderly, patience: Patience | None = None) -> Outcome:
    """Create the Backup, once. A lost answer is resolved by looking for the object."""
    try:
        answer = await port.create(BACKUPS, order.key.namespace, order.document)
    except faults.AlreadyExists:
        return NotDone(order.key, f"Backup {order.key} exists already; nothing was created")
    except (faults.Unreachable, faults.BadAnswer, faults.ServerError) as fault:
        return await _look_for(order, port, fault, patience or Patience())
    except faults.Fault as fault:
        return NotDone(order.key, str(fault))
    return Done(order.key, answer.warnings)


async def _look_for(
    order: BackUpNow, port: Orderly, lost: faults.Fault, patience: Patience
) -> Outcome:
    """Find out whether the server took an order it did not answer.

    A create that is still on its way can land after a look that found nothing, so only the last of
    several looks counts as no.
    """
    absent = False
    for look in range(patience.looks):
        if look:
            await patience.sleep(patience.between)
        try:
            await port.get(BACKUPS, order.key)
        except faults.NotFound:
            absent = True
            continue
        except faults.Fault as fault:
            absent, lost = False, fault
            continue
        return Done(order.key)
    if absent:
        return NotDone(order.key, f"{lost}. The server does not have it: nothing was created")
    return NotKnown(
        order.key,
        f"{lost}. It is not known whether Backup {order.key} was created: it will show in the list "
        "once the server answers, or look with kubectl before trying again",
    )
