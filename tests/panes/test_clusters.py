"""The clusters: worst first, what the witnesses say of the one under the cursor, and its keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.panes.conftest import Open
from tests.panes.objects import (
    HOUR,
    a_backup,
    a_cluster,
    a_schedule,
    a_store,
    archiving,
    completed,
    condition,
    started,
)
from tests.verdict.test_two_witnesses import NOW, film
from tests.verdict.triage.made_up import witnesses
from tui.cnpg.manifest import Key
from tui.live.estate import Estate
from tui.panes.clusters import ClustersPane
from tui.verdict import health
from tui.verdict.witnesses import NotKnown

EXIT_4 = (
    "rpc error: code = Unknown desc = unexpected failure invoking barman-cloud-wal-archive: "
    "exit status 4"
)


async def test_the_worst_cluster_stands_on_top(stage: Open) -> None:
    async with stage(
        a_cluster("calm"),
        a_backup("calm-1", "calm", **completed(2.5 * HOUR)),
        a_cluster("broken", archiving("False", EXIT_4)),
        a_cluster("bare", spec={}),
        a_cluster("based-on-nothing"),
    ) as screen:
        await screen.until("operator says ok", "150m")
        names = ("calm", "broken", "bare", "based-on-nothing")
        assert screen.column(*names)[:4] == ["broken", "bare", "based-on-nothing", "calm"]


async def test_the_first_line_says_where_how_live_and_how_bad(stage: Open) -> None:
    async with stage(a_cluster("broken", archiving("False")), a_cluster("bare", spec={})) as screen:
        await screen.until("1 failing")
        first = screen.lines[0]
        assert "demo  production  live" in first
        assert "1 failing  1 unprotected" in first


async def test_the_details_name_each_witness_and_the_next_step(stage: Open) -> None:
    async with stage(
        a_cluster("pg", archiving("False", EXIT_4)),
        a_backup("pg-1", "pg", **completed(12.5 * HOUR)),
        a_store("r2-store", "pg"),
        a_schedule("nightly", "pg", "0 0 2 * * *"),
        size=(100, 30),
    ) as screen:
        await screen.until(
            "the operator says WAL archiving fails since",
            "exit status 4",
            "newest completed ended",
            "r2-store: recoverable from",
            "nightly 0 0 2 * * *",
            "bucket not looked at",
            "kubectl -n production logs pg-1 -c plugin-barman-cloud",
        )


async def test_the_list_row_says_to_which_moment_and_when_backups_and_archiving_last_worked(
    stage: Open,
) -> None:
    async with stage(
        a_cluster("pg"), a_backup("pg-1", "pg", **completed(12.5 * HOUR)), size=(132, 24)
    ) as screen:
        await screen.until("operator says ok")
        row = "> pg ? operator says ok ? ? 12h 3/3 working 150m pg-1 healthy"
        assert screen.row("> pg ").split() == row.split()


async def test_a_running_backup_is_not_reported_as_a_failed_one(stage: Open) -> None:
    running = condition("LastBackupSucceeded", "False", reason="BackupStarted")
    async with stage(
        a_cluster("pg", archiving("True"), running),
        a_backup("pg-1", "pg", **completed()),
        a_backup("pg-2", "pg", age=60, **started(45)),
        size=(80, 30),
    ) as screen:
        await screen.until("operator says ok", "pg-2 is started")
        assert "last backup failed" not in screen.text


async def test_a_change_on_the_server_moves_the_row_to_its_place(stage: Open) -> None:
    async with stage(
        a_cluster("alpha", archiving("False")),
        a_cluster("beta"),
        a_backup("beta-1", "beta", **completed()),
    ) as screen:
        await screen.until("operator says ok")
        assert screen.column("alpha", "beta")[:2] == ["alpha", "beta"]
        screen.server.store.seed(a_cluster("alpha"))
        screen.server.store.seed(a_cluster("beta", archiving("False")))
        await screen.until(lambda s: s.column("alpha", "beta")[:2] == ["beta", "alpha"])


async def test_a_deleted_cluster_leaves_the_list_and_the_tally(stage: Open) -> None:
    async with stage(a_cluster("pg"), a_cluster("gone", archiving("False"))) as screen:
        await screen.until("1 failing")
        store = screen.server.store
        clusters = screen.server.registry.at("postgresql.cnpg.io", "v1", "clusters")
        assert clusters is not None
        stored = store.get(clusters, "production", "gone")
        assert stored is not None
        store.remove(stored)
        await screen.gone("gone")
        assert "failing" not in screen.lines[0]


async def test_a_cluster_that_cannot_be_read_is_a_row_with_the_reason(stage: Open) -> None:
    odd = a_cluster("odd")
    odd["spec"]["plugins"] = "none of your business"
    async with stage(a_cluster("pg"), odd) as screen:
        await screen.until("unreadable")
        assert "unreadable" in screen.row(" odd ")
        while "> odd" not in screen.text:
            await screen.press("j")
        await screen.until("odd cannot be read:", "plugins")


async def test_no_cluster_at_all_is_a_sentence_with_a_way_on(stage: Open) -> None:
    async with stage() as screen:
        await screen.until("No Cluster here. -n NAMESPACE or -A looks elsewhere.")


async def test_enter_shows_the_backups_of_the_cluster_and_escape_all_again(stage: Open) -> None:
    async with stage(
        a_cluster("alpha"),
        a_cluster("beta"),
        a_backup("alpha-1", "alpha", **completed()),
        a_backup("beta-1", "beta", **completed()),
    ) as screen:
        await screen.until("operator says ok", "> alpha")
        await screen.press("enter")
        await screen.until("Backups of alpha 1 of 2", "alpha-1")
        assert "beta-1" not in screen.text
        await screen.press("escape")
        await screen.until("beta-1", "alpha-1")


async def test_all_namespaces_are_told_apart_by_a_column(stage: Open) -> None:
    async with stage(
        a_cluster("pg", namespace="production"),
        a_cluster("pg", namespace="staging"),
        flags={"all_namespaces": True},
    ) as screen:
        await screen.until("NAMESPACE", "staging")
        assert screen.row(" staging ").split()[:2] == ["staging", "pg"]
        assert "(all)" in screen.lines[0]


@pytest.mark.parametrize(
    ("annotations", "sentence"),
    [
        ({"cnpg.io/hibernation": "on"}, "hibernated: it runs no backups"),
        ({"cnpg.io/fencedInstances": '["pg-2"]'}, "fenced: pg-2"),
        ({"cnpg.io/skipWalArchiving": "enabled"}, "WAL archiving is switched off by an annotation"),
    ],
    ids=["hibernated", "fenced", "archiving skipped"],
)
async def test_what_stops_a_backup_is_said_before_anybody_asks(
    stage: Open, annotations: dict[str, str], sentence: str
) -> None:
    async with stage(a_cluster("pg", annotations=annotations)) as screen:
        await screen.until(sentence)


def test_sorted_by_behind_the_cluster_that_would_lose_most_comes_first() -> None:
    found = {
        "current": witnesses(),
        "late": witnesses(film=film(newest=NOW - timedelta(minutes=13))),
        "lost": witnesses(film=film(with_base=False)),
        "unseen": witnesses(film=NotKnown("secrets get is forbidden")),
    }
    estate = Estate()
    pane = ClustersPane(estate, lambda: NOW, with_namespace=False, pane_id="clusters")
    column = [each.title for each in pane.columns].index("BEHIND")
    subjects = []
    for name, seen in found.items():
        subject = replace(seen.cluster, key=Key("prod", name))
        estate.verdicts[subject.key] = health.judge(seen, NOW)
        subjects.append(subject)
    subjects.sort(key=lambda one: pane.sort_value(one, column))
    assert [one.key.name for one in subjects] == ["lost", "late", "current", "unseen"]
