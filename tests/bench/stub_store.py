"""A store that only lists, from memory: what is left of a sweep's time is the sweep's and the wire's.

``python -m tests.bench.stub_store KEYS DELAY_SECONDS`` prints its URL and serves until it is killed.
SeaweedFS takes 15 ms of CPU a page, which on two cores hides what is to be measured.
"""

from __future__ import annotations

import asyncio
import sys
from bisect import bisect_left, bisect_right
from urllib.parse import parse_qs, urlsplit

from tests.wire.stores import Listener

PAGE = 1000
_ROW = (
    "<Contents><Key>{}</Key><LastModified>2026-11-22T14:22:27.000Z</LastModified><ETag>&quot;"
    "df2a6d3d33b975aad18ae04090af4ce2&quot;</ETag><Size>2314257</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)


class StubStore(Listener):
    """Lists ``keys`` (sorted) after a delay, and gives the contents of a few."""

    def __init__(self, keys: list[str], contents: dict[str, bytes], delay: float) -> None:
        super().__init__()
        self._keys = keys
        self._contents = contents
        self._delay = delay

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            target = urlsplit(head.decode().split(" ", 2)[1])
            body = self._answer(target.path, target.query)
            await asyncio.sleep(self._delay)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()

    def _answer(self, path: str, query: str) -> bytes:
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        if "list-type" not in asked:
            return self._contents[path.split("/", 2)[2]]
        prefix, token = asked.get("prefix", ""), asked.get("continuation-token", "")
        start = token or asked.get("start-after", "")
        at = max(bisect_left(self._keys, prefix), bisect_right(self._keys, start))
        rows: list[str] = []
        folders: list[str] = []
        last = ""
        while at < len(self._keys) and len(rows) + len(folders) < PAGE:
            key = self._keys[at]
            if not key.startswith(prefix):
                break
            folder, slash, _ = key[len(prefix) :].partition("/")
            if slash and "delimiter" in asked:
                last = f"{prefix}{folder}/\U0010ffff"
                folders.append(f"{prefix}{folder}/")
                at = bisect_right(self._keys, last)
            else:
                last = key
                rows.append(_ROW.format(key))
                at += 1
        more = at < len(self._keys) and self._keys[at].startswith(prefix)
        return _page(rows, folders, last if more else "")


def _page(rows: list[str], folders: list[str], token: str) -> bytes:
    following = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    named = "".join(f"<CommonPrefixes><Prefix>{each}</Prefix></CommonPrefixes>" for each in folders)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult>'
        f"<IsTruncated>{'true' if token else 'false'}</IsTruncated>{following}"
        f"<KeyCount>{len(rows) + len(folders)}</KeyCount>{''.join(rows)}{named}"
        "</ListBucketResult>"
    ).encode()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (OSError, asyncio.IncompleteReadError):
        return b""


async def _run(keys: int, delay: float) -> None:
    from tests.bench import bench_archive  # late: it starts this module as a program

    contents = bench_archive.contents(keys)
    names = sorted((*bench_archive.names(keys), *contents))
    async with StubStore(names, contents, delay) as store:
        print(store.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), float(sys.argv[2])))
