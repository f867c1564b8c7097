"""How kubectl prints: widths that only grow, cells that end at a line break."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tui.cnpg import backup, printed
from tui.cnpg.backup import Backup
from tui.cnpg.manifest import Key, Unreadable

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


def a_backup(name: str, phase: str = "", error: str = "", seconds: int = 5) -> Backup:
    created = (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return backup.read(
        {
            "metadata": {"name": name, "namespace": "prod", "creationTimestamp": created},
            "spec": {"cluster": {"name": "pg"}, "method": "plugin"},
            "status": {"phase": phase, "error": error},
        }
    )


def test_the_first_flush_has_the_header_and_aligns_with_it() -> None:
    printer = printed.WatchPrinter(with_namespace=True)
    assert printer.lines([("ADDED", a_backup("b1", "started"))], NOW) == [
        "EVENT      NAMESPACE   NAME   AGE   CLUSTER   METHOD   PHASE     ERROR",
        "ADDED      prod        b1     5s    pg        plugin   started   ",
    ]


def test_a_wider_cell_widens_the_column_for_good() -> None:
    printer = printed.WatchPrinter(with_namespace=False)
    printer.lines([("ADDED", a_backup("b1"))], NOW)
    (wide,) = printer.lines([("MODIFIED", a_backup("a-longer-name"))], NOW)
    (narrow,) = printer.lines([("DELETED", a_backup("b1"))], NOW)
    assert wide.startswith("MODIFIED   a-longer-name   5s ")
    assert narrow.startswith("DELETED    b1              5s ")


def test_an_error_of_several_lines_ends_at_the_first() -> None:
    assert printed.cells(a_backup("b", "failed", "first\nsecond"), NOW)[-1] == "first..."


def test_an_unreadable_backup_still_has_a_row() -> None:
    odd = Unreadable(Key("prod", "odd"), "1", None, "spec is a text, not an object")
    assert printed.cells(odd, NOW) == (
        "odd", "<unknown>", "", "", "unreadable", "spec is a text, not an object",
    )  # fmt: skip
