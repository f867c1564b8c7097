"""How the primary's sidecar enforces retention: base backups, the WAL only they needed, Backup objects.

(barman 3.19.1 retention_policies.py, clients/cloud_backup_delete.py; plugin-barman-cloud
internal/cnpgi/instance/retention.go)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tui.sandbox import client, manifests
from tui.sandbox.s3 import StoreFault
from tui.sandbox.sidecar import Entry, Place, Sidecar
from tui.sandbox.work import Key, now
from tui.sandbox.world import World

_DAYS = {"d": 1, "w": 7, "m": 31}


def obsolete(entries: Sequence[Entry], policy: str, at: datetime) -> list[Entry]:
    """What `policy` (`30d`) no longer needs, oldest first.

    Kept are DONE backups that ended inside the window and the newest one before it; what is not
    DONE is never touched.
    """
    border = at - timedelta(days=int(policy[:-1]) * _DAYS[policy[-1]])
    before = [one for one in entries if one.status == "DONE" and one.ended and one.ended < border]
    return sorted(before, key=lambda entry: entry.backup_id)[:-1]


async def maintain(world: World, sidecar: Sidecar, cluster: Mapping[str, Any]) -> None:
    """One cycle: prune, refresh the recovery window, delete Backups whose data are gone."""
    place = sidecar.place(cluster)
    # Before the listing: a Backup that completes meanwhile is not missing from it.
    completed = _completed(world, cluster)
    try:
        if place.retention:
            await _prune(world, place, await sidecar.catalogue(place))
        entries = await sidecar.refresh_window(place)
    except StoreFault as fault:
        await world.recorder.record(
            cluster,
            "RetentionPolicyFailed",
            "Retention policy failed",
            kind="Warning",
            component="policy-runnable",
        )
        pod = world.primary_of(cluster)
        if pod is not None:
            world.logs.write(
                pod,
                manifests.SIDECAR,
                "while enforcing retention policies",
                level="error",
                error=str(fault),
            )
        return
    present = {entry.backup_id for entry in entries}
    for key, backup_id in completed.items():
        if backup_id not in present:
            await world.kube.delete(client.BACKUPS, *key)


async def _prune(world: World, place: Place, entries: Sequence[Entry]) -> None:
    gone = obsolete(entries, place.retention, now())
    if not gone:
        return
    kept = [one for one in entries if one.status == "DONE" and one not in gone]
    doomed: list[str] = []
    for entry in gone:
        prefix = f"{place.folder.root}base/{entry.backup_id}/"
        doomed += [one.key for one in await world.access.list(place.door, prefix)]
    needed = kept[0].begin_wal
    for one in await world.access.list(place.door, f"{place.folder.root}wals/"):
        name = one.key.rpartition("/")[2]
        if ".history" not in name and name[:8] <= needed[:8] and name[8:24] < needed[8:]:
            doomed.append(one.key)
    await world.access.delete(place.door, doomed)


def _completed(world: World, cluster: Mapping[str, Any]) -> dict[Key, str]:
    """The completed plugin Backups of this very cluster, and their ids in the bucket."""
    namespace, name = manifests.key_of(cluster)
    found: dict[Key, str] = {}
    for key, backup in world.backups.objects.items():
        status = backup.get("status", {})
        meta = status.get("pluginMetadata") or {}
        if (
            key[0] == namespace
            and backup["spec"]["cluster"]["name"] == name
            and status.get("phase") == "completed"
            and backup["spec"].get("method") == "plugin"
            and meta.get("clusterUID") == cluster["metadata"]["uid"]
            and meta.get("pluginName") == manifests.PLUGIN
        ):
            found[key] = status.get("backupId", "")
    return found
