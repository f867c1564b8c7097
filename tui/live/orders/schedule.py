"""Orders about ScheduledBackups: create, edit, suspend, resume, run now, delete.

Every change is guarded by the resourceVersion that was looked at, so that nothing somebody else
did meanwhile is lost: the server answers 409 and the change is planned anew on what is there now.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import UTC, datetime

from tui import words
from tui.cnpg import firing, schedule
from tui.cnpg.manifest import BACKUPS, SCHEDULED_BACKUPS, Key
from tui.cnpg.schedule import ScheduledBackup
from tui.live.estate import Estate
from tui.live.orders import shown
from tui.live.orders.back_up import before_the_fact
from tui.live.orders.order import Change, Create, Delete, Order, Refusal


def save_new(
    estate: Estate, wanted: ScheduledBackup, *, warnings: Iterable[str] = (), context: str = ""
) -> Order | Refusal:
    """Create a ScheduledBackup. ``warnings`` is what to know before."""
    for what, text in (("name", wanted.key.name), ("cluster", wanted.cluster)):
        if not text:
            return Refusal(f"the schedule needs a {what}")
    if wanted.key in estate.tables[SCHEDULED_BACKUPS]:
        return Refusal(f"ScheduledBackup {wanted.key} exists already: choose another name")
    document = schedule.document(wanted)
    return Order(
        act=Create(SCHEDULED_BACKUPS, wanted.key, document),
        sentence=(
            f"Create ScheduledBackup {wanted.key.name} of cluster {wanted.cluster} in "
            f"{wanted.key.namespace}"
        ),
        shown=shown.as_yaml(document),
        kubectl=shown.kubectl(wanted.key, "create -f -", context),
        warnings=tuple(warnings),
    )


def save_changes(
    before: ScheduledBackup,
    wanted: ScheduledBackup,
    *,
    warnings: Iterable[str] = (),
    context: str = "",
    sentence: str = "",
) -> Order | Refusal:
    """Write what differs from ``before``, if the object is still as it was then."""
    changed = schedule.changes(before, wanted)
    if not changed:
        return Refusal(f"nothing changes: {before.key.name} is like that already")
    patch = shlex.quote(json.dumps(changed, ensure_ascii=True))
    return Order(
        act=Change(SCHEDULED_BACKUPS, before.key, before.resource_version, changed),
        sentence=sentence or f"Change ScheduledBackup {before.key.name} in {before.key.namespace}",
        shown=difference(before, wanted),
        kubectl=shown.kubectl(
            before.key, f"patch {_named(before.key)} --type merge -p {patch}", context
        ),
        warnings=tuple(warnings),
    )


def suspend(
    before: ScheduledBackup,
    *,
    suspended: bool,
    warnings: Iterable[str] = (),
    context: str = "",
) -> Order | Refusal:
    """Suspend the schedule, or resume it."""
    verb = "Suspend" if suspended else "Resume"
    return save_changes(
        before,
        replace(before, suspended=suspended),
        warnings=warnings,
        context=context,
        sentence=f"{verb} ScheduledBackup {before.key.name} in {before.key.namespace}",
    )


def run_now(
    estate: Estate, found: ScheduledBackup, now: datetime, *, context: str = ""
) -> Order | Refusal:
    """One on-demand Backup shaped like those of the schedule, which goes on as if nothing happened.

    Its name ends in no 14 digits, so that no schedule's controller can ever make the same one
    (``<schedule>-YYYYMMDDhhmmss``), and it is labelled as ``kubectl cnpg backup`` labels: with the
    operator's label for children it would hold the schedule up.
    """
    key = Key(found.key.namespace, f"{found.key.name}-{now.astimezone(UTC):%Y%m%d%H%M%S}-by-hand")
    if estate.backup(key):
        return Refusal(f"Backup {key} exists already: wait a second and try again")
    document = schedule.backup_now(found, key)
    cluster = estate.cluster(found.cluster_key)
    warnings = (
        before_the_fact(estate, cluster, found.method, now)
        if cluster
        else [f"cluster {found.cluster_key} is not known here: without it the Backup stays pending"]
    )
    return Order(
        act=Create(BACKUPS, key, document),
        sentence=(
            f"Create Backup {key.name} of cluster {found.cluster} in {key.namespace}, as "
            f"{found.key.name} would"
        ),
        shown=shown.as_yaml(document),
        kubectl=_kubectl_backup(found, key, context),
        warnings=tuple(warnings),
    )


def delete(estate: Estate, found: ScheduledBackup, *, context: str = "") -> Order:
    """Delete the schedule, if it is still the one that was looked at."""
    return Order(
        act=Delete(SCHEDULED_BACKUPS, found.key, found.uid, found.resource_version),
        sentence=f"Delete ScheduledBackup {found.key.name} in {found.key.namespace}",
        shown=shown.as_yaml(schedule.document(found)),
        kubectl=shown.kubectl(found.key, f"delete {_named(found.key)}", context),
        warnings=tuple(_after_the_end(estate, found)),
    )


def _after_the_end(estate: Estate, found: ScheduledBackup) -> list[str]:
    """What becomes of its Backups, and of the cluster, when the schedule is gone."""
    children = firing.children(found, estate.backups_of(found.cluster_key))
    told = [f"{_fate(found, len(children))}; what lies in the bucket stays"]
    if children:
        told.append(
            "a Backup keeps the owner it was made with, also if the field was changed since"
        )
    running = [child for child in children if child.is_executing]
    if running:
        told.append(f"{running[0].key.name} runs now; deleting does not stop it in the instance")
    others = [one for one in estate.schedules_of(found.cluster_key) if one.key != found.key]
    if not others:
        told.append(f"no other schedule takes base backups of cluster {found.cluster}")
    return told


def _fate(found: ScheduledBackup, children: int) -> str:
    if not children:
        return "no Backup of its is there"
    its, owner = words.counted(children, "Backup"), found.owner_reference or "none"
    if owner == "self":
        return f"{its} made by it will be deleted with it (backupOwnerReference: self)"
    until = f" until cluster {found.cluster} is deleted" if owner == "cluster" else ""
    stay = "stays" if children == 1 else "stay"
    return f"{its} made by it {stay}{until} (backupOwnerReference: {owner})"


def replanned(
    before: ScheduledBackup, wanted: ScheduledBackup, theirs: ScheduledBackup
) -> ScheduledBackup:
    """``theirs`` with what ``wanted`` changes in ``before`` on top."""
    mine = {
        field.name: getattr(wanted, field.name)
        for field in fields(ScheduledBackup)
        if getattr(wanted, field.name) != getattr(before, field.name)
    }
    return replace(theirs, **mine)


def difference(before: ScheduledBackup, after: ScheduledBackup) -> str:
    """What changes in the manifest, as a unified diff; ``""`` if nothing does."""
    return shown.difference(schedule.document(before), schedule.document(after))


def _named(key: Key) -> str:
    return f"{SCHEDULED_BACKUPS} {key.name}"


def _kubectl_backup(found: ScheduledBackup, key: Key, context: str) -> str:
    """The line of ``kubectl cnpg backup`` (internal/cmd/plugin/backup/cmd.go) for the same Backup."""
    pairs = ",".join(f"{name}={value}" for name, value in found.plugin_parameters.items())
    flags = {
        "--method": found.method,
        "--plugin-name": found.plugin,
        "--plugin-parameters": pairs,
        "--backup-target": found.target,
        "--online": _told(found.online),
        "--immediate-checkpoint": _told(found.immediate_checkpoint),
        "--wait-for-archive": _told(found.wait_for_archive),
        "--context": context,
    }
    line = ["kubectl", "cnpg", "backup", found.cluster, "-n", key.namespace]
    line += ["--backup-name", key.name]
    for flag, value in flags.items():
        line += [flag, value] if value else []
    return shlex.join(line)


def _told(flag: bool | None) -> str:
    return "" if flag is None else str(flag).lower()
