"""``cnpg-tui check``: the verdicts as text, JSON, Nagios or Prometheus, and as an exit code.

Exit codes, as monitoring plugins have them: 0 protected, 1 degraded, 2 failing or unprotected,
3 unknown. Of several clusters the gravest counts; unknown outranks degraded, for it may be anything.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from tui import connect, faults, words
from tui.cnpg.manifest import CLUSTERS, Key, Unreadable
from tui.gathering import Gathered, gather
from tui.live.estate import Estate
from tui.live.telling import told
from tui.verdict.health import Finding, Level, Verdict
from tui.verdict.window import Window

EXITS: Final[Mapping[Level, int]] = {
    Level.PROTECTED: 0,
    Level.DEGRADED: 1,
    Level.FAILING: 2,
    Level.UNPROTECTED: 2,
    Level.UNKNOWN: 3,
}
UNKNOWN: Final = EXITS[Level.UNKNOWN]
_GRAVITY: Final = (0, 1, 3, 2)
"""Exit codes from best to worst."""

_NAGIOS: Final = ("OK", "WARNING", "CRITICAL", "UNKNOWN")

DEADLINE: Final = 60.0
"""Seconds to wait until everybody has told what they know."""

Write = Callable[[str], object]
Judged = Sequence[tuple[Key, Verdict]]


def run(
    flags: connect.Flags,
    clusters: Sequence[str],
    *,
    output: str,
    write: Write,
    complain: Write,
    deadline: float = DEADLINE,
) -> int:
    """Look once, print, and say with the exit code how it is."""
    judged: Judged = ()
    now, trouble = datetime.now(UTC), tuple[str, ...]()
    try:
        gathered = asyncio.run(gather(flags, names=frozenset(clusters), deadline=deadline))
    except faults.Fault as fault:
        trouble = (str(fault),)
    else:
        judged, now = worst_first(gathered.estate), gathered.now
        trouble = tuple(_trouble(gathered, clusters, judged))
    for sentence in trouble:
        complain(f"cnpg-tui: {sentence}")
    if judged or output != "text":
        write("\n".join(_lines(output, judged, now, trouble)))
    return _exit_code(judged, trouble)


def _lines(output: str, judged: Judged, now: datetime, trouble: Sequence[str]) -> Iterable[str]:
    match output:
        case "json":
            return as_json(judged, now)
        case "nagios":
            return as_nagios(judged, now, trouble)
        case "prometheus":
            return as_prometheus(judged, now, trouble)
        case _:
            return as_text(judged, now)


def _exit_code(judged: Judged, trouble: Sequence[str]) -> int:
    codes = [EXITS[verdict.level] for _, verdict in judged]
    return worst([*codes, UNKNOWN] if trouble else codes)


def worst(codes: Iterable[int]) -> int:
    """The gravest of these exit codes; unknown if there are none."""
    return max(codes, key=_GRAVITY.index, default=UNKNOWN)


def worst_first(estate: Estate) -> Judged:
    """Every verdict, the gravest on top."""
    return sorted(estate.verdicts.items(), key=lambda item: (item[1].level, item[0]))


def _trouble(gathered: Gathered, clusters: Sequence[str], judged: Judged) -> Iterator[str]:
    """What keeps the answer from being whole."""
    estate = gathered.estate
    if not estate.heard(CLUSTERS):
        yield told(estate.feeds[CLUSTERS], gathered.now).sentence or "the clusters are not known"
        return
    there = {key.name for key, _ in judged}
    for key, subject in sorted(estate.tables[CLUSTERS].items()):
        if isinstance(subject, Unreadable) and (not clusters or key.name in clusters):
            there.add(key.name)
            yield f"Cluster {key} cannot be read: {subject.why}"
    for name in clusters:
        if name not in there:
            yield f"there is no Cluster {name} here: -n NAMESPACE or -A looks elsewhere"
    if not clusters and not estate.tables[CLUSTERS]:
        yield "there is no Cluster here: -n NAMESPACE or -A looks elsewhere"


# -- as a document -------------------------------------------------------------------------------


def as_json(judged: Judged, now: datetime) -> Iterator[str]:
    """A JSON list, one object a cluster, the gravest first."""
    found = [document(key, verdict, now) for key, verdict in judged]
    yield json.dumps(found, indent=2, ensure_ascii=False)


def document(key: Key, verdict: Verdict, now: datetime) -> dict[str, Any]:
    """One verdict. Times are RFC 3339 in UTC; ``window`` is null where nothing can be restored."""
    return {
        "namespace": key.namespace,
        "cluster": key.name,
        "level": verdict.level.name.lower(),
        "headline": verdict.headline,
        "window": None if verdict.window is None else _window(verdict.window),
        "data_loss_seconds": _lost(verdict, now),
        "findings": [_finding(finding) for finding in verdict.findings],
    }


def _window(window: Window) -> dict[str, Any]:
    return {
        "from": words.stamp(window.since),
        "to": words.stamp(window.until),
        "holes": [
            {"from": words.stamp(hole.since), "to": words.stamp(hole.until)}
            for hole in window.holes
        ],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.level.name.lower(),
        "evidence": finding.evidence or finding.headline,
        "advice": finding.advice,
    }


def _lost(verdict: Verdict, now: datetime) -> int | None:
    """What would be lost if the primary vanished now, in seconds."""
    return None if verdict.window is None else int(verdict.window.behind(now).total_seconds())


# -- for people and for monitoring ---------------------------------------------------------------


def as_text(judged: Judged, now: datetime) -> Iterator[str]:
    """A headline a cluster; its findings with evidence and advice below."""
    yield f"judged at {words.stamp(now)}"
    for key, verdict in judged:
        yield f"{verdict.level.name.lower():<12}{key}   {verdict.headline}"
        for finding in verdict.findings:
            yield f"    {finding.code}: {finding.evidence or finding.headline}"
            if finding.advice:
                yield f"        now  {finding.advice}"


def as_nagios(judged: Judged, now: datetime, trouble: Sequence[str]) -> Iterator[str]:
    """A line with the state and performance data, then one a cluster that is not protected."""
    not_known = words.one_line("; ".join(trouble)).replace("|", "/")
    if not judged:
        yield f"CNPG {_NAGIOS[UNKNOWN]} - {not_known}"
        return
    code = _exit_code(judged, trouble)
    tally = Counter(verdict.level for _, verdict in judged)
    counts = ", ".join(f"{tally[level]} {level.name.lower()}" for level in Level if tally[level])
    first_key, first = judged[0]
    worst_one = "" if first.level is Level.PROTECTED else f"; {first_key}: {first.headline}"
    figures = [f"{level.name.lower()}={tally[level]}" for level in Level]
    figures += [
        f"'{key}'={lost}s" for key, verdict in judged if (lost := _lost(verdict, now)) is not None
    ]
    said = f"CNPG {_NAGIOS[code]} - {counts}{worst_one}".replace("|", "/")
    yield f"{said}{f'; {not_known}' if trouble else ''} | {' '.join(figures)}"
    for key, verdict in judged:
        if verdict.level is not Level.PROTECTED:
            advice = f" ({verdict.advice})" if verdict.advice else ""
            yield words.one_line(f"{key}: {verdict.headline}{advice}").replace("|", "/")


def as_prometheus(judged: Judged, now: datetime, trouble: Sequence[str]) -> Iterator[str]:
    """The text exposition format, for node_exporter's textfile collector.

    A cluster that nobody could ask about has no level; that something is missing is a sample, too.
    """
    samples: list[tuple[str, str, list[tuple[str, float]]]] = [
        ("cnpg_tui_level", "1 for the level a cluster is judged to be at.", _levels(judged)),
        (
            "cnpg_tui_data_loss_seconds",
            "What would be lost if the primary vanished now.",
            [
                (_labels(key), lost)
                for key, verdict in judged
                if (lost := _lost(verdict, now)) is not None
            ],
        ),
        (
            "cnpg_tui_window_start_timestamp_seconds",
            "The first moment that can be restored.",
            [
                (_labels(key), verdict.window.since.timestamp())
                for key, verdict in judged
                if verdict.window
            ],
        ),
        (
            "cnpg_tui_window_end_timestamp_seconds",
            "The last moment that can be restored.",
            [
                (_labels(key), verdict.window.until.timestamp())
                for key, verdict in judged
                if verdict.window
            ],
        ),
        ("cnpg_tui_finding", "1 for each finding.", _finding_samples(judged)),
        (
            "cnpg_tui_check_complete",
            "0 where something that was asked for is not known.",
            [("", float(not trouble))],
        ),
        ("cnpg_tui_check_timestamp_seconds", "When this was judged.", [("", now.timestamp())]),
    ]
    for name, meaning, found in samples:
        yield f"# HELP {name} {meaning}"
        yield f"# TYPE {name} gauge"
        yield from (f"{name}{labels} {value:.0f}" for labels, value in found)


def _levels(judged: Judged) -> list[tuple[str, float]]:
    return [
        (_labels(key, level=level.name.lower()), float(level is verdict.level))
        for key, verdict in judged
        for level in Level
    ]


def _finding_samples(judged: Judged) -> list[tuple[str, float]]:
    return [
        (_labels(key, code=finding.code, severity=finding.level.name.lower()), 1.0)
        for key, verdict in judged
        for finding in verdict.findings
    ]


def _labels(key: Key, **more: str) -> str:
    pairs = {"namespace": key.namespace, "cluster": key.name, **more}
    quoted = (f'{name}="{_escaped(value)}"' for name, value in pairs.items())
    return "{" + ",".join(quoted) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
