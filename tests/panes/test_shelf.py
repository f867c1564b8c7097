"""The bucket's outline without a screen: unused server names, Backups and data that do not meet."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.panes.objects import a_backup, a_cluster, completed
from tui.barman import catalog, info
from tui.cnpg import backup, cluster
from tui.cnpg.location import Location, Place
from tui.cnpg.manifest import BACKUPS, CLUSTERS
from tui.cnpg.store import configuration
from tui.live.changes import Folded, Listed, Live
from tui.live.estate import Estate
from tui.panes import shelf
from tui.panes.outline import Line

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


def outline(*, heard: bool) -> dict[str, Line]:
    """The outline of a server ``pg`` with one base backup, beside a name nobody uses."""
    below = "prod/pg/base/20261126T020000"
    page = [(f"{below}/{name}", 9, NOW, "e") for name in ("backup.info", "data.tar.gz")]
    page.append(("prod/pg/wals/0000000100000000/000000010000000000000001.gz", 9, NOW, "e"))
    known = catalog.relisted(
        catalog.empty("prod"), "prod/pg/", catalog.fold(catalog.empty("prod"), page)
    )
    known = catalog.Catalog(
        known.root,
        {**known.servers, "pg-old": catalog.Server("pg-old", {}, {}, {})},
        known.unknown,
    )
    told = info.parse(INFO)
    fold = Folded(PLACE, known, {"pg": {"20261126T020000": told}}, {}, {}, {}, NOW)
    estate = Estate()
    estate.apply(fold)
    one = cluster.read(a_cluster("pg"))
    estate.apply(Listed(CLUSTERS, (one,), NOW))
    estate.locations[one.key] = Location(PLACE, "pg", one.key.namespace, configuration({}))
    estate._claim(one.key)
    if heard:
        gone = a_backup("pg-gone", **completed())
        estate.apply(Listed(BACKUPS, (backup.read(gone),), NOW))
        estate.feeds[CLUSTERS] = estate.feeds[BACKUPS] = Live(NOW)
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
