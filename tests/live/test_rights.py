"""Rights: asked once when needed, believed for a while, never presumed to be missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack

import pytest

from tui import faults
from tui.cnpg.manifest import BACKUPS, Kind
from tui.live.rights import Patience, Right, Rights

CREATE = Right("create", BACKUPS)


class Server:
    """Answers as it is told to, and counts the questions."""

    def __init__(self) -> None:
        self.allows = False
        self.fault: faults.Fault | None = None
        self.asked: list[tuple[str, str, str | None]] = []
        self.heard = 0

    async def may(self, verb: str, kind: Kind, namespace: str | None) -> bool:
        self.asked.append((verb, str(kind), namespace))
        await asyncio.sleep(0)
        if self.fault:
            raise self.fault
        return self.allows

    def hear(self) -> None:
        self.heard += 1


@pytest.fixture
def server() -> Server:
    return Server()


Open = Callable[..., Rights]


@pytest.fixture
async def opened(server: Server) -> AsyncIterator[Open]:
    with ExitStack() as stack:

        def open_(**patience: float) -> Rights:
            return stack.enter_context(Rights(server, server.hear, Patience(**patience)))

        yield open_


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_a_right_that_is_not_known_is_taken_as_given_and_asked_for(
    server: Server, opened: Open
) -> None:
    rights = opened()
    assert not rights.lacks(CREATE, "prod")
    await until(lambda: rights.lacks(CREATE, "prod"))
    assert server.asked == [("create", "backups.postgresql.cnpg.io", "prod")]
    assert server.heard == 1


async def test_each_namespace_is_asked_for_by_itself(server: Server, opened: Open) -> None:
    rights = opened()
    await until(lambda: rights.lacks(CREATE, "prod"))
    server.allows = True
    assert not rights.lacks(CREATE, "test")
    await until(lambda: len(server.asked) == 2)
    assert not rights.lacks(CREATE, "test")
    assert rights.lacks(CREATE, "prod")


async def test_nobody_is_called_for_a_right_that_is_there(server: Server, opened: Open) -> None:
    server.allows = True
    rights = opened()
    rights.lacks(CREATE, "prod")
    await until(lambda: bool(server.asked))
    for _ in range(10):
        await asyncio.sleep(0)
        assert not rights.lacks(CREATE, "prod")
    assert (len(server.asked), server.heard) == (1, 0)


async def test_an_answer_is_believed_while_it_is_asked_for_again(
    server: Server, opened: Open
) -> None:
    rights = opened(lasting=0)
    await until(lambda: rights.lacks(CREATE, "prod"))
    server.allows = True
    assert rights.lacks(CREATE, "prod")
    await until(lambda: not rights.lacks(CREATE, "prod"))


async def test_asking_again_by_hand_finds_a_right_that_was_granted(
    server: Server, opened: Open
) -> None:
    rights = opened()
    await until(lambda: rights.lacks(CREATE, "prod"))
    server.allows = True
    rights.ask_again()
    assert server.heard == 2
    await until(lambda: not rights.lacks(CREATE, "prod"))


async def test_a_server_that_does_not_answer_takes_no_right_away(
    server: Server, opened: Open
) -> None:
    server.fault = faults.Unreachable("the connection was cut")
    rights = opened(unanswered=0)
    for asked in range(1, 4):
        assert not rights.lacks(CREATE, "prod")
        await until(lambda asked=asked: len(server.asked) == asked)  # type: ignore[misc]
        await until(lambda: not rights._asking)
    server.fault = None
    await until(lambda: rights.lacks(CREATE, "prod"))
    server.fault = faults.Unreachable("the connection was cut")
    rights.ask_again()
    for _ in range(10):
        assert rights.lacks(CREATE, "prod")
        await asyncio.sleep(0)
