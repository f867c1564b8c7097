"""Orders that mend what triage found: small changes, shown with what they set in motion.

Each is planned on the object as the server has it now, and guarded by its resourceVersion.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tui import words
from tui.cnpg import backup, manifest, store
from tui.cnpg.backup import Backup
from tui.cnpg.manifest import (
    BACKUPS,
    CLUSTERS,
    OBJECT_STORES,
    SCHEDULED_BACKUPS,
    Key,
    Kind,
    Manifest,
)
from tui.cnpg.redaction import redacted
from tui.live.estate import Estate
from tui.live.orders import shown
from tui.live.orders.order import Act, Change, Create, Delete, Order, Refusal
from tui.live.rights import Right
from tui.verdict.fix import (
    ChangeSchedule,
    DeleteBackup,
    Fix,
    MadeHere,
    SetChecksums,
    SetOptions,
    SwitchOn,
)
from tui.verdict.triage import settings

_ROLLS = (
    "the environment of a sidecar is part of its Pod: the Pods{users} are restarted one after the "
    "other, the primary last (a switchover, or a restart of a lone instance)"
)
_NOT_ROLLED = "the sidecars{users} read it within 10 s: no Pod is restarted"
_ENCRYPTION = (
    "from then on backups are encrypted only if the bucket does so by itself (R2 does); what lies "
    "there stays as it is"
)
_COMPRESSION = "base backups taken from then on are compressed so; those in the bucket stay"


def right(fix: Fix) -> Right:
    """What the user must be allowed to do to carry it out."""
    match fix:
        case SetChecksums() | SetOptions():
            return Right("patch", OBJECT_STORES)
        case SwitchOn():
            return Right("patch", CLUSTERS)
        case ChangeSchedule():
            return Right("patch", SCHEDULED_BACKUPS)
        case DeleteBackup():
            return Right("delete", BACKUPS)


def subject(fix: MadeHere) -> tuple[Kind, Key]:
    """The object to be changed or deleted."""
    match fix:
        case SetChecksums(key) | SetOptions(key):
            return OBJECT_STORES, key
        case SwitchOn(key):
            return CLUSTERS, key
        case DeleteBackup(key):
            return BACKUPS, key


def order(estate: Estate, fix: MadeHere, found: Manifest, *, context: str = "") -> Order | Refusal:
    """The order for a remedy, planned on its subject as found. Raises :class:`manifest.Odd`."""
    match fix:
        case SetChecksums(key):
            return set_checksums(estate, key, found, context=context)
        case SetOptions():
            return set_options(estate, fix, found, context=context)
        case SwitchOn(key, plugin):
            return switch_on(key, plugin, found, context=context)
        case DeleteBackup():
            return delete_backup(estate, backup.read(found), context=context)


def set_checksums(
    estate: Estate, key: Key, found: Manifest, *, context: str = ""
) -> Order | Refusal:
    """Both checksum variables on an ObjectStore; every other variable stays as it is."""
    known = store.read(found)
    if settings.checksums(known) is None:
        return Refusal(f"nothing changes: {key.name} has both variables already")
    env = [dict(item) for item in manifest.items(found, "spec", *store.SIDECAR_ENV)]
    for name in store.CHECKSUM_VARIABLES:
        wanted = {"name": name, "value": settings.WHEN_REQUIRED}
        at = next((at for at, item in enumerate(env) if item.get("name") == name), None)
        if at is None:
            env.append(wanted)
        else:
            env[at] = wanted
    outer, inner = store.SIDECAR_ENV
    return _change(
        OBJECT_STORES,
        key,
        found,
        fields={"spec": {outer: {inner: env}}},
        sentence=f"Set both checksum variables of ObjectStore {key.name} in {key.namespace}",
        kubectl=settings.checksum_command(known, context),
        warnings=(_ROLLS.format(users=_users(estate, key)),),
    )


def set_options(
    estate: Estate, fix: SetOptions, found: Manifest, *, context: str = ""
) -> Order | Refusal:
    """Options of an ObjectStore's configuration; every other option stays as it is."""
    if all(
        manifest.get(found, "spec", "configuration", *path) == value
        for path, value in fix.options.items()
    ):
        return Refusal(f"nothing changes: {fix.store.name} is like that already")
    named = ", ".join(".".join(path) for path in fix.options)
    verb = "Set" if all(fix.options.values()) else "Remove"
    warnings = [_NOT_ROLLED.format(users=_users(estate, fix.store))]
    if any(path[-1] == "encryption" for path in fix.options):
        warnings.append(_ENCRYPTION)
    if ("data", "compression") in fix.options:
        warnings.append(_COMPRESSION)
    return _change(
        OBJECT_STORES,
        fix.store,
        found,
        fields=fix.fields,
        sentence=f"{verb} {named} of ObjectStore {fix.store.name} in {fix.store.namespace}",
        kubectl=settings.options_command(fix, context),
        warnings=tuple(warnings),
    )


