"""The pulse of a server: who does not answer is told to others, who refuses is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random

import pytest

from tui.live.pulse import Patience, Pulse
from tui.sandbox.apiserver import EVERYTHING, ApiServer, User
from tui.wire.kube import Kube

ADMIN = User("admin", "t", EVERYTHING)


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    api = ApiServer(users=(ADMIN,))
    await api.start()
    yield api
    await api.stop()


@pytest.fixture
async def unanswered(
    server: ApiServer, opened: Callable[..., Awaitable[Kube]]
) -> AsyncIterator[asyncio.Event]:
    """Set each time the server does not answer; the pulse is asked all the time."""
    told = asyncio.Event()
    patience = Patience(interval=0.01, most=0.05, answer=1.0)
    pulse = Pulse(
        await opened(server.kubeconfig(ADMIN)), told.set, random=Random(1), patience=patience
    )
    task = asyncio.create_task(pulse.run())
    yield told
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def asked_twice(server: ApiServer) -> None:
    """Wait for two more questions: the first of them has been answered."""
    async with asyncio.timeout(20):
        asked = len(server.requests)
        while len(server.requests) < asked + 2:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_server_that_answers_or_refuses_is_there(
    server: ApiServer, unanswered: asyncio.Event
) -> None:
    await asked_twice(server)
    server.revoke(ADMIN.token)
    await asked_twice(server)
    assert not unanswered.is_set()


async def test_a_server_that_is_frozen_is_told_and_asked_again(
    server: ApiServer, unanswered: asyncio.Event
) -> None:
    await asked_twice(server)
    server.freeze()
    for _ in range(2):
        async with asyncio.timeout(20):
            await unanswered.wait()
        unanswered.clear()
    server.thaw()
    await asked_twice(server)


async def test_a_server_that_is_gone_is_told(server: ApiServer, unanswered: asyncio.Event) -> None:
    await server.stop()
    async with asyncio.timeout(20):
        await unanswered.wait()
