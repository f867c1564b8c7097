"""A look at one base backup: its folder, its backup.info, and the folders its WAL lies in.

A handful of requests, whatever the size of the archive; a sweep would list it all.
"""

from __future__ import annotations

from tui import faults
from tui.barman import catalog
from tui.barman.catalog import Catalog, Server
from tui.cnpg.backup import Backup
from tui.cnpg.location import Location
from tui.live import known
from tui.live.look import SMALL, Bucket
from tui.verdict import verification
from tui.verdict.verification import Told, Verification
from tui.verdict.witnesses import NotKnown


async def look(bucket: Bucket, where: Location, backup: Backup) -> Verification | NotKnown:
    """Look, and compare with what the Backup says. Raises ``faults.Fault``."""
    if not backup.backup_id:
        return NotKnown(f"Backup {backup.key.name} names no base backup (status.backupId)")
    seen = catalog.empty(where.place.path)
    top = f"{seen.root}{where.server}/"
    folder = f"{top}base/{backup.backup_id}/"
    seen = await _listed(bucket, seen, folder)
    told = await _told(bucket, seen, where.server, backup.backup_id, folder)
    span = verification.span_of(backup, told)
    if isinstance(span, NotKnown):
        return span
    for name in span.folders:
        seen = await _listed(bucket, seen, f"{top}wals/{name}/")
    return verification.verify(backup, told, _server(seen, where.server))


async def _listed(bucket: Bucket, seen: Catalog, prefix: str) -> Catalog:
    token = ""
    while True:
        answer = await bucket.list(prefix, token=token)
        seen = catalog.fold(seen, answer.objects)
        token = answer.token
        if not token:
            return seen


async def _told(bucket: Bucket, seen: Catalog, server: str, id_: str, folder: str) -> Told:
    base = _server(seen, server).bases.get(id_)
    if base is None or base.info is None:
        return None
    try:
        return known.told_info(await bucket.get(f"{folder}{base.info.name}", at_most=SMALL))
    except faults.NotFound:
        return None


def _server(seen: Catalog, name: str) -> Server:
    return seen.servers.get(name) or Server(name, {}, {}, {})
