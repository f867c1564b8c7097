"""An on-demand backup from the keyboard: what is shown first, what is created, how it is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.panes.conftest import Open
from tests.panes.objects import (
    HOUR,
    PLUGIN,
    Manifest,
    a_backup,
    a_cluster,
    archiving,
    completed,
    started,
)
from tests.panes.stage import Stage
from tui.sandbox import admission
from tui.sandbox.apiserver import EVERYTHING, ApiServer, Rule, User

ACCEPTED = "dry run: the server accepts it"
IN_TREE = {"backup": {"barmanObjectStore": {"destinationPath": "s3://acme/pg"}}}
CNPG = ("postgresql.cnpg.io", "barmancloud.cnpg.io")


def readers_rules() -> tuple[Rule, ...]:
    return (Rule(CNPG, ("*",), ("get", "list", "watch")),)


async def opened(screen: Stage) -> None:
    """The dialog, with the dry run answered."""
    await screen.until("> pg")
    await screen.press("b")
    await screen.until(ACCEPTED)


def writes(screen: Stage) -> list[str]:
    """The queries of all creates that were meant."""
    posts = screen.asked("POST", "/backups")
    return [query for _, _, query in posts if "dryRun" not in query]


def with_status(screen: Stage, backup: Manifest, status: Manifest) -> None:
    """What the operator would do to a Backup."""
    screen.server.store.seed({**backup, "status": status})


async def test_the_dialog_is_preset_to_what_works_and_shows_all_that_will_be_sent(
    stage: Open,
) -> None:
    async with stage(a_cluster("pg"), size=(120, 40)) as screen:
        await opened(screen)
        await screen.until(
            re.compile(r"Create Backup pg-\d{14} of cluster pg in production"),
            "t target as the Cluster says",
            "apiVersion: postgresql.cnpg.io/v1 kind: Backup",
            "cnpg.io/cluster: pg",
            f"method: plugin pluginConfiguration: name: {PLUGIN}",
            re.compile(r"kubectl cnpg backup pg -n production --backup-name pg-\d{14} --method"),
            f"plugin --plugin-name {PLUGIN} --context demo",
        )
        assert "method" not in screen.footer  # there is only one that works
        assert not screen.stored("backups")


async def test_a_confirmed_backup_is_created_as_kubectl_cnpg_would(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await opened(screen)
        await screen.press("enter")
        await screen.until(lambda s: s.stored("backups"))
        (made,) = screen.stored("backups")
        name = made["metadata"]["name"]
        named_at = datetime.strptime(name, "pg-%Y%m%d%H%M%S").replace(tzinfo=UTC)
        assert abs((datetime.now(UTC) - named_at).total_seconds()) < 60
        assert made["metadata"]["labels"] == {"cnpg.io/cluster": "pg"}
        assert made["spec"]["method"] == "plugin"
        assert made["spec"]["pluginConfiguration"] == {"name": PLUGIN}


async def test_a_backup_is_followed_to_its_end_with_one_notification(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await opened(screen)
        await screen.press("enter", "2")
        await screen.until(lambda s: s.stored("backups"))
        (made,) = screen.stored("backups")
        await screen.until(f"> {made['metadata']['name']}")
        assert not screen.toasts
        with_status(screen, made, started(5))
        await screen.until("started")
        with_status(screen, made, completed(0))
        await screen.until(f"Backup {made['metadata']['name']} completed")
        with_status(screen, made, {**completed(0), "backupName": "told again"})
        await screen.press("enter")
        await screen.until("told again")
        assert screen.toasts == [f"Backup {made['metadata']['name']} completed"]


async def test_a_failed_backup_is_told_with_its_error(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await opened(screen)
        await screen.press("enter")
        await screen.until(lambda s: s.stored("backups"))
        (made,) = screen.stored("backups")
        await screen.until(f"{made['metadata']['name']} is not taken up")
        with_status(screen, made, {"phase": "failed", "error": "exit status 4 [/oops]"})
        await screen.until(lambda s: s.toasts)
        name = made["metadata"]["name"]
        assert screen.toasts == [f"Backup {name} failed: exit status 4 [/oops]"]


async def test_requested_is_said_until_the_watch_shows_the_row(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await opened(screen)
        screen.server.freeze()
        await screen.press("enter")
        await screen.until(re.compile(r"requested: pg-\d{14}"))
        screen.server.thaw()
        await screen.until(lambda s: s.stored("backups"))
        await screen.gone("requested")


@pytest.mark.parametrize("key", ["escape", "q", "n"])
async def test_cancelling_creates_nothing(stage: Open, key: str) -> None:
    async with stage(a_cluster("pg")) as screen:
        await opened(screen)
        await screen.press(key)
        await screen.gone("Create Backup")
        assert screen.app.is_running
        assert not screen.stored("backups")
        assert not writes(screen)


async def test_keys_pressed_twice_create_one(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await screen.until("> pg")
        await screen.press("b", "b")
        await screen.until(ACCEPTED)
        await screen.press("enter", "enter", "enter")
        await screen.until(lambda s: s.stored("backups"))
        await screen.press("escape", "escape", "2")
        await screen.until("Backups 1 live")
        assert len(writes(screen)) == 1


async def test_the_target_goes_round_and_ends_up_in_the_object(stage: Open) -> None:
    async with stage(a_cluster("pg"), size=(120, 40)) as screen:
        await opened(screen)
        await screen.press("t")
        await screen.until("target prefer-standby", "--backup-target prefer-standby", ACCEPTED)
        await screen.press("t")
        await screen.until("target primary", "target: primary", ACCEPTED)
        await screen.press("t")
        await screen.until("target as the Cluster says", ACCEPTED)
        await screen.press("t", "t")
        await screen.until("target: primary", ACCEPTED)
        await screen.press("enter")
        await screen.until(lambda s: s.stored("backups"))
        assert screen.stored("backups")[0]["spec"]["target"] == "primary"


async def test_an_in_tree_cluster_is_backed_up_in_tree_with_a_warning(stage: Open) -> None:
    async with stage(a_cluster("pg", spec=IN_TREE)) as screen:
        await opened(screen)
        await screen.until("! barmanObjectStore is deprecated: CloudNativePG 1.31.0 removes it")
        await screen.press("enter")
        await screen.until(lambda s: s.stored("backups"))
        assert screen.stored("backups")[0]["spec"]["method"] == "barmanObjectStore"


async def test_the_method_goes_round_and_a_refusal_of_the_dry_run_stops_yes(stage: Open) -> None:
    cluster = a_cluster("pg")
    cluster["spec"]["backup"] = {"volumeSnapshot": {"className": "fast"}}
    async with stage(cluster, size=(120, 40)) as screen:
        await opened(screen)
        await screen.press("m")
        await screen.until(
            "method volumeSnapshot",
            "method: volumeSnapshot",
            "dry run: refused.",
            "Cannot use volumeSnapshot backup method due to missing VolumeSnapshot CRD",
        )
        await screen.press("enter", "enter")
        await screen.until("Create Backup")
        assert not writes(screen)
        await screen.press("m")
        await screen.until("method plugin", ACCEPTED)


async def test_a_dry_run_without_an_answer_is_not_called_refused(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await screen.until("> pg")
        screen.server.fail_next(10_000, 503)
        await screen.press("b")
        await screen.until("dry run: no answer.")
        await screen.press("enter")
        await screen.until("Create Backup")
        assert "refused" not in screen.text


async def test_warnings_of_the_server_stand_beside_our_own(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "review", lambda *_: ["the [webhook] is worried"])
    async with stage(a_cluster("pg", archiving("False"))) as screen:
        await opened(screen)
        await screen.until("! WAL archiving fails since", "! the [webhook] is worried")


@pytest.mark.parametrize(
    ("seeds", "warning"),
    [
        (
            [a_cluster("pg", archiving("False"))],
            "on the primary the Backup will hang in started, on a standby it completes but cannot",
        ),
        (
            [
                a_cluster("pg"),
                a_backup("pg-1", age=2 * HOUR, **started(2 * HOUR)),
                a_backup("pg-2", phase="pending"),
            ],
            "! 2 Backups ahead: pg-1 is started; this one waits until it is completed or failed",
        ),
        (
            [a_cluster("pg", annotations={"cnpg.io/hibernation": "on"})],
            "! the cluster is hibernated: the operator will fail this Backup",
        ),
        (
            [a_cluster("pg", annotations={"cnpg.io/fencedInstances": '["pg-1"]'})],
            "! fenced: pg-1. A fenced target keeps the Backup pending",
        ),
        (
            [a_cluster("pg", annotations={"cnpg.io/skipWalArchiving": "enabled"})],
            "! WAL archiving is switched off (cnpg.io/skipWalArchiving)",
        ),
    ],
    ids=["archiving fails", "a queue", "hibernated", "fenced", "archiving skipped"],
)
async def test_what_will_go_wrong_is_said_before_the_fact(
    stage: Open, seeds: list[Manifest], warning: str
) -> None:
    async with stage(*seeds) as screen:
        await opened(screen)
        await screen.until(warning)


async def test_a_cluster_that_nothing_can_back_up_is_refused_with_the_reason(stage: Open) -> None:
    async with stage(a_cluster("pg", spec={})) as screen:
        await screen.until("> pg")
        await screen.press("b")
        await screen.until("cluster production/pg has no backup method")
        assert not screen.asked("POST", "/backups")


async def test_read_only_refuses_and_says_so_from_the_start(stage: Open) -> None:
    async with stage(a_cluster("pg"), read_only=True) as screen:
        await screen.until("> pg", "read-only")
        await screen.press("b")
        await screen.until("--read-only: nothing is written, no Backup was created")
        assert not screen.asked("POST", "/backups")


def is_greyed(screen: Stage, key: str) -> bool:
    return not screen.app.screen.active_bindings[key].enabled


async def test_a_key_that_lacks_a_right_is_greyed_says_which_and_comes_back(stage: Open) -> None:
    reader = User("reader", "reads", readers_rules())
    async with stage(a_cluster("pg"), user=reader) as screen:
        screen.server.access.admit(reader)
        await screen.press("R")
        await screen.until("> pg", lambda s: is_greyed(s, "b"))
        await screen.press("b")
        await screen.until(
            "back up now: you lack create on backups.postgresql.cnpg.io in production. Ask for it"
        )
        assert not writes(screen)
        screen.server.access.admit(User("reader", "reads", EVERYTHING))
        await screen.press("R")
        await screen.until(lambda s: not is_greyed(s, "b"))
        await screen.press("b")
        await screen.until("dry run: the server accepts it")


async def test_a_right_lost_between_dry_run_and_yes_is_told(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await opened(screen)
        screen.server.access.admit(User("admin", "an-admin-token", readers_rules()))
        await screen.press("enter")
        await screen.until("forbidden. Ask for create on backups.postgresql.cnpg.io")
        await screen.gone("requested")
        assert not screen.stored("backups")


@contextmanager
def loses_its_next_answer(server: ApiServer) -> Iterator[None]:
    """The next object is created, and whoever asked for it is cut off before the answer."""
    now = server.store.now

    def hold() -> datetime:
        server.freeze()
        return now()

    server.store.now = hold
    try:
        yield
    finally:
        server.store.now = now
        server.cut()
        server.thaw()


async def test_a_lost_answer_is_resolved_by_looking(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await opened(screen)
        with loses_its_next_answer(screen.server):
            await screen.press("enter")
            await screen.until(lambda s: s.stored("backups"))
        await screen.gone("requested")
        await screen.press("2")
        await screen.until("Backups 1 live")
        assert len(writes(screen)) == 1
        assert not screen.toasts


async def test_b_on_a_backup_takes_another_of_its_cluster(stage: Open) -> None:
    async with stage(
        a_cluster("alpha"), a_cluster("beta"), a_backup("beta-1", "beta", **completed())
    ) as screen:
        await screen.press("2")
        await screen.until("> beta-1")
        await screen.press("b")
        await screen.until(re.compile(r"Create Backup beta-\d{14} of cluster beta"))


async def test_b_in_an_empty_list_takes_one_of_the_cluster_chosen_before(stage: Open) -> None:
    async with stage(a_cluster("alpha"), a_cluster("beta")) as screen:
        await screen.until("> alpha")
        await screen.press("j")
        await screen.until("> beta")
        await screen.press("2")
        await screen.until("No Backup here yet.")
        await screen.press("b")
        await screen.until(re.compile(r"Create Backup beta-\d{14} of cluster beta"))


async def test_b_before_anything_is_known_says_why_not(server: ApiServer, stage: Open) -> None:
    server.freeze()
    options: dict[str, Any] = {"size": (80, 24)}
    async with stage(a_cluster("pg"), **options) as screen:
        await screen.press("2", "b")
        await screen.until("No cluster to back up")
        server.thaw()
