"""Listing pages, in any order and any number of times, become the same catalog."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.barman.archive import BEGIN, MINUTE, Archive
from tui.barman import catalog, directory, info, wal
from tui.barman.catalog import Catalog
from tui.barman.info import Info
from tui.barman.listing import Listed, Object

DATA = Path(__file__).parents[1] / "data" / "barman"
FULL = range(256)


def listing() -> list[Listed]:
    """The rows of a bucket real tools filled."""
    rows = []
    for line in (DATA / "listing.txt").read_text().splitlines():
        modified, size, etag, key = line.split(maxsplit=3)
        rows.append((key, int(size), datetime.fromisoformat(modified), etag))
    return rows


def folded(rows: list[Listed], path: str = "") -> Catalog:
    return catalog.fold(catalog.empty(path), rows)


def test_servers_are_found_below_the_destination_path() -> None:
    assert sorted(folded(listing()).servers) == [
        "cksum-when_required",
        "cksum-when_supported",
        "cluster-example",
        "cluster-gap",
        "cluster-pg18",
        "cluster-plain",
    ]


def test_nothing_real_tools_write_is_unknown() -> None:
    assert folded(listing()).unknown.keys == frozenset()


def test_a_base_backup_is_its_objects() -> None:
    base = folded(listing()).servers["cluster-example"].bases["20261122T142227"]
    assert [each.name for each in base.objects] == ["16389.tar.gz", "backup.info", "data.tar.gz"]
    assert base.size == 28189 + 1379 + 12549024
    assert base.compressions == ("gzip",)
    assert base.info is not None
    assert base.info.etag == '"0e7c196abeae7784151c55fdaf638085"'
    assert base.keep is None


@pytest.mark.parametrize(
    ("id_", "compressions"),
    [
        ("20261122T142236", ("none",)),
        ("20261122T142411", ("bzip2",)),
        ("20261122T142326", ()),
    ],
)
def test_compression_shows_in_the_suffix(id_: str, compressions: tuple[str, ...]) -> None:
    assert folded(listing()).servers["cluster-example"].bases[id_].compressions == compressions


def test_a_split_backup_has_all_its_parts() -> None:
    server = folded(listing()).servers["cluster-plain"]
    base = server.bases["20261122T142448"]
    assert [(tar.oid, tar.part) for tar in base.archives] == [
        (16389, 0),
        (None, 0),
        (None, 1),
        (None, 2),
    ]
    assert base.missing(read_info("20261122T142448")) == ()


def read_info(id_: str) -> Info:
    found = info.parse((DATA / f"{id_}.backup.info").read_bytes())
    assert isinstance(found, Info)
    return found


@pytest.mark.parametrize(
    ("lost", "missing"),
    [
        ("data.tar", ("data.tar",)),
        ("data_0001.tar", ("data_0001.tar",)),
        ("16389.tar", ("16389.tar",)),
    ],
)
def test_a_tar_a_restore_would_ask_for_is_missed(lost: str, missing: tuple[str, ...]) -> None:
    rows = [row for row in listing() if row[0] != f"cluster-plain/base/20261122T142448/{lost}"]
    base = folded(rows).servers["cluster-plain"].bases["20261122T142448"]
    assert base.missing(read_info("20261122T142448")) == missing


@pytest.mark.parametrize("part", ["data.tar.gz", "data_0001.tar.gz"])
def test_an_empty_tar_is_missed_as_if_it_were_not_there(part: str) -> None:
    archive = Archive()
    id_ = archive.base(1, 1, files=("data.tar.gz", "data_0001.tar.gz"))
    told = archive.infos[id_]
    assert isinstance(told, Info)
    assert archive.listed.bases[id_].missing(told) == ()
    archive.put(f"base/{id_}/{part}", 0)
    assert archive.listed.bases[id_].missing(told) == (part.removesuffix(".gz"),)


@pytest.mark.parametrize("number", [1, 5, 9])
def test_an_empty_segment_is_none(number: int) -> None:
    """A restore fetches it and PostgreSQL refuses it; some stores leave them when a disk is full."""
    archive = Archive().wal(1, range(1, 10))
    archive.put(archive.key(1, number), 0)
    assert archive.listed.segments == 8
    assert archive.listed.modified(wal.at(1, number, archive.segment_size)) is None
    assert archive.catalog().unknown.keys == {f"pg/{archive.key(1, number)}"}


def test_a_keep_annotation_is_seen() -> None:
    archive = Archive()
    id_ = archive.base(1, 1)
    archive.put(f"base/{id_}/annotations/keep", 4)
    assert archive.listed.bases[id_].keep is not None


def test_the_last_archived_segment_is_the_last_by_name_on_the_newest_timeline() -> None:
    servers = folded(listing()).servers
    last = servers["cluster-example"].last_archived
    assert last is not None
    assert str(last.segment) == "00000002000000000000001B"
    assert last.at == datetime(2026, 11, 22, 14, 24, 57, tzinfo=UTC)


def test_a_segment_archived_again_later_is_not_the_last() -> None:
    archive = Archive().wal(1, range(1, 9)).wal(1, [3], at=BEGIN + timedelta(hours=5))
    last = archive.listed.last_archived
    assert last is not None
    assert str(last.segment) == "000000010000000000000008"
    assert archive.listed.directories[1, 0].newest == int((BEGIN + timedelta(hours=5)).timestamp())


def test_a_timeline_with_only_a_history_has_archived_nothing_yet() -> None:
    archive = Archive().wal(1, range(1, 4)).history(2, (1, 4 << 24))
    assert archive.listed.timelines == (1, 2)
    last = archive.listed.last_archived
    assert last is not None
    assert last.segment.timeline == 1


def test_an_empty_archive_has_no_last_segment() -> None:
    assert Archive().listed.last_archived is None


def test_a_segment_under_two_suffixes_is_one_segment_and_two_objects() -> None:
    archive = Archive().wal(1, [5], ".gz").wal(1, [5], ".zst").wal(1, [6], "")
    held = archive.listed.directories[1, 0]
    assert (held.segments, held.objects, held.size) == (2, 3, 3000)
    assert held.compressions == {"none": (1, 1000), "gzip": (1, 1000), "zstd": (1, 1000)}
    assert archive.listed.segments == 2
    assert archive.listed.hours == ((int(BEGIN.timestamp()) // 3600, 2, 3000),)


def test_partials_labels_and_histories_are_registered_and_no_segments() -> None:
    server = folded(listing()).servers["cluster-example"]
    partial = server.partial(wal.segment("000000010000000000000012"))
    assert partial is not None
    assert partial.name == "000000010000000000000012.partial.gz"
    assert server.modified(wal.segment("000000010000000000000012")) is None
    assert server.histories[2].name == "00000002.history.gz"
    assert [other.name for other in server.directories[2, 0].others] == [
        "000000020000000000000015.000000D8.backup.gz",
        "000000020000000000000017.00000028.backup.gz",
    ]


def test_sizes_add_up_to_the_listing() -> None:
    rows = listing()
    for name, server in folded(rows).servers.items():
        of_server = [row for row in rows if row[0].startswith(f"{name}/")]
        assert server.wal_size + server.base_size == sum(size for _, size, _, _ in of_server)
        assert server.base_size == sum(size for key, size, _, _ in of_server if "/base/" in key)
        others = (".backup", ".partial", ".history")
        assert server.wal_size - server.segments_size == sum(
            size
            for key, size, _, _ in of_server
            if "/wals/" in key and any(part in key for part in others)
        )


@pytest.mark.parametrize(
    "key",
    [
        "readme.txt",
        "pg/readme.txt",
        "pg/wals/",
        "pg/wals/000000010000000000000001.gz",  # not in its folder
        "pg/wals/0000000200000000/000000010000000000000001.gz",  # in another's folder
        "pg/wals/0000000100000000/000000010000000000000001.tmp",
        "pg/wals/0000000100000000/000000010000000000001000.gz",
        "pg/wals/0000000100000000/sub/000000010000000000000001.gz",
        "pg/wals/0000000100000000/00000002.history",
        "pg/wals/0000000100000000/000000010000000000000001.part",
        "pg/base/20261122T142227/",
        "pg/base/20261122T142227/data.tar.rar",
        "pg/base/20261122T142227/notes.txt",
        "pg/base/yesterday/backup.info",
        "/pg/wals/0000000100000000/000000010000000000000001",
        "p\x1b[2Jg/wals/0000000100000000/000000010000000000000001",
        "deeper/pg/wals/0000000100000000/000000010000000000000001",
    ],
)
def test_a_key_barman_would_not_write_is_counted_and_changes_nothing_else(key: str) -> None:
    known = folded([(key, 1, BEGIN, '"e"')])
    assert known.unknown.keys == {key}
    assert known.servers == {}
    assert all(sample.isprintable() for sample in known.unknown.samples)


def test_unknown_keys_between_segments_do_not_disturb_them() -> None:
    archive = Archive().wal(1, range(1, 200))
    rows = list(archive.rows.values())
    odd = [(f"{row[0]}.tmp", 1, BEGIN, '"e"') for row in rows[::7]]
    mixed = folded(sorted(rows + odd))
    assert mixed.servers == folded(rows).servers
    assert len(mixed.unknown.keys) == len(odd)


def test_a_flood_of_unknown_keys_is_cut_the_same_in_any_order() -> None:
    rows = [(f"junk/{number:06}", 1, BEGIN, '"e"') for number in range(catalog.UNKNOWN_KEPT + 500)]
    pages = [rows[at : at + 1000] for at in range(0, len(rows), 1000)]
    forwards = backwards = catalog.empty("")
    for page in pages:
        forwards = catalog.fold(forwards, page)
    for page in reversed(pages):
        backwards = catalog.fold(backwards, page)
    assert forwards == backwards
    assert forwards.unknown.more
    assert len(forwards.unknown.keys) == catalog.UNKNOWN_KEPT


@pytest.mark.parametrize(
    ("path", "root"), [("", ""), ("/", ""), ("prod", "prod/"), ("/a/b/", "a/b/")]
)
def test_keys_outside_the_destination_path_are_not_read(path: str, root: str) -> None:
    assert catalog.empty(path).root == root
    archive = Archive(root=root.rstrip("/")).wal(1, [1])
    known = folded(list(archive.rows.values()), path)
    assert list(known.servers) == ["pg"]
    other = folded([("elsewhere", 1, BEGIN, "")], path)
    assert other.unknown.keys == {"elsewhere"}


def shuffled_pages(rows: list[Listed], chance: random.Random) -> list[list[Listed]]:
    """The rows in random pages, some of them more than once."""
    rows = rows + chance.sample(rows, len(rows) // 3)
    if chance.random() < 0.5:
        chance.shuffle(rows)
    else:
        rows.sort()
    pages = []
    while rows:
        size = chance.choice([1, 50, 300, 1000])
        pages.append(rows[:size])
        rows = rows[size:]
    chance.shuffle(pages)
    return pages


@pytest.mark.parametrize("seed", range(40))
def test_pages_in_any_order_and_repeated_make_equal_catalogs(seed: int) -> None:
    chance = random.Random(seed)
    size = chance.choice(wal.SEGMENT_SIZES)
    archive = Archive(size, root=chance.choice(["", "prod"]))
    per = wal.per_directory(size)
    for timeline in range(1, chance.randint(2, 5)):
        numbers = chance.sample(range(3 * per), min(300, 3 * per))
        for number in numbers:
            archive.wal(timeline, [number], chance.choice(["", ".gz", ".zst"]))
        archive.put(archive.key(timeline, numbers[0], ".partial.gz"))
        archive.history(timeline + 1, (timeline, numbers[0] * size))
    archive.base(1, 1)
    rows = [*archive.rows.values(), ("what/is/this", 3, BEGIN, "")]
    # Some keys were overwritten between two pages: the later LastModified holds.
    rows += [
        (key, size + 5, at + MINUTE, "new")
        for key, size, at, _ in chance.sample(rows, min(20, len(rows)))
    ]
    whole = folded(rows, archive.root)
    for _ in range(3):
        pages = shuffled_pages(rows, chance)
        cut = chance.randrange(len(pages) + 1)
        one = other = catalog.empty(archive.root)
        for page in pages[:cut]:
            one = catalog.fold(one, page)
        for page in pages[cut:]:
            other = catalog.fold(other, page)
        assert catalog.merge(one, other) == whole
        assert catalog.merge(other, one) == whole


def test_catalogs_of_two_destinations_do_not_merge() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        catalog.merge(catalog.empty("a"), catalog.empty("b"))


def test_a_fold_leaves_the_catalog_before_it_as_it_was() -> None:
    archive = Archive().wal(1, range(1, 10))
    before = archive.catalog()
    again = archive.catalog()
    catalog.fold(before, list(Archive().wal(1, range(5, 20), ".zst").rows.values()))
    assert before == again


def test_what_is_relisted_without_an_object_has_lost_it() -> None:
    archive = Archive(root="prod").wal(1, range(250, 260)).wal(1, [700])
    known = archive.catalog()
    part = folded(list(Archive(root="prod").wal(1, [250, 252]).rows.values()), "prod")
    known = catalog.relisted(known, "prod/pg/wals/0000000100000000/", part)
    server = known.servers["pg"]
    assert server.directories[1, 0].segments == 2
    assert server.directories[1, 1].segments == 4
    assert server.directories[1, 2].segments == 1


def test_relisting_by_a_shorter_prefix_replaces_every_folder_below_it() -> None:
    archive = (
        Archive().wal(1, [1, 256 * 1, 256 * 15, 256 * 16]).wal(2, [5]).history(2, (1, 5 << 24))
    )
    known = catalog.relisted(archive.catalog(), "pg/wals/000000010000000", catalog.empty(""))
    assert sorted(known.servers["pg"].directories) == [(1, 16), (2, 0)]
    assert 2 in known.servers["pg"].histories
    known = catalog.relisted(known, "pg/wals/00000002", catalog.empty(""))
    assert sorted(known.servers["pg"].directories) == [(1, 16)]
    assert known.servers["pg"].histories == {}


@pytest.mark.parametrize(
    "below",
    [
        "",
        "pg",
        "pg/wal",
        "pg/wals/",
        "pg/wals/0",
        "pg/wals/00000001",
        "pg/wals/000000010000000A",
        "pg/wals/000000010000000A/",
        "pg/wals/000000010000000a/",
        "pg/wals/000000010000000A/000000010000000A000000",
        "pg/wals/00000001/",
        "pg/wals/0x",
        "pg/wals/0000_001",
        "pg/wals/F",
        "pg/base/",
        "pg-eu/wals/",
    ],
)
def test_relisting_takes_the_folders_whose_names_begin_so_and_no_others(below: str) -> None:
    archive = Archive().wal(1, [1, 256 * 10, 256 * 11]).wal(0x0FFFFFFF, [5]).wal(0xF0000000, [9])
    known = archive.catalog()
    before = known.servers["pg"].directories
    server = catalog.relisted(known, below, catalog.empty("")).servers.get("pg")
    assert (set(server.directories) if server is not None else set()) == {
        key for key, folder in before.items() if not f"pg/wals/{folder.name}/".startswith(below)
    }


def test_relisting_base_replaces_base_backups_only_and_knows_them_all() -> None:
    archive = Archive().wal(1, range(1, 5))
    archive.base(1, 1)
    known = folded(list(archive.rows.values()))
    assert not known.servers["pg"].bases_listed
    known = catalog.relisted(known, "pg/base/", catalog.empty(""))
    server = known.servers["pg"]
    assert server.bases == {}
    assert server.bases_listed
    assert server.segments == 4


def test_a_server_that_is_gone_is_gone_after_relisting() -> None:
    known = folded(list(Archive().wal(1, [1]).rows.values()))
    assert catalog.relisted(known, "", catalog.empty("")).servers == {}
    assert catalog.relisted(known, "pg/", catalog.empty("")).servers == {}


def test_relisting_forgets_unknown_keys_below_the_prefix() -> None:
    known = folded([("pg/wals/odd", 1, BEGIN, ""), ("odd", 1, BEGIN, "")])
    assert catalog.relisted(known, "pg/", catalog.empty("")).unknown.keys == {"odd"}


def test_announced_folders_are_unlisted_until_they_are_listed() -> None:
    known = catalog.announce(catalog.empty(""), "pg", ["0000000100000000", "0000000100000001"])
    assert known.servers["pg"].unlisted == frozenset({(1, 0), (1, 1)})
    rows = list(Archive().wal(1, range(3, 9)).rows.values())
    known = catalog.fold(known, rows)
    assert known.servers["pg"].unlisted == frozenset({(1, 0), (1, 1)})  # one page need not be all
    known = catalog.relisted(known, "pg/wals/0000000100000000/", folded(rows))
    assert known.servers["pg"].unlisted == frozenset({(1, 1)})
    known = catalog.relisted(known, "pg/wals/", folded(rows))
    assert known.servers["pg"].unlisted == frozenset()


def test_a_folder_that_is_not_announced_any_more_is_dropped() -> None:
    known = Archive().wal(1, [1, 300, 600]).catalog()
    known = catalog.announce(
        known, "pg", ["0000000100000001", "0000000100000002", "00000001000000FF"]
    )
    server = known.servers["pg"]
    assert sorted(server.directories) == [(1, 1), (1, 2)]
    assert server.unlisted == frozenset({(1, 0xFF)})


def test_an_announced_name_that_is_no_folder_of_wal_is_unknown() -> None:
    known = catalog.announce(catalog.empty("prod"), "pg", ["tmp"])
    assert known.unknown.keys == {"prod/pg/wals/tmp/"}
    assert known.servers["pg"].unlisted == frozenset()


@pytest.mark.parametrize("size", wal.SEGMENT_SIZES)
def test_a_folder_is_sealed_when_every_segment_is_there(size: int) -> None:
    per = wal.per_directory(size)
    archive = Archive(size).wal(1, range(per, 2 * per - 1), "")
    assert not archive.listed.directories[1, 1].sealed(size)
    archive.wal(1, [2 * per - 1], ".gz")
    assert archive.listed.directories[1, 1].sealed(size)


def test_a_directory_reads_back_from_its_row() -> None:
    for server in folded(listing()).servers.values():
        for held in server.directories.values():
            assert directory.from_row(held.to_row()) == held
    mixed = Archive(1 << 20).wal(1, FULL, "").wal(1, range(5, 4096, 3)).listed.directories[1, 0]
    timeline, log, layout, data = mixed.to_row()
    assert directory.from_row((timeline, log, layout, data)) == mixed


@pytest.mark.parametrize(
    ("layout", "data"),
    [
        ("", b""),
        ("{}", b""),
        ("[]", b""),
        ("[[], []]", b"x"),
        ('[[[".gz", 2]], []]', bytes(12)),
        ('[[[".gz", 5000]], []]', bytes(12 * 5000)),
        ('[[[".rar", 1]], []]', bytes(12)),
        ('[[[".gz", 1, 2]], []]', bytes(12)),
        ('[[], [["name", 1, "yesterday", "etag"]]]', b""),
        ('[[], [["name"]]]', b""),
    ],
)
def test_a_row_that_was_cut_or_garbled_is_refused(layout: str, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        directory.from_row((1, 0, layout, data))


def test_a_directory_dates_its_segments() -> None:
    archive = Archive().wal(1, [5]).wal(1, [5], ".zst", at=BEGIN + timedelta(days=1))
    held = archive.listed.directories[1, 0]
    assert held.modified(5) == BEGIN + 5 * MINUTE
    assert held.modified(6) is None
    assert held.modified(4000) is None


def test_a_time_no_store_should_send_is_kept_within_bounds() -> None:
    odd = (datetime(1960, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
    archive = Archive().wal(1, [1], at=odd[0]).wal(1, [2], at=odd[1])
    held = archive.listed.directories[1, 0]
    assert held.segments == 2
    assert held.modified(1) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert held.modified(2) == datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC)


def test_hours_count_what_arrived_in_them() -> None:
    archive = Archive().wal(1, range(50, 70)).wal(2, range(100, 130))
    hour = int(BEGIN.timestamp()) // 3600
    assert archive.listed.hours == (
        (hour, 10, 10_000),
        (hour + 1, 30, 30_000),
        (hour + 2, 10, 10_000),
    )


def test_a_base_backup_uploaded_twice_shows_the_later_object() -> None:
    rows = [
        ("pg/base/20261122T142227/backup.info", 754, BEGIN, '"started"'),
        ("pg/base/20261122T142227/backup.info", 1379, BEGIN + MINUTE, '"done"'),
    ]
    for page in (rows, rows[::-1]):
        base = folded(page).servers["pg"].bases["20261122T142227"]
        assert base.objects == (Object("backup.info", 1379, BEGIN + MINUTE, '"done"'),)
        assert base.newest == BEGIN + MINUTE


def test_runs_of_bits_are_found() -> None:
    assert list(directory.runs(0)) == []
    assert list(directory.runs(0b1)) == [(0, 0)]
    assert list(directory.runs(0b1101_1100)) == [(2, 4), (6, 7)]
    assert list(directory.runs((1 << 4096) - 1)) == [(0, 4095)]
