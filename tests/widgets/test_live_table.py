"""LiveTable on a screen, and in a real terminal where its bytes are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import MouseScrollDown, MouseScrollUp
from textual.strip import Strip
from textual.widgets import ContentSwitcher, Static

from tui.widgets.live_table import Cell, Column, LiveTable

Screen = Callable[[App[Any]], list[str]]
Strips = Callable[[App[Any]], list[Strip]]

COLUMNS = (
    Column("NAME", min_width=8),
    Column("AGE", width=4, align="right"),
    Column("METHOD", rank=1),
    Column("ERROR", flexible=True, rank=2),
)


class Backups(App[None]):
    """A table of 30 rows of 12 lines, the words in it changeable by the test."""

    def __init__(self, count: int = 30, columns: Sequence[Column] = COLUMNS) -> None:
        super().__init__()
        self.keys = [f"base-{number:03d}" for number in range(count)]
        self.rows: dict[str, Sequence[Cell]] = {
            key: (key, f"{number}s", "plugin", "") for number, key in enumerate(self.keys)
        }
        self.asked: list[str] = []
        self.said: list[tuple[str, str | None]] = []
        self.table = LiveTable(columns, self.cells, empty="No backups yet. Press b to take one.")

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.set_keys(self.keys)

    def cells(self, key: str) -> Sequence[Cell]:
        self.asked.append(key)
        return self.rows[key]

    def on_live_table_highlighted(self, event: LiveTable.Highlighted[str]) -> None:
        assert event.control is self.table
        self.said.append(("highlighted", event.key))

    def on_live_table_selected(self, event: LiveTable.Selected[str]) -> None:
        assert event.control is self.table
        self.said.append(("selected", event.key))


def cursor(screen: list[str]) -> str:
    """The name in the row that carries the cursor's glyph."""
    (row,) = [line for line in screen if line[1:2] == ">"]
    return row[3:].split()[0]


# What it shows


async def test_rows_stand_under_a_fixed_header_with_a_cursor_glyph(lines: Screen) -> None:
    app = Backups(3)
    async with app.run_test(size=(50, 6)) as pilot:
        await pilot.pause()
        assert lines(app) == [
            "   NAME       AGE  METHOD  ERROR",
            " > base-000    0s  plugin",
            "   base-001    1s  plugin",
            "   base-002    2s  plugin",
            "",
            "",
        ]


async def test_marks_in_the_gutter_say_that_there_is_more_above_and_below(lines: Screen) -> None:
    app = Backups(30)
    async with app.run_test(size=(50, 6)) as pilot:
        await pilot.press("pagedown")
        await pilot.pause()
        assert [line[:11] for line in lines(app)] == [
            "   NAME    ",
            "▲> base-005",
            "   base-006",
            "   base-007",
            "   base-008",
            "▼  base-009",
        ]


async def test_an_empty_table_says_why_in_a_sentence_that_wraps(lines: Screen) -> None:
    app = Backups(0)
    async with app.run_test(size=(26, 6)) as pilot:
        await pilot.pause()
        assert lines(app)[1:4] == ["   No backups yet. Press b", "   to take one.", ""]
        app.table.empty = "Still listing."
        await pilot.pause()
        assert lines(app)[1:3] == ["   Still listing.", ""]
        assert app.table.cursor_key is None


async def test_columns_of_low_priority_go_first_when_the_terminal_is_narrow(lines: Screen) -> None:
    app = Backups(2)
    async with app.run_test(size=(50, 4)) as pilot:
        app.rows["base-000"] = ("base-000", "0s", "plugin", "exit status 4, AccessDenied")
        app.table.refresh_keys(["base-000"])
        await pilot.pause()
        assert lines(app)[1] == " > base-000    0s  plugin  exit status 4, AccessD…"
        await pilot.resize_terminal(30, 4)
        assert lines(app)[1] == " > base-000    0s  plugin"
        await pilot.resize_terminal(20, 4)
        assert lines(app)[1] == " > base-000    0s"
        await pilot.resize_terminal(13, 4)
        assert lines(app)[1] == " > bas…    0s"


async def test_the_sorted_column_has_an_arrow(lines: Screen) -> None:
    app = Backups(1)
    async with app.run_test(size=(50, 3)) as pilot:
        app.table.sort = (0, False)
        await pilot.pause()
        assert lines(app)[0] == "   NAME↑      AGE  METHOD  ERROR"
        app.table.sort = (1, True)
        await pilot.pause()
        assert lines(app)[0] == "   NAME      AGE↓  METHOD  ERROR"
        app.table.sort = None
        await pilot.pause()
        assert lines(app)[0] == "   NAME       AGE  METHOD  ERROR"


