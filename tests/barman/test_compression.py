"""Opening the small files of an archive."""

from __future__ import annotations

import bz2
import gzip
import lzma

import cramjam
import pytest

from tui.barman import compression

CONTENT = b"1\t0/120000A0\tno recovery target specified\n"


@pytest.mark.parametrize(
    ("suffix", "stored"),
    [
        ("", CONTENT),
        (".gz", gzip.compress(CONTENT)),
        (".bz2", bz2.compress(CONTENT)),
        (".xz", lzma.compress(CONTENT)),
        (".snappy", bytes(cramjam.snappy.compress(CONTENT))),
        (".zst", bytes(cramjam.zstd.compress(CONTENT))),
        (".lz4", bytes(cramjam.lz4.compress(CONTENT))),
    ],
    ids=["none", "gzip", "bzip2", "xz", "snappy", "zstd", "lz4"],  # gzip's bytes hold the time
)
def test_every_suffix_barman_writes_opens(suffix: str, stored: bytes) -> None:
    assert compression.decompress(stored, suffix) == CONTENT


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".snappy", ".zst", ".lz4"])
def test_an_object_that_is_not_what_its_suffix_says_is_refused(suffix: str) -> None:
    with pytest.raises(compression.Undecodable, match=compression.SUFFIXES[suffix]):
        compression.decompress(b"<html>bad gateway</html>", suffix)


def test_a_small_object_that_opens_into_a_large_one_is_refused() -> None:
    with pytest.raises(compression.Undecodable, match="too large"):
        compression.decompress(gzip.compress(bytes(compression.LARGEST + 1)), ".gz")


def test_an_unknown_suffix_is_refused() -> None:
    with pytest.raises(compression.Undecodable, match="no compression is known"):
        compression.decompress(CONTENT, ".rar")
