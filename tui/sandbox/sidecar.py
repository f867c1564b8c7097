"""The plugin's sidecar: archives WAL, takes base backups, reads its catalogue, keeps the window.

It reads the ObjectStore and the Secret as they are now and goes to the bucket they name, so that a
patched Secret or a revoked key has its true effect. The cause of a failure is only in its log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tui.sandbox import archive, client, faults, manifests, segments
from tui.sandbox.archive import BaseBackup, Folder
from tui.sandbox.faults import PluginFault
from tui.sandbox.instance import Postgres
from tui.sandbox.manifests import SIDECAR, Manifest, key_of
from tui.sandbox.s3 import Door, Keys, Lying, StoreFault
from tui.sandbox.work import Key, now
from tui.sandbox.world import World

_ARCHIVING = timedelta(milliseconds=300)
"""What one call of barman-cloud-wal-archive takes."""
_STILL_WAITING = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cluster's archive is: a folder behind a door, and how files are compressed."""

    door: Door
    folder: Folder
    wal: str | None
    data: str | None
    store: Key
    retention: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A base backup in the catalogue, as its backup.info tells it."""

    backup_id: str
    status: str
    ended: datetime | None
    timeline: int
    begin_wal: str


class Sidecar:
    """The sidecars of all pods; what they do depends on the pod they are asked on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._read: dict[tuple[str, str], tuple[Lying, str]] = {}

    def place(self, cluster: Mapping[str, Any]) -> Place:
        """Where this cluster archives to; raises PluginFault when that cannot be known."""
        plugin = manifests.plugin_of(cluster) or {}
        namespace, _ = key_of(cluster)
        name = (plugin.get("parameters") or {}).get("barmanObjectName")
        if not name:
            raise PluginFault(
                faults.plugin_error("invalid configuration, missing barman object store reference")
            )
        store = self._world.stores.objects.get((namespace, name))
        if store is None:
            raise PluginFault(
                faults.plugin_error(f'objectstores.barmancloud.cnpg.io "{name}" not found')
            )
        settings = store["spec"]["configuration"]
        try:
            folder = archive.folder(settings["destinationPath"], manifests.server_of(cluster))
        except ValueError as odd:
            raise PluginFault(faults.plugin_error(str(odd))) from None
        return Place(
            Door(
                settings.get("endpointURL", "https://s3.amazonaws.com"),
                folder.bucket,
                self._keys(namespace, settings.get("s3Credentials") or {}),
            ),
            folder,
            (settings.get("wal") or {}).get("compression"),
            (settings.get("data") or {}).get("compression"),
            (namespace, name),
            store["spec"].get("retentionPolicy", ""),
        )

    def _keys(self, namespace: str, credentials: Mapping[str, Any]) -> Keys:
        if not credentials:
            raise PluginFault(
                faults.plugin_error("ObjectStoreConfiguration invalid: no credentials defined")
            )
        return Keys(
            self._secret(namespace, credentials, "accessKeyId", "access key ID"),
            self._secret(namespace, credentials, "secretAccessKey", "secret access key"),
        )

    def _secret(
        self, namespace: str, credentials: Mapping[str, Any], field: str, words: str
    ) -> str:
        reference = credentials.get(field)
        if not reference:
            raise PluginFault(faults.plugin_error(f"missing {words}"))
        name, key = reference["name"], reference["key"]
        secret = self._world.secrets.objects.get((namespace, name))
        if secret is None:
            raise PluginFault(
                faults.plugin_error(f'while getting secret {name}: secrets "{name}" not found')
            )
        value = manifests.secret_value(secret, key)
        if value is None:
            raise PluginFault(faults.plugin_error(f"missing key {key}, inside secret {name}"))
        return value

    # WAL

    async def archive(
        self, cluster: Mapping[str, Any], pod: Mapping[str, Any], postgres: Postgres, name: str
    ) -> None:
        """Archive one waiting file from the primary; raises PluginFault."""
        place = self.place(cluster)
        self._log(
            pod,
            "Executing barman-cloud-wal-archive",
            walName=f"/var/lib/postgresql/data/pgdata/pg_wal/{name}",
            options=_options(place, place.wal),
        )
        began = now()
        await self._world.pace.sleep(_ARCHIVING)
        if postgres.acts.wal_error:
            raise self._wal_fault(pod, name, postgres.acts.wal_exit, postgres.acts.wal_error)
        if postgres.check_empty and not _excused(cluster):
            await self._check_empty(place, pod, name)
        text = postgres.bodies.get(name)
        body = await asyncio.to_thread(_wal_body, text, postgres, place.wal)
        try:
            await self._world.access.put(place.door, place.folder.wal(name, place.wal), body)
        except StoreFault as fault:
            raise self._wal_fault(pod, name, 4, str(fault)) from None
        postgres.check_empty = False
        self._log(
            pod,
            "Archived WAL file",
            walName=f"pg_wal/{name}",
            startTime=began.isoformat(),
            endTime=now().isoformat(),
        )

    async def _check_empty(self, place: Place, pod: Mapping[str, Any], name: str) -> None:
        try:
            found = await self._world.access.list(place.door, f"{place.folder.root}wals/")
        except StoreFault as fault:
            text = str(fault) if fault.reached else f"Can't connect to cloud provider: {fault}"
            raise self._wal_fault(pod, name, 4 if fault.reached else 2, text) from None
        if found:
            self._stderr(
                pod,
                "barman-cloud-check-wal-archive",
                f"WAL archive check failed for server {place.folder.server}: Expected empty archive",
            )
            raise PluginFault(faults.wal_archive_failed(1))

    def _wal_fault(
        self, pod: Mapping[str, Any], name: str, exit_status: int, text: str
    ) -> PluginFault:
        tool = "barman-cloud-wal-archive"
        self._stderr(pod, tool, f"Barman cloud WAL archiver exception: {text}")
        self._log(
            pod,
            f"Error invoking {tool}",
            level="error",
            walName=f"pg_wal/{name}",
            exitCode=-1,
            error=f"exit status {exit_status}",
        )
        return PluginFault(faults.wal_archive_failed(exit_status))

    # Base backups

    async def back_up(
        self,
        cluster: Mapping[str, Any],
        pod: Mapping[str, Any],
        postgres: Postgres,
        *,
        primary: bool,
    ) -> BaseBackup:
        """Take a base backup on a pod, from start to the last upload; raises PluginFault."""
        place = self.place(cluster)
        base = self._begin(postgres, primary=primary)
        self._log(
            pod, "Starting barman-cloud-backup", options=[*_options(place, place.data), base.name]
        )
        try:
            await self._put_info(place, base)
            await self._world.pace.sleep(postgres.acts.base_takes)
            if postgres.acts.base_error:
                await self._put_info(
                    place, base.failed(f"failure uploading data ({postgres.acts.base_error})")
                )
                raise self._base_fault(pod, postgres.acts.base_exit, postgres.acts.base_error)
            base = await self._end(pod, postgres, base, primary=primary)
            data = await asyncio.to_thread(
                archive.data_tar, base, postgres.acts.base_size, place.data
            )
            key = place.folder.data(base.backup_id, place.data)
            await self._world.access.put(place.door, key, data)
            await self._put_info(place, base)
        except StoreFault as fault:
            raise self._base_fault(pod, 1, str(fault)) from None
        self._log(pod, "Backup completed", backupName=base.name)
        return base

    def _begin(self, postgres: Postgres, *, primary: bool) -> BaseBackup:
        """pg_backup_start: a primary switches to a fresh segment, a standby starts where it is."""
        if primary:
            postgres.write(0.02)
            postgres.switch()
        at = now()
        return BaseBackup(
            began=at,
            timeline=postgres.timeline,
            begin=postgres.position - postgres.position % 8,
            system_id=postgres.system_id,
            version=postgres.version,
            cluster_size=postgres.cluster_size,
            name=f"backup-{manifests.compact(at)}",
            from_standby=not primary,
            segment_size=postgres.segment_size,
        )

    async def _end(
        self, pod: Mapping[str, Any], postgres: Postgres, base: BaseBackup, *, primary: bool
    ) -> BaseBackup:
        """pg_backup_stop: a primary leaves a history file and waits until its WAL is archived."""
        if not primary:
            return base.done(now(), max(postgres.position, base.begin + 0xD8))
        postgres.write(0.01)
        base = base.done(now(), max(postgres.position, base.begin + 0xD8))
        last = postgres.switch()
        label = segments.label_name(base.timeline, base.begin, base.segment_size)
        postgres.wait_for_archive(label, base.history)
        await self._archived(pod, postgres, last)
        return base

    async def _archived(self, pod: Mapping[str, Any], postgres: Postgres, last: str) -> None:
        waited = timedelta()
        step = timedelta(seconds=0.5)
        while last in postgres.ready:
            await self._world.pace.sleep(step)
            waited += step
            if waited % _STILL_WAITING == timedelta():
                message = (
                    "still waiting for all required WAL segments to be archived "
                    f"({waited.total_seconds():.0f} seconds elapsed)"
                )
                record = {"error_severity": "WARNING", "message": message}
                self._world.logs.write(pod, "postgres", "record", logger="postgres", record=record)

    def complain(self, pod: Mapping[str, Any], text: str) -> None:
        """Log what barman-cloud-backup writes on stderr when it fails."""
        self._stderr(pod, "barman-cloud-backup", f"Barman cloud backup exception: {text}")

    async def _put_info(self, place: Place, base: BaseBackup) -> None:
        key = place.folder.info(base.backup_id)
        await self._world.access.put(place.door, key, base.info.encode())

    def _base_fault(self, pod: Mapping[str, Any], exit_status: int, text: str) -> PluginFault:
        self.complain(pod, text)
        error = f"exit status {exit_status}"
        self._log(pod, "Error while taking backup", level="error", exitCode=-1, error=error)
        return PluginFault(faults.base_backup_failed(exit_status))

    # The catalogue and what is said of it

    async def catalogue(self, place: Place) -> list[Entry]:
        """The base backups with a readable backup.info, oldest first; raises StoreFault."""
        found: list[Entry] = []
        for lying in await self._world.access.list(place.door, f"{place.folder.root}base/"):
            if lying.key.endswith("/backup.info"):
                which = (place.door.bucket, lying.key)
                known = self._read.get(which)
                if known is None or known[0] != lying:
                    body = await self._world.access.get(place.door, lying.key)
                    known = self._read[which] = (lying, body.decode())
                found.append(_entry(lying.key.rsplit("/", 2)[1], known[1]))
        return sorted(found, key=lambda entry: entry.backup_id)

    async def refresh_window(self, place: Place) -> list[Entry]:
        """Write what the catalogue says into the ObjectStore; gives the catalogue."""
        entries = await self.catalogue(place)
        ends = [entry.ended for entry in entries if entry.ended]
        await self._tell(
            place,
            {
                "firstRecoverabilityPoint": manifests.stamp(min(ends)) if ends else None,
                "lastSuccessfulBackupTime": manifests.stamp(max(ends)) if ends else None,
            },
        )
        return entries

    async def note_failure(self, place: Place, at: datetime) -> None:
        """Write lastFailedBackupTime, which nothing ever clears."""
        await self._tell(place, {"lastFailedBackupTime": manifests.stamp(at)})

    async def _tell(self, place: Place, window: Manifest) -> None:
        status = {"serverRecoveryWindow": {place.folder.server: window}}
        self._world.stores.note(
            await self._world.kube.patch_status(client.STORES, *place.store, status)
        )

    # Logs

    def _log(self, pod: Mapping[str, Any], message: str, **fields: Any) -> None:
        self._world.logs.write(pod, SIDECAR, message, **fields)

    def _stderr(self, pod: Mapping[str, Any], tool: str, text: str) -> None:
        """A line of a Python tool: level info, the word ERROR inside."""
        line = f"{now():%Y-%m-%d %H:%M:%S},{now().microsecond // 1000:03} [4711] ERROR: {text}"
        self._world.logs.write(pod, SIDECAR, line, logger=tool, pipe="stderr")


