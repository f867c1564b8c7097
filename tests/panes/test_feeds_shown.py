"""How the feeds are doing is on the screen: live, stale, forbidden, signed out, not installed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from urllib.parse import urlsplit

import pytest

from tests.panes.conftest import Open
from tests.panes.objects import a_backup, a_cluster, archiving, completed
from tests.panes.stage import ADMIN
from tui.sandbox.apiserver import ApiServer, Rule, User

CLOCK = r"\d\d:\d\d:\d\dZ"
CNPG = "postgresql.cnpg.io"
STORES = "barmancloud.cnpg.io"


@pytest.mark.parametrize("pane", ["1", "2"])
async def test_a_server_that_goes_away_leaves_what_was_known_with_its_age(
    stage: Open, pane: str
) -> None:
    async with stage(a_cluster("pg"), a_backup("pg-1", **completed())) as screen:
        port = urlsplit(screen.server.kubeconfig(ADMIN)["clusters"][0]["cluster"]["server"]).port
        await screen.press(pane)
        await screen.until("live", "pg")
        await screen.server.stop()
        await screen.until(re.compile(f"stale since {CLOCK}"), "cannot connect to http://127.0.0.1")
        assert "pg" in screen.row("> pg")
        assert "live" not in screen.lines[0]
        await screen.server.start(port or 0)
        screen.server.store.seed(a_cluster("pg", archiving("False")))
        await screen.press("R")
        await screen.until(lambda s: "stale" not in s.text and "live" in s.lines[0])
        await screen.until("1 failing")


async def test_the_wait_for_the_next_try_counts_down(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await screen.until("live")
        screen.server.fail_next(1000, 503, retry_after=30)
        screen.server.cut()
        await screen.until(re.compile(r"reconnecting in (30|29) s"))
        await screen.until(re.compile(r"reconnecting in 2[78] s"))
        screen.server.fail_next(0, 503)
        await screen.press("R")
        await screen.until(lambda s: "live" in s.lines[0])


async def test_a_server_never_reached_says_so(stage: Open, server: ApiServer) -> None:
    await server.stop()
    async with stage() as screen:
        await screen.until("not reached yet", "cannot connect to http://127.0.0.1")


async def test_the_stale_time_is_when_the_server_was_last_heard(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await screen.until("live")
        await screen.server.stop()
        await screen.until(re.compile(f"stale since {CLOCK}"))
        found = re.search(r"stale since (\d\d:\d\d:\d\d)Z", screen.text)
        assert found
        now = datetime.now(UTC)
        heard = datetime.combine(now.date(), time.fromisoformat(found[1]), UTC)
        assert 0 <= (now - heard).total_seconds() % 86_400 < 60


async def test_a_missing_right_is_named_with_its_verb_and_resource(stage: Open) -> None:
    clusters_only = User("half", "t", (Rule((CNPG,), ("clusters",), ("list", "watch")),))
    async with stage(a_cluster("pg"), user=clusters_only, size=(120, 24)) as screen:
        screen.server.access.admit(clusters_only)
        await screen.press("R")
        await screen.until("> pg")
        await screen.press("2")
        await screen.until(
            "Backups 0 forbidden",
            "cannot list backups in production: forbidden. Ask for list on "
            "backups.postgresql.cnpg.io",
        )


async def test_without_watch_the_list_is_polled_and_the_pane_says_so(stage: Open) -> None:
    lister = User("lister", "t", (Rule((CNPG, STORES), ("*",), ("list",)),))
    async with stage(a_cluster("pg"), user=lister, size=(120, 24)) as screen:
        screen.server.access.admit(lister)
        await screen.press("R")
        await screen.until(
            "> pg", re.compile(r"polling every 1\d s"), "Ask for watch on clusters.postgresql"
        )


async def test_credentials_that_are_not_accepted_are_told_and_asked_again_by_hand(
    stage: Open,
) -> None:
    async with stage(a_cluster("pg")) as screen:
        await screen.until("> pg")
        screen.server.revoke(ADMIN.token)
        screen.server.cut()
        await screen.until("signed out", "the server does not accept these credentials", "R asks")
        asked = len(screen.server.requests)
        screen.server.access.admit(ADMIN)
        assert len(screen.server.requests) == asked
        await screen.press("R")
        await screen.until(lambda s: "live" in s.lines[0])


async def test_a_bucket_pane_without_a_list_of_clusters_does_not_say_there_is_no_store(
    stage: Open, server: ApiServer
) -> None:
    server.fail_next(10_000, 503, retry_after=600)
    async with stage(a_cluster("pg")) as screen:
        await screen.press("4")
        await screen.until("Not known: clusters.postgresql.cnpg.io not reached yet")
        assert "No cluster here" not in screen.text
        screen.server.fail_next(0, 503)
        await screen.press("R")
        await screen.until("s3://acme-pg/prod")


@pytest.mark.parametrize(
    ("group", "sentence"),
    [
        (CNPG, "the CRD clusters.postgresql.cnpg.io is not installed: is CloudNativePG on this"),
        (STORES, "the CRD objectstores.barmancloud.cnpg.io is not installed: is the Barman Cloud"),
    ],
)
async def test_an_absent_crd_is_a_sentence(
    stage: Open, server: ApiServer, group: str, sentence: str
) -> None:
    server.remove_crd(group)
    seeds = [a_cluster("pg")] if group == STORES else []
    async with stage(*seeds) as screen:
        await screen.until(sentence)
        assert screen.app.is_running


async def test_an_endless_list_shows_how_much_has_arrived(stage: Open) -> None:
    many = [a_backup(f"pg-{number:04d}", **completed()) for number in range(1200)]
    async with stage(a_cluster("pg"), *many) as screen:
        await screen.press("2")
        await screen.until("Backups 1,200 live")


async def test_a_last_tick_after_the_screens_are_closed_is_no_mistake(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await screen.until("live")
        app = screen.app
        await screen.press("q")
    app._heartbeat()  # as Textual does, which ends timers after screens
    assert app.last_words == ""
