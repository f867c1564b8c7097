"""When pg_wal is full, from what waits and how fast that grows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.verdict.test_two_witnesses import NOW, instance
from tests.verdict.triage import made_up
from tui.cnpg import cluster
from tui.cnpg.instance import InstanceStatus, Passed
from tui.cnpg.wal_volume import WalVolume
from tui.verdict import filling, health
from tui.verdict.level import Level
from tui.verdict.witnesses import NotKnown

GIB = 1024**3
MINUTE = timedelta(minutes=1)
ROOM = WalVolume(3 * GIB, 10 * GIB)


def failing(waiting: int, *, minutes: float = 0.0, since: float = 60.0) -> InstanceStatus:
    """So many files wait, ``minutes`` from now; nothing was archived for ``since`` minutes by now."""
    asked = instance(waiting=waiting)
    archived = Passed("000000010000000000000002", NOW - since * MINUTE)
    return replace(
        asked,
        at=NOW + minutes * MINUTE,
        last_archived=archived,
        last_failed=Passed("000000010000000000000003", NOW),
    )


def filled(
    now: InstanceStatus | NotKnown,
    *before: InstanceStatus,
    volume: WalVolume | NotKnown = ROOM,
) -> filling.Filling | None:
    seen = replace(made_up.witnesses(), instance=now, queue_before=before, wal_volume=volume)
    return filling.of(seen)


def test_at_first_sight_the_mean_since_the_last_success_tells_how_fast() -> None:
    found = filled(failing(64))
    assert found is not None
    assert (found.backlog, found.free) == (GIB, 7 * GIB)
    assert found.full_in == timedelta(hours=7)
    assert found.said() == "1.0 GiB of WAL wait, 1.0 GiB more an hour, pg_wal full in about 7 h"


def test_what_was_watched_tells_better_than_the_mean() -> None:
    found = filled(failing(64, minutes=0), failing(32, minutes=-10), failing(60, minutes=-1))
    assert found is not None
    assert found.full_in == timedelta(minutes=140)


def test_a_queue_that_shrinks_fills_nothing() -> None:
    found = filled(failing(60), failing(64, minutes=-10))
    assert found is not None
    assert found.full_in is None
    assert found.said() == "960.0 MiB of WAL wait, 7.0 GiB free for WAL"


def test_nothing_waiting_is_nothing_to_say() -> None:
    assert filled(failing(0)) is None
    assert filled(NotKnown("not asked")) is None


def test_where_the_room_is_not_known_no_time_is_made_up() -> None:
    for volume in (WalVolume(3 * GIB, None), NotKnown("refused")):
        found = filled(failing(64), volume=volume)
        assert found is not None
        assert found.full_in is None


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(minutes=9), "9 min"),
        (timedelta(minutes=134), "2 h 10 min"),
        (timedelta(minutes=65), "1 h"),
        (timedelta(hours=5, minutes=40), "5 h"),
        (timedelta(days=3, hours=5), "3 days"),
    ],
)
def test_a_rough_time_is_told_roughly(span: timedelta, said: str) -> None:
    assert filling.about(span) == said


@pytest.mark.parametrize(("used", "level"), [(8 * GIB, Level.FAILING), (1 * GIB, Level.DEGRADED)])
def test_a_disk_that_is_full_soon_is_a_finding(used: int, level: Level) -> None:
    seen = replace(made_up.witnesses(), instance=failing(64), wal_volume=WalVolume(used, 10 * GIB))
    found = health.judge(seen, NOW)
    told = [finding for finding in found.findings if finding.code == "disk-fills"]
    assert [finding.level for finding in told] == [level]
    assert told[0].headline.startswith("pg_wal full in about")


def test_a_disk_with_room_for_days_is_none() -> None:
    seen = replace(made_up.witnesses(), instance=failing(64), wal_volume=WalVolume(GIB, 1000 * GIB))
    assert "disk-fills" not in [finding.code for finding in health.judge(seen, NOW).findings]


def asking_for(**volumes: str) -> cluster.Cluster:
    return made_up.a_cluster(spec={name: {"size": size} for name, size in volumes.items()})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            asking_for(walStorage="10Gi", storage="50Gi"),
            "the volume has 10.0 GiB (spec.walStorage), full in less than 9 h",
        ),
        (
            asking_for(storage="50Gi"),
            "the volume has 50.0 GiB (spec.storage, shared with PGDATA), full in less than 2 days",
        ),
    ],
)
def test_where_nobody_tells_the_room_the_cluster_says_what_it_asked_for(
    asked: cluster.Cluster, said: str
) -> None:
    unknown = WalVolume(3 * GIB, None)
    seen = replace(made_up.witnesses(cluster=asked), instance=failing(64), wal_volume=unknown)
    found = filling.of(seen)
    assert found is not None
    assert found.full_in is None, "that is no estimate"
    assert found.said().endswith(said)


def test_a_disk_that_is_full_in_hours_stands_in_the_headline() -> None:
    seen = made_up.failing(instance=failing(64), wal_volume=WalVolume(8 * GIB, 10 * GIB))
    found = health.judge(seen, NOW)
    assert found.headline == "pg_wal full in about 2 h; no WAL landed for 130m"
    rung = next(rung for rung in found.ladder if rung.code == "disk-fills")
    assert (rung.title, rung.headline) == ("WAL leaves", "pg_wal full in about 2 h")


def test_metrics_that_may_not_be_read_are_said_beside_the_backlog() -> None:
    refused = NotKnown("metrics of pg-1: forbidden")
    found = health.judge(made_up.failing(instance=failing(64), wal_volume=refused), NOW)
    said = [item.text for item in found.evidence if item.source == "disk"]
    assert said[-1] == "its room is not known: metrics of pg-1: forbidden"
    assert said[0].startswith("1.0 GiB of WAL wait")
