"""How full an instance's WAL volume is: the collector's ``cnpg_collector_pg_wal`` of ``/metrics``.

Source: cloudnative-pg ``pkg/management/postgres/webserver/metricserver`` (pg_collector.go, wal.go).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite

from tui.cnpg.manifest import Odd

METRICS_PORT = 9187
"""Of the instance manager (cloudnative-pg ``pkg/management/url/url.go``)."""

_SAMPLE = re.compile(r'^cnpg_collector_pg_wal\{[^}]*\bvalue="(\w+)"[^}]*\} +(\S+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class WalVolume:
    """Bytes of pg_wal, and of the volume of its own it lies on."""

    used: int
    size: int | None
    """None where pg_wal shares the volume of PGDATA: how much room that has is not told."""

    @property
    def free(self) -> int | None:
        """Bytes that WAL can still take, None where that is not told."""
        return None if self.size is None else max(self.size - self.used, 0)


def read(metrics: str) -> WalVolume:
    """Take it from the text of ``/metrics``. Raises :class:`manifest.Odd`."""
    try:
        told = {name: float(value) for name, value in _SAMPLE.findall(metrics)}
    except ValueError as error:
        raise Odd(f"cnpg_collector_pg_wal: {error}") from error
    used, size = told.get("size"), told.get("volume_size")
    if used is None or not isfinite(used):
        raise Odd('there is no cnpg_collector_pg_wal{value="size"} among the metrics')
    known = size is not None and isfinite(size) and size > 0  # NaN without a volume for WAL
    return WalVolume(int(used), int(size) if known and size is not None else None)
