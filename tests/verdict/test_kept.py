"""Which retention a forecast counts on, and that it says which."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.verdict.test_growth import NOW, of, steady
from tui.barman.info import Unreadable
from tui.verdict import growth, kept
from tui.verdict.growth import DAY, Growth
from tui.verdict.kept import Kept


def grown(bases: int = 20) -> Growth:
    archive = steady(20)
    for day in range(bases):
        archive.base(1, 1, end=NOW - day * DAY)
    return of(archive)


@pytest.mark.parametrize(
    ("policies", "window", "why"),
    [
        (["30d"], 30 * DAY, "retention 30d counted"),
        (["2m"], 62 * DAY, "retention 2m counted"),
        (["30d", "7d", ""], 7 * DAY, "retention 7d counted"),
        ([""], None, "no retentionPolicy: nothing is ever deleted"),
        ([None], None, "retention not known, none counted"),
        (["thirty days"], None, "retention not known, none counted"),
        ([], None, "no cluster here uses it: nothing is ever deleted"),
    ],
)
def test_what_is_assumed_is_said(
    policies: list[str | None], window: timedelta | None, why: str
) -> None:
    assert kept.of(policies, grown(), {}) == Kept(window, why)


def test_retention_that_an_unreadable_backup_info_stops_is_not_counted() -> None:
    found = kept.of(["7d"], grown(), {"20261101T020000": Unreadable("garbage")})
    assert found.window is None
    assert found.why == (
        "retention 7d deletes nothing: backup.info of 20261101T020000 cannot be read"
    )


def test_retention_without_a_second_base_backup_is_not_counted() -> None:
    found = kept.of(["7d"], grown(1), {})
    assert found == Kept(None, "retention 7d deletes nothing without a second base backup")


def test_a_forecast_is_lower_where_retention_deletes() -> None:
    one = grown()
    ahead = {
        text: growth.forecast(one, NOW, 30, kept.of([text], one, {}).window) for text in ("", "7d")
    }
    assert ahead["7d"] is not None
    assert ahead[""] is not None
    assert ahead["7d"] < ahead[""] / 5
