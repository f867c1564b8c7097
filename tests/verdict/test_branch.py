"""What can be restored is told as the cluster's own only where the cluster writes that timeline."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.barman.archive import BEGIN, MINUTE, Archive
from tests.verdict.test_two_witnesses import SYSTEM, instance
from tests.verdict.triage import made_up
from tui.barman import wal
from tui.barman.history import Unreadable
from tui.cnpg.instance import InstanceStatus, Passed
from tui.verdict import health, window
from tui.verdict.health import Verdict
from tui.verdict.level import Level
from tui.verdict.witnesses import Film, NotKnown

SIZE = wal.DEFAULT_SEGMENT_SIZE
NOW = BEGIN + 300 * MINUTE
LONG_AGO = BEGIN + 100 * MINUTE
NOT_ASKED = NotKnown("pods/proxy get is forbidden")


def cloned(switched: datetime = LONG_AGO) -> Archive:
    """Timeline 1 goes on, and beside it a clone's timeline 2 that left it at segment 100."""
    archive = Archive(root="prod").wal(1, range(1, 300)).wal(2, range(100, 300))
    archive.history(2, (1, 100 * SIZE + 40), at=switched)
    archive.base(1, 10, 11)
    return archive


def writes(timeline: int, *, primary: bool = True) -> InstanceStatus:
    last, following = (str(wal.at(timeline, number, SIZE)) for number in (299, 300))
    return replace(
        instance(),
        is_primary=primary,
        last_archived=Passed(last, NOW - MINUTE),
        current_wal=following if primary else "",
    )


def judged(
    archive: Archive, asked: InstanceStatus | NotKnown, *, now: datetime = NOW, **cluster: Any
) -> Verdict:
    film = archive.judge(now)
    whole = Film(archive.listed, film, window.of(film), now, now, "", frozenset({SYSTEM}))
    subject = made_up.a_cluster(**cluster)
    return health.judge(
        made_up.witnesses(cluster=subject, film=whole, instance=asked, schedules=()), now
    )


def codes(found: Verdict) -> list[str]:
    return [finding.code for finding in found.findings]


def test_wal_of_a_clone_under_our_name_is_not_taken_for_ours() -> None:
    found = judged(cloned(), writes(1))
    assert (found.level, codes(found)) == (Level.FAILING, ["other-timeline"])
    assert found.headline == "restorable is timeline 2, and the cluster writes timeline 1"
    assert "give this one a serverName of its own" in found.advice
    rung = next(each for each in found.ladder if each.code == "other-timeline")
    assert (rung.title, rung.numbers) == ("WAL whole", ("F10", "F38"))
    assert codes(judged(cloned(), writes(2))) == []


def test_where_the_instance_may_not_be_asked_the_operator_says_which_timeline_is_written() -> None:
    assert codes(judged(cloned(), NOT_ASKED, timelineID=1)) == ["other-timeline"]
    assert codes(judged(cloned(), NOT_ASKED, timelineID=2)) == []


def test_a_base_backup_of_the_branch_that_was_left_restores_nothing_of_now() -> None:
    archive = Archive(root="prod").wal(1, range(1, 200)).wal(2, range(200, 260))
    archive.history(2, (1, 200 * SIZE + 40))
    archive.base(2, 210, 211)
    archive.history(3, (1, 100 * SIZE + 40)).wal(3, range(100, 300))
    found = judged(archive, writes(3))
    assert (found.level, codes(found)) == (Level.FAILING, ["other-timeline"])
    assert found.headline == "restorable is timeline 2, and the cluster writes timeline 3"
    assert found.advice == "take a base backup now (b): it starts on timeline 3"


def test_a_newer_timeline_that_is_not_ours_must_be_kept_out_of_a_restore() -> None:
    archive = Archive(root="prod").wal(1, range(1, 300)).wal(2, range(5, 20))
    archive.history(2, (1, 5 * SIZE + 40))
    archive.base(1, 10, 11)
    found = judged(archive, writes(1))
    assert (found.level, codes(found)) == (Level.DEGRADED, ["not-latest"])
    assert 'recoveryTarget.targetTLI: "1"' in found.advice


@pytest.mark.parametrize(
    ("what", "archive", "asked", "cluster"),
    [
        ("the primary was promoted just now", cloned(NOW - 20 * MINUTE), writes(1), {}),
        ("a standby tells no timeline", cloned(), writes(1, primary=False), {"timelineID": 1}),
        (
            "a replica cluster's own timeline is of the past",
            cloned(),
            NOT_ASKED,
            {"timelineID": 1, "spec": {"replica": {"primary": "there", "source": "there"}}},
        ),
        ("a switchover is under way", cloned(), writes(1), {"targetPrimary": "pg-2"}),
        (
            "the history of a promotion is on its way",
            Archive(root="prod").wal(1, range(1, 300)),
            writes(2),
            {},
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_no_other_timeline_is_told_where(
    what: str, archive: Archive, asked: InstanceStatus, cluster: dict[str, Any]
) -> None:
    archive.base(1, 10, 11)
    assert "other-timeline" not in codes(judged(archive, asked, **cluster)), what


def test_a_history_that_never_comes_is_told_although_nothing_of_its_timeline_lands() -> None:
    archive = Archive(root="prod").wal(1, range(1, 300))
    archive.base(1, 10, 11)
    later = NOW + timedelta(hours=1)
    assert "other-timeline" in codes(judged(archive, writes(2), now=later))


def test_a_history_that_cannot_be_followed_is_not_mended_by_a_base_backup() -> None:
    archive = Archive(root="prod").wal(1, range(1, 100)).wal(2, range(100, 300))
    archive.base(1, 10, 11)
    archive.history(2, (1, 100 * SIZE + 40))
    archive.histories[2] = Unreadable(2, "line 1 is not a timeline and a switch point")
    found = judged(archive, writes(2))
    assert (found.level, codes(found)) == (Level.FAILING, ["cut-off"])
    assert found.advice.startswith("copy 00000002.history anew from the primary's pg_wal")
    archive.base(2, 200, 201)
    assert codes(judged(archive, writes(2))) == ["cut-off"]
