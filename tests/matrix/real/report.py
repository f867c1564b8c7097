"""What was said of every row beside what must be said, and the sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.matrix.failures import Judged
from tests.matrix.real.play import Played
from tests.matrix.real.rows import FAILURES, HEALTHY, KUBERNETES, STORE, Row

ALARMS = ("failing", "unprotected", "degraded")


def expected(row: Row, *, heard: bool) -> tuple[str, str]:
    """Code and level that must be said of it."""
    return (row.code, row.level) if heard or row.unheard is None else row.unheard


def said(found: Judged) -> tuple[str, str]:
    """What is read first, nothing for a protected cluster."""
    return found.first, found.level


def as_staged(played: Played) -> bool:
    """Whether everything was told as it was staged."""
    return all(
        said(found[row.name]) == expected(row, heard=heard)
        for row in (*FAILURES, *HEALTHY)
        for found, heard in _judgements(played)
    )


def lines(played: Played) -> Iterator[str]:
    """A line a row, and the sums of both judgements."""
    yield f"{'':25} {'all witnesses':36} | no log, no instance"
    for row in (*FAILURES, *HEALTHY):
        cells = (_cell(row, found[row.name], heard=heard) for found, heard in _judgements(played))
        yield f"{row.number or '-':4} {row.name:20} {' | '.join(cells)}".rstrip()
    for found, heard in _judgements(played):
        yield _sums(found, heard=heard)


def _judgements(played: Played) -> tuple[tuple[Mapping[str, Judged], bool], ...]:
    return (played.heard, True), (played.unheard, False)


def _cell(row: Row, found: Judged, *, heard: bool) -> str:
    code, level = said(found)
    told = f"{level:11} {code:24}"
    if (code, level) == expected(row, heard=heard):
        return told
    rest = ", ".join(found.codes[1:])
    return f"{told} NOT as staged{', besides ' + rest if rest else ''}"


def _sums(found: Mapping[str, Judged], *, heard: bool) -> str:
    named = [row for row in FAILURES if found[row.name].first == row.code]
    ours = sum(row in STORE for row in named), sum(row in KUBERNETES for row in named)
    alarms = [row for row in (*FAILURES, *HEALTHY) if found[row.name].level in ALARMS]
    right = [row for row in alarms if row in FAILURES]
    green = [row for row in FAILURES if found[row.name].level == "protected"]
    return (
        f"{'all witnesses' if heard else 'no log, no instance'}: recall {len(named)}/{len(FAILURES)} "
        f"(store {ours[0]}/{len(STORE)}, Kubernetes {ours[1]}/{len(KUBERNETES)}), "
        f"precision {len(right)}/{len(alarms)}, false greens {len(green)}, "
        f"false alarms {len(alarms) - len(right)}"
    )
