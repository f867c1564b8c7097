"""The operator's cron dialect, exactly as it is, and what the author of a schedule may have meant.

CloudNativePG pins robfig/cron v1.2.0. Its rules differ from those of every other cron in use, and a
text that the operator accepts with a mere warning can fire hourly instead of nightly. So this room
holds two readings apart: the operator's (``parse``, ``next_runs``, ``describe``), which no library
but the operator's own decides, and that of Unix cron (``unix_reading``), shown where it differs.

Pure: the time comes in as an argument, in the zone the operator runs in. Every text gets an answer
within milliseconds, ten kilobytes of it and schedules that never fire included.
"""

from tui.cnpg.cron.dialect import (
    DESCRIPTORS,
    FIELD_COUNT_WARNING,
    FIELD_ORDER,
    Refusal,
    parse,
    webhook_warning,
)
from tui.cnpg.cron.explain import Rate, describe, rate
from tui.cnpg.cron.judgement import Judgement, Verdict, judge
from tui.cnpg.cron.schedule import Every, Schedule, Spec, next_runs, runs
from tui.cnpg.cron.unix import Padding, UnixReading, fixed, suspect_padding, unix_reading

__all__ = [
    "DESCRIPTORS",
    "FIELD_COUNT_WARNING",
    "FIELD_ORDER",
    "Every",
    "Judgement",
    "Padding",
    "Rate",
    "Refusal",
    "Schedule",
    "Spec",
    "UnixReading",
    "Verdict",
    "describe",
    "fixed",
    "judge",
    "next_runs",
    "parse",
    "rate",
    "runs",
    "suspect_padding",
    "unix_reading",
    "webhook_warning",
]
