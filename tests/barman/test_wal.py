"""Names and LSNs, for every segment size."""

from __future__ import annotations

import pytest

from tui.barman import wal
from tui.barman.wal import BackupLabel, HistoryFile, Partial, Segment, Stored

MIB = 1 << 20


@pytest.mark.parametrize(
    ("size", "segments"),
    [(MIB, 4096), (16 * MIB, 256), (32 * MIB, 128), (64 * MIB, 64), (1024 * MIB, 4)],
)
def test_a_log_holds_four_gibibytes_of_segments(size: int, segments: int) -> None:
    assert wal.per_directory(size) == segments


@pytest.mark.parametrize(
    ("size", "name", "successor"),
    [
        (16 * MIB, "000000010000000000000001", "000000010000000000000002"),
        (16 * MIB, "0000000100000000000000FF", "000000010000000100000000"),
        (MIB, "0000000100000000000000FF", "000000010000000000000100"),
        (MIB, "0000000A0000000900000FFF", "0000000A0000000A00000000"),
        (1024 * MIB, "000000020000000000000003", "000000020000000100000000"),
        (64 * MIB, "00000001000000FF0000003F", "000000010000010000000000"),
    ],
)
def test_the_successor_carries_into_the_log_where_the_segment_size_says(
    size: int, name: str, successor: str
) -> None:
    assert str(wal.segment(name).successor(size)) == successor


@pytest.mark.parametrize("size", wal.SEGMENT_SIZES)
def test_number_and_segment_are_inverse_and_lsns_join(size: int) -> None:
    per = wal.per_directory(size)
    for number in (0, 1, per - 1, per, 7 * per + 3):
        segment = wal.at(3, number, size)
        assert segment.number(size) == number
        assert segment.end(size) == segment.successor(size).start(size)
        assert wal.holding(3, segment.start(size), size) == segment
        assert wal.holding(3, segment.end(size) - 1, size) == segment


def test_a_distance_does_not_ask_for_the_timeline() -> None:
    one, other = wal.segment("0000000100000000000000FE"), wal.segment("000000020000000100000001")
    assert one.distance(other, 16 * MIB) == 3
    assert other.distance(one, 16 * MIB) == -3


SEGMENT = Segment(1, 0xA, 0xFE)


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz", ".snappy", ".zst", ".lz4"])
@pytest.mark.parametrize(
    "file",
    [SEGMENT, Partial(SEGMENT), BackupLabel(SEGMENT, 0x28), HistoryFile(0x1F)],
    ids=["segment", "partial", "label", "history"],
)
def test_a_name_with_any_suffix_reads_back(file: wal.WalFile, suffix: str) -> None:
    assert wal.parse(f"{file}{suffix}") == Stored(file, suffix)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "000000010000000A000000FE ",
        "000000010000000A000000F",
        "000000010000000A000000FEE",
        "000000010000000a000000fe",  # restore_command asks for upper case
        "00000001000000 A000000FE",
        "000000010000000A0000_0FE",
        "000000010000000A+00000FE",
        "000000000000000A000000FE",  # timelines begin at 1
        "000000010000000A00001000",  # beyond the smallest segment size
        "000000010000000A000000FE.tmp",
        "000000010000000A000000FE.gz.gz",
        "000000010000000A000000FE.GZ",
        "000000010000000A000000FE.28.backup",
        "000000010000000A000000FE.00000028.backup.partial",
        "00000001.history.backup",
        "000000010000000A.history",
        "1.history",
        "backup.info",
        "000000010000000A000000FE\n",
        "\u0660\u0660000001000000A000000FE0",
    ],
)
def test_anything_else_names_no_wal_file(name: str) -> None:
    assert wal.parse(name) is None


@pytest.mark.parametrize("name", ["000000010000000A000000FE.gz", "00000002.history", "nonsense"])
def test_only_a_bare_segment_name_is_a_segment(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a WAL segment"):
        wal.segment(name)


def test_names_sort_as_segments_do() -> None:
    names = ["000000010000000000000001", "000000010000000100000000", "000000020000000000000000"]
    assert sorted(map(wal.segment, reversed(names))) == [wal.segment(name) for name in names]


@pytest.mark.parametrize(
    ("text", "lsn"),
    [
        ("0/0", 0),
        ("0/120000A0", 0x120000A0),
        ("16/B374D848", 0x16_B374D848),
        ("FFFFFFFF/FFFFFFFF", 2**64 - 1),
    ],
)
def test_an_lsn_reads_back(text: str, lsn: int) -> None:
    assert wal.parse_lsn(text) == lsn
    assert wal.print_lsn(lsn) == text


@pytest.mark.parametrize(
    "text", ["", "0", "0/", "/0", "0/1/2", "0/123456789", "0x1/2", " 0/1", "G/0"]
)
def test_what_is_no_lsn_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an LSN"):
        wal.parse_lsn(text)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("0000000100000000", (1, 0)),
        ("000000FFFFFFFFFF", (255, 0xFFFFFFFF)),
        ("0000000000000001", None),
        ("00000001000000", None),
        ("000000010000000g", None),
    ],
)
def test_a_folder_is_a_timeline_and_a_log(name: str, key: tuple[int, int] | None) -> None:
    assert wal.parse_directory(name) == key
