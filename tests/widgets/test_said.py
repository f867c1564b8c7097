"""A text that is told again: drawn where it differs, as high as it is, and cut off with a word."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Region
from textual.widgets import Static

from tui.widgets.said import Said


class Speaker(App[None]):
    CSS = "#short { max-height: 3; } #title { height: 1; text-wrap: nowrap; }"

    def compose(self) -> ComposeResult:
        self.said = Said()
        self.short = Said(id="short")
        self.titled = Said(id="title")
        yield self.said
        yield Static("below", markup=False)
        yield self.short
        yield self.titled

    @property
    def lines(self) -> list[str]:
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]


async def test_it_is_as_high_as_its_text() -> None:
    app = Speaker()
    async with app.run_test(size=(20, 8)) as pilot:
        assert app.lines[0] == "below"
        app.said.update("one two three four five\nsix")
        await pilot.pause()
        assert app.lines[:4] == ["one two three four", "five", "six", "below"]
        app.said.update("one")
        await pilot.pause()
        assert app.lines[:2] == ["one", "below"]
        app.said.update("")
        await pilot.pause()
        assert app.lines[0] == "below"


async def test_it_is_wrapped_anew_when_the_width_changes() -> None:
    app = Speaker()
    async with app.run_test(size=(20, 8)) as pilot:
        app.said.update("one two three four five")
        await pilot.pause()
        await pilot.resize_terminal(40, 8)
        await pilot.pause()
        assert app.lines[:2] == ["one two three four five", "below"]


async def test_markup_is_text() -> None:
    app = Speaker()
    async with app.run_test(size=(20, 8)) as pilot:
        app.said.update("[/foo] [red]x[/]")
        await pilot.pause()
        assert app.lines[0] == "[/foo] [red]x[/]"


async def test_lines_that_have_no_room_are_counted() -> None:
    app = Speaker()
    async with app.run_test(size=(20, 12)) as pilot:
        app.short.update("1\n2\n3\n4\n5")
        await pilot.pause()
        assert app.lines[1:4] == ["1", "2", "... 3 more lines"]


async def test_a_title_is_never_wrapped() -> None:
    app = Speaker()
    async with app.run_test(size=(20, 8)) as pilot:
        app.titled.update("a title that is longer than the line")
        await pilot.pause()
        assert app.lines[1] == "a title that is lon…"


@pytest.mark.parametrize(
    ("told", "drawn"),
    [
        ("one\ntwo\nthree", []),
        ("one\n2\nthree", [1]),
        (Content.assemble("one\ntwo\n", ("three", "bold")), [2]),
    ],
    ids=["the same", "another line", "another style"],
)
async def test_only_lines_that_differ_are_drawn(
    monkeypatch: pytest.MonkeyPatch, told: str | Content, drawn: list[int]
) -> None:
    app = Speaker()
    async with app.run_test(size=(20, 8)) as pilot:
        app.said.update("one\ntwo\nthree")
        await pilot.pause()
        asked: list[Region] = []
        monkeypatch.setattr(app.said, "refresh", lambda *regions, **_: asked.extend(regions))
        app.said.update(told)
        assert [region.y for region in asked] == drawn