async def test_columns_grow_with_what_is_in_view_and_do_not_shrink_back(lines: Screen) -> None:
    app = Backups(2, (Column("NAME"), Column("AGE")))
    app.rows = {"base-000": ("base-000", "9s"), "base-001": ("base-001-of-pg-orders", "9s")}
    async with app.run_test(size=(50, 4)) as pilot:
        await pilot.pause()
        assert lines(app)[0] == "   NAME                   AGE"
        app.rows["base-001"] = ("short", "10s")
        app.table.tick()
        await pilot.pause()
        assert lines(app)[0] == "   NAME                   AGE"
        app.rows["other"] = ("other", "1s")
        app.table.set_keys(["other"])
        await pilot.pause()
        assert lines(app)[0] == "   NAME   AGE"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        pytest.param("[red]not[/] markup [/foo]", "[red]not[/] markup [/foo]", id="markup"),
        pytest.param("\x1b[2J\x1b]0;title\x07gone", "gone", id="escape sequences"),
        pytest.param("two\nlines\tand a tab", "two lines and a tab", id="newline and tab"),
        pytest.param("\u202etxt.exe", "txt.exe", id="text that runs backwards"),
        pytest.param("half \ud83d of a pair", "half of a pair", id="a lone surrogate"),
        pytest.param("バックアップ 完了", "バックアップ 完了", id="wide characters"),
        pytest.param(Content.styled("\x1b[1mbold", "bold"), "bold", id="styled, with an escape"),
    ],
)
async def test_text_from_outside_is_harmless(cell: Cell, shown: str, lines: Screen) -> None:
    app = Backups(1, (Column("NAME"), Column("END")))
    app.rows["base-000"] = (cell, "end")
    async with app.run_test(size=(60, 3)) as pilot:
        await pilot.pause()
        assert lines(app)[1] == f" > {shown}  end"


async def test_a_wide_character_that_would_be_halved_is_left_out(
    lines: Screen, strips: Strips
) -> None:
    app = Backups(1, (Column("NAME", width=6), Column("END")))
    app.rows["base-000"] = ("完了完了", "end")
    async with app.run_test(size=(30, 3)) as pilot:
        await pilot.pause()
        assert lines(app)[1] == " > 完了 …  end"
        assert strips(app)[1].cell_length == 30


async def test_a_row_of_the_wrong_number_of_cells_is_a_mistake() -> None:
    app = Backups(1)
    app.rows["base-000"] = ("only", "two")
    with pytest.raises(ValueError, match="zip"):
        async with app.run_test() as pilot:
            await pilot.pause()


def test_two_flexible_columns_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="at most one flexible column"):
        Backups(1, (Column("A", flexible=True), Column("B", flexible=True)))


async def test_a_styled_cell_keeps_its_colour_outside_the_focused_cursor(strips: Strips) -> None:
    app = Backups(2)
    for key in app.keys:
        app.rows[key] = (key, "1s", Content.styled("failed", "bold italic"), "")
    async with app.run_test(size=(50, 4)) as pilot:
        await pilot.pause()

        def italic(y: int) -> str:
            return "".join(text for text, style, _ in strips(app)[y] if style and style.italic)

        assert italic(1) == ""
        assert italic(2) == "failed"
        app.screen.set_focus(None)
        await pilot.pause()
        assert italic(1) == "failed"


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark"])
async def test_the_cursor_row_looks_different_focused_and_less_so_blurred(
    theme: str, strips: Strips
) -> None:
    app = Backups(2)
    app.theme = theme
    async with app.run_test(size=(50, 4)) as pilot:
        await pilot.pause()
        looks = [next(iter(strips(app)[y])).style for y in (1, 2)]
        app.screen.set_focus(None)
        await pilot.pause()
        looks.append(next(iter(strips(app)[1])).style)
        focused, plain, blurred = map(str, looks)
        assert len({focused, plain, blurred}) == 3
        if theme == "ansi-dark":
            assert (focused, blurred) == ("reverse default on default", "bold default on default")


