"""The same facts on every terminal: what matters is on screen, nothing runs over the edge."""

from __future__ import annotations

import os

import pytest
from rich.cells import cell_len

from tests.panes.conftest import Open
from tests.panes.objects import (
    HOUR,
    Manifest,
    a_backup,
    a_cluster,
    a_schedule,
    a_store,
    archiving,
    completed,
    started,
)

SMALL, NORMAL, WIDE, LARGE = (20, 5), (80, 24), (120, 35), (160, 48)
EXIT_4 = "unexpected failure invoking barman-cloud-wal-archive: exit status 4"


def estate() -> tuple[Manifest, ...]:
    return (
        a_cluster("pg-orders", archiving("False", EXIT_4)),
        a_cluster("pg"),
        a_store("r2-store", "pg"),
        a_schedule("nightly", "pg-orders", "0 0 2 * * *"),
        a_backup("pg-20261122020000", "pg", **completed(2.5 * HOUR)),
        a_backup("pg-orders-20261122020000", "pg-orders", age=3 * HOUR, **started(3 * HOUR)),
        a_backup("pg-orders-20261122112500", "pg-orders", age=2.5 * HOUR, phase="pending"),
        a_backup("pg-20261121020000", "pg", phase="failed", error="exit status 4"),
    )


@pytest.mark.parametrize("size", [SMALL, NORMAL, WIDE, LARGE], ids=str)
async def test_every_screen_fits_its_terminal(stage: Open, size: tuple[int, int]) -> None:
    async with stage(*estate(), size=size) as screen:
        for keys in ("1", "2", "enter", "escape", "question_mark", "escape", "b", "escape", "w"):
            await screen.press(keys)
            await screen.pilot.pause(0.05)
            assert len(screen.lines) == size[1]
            assert all(cell_len(line) <= size[0] for line in screen.lines)
        assert screen.app.is_running


async def test_the_smallest_terminal_still_names_the_worst_cluster(stage: Open) -> None:
    async with stage(*estate(), size=SMALL) as screen:
        await screen.until("x 1", "> pg-ord", "x op")
        await screen.press("2")
        await screen.until("Backups", "NAME", "PHASE")


async def test_in_the_smallest_terminal_a_backup_can_be_taken(stage: Open) -> None:
    async with stage(a_cluster("pg"), size=SMALL) as screen:
        await screen.until("> pg")
        await screen.press("b")
        await screen.until("Create Backup pg-")
        await screen.press("j", "j", "j")
        await screen.until("accepts it")
        await screen.press("enter")
        await screen.until(lambda s: s.stored("backups"))


async def test_at_80x24_one_pane_shows_the_answer_and_the_whole_next_step(stage: Open) -> None:
    async with stage(*estate(), size=NORMAL) as screen:
        await screen.until(
            "NAME VERDICT RESTORABLE TO BEHIND LAST BASE",
            "> pg-orders x operator says failing",
            "kubectl -n production logs pg-orders-1 -c plugin-barman-cloud",
        )
        assert "CLUSTER METHOD PHASE" not in screen.flowing
        await screen.press("2")
        await screen.until(
            "NAME AGE CLUSTER METHOD PHASE ERROR",
            "pg-orders-20261122112500",
            "pg-orders-20261122020000",
        )
        assert "VERDICT" not in screen.flowing


@pytest.mark.parametrize("size", [WIDE, LARGE], ids=str)
async def test_wide_and_tall_shows_clusters_and_backups_side_by_side(
    stage: Open, size: tuple[int, int]
) -> None:
    async with stage(*estate(), size=size) as screen:
        await screen.until("VERDICT", "PHASE", "> pg-orders", "pg-orders-20261122112500")
        row = next(line for line in screen.lines if "VERDICT" in line)
        assert "NAME" in row
        assert "PHASE" in row


async def test_in_the_wide_layout_one_selection_moves_the_other(stage: Open) -> None:
    async with stage(*estate(), size=LARGE) as screen:
        await screen.until("> pg-orders ", "pg-orders-20261122112500")
        await screen.until("> pg-orders-20261122112500")
        await screen.press("j")
        await screen.until("> pg ", "> pg-2026112")
        await screen.press("2", "G")
        await screen.until("> pg-orders-20261122020000", "> pg-orders ")


async def test_wide_but_low_shows_one_pane_at_a_time(stage: Open) -> None:
    async with stage(*estate(), size=(160, 24)) as screen:
        await screen.until("VERDICT", "> pg-orders")
        assert "METHOD" not in screen.text
        await screen.press("2")
        await screen.until("METHOD")


async def test_a_terminal_that_changes_its_size_keeps_the_place(stage: Open) -> None:
    async with stage(*estate(), size=LARGE) as screen:
        await screen.until("> pg-orders ")
        await screen.press("j")
        await screen.until("> pg ")
        for size in (SMALL, NORMAL, WIDE, (1, 1), NORMAL):
            await screen.pilot.resize_terminal(*size)
            await screen.pilot.pause()
        await screen.until("> pg ", "VERDICT")


@pytest.mark.parametrize("theme", ["dark", "light", "plain"])
@pytest.mark.parametrize("no_color", [False, True], ids=["colour", "NO_COLOR"])
async def test_every_theme_says_severity_in_words(
    stage: Open, monkeypatch: pytest.MonkeyPatch, theme: str, no_color: bool
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    async with stage(*estate(), theme=theme) as screen:
        await screen.until("x operator says failing", "1 failing")
        await screen.press("2")
        await screen.until("pending", "failed", "completed")
        assert ("NO_COLOR" in os.environ) == no_color
        strips = screen.app.screen._compositor.render_strips()
        colours = {
            segment.style.color.name
            for strip in strips
            for segment in strip
            if segment.style and segment.style.color
        }
        if theme == "plain":
            assert not any(name.startswith("#") for name in colours), colours
