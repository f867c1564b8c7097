"""How the operator treats ScheduledBackups: the slot after the last check, once, and then from now.

(CNPG internal/controller/scheduledbackup_controller.go)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tui.sandbox import client, manifests, slots
from tui.sandbox.backups import DONE, phase_of
from tui.sandbox.manifests import CNPG, Manifest, compact, key_of, moment, stamp
from tui.sandbox.work import Key, now
from tui.sandbox.world import World

_COMPONENT = "cloudnative-pg-scheduledbackup"
_BLOCKED = timedelta(seconds=60)
_COPIED = ("target", "method", "pluginConfiguration", "online", "onlineConfiguration")


class Schedules:
    """The controller of ScheduledBackups. Slots are real time; `--speed` does not move them."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def look(self, key: Key) -> timedelta | None:
        """Fire if a slot has passed; gives when to look again, in acted time."""
        schedule = self._world.schedules.objects.get(key)
        if schedule is None or schedule["spec"].get("suspend"):
            return None
        if self._has_running_child(schedule):
            return _BLOCKED
        try:
            cron = slots.parse(schedule["spec"]["schedule"])
        except slots.Unreadable as odd:
            await self._write(schedule, {"error": str(odd)})
            return None
        status = schedule.get("status") or {}
        at = now()
        if "lastCheckTime" not in status:
            return await self._first(schedule, cron, at)
        slot = cron.next(moment(status["lastCheckTime"]))
        if slot is None:
            await self._tell(schedule, "NoSchedule", "Schedule never fires", kind="Warning")
            return None
        if at < slot:
            return self._real(slot - at)
        return await self._fire(schedule, cron, slot, at, immediate=False)

    def _has_running_child(self, schedule: Mapping[str, Any]) -> bool:
        namespace, name = key_of(schedule)
        return any(
            phase_of(backup) not in DONE
            for (where, _), backup in self._world.backups.objects.items()
            if where == namespace
            and backup["metadata"].get("labels", {}).get("cnpg.io/scheduled-backup") == name
        )

    async def _first(self, schedule: Manifest, cron: slots.Slots, at: datetime) -> timedelta | None:
        if schedule["spec"].get("immediate"):
            await self._tell(
                schedule, "BackupSchedule", f"Scheduled immediate backup now: {_go(at)}"
            )
            return await self._fire(schedule, cron, at, at, immediate=True)
        slot = cron.next(at)
        await self._write(schedule, {"lastCheckTime": stamp(at)})
        if slot is None:
            await self._tell(schedule, "NoSchedule", "Schedule never fires", kind="Warning")
            return None
        await self._tell(schedule, "BackupSchedule", f"Scheduled first backup by {_go(slot)}")
        return self._real(slot - at)

    async def _fire(
        self,
        schedule: Manifest,
        cron: slots.Slots,
        slot: datetime,
        at: datetime,
        *,
        immediate: bool,
    ) -> timedelta | None:
        backup = self._backup(schedule, slot, immediate=immediate)
        if not await self._create(schedule, backup):
            return _BLOCKED
        following = cron.next(at)
        status = {"lastCheckTime": stamp(at), "lastScheduleTime": stamp(slot), "error": None}
        if following is None:
            await self._write(schedule, status)
            return None
        await self._write(schedule, status | {"nextScheduleTime": stamp(following)})
        await self._tell(schedule, "BackupSchedule", f"Next backup scheduled by {_go(following)}")
        return self._real(following - at)

    async def _create(self, schedule: Manifest, backup: Manifest) -> bool:
        """Create it, or find it there; False when it was refused."""
        try:
            self._world.backups.note(await self._world.kube.create(client.BACKUPS, backup))
        except client.Refused as refusal:
            if refusal.code != 409:
                text = "Error while creating backup object"
                await self._tell(schedule, "BackupCreation", text, kind="Warning")
                return False
            await self._refuse_foreign(schedule, backup)
        return True

    async def _refuse_foreign(self, schedule: Manifest, backup: Manifest) -> None:
        """The name is taken: by our own work of before, or by somebody else's."""
        namespace, name = key_of(backup)
        there = await self._world.kube.get(client.BACKUPS, namespace, name)
        labels = (there or backup)["metadata"].get("labels", {})
        if labels.get("cnpg.io/scheduled-backup") != key_of(schedule)[1]:
            text = f"Backup {name} exists and does not belong to this schedule, slot skipped"
            await self._tell(schedule, "BackupAdoptionRefused", text, kind="Warning")

    def _backup(self, schedule: Manifest, slot: datetime, *, immediate: bool) -> Manifest:
        namespace, name = key_of(schedule)
        spec = schedule["spec"]
        cluster = spec["cluster"]["name"]
        meta: Manifest = {
            "name": f"{name}-{compact(slot)}",
            "namespace": namespace,
            "labels": {
                "cnpg.io/cluster": cluster,
                "cnpg.io/immediateBackup": "true" if immediate else "false",
                "cnpg.io/scheduled-backup": name,
            },
        }
        owner = self._owner(schedule)
        if owner is not None:
            meta["ownerReferences"] = [manifests.owner(owner)]
        copied = {field: spec[field] for field in _COPIED if field in spec}
        return {
            "apiVersion": CNPG,
            "kind": "Backup",
            "metadata": meta,
            "spec": copied | {"cluster": {"name": cluster}},
        }

    def _owner(self, schedule: Manifest) -> Manifest | None:
        match schedule["spec"].get("backupOwnerReference", "none"):
            case "self":
                return schedule
            case "cluster":
                name = schedule["spec"]["cluster"]["name"]
                return self._world.clusters.objects.get((key_of(schedule)[0], name))
            case _:
                return None

    def _real(self, wait: timedelta) -> timedelta:
        """Acted time that takes as long as `wait` really is, and a little more than a second."""
        return (wait + timedelta(milliseconds=50)) * self._world.pace.speed

    async def _write(self, schedule: Manifest, status: Manifest) -> None:
        written = await self._world.kube.patch_status(client.SCHEDULES, *key_of(schedule), status)
        self._world.schedules.note(written)

    async def _tell(
        self, schedule: Manifest, reason: str, text: str, *, kind: str = "Normal"
    ) -> None:
        await self._world.recorder.record(schedule, reason, text, kind=kind, component=_COMPONENT)


def _go(at: datetime) -> str:
    """A time as Go prints it: `2026-11-22 02:00:00 +0000 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} +0000 UTC"
