"""Which full folders are listed again, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from tui.barman import seals
from tui.barman.seals import Seal

AT = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
FOLDERS = {(1, log): AT for log in range(4000)}
HOUR = timedelta(hours=1)


def test_the_seal_is_as_old_as_the_folder_listed_longest_ago() -> None:
    assert seals.of({(1, 1): AT, (1, 2): AT - HOUR, (2, 1): AT}) == Seal(3, AT - HOUR)
    assert seals.of({}) is None


def test_half_a_day_everything_is_trusted_and_longer_than_a_day_nothing() -> None:
    assert seals.due(FOLDERS, AT + 12 * HOUR) == []
    assert set(seals.due(FOLDERS, AT + 24 * HOUR)) == set(FOLDERS)


def test_what_was_listed_at_one_moment_comes_due_bit_by_bit() -> None:
    by_hour = [len(seals.due(FOLDERS, AT + hour * HOUR)) for hour in range(12, 25)]
    steps = [more - less for less, more in pairwise(by_hour)]
    assert all(200 <= step <= 500 for step in steps)  # a twelfth is 333


def test_neighbours_that_one_prefix_lists_come_due_together() -> None:
    due = {log for _, log in seals.due(FOLDERS, AT + 18 * HOUR)}
    assert all({log // 16 * 16 + each for each in range(16)} <= due for log in due)


def test_the_longest_trusted_come_first() -> None:
    listed = {(1, 1): AT, (1, 2): AT - HOUR, (1, 3): AT - 2 * HOUR}
    assert seals.due(listed, AT + 30 * HOUR) == [(1, 3), (1, 2), (1, 1)]


def test_what_a_clock_that_was_set_back_would_trust_for_years_is_due() -> None:
    assert seals.due({(1, 1): AT + HOUR}, AT) == [(1, 1)]
