"""Keys and their words: one declaration, told by the footer, by help and by the palette."""

from __future__ import annotations

import pytest

from tests.panes.conftest import Open
from tests.panes.objects import a_backup, a_cluster, completed
from tests.panes.stage import Stage


def seeds() -> tuple[dict[str, object], ...]:
    return (a_cluster("pg"), a_backup("pg-1", **completed()), a_backup("pg-2", **completed()))


def footer_words(screen: Stage) -> list[str]:
    """What the footer says the keys do."""
    return [
        active.binding.description
        for active in screen.app.screen.active_bindings.values()
        if active.binding.show and active.binding.description in screen.footer
    ]


@pytest.mark.parametrize(
    ("pane", "expected"),
    [
        ("1", ("⏎ its backups", "/ filter", "b back up now", "? help", "q quit")),
        ("2", ("⏎ details", "/ filter", "b back up now", "w table or log", "f follow newest")),
    ],
    ids=["clusters", "backups"],
)
async def test_the_footer_names_the_keys_that_matter_here(
    stage: Open, pane: str, expected: tuple[str, ...]
) -> None:
    async with stage(*seeds()) as screen:
        await screen.press(pane)
        await screen.until("> pg")
        assert [words for words in expected if words not in screen.footer] == []


@pytest.mark.parametrize("pane", ["1", "2"])
async def test_help_and_palette_use_the_words_of_the_footer(stage: Open, pane: str) -> None:
    async with stage(*seeds(), size=(100, 60)) as screen:
        await screen.press(pane)
        await screen.until("> pg")
        words = footer_words(screen)
        assert len(words) >= 5
        await screen.press("question_mark")
        await screen.until("Keys", "Next row", "ask again now", *words)
        await screen.press("escape")
        await screen.gone("Next row")
        await screen.press("colon")
        await screen.until("Search for commands", "ask again now", *words)


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ("t", ("Next row", "b back up now", "e to a file", "r look again", "esc q t back")),
        ("2 enter", ("esc q back", "j Next line", "G Last line")),
        ("v", ("esc q v back",)),
        ("3 l", ("esc q back", "^d Page down")),
    ],
    ids=["triage", "backup", "verdict changes", "findings"],
)
async def test_help_tells_the_keys_of_the_screen_it_was_called_from(
    stage: Open, keys: str, wanted: tuple[str, ...]
) -> None:
    async with stage(*seeds(), size=(100, 60)) as screen:
        await screen.until("> pg")
        await screen.press(*keys.split())
        await screen.until("esc back")
        await screen.press("question_mark")
        await screen.until("Keys", "^c ^q quit", *wanted)
        assert "Focus Next" not in screen.text


async def test_the_palette_does_what_its_line_says(stage: Open) -> None:
    async with stage(*seeds()) as screen:
        await screen.until("> pg")
        await screen.press("colon", *"backups")
        await screen.until("key 2")
        await screen.press("enter")
        await screen.until("NAME AGE CLUSTER METHOD PHASE ERROR")


async def test_the_palette_changes_the_look(stage: Open) -> None:
    async with stage(*seeds()) as screen:
        await screen.until("> pg")
        await screen.press("colon", *"theme light")
        await screen.until("change the look")
        await screen.press("enter")
        await screen.until(lambda s: s.app.theme == "light")


async def test_keys_move_the_cursor_as_in_k9s_and_less(stage: Open) -> None:
    rows = [a_backup(f"row-{number:02d}", age=1000 + number, **completed()) for number in range(60)]
    async with stage(*rows) as screen:
        await screen.press("2")
        await screen.until("> row-00")
        for key, wanted in [
            ("j", "row-01"),
            ("down", "row-02"),
            ("k", "row-01"),
            ("G", "row-59"),
            ("g", "row-00"),
            ("end", "row-59"),
            ("home", "row-00"),
        ]:
            await screen.press(key)
            await screen.until(f"> {wanted}")
        await screen.press("ctrl+d")
        await screen.gone("> row-00")
        await screen.press("ctrl+u")
        await screen.until("> row-00")
        await screen.press("pagedown")
        await screen.gone("row-00")


async def test_a_text_that_is_too_long_is_moved_in_as_a_list_is(stage: Open) -> None:
    async with stage(*seeds()) as screen:
        await screen.press("2")
        await screen.until("> pg")
        await screen.press("enter")
        await screen.until("spec.cluster.name")
        for key, wanted in [("G", "Events"), ("g", "spec.cluster.name"), ("ctrl+d", "Events")]:
            await screen.press(key)
            await screen.until(wanted)
        await screen.press("ctrl+u")
        await screen.until("spec.cluster.name")
        await screen.press("escape", "question_mark")
        await screen.until("Next row")
        await screen.press("G")
        await screen.until("esc closes this")


async def test_q_closes_what_is_open_and_then_the_app(stage: Open) -> None:
    async with stage(*seeds()) as screen:
        await screen.press("2")
        await screen.until("> pg")
        await screen.press("enter")
        await screen.until("Backup pg-2 in production")
        await screen.press("q")
        await screen.until("> pg-2")
        await screen.press("question_mark")
        await screen.until("Next row")
        await screen.press("q")
        await screen.gone("Next row")
        assert screen.app.is_running
        await screen.press("q")
        assert screen.app.return_code == 0


async def test_r_asks_again_where_a_feed_waits(stage: Open) -> None:
    async with stage(a_cluster("pg")) as screen:
        await screen.until("> pg")
        screen.server.fail_next(10_000, 503, retry_after=600)
        screen.server.cut()
        await screen.until("stale since", "reconnecting in")
        screen.server.fail_next(0, 503)
        await screen.press("R")
        await screen.until(lambda s: "live" in s.lines[0])
