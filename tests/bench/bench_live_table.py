"""What LiveTable costs: times in this process, bytes and key latency in an 80x24 terminal.

    python tests/bench/bench_live_table.py

Budgets: 400 bytes a changed row, 900 a cursor key, keys answered within 30 ms (p99) at 50,000 rows.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import pexpect
from textual.app import App, ComposeResult

from tui.widgets.live_table import Cell, Column, LiveTable

ROOT = Path(__file__).parents[2]
TABLE_APP = ROOT / "tests" / "widgets" / "table_app.py"
QUIET = 0.3
SIZES = (1_000, 10_000, 50_000)


class Alone(App[None]):
    """A table whose keys are pairs, as namespaced names are."""

    def __init__(self) -> None:
        super().__init__()
        columns = (Column("NAME"), Column("AGE", width=6), Column("ERROR", flexible=True))
        self.table = LiveTable(columns, self.cells)

    def compose(self) -> ComposeResult:
        yield self.table

    def cells(self, key: tuple[str, str]) -> Sequence[Cell]:
        return (key[1], "12h", "")


def milliseconds(call: Callable[[], object]) -> float:
    begun = perf_counter()
    call()
    return (perf_counter() - begun) * 1e3


async def in_process(rows: int) -> None:
    """From ``set_keys`` to a settled screen, and ``set_keys`` alone once the table stands."""
    keys = [("production", f"backup-{number:06d}") for number in range(rows)]
    app = Alone()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        begun = perf_counter()
        app.table.set_keys(keys)
        await pilot.pause()
        settled = (perf_counter() - begun) * 1e3
        app.table.cursor_key = keys[-1]
        again = median(milliseconds(lambda: app.table.set_keys(list(keys))) for _ in range(20))
        above = [("production", f"new-{number}") for number in range(20)]
        shifted = median(
            milliseconds(lambda at=at: app.table.set_keys([*above[:at], *keys]))  # type: ignore[misc]
            for at in range(1, 20)
        )
        gone = milliseconds(lambda: app.table.set_keys(keys[:-1]))
        ticks = median(milliseconds(app.table.tick) for _ in range(20))
    print(
        f"{rows:>7,} rows  settled {settled:6.1f} ms   set_keys: same {again:5.2f} ms, rows above"
        f" {shifted:5.2f} ms, cursor's row gone {gone:5.2f} ms   tick {ticks:5.2f} ms"
    )


class Tty:
    """The table app in a terminal of 256 colours that synchronises its output."""

    def __init__(self, *argv: str) -> None:
        kept = {k: v for k, v in os.environ.items() if k not in {"COLORTERM", "NO_COLOR"}}
        kept |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
        self.child = pexpect.spawn(
            sys.executable, [str(TABLE_APP), *argv], env=kept, dimensions=(24, 80), echo=False
        )
        self.child.delaybeforesend = None

    def until(self, wanted: bytes) -> bytes:
        sent = b""
        while wanted not in sent:
            lot = self.child.read_nonblocking(65536, timeout=20)
            if b"\x1b[?2026$p" in lot:
                self.child.send("\x1b[?2026;2$y")
            sent += lot
        return sent

    def rest(self, within: float = QUIET) -> bytes:
        sent = b""
        while True:
            try:
                sent += self.child.read_nonblocking(65536, timeout=within)
            except pexpect.TIMEOUT:
                return sent

    def cost(self, keys: str, within: float = QUIET) -> int:
        self.child.send(keys)
        return len(self.rest(within))

    def close(self) -> None:
        self.child.close(force=True)


def first_rows(rows: int) -> None:
    taken = []
    for _ in range(3):
        begun = perf_counter()
        tty = Tty(str(rows))
        tty.until(b"backup-000020")
        taken.append(perf_counter() - begun)
        tty.close()
    print(f"{rows:>7,} rows  process start to rows on the terminal {median(taken):.2f} s")


def bytes_sent() -> None:
    tty = Tty("100")
    tty.until(b"backup-000020")
    tty.rest()
    print(f"idle 1 s                   {len(tty.rest(1.0)):>6} bytes")
    print(f"changed row                {tty.cost('x'):>6}")
    print(f"changed row with its flash {tty.cost('z', 1.0):>6}")
    print(f"all ages in view           {tty.cost('t'):>6}")
    steps = [tty.cost("j") for _ in range(42)]
    print(f"cursor key                 {median(steps):>6.0f}  (over the edge {max(steps)},", end="")
    print(f" mean of two pages {sum(steps) / len(steps):.0f})")
    print(f"page down                  {tty.cost(chr(27) + '[6~'):>6}")
    tty.close()


def key_latency(rows: int, *, churn: bool) -> None:
    tty = Tty(str(rows))
    tty.until(b"backup-000020")
    tty.rest()
    tty.child.send("c" if churn else "k")
    taken = []
    for number in range(1, 301):
        begun = perf_counter()
        tty.child.send("j")
        tty.until(b"> backup-%06d" % number)
        taken.append((perf_counter() - begun) * 1e3)
        tty.rest(0.01)
    tty.close()
    load = "while a row arrives above ten times a second" if churn else "at rest"
    p99 = quantiles(taken, n=100)[98]
    print(f"{rows:>7,} rows  key to screen {load}: p50 {median(taken):.1f} ms, p99 {p99:.1f} ms")


if __name__ == "__main__":
    for size in SIZES:
        asyncio.run(in_process(size))
    for size in SIZES:
        first_rows(size)
    bytes_sent()
    for busy in (False, True):
        key_latency(50_000, churn=busy)
