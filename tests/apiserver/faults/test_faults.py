"""Real faults between the real app in a real terminal and the genuine API server.

All trials run at once, as far as they leave one another alone, before the first test; then each test
looks at what came of one. What was measured is printed as a table at the end of the run; no test
judges a duration.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.apiserver import build
from tests.apiserver.faults.acts import AFTER, BESIDE, Act
from tests.apiserver.faults.table import row
from tests.apiserver.faults.trial import Measured
from tests.apiserver.faults.witness import Event
from tests.apiserver.server import KubeApiServer

pytestmark = pytest.mark.faults

Outcome = Measured | BaseException

NOTICED = {
    "network cut for 30 s",
    "network cut for 120 s",
    "one byte a second",
    "token revoked",
    "429 storm",
    "API server killed",
    "other certificate",
    "API server frozen",
}
"""While these last the screen must not claim to be live for long. The others it may not even see."""

DEAF = {"network cut for 30 s", "network cut for 120 s", "API server frozen"}
"""While these last nothing can be heard: whatever is called live is not."""

RESUMED = {
    "network cut for 1 s",
    "network cut for 30 s",
    "token revoked",
    "token rotated",
    "one byte a second",
    "clock jumps",
    "429 storm",
    "API server frozen",
}
"""After these the server still knows where the watch stood: every single event is told, in order."""


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Outcome]]:
    """What came of every trial."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        yield asyncio.run(_all(Path(folder)))


async def _all(folder: Path) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}

    async def run(name: str, act: Act, server: KubeApiServer) -> None:
        home = folder / name.replace(" ", "-")
        home.mkdir()
        try:
            outcomes[name] = await act(server, home)
        except Exception as failed:  # noqa: BLE001 - it belongs to the test of this fault
            outcomes[name] = failed

    async def beside(server: KubeApiServer) -> None:
        await asyncio.gather(*(run(name, act, server) for name, act in BESIDE.items()))

    async def after(server: KubeApiServer) -> None:
        for name, act in AFTER.items():
            await run(name, act, server)

    async def with_server(name: str, trials: Callable[[KubeApiServer], Awaitable[None]]) -> None:
        home = folder / name
        home.mkdir()
        server = KubeApiServer(build.find(), home)
        try:
            await asyncio.to_thread(server.start)
            await trials(server)
        finally:
            server.stop()

    await asyncio.gather(with_server("well", beside), with_server("harmed", after))
    return outcomes


@pytest.fixture
def measured(
    outcomes: dict[str, Outcome], fault: str, record_property: Callable[[str, object], None]
) -> Measured:
    """What came of the trial of ``fault``."""
    found = outcomes[fault]
    if isinstance(found, BaseException):
        raise found
    record_property("fault", row(fault, found))
    return found


@pytest.mark.parametrize("fault", [*BESIDE, *AFTER])
def test_the_screen_is_never_falsely_live_and_nothing_is_lost_or_told_twice(
    measured: Measured, fault: str
) -> None:
    assert measured.table == measured.fresh, "the table is not what a fresh list says"
    assert has_no_step_twice_or_back(measured.told)
    if fault in RESUMED:
        assert measured.told == measured.happened
    if fault in NOTICED:
        assert measured.noticed is not None, "nothing told that what is shown has grown stale"
        assert measured.noticed <= measured.ended
        if fault in DEAF:
            since = [each for each in measured.said if measured.noticed <= each.at < measured.ended]
            assert not any("live" in each.words for each in since)
    assert measured.said[-1].words == {"live"}


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("token revoked", "the server does not accept these credentials. Sign in again. R asks"),
        ("other certificate", "is not trusted: unable to get local issuer certificate. Check"),
        ("API server killed", "connection refused"),
        ("429 storm", "the server asks to slow down"),
        ("network cut for 120 s", "not answer"),
    ],
)
def test_the_pane_says_what_is_wrong(measured: Measured, sentence: str) -> None:
    assert sentence in " ".join(measured.text.split())


@pytest.mark.parametrize("fault", ["token rotated"])
def test_a_token_that_was_renewed_in_time_is_found_without_a_word(measured: Measured) -> None:
    assert "signed out" not in measured.words


def has_no_step_twice_or_back(told: Iterable[Event]) -> bool:
    """Whether each Backup is told to be made, completed and gone at most once, in this order."""
    order = ("made", "completed", "gone")
    steps: dict[str, list[int]] = {}
    for name, became in told:
        steps.setdefault(name, []).append(order.index(became))
    return all(a < b for each in steps.values() for a, b in pairwise(each))


def test_steps_that_are_told_twice_or_backwards_would_be_seen() -> None:
    assert has_no_step_twice_or_back([("a", "made"), ("b", "completed"), ("a", "gone")])
    assert not has_no_step_twice_or_back([("a", "made"), ("a", "made")])
    assert not has_no_step_twice_or_back([("a", "gone"), ("a", "completed")])