async def test_without_colour_the_cursor_is_reversed(
    strips: Strips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = Backups(2)
    async with app.run_test(size=(50, 4)) as pilot:
        await pilot.pause()
        style = next(iter(strips(app)[1])).style
        assert style is not None
        assert style.reverse


# Keys


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        (["j"], "base-001"),
        (["down", "down", "k"], "base-001"),
        (["k"], "base-000"),
        (["G"], "base-029"),
        (["end", "up"], "base-028"),
        (["G", "g"], "base-000"),
        (["G", "home"], "base-000"),
        (["ctrl+d"], "base-005"),
        (["ctrl+d", "ctrl+d", "ctrl+u"], "base-005"),
        (["pagedown"], "base-011"),
        (["pagedown", "pagedown", "pagedown"], "base-029"),
        (["pagedown", "pageup"], "base-000"),
        (["j"] * 12, "base-012"),
    ],
)
async def test_keys_move_the_cursor_as_in_k9s(keys: list[str], key: str, lines: Screen) -> None:
    app = Backups(30)
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        assert app.table.cursor_key == key
        assert cursor(lines(app)) == key


async def test_a_step_over_the_edge_brings_the_cursor_to_the_middle(lines: Screen) -> None:
    app = Backups(30)
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.press(*["j"] * 11)
        await pilot.pause()
        assert lines(app)[6].startswith(" > base-011")


async def test_moving_says_the_key_and_enter_selects_it() -> None:
    app = Backups(30)
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.press("j", "j", "k", "enter")
        await pilot.press("k", "k")
        await pilot.pause()
        assert app.said == [
            ("highlighted", "base-000"),
            ("highlighted", "base-001"),
            ("highlighted", "base-002"),
            ("highlighted", "base-001"),
            ("selected", "base-001"),
            ("highlighted", "base-000"),
        ]


async def test_keys_in_an_empty_table_do_nothing() -> None:
    app = Backups(0)
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.press("j", "k", "G", "g", "pagedown", "ctrl+u", "enter")
        await pilot.pause()
        assert app.said == []


async def test_the_mouse_works_when_it_is_on(lines: Screen) -> None:
    app = Backups(30)
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.click(LiveTable, offset=(8, 4))
        await pilot.click(LiveTable, offset=(8, 0))
        await pilot.pause()
        assert cursor(lines(app)) == "base-003"
        await pilot.click(LiveTable, offset=(8, 4))
        await pilot.pause()
        assert app.said[-2:] == [("highlighted", "base-003"), ("selected", "base-003")]


async def test_the_wheel_moves_the_cursor() -> None:
    app = Backups(30)
    async with app.run_test(size=(50, 12)) as pilot:
        for wheel in (MouseScrollDown, MouseScrollDown, MouseScrollUp):
            app.table.post_message(wheel(app.table, 5, 5, 0, 0, 0, False, False, False))
        await pilot.pause()
        assert app.table.cursor_key == "base-003"


# Rows that come, go and move


async def test_keys_may_be_set_before_the_table_is_mounted(lines: Screen) -> None:
    app = Backups(30)
    app.table.set_keys(app.keys)
    app.table.cursor_key = "base-020"
    app.table.refresh_keys(["base-020"])
    app.table.flash("base-020")
    assert app.asked == []
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.pause()
        assert cursor(lines(app)) == "base-020"


async def test_the_cursor_stays_on_its_key_when_rows_arrive_above(lines: Screen) -> None:
    app = Backups(10)
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.press("j", "j")
        app.rows["new"] = ("new", "0s", "plugin", "")
        app.table.set_keys(["new", *app.keys])
        await pilot.pause()
        assert cursor(lines(app)) == "base-002"
        assert lines(app)[1].startswith("   new ")
        assert app.said[-1] == ("highlighted", "base-002")


async def test_until_a_key_is_pressed_the_cursor_stays_on_the_first_row() -> None:
    app = Backups(30)
    async with app.run_test(size=(50, 12)) as pilot:
        app.table.set_keys(app.keys[10:])
        app.table.set_keys(app.keys)
        await pilot.pause()
        assert app.table.cursor_key == "base-000"
        await pilot.press("x")
        app.table.set_keys(sorted(app.keys, reverse=True))
        await pilot.pause()
        assert app.table.cursor_key == "base-000"


