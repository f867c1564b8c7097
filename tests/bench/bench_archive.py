"""How long a sweep of a large archive takes, behind a wire that holds every request up.

Run ``python -m tests.bench.bench_archive [--keys 100000] [--delays 0,20,80,200]``. A real SeaweedFS is
filled with metadata alone (``weed shell fs.meta.load``); each figure comes from a fresh process. What
people use otherwise runs beside it: boto3's paginator, and s5cmd and aws where they are installed.
Figures are of this machine and this moment; they are printed, never judged.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

from tests.wire import stores
from tests.wire.stores import BUCKET, Weed
from tui.barman import continuity, path
from tui.cnpg.location import Place
from tui.live.changes import Folded, SweepFact
from tui.live.sweep import Sweep
from tui.wire.bucket import Bucket, Keys

SERVER = "srv"
SEGMENTS = 256
"""In a folder, of 16 MiB."""
BASES = 14

INFO = """\
backup_name=None
begin_time=2026-11-22 14:22:27+00:00
begin_wal=00000001{log:08X}00000010
begin_xlog={log:X}/10000028
end_time=2026-11-22 14:22:30+00:00
end_wal=00000001{log:08X}00000011
end_xlog={log:X}/11000100
status=DONE
timeline=1
version=180006
xlog_segment_size=16777216
"""


def main() -> None:
    """Fill a store, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--delays", default="0,20,80,200", help="milliseconds, comma-separated")
    parser.add_argument("--others", action="store_true", help="run other tools beside us")
    parser.add_argument("--stub", action="store_true", help="a store that only lists, from memory")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        what, url = options.measure
        print(json.dumps(asyncio.run(_sweep(url)) if what == "sweep" else _boto3(url)))
        return
    delays = [int(each) for each in options.delays.split(",")]
    if options.stub:
        for delay in delays:
            code = ("-m", "tests.bench.stub_store", str(options.keys), str(delay / 1000))
            with _serving(*code) as url:
                _report(url, delay, others=options.others)
        return
    with tempfile.TemporaryDirectory() as folder:
        weed = Weed(Path(folder) / "weed")
        try:
            _fill(weed, Path(folder), options.keys)
            for delay in delays:
                with _serving("-c", _WIRE, str(weed.port), str(delay / 1000)) as url:
                    _report(url, delay, others=options.others)
        finally:
            weed.stop()


def _report(url: str, delay: int, *, others: bool) -> None:
    told = _measured("sweep", url)
    print(f"{delay} ms a request")
    print(
        f"  sweep: last archived {told['last']:.2f} s, full verdict {told['full']:.2f} s, "
        f"{told['requests']} requests, refresh {told['refresh']} requests in "
        f"{told['refresh_time']:.2f} s; {told['cpu']:.2f} s of CPU, {told['rss']} MiB, "
        f"loop held up {told['lag'] * 1000:.0f} ms (p99); {told['segments']} segments"
    )
    if others:
        told = _measured("boto3", url)
        print(f"  boto3 paginator: {told['full']:.2f} s, {told['rss']} MiB")
        for name, command in _other_tools(url).items():
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=_environment())
            print(f"  {name}: {time.perf_counter() - began:.2f} s")


