"""What a key in the schedule editor costs: CPU time of the app, and bytes to the terminal.

    .venv/bin/python -m tests.bench.bench_schedule_editor

The app runs in a pseudo-terminal of 80x24 against the sandbox's API server in this process, and
schedules are typed and erased again, key by key. Nothing passes or fails.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median

from tests.e2e.conftest import Served
from tests.e2e.terminal import Terminal, tui
from tests.panes.objects import NAMESPACE, a_cluster, a_schedule, stamp

TYPED = ("0 2 * * *", "0 0 2 * * *", "30 */15 1-5 * * mon-fri", "0 0 0 30 2 *", "@every 90m")
TICKS = os.sysconf("SC_CLK_TCK")


def cpu(terminal: Terminal) -> float:
    """Milliseconds of CPU the app has used so far (a tick is 10 ms: only sums tell anything)."""
    fields = Path(f"/proc/{terminal.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS * 1000


def main() -> None:
    served = Served()
    served.do(lambda server: server.store.ensure_namespace(NAMESPACE))
    nightly = a_schedule("nightly", "pg", "0 0 2 * * *")
    nightly["status"] = {"lastCheckTime": stamp(60)}
    served.seed(a_cluster("pg"), nightly)
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = served.kubeconfig(Path(folder) / "kubeconfig")
        terminal = Terminal(*tui("--kubeconfig", str(kubeconfig)), environment={"HOME": folder})
        try:
            measure(terminal)
        finally:
            terminal.close()
            served.close()


def measure(terminal: Terminal) -> None:
    terminal.until("live")
    terminal.press("3")
    terminal.until("> nightly")
    terminal.press("\r")
    terminal.until("CNPG")
    terminal.quiet(1.5)
    keys, spent, sent = 0, 0.0, []
    for text in TYPED:
        terminal.press("\x05\x15")  # ctrl-e, ctrl-u
        terminal.quiet(0.3)
        before = cpu(terminal)
        for key in text:
            at = len(terminal.sent)
            terminal.press(key)
            terminal.quiet(0.15)
            sent.append(len(terminal.sent) - at)
            keys += 1
        spent += cpu(terminal) - before
    print(f"{keys} keys: {spent / keys:.1f} ms of CPU a key, ticks of the clock included")
    print(f"bytes a key: median {median(sent):.0f}, most {max(sent)}")


if __name__ == "__main__":
    main()
