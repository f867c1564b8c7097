"""Stages all rows at once: the bucket, the objects, and what Barman's programs really come to.

Everything is genuine but the operator, the plugin and the kubelet, of which only what they write and
answer is here: nodes, Pods and processes of a cluster there are none.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.apiserver.client import BARMAN_CLOUD, CNPG, Client
from tests.apiserver.server import KubeApiServer
from tests.matrix.real import films, objects
from tests.matrix.real.archive import Archive, Made
from tests.matrix.real.network import Network
from tests.matrix.real.plugin import Outcome, Sidecar
from tests.matrix.real.rows import Row
from tests.matrix.strict import Strict
from tests.wire import stores
from tui.barman import wal
from tui.sandbox import s3
from tui.sandbox.faults import SOCKET_REFUSED, base_backup_failed
from tui.sandbox.manifests import Manifest, plugin_objects
from tui.sandbox.tls import Certificate

PROGRAMS = 3
WAITING = 3
"""Files in front of an archiver that fails."""
_PLURALS = {
    "Backup": f"{CNPG}/namespaces/{{}}/backups",
    "Cluster": f"{CNPG}/namespaces/{{}}/clusters",
    "Event": "/api/v1/namespaces/{}/events",
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "ObjectStore": f"{BARMAN_CLOUD}/namespaces/{{}}/objectstores",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Role": f"/apis/{objects.RBAC}/v1/namespaces/{{}}/roles",
    "RoleBinding": f"/apis/{objects.RBAC}/v1/namespaces/{{}}/rolebindings",
    "ScheduledBackup": f"{CNPG}/namespaces/{{}}/scheduledbackups",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Service": "/api/v1/namespaces/{}/services",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
}


@dataclass(frozen=True, slots=True)
class World:
    """The genuine parts."""

    made: Made
    strict: Strict
    certificate: Certificate
    api: KubeApiServer
    network: Network
    folder: Path


async def stage(world: World, rows: Sequence[Row]) -> None:
    """Stage them all."""
    now = objects.utc_now()
    lying = {row.name: films.of(world.made, row.film, now) for row in rows}
    await asyncio.to_thread(world.made.stack.weed.lay, list(_past(rows, lying)))
    async with _client(world, world.api.admin_token) as admin:
        kube = _Kube(admin)
        await kube.put(objects.node())
        await kube.put(objects.namespace("cnpg-system"))
        for each in plugin_objects(now, running=True):
            await kube.put(each)
        programs = asyncio.Semaphore(PROGRAMS)
        async with asyncio.TaskGroup() as group:
            for number, row in enumerate(rows, 1):
                one = _One(world, kube, row, lying[row.name], f"10.42.0.{number}", now)
                group.create_task(one.stage(programs))
    named = {row.name: row for row in rows}
    await asyncio.to_thread(
        world.api.backdate, "postgresql.cnpg.io", lambda kept: objects.created(named, kept, now)
    )


def _past(
    rows: Sequence[Row], lying: Mapping[str, Archive]
) -> Iterator[tuple[s3.Lying, bytes | None]]:
    for row in rows:
        path = row.path.format(name=row.name).removeprefix(f"s3://{stores.BUCKET}/")
        for each in lying[row.name].lying:
            key = f"{path}/{objects.CLUSTER}/{each.name}"
            yield s3.Lying(key, each.size, each.at), each.body


def _later(name: str, segments: int) -> str:
    """The name of the segment so many further on."""
    size, last = wal.DEFAULT_SEGMENT_SIZE, wal.segment(name)
    return str(wal.at(last.timeline, last.number(size) + segments, size))


class _Kube:
    """Writes what the operator and the plugin write, as an administrator."""

    def __init__(self, admin: Client) -> None:
        self._admin = admin

    async def put(self, manifest: Manifest) -> Manifest:
        """Create an object, then its status."""
        where = _PLURALS[manifest["kind"]].format(manifest["metadata"].get("namespace"))
        plain = {name: value for name, value in manifest.items() if name != "status"}
        answer = await self._admin.create(where, plain)
        assert answer.status == 201, (plain, answer.text)
        if "status" in manifest:
            return await self.tell(answer.body, manifest["status"])
        return answer.body

    async def tell(self, made: Manifest, status: Mapping[str, object]) -> Manifest:
        """Write its status."""
        where = _PLURALS[made["kind"]].format(made["metadata"].get("namespace"))
        path = f"{where}/{made['metadata']['name']}/status"
        answer = await self._admin.patch(path, {"status": status})
        assert answer.status == 200, (status, answer.text)
        return answer.body

    async def token(self, namespace: str, account: str) -> str:
        """A token of a service account."""
        where = _PLURALS["ServiceAccount"].format(namespace)
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        answer = await self._admin.create(f"{where}/{account}/token", request)
        assert answer.status == 201, answer.text
        token: str = answer.body["status"]["token"]
        return token


@dataclass(frozen=True, slots=True)
class _One:
    """One row."""

    world: World
    kube: _Kube
    row: Row
    film: Archive
    address: str
    now: datetime

    async def stage(self, programs: asyncio.Semaphore) -> None:
        """Objects as their owner made them, then what happens, then what the operator says of it."""
        row, put, made = self.row, self.kube.put, self.world.made
        await put(objects.namespace(row.name))
        store = objects.store(row, self._endpoint(row.endpoint), self.film)
        for each in objects.rights(row):
            await put(each)
        if "store" not in row.without:
            await put(store)
        if "secret" not in row.without:
            await put(objects.secret(row))
        if row.trusts and "authority" not in row.without:
            await put(objects.authority(row, self.world.certificate.ca))
        cluster = await put(objects.cluster(row))
        pod = await put(objects.pod(row, cluster, store, self.address, self.now))
        archived, backed_up = await self._happen(programs)
        error = backed_up.error or row.backup_error.format(killed=made.killed_by)
        if row.misreported:
            error = base_backup_failed(1)
        last = (
            ("failed", error) if error else ("started", "") if row.runs_for else ("completed", "")
        )
        for each in objects.backups(row, self.film, pod, error, self.now):
            await put(each)
        await put(objects.schedule(row, self.now))
        system = made.other_system if row.other_system else made.instance["systemID"]
        told = objects.status(
            row,
            cluster,
            pod,
            system=system,
            timeline=self._timeline,
            archiving=archived.error,
            backup=last,
            now=self.now,
        )
        await self.kube.tell(cluster, told)
        self.world.network.logs[row.name, f"{objects.CLUSTER}-1"] = archived.log + backed_up.log
        self.world.network.statuses[self.address] = self._instance(archived.error) | {
            "systemID": system
        }

    @property
    def _timeline(self) -> int:
        """On which PostgreSQL archived last."""
        segments = self.film.segments
        return int(segments[-1].segment[:8], 16) if segments else 1

    def _endpoint(self, endpoint: str) -> str:
        weed = self.world.made.stack.weed
        return endpoint.format_map(
            {
                "weed": weed.url,
                "tls": weed.tls_url,
                "strict": self.world.strict.url,
                "weed-as-tls": weed.url.replace("http:", "https:"),
                "tls-as-plain": weed.tls_url.replace("https:", "http:"),
                "master": f"http://{weed.master}",
            }
        )

    async def _happen(self, programs: asyncio.Semaphore) -> tuple[Outcome, Outcome]:
        row, made = self.row, self.world.made
        archived, backed_up = Outcome(row.archive_error), Outcome()
        if row.sidecar_dies:
            return Outcome(SOCKET_REFUSED), backed_up
        if row.archives or row.prunes or row.backs_up is not None:
            token = await self.kube.token(row.name, row.account)
            async with _client(self.world, token) as account:
                inside = self._endpoint(row.inside)
                sidecar = Sidecar(row, account, self.world.folder, programs, inside)
                if row.archives:
                    archived = await sidecar.archive(made.following)
                if row.backs_up is not None:
                    backed_up = await sidecar.back_up(row.backs_up, made.stack.port)
                if row.prunes and (pruned := await sidecar.prune()).error:
                    await self.kube.put(objects.event(row, pruned.error, self.now))
        return archived, backed_up

    def _instance(self, error: str) -> Manifest:
        """What PostgreSQL said, when its WAL lies in the bucket so and its archiver fails so."""
        made, following = self.world.made, self.world.made.following.name
        last = self.film.segments[-1] if self.film.segments else None
        landed = self.row.film == "elsewhere" or (self.row.archives and not error)
        name = following if landed else last.segment if last else ""
        at = last.at if last and not self.row.archives else self.now
        timeline = int(name[:8], 16) if name else made.instance["timeLineID"]
        told = dict(made.instance) | {"isArchivingWAL": not error, "timeLineID": timeline}
        if name:
            told |= {"lastArchivedWAL": name, "lastArchivedWALTime": at.isoformat()}
        else:
            told.pop("lastArchivedWAL")
        if error:
            told |= {
                "lastFailedWAL": following,
                "lastFailedWALTime": objects.utc_now().isoformat(),
                "readyWalFiles": WAITING,
            }
        if error or name:
            told["currentWAL"] = _later(following, WAITING) if error else _later(name, 1)
        return told


@asynccontextmanager
async def _client(world: World, token: str) -> AsyncIterator[Client]:
    trust = ssl.create_default_context(cafile=str(world.api.ca_file))
    async with Client(world.api.url, token, trust) as client:
        yield client
