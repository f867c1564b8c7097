"""``cnpg-tui archive`` and Barman's own programs must say the same of the same bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.e2e import stack as real
from tests.e2e.stack import SERVER, Stack
from tests.panes.objects import a_backup, completed
from tests.wire.stores import ADMIN
from tui.barman import wal
from tui.barman.wal import Segment
from tui.cnpg import backup, location, store
from tui.cnpg.location import Location, Place
from tui.live import base_look
from tui.verdict.verification import Verification
from tui.wire.bucket import Bucket, Keys

pytestmark = pytest.mark.skipif(bool(real.missing()), reason=f"the real stack: {real.missing()}")

HOLED = "pg-holed"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Three timelines, gzip and none mixed, a tablespace, a kept and a killed backup."""
    made = Stack(tmp_path_factory.mktemp("stack"))
    try:
        made.start()
        made.sql(f"CREATE TABLESPACE cold LOCATION '{made.folder / 'ts'}'")
        made.sql("CREATE TABLE t TABLESPACE cold AS SELECT generate_series(1, 1000) AS n")
        made.backup("backup-1", "--gzip", "--jobs", "2")
        made.archive(1)
        made.promote()
        made.archive(1, compressed=False)
        made.backup("backup-2")
        made.kill_a_backup()
        made.archive(3)
        made.promote()
        made.archive(3)
        oldest = made.listed(SERVER)[0]["backup_id"]
        made.run("backup-keep", "--target", "standalone", real.DESTINATION, SERVER, oldest)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def ours(stack: Stack) -> dict[str, Any]:
    done = stack.ours(SERVER, "-o", "json")
    told: dict[str, Any] = json.loads(done.stdout)
    return told | {"exit": done.returncode, "complaint": done.stderr}


@pytest.fixture(scope="session")
def holed(stack: Stack, ours: dict[str, Any]) -> dict[str, Any]:
    """The same archive after the newest backup's second segment and one of timeline 3 were deleted."""
    newest = [base for base in ours["base_backups"] if base["status"] == "DONE"][-1]
    second = wal.segment(newest["end_wal"]).successor(wal.DEFAULT_SEGMENT_SIZE)
    third = wal.segment(ours["timelines"][2]["first"]).successor(wal.DEFAULT_SEGMENT_SIZE)
    stack.copy(HOLED, without=[f"/{second}", f"/{third}"])
    done = stack.ours(HOLED, "-o", "json")
    told: dict[str, Any] = json.loads(done.stdout)
    return told | {"exit": done.returncode, "deleted": {str(second), str(third)}}


def test_the_archive_is_whole(ours: dict[str, Any]) -> None:
    assert ours["complaint"] == ""
    assert ours["verdict"]["word"] == "found"
    assert ours["exit"] == 0
    assert ours["complete"] is True
    assert ours["unknown_keys"] == 0
    assert [each["timeline"] for each in ours["timelines"]] == [1, 2, 3]
    assert ours["identity"] == "environment"


SAME_FIELDS = {
    "id": "backup_id",
    "name": "backup_name",
    "status": "status",
    "error": "error",
    "begin_wal": "begin_wal",
    "end_wal": "end_wal",
    "begin_lsn": "begin_xlog",
    "end_lsn": "end_xlog",
    "begin_time": "begin_time_iso",
    "end_time": "end_time_iso",
    "timeline": "timeline",
    "system_id": "systemid",
    "version": "version",
    "segment_size": "xlog_segment_size",
    "cluster_size": "cluster_size",
    "tablespaces": "tablespaces",
}
"""Ours and Barman's name of what both tell."""

OURS_ALONE = {
    "size": "Barman leaves it null for cloud backups: the sum of the objects",
    "compression": "null too: by the suffix of the objects",
    "kept": "not in the JSON of backup-list; backup-keep --status is asked below",
    "usable": "Barman does not judge",
    "why_not": "Barman does not judge",
}

