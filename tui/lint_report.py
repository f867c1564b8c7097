"""``cnpg-tui lint``: ScheduledBackups in YAML files, or on a server, checked for pipelines.

The exit codes: 0 nothing but notes, 1 accepted but not what was meant (a warning), 2 refused, or no
Backup comes of it, or something could not be read (an error).
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import yaml

from tui import connect, faults, words
from tui.cnpg import cluster, manifest, schedule
from tui.cnpg.cluster import Cluster
from tui.cnpg.manifest import CLUSTERS, SCHEDULED_BACKUPS, Key, Unreadable
from tui.cnpg.schedule import ScheduledBackup
from tui.gathering import gather
from tui.live.around import findings
from tui.live.estate import Estate
from tui.live.telling import told
from tui.verdict import lint
from tui.verdict.lint import Around, Finding, Severity

EXIT_CODES: Final[Mapping[Severity, int]] = {
    Severity.NOTE: 0,
    Severity.WARNING: 1,
    Severity.ERROR: 2,
}
_DEEPEST: Final = 200
_PATIENCE: Final = 20.0
"""Seconds to wait for every list to arrive or to fail."""

UNREADABLE: Final = "unreadable"
"""The code of what could not be read."""

_Output = Literal["text", "json"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file and a line from 1 on; a server has neither."""

    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""


@dataclass(frozen=True, slots=True)
class Located:
    """A finding and where it was found."""

    finding: Finding
    place: Place = Place()


@dataclass(frozen=True, slots=True)
class Checked:
    """Everything found, and among how many schedules."""

    schedules: int
    found: tuple[Located, ...]

    @property
    def exit_code(self) -> int:
        """That of the worst finding."""
        return max((EXIT_CODES[one.finding.severity] for one in self.found), default=0)


def run_files(
    files: Sequence[str],
    *,
    output: _Output,
    zone: tzinfo,
    stdin: TextIO,
    stdout: TextIO,
    now: datetime,
) -> int:
    """Check the ScheduledBackups in these files; ``-`` is ``stdin``. Returns the exit code."""
    found: list[Located] = []
    schedules: list[tuple[ScheduledBackup, Place]] = []
    clusters: dict[Key, Cluster] = {}
    for name in files:
        for read in _read_file(name, stdin):
            if isinstance(read, Located):
                found.append(read)
            elif isinstance(read, Cluster):
                clusters[read.key] = read
            else:
                schedules.append(read)
    of_cluster: dict[Key, list[ScheduledBackup]] = defaultdict(list)
    for one, _ in schedules:
        of_cluster[one.cluster_key].append(one)
    for one, place in schedules:
        siblings = (other for other in of_cluster[one.cluster_key] if other.key != one.key)
        around = Around(clusters.get(one.cluster_key), siblings=tuple(siblings))
        found += [Located(finding, place) for finding in lint.lint(one, around, now, zone)]
    order = ["", *("stdin" if name == "-" else name for name in files)]
    found.sort(key=lambda one: (order.index(one.place.file), one.place.line))
    return _tell(Checked(len(schedules), tuple(found)), output, stdout)


def run_live(
    flags: connect.Flags, *, output: _Output, zone: tzinfo, stdout: TextIO, now: datetime
) -> int:
    """Check the ScheduledBackups a server has. Returns the exit code."""
    try:
        estate = asyncio.run(gather(flags, deadline=_PATIENCE, lists_only=True)).estate
    except faults.Fault as fault:
        return _tell(Checked(0, (_unreadable(str(fault)),)), output, stdout)
    return _tell(_checked(estate, now, zone), output, stdout)


def _checked(estate: Estate, now: datetime, zone: tzinfo) -> Checked:
    subjects = tuple(estate.tables[SCHEDULED_BACKUPS].values())
    found = [Located(finding) for finding in findings(estate, now, zone)]
    found += [
        _unreadable(subject.why, about=subject.key)
        for subject in subjects
        if isinstance(subject, Unreadable)
    ]
    if not estate.heard(SCHEDULED_BACKUPS):
        found.append(_unreadable(told(estate.feeds[SCHEDULED_BACKUPS], now).sentence))
    return Checked(len(subjects), tuple(found))


# -- files -----------------------------------------------------------------------------------------


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain values; times stay texts, as Kubernetes has them."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

_Read = tuple[ScheduledBackup, Place] | Cluster | Located


