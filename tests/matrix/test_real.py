"""On the genuine API server and a real store every failure is told first as what it is."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e import stack
from tests.matrix.real.play import Played, play
from tests.matrix.real.report import expected, said
from tests.matrix.real.rows import FAILURES, HEALTHY, SILENT, Row

pytestmark = pytest.mark.apiserver

ROWS = (*FAILURES, *HEALTHY)


@pytest.fixture(scope="module")
def played() -> Played:
    """All of them at once, judged with all witnesses and without log and instance."""
    if why := stack.missing():
        pytest.skip(f"the real stack is not here: {why}")
    return asyncio.run(play(ROWS))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number} {row.name}".strip())
def test_it_is_told_as_what_it_is(row: Row, played: Played) -> None:
    assert said(played.heard[row.name]) == expected(row, heard=True), played.heard[row.name]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number} {row.name}".strip())
def test_without_log_and_instance_no_cause_is_made_up(row: Row, played: Played) -> None:
    assert said(played.unheard[row.name]) == expected(row, heard=False), played.unheard[row.name]


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.unheard == SILENT], ids=lambda row: row.name
)
def test_where_no_cause_can_be_seen_it_is_said_who_was_not_heard(row: Row, played: Played) -> None:
    evidence = played.unheard[row.name].evidence
    assert "operator: rpc error" in evidence
    assert "sidecar's log: cannot get log of Pod pg-1" in evidence
    assert "instance: cannot get proxy of Pod pg-1" in evidence


def test_what_nobody_knows_a_cause_for_is_told_in_barmans_own_words(played: Played) -> None:
    evidence = played.heard["postgres-away"].evidence
    assert "exit status 1; sidecar: " in evidence
    assert "Cannot connect to postgres" in evidence
