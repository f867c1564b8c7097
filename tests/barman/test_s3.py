"""What a lifecycle rule does to an archive."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tui.barman.s3 import Rule

EATS = Rule("tidy", enabled=True, prefix="", expires_after=30, aborts_after=None)


@pytest.mark.parametrize("prefix", ["", "prod", "prod/", "prod/pg", "prod/pg/", "prod/pg/wals/"])
def test_a_rule_eats_an_archive_that_lies_below_its_prefix_or_above(prefix: str) -> None:
    assert replace(EATS, prefix=prefix).eats("prod/pg/")


@pytest.mark.parametrize("prefix", ["prod/pg-eu/", "staging/", "pg/"])
def test_a_rule_leaves_what_lies_beside_its_prefix(prefix: str) -> None:
    assert not replace(EATS, prefix=prefix).eats("prod/pg/")


@pytest.mark.parametrize(
    "other",
    [
        {"enabled": False},
        {"expires_after": None},
        {"expires_after": None, "aborts_after": 7},
        {"selective": True},
    ],
)
def test_a_rule_that_deletes_nothing_for_certain_eats_nothing(other: dict[str, Any]) -> None:
    assert not replace(EATS, **other).eats("prod/pg/")


def test_a_rule_that_deletes_on_a_day_eats() -> None:
    day = datetime(2026, 12, 1, tzinfo=UTC)
    assert replace(EATS, expires_after=None, expires_on=day).eats("prod/pg/")
