"""The same facts and verdicts as text, JSON and exit codes, for scripts, pipes and dumb terminals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from tui import connect, faults, words
from tui.cnpg import printed
from tui.cnpg.backup import Backup
from tui.cnpg.manifest import BACKUPS, CLUSTERS, Key, Kind, Unreadable
from tui.gathering import gather
from tui.live.estate import KINDS, Estate
from tui.live.telling import told
from tui.verdict.health import Verdict

EXIT_OK = 0
EXIT_FAILED = 1

PATIENCE = 20.0
"""Seconds to wait until everybody has told what they know."""

Write = Callable[[str], object]


def run(flags: connect.Flags, *, output: str, write: Write, complain: Write) -> int:
    """Print what is known now and leave; 1 where it could not be asked."""
    try:
        gathered = asyncio.run(gather(flags, deadline=PATIENCE))
    except faults.Fault as fault:
        complain(f"cnpg-tui: {fault}")
        return EXIT_FAILED
    estate, now = gathered.estate, gathered.now
    # Of a JSON document nothing else may stand on standard output.
    said = complain if output == "json" else write
    for sentence in _not_well(estate, now):
        said(sentence)
    lines = as_json(estate) if output == "json" else as_text(estate, now)
    write("\n".join(lines))
    return EXIT_OK if estate.heard(CLUSTERS) else EXIT_FAILED


def _not_well(estate: Estate, now: datetime) -> Iterable[str]:
    """What could not be asked, and why."""
    for kind in KINDS:
        said = told(estate.feeds[kind], now)
        if not said.well:
            yield f"{kind}: {said.word}. {said.sentence}"


def as_text(estate: Estate, now: datetime) -> Iterable[str]:
    """What the panes would show, as plain lines."""
    yield from words.aligned(
        ("NAMESPACE", "NAME", "VERDICT", "LAST BASE", "READY", "HEADLINE"),
        [
            (
                key.namespace,
                key.name,
                verdict.word,
                verdict.last_base(now),
                _ready(estate, key),
                verdict.headline,
            )
            for key, verdict in _worst_first(estate)
        ],
        empty=_nothing(estate, CLUSTERS, "No Cluster found."),
    )
    yield ""
    backups = [
        subject
        for subject in estate.tables[BACKUPS].values()
        if isinstance(subject, Backup | Unreadable)
    ]
    yield from words.aligned(
        ("NAMESPACE", *printed.COLUMNS),
        [
            (subject.key.namespace, *printed.cells(subject, now))
            for subject in sorted(backups, key=lambda subject: subject.key)
        ],
        empty=_nothing(estate, BACKUPS, "No Backup found."),
    )


def _nothing(estate: Estate, kind: Kind, none: str) -> str:
    """What stands where rows would: that there are none is said only if the server said so."""
    return none if estate.heard(kind) else f"{kind}: not known."


def as_json(estate: Estate) -> Iterable[str]:
    """The verdicts as a JSON list, one object a cluster."""
    found = [_cluster_json(key, verdict) for key, verdict in _worst_first(estate)]
    yield json.dumps(found, indent=2, ensure_ascii=False)


def _cluster_json(key: Key, verdict: Verdict) -> dict[str, Any]:
    return {
        "namespace": key.namespace,
        "cluster": key.name,
        "level": verdict.level.name.lower(),
        "headline": verdict.headline,
        "last_good_backup": words.stamp(verdict.last_good) if verdict.last_good else None,
        "evidence": [{"source": item.source, "text": item.text} for item in verdict.evidence],
        "advice": verdict.advice,
    }


def _worst_first(estate: Estate) -> Sequence[tuple[Key, Verdict]]:
    return sorted(estate.verdicts.items(), key=lambda item: (item[1].level, item[0]))


def _ready(estate: Estate, key: Key) -> str:
    cluster = estate.cluster(key)
    return f"{cluster.ready_instances}/{cluster.instances}" if cluster else "-"
