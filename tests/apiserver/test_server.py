"""The genuine server as an instrument: what is done to it is what its clients meet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.apiserver.manifests import backup
from tests.apiserver.server import KubeApiServer
from tests.apiserver.servers import Genuine, path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.apiserver


@pytest.fixture
async def genuine(kube_apiserver: KubeApiServer) -> AsyncIterator[Genuine]:
    under_test = Genuine(kube_apiserver)
    await under_test.start()
    try:
        yield under_test
    finally:
        await under_test.stop()


async def test_a_killed_server_cuts_its_watches_refuses_and_forgets_nothing(
    genuine: Genuine,
) -> None:
    backups = path(genuine, "backups")
    made = (await genuine.admin.create(backups, backup("a"))).body

    async with genuine.admin.watch(backups) as watch:
        await watch.next()
        genuine.server.kill()
        with pytest.raises(aiohttp.ClientError):
            await watch.next()
    with pytest.raises(aiohttp.ClientConnectorError):
        await genuine.admin.get(backups)
    await asyncio.to_thread(genuine.server.restart)

    assert (await genuine.admin.get(path(genuine, "backups", "a"))).body == made


async def test_a_frozen_server_takes_requests_and_answers_them_when_thawed(
    genuine: Genuine,
) -> None:
    genuine.server.freeze()
    try:
        creating = genuine.admin.create(path(genuine, "backups"), backup("a"))
        asked = asyncio.create_task(creating)
        done, _ = await asyncio.wait({asked}, timeout=0.5)
        assert not done
    finally:
        genuine.server.thaw()

    assert (await asked).status == 201
