"""The suffixes barman-cloud puts behind the names of what it compresses, and how to open a small one.

The suffix is the only place where compression shows: ``compression`` in backup.info is always None
for cloud backups (Barman 3.19, measured), and suffixes mix freely after a change of configuration.
"""

from __future__ import annotations

import cramjam

SUFFIXES = {
    "": "none",
    ".gz": "gzip",
    ".bz2": "bzip2",
    ".xz": "xz",
    ".snappy": "snappy",
    ".zst": "zstd",
    ".lz4": "lz4",
}
"""Suffix -> the word ObjectStore's ``compression`` fields use for it."""

_CODECS = {
    ".gz": cramjam.gzip,
    ".bz2": cramjam.bzip2,
    ".xz": cramjam.xz,
    ".snappy": cramjam.snappy,
    ".zst": cramjam.zstd,
    ".lz4": cramjam.lz4,
}
LARGEST = 1 << 20
"""Bytes a file may have after decompression; a history of ten thousand timelines has half of it."""


class Undecodable(ValueError):
    """The content is not what its suffix says, or larger than :data:`LARGEST` when opened."""


def decompress(content: bytes, suffix: str) -> bytes:
    """``content`` of an object whose name ends in ``suffix``, decompressed.

    For the small text files of an archive (histories, backup labels), not for segments. Raises
    :class:`Undecodable`.
    """
    if suffix == "":
        return content
    codec = _CODECS.get(suffix)
    if codec is None:
        raise Undecodable(f"no compression is known by the suffix {suffix!r}")
    # A buffer of fixed size, so that a bomb fills it and stops instead of filling the memory.
    room = bytearray(LARGEST)
    try:
        used = codec.decompress_into(content, room)
    except cramjam.DecompressionError as error:
        raise Undecodable(f"this is not {SUFFIXES[suffix]}, or too large: {error}") from error
    return bytes(room[:used])
