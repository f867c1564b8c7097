"""``base/`` of a server as lines: base backups, the Backups they belong to, unfinished uploads.

A Backup and a base backup are joined by ``status.backupId``. What has no counterpart is marked.
"""

from __future__ import annotations

from collections.abc import Iterator

from tui import words
from tui.barman.catalog import Base, Server
from tui.barman.continuity import Reach, Usable
from tui.barman.info import Info, Status, Unreadable
from tui.barman.seals import TRUST
from tui.cnpg.backup import COMPLETED
from tui.panes.outline import Line, View
from tui.verdict.level import Level
from tui.verdict.witnesses import Film

_LEVELS = {
    Usable.YES: None,
    Usable.UNSEEN: Level.UNKNOWN,
    Usable.NOT_YET: Level.UNKNOWN,
    Usable.NO: Level.DEGRADED,
}


def lines(view: View, server: Server, film: Film) -> Iterator[Line]:
    """``base/`` and, where it is open, what lies in it: newest first."""
    key = ("bases", str(view.place), server.name)
    ends = [reach.end_time for reach in film.continuity.reaches if reach.end_time]
    made_by = _made_by(view, server.name)
    absent = made_by.keys() - server.bases.keys() if server.bases_listed else frozenset()
    usable = len(film.continuity.usable)
    state = f"{usable} usable" if server.bases_listed else "not listed yet"
    if absent:
        state += f", {words.counted(len(absent), 'Backup')} without data"
    yield Line(
        key=key,
        depth=2,
        name="base/",
        place=view.place,
        server=server.name,
        count=words.counted(len(server.bases), "backup"),
        size=server.base_size,
        newest=max(ends, default=None),
        state=state,
        level=_level(film, absent=len(absent)),
        url=f"{view.place}/{server.name}/base/",
    )
    if key not in view.opened:
        return
    found = [
        _base(view, server, film, base, made_by.get(base.id)) for base in server.bases.values()
    ]
    found += [_gone(view, server, id_, made_by[id_]) for id_ in absent]
    yield from uploads(view, f"{server.name}/base/", server.name)  # first: what may run now
    yield from sorted(found, key=lambda line: line.name, reverse=True)


def _level(film: Film, *, absent: int) -> Level | None:
    if not film.continuity.usable:
        unseen = any(each.usable is Usable.UNSEEN for each in film.continuity.reaches)
        return Level.FAILING if film.continuity.bases_listed and not unseen else Level.UNKNOWN
    return Level.DEGRADED if absent else None


def _made_by(view: View, server: str) -> dict[str, str]:
    """Which Backup says it made which base backup."""
    return {
        backup.backup_id: backup.key.name
        for cluster in view.users(server)
        for backup in view.estate.backups_of(cluster)
        if backup.backup_id and backup.phase == COMPLETED
    }


def _base(view: View, server: Server, film: Film, base: Base, backup: str | None) -> Line:
    info = view.fold.infos.get(server.name, {}).get(base.id)
    reach = next((each for each in film.continuity.reaches if each.base == base.id), None)
    standalone = base.id in view.fold.standalone.get(server.name, frozenset())
    state, level = _state(base, reach, info, standalone=standalone)
    if isinstance(info, Info) and info.status is Status.STARTED:
        state, level = _begun(view, server.name, base, info, backup)
    owner = _owner(view, server.name, info, backup)
    if owner and backup is None and level is None:
        level = Level.UNKNOWN
    return Line(
        key=("base", str(view.place), server.name, base.id),
        depth=3,
        name=base.id,
        place=view.place,
        server=server.name,
        count=", ".join(base.compressions) or "no data",
        size=base.size,
        newest=info.end_time if isinstance(info, Info) and info.end_time else base.newest,
        url=f"{view.place}/{server.name}/base/{base.id}/",
        state=f"{state}, {owner}" if owner else state,
        level=level,
        opens=False,
    )


def _owner(view: View, server: str, info: Info | Unreadable | None, backup: str | None) -> str:
    """Whose Backup it is, as far as one is to be expected."""
    if backup is not None:
        return f"Backup {backup}"
    if not view.users(server) or not isinstance(info, Info) or info.status is not Status.DONE:
        return ""  # only a finished one of a cluster that is there has its Backup
    return "no Backup has this id" if view.backups_known else "Backups are not known"


def _begun(
    view: View, server: str, base: Base, info: Info, backup: str | None
) -> tuple[str, Level]:
    """What becomes of a base backup that has begun: one that was killed says STARTED for ever.

    A ``barman-cloud-backup`` begun by hand has no Backup, and what it uploads is not seen before it is
    whole: the two look alike.
    """
    begun = words.ago(info.begin_time or base.newest, view.now)
    clusters = view.users(server)
    if backup is not None or not clusters or not view.backups_known:
        # A Backup that says completed has completed since the bucket was looked at.
        return f"STARTED {begun} ago", Level.UNKNOWN
    running = sorted(
        backup.key.name
        for cluster in clusters
        for backup in view.estate.backups_of(cluster)
        if backup.is_executing
    )
    if running:
        return f"STARTED {begun} ago, Backup {running[-1]} runs", Level.UNKNOWN
    return f"STARTED {begun} ago, no Backup runs: killed, unless begun by hand", Level.DEGRADED


def _state(
    base: Base, reach: Reach | None, info: Info | Unreadable | None, *, standalone: bool
) -> tuple[str, Level | None]:
    if isinstance(info, Info):
        status = info.status.value
    else:
        status = "no backup.info" if base.info is None else "backup.info not read"
        status = "backup.info unreadable" if isinstance(info, Unreadable) else status
    kept = ""
    if base.keep:
        kept = "kept without later WAL, " if standalone else "kept, "
    if reach is None:
        return f"{status}, {kept}".rstrip(", "), Level.UNKNOWN
    why = f": {reach.why}" if reach.why else ""
    return f"{status}, {kept}{reach.usable.value}{why}", _LEVELS[reach.usable]


def _gone(view: View, server: Server, id_: str, backup: str) -> Line:
    return Line(
        key=("gone", str(view.place), server.name, id_),
        depth=3,
        name=id_,
        place=view.place,
        server=server.name,
        state=f"not in the bucket; Backup {backup} says completed",
        level=Level.DEGRADED,
        opens=False,
    )


def uploads(view: View, below: str, server: str) -> Iterator[Line]:
    """Multipart uploads under way below a key, or given up: no listing of objects shows them."""
    for key, begun in sorted(view.uploads(below)):
        age = words.ago(begun, view.now)
        given_up = view.now - begun > 2 * TRUST
        yield Line(
            key=("upload", str(view.place), server, key, begun.isoformat()),
            depth=3,
            name=words.clean(key.removeprefix(below)),
            place=view.place,
            server=server,
            newest=begun,
            state=f"incomplete upload, begun {age} ago" + (": given up?" if given_up else ""),
            level=Level.DEGRADED if given_up else Level.UNKNOWN,
            url=f"{view.place}/{words.clean(key)}",
            opens=False,
        )