BARMANS_ALONE = {
    "begin_time": "without a zone; begin_time_iso is compared",
    "end_time": "without a zone; end_time_iso is compared",
    "begin_offset": "the LSN within begin_wal",
    "end_offset": "the LSN within end_wal",
    "size": "null for cloud backups",
    "deduplicated_size": "null for cloud backups",
    "compression": "null for cloud backups",
    "encryption": "null for cloud backups",
    "mode": "null for cloud backups",
    "server_name": "always the word cloud",
    "parent_backup_id": "null: no incremental cloud backups",
    "children_backup_ids": "null: no incremental cloud backups",
    "backup_label": "what a restore writes; in the pane's details",
    "copy_stats": "how the copy went; in the pane's details",
    "data_checksums": "of no weight for a restore; in the pane's details",
    "summarize_wal": "of no weight for a restore; in the pane's details",
    "pgdata": "a path of the instance; in the pane's details",
    "config_file": "a path of the instance; in the pane's details",
    "hba_file": "a path of the instance; in the pane's details",
    "ident_file": "a path of the instance; in the pane's details",
    "included_files": "paths of the instance; in the pane's details",
}


def test_base_backups_are_those_barman_lists_field_by_field(
    stack: Stack, ours: dict[str, Any]
) -> None:
    theirs = {base["backup_id"]: base for base in stack.listed(SERVER)}
    assert sorted(base["status"] for base in theirs.values()) == ["DONE", "DONE", "STARTED"]
    assert [base["id"] for base in ours["base_backups"]] == sorted(theirs)
    for mine in ours["base_backups"]:
        base = theirs[mine["id"]]
        assert mine.keys() == SAME_FIELDS.keys() | OURS_ALONE.keys()
        assert base.keys() <= set(SAME_FIELDS.values()) | BARMANS_ALONE.keys()
        told = {field: _plain(mine[field]) for field in SAME_FIELDS}
        assert told == {field: _plain(base.get(name)) for field, name in SAME_FIELDS.items()}
    done, *_ = theirs.values()
    assert done.keys() == set(SAME_FIELDS.values()) | BARMANS_ALONE.keys()
    assert done["tablespaces"]


def test_what_barman_says_is_null_is_null_and_what_we_say_instead_is_in_the_bucket(
    stack: Stack, ours: dict[str, Any]
) -> None:
    null = [field for field, why in BARMANS_ALONE.items() if why.startswith("null")]
    for base in stack.listed(SERVER):
        assert [base[field] for field in null] == [None] * len(null)
    first, second, killed = ours["base_backups"]
    assert (first["compression"], second["compression"]) == (["gzip"], ["none"])
    assert (first["usable"], second["usable"], killed["usable"]) == ("usable", "usable", "not yet")


def _plain(value: Any) -> Any:
    """A value as both sides would write it: times as times, tablespaces as tuples."""
    if isinstance(value, str) and value[4:5] == "-" and "T" in value and ":" in value:
        return datetime.fromisoformat(value)
    if isinstance(value, list):
        return [tuple(each.values()) if isinstance(each, dict) else tuple(each) for each in value]
    return value


def test_sizes_are_the_sums_of_the_objects(stack: Stack, ours: dict[str, Any]) -> None:
    for base in ours["base_backups"]:
        prefix = f"{real.PATH}/{SERVER}/base/{base['id']}/"
        pages = stack.weed.client.list_objects_v2(Bucket="backups", Prefix=prefix)
        assert base["size"] == sum(seen["Size"] for seen in pages["Contents"])


def test_a_kept_backup_is_marked_as_barman_keeps_it(stack: Stack, ours: dict[str, Any]) -> None:
    for base in ours["base_backups"]:
        if base["status"] != "DONE":
            continue
        done = stack.run("backup-keep", "--status", real.DESTINATION, SERVER, base["id"])
        assert done.stdout.strip() == f"Keep: {base['kept'] or 'nokeep'}"


def test_the_last_archived_segment_is_what_postgres_says(
    stack: Stack, ours: dict[str, Any]
) -> None:
    said = stack.sql("SELECT last_archived_wal FROM pg_stat_archiver")
    assert ours["last_archived"]["name"] == said.partition(".")[0]


@pytest.mark.parametrize("timeline", [1, 2, 3, 4])
def test_check_wal_archive_agrees_on_which_timelines_there_are(
    stack: Stack, ours: dict[str, Any], timeline: int
) -> None:
    done = stack.run(
        *("check-wal-archive", "--timeline", str(timeline), real.DESTINATION, SERVER), check=False
    )
    there = any(each["timeline"] >= timeline for each in ours["timelines"])
    assert done.returncode == (1 if there else 0)


def test_check_wal_archive_agrees_that_a_new_server_name_is_free(stack: Stack) -> None:
    assert stack.run("check-wal-archive", real.DESTINATION, "pg-new").returncode == 0
    assert "nothing is stored under this server name" in stack.ours("pg-new").stdout


