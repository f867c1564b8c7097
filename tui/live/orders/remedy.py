"""Orders that mend what triage found: small changes, shown with what they set in motion.

Each is planned on the object as the server has it now, and guarded by its resourceVersion.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tui import words
from tui.cnpg import manifest
from tui.cnpg.manifest import BACKUPS, CLUSTERS, OBJECT_STORES, Key, Kind, Manifest
from tui.cnpg.store import CHECKSUM_VARIABLES
from tui.live.estate import Estate
from tui.live.orders import shown
from tui.live.orders.order import Change, Delete, Order, Refusal
from tui.live.rights import Right
from tui.verdict.fix import ChangeSchedule, DeleteBackup, Fix, SetChecksums, SwitchOn

WHEN_REQUIRED = "when_required"


_ROLLS = (
    "the environment of a sidecar is part of its Pod: the Pods{users} are restarted one after the "
    "other, the primary last (a switchover, or a restart of a lone instance)"
)


@dataclass(frozen=True, slots=True)
class _Operation:
    """One operation of a JSON patch (RFC 6902), for the line that does the same by hand."""

    op: str
    path: str
    value: Any

    @property
    def document(self) -> dict[str, Any]:
        return {"op": self.op, "path": self.path, "value": self.value}


def right(fix: Fix) -> Right:
    """What the user must be allowed to do to carry it out."""
    match fix:
        case SetChecksums():
            return Right("patch", OBJECT_STORES)
        case SwitchOn():
            return Right("patch", CLUSTERS)
        case ChangeSchedule():
            return Right("patch", manifest.SCHEDULED_BACKUPS)
        case DeleteBackup():
            return Right("delete", BACKUPS)


def set_checksums(
    estate: Estate, store: Key, found: Manifest, *, context: str = ""
) -> Order | Refusal:
    """Both checksum variables on an ObjectStore; every other variable stays as it is."""
    path = ("spec", "instanceSidecarConfiguration", "env")
    before = [dict(item) for item in manifest.items(found, *path)]
    after = [dict(item) for item in before]
    operations = []
    for name in CHECKSUM_VARIABLES:
        wanted = {"name": name, "value": WHEN_REQUIRED}
        at = next((at for at, item in enumerate(after) if item.get("name") == name), None)
        if at is None:
            after.append(wanted)
            operations.append(_Operation("add", f"/{'/'.join(path)}/-", wanted))
        elif after[at] != wanted:
            after[at] = wanted
            operations.append(_Operation("replace", f"/{'/'.join(path)}/{at}", wanted))
    if not operations:
        return Refusal(f"nothing changes: {store.name} has both variables already")
    if not before:
        operations = [_missing(found, path, after)]
    users = sorted(each.key.name for each in estate.clusters() if each.store == store)
    rolled = f" of {', '.join(users)}" if users else ""
    return _change(
        OBJECT_STORES,
        store,
        found,
        fields=_nested(path, after),
        sentence=f"Set both checksum variables of ObjectStore {store.name} in {store.namespace}",
        difference=shown.difference(
            _nested(path, _without_values(before)), _nested(path, _without_values(after))
        ),
        operations=operations,
        warnings=(_ROLLS.format(users=rolled),),
        context=context,
    )


def switch_on(cluster: Key, plugin: str, found: Manifest, *, context: str = "") -> Order | Refusal:
    """Enable a plugin of a Cluster as its WAL archiver; the other plugins stay as they are."""
    before = [dict(item) for item in manifest.items(found, "spec", "plugins")]
    at = next((at for at, item in enumerate(before) if item.get("name") == plugin), None)
    if at is None:
        return Refusal(f"spec.plugins of {cluster} has no {plugin} any more: look again")
    after = [dict(item) for item in before]
    after[at] |= {"enabled": True, "isWALArchiver": True}
    if after == before:
        return Refusal(f"nothing changes: {plugin} is the WAL archiver of {cluster.name} already")
    was_off = before[at].get("enabled") is False
    warnings = ["the operator may restart the Pods to take the sidecar in, the primary last"]
    if was_off:
        warnings.append(
            "WAL written while nothing archived is in no bucket: take a base backup as soon as "
            "archiving works (b)"
        )
    return _change(
        CLUSTERS,
        cluster,
        found,
        fields={"spec": {"plugins": after}},
        sentence=(
            f"{'Enable' if was_off else 'Make'} {plugin}{'' if was_off else ' the WAL archiver'} "
            f"of Cluster {cluster.name} in {cluster.namespace}"
        ),
        difference=shown.difference({"spec": {"plugins": before}}, {"spec": {"plugins": after}}),
        operations=[
            _Operation("add", f"/spec/plugins/{at}/{name}", True)
            for name in ("enabled", "isWALArchiver")
            if before[at].get(name) is not after[at][name]
        ],
        warnings=tuple(warnings),
        context=context,
    )


def delete_backup(estate: Estate, key: Key, *, context: str = "") -> Order | Refusal:
    """Delete a Backup that is not done, so that those behind it come to their turn."""
    found = estate.backup(key)
    if found is None:
        return Refusal(f"Backup {key} is gone already")
    if found.is_done:
        return Refusal(f"Backup {key} is {found.phase} by now: it holds up nothing")
    queue = estate.queue_of(found.cluster_key)
    behind = [one for one in (*queue.executing, *queue.waiting) if one.key != key]
    warnings = ["what lies in the bucket stays; only the Backup object goes"]
    if found.is_executing:
        warnings.append(
            "a barman-cloud-backup that still runs in the instance is not stopped by it, and the "
            "next one may run beside it"
        )
    if behind:
        waits = words.counted(len(behind), "Backup waits", "Backups wait")
        warnings.append(f"{waits} behind it, {behind[0].key.name} first")
    return Order(
        act=Delete(BACKUPS, key, found.uid, found.resource_version),
        sentence=f"Delete Backup {key.name} of cluster {found.cluster} in {key.namespace}",
        shown=shown.as_yaml(
            {
                "metadata": {"name": key.name, "namespace": key.namespace},
                "spec": {"cluster": {"name": found.cluster}, "method": found.method},
                "status": {"phase": found.phase},
            }
        ),
        kubectl=shown.kubectl(key, f"delete {BACKUPS} {key.name}", context),
        warnings=tuple(warnings),
    )


def _change(
    kind: Kind,
    key: Key,
    found: Manifest,
    *,
    fields: Manifest,
    sentence: str,
    difference: str,
    operations: list[_Operation],
    warnings: tuple[str, ...],
    context: str,
) -> Order:
    patch = shlex.quote(json.dumps([each.document for each in operations]))
    return Order(
        act=Change(kind, key, manifest.resource_version(found), fields),
        sentence=sentence,
        shown=difference,
        kubectl=shown.kubectl(key, f"patch {kind} {key.name} --type json -p {patch}", context),
        warnings=warnings,
    )


def _missing(found: Manifest, path: tuple[str, ...], value: Any) -> _Operation:
    """Add a list whose parents may be missing too."""
    for depth in range(1, len(path)):
        if manifest.get(found, *path[:depth]) is None:
            inner = _nested(path[depth:], value)
            return _Operation("add", "/" + "/".join(path[:depth]), inner)
    return _Operation("add", "/" + "/".join(path), value)


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for name in reversed(path):
        value = {name: value}
    assert isinstance(value, dict)
    return value


def _without_values(env: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    """Variables to look at: a value that is not ours may be a secret."""
    return [
        item if item.get("name") in CHECKSUM_VARIABLES else {"name": item.get("name")}
        for item in env
    ]
