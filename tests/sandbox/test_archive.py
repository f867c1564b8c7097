"""What the acted sidecar leaves in a bucket."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tui.sandbox import archive, segments
from tui.sandbox.archive import BaseBackup

BEGAN = datetime(2026, 11, 22, 2, 0, 1, 712125, tzinfo=UTC)
MIB = 1024**2
BACKUP = BaseBackup(
    began=BEGAN,
    timeline=3,
    begin=0x12_8700_0028,
    system_id="7572533781553568808",
    version=180001,
    cluster_size=56623104,
    name="backup-20261122020001",
)
DONE = BACKUP.done(BEGAN + timedelta(seconds=28.27), 0x12_8700_0100)


def rows(info: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in info.splitlines())


@pytest.mark.parametrize(
    ("number", "size", "name"),
    [
        (0xFF, 16 * MIB, "0000000100000000000000FF"),
        (0x100, 16 * MIB, "000000010000000100000000"),
        (4095, MIB, "000000010000000000000FFF"),
        (4096, MIB, "000000010000000100000000"),
        (4, 1024 * MIB, "000000010000000100000000"),
    ],
)
def test_a_segment_is_named_by_log_and_place_in_it(number: int, size: int, name: str) -> None:
    assert segments.name(1, number, size) == name


def test_a_position_is_printed_as_postgresql_prints_it() -> None:
    assert segments.lsn(0x12_8700_0028) == "12/87000028"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("000000030000001200000087", "prod/pg/wals/0000000300000012/000000030000001200000087.gz"),
        ("00000003.history", "prod/pg/wals/00000003.history.gz"),
        (
            "000000030000001200000087.00000028.backup",
            "prod/pg/wals/0000000300000012/000000030000001200000087.00000028.backup.gz",
        ),
    ],
)
def test_files_of_pg_wal_lie_where_barman_puts_them(name: str, key: str) -> None:
    assert archive.folder("s3://acme-pg/prod/", "pg").wal(name, "gzip") == key


def test_a_destination_without_a_path_puts_the_server_at_the_root() -> None:
    assert archive.folder("s3://acme-pg", "pg").info("20261122T020001") == (
        "pg/base/20261122T020001/backup.info"
    )


def test_a_destination_that_is_no_s3_url_is_refused_in_barmans_words() -> None:
    with pytest.raises(ValueError, match="Invalid s3 URL address: r2:/acme-pg"):
        archive.folder("r2:/acme-pg", "pg")


def test_backup_info_at_the_start_has_no_end_and_no_name() -> None:
    info = rows(BACKUP.info)
    assert info["status"] == "STARTED"
    assert info["begin_wal"] == "000000030000001200000087"
    assert info["begin_time"] == "2026-11-22 02:00:01.712125+00:00"
    assert {info[key] for key in ("end_time", "end_wal", "end_xlog", "backup_label", "size")} == {
        "None"
    }
    assert "backup_name" not in info


def test_backup_info_at_the_end_tells_wal_range_and_label() -> None:
    info = rows(DONE.info)
    assert info["status"] == "DONE"
    assert (info["end_wal"], info["end_xlog"], info["end_offset"]) == (
        "000000030000001200000087",
        "12/87000100",
        "256",
    )
    assert info["backup_name"] == "backup-20261122020001"
    assert info["server_name"] == "cloud"
    assert info["backup_label"].startswith(r"'START WAL LOCATION: 12/87000028 (file ")


def test_backup_info_of_a_failure_keeps_the_error_and_the_name() -> None:
    info = rows(BACKUP.failed("failure uploading data (Connection lost)").info)
    assert (info["status"], info["error"]) == ("FAILED", "failure uploading data (Connection lost)")
    assert info["end_time"] == "None"
    assert "backup_name" in info


def test_the_backup_history_file_stands_between_start_and_stop() -> None:
    assert DONE.history.splitlines()[:2] == [
        "START WAL LOCATION: 12/87000028 (file 000000030000001200000087)",
        "STOP WAL LOCATION: 12/87000100 (file 000000030000001200000087)",
    ]
    assert DONE.history.endswith("STOP TIMELINE: 3\n")


@pytest.mark.parametrize(
    ("compression", "open_it"),
    [
        ("gzip", gzip.decompress),
        ("bzip2", bz2.decompress),
        ("xz", lzma.decompress),
        (None, bytes),
    ],
)
def test_a_segment_decompresses_to_a_whole_one(
    compression: str | None, open_it: Callable[[bytes], bytes]
) -> None:
    body = archive.segment_body(90 * 1024, compression, 16 * MIB)
    assert len(open_it(body)) == 16 * MIB
    if compression:
        assert len(body) < 120 * 1024


def test_the_tar_of_a_base_backup_opens_and_holds_its_label() -> None:
    body = archive.data_tar(DONE, 4096, "gzip")
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as tar:
        label = tar.extractfile("backup_label")
        assert label is not None
        assert label.read().decode() == DONE.label