async def test_the_screen_does_not_move_when_rows_arrive_above_it(lines: Screen) -> None:
    app = Backups(30)
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.press("pagedown", "j", "j")
        await pilot.pause()
        before = lines(app)
        app.rows |= {f"new-{n}": (f"new-{n}", "0s", "plugin", "") for n in range(3)}
        app.table.set_keys(["new-0", "new-1", "new-2", *app.keys])
        await pilot.pause()
        assert lines(app) == before


@pytest.mark.parametrize(
    ("gone", "key"),
    [
        pytest.param({5}, "base-006", id="the next row"),
        pytest.param({5, 6, 7}, "base-008", id="the next that is still there"),
        pytest.param(set(range(5, 10)), "base-004", id="at the end the one before"),
        pytest.param(set(range(10)), None, id="none when nothing is left"),
    ],
)
async def test_when_its_row_leaves_the_cursor_goes_to_the_nearest_neighbour(
    gone: set[int], key: str | None
) -> None:
    app = Backups(10)
    async with app.run_test(size=(50, 12)) as pilot:
        app.table.cursor_key = "base-005"
        app.table.set_keys(key for at, key in enumerate(app.keys) if at not in gone)
        await pilot.pause()
        assert app.table.cursor_key == key
        assert app.said[-1] == ("highlighted", key)


async def test_another_list_altogether_begins_at_its_first_row() -> None:
    app = Backups(10)
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.press("G")
        app.rows |= {"a": ("a", "", "", ""), "b": ("b", "", "", "")}
        app.table.set_keys(["a", "b"])
        await pilot.pause()
        assert app.table.cursor_key == "a"


async def test_the_cursor_can_be_put_on_a_key_and_comes_into_view(lines: Screen) -> None:
    app = Backups(100)
    async with app.run_test(size=(50, 12)) as pilot:
        app.table.cursor_key = "base-070"
        app.table.cursor_key = "no such key"
        await pilot.pause()
        assert lines(app)[6].startswith(" > base-070")


async def test_a_smaller_terminal_keeps_the_cursor_in_view(lines: Screen) -> None:
    app = Backups(30)
    async with app.run_test(size=(50, 20)) as pilot:
        await pilot.press(*["j"] * 15)
        await pilot.resize_terminal(50, 5)
        await pilot.pause()
        assert cursor(lines(app)) == "base-015"
        await pilot.resize_terminal(50, 40)
        await pilot.pause()
        assert lines(app)[1].startswith("   base-000")


# What is asked and repainted


async def test_only_rows_in_view_are_asked_for_their_cells() -> None:
    app = Backups(1000)
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.pause()
        assert set(app.asked) == set(app.keys[:11])
        app.asked.clear()
        app.table.refresh_keys(["base-003", "base-500"])
        assert app.asked == ["base-003"]
        app.asked.clear()
        await pilot.press("j", "k")
        assert app.asked == []
        app.table.tick()
        assert app.asked == app.keys[:11]


async def test_a_hidden_table_asks_nothing_and_is_up_to_date_when_shown_again(
    lines: Screen,
) -> None:
    backups = Backups(5)

    class Panes(App[None]):
        def compose(self) -> ComposeResult:
            with ContentSwitcher(initial="one"):
                with Vertical(id="one"):
                    yield backups.table
                yield Static("the other pane", id="two")

    app = Panes()
    async with app.run_test(size=(50, 8)) as pilot:
        backups.table.set_keys(backups.keys)
        await pilot.pause()
        switcher = app.query_one(ContentSwitcher)
        switcher.current = "two"
        await pilot.pause()
        backups.asked.clear()
        backups.rows["base-001"] = ("changed", "1s", "plugin", "")
        backups.table.refresh_keys(["base-001"])
        backups.table.tick()
        backups.table.set_keys(backups.keys[1:])
        backups.table.flash("base-001")
        await pilot.pause()
        assert backups.asked == []
        assert backups.table._flash_timer is None
        switcher.current = "one"
        await pilot.pause()
        assert [line[:11] for line in lines(app)[:3]] == [
            "   NAME    ",
            " > changed ",
            "   base-002",
        ]


async def test_a_flash_marks_the_row_and_goes_out(strips: Strips) -> None:
    app = Backups(30)
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.pause()

        def look(y: int) -> str:
            return str(next(iter(strips(app)[y])).style)

        plain = look(3)
        app.table.flash("base-002")
        app.table.flash("base-004")
        app.table.flash("base-025")
        await pilot.pause()
        assert look(3) == look(5) != plain
        async with asyncio.timeout(10):
            while look(3) != plain:
                await pilot.pause(0.05)
        assert look(5) == plain
        assert not app.table._flashing


