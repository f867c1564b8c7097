"""Verdict changes as the user hears of them: a message, a line in the timeline, a bell if wanted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.panes.conftest import Open
from tests.panes.objects import a_cluster, archiving


class Clock:
    """The app's clock, which the test sets."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.mark.parametrize("rings", [False, True])
async def test_a_verdict_that_gets_worse_is_said_once_and_stands_in_the_timeline(
    stage: Open, rings: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    # Wide enough that the message stands beside the timeline, not over it.
    wide = {"size": (160, 48)}
    async with stage(a_cluster("pg", spec={}), clock=clock, rings=rings, **wide) as screen:
        bells: list[None] = []
        monkeypatch.setattr(screen.app, "bell", lambda: bells.append(None))
        await screen.until("- unprotected")
        await screen.press("v")
        await screen.until("No verdict has changed since")
        clock.ahead = timedelta(minutes=5)
        screen.server.store.seed(a_cluster("pg", archiving("False", "exit status 4")))
        await screen.until("pg - unprotected", "x failing")
        await screen.until(lambda s: s.toasts)
        assert len(screen.toasts) == 1
        assert "pg unprotected -> failing:" in screen.toasts[0]
        await screen.until(
            "pg unprotected for 5m", "then x failing the operator says WAL archiving"
        )
        assert len(bells) == (1 if rings else 0)
        await screen.press("escape")
        await screen.until("x operator says failing")