def _measured(what: str, url: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.bench_archive", "--measure", what, url]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=_environment())
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _environment() -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": stores.ADMIN[0], "AWS_SECRET_ACCESS_KEY": stores.ADMIN[1]}
    return {**os.environ, **keys, "AWS_REGION": "us-east-1"}


def _other_tools(url: str) -> dict[str, list[str]]:
    place = f"s3://{BUCKET}/{SERVER}/"
    known = {
        "s5cmd ls": ["s5cmd", "--endpoint-url", url, "ls", f"{place}*"],
        "aws s3 ls --recursive": ["aws", "--endpoint-url", url, "s3", "ls", "--recursive", place],
    }
    return {name: command for name, command in known.items() if shutil.which(command[0])}


async def _sweep(url: str) -> dict[str, Any]:
    place = Place(url, BUCKET, "")
    bucket = await Bucket.open(place, Keys("bench", *stores.ADMIN))
    facts: list[Folded] = []
    last: list[float] = []
    began, cpu = time.perf_counter(), time.process_time()

    def report(fact: SweepFact) -> None:
        if isinstance(fact, Folded):
            facts[:] = [fact]
            server = fact.catalog.servers.get(SERVER)
            if not last and server is not None and server.last_archived is not None:
                last.append(time.perf_counter() - began)

    async def opening() -> Bucket:
        return bucket

    clock = partial(datetime.now, UTC)
    sweep = Sweep(place, opening, report, memory=None, clock=clock, random=Random(1))
    sweep.want({SERVER})
    lags: list[float] = []
    watching = asyncio.create_task(_watch_the_loop(lags))
    spent = await sweep._look_once(describe=False)
    _judge(facts[0])
    full, used, lag = time.perf_counter() - began, time.process_time() - cpu, _percentile(lags, 99)
    refreshing = time.perf_counter()
    refresh = await sweep._look_once()
    refresh_time = time.perf_counter() - refreshing
    watching.cancel()
    await bucket.close()
    return {
        "last": last[0],
        "full": full,
        "requests": spent.count,
        "refresh": refresh.count,
        "refresh_time": refresh_time,
        "cpu": used,
        "lag": lag,
        "rss": _rss(),
        "segments": facts[0].catalog.servers[SERVER].segments,
    }


def _judge(folded: Folded) -> None:
    film = continuity.judge(
        folded.catalog.servers[SERVER],
        folded.infos[SERVER],
        folded.histories[SERVER],
        now=datetime.now(UTC),
        patience=path.PATIENCE,
    )
    assert len(film.usable) == BASES, film.reaches


async def _watch_the_loop(lags: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.002)
        lags.append(time.perf_counter() - began - 0.002)


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[len(values) * percent // 100]


def _boto3(url: str) -> dict[str, Any]:
    client = stores.client(url)
    began = time.perf_counter()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{SERVER}/")
    found = sum(len(page.get("Contents", ())) for page in pages)
    return {"full": time.perf_counter() - began, "rss": _rss(), "keys": found}


def _rss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


_WIRE = """\
import asyncio, sys
from tests.wire.stores import Wire
async def run():
    async with Wire(int(sys.argv[1]), float(sys.argv[2])) as wire:
        print(wire.url, flush=True)
        await asyncio.Event().wait()
asyncio.run(run())
"""


@contextmanager
def _serving(*arguments: str) -> Iterator[str]:
    """A server in a process of its own, so that its work is not counted as ours."""
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def names(keys: int) -> Iterator[str]:
    """The keys of the segments."""
    for number in range(keys):
        log, seg = divmod(number, SEGMENTS)
        directory = f"00000001{log:08X}"
        yield f"{SERVER}/wals/{directory}/{directory}{seg:08X}.gz"


def contents(keys: int) -> dict[str, bytes]:
    """The base backups."""
    found = {}
    for number in range(BASES):
        log = (keys // SEGMENTS) * number // BASES
        base = f"{SERVER}/base/202611{number + 1:02}T000000"
        found[f"{base}/backup.info"] = INFO.format(log=log).encode()
        found[f"{base}/data.tar.gz"] = b"data"
    return found


def _fill(weed: Weed, folder: Path, keys: int) -> None:
    for key, content in contents(keys).items():
        weed.put(key, content)
    stream = folder / "archive.meta"
    with stream.open("wb") as file:
        _write(file, keys)
    program = stores.program()
    assert program is not None
    began = time.perf_counter()
    subprocess.run(
        [program, "shell", f"-master={weed.master}", f"-filer={weed.filer}"],
        input=f"fs.meta.load -v=false -concurrency=8 {stream}\n",
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stream.unlink()
    print(f"{keys} keys loaded in {time.perf_counter() - began:.0f} s")


def _write(file: BinaryIO, keys: int) -> None:
    """The stream ``fs.meta.save`` writes: a length and a protobuf message for each entry."""
    chance = Random(1)
    now = int(time.time())
    wals = f"/buckets/{BUCKET}/{SERVER}/wals"
    entry = b""
    for number, key in enumerate(names(keys)):
        directory, name = key.split("/")[-2:]
        at = now - (keys - number) * 30
        if number % SEGMENTS == 0:
            file.write(_entry(wals, directory, 0, at, folder=True))
        entry = _entry(f"{wals}/{directory}", name, chance.randrange(60_000, 9_000_000), at)
        file.write(entry)
    # fs.meta.load loses the last entries of a stream.
    file.write(entry * 16)


def _entry(parent: str, name: str, size: int, at: int, *, folder: bool = False) -> bytes:
    mode = 0o20000000771 if folder else 0o660  # Go's os.ModeDir
    attributes = _number(1, size) + _number(2, at) + _number(3, mode) + _number(6, at)
    entry = _bytes(1, name.encode()) + _number(2, int(folder)) + _bytes(4, attributes)
    if not folder:
        etag = _bytes(1, b"Seaweed-X-Amz-ETag") + _bytes(
            2, f"{hash(name) & (1 << 64) - 1:032x}".encode()
        )
        entry += _bytes(5, etag)
    message = _bytes(1, parent.encode()) + _bytes(2, entry)
    return struct.pack(">I", len(message)) + message


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number) if number else b""


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


if __name__ == "__main__":
    main()
