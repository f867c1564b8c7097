"""The whole app in a real terminal of 80x24 and 256 colours, over a server on loopback.

    python tests/bench/bench_app.py            all rows of the table, about three minutes
    python tests/bench/bench_app.py start quit some of them

Prints one line a figure, with the budget of the design beside it. The server runs in a thread of
this process: what it takes from the same cores is part of every figure.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.e2e.conftest import Served  # noqa: E402 - the path comes first
from tests.e2e.terminal import Terminal, tui  # noqa: E402
from tests.panes.objects import NAMESPACE, a_backup, a_cluster, completed  # noqa: E402

MANY = 17_000
TICKS = os.sysconf("SC_CLK_TCK")


def say(what: str, figure: str, budget: str) -> None:
    print(f"{what:<52}{figure:>22}   {budget}", flush=True)


def aged(number: int) -> float:
    """Seconds: so old that no age reads differently while it is measured."""
    return 50.5 * 3600 + number


@contextmanager
def serving(clusters: int, backups: int) -> Iterator[tuple[Served, Path]]:
    served = Served()
    with tempfile.TemporaryDirectory() as folder:
        try:
            served.do(lambda server: server.store.ensure_namespace(NAMESPACE))
            served.seed(*(a_cluster(f"pg-{number:04d}") for number in range(clusters)))
            served.seed(
                *(
                    a_backup(f"pg-0000-{number:06d}", "pg-0000", age=aged(number), **completed())
                    for number in range(backups)
                )
            )
            yield served, served.kubeconfig(Path(folder, "kubeconfig"))
        finally:
            served.close()


@contextmanager
def running(kubeconfig: Path) -> Iterator[Terminal]:
    home = str(kubeconfig.parent)
    terminal = Terminal(
        *tui("--kubeconfig", str(kubeconfig)),
        environment={"HOME": home, "XDG_STATE_HOME": home},
    )
    try:
        yield terminal
    finally:
        terminal.close()


def seconds_until(terminal: Terminal, shown: str, since: float) -> float:
    """Until ``shown`` stands on the screen. The screen is asked, not its text searched for words."""
    while not any(shown in line for line in terminal.screen.display):
        terminal.pump(0.005)
        assert monotonic() < since + 120, terminal.text
    return monotonic() - since


def bytes_for(terminal: Terminal, doing: Callable[[], object], quiet: float = 0.8) -> int:
    """What is sent because of ``doing``, until nothing more comes."""
    terminal.quiet(quiet)
    before = len(terminal.sent)
    doing()
    terminal.quiet(quiet)
    return len(terminal.sent) - before


def cpu(pid: int) -> float:
    """Seconds of processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> int:
    """Resident MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def start() -> None:
    frames, rows = [], []
    with serving(100, 100) as (_, kubeconfig):
        for _ in range(5):
            since = monotonic()
            with running(kubeconfig) as terminal:
                frames.append(seconds_until(terminal, "Clusters", since))
                rows.append(seconds_until(terminal, "> pg-", since))
    say("process start to first frame", f"{statistics.median(frames):.2f} s", "0.30 s")
    say("process start to first rows, 100 clusters", f"{statistics.median(rows):.2f} s", "1.0 s")


def event() -> None:
    took = []
    with serving(10, 10) as (served, kubeconfig), running(kubeconfig) as terminal:
        seconds_until(terminal, "> pg-", monotonic())
        terminal.press("2")
        seconds_until(terminal, "METHOD", monotonic())
        terminal.quiet(1.0)
        for number in range(100):
            phase = f"p{number:03d}"
            changed = a_backup("pg-0000-000003", "pg-0000", age=aged(3), phase=phase)
            since = monotonic()
            served.seed(changed)
            took.append(seconds_until(terminal, phase, since))
            sleep(0.02)
    ordered = sorted(took)
    figure = f"{ordered[49] * 1000:.0f} / {ordered[98] * 1000:.0f} ms"
    say("event on the server to cell, p50 / p99", figure, "60 / 150 ms")


def sent() -> None:
    with serving(40, 40) as (served, kubeconfig), running(kubeconfig) as terminal:
        seconds_until(terminal, "> pg-", monotonic())
        terminal.quiet(1.5)
        before = len(terminal.sent)
        end = monotonic() + 10
        while monotonic() < end:
            terminal.pump(0.1)
        say("bytes: idle for 10 s", str(len(terminal.sent) - before), "~0")
        steps = [bytes_for(terminal, lambda: terminal.press("j")) for _ in range(5)]
        say("bytes: cursor key, clusters with details", str(steps[-1]), "900")
        switches = [bytes_for(terminal, lambda key=key: terminal.press(key)) for key in "2121"]  # type: ignore[misc]
        say("bytes: pane switch", str(max(switches)), "15,000")
        terminal.press("2")
        steps = [bytes_for(terminal, lambda: terminal.press("j")) for _ in range(5)]
        say("bytes: cursor key, backups", str(steps[-1]), "900")
        changed = a_backup("pg-0000-000008", "pg-0000", age=aged(8), phase="failed")
        row = bytes_for(terminal, lambda: served.seed(changed), quiet=1.5)
        say("bytes: one changed row, flash and its end", str(row), "400")


def many() -> None:
    with serving(100, MANY) as (_, kubeconfig):
        since = monotonic()
        with running(kubeconfig) as terminal:
            seconds_until(terminal, "Clusters", since)
            terminal.press("2")
            seconds_until(terminal, "METHOD", since)
            seconds_until(terminal, "> pg-00", since)  # before, there is nothing to move among
            answered: list[float] = []
            while not any("Backups  17,000  live" in line for line in terminal.screen.display):
                pressed = monotonic()
                before = len(terminal.sent)
                terminal.press("j" if len(answered) % 2 else "k")
                while len(terminal.sent) == before and monotonic() < pressed + 2:
                    terminal.pump(0.002)
                answered.append(monotonic() - pressed)
                assert monotonic() < since + 300, terminal.text
            say(
                f"{MANY:,} Backups loaded, from process start",
                f"{monotonic() - since:.1f} s",
                "2.5 s",
            )
            ordered = sorted(answered)
            worst = ordered[max(0, round(len(ordered) * 0.99) - 1)]
            say(
                f"key to answer while loading, p99 of {len(ordered)}",
                f"{worst * 1000:.0f} ms",
                "30 ms",
            )
            terminal.quiet(1.5)
            say(f"resident, {MANY:,} Backups", f"{memory(terminal.process.pid)} MiB", "150 MiB")
            pressed = monotonic()
            terminal.press("q")
            terminal.ends_within(60)
            say(f"quit, {MANY:,} Backups", f"{monotonic() - pressed:.2f} s", "1 s")


def idle() -> None:
    with serving(200, 200) as (_, kubeconfig), running(kubeconfig) as terminal:
        seconds_until(terminal, "> pg-", monotonic())
        terminal.quiet(2.0)
        before, since = cpu(terminal.process.pid), monotonic()
        while monotonic() < since + 20:
            terminal.pump(0.2)
        share = (cpu(terminal.process.pid) - before) / (monotonic() - since)
        say("idle CPU, 200 clusters", f"{share:.1%} of a core", "1 %")


def leave() -> None:
    took = []
    with serving(100, 100) as (_, kubeconfig):
        for _ in range(3):
            with running(kubeconfig) as terminal:
                seconds_until(terminal, "> pg-", monotonic())
                terminal.quiet(0.5)
                since = monotonic()
                terminal.press("q")
                terminal.ends_within(60)
                took.append(monotonic() - since)
    say("quit", f"{statistics.median(took):.2f} s", "1 s")


FIGURES = {
    "start": start,
    "event": event,
    "sent": sent,
    "many": many,
    "idle": idle,
    "quit": leave,
}

if __name__ == "__main__":
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(f"{'':<52}{'measured':>22}   budget   ({load})")
    for name in sys.argv[1:] or FIGURES:
        FIGURES[name]()