def test_every_hole_fails_to_restore_and_no_other_segment_does(
    stack: Stack, holed: dict[str, Any]
) -> None:
    holes = _names(holed, "holes")
    assert holes == holed["deleted"]
    names = sorted(holes | _names(holed, "runs"))
    assert set(names) - stack.restored(HOLED, names) == holes


def test_holes_are_told_in_the_exit_code_and_in_words(stack: Stack, holed: dict[str, Any]) -> None:
    # The two deleted segments came minutes ago, so they may still be on their way.
    assert holed["verdict"]["word"] == "late"
    assert holed["exit"] == 1
    missing = {piece["first"] for piece in holed["verdict"]["missing"]}
    assert missing == holed["deleted"]
    text = stack.ours(HOLED)
    assert text.returncode == 1
    for name in holed["deleted"]:
        assert f"late: {name} (1 segment)" in text.stdout


def test_a_timeline_whose_history_is_gone_is_out_of_reach(stack: Stack) -> None:
    gone = "00000003.history"
    stack.copy("pg-cut-off", without=[gone])
    assert stack.restored("pg-cut-off", [gone, "00000002.history"]) == {"00000002.history"}
    done = stack.ours("pg-cut-off", "-o", "json")
    (cut_off,) = json.loads(done.stdout)["verdict"]["out_of_reach"]
    assert done.returncode == 2
    assert (cut_off["timeline"], cut_off["why"]) == (3, f"{gone} is missing")
    said = stack.ours("pg-cut-off").stdout
    assert f"out of reach: WAL of timeline 3, {gone} is missing; restorable" in said


def test_without_a_usable_base_the_exit_code_is_2(stack: Stack) -> None:
    stack.copy("pg-baseless", only="wals/00000001")
    done = stack.ours("pg-baseless")
    assert done.returncode == 2
    assert "not restorable: there is no base backup" in done.stdout


async def test_each_base_backup_is_verified_as_its_backup_promises(
    stack: Stack, ours: dict[str, Any]
) -> None:
    """What ``cnpg-tui backup --wait`` does at the end, on what Barman and PostgreSQL wrote."""
    done = [base for base in ours["base_backups"] if base["status"] == "DONE"]
    for base in done:
        found = await verified(stack, SERVER, base)
        assert (found.holds, found.missing, found.base) == (True, (), base["id"])
    killed = next(base for base in ours["base_backups"] if base["status"] == "STARTED")
    segments = {"begin_wal": done[0]["begin_wal"], "end_wal": done[0]["end_wal"]}
    assert not (await verified(stack, SERVER, killed | segments)).may_come

    newest = done[-1]
    stack.copy("pg-cut", without=[f"/{newest['end_wal']}"])
    cut = await verified(stack, "pg-cut", newest)
    assert [key.rpartition("/")[2] for key in cut.missing] == [newest["end_wal"]]
    stack.copy("pg-dataless", without=["/data.tar"])
    dataless = await verified(stack, "pg-dataless", newest)
    assert dataless.missing[0] == f"base/{newest['id']}/data.tar"
    assert not dataless.may_come


async def verified(stack: Stack, server: str, base: dict[str, Any]) -> Verification:
    """A look with what the plugin would have written into the Backup."""
    told = {"backupId": base["id"], "beginWal": base["begin_wal"], "endWal": base["end_wal"]}
    source = a_backup("pg-1", **completed() | told)
    where = location.place_of(real.DESTINATION, stack.weed.url)
    assert isinstance(where, Place)
    config = store.configuration({"destinationPath": real.DESTINATION})
    bucket = await Bucket.open(where, Keys("the test's", *ADMIN))
    try:
        place = Location(where, server, "production", config)
        found = await base_look.look(bucket, place, backup.read(source))
    finally:
        await bucket.close()
    assert isinstance(found, Verification), found
    return found


def test_a_store_that_is_not_there_is_exit_code_3(stack: Stack) -> None:
    done = stack.ours(SERVER, "--endpoint-url", "http://127.0.0.1:9")
    assert done.returncode == 3
    assert "refuses connections" in done.stderr
    assert done.stdout == ""


def _names(told: dict[str, Any], kind: str) -> set[str]:
    names: set[str] = set()
    for timeline in told["timelines"]:
        for run in timeline[kind]:
            segment: Segment = wal.segment(run["first"])
            for _ in range(run["count"]):
                names.add(str(segment))
                segment = segment.successor(wal.DEFAULT_SEGMENT_SIZE)
    return names
