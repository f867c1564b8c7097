"""Is the film whole, across timelines, and what is said of what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.barman.archive import BEGIN, MINUTE, Archive, said
from tui.barman import catalog, wal
from tui.barman.continuity import Reach, Stranded, Usable
from tui.barman.history import Unreadable
from tui.barman.info import Info
from tui.barman.path import Loss, Patience, Piece, Word

SIZE = wal.DEFAULT_SEGMENT_SIZE
FOUND, LATE, LOST, UNSEEN = "found", "late", "lost", "unseen"


def at(number: int, offset: int = 0xA0) -> int:
    """An LSN inside segment ``number``."""
    return number * SIZE + offset


def name(timeline: int, number: int) -> str:
    return str(wal.at(timeline, number, SIZE))


def test_an_unbroken_archive_is_whole() -> None:
    archive = Archive().wal(1, range(1, 600))
    archive.base(1, 5, 6)
    film = archive.judge()
    assert said(film.pieces) == [(FOUND, name(1, 5), name(1, 599))]
    assert film.word is Word.FOUND
    (reach,) = film.reaches
    assert reach.usable is Usable.YES
    assert str(reach.through) == name(1, 599)
    assert reach.until == BEGIN + 599 * MINUTE
    assert reach.stopped_by is None


def test_wal_before_the_first_base_backup_is_not_missed() -> None:
    archive = Archive().wal(1, [1, 3, 7, *range(20, 30)])
    archive.base(1, 20)
    assert archive.judge().word is Word.FOUND


def test_a_hole_is_lost_with_its_names_and_the_time_it_stood_for() -> None:
    archive = Archive().wal(1, [*range(1, 100), *range(105, 300)])
    archive.base(1, 1)
    film = archive.judge()
    assert film.alarms == (
        Piece(
            Word.LOST,
            wal.segment(name(1, 100)),
            wal.segment(name(1, 104)),
            5,
            BEGIN + 99 * MINUTE,
            BEGIN + 105 * MINUTE,
        ),
    )
    (reach,) = film.reaches
    assert reach.usable is Usable.YES
    assert str(reach.through) == name(1, 99)
    assert reach.stopped_by == film.alarms[0]


def test_a_whole_missing_folder_is_lost() -> None:
    archive = Archive().wal(1, [*range(1, 256), *range(512, 600)])
    archive.base(1, 1)
    assert said(archive.judge().alarms) == [(LOST, name(1, 256), name(1, 511))]


def test_a_period_does_not_run_backwards_where_segments_were_archived_again() -> None:
    archive = Archive().wal(1, range(1, 10)).wal(1, range(12, 20))
    archive.wal(1, [9], at=BEGIN + timedelta(hours=9))
    archive.base(1, 1)
    (hole,) = archive.judge().alarms
    assert hole.since == hole.until == BEGIN + 12 * MINUTE
    assert archive.judge().reaches[0].until == BEGIN + 12 * MINUTE


NOW = BEGIN + 100 * MINUTE


@pytest.mark.parametrize(
    ("missing", "newest", "word"),
    [
        (95, 99, LATE),  # a later one came five minutes ago
        (80, 99, LOST),  # a later one came nineteen minutes ago
        (90, 99, LATE),
        (84, 99, LOST),
    ],
)
def test_a_hole_near_the_end_may_still_be_on_its_way(missing: int, newest: int, word: str) -> None:
    archive = Archive().wal(1, set(range(1, newest + 1)) - {missing})
    archive.base(1, 1)
    film = archive.judge(NOW, patience=Patience(15 * MINUTE, 32))
    assert said(film.pieces)[1] == (word, name(1, missing), name(1, missing))
    assert film.word == word


def test_a_hole_far_from_the_end_is_lost_however_young() -> None:
    archive = Archive().wal(1, set(range(1, 200)) - {100}, at=NOW)
    archive.base(1, 1)
    assert archive.judge(NOW, patience=Patience(15 * MINUTE, 98)).word is Word.LOST
    assert archive.judge(NOW, patience=Patience(15 * MINUTE, 99)).word is Word.LATE


def test_an_acknowledged_loss_is_shown_and_does_not_alarm() -> None:
    archive = Archive().wal(1, set(range(1, 50)) - {20, 21, 22, 30})
    archive.base(1, 1)
    lost = Loss(wal.segment(name(1, 20)), wal.segment(name(1, 22)))
    film = archive.judge(acknowledged=frozenset({lost}))
    assert [
        (str(piece.first), piece.acknowledged) for piece in film.pieces if piece.word is Word.LOST
    ] == [
        (name(1, 20), True),
        (name(1, 30), False),
    ]
    assert said(film.alarms) == [(LOST, name(1, 30), name(1, 30))]
    other = Loss(wal.segment(name(1, 30)), wal.segment(name(1, 30)))
    film = archive.judge(acknowledged=frozenset({lost, other}))
    assert film.alarms == ()
    assert film.reaches[0].stopped_by is not None
    assert film.word is Word.LOST  # what lies behind it cannot be restored all the same ...
    archive.base(1, 40)
    assert archive.judge(acknowledged=frozenset({lost, other})).word is Word.FOUND  # ... until now


def test_a_loss_that_grew_alarms_again() -> None:
    archive = Archive().wal(1, set(range(1, 50)) - {20, 21, 22, 23})
    archive.base(1, 1)
    lost = Loss(wal.segment(name(1, 20)), wal.segment(name(1, 22)))
    assert said(archive.judge(acknowledged=frozenset({lost})).alarms) == [
        (LOST, name(1, 20), name(1, 23))
    ]


def test_acknowledgements_side_by_side_cover_a_hole_together() -> None:
    archive = Archive().wal(1, set(range(1, 50)) - {20, 21, 22})
    archive.base(1, 1)
    losses = {
        Loss(wal.segment(name(1, 21)), wal.segment(name(1, 30))),
        Loss(wal.segment(name(1, 19)), wal.segment(name(1, 20))),
        Loss(wal.segment(name(2, 19)), wal.segment(name(2, 30))),
    }
    assert archive.judge(acknowledged=frozenset(losses)).alarms == ()


# Timelines


def test_the_segment_of_the_switch_is_wanted_from_the_child() -> None:
    archive = Archive().wal(1, range(1, 18)).wal(2, range(18, 30)).history(2, (1, at(18)))
    archive.put(archive.key(1, 18, ".partial.gz"))
    archive.base(1, 6)
    film = archive.judge()
    assert said(film.pieces) == [
        (FOUND, name(1, 6), name(1, 17)),
        (FOUND, name(2, 18), name(2, 29)),
    ]
    assert film.word is Word.FOUND
    assert film.reaches[0].latest
    assert film.reaches[0].target == 2


def test_a_switch_at_a_boundary_wants_the_whole_segment_before_it_from_the_parent() -> None:
    archive = Archive().wal(1, range(1, 17)).wal(2, range(18, 30)).history(2, (1, at(18, 0)))
    archive.base(1, 6)
    assert said(archive.judge().alarms) == [(LOST, name(1, 17), name(1, 17))]


def test_what_the_old_primary_wrote_after_the_switch_does_not_matter() -> None:
    archive = Archive().wal(1, range(1, 40)).wal(2, range(18, 30)).history(2, (1, at(18)))
    archive.base(1, 6)
    film = archive.judge()
    assert said(film.pieces) == [
        (FOUND, name(1, 6), name(1, 17)),
        (FOUND, name(2, 18), name(2, 29)),
    ]


def test_the_parents_copy_of_the_switch_segment_does_not_replace_the_childs() -> None:
    archive = Archive().wal(1, range(1, 19)).wal(2, range(19, 30)).history(2, (1, at(18)))
    archive.base(1, 6)
    assert said(archive.judge().alarms) == [(LOST, name(2, 18), name(2, 18))]


def test_a_promotion_that_has_archived_nothing_yet_is_whole() -> None:
    promoted = BEGIN + 18 * MINUTE
    archive = Archive().wal(1, range(1, 18)).history(2, (1, at(18)), at=promoted)
    archive.put(archive.key(1, 18, ".partial.gz"), at=promoted)
    archive.base(1, 6)
    film = archive.judge()
    assert said(film.pieces) == [(FOUND, name(1, 6), name(1, 17))]
    assert film.word is Word.FOUND
    (reach,) = film.reaches
    assert (reach.target, str(reach.through)) == (2, name(1, 17))
    assert reach.until == promoted, "the partial segment is restored too"


def test_the_parents_last_segments_may_be_late_after_a_promotion() -> None:
    promoted = NOW - MINUTE
    archive = Archive().wal(1, range(1, 16)).history(2, (1, at(18)), at=promoted)
    archive.base(1, 6)
    assert said(archive.judge(NOW).pieces)[1:] == [(LATE, name(1, 16), name(1, 17))]
    assert said(archive.judge(NOW + timedelta(hours=1)).pieces)[1:] == [
        (LOST, name(1, 16), name(1, 17))
    ]


def test_the_partial_segment_of_a_demoted_cluster_is_reached() -> None:
    archive = Archive().wal(1, range(1, 18))
    archive.put(archive.key(1, 18, ".partial.gz"), at=NOW)
    archive.base(1, 6)
    assert archive.judge().reaches[0].until == NOW


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([(1, at(18)), (2, at(18, 0xB0)), (3, at(18, 0xC0))], id="all in one segment"),
        pytest.param([(1, at(18)), (2, at(18)), (3, at(18))], id="all at one LSN"),
        pytest.param([(1, at(18, 0)), (2, at(18, 0)), (3, at(18, 0x10))], id="from the boundary"),
    ],
)
def test_fast_switches_without_any_segment_are_no_loss(lines: list[tuple[int, int]]) -> None:
    archive = Archive().wal(1, range(1, 18)).wal(4, range(18, 30))
    for timeline in (2, 3, 4):
        archive.history(timeline, *lines[: timeline - 1])
        archive.put(archive.key(timeline, 18, ".partial.gz"))
    archive.base(1, 6)
    film = archive.judge()
    assert film.word is Word.FOUND
    assert said(film.pieces) == [
        (FOUND, name(1, 6), name(1, 17)),
        (FOUND, name(4, 18), name(4, 29)),
    ]


def test_a_timeline_of_one_segment_between_two_is_asked_for_it() -> None:
    """The archive of wal-g issue 1390: timeline 6 lived inside one segment and archived none."""
    archive = Archive().wal(4, range(1, 0x58)).wal(5, [0x58]).wal(7, range(0x59, 0x70))
    lines = [(4, at(0x58, 0)), (5, at(0x59, 0)), (6, at(0x59, 0x98))]
    for timeline in (5, 6, 7):
        archive.history(timeline, *lines[: timeline - 4])
    archive.base(4, 6)
    film = archive.judge()
    assert said(film.pieces) == [
        (FOUND, name(4, 6), name(4, 0x57)),
        (FOUND, name(5, 0x58), name(5, 0x58)),
        (FOUND, name(7, 0x59), name(7, 0x6F)),
    ]
    assert film.word is Word.FOUND


def test_a_base_backup_of_the_parent_may_begin_in_the_segment_of_the_switch() -> None:
    archive = Archive().wal(1, range(1, 18)).wal(2, range(18, 30)).history(2, (1, at(18, 0x1000)))
    archive.base(1, 18)
    assert archive.judge().reaches[0].usable is Usable.NO
    archive.put(archive.key(1, 18, ".partial.gz"))
    (reach,) = archive.judge().reaches
    assert (reach.usable, reach.target) == (Usable.YES, 2)


def test_a_standby_may_be_backed_up_across_the_promotion_of_another() -> None:
    """It follows the new primary: the backup ends on a younger timeline than it began on."""
    archive = Archive().wal(1, range(1, 18)).wal(2, range(18, 40)).history(2, (1, at(18)))
    base = archive.base(1, 15, 22)
    told = archive.infos[base]
    assert isinstance(told, Info)
    archive.infos[base] = replace(told, end_wal=wal.at(2, 22, SIZE))
    (reach,) = archive.judge().reaches
    assert (reach.usable, reach.target, reach.latest) == (Usable.YES, 2, True)
    assert str(reach.through) == name(2, 39)
    archive.infos[base] = replace(told, end_wal=wal.at(3, 22, SIZE))
    assert archive.judge().reaches[0].usable is not Usable.YES


def test_a_restore_from_an_abandoned_branch_must_name_its_timeline() -> None:
    archive = Archive().wal(1, range(1, 40)).wal(2, range(18, 60)).history(2, (1, at(18)))
    main, branch = archive.base(1, 6), archive.base(1, 25)
    film = archive.judge()
    assert [(reach.base, reach.target, reach.latest) for reach in film.reaches] == [
        (main, 2, True),
        (branch, 1, False),
    ]
    assert film.target == 2
    assert [reach.usable for reach in film.reaches] == [Usable.YES, Usable.YES]


def test_a_backup_that_ended_after_the_switch_is_not_on_the_childs_history() -> None:
    archive = Archive().wal(1, range(1, 40)).wal(2, range(18, 60)).history(2, (1, at(18)))
    archive.base(1, 16, 20)
    assert archive.judge().reaches[0].target == 1


def test_a_missing_history_strands_the_timelines_behind_it() -> None:
    archive = Archive().wal(1, range(1, 18)).wal(2, range(18, 30)).wal(3, range(30, 40))
    archive.history(3, (1, at(18)), (2, at(30)))
    old = archive.base(1, 6)
    film = archive.judge()
    assert film.stranded == (
        Stranded(2, "00000002.history is missing", (old,)),
        Stranded(3, "00000002.history is missing", (old,)),
    )
    assert film.word is Word.LOST
    new = archive.base(3, 32)
    film = archive.judge()
    assert [each.bases for each in film.stranded] == [(old,), (old,)]
    assert film.word is Word.FOUND, "the newest base backup leads to the newest segment"
    assert [(reach.base, reach.target) for reach in film.reaches] == [(old, 1), (new, 3)]


def test_a_missing_history_strands_a_standalone_backup_too() -> None:
    archive = Archive().wal(1, range(1, 18)).wal(2, range(18, 30))
    base = archive.base(1, 6)
    film = archive.judge(standalone=frozenset({base}))
    assert film.cut_off == (Stranded(2, "00000002.history is missing", (base,)),)


def test_an_archive_begun_on_a_later_timeline_misses_no_history() -> None:
    archive = Archive().wal(7, range(100, 200))
    archive.base(7, 101)
    film = archive.judge()
    assert film.word is Word.FOUND
    assert film.stranded == ()


def test_a_history_that_cannot_be_followed_strands_its_timeline() -> None:
    archive = Archive().wal(1, range(1, 30)).wal(2, range(18, 30)).history(2, (1, at(18)))
    archive.histories[2] = Unreadable(2, "line 1 is not a timeline and a switch point")
    id_ = archive.base(1, 6)
    film = archive.judge()
    why = "00000002.history cannot be followed: line 1 is not a timeline and a switch point"
    assert film.stranded == (Stranded(2, why, (id_,), corrupt=True),)
    assert (film.reaches[0].target, film.reaches[0].latest) == (1, False)


def test_a_base_backup_on_a_timeline_whose_history_cannot_be_followed_is_not_usable() -> None:
    """PostgreSQL does without a history that is not there, and stops at one that is no history."""
    archive = Archive().wal(2, range(18, 30))
    archive.base(2, 19, 20)
    assert archive.judge().reaches[0].usable is Usable.YES
    archive.history(2, (1, at(18)))
    archive.histories[2] = Unreadable(2, "line 1 is not a timeline and a switch point")
    (reach,) = archive.judge().reaches
    assert reach.usable is Usable.NO
    assert reach.why.startswith("00000002.history cannot be followed: line 1 is not")


def test_another_branch_is_not_stranded() -> None:
    archive = Archive().wal(1, range(1, 18)).wal(2, range(18, 30)).wal(3, range(10, 40))
    archive.history(2, (1, at(18))).history(3, (1, at(10)))
    archive.base(1, 6)
    film = archive.judge()
    assert film.stranded == ()
    assert said(film.pieces) == [(FOUND, name(1, 6), name(1, 9)), (FOUND, name(3, 10), name(3, 39))]


# What has not been looked at


def test_nothing_is_missing_in_a_folder_that_is_not_listed_yet() -> None:
    archive = Archive().wal(1, [*range(1, 256), *range(600, 768)])
    archive.base(1, 1)
    folders = [f"000000010000000{log}" for log in range(3)]
    server = catalog.announce(archive.catalog(), "pg", folders).servers["pg"]
    film = archive.judge(server=server)
    assert said(film.pieces) == [
        (FOUND, name(1, 1), name(1, 255)),
        (UNSEEN, name(1, 256), name(1, 511)),
        (LOST, name(1, 512), name(1, 599)),
        (FOUND, name(1, 600), name(1, 767)),
    ]
    assert film.reaches[0].usable is Usable.YES


def test_the_newest_folder_not_listed_yet_is_unseen_and_hides_what_is_before_it() -> None:
    archive = Archive().wal(1, range(1, 250))
    archive.base(1, 1)
    server = catalog.announce(
        archive.catalog(), "pg", ["0000000100000000", "0000000100000001"]
    ).servers["pg"]
    film = archive.judge(server=server)
    assert said(film.pieces) == [
        (FOUND, name(1, 1), name(1, 249)),
        (UNSEEN, name(1, 250), name(1, 255)),
        (UNSEEN, name(1, 256), name(1, 511)),
    ]
    assert film.word is Word.UNSEEN


def test_a_history_not_read_yet_leaves_the_way_open() -> None:
    archive = (
        Archive().wal(1, range(1, 18)).wal(2, range(18, 30)).history(2, (1, at(18)), read=False)
    )
    archive.base(1, 6)
    film = archive.judge()
    (reach,) = film.reaches
    assert (reach.usable, reach.why) == (Usable.UNSEEN, "00000002.history has not been read yet")
    assert film.word is Word.UNSEEN
    assert film.pieces == ()


def test_a_history_not_read_yet_does_not_matter_to_a_backup_on_its_timeline() -> None:
    archive = Archive().wal(2, range(18, 30)).history(2, (1, at(18)), read=False)
    archive.base(2, 19)
    assert archive.judge().word is Word.FOUND


def test_before_any_wal_is_listed_nothing_is_said_of_it() -> None:
    archive = Archive()
    archive.base(1, 6)
    rows = list(archive.rows.values())
    server = catalog.fold(catalog.empty(""), rows).servers["pg"]
    (reach,) = archive.judge(server=server).reaches
    assert (reach.usable, reach.why) == (Usable.UNSEEN, "the WAL has not been listed yet")


# Base backups


def only(archive: Archive) -> Reach:
    (reach,) = archive.judge().reaches
    return reach


@pytest.mark.parametrize(
    ("status", "usable", "why"),
    [
        ("STARTED", Usable.NOT_YET, "it is STARTED, not DONE"),
        ("WAITING_FOR_WALS", Usable.NOT_YET, "it is WAITING_FOR_WALS, not DONE"),
        ("EMPTY", Usable.NOT_YET, "it is EMPTY, not DONE"),
        ("FAILED", Usable.NO, "it failed: backup.info gives no reason"),
    ],
)
def test_only_a_finished_base_backup_is_usable(status: str, usable: Usable, why: str) -> None:
    archive = Archive().wal(1, range(1, 30))
    archive.base(1, 6, status=status)
    reach = only(archive)
    assert (reach.usable, reach.why) == (usable, why)


def test_a_base_backup_without_its_data_is_not_usable() -> None:
    archive = Archive().wal(1, range(1, 30))
    archive.base(1, 6, files=("16389.tar.gz",))
    assert only(archive).why == "data.tar is missing"


def test_a_base_backup_without_backup_info_is_not_usable() -> None:
    archive = Archive().wal(1, range(1, 30))
    id_ = archive.base(1, 6)
    del archive.rows[f"pg/base/{id_}/backup.info"]
    assert (only(archive).usable, only(archive).why) == (Usable.NO, "it has no backup.info")


def test_a_base_backup_whose_backup_info_is_not_read_yet_is_unseen() -> None:
    archive = Archive().wal(1, range(1, 30))
    id_ = archive.base(1, 6)
    del archive.infos[id_]
    assert only(archive).usable is Usable.UNSEEN
    assert archive.judge().word is Word.UNSEEN


def test_a_base_backup_whose_own_wal_is_lost_is_not_usable_and_the_loss_alarms() -> None:
    archive = Archive().wal(1, [5, 6, 8, *range(9, 40)])
    archive.base(1, 6, 8)
    reach = only(archive)
    assert (reach.usable, reach.why) == (Usable.NO, f"{name(1, 7)}, which it needs, is lost")
    assert said(archive.judge().alarms) == [(LOST, name(1, 7), name(1, 7))]


def test_a_base_backup_waits_for_the_end_of_its_wal() -> None:
    archive = Archive().wal(1, range(1, 8))
    archive.base(1, 6, 8)
    reach = only(archive)
    assert reach.usable is Usable.NOT_YET
    assert reach.why == f"it needs WAL up to {name(1, 8)}, which is not there yet"


def test_a_base_backup_in_an_empty_archive_waits_for_its_wal() -> None:
    archive = Archive()
    archive.base(1, 6)
    assert only(archive).usable is Usable.NOT_YET


def test_a_base_backup_that_began_before_its_timeline_did_is_not_usable() -> None:
    archive = Archive().wal(2, range(1, 30)).history(2, (1, at(18)))
    archive.base(2, 6)
    assert only(archive).why == "it began before its timeline 2 did"


def test_a_later_base_backup_is_not_cut_by_an_earlier_loss() -> None:
    archive = Archive().wal(1, set(range(1, 100)) - {50})
    archive.base(1, 6)
    archive.base(1, 60)
    first, second = archive.judge().reaches
    assert str(first.through) == name(1, 49)
    assert first.until == BEGIN + 49 * MINUTE
    assert second.stopped_by is None
    assert second.until == BEGIN + 99 * MINUTE


def test_wal_after_a_standalone_backup_may_be_gone() -> None:
    archive = Archive().wal(1, [6, 7, *range(60, 100)])
    kept, other = archive.base(1, 6, 7), archive.base(1, 60)
    film = archive.judge(standalone=frozenset({kept}))
    assert film.word is Word.FOUND
    assert [(reach.base, reach.usable) for reach in film.reaches] == [
        (kept, Usable.YES),
        (other, Usable.YES),
    ]
    assert str(film.reaches[0].through) == name(1, 7)
    assert film.reaches[0].until == film.reaches[0].end_time
    assert archive.judge().word is Word.LOST


def test_a_window_is_not_over_before_its_backup_is() -> None:
    """Segments copied from elsewhere may be dated before the backup that needs them."""
    archive = Archive().wal(1, range(1, 30), at=BEGIN - timedelta(days=10))
    archive.base(1, 6)
    reach = only(archive)
    assert reach.until == reach.end_time