async def test_a_new_theme_is_followed(strips: Strips) -> None:
    app = Backups(3)
    async with app.run_test(size=(50, 12)) as pilot:
        await pilot.pause()
        before = str(next(iter(strips(app)[2])).style)
        app.theme = "textual-light"
        await pilot.pause()
        after = str(next(iter(strips(app)[2])).style)
        assert before != after


async def test_fifty_thousand_keys_load_and_answer(lines: Screen) -> None:
    app = Backups(0)
    async with app.run_test(size=(80, 24)) as pilot:
        app.keys = [f"base-{number:05d}" for number in range(50_000)]
        app.rows = {key: (key, "1s", "plugin", "") for key in app.keys}
        app.table.set_keys(app.keys)
        await pilot.press("G")
        await pilot.pause()
        assert app.table.row_count == 50_000
        assert cursor(lines(app)) == "base-49999"
        assert len(set(app.asked)) < 100


# Bytes on the wire, at 80x24 in 256 colours

TABLE_APP = str(Path(__file__).with_name("table_app.py"))
Lines = Callable[[list[str]], bool]


def row_says(y: int, text: str) -> Lines:
    return lambda screen: text in screen[y]


def test_one_changed_row_costs_at_most_400_bytes_even_with_its_flash(
    terminal: Callable[..., Any],
) -> None:
    tty = terminal(TABLE_APP, "100")
    tty.until(row_says(22, "backup-000020"))
    tty.rest()
    assert 0 < len(tty.press("x", row_says(4, "failed"))) <= 200
    sent = tty.press("z", row_says(4, "completed"))
    while sent.count(b"backup-000002") < 2:  # the flash going out
        lot = tty.read(5.0)
        assert lot, "the flash never went out"
        sent += lot
    assert len(sent) <= 400


def test_a_row_out_of_view_and_an_idle_second_cost_nothing(terminal: Callable[..., Any]) -> None:
    tty = terminal(TABLE_APP, "100")
    tty.until(row_says(22, "backup-000020"))
    tty.rest()
    assert tty.read(1.0) == b""
    tty.child.send("yan")  # a change far below, a new row at the end, the same keys once more
    assert tty.rest() == b""
    assert len(tty.press("j", row_says(3, " > backup-000001"))) <= 900


def test_a_cursor_key_costs_at_most_900_bytes_on_average_over_two_pages(
    terminal: Callable[..., Any],
) -> None:
    tty = terminal(TABLE_APP, "50000")
    tty.until(row_says(22, "backup-000020"))
    tty.rest()
    steps = []
    for at in range(1, 43):
        tty.child.send("j")
        here = f"> backup-{at:06d}"
        steps.append(len(tty.until(lambda screen, here=here: any(here in x for x in screen))))
    assert sorted(steps)[-4] <= 300, "a step within the page repaints two lines"
    assert max(steps) <= 2_000, "a step over the edge repaints the page"
    assert sum(steps) / len(steps) <= 500


def test_a_second_that_passes_repaints_the_ages_and_not_the_rest(
    terminal: Callable[..., Any],
) -> None:
    tty = terminal(TABLE_APP, "100")
    tty.until(row_says(22, "backup-000020"))
    tty.rest()
    sent = tty.press("t", row_says(2, " 1s "))
    assert sent.count(b"backup-") == 21
    assert b"plugin" not in sent


def test_what_partial_repaints_leave_is_what_a_whole_repaint_draws(
    terminal: Callable[..., Any],
) -> None:
    tty = terminal(TABLE_APP, "100")
    tty.until(row_says(22, "backup-000020"))
    tty.rest()
    for keys in ("w", "wj", "wt", "ww", "xw", "jxw", "wn", "G", "gw"):
        tty.child.send(keys)
        tty.rest()
        partial = [dict(tty.screen.buffer[y]) for y in range(24)]
        tty.child.send("r")
        assert len(tty.rest()) > 1_500
        assert [dict(tty.screen.buffer[y]) for y in range(24)] == partial, keys


def test_a_terminal_without_colour_still_shows_the_cursor(terminal: Callable[..., Any]) -> None:
    tty = terminal(TABLE_APP, "5", NO_COLOR="1")
    tty.until(row_says(2, " > backup-000000"))
    assert tty.screen.buffer[2][5].reverse
    assert not tty.screen.buffer[3][5].reverse
