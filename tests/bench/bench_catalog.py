"""What a bucket of 100,000 and of 1,000,000 keys takes from listing pages to a verdict: time, memory.

Run by hand: ``python tests/bench/bench_catalog.py [KEYS ...]``. Each size runs in a process of its
own, because peak memory never falls. The pages are made beforehand and handed over one by one, as a
client would; making them is not counted, their own memory is (one page at a time).
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from tui.barman import catalog, continuity, info, timelines
from tui.barman.catalog import Catalog
from tui.barman.directory import from_row
from tui.barman.listing import Page
from tui.barman.path import PATIENCE
from tui.barman.wal import DEFAULT_SEGMENT_SIZE, at
from tui.verdict import growth, window

T = TypeVar("T")

PAGE = 1000
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
INFO = b"""backup_name=nightly
begin_time=2026-10-01 00:00:00+00:00
begin_wal=000000010000000000000001
begin_xlog=0/1000028
end_time=2026-10-01 00:10:00+00:00
end_wal=000000010000000000000002
end_xlog=0/2000100
status=DONE
timeline=1
xlog_segment_size=16777216
"""


def pages(keys: int) -> Iterator[Page]:
    """A server's listing: a base backup and ``keys`` segments over 31 days, one in 50,000 missing."""
    yield [
        (f"prod/pg/base/20261001T000000/{name}", 1400, BEGIN + timedelta(minutes=10), '"e"')
        for name in ("backup.info", "data.tar.gz")
    ]
    page = []
    step = timedelta(days=31) / keys
    for number in range(1, keys + 1):
        if number % 50_000 == 25_000:
            continue
        segment = at(1, number, DEFAULT_SEGMENT_SIZE)
        key = f"prod/pg/wals/{segment.directory}/{segment}.gz"
        page.append((key, 3_000_000 + number % 977, BEGIN + number * step, f'"{number:032x}"'))
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def timed(what: str, do: Callable[[], T]) -> T:
    """Do it and print how long it took."""
    begin = time.process_time()
    result = do()
    print(f"  {what:<44} {(time.process_time() - begin) * 1000:9.1f} ms")
    return result


def run(keys: int) -> None:
    """Fold, judge and print for one size."""
    print(f"{keys:,} keys")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spent = 0.0
    known = catalog.empty("prod")
    for page in pages(keys):
        begin = time.process_time()
        known = catalog.fold(known, page)
        spent += time.process_time() - begin
    print(
        f"  {'fold, page by page':<44} {spent * 1000:9.1f} ms   {spent / keys * 1e6:.2f} us a key"
    )
    known = timed("relisted", partial(catalog.relisted, catalog.empty("prod"), "prod/", known))
    report(known)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"  {'peak RSS, and before the first page':<44} {after / 1024:9.1f} MiB"
        f" {before / 1024:9.1f} MiB"
    )


def report(known: Catalog) -> None:
    """Everything that is judged after a page: what one more page costs the screen."""
    server = known.servers["pg"]
    infos = {"20261001T000000": info.parse(INFO)}
    now = BEGIN + timedelta(days=31)
    size = DEFAULT_SEGMENT_SIZE
    lines = timed("timelines, runs and holes", lambda: timelines.of(server, size))
    timed("last archived", lambda: server.last_archived)
    timed("totals", lambda: (server.segments, server.wal_size))
    judged = timed(
        "continuity",
        lambda: continuity.judge(server, infos, {}, now=now, patience=PATIENCE),
    )
    found = timed("recovery window", lambda: window.of(judged))
    timed("growth", lambda: growth.of(server, now=now, segment_size=size))
    timed("merge with itself", lambda: catalog.merge(known, known))
    rows = timed("to rows", lambda: [each.to_row() for each in server.directories.values()])
    again = timed("from rows", lambda: [from_row(row) for row in rows])
    print(
        f"  {len(again):,} directories, {sum(len(row[3]) for row in rows) / 2**20:.1f} MiB of rows,",
        end="",
    )
    print(f" {len(lines[0].runs)} runs, {len(judged.alarms)} holes, window {found}"[:160])


if __name__ == "__main__":
    if len(sys.argv) == 2:
        run(int(sys.argv[1]))
    else:
        for size in sys.argv[1:] or ("100000", "1000000"):
            subprocess.run([sys.executable, __file__, size], check=True)
