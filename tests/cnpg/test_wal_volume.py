"""The collector's figures about pg_wal, as ``/metrics`` prints them."""

from __future__ import annotations

import pytest

from tui.cnpg import wal_volume
from tui.cnpg.manifest import Odd
from tui.cnpg.wal_volume import WalVolume

GIB = 1024**3
METRICS = """\
# HELP cnpg_collector_pg_wal Total size in bytes of WAL segments in the '/var/lib/postgresql/data/pgdata/pg_wal' directory
# TYPE cnpg_collector_pg_wal gauge
cnpg_collector_pg_wal{{value="count"}} 171
cnpg_collector_pg_wal{{value="size"}} 2.868903936e+09
cnpg_collector_pg_wal{{value="volume_max"}} {segments}
cnpg_collector_pg_wal{{value="volume_size"}} {volume}
cnpg_collector_pg_wal_archive_status{{value="ready"}} 163
"""  # noqa: E501


def test_used_and_size_are_bytes() -> None:
    found = wal_volume.read(METRICS.format(segments=640, volume="1.073741824e+10"))
    assert found == WalVolume(2868903936, 10 * GIB)
    assert found.free == 10 * GIB - 2868903936


def test_without_a_volume_of_its_own_the_room_is_not_known() -> None:
    found = wal_volume.read(METRICS.format(segments="NaN", volume="NaN"))
    assert (found.size, found.free) == (None, None)


def test_more_used_than_there_is_leaves_nothing() -> None:
    assert WalVolume(11 * GIB, 10 * GIB).free == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        'cnpg_collector_pg_wal{value="size"} NaN',
        'cnpg_collector_pg_wal{value="size"} many',
        'cnpg_collector_pg_wal{value="volume_size"} 5',
    ],
)
def test_what_does_not_tell_is_odd(text: str) -> None:
    with pytest.raises(Odd):
        wal_volume.read(text)
