"""The fields of a form, alone in an app: what the keys do, and what is given back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from tui.widgets.form import Choice, Field, TextField
from tui.widgets.lines import Lines

WORDS = (("a", "first"), ("b", "second"), ("c", "third"))


class Shown(App[None]):
    """An app of one widget; an Input can only be made while there is an app."""

    def __init__(self, make: Callable[[], Widget]) -> None:
        super().__init__()
        self.make = make
        self.chosen: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.make()

    def on_choice_changed(self, event: Choice.Changed) -> None:
        self.chosen.append(event.choice.value)


def text(app: App[Any], line: int = 0) -> str:
    return app.screen._compositor.render_strips()[line].text.rstrip()


async def test_the_chosen_word_stands_in_brackets() -> None:
    async with Shown(lambda: Field("Method", Choice(WORDS, "b"))).run_test() as pilot:
        await pilot.pause()
        assert text(pilot.app) == "Method      first  [second]  third"


async def test_arrows_and_space_choose_and_go_round() -> None:
    app = Shown(lambda: Choice(WORDS, "b"))
    async with app.run_test() as pilot:
        await pilot.press("tab", "right", "space", "left", "l", "h")
    assert app.chosen == ["c", "a", "c", "a", "c"]


async def test_a_value_nobody_foresaw_is_kept_as_a_word_of_its_own() -> None:
    async with Shown(lambda: Choice(WORDS, "new")).run_test() as pilot:
        await pilot.pause()
        assert text(pilot.app) == " first   second   third  [new]"


async def test_an_odd_text_is_shown_harmless_and_given_back_to_the_letter() -> None:
    odd = "0\t0\u00a02 \x1b[2J\u200b"
    async with Shown(lambda: TextField(odd)).run_test() as pilot:
        await pilot.pause()
        assert text(pilot.app) == "0 0 2 \u00b7[2J\u00b7"
        assert pilot.app.query_one(TextField).text == odd


async def test_what_is_typed_or_pasted_is_what_stands_there() -> None:
    async with Shown(lambda: TextField("0\t0")).run_test() as pilot:
        field = pilot.app.query_one(TextField)
        await pilot.press("tab", "end", "1")
        field.insert_text_at_cursor("\t2\n\u3000")
        assert field.text == "0 01 2  "


async def test_a_text_longer_than_the_line_scrolls_with_the_cursor() -> None:
    async with Shown(lambda: TextField("".join(f"{n:03}" for n in range(60)))).run_test(
        size=(20, 2)
    ) as pilot:
        await pilot.press("tab", "end")
        await pilot.pause()
        assert text(pilot.app).endswith("058059")
        await pilot.press("home")
        await pilot.pause()
        assert text(pilot.app).startswith("000001")
        await pilot.press(*"xy")
        await pilot.pause()
        assert text(pilot.app).startswith("xy000001")


@pytest.mark.parametrize(("change", "painted"), [(["a", "x", "c"], [1]), (["a", "b", "c"], [])])
async def test_only_the_lines_that_changed_are_painted(
    change: list[str], painted: list[int]
) -> None:
    lines = Lines(3)
    asked: list[Region] = []
    async with Shown(lambda: lines).run_test() as pilot:
        lines.show([Content(word) for word in "abc"])
        await pilot.pause()
        assert [text(pilot.app, line) for line in range(3)] == ["a", "b", "c"]
        refresh = lines.refresh

        def counted(*regions: Region, **how: bool) -> Any:
            asked.extend(regions)
            return refresh(*regions, **how)

        lines.refresh = counted  # type: ignore[method-assign]
        lines.show([Content(word) for word in change])
        await pilot.pause()
        assert [text(pilot.app, line) for line in range(3)] == change
    assert [region.y for region in asked] == painted
