"""Gathers the evidence of one cluster and writes it to a file that is the user's alone."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Iterator
from datetime import datetime
from importlib import metadata
from pathlib import Path

from tui import __version__, connect, faults, words
from tui.cnpg.location import NoLocation
from tui.cnpg.manifest import Key
from tui.live import papers
from tui.live.chronicle import Chronicle, word
from tui.live.estate import Estate
from tui.verdict import bundle
from tui.verdict.bundle import Subject

_LIBRARIES = ("textual", "kubernetes", "boto3", "croniter")


async def gathered(
    estate: Estate,
    key: Key,
    wire: connect.Connection,
    now: datetime,
    chronicle: Chronicle | None = None,
) -> str:
    """The bundle's text. Raises ``faults.NotFound`` where there is no such Cluster."""
    cluster, verdict = estate.cluster(key), estate.verdicts.get(key)
    if cluster is None or verdict is None:
        raise faults.NotFound(f"cluster {key} is not known here", code=404)
    seen = estate.witnesses(cluster)
    subject = Subject(
        key=key,
        seen=seen,
        verdict=verdict,
        where=estate.locations.get(key, NoLocation("")),
        at=now,
        context=wire.context,
        programs=_programs(),
        turns=None if chronicle is None else tuple(_turns(chronicle, key)),
    )
    fetched = await wire.papers(papers.wanted(seen))
    # A big manifest takes a tenth of a second: not on the loop that answers the keyboard.
    return await asyncio.to_thread(bundle.text, subject, fetched)


async def written(
    estate: Estate,
    key: Key,
    wire: connect.Connection,
    now: datetime,
    folder: str,
    chronicle: Chronicle | None = None,
) -> Path:
    """The bundle as a new file in ``folder``. Raises OSError, and what ``gathered`` raises."""
    text = await gathered(estate, key, wire, now, chronicle)
    return await asyncio.to_thread(_write, folder, bundle.file_name(key, now), text)


def _turns(chronicle: Chronicle, key: Key) -> Iterator[str]:
    for turn in chronicle.turns:
        if turn.cluster == key:
            change = f"{word(turn.before)} -> {word(turn.after)}"
            yield f"{words.stamp(turn.at)}  {change}: {turn.headline}"


def here() -> str:
    """The folder to offer: where the program was started, or home where that is gone."""
    try:
        return str(Path.cwd())
    except OSError:
        return str(Path.home())


def reason(error: Exception) -> str:
    """Why no file was written, in a sentence's end."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}. Choose another folder"
    return str(error)


def _write(folder: str, name: str, text: str) -> Path:
    """A whole file or none; one that is there already is not touched."""
    path = Path(folder).expanduser().absolute() / name
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return path


def _programs() -> str:
    libraries = ", ".join(f"{name} {metadata.version(name)}" for name in _LIBRARIES)
    return (
        f"cnpg-tui {__version__}, Python {platform.python_version()}, {libraries}, "
        f"{platform.platform(terse=True)}"
    )
