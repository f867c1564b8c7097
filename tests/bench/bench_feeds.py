"""What following Backups costs: loading 17,000 of them, memory, how long keys wait, event latency.

Run by hand: ``python tests/bench/bench_feeds.py [BACKUPS] [EVENTS]``. The server is the sandbox's, in
a process of its own; the client is the gateway and a feed with the real projection, no Textual.
Budgets: 17,000 in 2.5 s and 150 MiB (Textual included), keys within 30 ms, events in 60 ms at p50
and 150 ms at p99 (up to the terminal).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

BATCH = 50
"""Events written at once, to see what a burst costs."""

Samples = list[float]


def manifest(number: int) -> dict[str, Any]:
    """A completed plugin backup of 2.4 kB, half of it managedFields, as a real server keeps it."""
    day = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    name = f"pg-{number % 20}-{day:%Y%m%d%H%M%S}"
    owned: dict[str, Any] = {f"f:field{index}": {} for index in range(85)}
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Backup",
        "metadata": {
            "namespace": "prod",
            "name": name,
            "labels": {"cnpg.io/cluster": f"pg-{number % 20}", "cnpg.io/immediateBackup": "false"},
            "creationTimestamp": f"{day:%Y-%m-%dT%H:%M:%SZ}",
            "managedFields": [
                {
                    "apiVersion": "postgresql.cnpg.io/v1",
                    "manager": "manager",
                    "operation": "Update",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:status": owned},
                }
            ],
        },
        "spec": {
            "cluster": {"name": f"pg-{number % 20}"},
            "method": "plugin",
            "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"},
        },
        "status": {
            "phase": "completed",
            "backupId": f"{day:%Y%m%dT%H%M%S}",
            "backupName": f"backup-{day:%Y%m%d%H%M%S}",
            "beginLSN": "0/15000028",
            "endLSN": "0/15000158",
            "beginWal": f"00000001{number:016X}",
            "endWal": f"00000001{number:016X}",
            "instanceID": {
                "podName": f"pg-{number % 20}-1",
                "ContainerID": f"containerd://{number:064x}",
            },
            "majorVersion": 17,
            "online": True,
            "pluginMetadata": {"clusterUID": f"uid-{number % 20}", "name": name, "version": "0.14"},
            "reconciliationStartedAt": f"{day:%Y-%m-%dT%H:%M:%SZ}",
            "startedAt": f"{day:%Y-%m-%dT%H:%M:%SZ}",
            "stoppedAt": f"{day + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}",
        },
    }


async def serve(backups: int, events: int, kubeconfig: str) -> None:
    """The server's process: fill, say ready; at every line of input write events, each stamped."""
    from tui.sandbox.apiserver import EVERYTHING, ApiServer, User

    server = ApiServer()
    for number in range(backups):
        server.store.seed(manifest(number))
    await server.start()
    user = User("admin", "t", EVERYTHING)
    written = json.dumps(server.kubeconfig(user, namespace="prod"))
    Path(kubeconfig).write_text(written)  # noqa: ASYNC240 - nothing else runs yet
    print(os.getpid(), flush=True)
    loop, chance = asyncio.get_running_loop(), Random(1)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        size = int(line)
        for _ in range(events // size):
            for _ in range(size):
                changed = manifest(chance.randrange(backups))
                changed["status"]["error"] = str(time.monotonic_ns())
                server.store.seed(changed)
            await asyncio.sleep(0.02 + chance.random() * 0.1)


async def heartbeat(late: Samples) -> None:
    """How long anything else on the loop waits: a key press, for one."""
    while True:
        due = time.monotonic() + 0.002
        await asyncio.sleep(0.002)
        late.append((time.monotonic() - due) * 1000)


def memory(field: str) -> int:
    """MiB of this process: VmRSS now, VmHWM at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) // 1024


def spread(samples: Samples) -> str:
    """Median, 99th percentile and maximum."""
    ordered = sorted(samples)
    p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return f"p50 {p50:6.1f}   p99 {p99:6.1f}   max {ordered[-1]:6.1f} ms   ({len(ordered)})"


async def follow(backups: int, events: int, kubeconfig: str) -> None:
    """The client's process."""
    begun = time.perf_counter()
    from tui.cnpg import backup
    from tui.cnpg.manifest import BACKUPS
    from tui.live.changes import Listed, Seen
    from tui.live.feeds import Feed
    from tui.wire.kube import Kube
    from tui.wire.kubeconfig import Where

    print(f"imports            {time.perf_counter() - begun:.2f} s   RSS {memory('VmRSS')} MiB")
    server = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", str(backups), str(events), kubeconfig,
        stdin=PIPE, stdout=PIPE,
    )  # fmt: skip
    assert server.stdin
    assert server.stdout
    await server.stdout.readline()

    listed, first = asyncio.Event(), 0.0
    delays: Samples = []
    held: dict[Any, Any] = {}

    def report(change: Any) -> None:
        nonlocal first
        now = time.monotonic_ns()
        if isinstance(change, Listed):
            listed.set()
        elif isinstance(change, Seen):
            first = first or time.perf_counter()
            held.update((event.subject.key, event.subject) for event in change.events)
            stamps = [int(one.subject.error) for one in change.events if one.subject.error]  # type: ignore[union-attr]
            delays.extend((now - stamp) / 1e6 for stamp in stamps)

    kube = await Kube.open(Where(kubeconfig=kubeconfig))
    late: Samples = []
    beat = asyncio.create_task(heartbeat(late))
    begun = time.perf_counter()
    cpu = time.process_time()
    feed = Feed(
        BACKUPS, "prod", kube, backup.read, report, clock=lambda: datetime.now(UTC), random=Random()
    )
    task = asyncio.create_task(feed.run())
    await listed.wait()
    took = time.perf_counter() - begun
    print(f"first rows         {first - begun:.2f} s")
    print(
        f"{backups:,} loaded      {took:.2f} s   CPU {time.process_time() - cpu:.2f} s   "
        f"RSS {memory('VmRSS')} MiB, at most {memory('VmHWM')} MiB"
    )
    print(f"others wait        {spread(late)}")
    for size in (1, BATCH):
        late.clear()
        delays.clear()
        server.stdin.write(f"{size}\n".encode())
        while len(delays) < events // size * size:  # noqa: ASYNC110 - a benchmark may poll
            await asyncio.sleep(0.1)
        print(f"event told, {size:2} at once   {spread(delays)}")
        print(f"others wait        {spread(late)}")
    cpu = time.process_time()
    beat.cancel()
    await asyncio.sleep(5)
    print(f"idle               {(time.process_time() - cpu) / 5 * 100:.2f} % of a core")
    task.cancel()
    await asyncio.wait([task])
    await kube.close()
    server.stdin.close()
    server.terminate()
    await server.wait()


def main() -> None:
    """Follow, or serve if told so."""
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
        return
    numbers = [int(one) for one in sys.argv[1:]]
    backups, events = (numbers + [17_000, 500][len(numbers) :])[:2]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(follow(backups, events, f"{folder}/kubeconfig"))


if __name__ == "__main__":
    main()
