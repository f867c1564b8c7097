"""A scripted API server, a gateway to it, and feeds that run until the test ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from tests.wire.conftest import kube, opened, script
from tui.live.feeds import Feed

__all__ = ["kube", "opened", "running", "script"]


@pytest.fixture
async def running() -> AsyncIterator[Callable[[Feed], asyncio.Task[None]]]:
    """Starts feeds; at the end each must still run, and end at once when cancelled."""
    tasks: list[asyncio.Task[None]] = []

    def start(feed: Feed) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(feed.run()))
        return tasks[-1]

    yield start
    for task in tasks:
        assert task.cancelled() or not task.done(), "a feed must never end by itself"
        task.cancel()
    if tasks:
        _, pending = await asyncio.wait(tasks, timeout=5)
        assert not pending
