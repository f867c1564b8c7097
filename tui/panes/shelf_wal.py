"""``wals/`` of a server as lines: timelines, their runs and holes, the folders of a run, their files."""

from __future__ import annotations

from collections.abc import Iterator

from tui import words
from tui.barman import timelines
from tui.barman.catalog import Server
from tui.barman.directory import Directory, runs
from tui.barman.path import Piece, Word
from tui.barman.timelines import Run, Timeline
from tui.barman.wal import Segment
from tui.panes import shelf_bases
from tui.panes.outline import Line, LineKey, View
from tui.verdict.level import Level
from tui.verdict.witnesses import Film


def lines(view: View, server: Server, film: Film) -> Iterator[Line]:
    """``wals/`` and, where it is open, its timelines, newest first."""
    key = ("wals", str(view.place), server.name)
    found = timelines.of(server, film.continuity.segment_size)
    last = server.last_archived
    yield Line(
        key=key,
        depth=2,
        name="wals/",
        place=view.place,
        server=server.name,
        count=f"{words.number(server.segments)} seg",
        size=server.wal_size,
        newest=last.at if last else None,
        state=_state(view, server, found),
        level=Level.DEGRADED if any(each.holes for each in found) else None,
        url=f"{view.place}/{server.name}/wals/",
    )
    if key not in view.opened:
        return
    for timeline in reversed(found):
        below = timeline_key(view, server.name, timeline)
        yield _timeline(view, server, timeline, below)
        if below in view.opened:
            yield from _stretches(view, server, timeline, film)
    yield from shelf_bases.uploads(view, f"{server.name}/wals/", server.name)


def timeline_key(view: View, server: str, timeline: Timeline) -> LineKey:
    """What the line of a timeline goes by."""
    return ("timeline", str(view.place), server, str(timeline.timeline))


def _state(view: View, server: Server, found: tuple[Timeline, ...]) -> str:
    holes = sum(len(each.holes) for each in found)
    said = words.counted(holes, "hole") if holes else "no hole"
    if server.unlisted is None:
        return "not listed yet"
    if server.unlisted:
        said += f", {words.counted(len(server.unlisted), 'folder')} not listed yet"
    seal = view.fold.seals.get(server.name)
    if seal is not None:
        said += f"; full folders listed {words.ago(seal.since, view.now)} ago"
    return said


def _timeline(view: View, server: Server, timeline: Timeline, key: LineKey) -> Line:
    holes = len(timeline.holes)
    return Line(
        key=key,
        depth=3,
        name=f"timeline {timeline.timeline}",
        place=view.place,
        server=server.name,
        count=f"{words.number(timeline.segments)} seg",
        size=timeline.size,
        newest=server.modified(timeline.last),
        state=words.counted(holes, "hole") if holes else "no hole",
        about=f"{timeline.first} .. {timeline.last}",
        level=Level.DEGRADED if holes else None,
        url=f"{view.place}/{server.name}/wals/",
    )


def _stretches(view: View, server: Server, timeline: Timeline, film: Film) -> Iterator[Line]:
    """Runs and holes by turns, newest first; an open run shows its folders."""
    found = [*((run, False) for run in timeline.runs), *((run, True) for run in timeline.holes)]
    for run, missing in sorted(found, key=lambda pair: pair[0].first, reverse=True):
        kind = "hole" if missing else "run"
        key = (kind, str(view.place), server.name, str(run.first))
        state, level = _hole_state(run, film) if missing else ("", None)
        yield Line(
            key=key,
            depth=4,
            name=span(run.first, run.last),
            place=view.place,
            server=server.name,
            count=f"{words.number(run.count)} seg",
            newest=None if missing else server.modified(run.last),
            state=state,
            level=level,
            opens=not missing,
            about=f"{run.first} .. {run.last}",
            missing=_missing(run, film) if missing else None,
            url=f"{view.place}/{server.name}/wals/{run.first.directory}/{run.first}",
        )
        if key in view.opened and not missing:
            yield from _folders(view, server, run)


def span(first: Segment, last: Segment) -> str:
    """Two segments of one timeline, fit for 80 columns: without the timeline, which stands above, and
    of the second only what differs, in whole bytes: ``000000140000004F..50``."""
    one, other = str(first)[8:], str(last)[8:]
    shared = next((at for at in range(0, 16, 2) if one[at] + one[at + 1] != other[at : at + 2]), 16)
    return f"{one}..{other[shared:]}" if other[shared:] else one


def _missing(run: Run, film: Film) -> Piece | None:
    for piece in film.continuity.pieces:
        if piece.word is not Word.FOUND and piece.first <= run.last and run.first <= piece.last:
            return piece
    return None


def _hole_state(run: Run, film: Film) -> tuple[str, Level]:
    """Whether anybody needs what is missing there."""
    piece = _missing(run, film)
    if piece is None:
        return "missing, no base backup needs it", Level.UNKNOWN
    if piece.acknowledged:
        return "lost, acknowledged", Level.UNKNOWN
    return piece.word.value, Level.FAILING if piece.alarms else Level.DEGRADED


def _folders(view: View, server: Server, run: Run) -> Iterator[Line]:
    logs = range(run.last.log, run.first.log - 1, -1)
    held = (server.directories.get((run.first.timeline, log)) for log in logs)
    for folder in held:
        if folder is None:
            continue
        key = ("folder", str(view.place), server.name, folder.name)
        yield Line(
            key=key,
            depth=5,
            name=f"{folder.name}/",
            place=view.place,
            server=server.name,
            count=f"{words.number(folder.segments)} seg",
            size=folder.size,
            newest=folder.modified(folder.last.seg) if folder.last else None,
            state=", ".join(folder.compressions),
            url=f"{view.place}/{server.name}/wals/{folder.name}/",
        )
        if key in view.opened:
            yield from _files(view, server, folder)


def _files(view: View, server: Server, folder: Directory) -> Iterator[Line]:
    """The folder's segments, and by name among them its partial segments and backup labels."""
    found = [
        (f"{Segment(folder.timeline, folder.log, seg)}{column.suffix}", column.size(seg), at)
        for column in folder.columns
        for first, last in runs(column.bits)
        for seg in range(first, last + 1)
        if (at := folder.modified(seg)) is not None
    ]
    found += [(other.name, other.size, other.modified) for other in folder.others]
    for name, size, at in sorted(found):
        yield Line(
            key=("file", str(view.place), server.name, name),
            depth=6,
            name=name,
            place=view.place,
            server=server.name,
            size=size,
            newest=at,
            opens=False,
            url=f"{view.place}/{server.name}/wals/{folder.name}/{name}",
        )
