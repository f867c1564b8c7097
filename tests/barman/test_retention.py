"""What a policy keeps and why, what goes, and when the next goes."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.barman.archive import BEGIN, Archive
from tui.barman import info, retention, wal
from tui.barman.catalog import Server
from tui.barman.retention import Plan, Policy, Why

DATA = Path(__file__).parents[1] / "data" / "barman"
DAY = timedelta(days=1)


def policy(text: str) -> Policy:
    found = retention.parse(text)
    assert found is not None
    return found


def nightly(days: int, archive: Archive | None = None) -> tuple[Archive, list[str]]:
    """A base backup at the end of each day, on segments 1, 2, 3 ..."""
    archive = archive or Archive()
    ids = [archive.base(1, day, end=BEGIN + day * DAY) for day in range(1, days + 1)]
    return archive, ids


def plan(archive: Archive, text: str, now: datetime) -> Plan:
    return retention.plan(policy(text), archive.listed.bases, archive.infos, now)


def whys(found: Plan) -> list[str]:
    return [entry.why.name for entry in found.entries]


@pytest.mark.parametrize(
    ("text", "days", "barman"),
    [
        ("30d", 30, "RECOVERY WINDOW OF 30 DAYS"),
        ("4w", 28, "RECOVERY WINDOW OF 4 WEEKS"),
        ("2m", 62, "RECOVERY WINDOW OF 2 MONTHS"),
        ("1d", 1, "RECOVERY WINDOW OF 1 DAYS"),
    ],
)
def test_a_policy_is_read_as_the_plugin_passes_it_on(text: str, days: int, barman: str) -> None:
    assert policy(text).window == timedelta(days=days)
    assert str(policy(text)) == barman


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0d",
        "30",
        "d",
        "30D",
        "30 d",
        "1y",
        "-1d",
        "030d",
        "REDUNDANCY 1",
        "9" * 12 + "m",
        "9" * 5000 + "d",
    ],
)
def test_what_the_crd_refuses_is_no_policy(text: str) -> None:
    assert retention.parse(text) is None


def test_backups_inside_the_window_and_the_first_before_it_stay() -> None:
    archive, ids = nightly(10)
    found = plan(archive, "3d", BEGIN + 10 * DAY + timedelta(hours=1))
    assert whys(found) == ["OBSOLETE"] * 6 + ["FIRST_BEFORE"] + ["INSIDE"] * 3
    assert [entry.base for entry in found.going] == ids[:6]


def test_a_backup_that_ended_exactly_at_the_edge_is_inside() -> None:
    archive, _ = nightly(3)
    assert whys(plan(archive, "1d", BEGIN + 3 * DAY)) == ["FIRST_BEFORE", "INSIDE", "INSIDE"]
    later = BEGIN + 3 * DAY + timedelta(seconds=1)
    assert whys(plan(archive, "1d", later)) == ["OBSOLETE", "FIRST_BEFORE", "INSIDE"]


def test_without_a_backup_inside_the_window_the_newest_stays() -> None:
    archive, _ = nightly(3)
    assert whys(plan(archive, "1d", BEGIN + 90 * DAY)) == ["OBSOLETE", "OBSOLETE", "FIRST_BEFORE"]


def test_the_next_goes_when_its_successor_leaves_the_window() -> None:
    archive, ids = nightly(10)
    found = plan(archive, "3d", BEGIN + 10 * DAY + timedelta(hours=1))
    assert found.next is not None
    assert found.next.base == ids[6]
    assert found.next.goes_at == BEGIN + 8 * DAY + 3 * DAY
    assert found.entries[-1].goes_at is None, "nothing is newer than the newest"


def test_nothing_goes_next_where_there_is_one_backup() -> None:
    archive, _ = nightly(1)
    assert plan(archive, "3d", BEGIN + 90 * DAY).next is None


def test_a_kept_backup_stays_but_counts_as_the_first_before_the_window() -> None:
    archive, ids = nightly(5)
    archive.put(f"base/{ids[1]}/annotations/keep", 4)
    archive.put(f"base/{ids[3]}/annotations/keep", 4)
    found = plan(archive, "1d", BEGIN + 5 * DAY + timedelta(hours=1))
    assert whys(found) == ["OBSOLETE", "KEEP", "OBSOLETE", "KEEP", "INSIDE"]
    assert found.entries[1].goes_at is None


@pytest.mark.parametrize("status", ["STARTED", "FAILED", "EMPTY", "WAITING_FOR_WALS"])
def test_what_is_not_done_is_never_touched_and_does_not_count(status: str) -> None:
    archive, _ = nightly(3)
    archive.base(1, 9, status=status, end=BEGIN + timedelta(hours=1))
    archive.base(1, 9, status=status, end=BEGIN + 9 * DAY)
    found = plan(archive, "1d", BEGIN + 90 * DAY)
    assert whys(found) == ["NOT_DONE", "OBSOLETE", "OBSOLETE", "FIRST_BEFORE", "NOT_DONE"]


def test_an_unreadable_backup_info_stops_everything() -> None:
    archive, ids = nightly(5)
    archive.infos[ids[2]] = info.Unreadable("invalid line")
    found = plan(archive, "1d", BEGIN + 90 * DAY)
    assert found.blocked_by == (ids[2],)
    assert found.going == ()
    assert found.entries[2].why is Why.UNREADABLE


def test_a_backup_without_backup_info_or_with_one_not_read_yet_is_left_out() -> None:
    archive, ids = nightly(4)
    del archive.rows[f"pg/base/{ids[0]}/backup.info"]
    del archive.infos[ids[1]]
    found = plan(archive, "1d", BEGIN + 90 * DAY)
    assert [entry.base for entry in found.entries] == ids[2:]


def test_sizes_are_told() -> None:
    archive, _ = nightly(1)
    assert plan(archive, "1d", BEGIN).entries[0].size == 5_001_400


def real() -> tuple[Server, dict[str, info.Info | info.Unreadable]]:
    from tests.barman.test_catalog import folded, listing

    server = folded(listing()).servers["cluster-example"]
    infos = {id_: info.parse((DATA / f"{id_}.backup.info").read_bytes()) for id_ in server.bases}
    return server, infos


def dry_run() -> list[list[str]]:
    """What barman-cloud-backup-delete would have deleted: one list of keys a request."""
    lines = (DATA / "delete-dryrun.txt").read_text().splitlines()
    return [ast.literal_eval(line[line.index("[") : line.rindex("]") + 1]) for line in lines]


def test_the_plan_is_what_barman_itself_would_delete() -> None:
    server, infos = real()
    # A window that leaves just the newest backup, as the policy of the dry run did.
    found = retention.plan(policy("1d"), server.bases, infos, datetime(2026, 11, 25, tzinfo=UTC))
    assert found.blocked_by == ()
    bases = [key.split("/")[2] for keys in dry_run() for key in keys if key.endswith("backup.info")]
    assert [entry.base for entry in found.going] == bases
    runs = retention.wal_going(server, infos, found.going, wal.DEFAULT_SEGMENT_SIZE)
    ours = {
        str(wal.at(run.first.timeline, run.first.seg + at, wal.DEFAULT_SEGMENT_SIZE))
        for run in runs
        for at in range(run.count)
    }
    stored = (
        wal.parse(key.rpartition("/")[2]) for keys in dry_run() for key in keys if "/wals/" in key
    )
    theirs = {str(each.file) for each in stored if each and isinstance(each.file, wal.Segment)}
    assert ours == theirs


def gone(
    archive: Archive, text: str, now: datetime, **more: frozenset[str]
) -> list[tuple[str, str]]:
    found = plan(archive, text, now)
    size = archive.segment_size
    runs = retention.wal_going(archive.listed, archive.infos, found.going, size, **more)
    return [(str(run.first), str(run.last)) for run in runs]


def name(timeline: int, number: int) -> str:
    return str(wal.at(timeline, number, wal.DEFAULT_SEGMENT_SIZE))


LATER = BEGIN + 90 * DAY


def test_wal_goes_up_to_the_first_segment_of_the_next_backup() -> None:
    archive = Archive().wal(1, range(1, 400))
    for number in (5, 300, 350):
        archive.base(1, number)
    assert gone(archive, "1d", LATER) == [(name(1, 1), name(1, 349))]


def test_wal_of_a_timeline_another_backup_is_on_stays() -> None:
    archive = Archive().wal(1, range(1, 20)).wal(2, range(20, 60))
    archive.base(1, 5)
    archive.base(1, 6, status="FAILED")
    archive.base(2, 30)
    assert gone(archive, "1d", LATER) == [(name(2, 20), name(2, 29))]


def test_wal_stays_while_an_older_backup_is_kept_with_it() -> None:
    archive = Archive().wal(1, range(1, 100))
    kept = archive.base(1, 5)
    archive.put(f"base/{kept}/annotations/keep", 4)
    archive.base(1, 30)
    archive.base(1, 60)
    assert gone(archive, "1d", LATER) == []
    assert gone(archive, "1d", LATER, standalone=frozenset({kept})) == [
        (name(1, 1), name(1, 4)),
        (name(1, 6), name(1, 59)),
    ]


def test_no_backup_deleted_means_no_wal_deleted() -> None:
    archive = Archive().wal(1, range(1, 100))
    archive.base(1, 50)
    assert gone(archive, "1d", LATER) == []
