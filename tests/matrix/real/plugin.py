"""What the plugin's sidecar does with a segment, over the genuine API server and a real store.

It reads ObjectStore and Secrets as the service account it runs as, makes Barman's arguments and
environment of them, and hands on its errors as gRPC does (plugin-barman-cloud ``internal/cnpgi``,
barman-cloud ``pkg/credentials``, ``pkg/walarchive``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.apiserver.client import BARMAN_CLOUD, Answer, Client
from tests.matrix import sidecar
from tests.matrix.real import objects
from tests.matrix.real.rows import Row
from tests.matrix.sidecar import BACKUP, CHECK, DELETE, WAL_ARCHIVE
from tui.sandbox.faults import base_backup_failed, plugin_error, wal_archive_failed
from tui.sandbox.manifests import secret_value


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the operator hears (``""``: nothing is wrong), and what stands in the sidecar's log."""

    error: str = ""
    log: str = ""


class _Failed(Exception):
    """The text is an error of the sidecar's own, as gRPC hands it on."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One row's sidecar. ``account`` is a client that acts as its service account."""

    row: Row
    account: Client
    folder: Path
    programs: asyncio.Semaphore
    """How many of Barman's programs may run at once."""
    inside: str
    """Where the Pods find the store, ``""`` if it is where the ObjectStore says."""

    async def archive(self, segment: Path) -> Outcome:
        """Archive a segment, as barman-cloud's walarchive does."""
        try:
            store, keys, environment = await self._configured()
        except _Failed as failed:
            return Outcome(str(failed))
        where = self._where(store)
        wal = store.get("wal", {})
        options = [f"--{wal['compression']}"] if "compression" in wal else []
        options += [f"--tags={name},{value}" for name, value in store.get("tags", {}).items()]
        options += wal.get("archiveAdditionalCommandArgs", [])
        log = ""
        calls = [(CHECK, where)] if self.row.fresh else []
        calls.append((WAL_ARCHIVE, [*options, *where, str(segment)]))
        for tool, arguments in calls:
            ran = await self._run(tool, arguments, keys, environment)
            if ran.status:
                return Outcome(wal_archive_failed(ran.status), log + ran.logged(datetime.now(UTC)))
        return Outcome()

    async def back_up(self, arguments: tuple[str, ...], port: int) -> Outcome:
        """Take a base backup, as barman-cloud's backup does."""
        try:
            store, keys, environment = await self._configured()
        except _Failed as failed:
            return Outcome(str(failed))
        source = ["--user", "postgres", "--host", "127.0.0.1", "--port", str(port)]
        ran = await self._run(BACKUP, [*source, *arguments, *self._where(store)], keys, environment)
        if not ran.status:
            return Outcome()
        return Outcome(base_backup_failed(ran.status), ran.logged(datetime.now(UTC)))

    async def prune(self) -> Outcome:
        """Enforce the retention policy, as the plugin's maintenance does every half hour."""
        store, keys, environment = await self._configured()
        policy = "RECOVERY WINDOW OF 1 DAYS"
        arguments = ["--retention-policy", policy, *self._where(store)]
        ran = await self._run(DELETE, arguments, keys, environment)
        if not ran.status:
            return Outcome()
        return Outcome("Retention policy failed", ran.logged(datetime.now(UTC)))

    def _where(self, store: Mapping[str, Any]) -> list[str]:
        endpoint = [
            "--endpoint-url",
            self.inside or store["endpointURL"],
            "--cloud-provider",
            "aws-s3",
        ]
        return [*endpoint, store["destinationPath"], objects.CLUSTER]

    async def _run(
        self,
        tool: str,
        arguments: list[str],
        keys: tuple[str, str] | None,
        environment: Mapping[str, str],
    ) -> sidecar.Ran:
        async with self.programs:
            return await asyncio.to_thread(
                sidecar.run,
                tool,
                *arguments,
                keys=keys,
                folder=self.folder,
                environment=environment,
                late=self.row.late,
            )

    async def _configured(
        self,
    ) -> tuple[Mapping[str, Any], tuple[str, str] | None, Mapping[str, str]]:
        """The ObjectStore's configuration, the keys, and what else Barman gets as environment."""
        path = f"{BARMAN_CLOUD}/namespaces/{self.row.name}/objectstores/{objects.STORE}"
        answer = await self._read(path)
        if answer.status != 200:
            raise _Failed(plugin_error(answer.message))
        spec = answer.body["spec"]
        store, extra = spec["configuration"], spec.get("instanceSidecarConfiguration", {})
        environment = {each["name"]: each["value"] for each in extra.get("env", ())}
        named = store["s3Credentials"]
        if named.get("inheritFromIAMRole"):
            return store, None, environment
        keys = (
            await self._value(named["accessKeyId"]),
            await self._value(named["secretAccessKey"]),
        )
        if "endpointCA" in store:
            bundle = self.folder / f"{self.row.name}.ca"
            bundle.write_text(await self._value(store["endpointCA"]))
            environment["AWS_CA_BUNDLE"] = str(bundle)
        return store, keys, environment

    async def _value(self, reference: Mapping[str, str]) -> str:
        name, key = reference["name"], reference["key"]
        answer = await self._read(f"/api/v1/namespaces/{self.row.name}/secrets/{name}")
        if answer.status == 403:
            said = "no permission to download the backup credentials, retrying"
            raise _Failed(plugin_error(said, "FailedPrecondition"))
        if answer.status != 200:
            raise _Failed(plugin_error(f"while getting secret {name}: {answer.message}"))
        value = secret_value(answer.body, key)
        if value is None:
            raise _Failed(plugin_error(f"missing key {key}, inside secret {name}"))
        return value

    @property
    def _may(self) -> bool:
        """Whether it will be let in once its Role is known."""
        bound = self.row.account == objects.CLUSTER
        return bound and not self.row.without & {"role", "right"}

    async def _read(self, path: str) -> Answer:
        """Read an object; the genuine authorizer reads Roles through a cache that lags behind."""
        while True:
            answer = await self.account.get(path)
            if answer.status != 403 or not self._may:
                return answer
            await asyncio.sleep(0.02)
