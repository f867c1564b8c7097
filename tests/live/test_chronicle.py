"""Which changes of a verdict are news."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.verdict.test_two_witnesses import film, verdict
from tui.cnpg.manifest import Key
from tui.live.chronicle import KEPT, Chronicle, Turn, summary
from tui.verdict.health import Level, Verdict

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
PG = Key("prod", "pg")
LOOKING = verdict(film(whole=None))
UNKNOWN = replace(LOOKING, findings=(replace(LOOKING.findings[0], code="one-witness"),))
GOOD = verdict(film())
BAD = verdict(film(missing=(40, 41)))
assert [each.level for each in (UNKNOWN, GOOD, BAD)] == [
    Level.UNKNOWN,
    Level.PROTECTED,
    Level.FAILING,
]


def turns(*heard: tuple[float, Verdict]) -> list[tuple[Level, Level, float]]:
    """What is told of one cluster whose verdict is this from those minutes on."""
    chronicle = Chronicle()
    for minutes, found in heard:
        chronicle.hear([PG], {PG: found}, NOW + timedelta(minutes=minutes))
    return [
        (turn.before, turn.after, turn.lasted / timedelta(minutes=1)) for turn in chronicle.turns
    ]


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        pytest.param([(0, GOOD)], [], id="the first verdict is no change"),
        pytest.param([(0, UNKNOWN), (5, GOOD)], [], id="nor is what was being found out"),
        pytest.param([(0, BAD), (0.5, GOOD)], [], id="nor what settles in the first minute"),
        pytest.param([(0, GOOD), (9, GOOD)], [], id="nor the same level in other words"),
        pytest.param(
            [(0, GOOD), (9, BAD)], [(Level.PROTECTED, Level.FAILING, 9)], id="worse is told"
        ),
        pytest.param(
            [(0, GOOD), (9, BAD), (12, GOOD)],
            [(Level.PROTECTED, Level.FAILING, 9), (Level.FAILING, Level.PROTECTED, 3)],
            id="and so is better, with how long it was bad",
        ),
        pytest.param(
            [(0, GOOD), (9, UNKNOWN)],
            [(Level.PROTECTED, Level.UNKNOWN, 9)],
            id="no longer known is worse than known to be good",
        ),
    ],
)
def test_what_is_told(
    heard: list[tuple[float, Verdict]], told: list[tuple[Level, Level, float]]
) -> None:
    assert turns(*heard) == told


def test_a_cluster_that_is_gone_and_comes_again_begins_anew() -> None:
    chronicle = Chronicle()
    chronicle.hear([PG], {PG: BAD}, NOW)
    chronicle.hear([PG], {}, NOW + timedelta(minutes=5))
    assert not chronicle.hear([PG], {PG: GOOD}, NOW + timedelta(minutes=6))


def test_looking_again_is_no_news_nor_is_what_is_found_as_before() -> None:
    assert LOOKING.findings[0].code == "looking"
    assert turns((0, GOOD), (9, LOOKING), (12, GOOD)) == []
    assert turns((0, GOOD), (9, LOOKING), (12, BAD)) == [(Level.PROTECTED, Level.FAILING, 12)]


def test_each_turn_is_told_once_and_those_that_follow_at_once_together() -> None:
    chronicle = Chronicle()
    verdicts = {Key("prod", f"pg-{number}"): GOOD for number in range(50)}
    chronicle.hear(verdicts, verdicts, NOW)
    told = []
    for second, key in enumerate(verdicts, 300):
        now = NOW + timedelta(seconds=second)
        chronicle.hear([key], {key: BAD}, now)
        told.append(len(chronicle.news(now)))
    assert [count for count in told if count] == [1, 10, 10, 10, 10]
    assert len(chronicle.news(NOW + timedelta(hours=1))) == 9
    assert chronicle.news(NOW + timedelta(hours=2)) == ()


def a_turn(number: int) -> Turn:
    key = Key("prod", f"pg-{number}")
    return Turn(NOW, key, Level.PROTECTED, Level.FAILING, timedelta(hours=1), "film torn")


def test_a_few_turns_are_told_one_by_one_and_a_storm_in_one_sentence() -> None:
    assert summary([a_turn(1)]) == ("pg-1 protected -> failing: film torn",)
    assert len(summary([a_turn(number) for number in range(3)])) == 3
    (storm,) = summary([a_turn(number) for number in range(200)])
    assert storm == "verdicts: 200 got worse: pg-0, pg-1, pg-2 ... v shows them all"


def test_only_so_many_are_kept() -> None:
    chronicle = Chronicle()
    for number in range(KEPT + 10):
        found = BAD if number % 2 else GOOD
        chronicle.hear([PG], {PG: found}, NOW + timedelta(minutes=2 * number))
    assert len(chronicle.turns) == KEPT
