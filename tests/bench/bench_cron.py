"""Times the judgement of awkward schedules: ``python tests/bench/bench_cron.py``.

Prints, per text, the median and the slowest of several first-time judgements with the next run of
each reading, from moments spread over a year in a zone with summer time. Budget: a median of 10 ms.
"""

from __future__ import annotations

import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parents[2]))

from tui.cnpg import cron
from tui.cnpg.cron import Refusal, dialect, schedule

BUDGET_MS = 10.0
TEXTS = {
    "empty": "",
    "five fields": "0 2 * * *",
    "seven fields": "0 0 0 * * * *",
    "weekday 7": "0 0 0 * * 7",
    "@reboot": "@reboot",
    "time zone": "TZ=UTC 0 0 0 * * *",
    "L": "0 0 0 L * *",
    "unicode blanks": "0\u20030\u00a02\u2028*\u3000*\u1680*",
    "30 February": "0 0 0 30 2 *",
    "29 February": "0 0 0 29 2 *",
    "a leap Sunday": "0 0 0 29 2 */7",
    "31st, rarely a Sunday": "0 0 0 31 1,3 */7",
    "an empty list": ", 0 0 * * *",
    "empty lists": ", , , , , ,",
    "empty day": "0 0 0 , * *",
    "@every 0s": "@every 0s",
    "every second": "* * * * * *",
    "10 kB of digits": "1" * 10_000,
    "10 kB of words": "0 " * 5_000,
    "10 kB of items": "1," * 4_990 + "1 0 0 * * *",
    "10 kB of steps": "*/2," * 2_490 + "1 0 0 * * *",
    "10 kB of ranges": ",".join(f"{n % 50}-59/{n % 9 + 1}" for n in range(1_500)) + " 0 0 * * *",
    "10 kB of commas": "," * 9_990 + " 0 0 * * *",
    "10 kB of hyphens": "-" * 10_000 + " 0 0 * * *",
    "10 kB of a duration": "@every " + "1h" * 5_000,
    "10 kB, no blank": "\u200b" * 10_000,
    "Unix, a leap Sunday": "0 0 29 2 */7",
    "Unix, long lists": ",".join(map(str, range(60))) + " 1-23/2 20-25,9-24 * 3-6",
}
ZONE = ZoneInfo("America/New_York")


def once(text: str, start: datetime) -> float:
    cron.parse.cache_clear()
    dialect.fields.cache_clear()
    schedule.can_fire.cache_clear()
    began = time.perf_counter()
    judgement = cron.judge(text)
    assert judgement.description
    if not isinstance(judgement.reading, Refusal):
        cron.rate(judgement.reading)
        cron.next_runs(judgement.reading, start, 1)
    if judgement.unix:
        judgement.unix.next_runs(start, 1)
    return (time.perf_counter() - began) * 1000


def main() -> int:
    once("0 2 * * *", datetime(2026, 1, 1, tzinfo=UTC).astimezone(ZONE))  # imports croniter
    slow = 0
    for name, text in TEXTS.items():
        starts = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=40 * n) for n in range(9)]
        times = [once(text, start.astimezone(ZONE)) for start in starts]
        median = statistics.median(times)
        slow += median > BUDGET_MS
        over = "   over budget" if median > BUDGET_MS else ""
        print(f"{name:<24}{median:8.2f} ms {max(times):8.2f} ms{over}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
