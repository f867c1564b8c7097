"""A completed Backup is verified when all it needs lies in the bucket, and not a segment less."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.barman.archive import Archive
from tests.panes.objects import a_backup, completed
from tui.barman import info
from tui.barman.info import Info
from tui.cnpg import backup
from tui.cnpg.backup import Backup
from tui.verdict.verification import Verification, verify
from tui.verdict.witnesses import NotKnown


@pytest.fixture
def archive() -> Archive:
    """WAL of a day, and no base backup yet."""
    return Archive().wal(1, range(100))


def told(archive: Archive, id_: str, **status: str) -> Verification | NotKnown:
    """The verification of the Backup that made this base backup."""
    one = _backup(id_, **status)
    return verify(one, archive.infos.get(id_), archive.listed)


def verified(archive: Archive, id_: str) -> Verification:
    found = told(archive, id_)
    assert isinstance(found, Verification)
    return found


def _backup(id_: str, **status: str) -> Backup:
    source = a_backup("pg-1", **completed() | {"backupId": id_} | status)
    return backup.read({**source, "metadata": {**source["metadata"], "resourceVersion": "1"}})


def test_data_and_all_of_its_wal_is_enough(archive: Archive) -> None:
    found = verified(archive, archive.base(1, 10, 12))
    assert (found.holds, found.missing, found.span.count) == (True, (), 3)


@pytest.mark.parametrize("gone", [10, 11, 12])
def test_no_segment_of_the_range_may_be_missing(archive: Archive, gone: int) -> None:
    id_ = archive.base(1, 10, 12)
    del archive.rows["pg/" + archive.key(1, gone)]
    found = verified(archive, id_)
    assert found.missing == (archive.key(1, gone, ""),)
    assert (found.holds, found.may_come) == (False, True)
    assert "1 of the 3 WAL segments it needs is not there" in found.sentence


def test_segments_around_the_range_do_not_matter() -> None:
    archive = Archive().wal(1, [10, 11])
    assert verified(archive, archive.base(1, 10, 11)).holds


def test_a_range_over_two_folders_is_counted_through() -> None:
    archive = Archive().wal(1, range(250, 260))
    id_ = archive.base(1, 254, 257)
    del archive.rows["pg/" + archive.key(1, 256)]
    found = verified(archive, id_)
    assert found.missing == ("wals/0000000100000001/000000010000000100000000",)
    assert found.span.folders == ("0000000100000000", "0000000100000001")


def test_the_partial_copy_of_a_segment_is_enough_because_barman_restores_it(
    archive: Archive,
) -> None:
    id_ = archive.base(1, 98, 100)
    assert not verified(archive, id_).holds
    archive.put(archive.key(1, 100, ".partial.gz"))
    assert verified(archive, id_).holds


@pytest.mark.parametrize(
    ("gone", "missing"),
    [(("data.tar.gz",), ("data.tar",)), (("backup.info",), ("backup.info",))],
    ids=["no data", "no backup.info"],
)
def test_data_that_is_not_there_will_not_come(
    archive: Archive, gone: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    id_ = archive.base(1, 10, 12)
    for name in gone:
        del archive.rows[f"pg/base/{id_}/{name}"]
    if "backup.info" in gone:
        del archive.infos[id_]
    found = told(
        archive, id_, beginWal=archive.key(1, 10, "")[-24:], endWal=archive.key(1, 12, "")[-24:]
    )
    assert isinstance(found, Verification)
    assert found.missing == tuple(f"base/{id_}/{name}" for name in missing)
    assert (found.holds, found.may_come) == (False, False)


def test_a_tablespace_is_data_too(archive: Archive) -> None:
    id_ = archive.base(1, 10)
    known = archive.infos[id_]
    assert isinstance(known, Info)
    archive.infos[id_] = replace(known, tablespaces=(info.Tablespace("hot", 16389, "/hot"),))
    assert verified(archive, id_).missing == (f"base/{id_}/16389.tar",)


def test_a_completed_backup_whose_info_says_otherwise_is_not_verified(archive: Archive) -> None:
    id_ = archive.base(1, 10, status="FAILED")
    found = told(
        archive, id_, beginWal="00000001000000000000000A", endWal="00000001000000000000000A"
    )
    assert isinstance(found, Verification)
    assert (found.holds, found.may_come) == (False, False)
    assert found.sentence == f"base/{id_}/backup.info says FAILED"


def test_a_backup_that_names_no_wal_cannot_be_verified(archive: Archive) -> None:
    found = told(archive, "20261101T000000", beginWal="", endWal="")
    assert found == NotKnown("Backup pg-1 does not say which WAL it needs")
