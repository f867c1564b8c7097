"""From when to when, with the holes in between, and what would be lost now."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.barman.archive import BEGIN, MINUTE, Archive
from tui.barman import catalog, wal
from tui.barman.path import Loss, Patience, Word
from tui.verdict import window
from tui.verdict.window import Hole, NoWindow, Stretch, Window

SIZE = wal.DEFAULT_SEGMENT_SIZE


def name(timeline: int, number: int) -> str:
    return str(wal.at(timeline, number, SIZE))


def found(archive: Archive) -> Window:
    window_ = window.of(archive.judge())
    assert isinstance(window_, Window)
    return window_


def none(archive: Archive) -> NoWindow:
    window_ = window.of(archive.judge())
    assert isinstance(window_, NoWindow)
    return window_


def test_a_window_runs_from_the_end_of_the_first_backup_to_the_last_segment() -> None:
    archive = Archive().wal(1, range(1, 100))
    ids = [archive.base(1, 10, 12), archive.base(1, 50)]
    assert found(archive) == Window(
        since=BEGIN + 12 * MINUTE,
        until=BEGIN + 99 * MINUTE,
        through=wal.segment(name(1, 99)),
        timeline=1,
        latest=True,
        bases=tuple(ids),
        holes=(),
        stretches=(
            Stretch(
                1,
                wal.segment(name(1, 10)),
                wal.segment(name(1, 99)),
                BEGIN + 12 * MINUTE,
                BEGIN + 99 * MINUTE,
            ),
        ),
        cut_by=None,
        segment_size=SIZE,
    )


def test_a_hole_in_the_wal_ends_the_window_before_it() -> None:
    archive = Archive().wal(1, set(range(1, 100)) - {40})
    archive.base(1, 10)
    cut = found(archive)
    assert cut.until == BEGIN + 39 * MINUTE
    assert str(cut.through) == name(1, 39)
    assert cut.holes == ()
    assert cut.cut_by is not None
    assert cut.cut_by.word is Word.LOST


def test_after_a_hole_the_window_goes_on_with_the_next_base_backup() -> None:
    archive = Archive().wal(1, set(range(1, 100)) - {40, 41})
    archive.base(1, 10)
    archive.base(1, 60)
    whole = found(archive)
    assert (whole.since, whole.until) == (BEGIN + 10 * MINUTE, BEGIN + 99 * MINUTE)
    (hole,) = whole.holes
    assert (hole.since, hole.until) == (BEGIN + 39 * MINUTE, BEGIN + 60 * MINUTE)
    assert hole.missing is not None
    assert str(hole.missing.first) == name(1, 40)
    assert whole.cut_by is None
    assert [(str(s.first), str(s.last)) for s in whole.stretches] == [
        (name(1, 10), name(1, 39)),
        (name(1, 42), name(1, 99)),
    ]


def test_a_moment_in_a_hole_cannot_be_restored() -> None:
    archive = Archive().wal(1, set(range(1, 100)) - {40})
    archive.base(1, 10)
    archive.base(1, 60)
    whole = found(archive)
    told = {minute: whole.holds(BEGIN + minute * MINUTE) for minute in (9, 10, 39, 45, 60, 99, 100)}
    assert told == {9: False, 10: True, 39: True, 45: False, 60: True, 99: True, 100: False}


def test_a_backup_whose_wal_the_one_before_it_also_has_makes_no_hole() -> None:
    """Its end may lie behind the last LastModified: times are rounded, clocks differ."""
    archive = Archive().wal(1, range(1, 61))
    archive.base(1, 10)
    late = BEGIN + 61 * MINUTE
    archive.base(1, 60, end=late)
    whole = found(archive)
    assert whole.holes == ()
    assert whole.until == late


def test_an_acknowledged_loss_still_ends_what_can_be_restored() -> None:
    archive = Archive().wal(1, set(range(1, 100)) - {40})
    archive.base(1, 10)
    archive.base(1, 60)
    loss = frozenset({Loss(wal.segment(name(1, 40)), wal.segment(name(1, 40)))})
    whole = window.of(archive.judge(acknowledged=loss))
    assert isinstance(whole, Window)
    assert len(whole.holes) == 1


def test_a_late_segment_ends_the_window_for_now() -> None:
    archive = Archive().wal(1, set(range(1, 100)) - {98})
    archive.base(1, 10)
    film = archive.judge(BEGIN + 100 * MINUTE, patience=Patience(10 * MINUTE, 8))
    whole = window.of(film)
    assert isinstance(whole, Window)
    assert whole.until == BEGIN + 97 * MINUTE
    assert whole.cut_by is not None
    assert whole.cut_by.word is Word.LATE


def test_stretches_follow_the_timelines() -> None:
    archive = Archive().wal(1, range(1, 18)).wal(2, range(18, 30)).history(2, (1, 18 * SIZE + 40))
    archive.base(1, 6)
    archive.base(2, 20)
    whole = found(archive)
    assert (whole.timeline, whole.latest) == (2, True)
    assert [(s.timeline, s.since, s.until) for s in whole.stretches] == [
        (1, BEGIN + 6 * MINUTE, BEGIN + 17 * MINUTE),
        (2, BEGIN + 18 * MINUTE, BEGIN + 29 * MINUTE),
    ]


def test_a_backup_on_an_abandoned_branch_adds_nothing_to_the_window() -> None:
    archive = Archive().wal(1, range(1, 60)).wal(2, range(18, 30)).history(2, (1, 18 * SIZE + 40))
    main = archive.base(1, 6)
    archive.base(1, 50)
    whole = found(archive)
    assert whole.bases == (main,)
    assert whole.until == BEGIN + 29 * MINUTE
    (branch,) = window.branches(archive.judge())
    assert (branch.timeline, branch.latest) == (1, False)
    assert (branch.since, branch.until) == (BEGIN + 50 * MINUTE, BEGIN + 59 * MINUTE)


def test_what_a_missing_history_cut_off_is_a_branch_of_its_own() -> None:
    archive = Archive().wal(1, range(1, 18)).wal(2, range(18, 30))
    archive.base(1, 6)
    archive.base(2, 20)
    film = archive.judge()
    whole = window.of(film)
    assert isinstance(whole, Window)
    assert (whole.timeline, whole.since) == (2, BEGIN + 20 * MINUTE)
    (before,) = window.branches(film)
    assert (before.timeline, before.until) == (1, BEGIN + 17 * MINUTE)
    assert before.latest, "seen from its own timeline nothing is newer"


def test_a_window_on_an_abandoned_branch_must_be_asked_for_by_its_timeline() -> None:
    archive = Archive().wal(1, range(1, 60)).wal(2, range(18, 30)).history(2, (1, 18 * SIZE + 40))
    archive.base(1, 50)
    whole = found(archive)
    assert (whole.timeline, whole.latest) == (1, False)
    assert whole.until == BEGIN + 59 * MINUTE


def test_wal_gone_by_design_after_a_standalone_backup_is_a_hole_without_a_loss() -> None:
    archive = Archive().wal(1, [6, 7, *range(60, 100)])
    kept = archive.base(1, 6, 7)
    archive.base(1, 60)
    whole = window.of(archive.judge(standalone=frozenset({kept})))
    assert isinstance(whole, Window)
    assert whole.since == BEGIN + 7 * MINUTE
    assert whole.holes == (Hole(BEGIN + 7 * MINUTE, BEGIN + 60 * MINUTE, None),)


def test_the_clock_of_data_loss() -> None:
    archive = (
        Archive().wal(1, range(1, 100)).wal(2, range(100, 110)).history(2, (1, 100 * SIZE + 1))
    )
    archive.base(1, 10)
    whole = found(archive)
    assert whole.behind(BEGIN + 120 * MINUTE) == 11 * MINUTE
    assert whole.behind(BEGIN) == timedelta(0), "another clock may be ahead of ours"
    assert whole.segments_behind(wal.segment(name(2, 109))) == 0
    assert whole.segments_behind(wal.segment(name(2, 116))) == 7
    assert whole.segments_behind(wal.segment(name(3, 111))) == 2


def test_without_a_usable_base_backup_there_is_no_window_and_a_reason() -> None:
    assert none(Archive().wal(1, range(1, 9))) == NoWindow("there is no base backup", unseen=False)
    archive = Archive().wal(1, range(1, 9))
    archive.base(1, 2, status="FAILED")
    id_ = archive.base(1, 5, status="STARTED")
    assert none(archive) == NoWindow(f"base {id_}: it is STARTED, not DONE", unseen=False)


def test_a_base_backup_not_read_yet_leaves_the_question_open() -> None:
    archive = Archive().wal(1, range(1, 9))
    id_ = archive.base(1, 2)
    archive.infos.clear()
    assert none(archive) == NoWindow(
        f"base {id_}: its backup.info has not been read yet", unseen=True
    )


@pytest.mark.parametrize("listed", [True, False])
def test_base_backups_not_listed_yet_leave_the_question_open(listed: bool) -> None:
    archive = Archive().wal(1, range(1, 9))
    known = catalog.fold(catalog.empty(""), list(archive.rows.values()))
    if listed:
        known = catalog.relisted(known, "pg/base/", catalog.empty(""))
    assert window.of(archive.judge(server=known.servers["pg"])) == (
        NoWindow("there is no base backup", unseen=False)
        if listed
        else NoWindow("the base backups have not been listed yet", unseen=True)
    )


def test_wal_behind_a_standalone_backup_is_replayed_as_far_as_it_is_there() -> None:
    archive = Archive().wal(1, range(6, 100))
    alone = frozenset({archive.base(1, 6, 7)})
    whole = window.of(archive.judge(standalone=alone))
    assert isinstance(whole, Window)
    assert (whole.until, whole.cut_by) == (BEGIN + 99 * MINUTE, None)


def test_behind_a_newest_backup_that_stands_alone_missing_wal_ends_the_window() -> None:
    """It is gone by design, and all the same nothing newer can be restored."""
    archive = Archive().wal(1, [6, 7, *range(60, 100)])
    alone = frozenset({archive.base(1, 6, 7)})
    whole = window.of(archive.judge(standalone=alone))
    assert isinstance(whole, Window)
    assert whole.until == BEGIN + 7 * MINUTE
    assert whole.cut_by is not None
    assert (whole.cut_by.word, whole.cut_by.count) == (Word.LOST, 52)