def _read_file(name: str, stdin: TextIO) -> Iterator[_Read]:
    """The schedules and clusters of a file, and what in it could not be read."""
    shown = "stdin" if name == "-" else name
    try:
        text = stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        text.encode()  # what stdin could not decode comes as halves of surrogate pairs
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        yield _unreadable(f"cannot read it: {why}", Place(shown))
        return
    try:
        for node, document in _documents(text):
            yield from _read_document(node, document, shown)
    except yaml.YAMLError as error:
        yield _no_yaml(error, text, shown)


def _no_yaml(error: yaml.YAMLError, text: str, file: str) -> Located:
    mark = getattr(error, "problem_mark", None)
    why = f"no YAML: {words.one_line(getattr(error, 'problem', None) or str(error))}"
    if mark is None:
        return _unreadable(why, Place(file))
    line = text.splitlines()[mark.line : mark.line + 1]
    hint = "put the schedule in quotes" if any("schedule:" in each for each in line) else ""
    return _unreadable(why, Place(file, mark.line + 1), hint)


def _documents(text: str) -> Iterator[tuple[yaml.Node, Any]]:
    """Every document with its node. Raises ``yaml.YAMLError``."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:  # libyaml's composer recurses on the C stack, and dies of it
            raise yaml.YAMLError("it is nested too deeply")
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            yield node, loader.construct_document(node)
    finally:
        loader.dispose()


def _read_document(node: yaml.Node, document: Any, file: str) -> Iterator[_Read]:
    """The objects in one document; a List holds several."""
    if not isinstance(document, Mapping) or not isinstance(node, yaml.MappingNode):
        return
    kind, items = document.get("kind"), document.get("items")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
        nodes = _at(node, "items")
        inner = nodes.value if isinstance(nodes, yaml.SequenceNode) else ()
        for item_node, item in zip(inner, items, strict=False):
            yield from _read_document(item_node, item, file)
        return
    group = str(document.get("apiVersion", "")).partition("/")[0]
    if group != SCHEDULED_BACKUPS.group:
        return
    try:
        if kind == SCHEDULED_BACKUPS.kind:
            line = (_at(node, "spec", "schedule") or _at(node, "spec") or node).start_mark.line
            yield schedule.read(document), Place(file, line + 1)
        elif kind == CLUSTERS.kind:
            yield cluster.read(document)
    except manifest.Odd as odd:
        place = Place(file, node.start_mark.line + 1)
        yield _unreadable(f"this {kind} cannot be read: {odd}", place)


def _at(node: yaml.Node, *path: str) -> yaml.Node | None:
    """The node below ``node`` at ``path``, None where there is none."""
    at: yaml.Node | None = node
    for step in path:
        if not isinstance(at, yaml.MappingNode):
            return None
        at = next((value for key, value in at.value if key.value == step), None)
    return at


def _unreadable(
    why: str, place: Place = Place(), remedy: str = "", *, about: Key | None = None
) -> Located:
    finding = Finding(Severity.ERROR, UNREADABLE, about or Key("", ""), words.clean(why), remedy)
    return Located(finding, place)


# -- told ------------------------------------------------------------------------------------------


def _tell(checked: Checked, output: _Output, stdout: TextIO) -> int:
    lines = _as_json(checked) if output == "json" else _as_text(checked)
    stdout.write("".join(f"{line}\n" for line in lines))
    return checked.exit_code


def _as_text(checked: Checked) -> Iterator[str]:
    """A line a finding, then the sum."""
    for one in checked.found:
        finding = one.finding
        about = f"{_name(finding.about)}: " if finding.about.name else ""
        remedy = f". Remedy: {finding.remedy}" if finding.remedy else ""
        yield f"{one.place}{finding.severity} [{finding.code}] {about}{finding.sentence}{remedy}"
    yield ", ".join(_counted(checked))


def _counted(checked: Checked) -> Iterable[str]:
    counts = Counter(one.finding.severity for one in checked.found)
    yield words.counted(checked.schedules, "ScheduledBackup")
    for severity in Severity:
        yield words.counted(counts[severity], severity.value)


def _as_json(checked: Checked) -> Iterator[str]:
    found = [
        {
            "severity": one.finding.severity,
            "code": one.finding.code,
            "namespace": one.finding.about.namespace,
            "name": one.finding.about.name,
            "file": one.place.file or None,
            "line": one.place.line or None,
            "sentence": one.finding.sentence,
            "remedy": one.finding.remedy,
        }
        for one in checked.found
    ]
    yield json.dumps({"schedules": checked.schedules, "findings": found}, indent=2)


def _name(key: Key) -> str:
    return str(key) if key.namespace else key.name
