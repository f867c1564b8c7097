"""backup.info in all its states, as real barman writes it and as nobody should."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tui.barman import info, wal
from tui.barman.info import CopyStats, Info, Status, Tablespace, Unreadable

DATA = Path(__file__).parents[1] / "data" / "barman"


def read(id_: str) -> Info:
    found = info.parse((DATA / f"{id_}.backup.info").read_bytes())
    assert isinstance(found, Info)
    return found


def refused(text: str) -> str:
    found = info.parse(text.encode())
    assert isinstance(found, Unreadable)
    return found.why


def test_a_finished_backup_says_everything() -> None:
    found = read("20261122T142227")
    assert found.status is Status.DONE
    assert found.name == "backup-20261122142300"
    assert found.begin_time == datetime(2026, 11, 22, 14, 22, 27, 105738, UTC)
    assert found.end_time == datetime(2026, 11, 22, 14, 22, 33, 322114, UTC)
    assert found.took == timedelta(seconds=6, microseconds=216376)
    assert found.begin_wal == found.end_wal == wal.segment("000000010000000000000006")
    assert (found.begin_lsn, found.end_lsn) == (0x6000028, 0x6000100)
    assert found.timeline == 1
    assert found.systemid == "7711000958960018866"
    assert found.version == 150018
    assert found.segment_size == 16 << 20
    assert found.cluster_size == 47156937
    assert found.tablespaces == (
        Tablespace("ts1", 16389, "/var/lib/postgresql/tablespaces/ts1/data"),
    )
    assert found.copy_stats == CopyStats(
        timedelta(seconds=7.495621), timedelta(seconds=0.210575), workers=2
    )
    assert found.error is None


def test_a_killed_backup_says_started_and_has_no_end() -> None:
    found = read("20261122T142301")
    assert found.status is Status.STARTED
    assert (found.end_time, found.end_wal, found.end_lsn, found.took) == (None, None, None, None)
    assert found.name is None


def test_a_failed_backup_says_why() -> None:
    found = read("20261122T142326")
    assert found.status is Status.FAILED
    assert found.error == "failure uploading data (Connection lost, reconnection not allowed)"


def test_a_backup_without_tablespaces_has_none() -> None:
    assert read("20261122T144119").tablespaces == ()


def test_every_field_agrees_with_barmans_own_listing() -> None:
    listed = json.loads((DATA / "backup-list.json").read_text())["backups_list"]
    assert len(listed) == 6
    for theirs in listed:
        ours = read(theirs["backup_id"])
        assert ours.status == theirs["status"]
        assert ours.name == theirs.get("backup_name")
        for key, mine in (("begin_wal", ours.begin_wal), ("end_wal", ours.end_wal)):
            assert theirs[key] == (None if mine is None else str(mine))
        for key, mine_lsn in (("begin_xlog", ours.begin_lsn), ("end_xlog", ours.end_lsn)):
            assert theirs[key] == (None if mine_lsn is None else wal.print_lsn(mine_lsn))
        assert ours.timeline == theirs["timeline"]
        assert ours.systemid == theirs["systemid"]
        assert ours.cluster_size == theirs["cluster_size"]
        assert ours.segment_size == theirs["xlog_segment_size"]
        assert ours.error == theirs["error"]
        assert [[t.name, t.oid, t.location] for t in ours.tablespaces] == theirs["tablespaces"]
        assert ours.begin_time == datetime.fromisoformat(theirs["begin_time_iso"])
        assert ours.begin_time.replace(microsecond=0) == info.moment(theirs["begin_time"])
        end = theirs.get("end_time_iso")
        assert ours.end_time == (None if end is None else datetime.fromisoformat(end))


def test_an_empty_file_is_an_empty_backup() -> None:
    for content in (b"", b"\n \n", b"# nothing\n"):
        found = info.parse(content)
        assert isinstance(found, Info)
        assert found.status is Status.EMPTY
        assert found.begin_wal is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-08-20 02:00:00.123456+00:00", datetime(2026, 8, 20, 2, 0, 0, 123456, UTC)),
        ("2026-08-20 04:00:00+02:00", datetime(2026, 8, 20, 2, tzinfo=UTC)),
        ("2026-08-20T02:00:00Z", datetime(2026, 8, 20, 2, tzinfo=UTC)),
        ("2026-08-20 02:00:00", datetime(2026, 8, 20, 2, tzinfo=UTC)),
        ("Thu Aug 20 02:00:00 2026", datetime(2026, 8, 20, 2, tzinfo=UTC)),
        ("Sat Aug  1 02:00:00 2026", datetime(2026, 8, 1, 2, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_both_spellings_as_utc(text: str, moment: datetime) -> None:
    found = info.moment(text)
    assert found == moment
    assert found.tzinfo is UTC


def test_a_time_with_another_zone_is_turned_into_utc() -> None:
    there = datetime(2026, 8, 20, 4, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert info.moment(str(there)).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<html>bad gateway</html>", "invalid line '<html>bad gateway</html>'"),
        ("status=DONE\ngarbage\n", "invalid line 'garbage'"),
        ("begin_wal=000000010000000000000006\n", "it has no status"),
        ("status=None\n", "it has no status"),
        ("status=PERFECT\n", "status: 'PERFECT' is not a valid Status"),
        ("status=DONE\nbegin_wal=6\n", "begin_wal: '6' is not the name of a WAL segment"),
        ("status=DONE\nbegin_xlog=six\n", "begin_xlog: 'six' is not an LSN"),
        ("status=DONE\nend_time=yesterday\n", "end_time: Invalid isoformat string: 'yesterday'"),
        ("status=DONE\nend_time=Xyz Foo 22 14:22:27 2026\n", "end_time: Invalid isoformat string"),
        ("status=DONE\ntimeline=one\n", "timeline: invalid literal for int()"),
        ("status=DONE\nxlog_segment_size=17\n", "xlog_segment_size: 17 bytes is no size"),
        ("status=DONE\ntablespaces=[('a', 1)]\n", "tablespaces: \"('a', 1)\" is not a name"),
        ("status=DONE\ntablespaces=7\n", "tablespaces: '7' is not a list"),
        ("status=DONE\ntablespaces=[__import__('os')]\n", "tablespaces: malformed node"),
        ("status=DONE\ntablespaces=[(\n", "tablespaces: '[(' is not a literal"),
        ("status=DONE\ntablespaces=" + "[" * 5000 + "\n", "tablespaces: "),
        ("status=DONE\ncopy_stats={\n", "copy_stats: '{' is not a literal"),
        ("status=DONE\nbegin_time=0001-01-01 00:00:00+05:00\n", "date value out of range"),
    ],
)
def test_garbage_is_unreadable_with_a_reason(text: str, why: str) -> None:
    assert why in refused(text)


def test_bytes_that_are_no_text_are_unreadable() -> None:
    assert isinstance(info.parse(b"\x1f\x8b\x08\x00\xff\xfe"), Unreadable)


def test_statistics_of_another_kind_are_no_reason_to_refuse_a_backup() -> None:
    found = info.parse(b"status=DONE\ncopy_stats={'files': 12}\n")
    assert isinstance(found, Info)
    assert found.copy_stats is None


def test_keys_of_other_versions_are_kept_for_the_detail_view() -> None:
    found = info.parse(b"status=DONE\nnew_key=some=thing\nbackup_name=x\x1b[31mred\n")
    assert isinstance(found, Info)
    assert ("new_key", "some=thing") in found.fields
    assert found.name == "xred"


def test_a_missing_segment_size_is_the_default_one() -> None:
    found = info.parse(b"status=DONE\n")
    assert isinstance(found, Info)
    assert found.segment_size == wal.DEFAULT_SEGMENT_SIZE