def _users(estate: Estate, key: Key) -> str:
    """The clusters whose sidecars know an ObjectStore, as part of a sentence."""
    users = sorted(
        each.key.name
        for each in estate.clusters()
        if each.key.namespace == key.namespace
        and (each.store == key or key.name in each.source_stores)
    )
    return f" of {', '.join(users)}" if users else ""


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
    path = f"/spec/plugins/{at}"
    operations: list[dict[str, Any]] = [{"op": "test", "path": f"{path}/name", "value": plugin}]
    operations += [
        {"op": "add", "path": f"{path}/{name}", "value": True}
        for name in ("enabled", "isWALArchiver")
        if before[at].get(name) is not after[at][name]
    ]
    patch = shlex.quote(json.dumps(operations))
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
        kubectl=shown.kubectl(
            cluster, f"patch {CLUSTERS} {cluster.name} --type json -p {patch}", context
        ),
        warnings=tuple(warnings),
    )


def delete_backup(estate: Estate, found: Backup, *, context: str = "") -> Order | Refusal:
    """Delete a Backup that is not done, so that those behind it come to their turn."""
    key = found.key
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
    ahead = queue.ahead_of(found)
    if ahead is not None:
        phase = ahead.phase or "not taken up"
        warnings.append(f"this frees nothing: it waits itself, {ahead.key.name} is {phase}")
    elif behind:
        waits = words.counted(len(behind), "Backup waits", "Backups wait")
        warnings.append(f"{waits} behind it, {behind[0].key.name} first")
    if any(one.key.name == found.schedule for one in estate.schedules_of(found.cluster_key)):
        warnings.append(
            f"schedule {found.schedule} made it: that goes on within a minute, and at once makes the "
            "Backup of a slot it has missed meanwhile"
        )
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


def is_same(one: Order, other: Order) -> bool:
    """Whether two orders differ in nothing but the version of the object they were planned on."""
    return replace(one, act=_unversioned(one.act)) == replace(other, act=_unversioned(other.act))


def _unversioned(act: Act) -> Act:
    return act if isinstance(act, Create) else replace(act, resource_version="")


def difference(before: Manifest, after: Manifest) -> str:
    """What changes between two versions of an object's spec, without what looks like a secret."""
    return shown.difference(_shown(before), _shown(after))


def _shown(found: Manifest) -> dict[str, Any]:
    return {"spec": redacted({"spec": found.get("spec") or {}})["spec"]}


def _change(
    kind: Kind,
    key: Key,
    found: Manifest,
    *,
    fields: Manifest,
    sentence: str,
    kubectl: str,
    warnings: tuple[str, ...],
) -> Order:
    return Order(
        act=Change(kind, key, manifest.resource_version(found), fields),
        sentence=sentence,
        shown=difference(found, _merged(found, fields)),
        kubectl=kubectl,
        warnings=warnings,
    )


def _merged(target: Any, patch: Any) -> Any:
    """What a JSON merge patch makes of a document (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    made = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = _merged(made.get(name), value)
    return made
