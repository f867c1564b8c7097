"""What was measured, as a table: printed at the end of a run, and kept in tests/README.md."""

from __future__ import annotations

from collections.abc import Sequence

from tests.apiserver.faults.trial import Measured

TITLES = ("fault", "not live after", "said meanwhile", "live again after", "told of happened")

Row = Sequence[str]


def row(fault: str, measured: Measured) -> Row:
    """One line; times are in seconds, the last from the end of the fault."""
    noticed = measured.noticed
    seconds = "-" if noticed is None else f"{noticed - measured.began:.1f}"
    words = ", ".join(word for word in measured.words if word != "nothing")
    back = f"{measured.recovered - measured.ended:.1f}"
    return (fault, seconds, words, back, f"{len(measured.told)} of {len(measured.happened)}")


def lines(rows: Sequence[Row]) -> list[str]:
    """A table in Markdown that reads well as it is."""
    widths = [max(len(each[at]) for each in (TITLES, *rows)) for at in range(len(TITLES))]
    rule = tuple("-" * width for width in widths)
    return [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(each, widths, strict=True))} |"
        for each in (TITLES, rule, *rows)
    ]
