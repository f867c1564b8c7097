"""Triage at 80x24: the headline, the first broken rung and its remedy without scrolling."""

from __future__ import annotations

import pytest
from textual.content import Content

from tests.panes.conftest import Open
from tests.panes.objects import (
    HOUR,
    Manifest,
    a_backup,
    a_cluster,
    a_schedule,
    archiving,
    completed,
    started,
)
from tui.widgets.said import Said

EXIT_1 = (
    "rpc error: code = Unknown desc = unexpected failure invoking barman-cloud-wal-archive: "
    "exit status {}"
)
NO_SECRET = 'rpc error: code = Unknown desc = while getting secret r2: secrets "r2" not found'
UNKNOWN = "Cluster cannot proceed to reconciliation due to an unknown plugin being required"

FAILURES: list[tuple[tuple[Manifest, ...], str, str]] = [
    ((a_cluster("pg", spec={}),), "archiver configured", "add the Barman Cloud plugin"),
    ((a_cluster("pg", archiving("False", EXIT_1.format(1))),), "archive is its own", "serverName"),
    ((a_cluster("pg", archiving("False", EXIT_1.format(2))),), "endpoint reached", "endpointURL"),
    ((a_cluster("pg", archiving("False", NO_SECRET)),), "Secret and rights", "create Secret"),
    ((a_cluster("pg", phase=UNKNOWN),), "plugin known", "install the plugin"),
    (
        (a_cluster("pg"), a_backup("old", age=14 * HOUR, **completed(13 * HOUR)),
         a_backup("stuck", age=12 * HOUR, **started(12 * HOUR))),
        "base backups", "delete backups.postgresql.cnpg.io stuck",
    ),
    (
        (a_cluster("pg"), a_backup("pg-1", **completed()), a_schedule("nightly", "pg", "0 2 * * *")),
        "schedule fires", '"0 0 2 * * *"',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("manifests", "rung", "remedy"), FAILURES, ids=[f[1] for f in FAILURES])
async def test_the_first_broken_rung_and_its_remedy_are_read_without_a_key(
    stage: Open, manifests: tuple[Manifest, ...], rung: str, remedy: str
) -> None:
    async with stage(*manifests) as screen:
        await screen.until("> pg")
        await screen.press("t")
        await screen.until("Triage pg", f"x {rung} broken", "remedy", remedy)
        assert any(line.strip().startswith(f"> x {rung}") for line in screen.lines), screen.text


async def test_the_remedy_is_wrapped_to_the_screen_from_the_first_frame_on(
    stage: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    update = Said.update

    def noted(said: Said, text: Content | str) -> None:
        drawn.append(str(text))
        update(said, text)

    async with stage(a_cluster("pg", archiving("False", NO_SECRET))) as screen:
        await screen.until("> pg")
        monkeypatch.setattr(Said, "update", noted)
        await screen.press("t")
        await screen.until("x Secret and rights broken", "remedy")
    remedies = [text for text in drawn if "remedy" in text]
    assert set(remedies) == {remedies[-1]}


async def test_a_command_names_the_context_that_was_asked_for(stage: Open) -> None:
    cluster = a_cluster("pg", archiving("False", NO_SECRET))
    async with stage(cluster, flags={"context": "demo"}) as screen:
        await screen.until("> pg", "kubectl --context demo -n production get secrets")
        await screen.press("t")
        await screen.until("run kubectl --context demo -n production get secrets")


async def test_a_rung_that_cannot_be_told_says_why(stage: Open) -> None:
    async with stage(a_cluster("pg"), a_backup("pg-1", **completed())) as screen:
        await screen.until("> pg")
        await screen.press("t")
        await screen.until("? WAL lands no keys for s3://acme-pg/prod", "? endpoint reached")


async def test_enter_shows_every_witness_and_again_the_rung(stage: Open) -> None:
    async with stage(a_cluster("pg", archiving("False", NO_SECRET))) as screen:
        await screen.until("> pg")
        await screen.press("t")
        await screen.until("x Secret and rights broken")
        await screen.press("enter")
        await screen.until("operator ContinuousArchiving False")
        await screen.press("enter")
        await screen.until("x Secret and rights broken")


async def test_the_witnesses_take_the_room_of_the_ladder_that_they_need(stage: Open) -> None:
    schedules = [a_schedule(f"nightly-{n}", "pg", f"0 {n} 2 * * *") for n in range(12)]
    cluster = a_cluster("pg", archiving("False", NO_SECRET))
    async with stage(cluster, *schedules) as screen:
        await screen.until("> pg")
        await screen.press("t", "enter")
        await screen.until("operator ContinuousArchiving False", "nightly-9 0 9 2 * * *")
        assert "more lines" not in screen.text
        assert any(line.strip("▲▼ ").startswith("> x Secret and rights") for line in screen.lines)
        await screen.press("enter")
        await screen.until("x Secret and rights broken", "? base backups")


async def test_a_ladder_that_is_looked_at_follows_the_server(stage: Open) -> None:
    async with stage(a_cluster("pg", archiving("False", NO_SECRET))) as screen:
        await screen.until("> pg")
        await screen.press("t")
        await screen.until("x Secret and rights")
        screen.server.store.seed(a_cluster("pg"))
        await screen.gone("x Secret and rights")
        await screen.until("> x base backups")
        await screen.press("escape")
        await screen.until("no base backup")