def _options(place: Place, compression: str | None) -> Sequence[str]:
    squeeze = [f"--{compression}"] if compression else []
    where = ["--endpoint-url", place.door.endpoint, "--cloud-provider", "aws-s3"]
    prefix = f"/{place.folder.prefix}" if place.folder.prefix else ""
    return [*squeeze, *where, f"s3://{place.folder.bucket}{prefix}", place.folder.server]


def _excused(cluster: Mapping[str, Any]) -> bool:
    annotations = cluster["metadata"].get("annotations") or {}
    return bool(annotations.get("cnpg.io/skipEmptyWalArchiveCheck") == "enabled")


def _wal_body(text: str | None, postgres: Postgres, compression: str | None) -> bytes:
    if text is not None:
        return archive.compressed(text.encode(), compression)
    return archive.segment_body(postgres.acts.wal_size, compression, postgres.segment_size)


def _entry(backup_id: str, info: str) -> Entry:
    rows = dict(line.split("=", 1) for line in info.splitlines() if "=" in line)
    ended = rows.get("end_time", "None")
    return Entry(
        backup_id,
        rows.get("status", "EMPTY"),
        None if ended == "None" else datetime.fromisoformat(ended),
        int(rows.get("timeline", "0")),
        rows.get("begin_wal", ""),
    )
