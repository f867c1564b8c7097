"""The bucket's outline without a screen: unused server names, Backups and data that do not meet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from tests.panes.objects import Manifest, a_backup, a_cluster, completed, started
from tui.barman import catalog, info, wal
from tui.cnpg import backup, cluster
from tui.cnpg.location import Location, Place
from tui.cnpg.manifest import BACKUPS, CLUSTERS
from tui.cnpg.store import configuration
from tui.live.changes import Folded, Listed, Live
from tui.live.estate import Estate
from tui.panes import shelf, shelf_wal
from tui.panes.outline import Line
from tui.verdict.health import Verdict
from tui.verdict.level import Level

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PLACE = Place("https://acc.r2.cloudflarestorage.com", "acme-pg", "prod")
INFO = b"""begin_time=2026-11-26 02:00:01+00:00
begin_wal=000000010000000000000001
begin_xlog=0/1000028
end_time=2026-11-26 02:00:30+00:00
end_wal=000000010000000000000001
end_xlog=0/1000100
status=DONE
timeline=1
xlog_segment_size=16777216
"""


STARTED = b"begin_time=2026-11-27 02:00:01+00:00\nstatus=STARTED\nend_time=None\n"


def outline(
    *,
    heard: bool,
    content: bytes = INFO,
    backups: Iterable[Manifest] = (),
    listed: str = "prod/pg/",
    standalone: frozenset[str] = frozenset(),
    failing: str = "",
    more: Iterable[str] = (),
) -> dict[str, Line]:
    """The outline of a server ``pg`` with one base backup, beside a name nobody uses; ``listed`` is
    the prefix that has been listed whole, ``failing`` the verdict's word, ``more`` are other keys."""
    below = "prod/pg/base/20261126T020000"
    names = ["backup.info", "data.tar.gz", *(["annotations/keep"] if standalone else [])]
    page = [(f"{below}/{name}", 9, NOW, "e") for name in names]
    page.append(("prod/pg/wals/0000000100000000/000000010000000000000001.gz", 9, NOW, "e"))
    page += [(f"prod/pg/{key}", 9, NOW, "e") for key in more]
    known = catalog.relisted(
        catalog.empty("prod"), listed, catalog.fold(catalog.empty("prod"), page)
    )
    known = catalog.Catalog(
        known.root,
        {**known.servers, "pg-old": catalog.Server("pg-old", {}, {}, {})},
        known.unknown,
    )
    told = {"20261126T020000": info.parse(content)} if content else {}
    fold = Folded(PLACE, known, {"pg": told}, {}, {"pg": standalone}, {}, NOW)
    estate = Estate()
    estate.apply(fold)
    one = cluster.read(a_cluster("pg"))
    estate.apply(Listed(CLUSTERS, (one,), NOW))
    estate.locations[one.key] = Location(PLACE, "pg", one.key.namespace, configuration({}))
    estate._claim(one.key)
    if heard:
        gone = a_backup("pg-gone", **completed())
        estate.apply(Listed(BACKUPS, tuple(map(backup.read, (gone, *backups))), NOW))
        estate.feeds[CLUSTERS] = estate.feeds[BACKUPS] = Live(NOW)
    if failing:
        estate.verdicts[one.key] = Verdict(
            Level.FAILING,
            failing,
            "",
            (),
            (),
            None,
            looked=True,
            last_good=None,
            never_backed_up=True,
            ladder=(),
        )
    opened = shelf.default_open(estate) | {
        ("server", str(PLACE), "pg"),
        ("bases", str(PLACE), "pg"),
    }
    return {line.name: line for line in shelf.lines(estate, opened, NOW)}


def test_a_name_no_cluster_uses_has_no_size_until_it_is_looked_into() -> None:
    line = outline(heard=True)["pg-old"]
    assert line.state == "no cluster here uses it; enter looks into it"
    assert line.size is None


def test_before_the_clusters_are_told_no_name_is_called_unused() -> None:
    assert outline(heard=False)["pg-old"].state == "not known whether a cluster uses it"


def test_data_without_a_backup_and_a_backup_without_data_are_marked() -> None:
    found = outline(heard=True)
    assert "no Backup has this id" in found["20261126T020000"].state
    assert found["20261122T142227"].state == "not in the bucket; Backup pg-gone says completed"
    assert found["base/"].state == "1 usable, 1 Backup without data"


def test_before_the_backups_are_told_no_data_is_called_unclaimed() -> None:
    assert "Backups are not known" in outline(heard=False)["20261126T020000"].state


def test_a_server_whose_base_backups_are_not_listed_is_not_called_whole() -> None:
    line = outline(heard=True, listed="prod/pg/wals/", content=b"")["pg"]
    assert (line.state, line.level) == ("unseen", Level.UNKNOWN)


def test_a_backup_info_that_is_not_read_yet_is_no_want_of_a_base_backup() -> None:
    found = outline(heard=True, content=b"")
    assert (found["pg"].state, found["pg"].level) == ("unseen", Level.UNKNOWN)
    assert found["base/"].level is Level.UNKNOWN


def test_a_whole_archive_that_gets_no_more_wal_is_not_green() -> None:
    line = outline(heard=True, failing="does not land")["pg"]
    assert (line.state, line.level) == ("whole, but does not land", Level.FAILING)


def test_wal_of_a_timeline_without_its_history_is_out_of_reach() -> None:
    line = outline(heard=True, more=["wals/0000000200000000/000000020000000000000002.gz"])["pg"]
    assert line.state == "timeline 2 out of reach: 00000002.history is missing"
    assert line.level is Level.FAILING


def test_a_backup_that_began_and_that_nobody_runs_was_killed() -> None:
    line = outline(heard=True, content=STARTED)["20261126T020000"]
    assert line.state == "STARTED 9h ago, no Backup runs: killed, unless begun by hand"
    assert line.level is Level.DEGRADED


def test_a_backup_that_began_and_that_somebody_runs_is_under_way() -> None:
    runs = a_backup("pg-now", **started())
    line = outline(heard=True, content=STARTED, backups=[runs])["20261126T020000"]
    assert line.state == "STARTED 9h ago, Backup pg-now runs"
    assert line.level is Level.UNKNOWN


def test_a_backup_that_has_completed_since_the_look_was_not_killed() -> None:
    done = a_backup("pg-done", **completed() | {"backupId": "20261126T020000"})
    line = outline(heard=True, content=STARTED, backups=[done])["20261126T020000"]
    assert line.state == "STARTED 9h ago, Backup pg-done"


def test_before_the_backups_are_told_nobody_was_killed() -> None:
    assert outline(heard=False, content=STARTED)["20261126T020000"].state == "STARTED 9h ago"


def test_a_backup_that_is_kept_says_whether_with_its_wal() -> None:
    found = outline(heard=True, standalone=frozenset({"20261126T020000"}))
    assert "DONE, kept without later WAL, usable" in found["20261126T020000"].state


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("00000002000000140000004F", "00000002000000140000004F", "000000140000004F"),
        ("00000002000000140000004F", "000000020000001400000050", "000000140000004F..50"),
        ("0000000200000013000000BD", "00000002000000140000004E", "00000013000000BD..140000004E"),
    ],
)
def test_a_run_is_named_so_that_both_ends_are_read_in_80_columns(
    first: str, last: str, said: str
) -> None:
    assert shelf_wal.span(wal.segment(first), wal.segment(last)) == said
