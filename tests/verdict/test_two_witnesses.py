"""Green takes two witnesses: archives of real names and times beside what the operator says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.barman.archive import BEGIN, MINUTE, Archive
from tui.barman import catalog, continuity, info, path, wal
from tui.barman.path import Loss, Word
from tui.cnpg import cluster, store
from tui.cnpg.instance import InstanceStatus, Passed
from tui.cnpg.manifest import BARMAN_PLUGIN, Key
from tui.verdict import health, window
from tui.verdict.health import Level, Verdict
from tui.verdict.triage.rung import State
from tui.verdict.window import NoWindow
from tui.verdict.witnesses import Film, NotKnown, Witnesses

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
BASE = "20261122T020000"
SYSTEM = "7575757575757575757"


def name(number: int) -> str:
    return f"0000000100000000{number:08X}"


def backup_info(begin: int = 2, end: int = 3) -> bytes:
    return f"""backup_label=None
begin_offset=40
begin_time=2026-11-22 02:00:00.000000+00:00
begin_wal={name(begin)}
begin_xlog=0/{begin:X}000028
end_offset=280
end_time=2026-11-22 02:10:00.000000+00:00
end_wal={name(end)}
end_xlog=0/{end:X}000118
status=DONE
systemid={SYSTEM}
timeline=1
version=160003
xlog_segment_size=16777216
""".encode()


def film(
    last: int = 60,
    *,
    missing: tuple[int, ...] = (),
    newest: datetime = NOW - timedelta(seconds=38),
    with_base: bool = True,
    promoted: bool = False,
    **more: Any,
) -> Film:
    """An archive of segments 1..last, the newest at ``newest`` and one a minute before it;
    ``promoted``: and one of a second timeline, without the history that leads there."""
    page = [
        (
            f"prod/pg/wals/{name(number)[:16]}/{name(number)}.gz",
            1000,
            newest - timedelta(minutes=12 * (last - number)),
            "e",
        )
        for number in range(1, last + 1)
        if number not in missing
    ]
    if promoted:
        following = f"0000000200000000{last + 1:08X}"
        page.append((f"prod/pg/wals/{following[:16]}/{following}.gz", 1000, newest, "e"))
    infos: dict[str, info.Info | info.Unreadable] = {}
    if with_base:
        at = datetime(2026, 11, 22, 2, 10, tzinfo=UTC)
        page += [
            (f"prod/pg/base/{BASE}/backup.info", 1400, at, "i"),
            (f"prod/pg/base/{BASE}/data.tar.gz", 10**9, at, "d"),
        ]
        infos[BASE] = info.parse(backup_info())
    whole = catalog.relisted(
        catalog.empty("prod"), "prod/pg/", catalog.fold(catalog.empty("prod"), page)
    )
    server = whole.servers["pg"]
    found = continuity.judge(server, infos, {}, now=NOW, patience=path.PATIENCE)
    return replace(
        Film(
            server, found, window.of(found), NOW, NOW, "", frozenset({SYSTEM} if with_base else ())
        ),
        **more,
    )


def instance(archived: int = 60, waiting: int = 0, at: datetime | None = None) -> InstanceStatus:
    return InstanceStatus(
        at=NOW,
        is_primary=True,
        is_archiving=True,
        last_archived=Passed(name(archived), at or NOW - timedelta(minutes=5)),
        last_failed=None,
        waiting=waiting,
        current_wal=name(archived + 1),
        timeline=1,
        system_id=SYSTEM,
    )


def verdict(
    seen: Film | NotKnown,
    asked: InstanceStatus | NotKnown | None = None,
    *,
    archiving: str = "True",
    since: str = "2026-11-20T00:00:00Z",
    created: str = "2026-01-01T00:00:00Z",
    unheard_since: datetime | None = None,
    queue_before: tuple[InstanceStatus, ...] = (),
    **status: Any,
) -> Verdict:
    plugin = {
        "name": BARMAN_PLUGIN,
        "isWALArchiver": True,
        "parameters": {"barmanObjectName": "r2"},
    }
    condition = {"type": "ContinuousArchiving", "status": archiving, "lastTransitionTime": since}
    subject = cluster.read(
        {
            "metadata": {"name": "pg", "namespace": "prod", "creationTimestamp": created},
            "spec": {"plugins": [plugin]},
            "status": {"conditions": [condition], "systemID": SYSTEM, **status},
        }
    )
    kept = store.read(
        {"metadata": {"name": "r2", "namespace": "prod"}, "spec": {"configuration": {}}}
    )
    told = Witnesses(
        subject,
        kept,
        (),
        (),
        seen,
        asked or instance(),
        NotKnown(""),
        queue_before=queue_before,
        unheard_since=unheard_since,
    )
    return health.judge(told, NOW)


def codes(found: Verdict) -> list[str]:
    return [finding.code for finding in found.findings]


def test_two_witnesses_that_agree_are_green_and_say_from_when_to_when() -> None:
    found = verdict(film())
    assert (found.level, found.findings) == (Level.PROTECTED, ())
    assert found.headline == "restorable from 02:10:00Z to 13:59:22Z, 38s behind"


def test_without_the_bucket_the_operator_alone_is_not_green() -> None:
    found = verdict(NotKnown("secrets get is forbidden"))
    assert found.level is not Level.PROTECTED
    assert any("secrets get is forbidden" in item.text for item in found.evidence)


@pytest.mark.parametrize(
    ("skew", "how"),
    [(timedelta(minutes=7), "7m behind"), (timedelta(minutes=-20), "20m ahead of")],
)
def test_a_clock_of_ours_that_is_off_lets_nothing_be_called_fresh(
    skew: timedelta, how: str
) -> None:
    found = verdict(replace(film(), skew=skew))
    said = f"this machine's clock is {how} the store's"
    assert (found.level, found.word, found.headline) == (Level.UNKNOWN, "clocks differ", said)
    assert said in [item.text for item in found.evidence]
    assert "set this machine's clock" in found.advice
    rung = next(each for each in found.ladder if each.code == "clocks-differ")
    assert (rung.title, rung.numbers) == ("endpoint reached", ("F40",))


@pytest.mark.parametrize(("seconds", "lines"), [(0, 0), (-20, 0), (59, 0), (100, 1), (-100, 1)])
def test_a_store_that_is_some_seconds_off_raises_no_alarm(seconds: int, lines: int) -> None:
    found = verdict(replace(film(), skew=timedelta(seconds=seconds)))
    assert (found.level, found.findings) == (Level.PROTECTED, ())
    assert len([item for item in found.evidence if item.source == "clock"]) == lines


def test_condition_true_and_nothing_lands_fails() -> None:
    landed_nothing = instance(archived=99)
    found = verdict(film(), landed_nothing)
    assert (found.level, found.findings[0].code) == (Level.FAILING, "does-not-land")
    assert name(99) in found.advice


def test_condition_false_from_long_ago_while_everything_lands_is_a_disagreement() -> None:
    found = verdict(film(), archiving="False", since="2026-11-20T00:00:00Z")
    assert (found.level, found.findings[0].code) == (Level.DEGRADED, "witnesses-disagree")


SINCE_NOON: dict[str, Any] = {"archiving": "False", "since": "2026-11-22T12:00:00Z"}


@pytest.mark.parametrize(
    "asked",
    [instance(waiting=20), NotKnown("pods/proxy get is forbidden")],
    ids=["waits", "not asked"],
)
def test_wal_that_landed_once_since_it_fails_and_never_again_is_no_disagreement(
    asked: InstanceStatus | NotKnown,
) -> None:
    found = verdict(film(newest=NOW - timedelta(minutes=115)), asked, **SINCE_NOON)
    assert (found.level, codes(found)) == (Level.FAILING, ["archiving-fails"])
    assert found.headline == "WAL has not reached the bucket since 12:05:00Z (115m)"


def test_where_nothing_waits_the_condition_is_of_the_past() -> None:
    found = verdict(film(newest=NOW - timedelta(minutes=115)), instance(), **SINCE_NOON)
    assert codes(found) == ["witnesses-disagree"]


def test_failing_archiving_is_dated_by_what_landed_last() -> None:
    late = film(newest=NOW - timedelta(hours=2, minutes=43))
    found = verdict(late, archiving="False", since="2026-11-22T11:24:02Z")
    assert found.level is Level.FAILING
    assert found.headline == "WAL has not reached the bucket since 11:17:00Z (163m)"


def test_wal_missing_after_the_last_base_backup_tears_the_film() -> None:
    found = verdict(film(missing=(20, 21)))
    assert (found.level, found.findings[0].code) == (Level.FAILING, "torn-film")
    assert "2 segments of WAL lost" in found.headline
    assert f"{name(20)} .. {name(21)}" in found.advice


def test_an_acknowledged_hole_is_green_and_never_called_restorable() -> None:
    newest = (NOW - BEGIN) // MINUTE - 1
    gone = wal.at(1, newest - 30, wal.DEFAULT_SEGMENT_SIZE)
    archive = Archive().wal(1, set(range(newest - 90, newest + 1)) - {newest - 30})
    archive.base(1, newest - 80)
    archive.base(1, newest - 10)
    torn = archive.judge(NOW, acknowledged=frozenset({Loss(gone, gone)}))
    seen = Film(archive.listed, torn, window.of(torn), NOW, NOW, "", frozenset())
    found = verdict(seen, NotKnown("not asked"))
    assert (found.level, found.findings) == (Level.PROTECTED, ())
    assert found.headline == "restorable from 12:39:00Z to 13:59:00Z, 1 hole, 60s behind"
    told = {item.source: item.text for item in found.evidence}
    assert "1 segment lost, acknowledged, restorable from 12:39:00Z" in told["bucket"]
    assert "but not from 13:28:00Z to 13:49:00Z" in told["bucket"]
    rungs = {rung.title: rung.evidence for rung in found.ladder}
    assert rungs["WAL whole"].endswith("but for 1 segment lost, acknowledged")
    assert "but not from 13:28:00Z to 13:49:00Z; " in rungs["window"]


def test_acknowledging_a_loss_behind_the_last_base_backup_makes_nothing_green() -> None:
    newest = (NOW - BEGIN) // MINUTE - 1
    gone = wal.at(1, newest - 30, wal.DEFAULT_SEGMENT_SIZE)
    archive = Archive().wal(1, set(range(newest - 90, newest + 1)) - {newest - 30})
    archive.base(1, newest - 80)
    torn = archive.judge(NOW, acknowledged=frozenset({Loss(gone, gone)}))
    assert torn.word is Word.LOST
    seen = Film(archive.listed, torn, window.of(torn), NOW, NOW, "", frozenset())
    found = verdict(seen, NotKnown("not asked"))
    assert (found.level, found.findings[0].code) == (Level.FAILING, "torn-film")
    assert found.headline == "restorable only to 13:28:00Z: 1 segment of WAL lost"
    assert "take a base backup now (b)" in found.advice


def test_wal_of_a_timeline_whose_history_never_came_cannot_be_restored() -> None:
    found = verdict(film(promoted=True))
    assert (found.level, codes(found)) == (Level.FAILING, ["cut-off"])
    assert found.headline == "WAL of timeline 2 cannot be restored: 00000002.history is missing"
    assert found.advice == "take a base backup now (b): it starts on timeline 2"


def test_a_history_is_not_missed_before_everything_has_been_looked_at() -> None:
    assert "cut-off" not in codes(verdict(film(promoted=True, whole=None)))


def test_wal_without_any_base_backup_restores_nothing() -> None:
    found = verdict(film(with_base=False))
    assert (found.level, found.findings[0].code) == (Level.FAILING, "nothing-restorable")


def test_an_archive_without_a_base_backup_is_not_called_whole() -> None:
    found = verdict(film(with_base=False))
    (told,) = (item.text for item in found.evidence if item.source == "bucket")
    assert told.endswith(", no usable base backup")


def test_a_new_cluster_before_its_first_base_backup_raises_no_alarm() -> None:
    found = verdict(film(with_base=False), created="2026-11-22T13:00:00Z")
    assert (found.level, found.findings[0].code) == (Level.UNKNOWN, "first-backup-due")


def test_a_look_that_is_not_complete_is_not_green() -> None:
    assert verdict(film(whole=None)).level is Level.UNKNOWN


def test_a_look_that_is_old_says_nothing_about_now() -> None:
    found = verdict(film(at=NOW - timedelta(minutes=11), trouble="the store does not answer"))
    assert found.level is not Level.PROTECTED
    assert "stale" in codes(found)


def test_an_operator_not_heard_for_long_says_nothing_about_now() -> None:
    assert verdict(film(), unheard_since=NOW - timedelta(minutes=9)).level is Level.PROTECTED
    found = verdict(film(), unheard_since=NOW - timedelta(minutes=11))
    assert (found.level, codes(found)) == (Level.UNKNOWN, ["server-silent"])


def test_an_idle_database_is_green_when_the_instance_says_that_nothing_waits() -> None:
    found = verdict(film(newest=NOW - timedelta(hours=3)), instance(at=NOW - timedelta(hours=3)))
    assert found.level is Level.PROTECTED


def test_the_same_quiet_is_unknown_when_the_instance_could_not_be_asked() -> None:
    found = verdict(film(newest=NOW - timedelta(hours=3)), NotKnown("pods/proxy get is forbidden"))
    assert (found.level, found.findings[0].code) == (Level.UNKNOWN, "quiet")


def test_archiving_that_hangs_without_failing_is_found_by_the_queue() -> None:
    found = verdict(film(newest=NOW - timedelta(hours=3)), instance(waiting=12))
    assert (found.level, found.findings[0].code) == (Level.FAILING, "hangs")


def test_another_cluster_on_the_same_path_fails() -> None:
    found = verdict(film(shared_with=(Key("staging", "pg"),)))
    assert found.findings[0].code == "server-name-clash"
    assert "staging/pg uses the same path" in found.advice


def test_base_backups_of_a_foreign_system_fail() -> None:
    assert verdict(film(system_ids=frozenset({"1"}))).findings[0].code == "server-name-clash"


def test_base_backups_of_two_systems_fail_even_where_our_own_id_is_not_known() -> None:
    nameless = replace(instance(), system_id="")
    two = verdict(film(system_ids=frozenset({"1", "2"})), nameless, systemID="")
    assert two.findings[0].code == "server-name-clash"
    assert two.findings[0].advice == "base backups there have system id 1, 2, ours is not known"
    assert verdict(film(), nameless, systemID="").level is Level.PROTECTED


def test_where_the_operator_tells_no_system_id_the_instance_does() -> None:
    found = verdict(film(system_ids=frozenset({"1"})), systemID="")
    assert found.findings[0].code == "server-name-clash"
    assert found.findings[0].advice == f"base backups there have system id 1, ours is {SYSTEM}"


@pytest.mark.parametrize("waiting", [0, 31])
def test_a_short_queue_is_no_finding(waiting: int) -> None:
    assert verdict(film(), instance(waiting=waiting)).level is Level.PROTECTED


def test_a_long_queue_degrades() -> None:
    assert codes(verdict(film(), instance(waiting=163))) == ["queue-grows"]


def test_every_headline_fits_seventy_characters() -> None:
    films: list[Film | NotKnown] = [
        film(), film(missing=(20,)), film(with_base=False), film(whole=None),
        film(newest=NOW - timedelta(days=400)), NotKnown("x" * 200),
    ]  # fmt: skip
    for seen in films:
        for asked in (instance(), instance(99), instance(waiting=10**6), NotKnown("")):
            for archiving in ("True", "False"):
                for finding in verdict(seen, asked, archiving=archiving).findings:
                    assert len(finding.headline) <= 70, finding.headline


def test_what_would_be_lost_with_the_primary_is_said_in_time_and_segments() -> None:
    told = {item.source: item.text for item in verdict(film()).evidence}
    assert told["at risk"] == "38s of changes, 1 segment, if the primary vanished now"
    alone = {item.source: item.text for item in verdict(film(), NotKnown("not asked")).evidence}
    assert alone["at risk"] == "38s of changes, if the primary vanished now"


def test_a_segment_is_not_missed_before_everything_has_been_looked_at() -> None:
    missing = instance(archived=99, at=NOW - timedelta(minutes=5))
    assert codes(verdict(film(), missing)) == ["does-not-land"]
    assert codes(verdict(film(whole=None), missing)) == ["looking"]


def test_what_is_at_risk_grows_with_the_clock_and_nothing_need_be_said() -> None:
    found = verdict(film(newest=NOW - timedelta(seconds=161)), instance(archived=66))
    line = next(item for item in found.evidence if item.source == "at risk")
    assert line.said(NOW) == "2m41s of changes, 7 segments, if the primary vanished now"
    later = line.said(NOW + timedelta(minutes=1))
    assert later == "3m41s of changes, 7 segments, if the primary vanished now"
    rung = next(rung for rung in found.ladder if rung.code == "window")
    assert rung.evidence.endswith("; 2m41s of changes, 7 segments at risk")


UNSEEN = NoWindow("the base backups have not been listed yet", unseen=True)


@pytest.mark.parametrize("switching", [False, True])
@pytest.mark.parametrize("archiving", ["True", "False", "Unknown"])
@pytest.mark.parametrize(
    "seen",
    [
        NotKnown(""),
        NotKnown("secrets get is forbidden"),
        film(whole=None, window=UNSEEN),
        film(whole=None, window=UNSEEN, trouble="the store does not answer"),
        film(whole=None),
        film(with_base=False),
    ],
)
def test_without_the_buckets_whole_word_something_is_said_and_nothing_is_green(
    seen: Film | NotKnown, archiving: str, switching: bool
) -> None:
    target = "pg-2" if switching else "pg-1"
    for asked in (instance(), NotKnown("not asked")):
        found = verdict(
            seen, asked, archiving=archiving, currentPrimary="pg-1", targetPrimary=target
        )
        assert found.findings
        assert found.level is not Level.PROTECTED


def quiet(hours: float = 3, **heard: Any) -> tuple[Film, InstanceStatus]:
    """Nothing landed for hours, and PostgreSQL says the same of what it archived."""
    since = NOW - timedelta(hours=hours)
    return film(newest=since), replace(instance(at=since), **heard)


def test_a_designated_primary_tells_no_queue_so_that_quiet_may_be_stuck() -> None:
    """Its WAL comes from another cluster: ``readyWalFiles`` is told by a primary alone."""
    found = verdict(*quiet(is_primary=False, current_wal=""))
    assert (found.level, codes(found)) == (Level.UNKNOWN, ["quiet"])
    assert found.headline == "no WAL landed for 3h: idle or stuck, a standby tells no queue"
    told = [item.text for item in found.evidence if item.source == "instance"]
    assert told == [f"last archived {name(60)} at 11:00:00Z, a standby: what waits is not known"]
    leaves = next(rung for rung in found.ladder if rung.title == "WAL leaves")
    assert (leaves.state, "what waits is not known" in leaves.evidence) == (State.UNKNOWN, True)


def test_wal_that_neither_waits_nor_landed_was_never_to_be_archived() -> None:
    """``archive_mode`` is off: nothing fails, nothing waits, and PostgreSQL goes on."""
    found = verdict(*quiet(current_wal=name(160)))
    assert (found.level, codes(found)) == (Level.FAILING, ["not-archived"])
    assert found.headline == "99 finished segments of WAL neither waiting nor in the bucket"
    assert "SHOW archive_mode" in found.advice


@pytest.mark.parametrize(("waiting", "said"), [(1, "1 WAL file waits"), (2, "2 WAL files wait")])
def test_what_an_idle_database_wrote_a_moment_ago_is_not_stuck_yet(waiting: int, said: str) -> None:
    found = verdict(*quiet(waiting=waiting))
    assert (found.level, codes(found)) == (Level.UNKNOWN, ["quiet"])
    assert found.headline == f"{said}, none landed for 3h: since just now, or stuck"


@pytest.mark.parametrize(("minutes", "code"), [(1, "quiet"), (3, "hangs")])
def test_what_is_still_waiting_after_two_minutes_hangs(minutes: int, code: str) -> None:
    seen, asked = quiet(waiting=1)
    before = replace(asked, at=NOW - timedelta(minutes=minutes))
    assert codes(verdict(seen, asked, queue_before=(before,))) == [code]


def test_a_base_backup_that_ends_in_the_future_does_not_make_old_wal_fresh() -> None:
    seen, asked = quiet(waiting=12)
    assert isinstance(seen.window, window.Window)
    ahead = replace(seen.window, until=NOW + timedelta(days=1))
    assert codes(verdict(replace(seen, window=ahead), asked)) == ["hangs"]


def test_archiving_that_hangs_is_told_of_a_new_cluster_without_a_base_backup_too() -> None:
    seen = film(with_base=False, newest=NOW - timedelta(hours=3))
    found = verdict(seen, instance(waiting=12), created="2026-11-22T09:00:00Z")
    assert (found.level, codes(found)) == (Level.FAILING, ["hangs", "first-backup-due"])


def busy(archived: int, minutes_ago: float) -> InstanceStatus:
    """What a primary that archives all the time says."""
    at = NOW - timedelta(minutes=minutes_ago)
    return replace(instance(archived, at=at - timedelta(seconds=5)), at=at)


def test_wal_of_a_busy_database_that_lands_nowhere_is_found_by_what_was_said_before() -> None:
    """What it says now may have landed since our look, and that is so whenever it is asked."""
    lost = film(newest=NOW - timedelta(minutes=6))
    found = verdict(lost, busy(99, 0), queue_before=(busy(90, 3), busy(95, 1)))
    assert (found.level, codes(found)) == (Level.FAILING, ["does-not-land"])
    assert f"{name(90)} archived 13:56:55Z is not under pg/wals" in found.advice
    assert codes(verdict(lost, busy(99, 0), queue_before=(busy(60, 3), busy(95, 1)))) == []
    assert codes(verdict(lost, busy(99, 0))) == ["quiet"], "asked for the first time"


@pytest.mark.parametrize(
    ("archived", "before", "said"),
    [
        (99, (), "PostgreSQL archived 39 segments since our look, or elsewhere"),
        (99, (busy(95, 1),), "PostgreSQL archived 39 segments since our look, or elsewhere"),
        (99, (busy(60, 3),), ""),
        (62, (), ""),
    ],
    ids=["asked for the first time", "asked a minute ago", "it was idle", "a segment or two"],
)
def test_much_wal_after_long_quiet_is_not_taken_for_landed_unless_it_was_idle(
    archived: int, before: tuple[InstanceStatus, ...], said: str
) -> None:
    seen, _ = quiet()
    found = verdict(seen, busy(archived, 0), queue_before=before)
    assert found.level is (Level.UNKNOWN if said else Level.PROTECTED)
    assert not said or found.headline == said


def test_an_instance_not_heard_for_long_does_not_say_that_it_is_idle() -> None:
    assert codes(verdict(*quiet(at=NOW - timedelta(minutes=9)))) == []
    found = verdict(*quiet(at=NOW - timedelta(minutes=11)))
    assert (found.level, codes(found)) == (Level.UNKNOWN, ["quiet"])
    assert found.advice == "instance: last heard at 13:49:00Z"


def test_a_history_that_was_archived_just_now_proves_nothing_about_segments() -> None:
    """A failover: what the primary before said is of another timeline."""
    seen, asked = quiet(last_archived=Passed("00000002.history", NOW - timedelta(seconds=5)))
    found = verdict(seen, asked)
    assert (found.level, codes(found)) == (Level.UNKNOWN, ["quiet"])
    assert found.headline == "no WAL landed for 3h, and only 00000002.history was archived since"
    fresh = film(newest=NOW - timedelta(minutes=14))
    assert codes(verdict(fresh, asked)) == []
