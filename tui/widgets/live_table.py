"""A table of any length that asks for the rows on screen and repaints the lines that changed.

It holds keys in an order, nothing else: ``cells(key)`` is asked for a row when the row comes into
view, so that 50,000 keys cost 50,000 references. Whatever happens, the lines are composed anew,
compared with those that stand on the screen, and only the difference is sent.

It is a ``Widget`` drawn line by line rather than a ``ScrollView``: there every change of the number
of rows is a change of ``virtual_size``, which lays out the screen (10 ms with four panes) and
repaints the whole table. It has no scrollbar (one cell moved is a column of cells repainted): marks
in the gutter say that there is more above or below. It neither sorts nor filters; that is up to
whoever owns the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from itertools import chain, takewhile
from time import monotonic
from typing import ClassVar, Generic, Literal, TypeAlias, TypeVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.style import Style
from textual.timer import Timer
from textual.widget import Widget

from tui import words
from tui.widgets.columns import GAP, Column, allot

__all__ = ["Cell", "Column", "LiveTable"]

Cell: TypeAlias = str | Content
"""A str is plain text, whatever it holds; Content carries its own styles."""

Key = TypeVar("Key", bound=Hashable)
AnyKey = TypeVar("AnyKey", bound=Hashable)

Look: TypeAlias = Literal["plain", "cursor", "flash"]

FLASH_SECONDS = 0.6
_TOGETHER = 0.1
"""Seconds: flashes that end this close to each other end in one repaint."""

_GUTTER = 3
"""Cells left of the first column: more rows that way, the cursor, a blank."""

_WHEEL = 3
"""Rows a notch of the mouse wheel moves."""


class _Row:
    """What is known of a row in view: its cells, and the strips already drawn from them."""

    __slots__ = ("cells", "strips")

    def __init__(self, cells: tuple[Content, ...]) -> None:
        self.cells = cells
        self.strips: dict[tuple[Look, str, tuple[int | None, ...]], Strip] = {}


class LiveTable(Widget, Generic[Key], can_focus=True, inherit_bindings=False):
    """Keyed rows under a fixed header, with a cursor that stays on its key.

        table = LiveTable([Column("NAME"), Column("AGE", align="right")], cells, empty="No backups.")
        table.set_keys(keys)            # these rows, in this order
        table.refresh_keys([key])       # this row says something else now
        table.tick()                    # time has passed: ask the rows in view again

    ``cells`` gives one cell a column and must answer for every key that was set; keys are unique.
    It is called for rows in view only, and never while the table is hidden.

    Until a key is pressed in the table (or ``cursor_key`` is set) the cursor stays on the first
    row, so that a list still loading does not carry it away; from then on it stays on its key, and
    when that key leaves, it goes to the next row that is still there.

    A step beyond the edge scrolls half a page: at 80x24 a scroll repaints about 2 KB, a step 0.4 KB.
    """

    ALLOW_SELECT = False

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "live-table--header",
        "live-table--cursor",
        "live-table--flash",
        "live-table--dim",
    }
    """``--header``, ``--cursor``, ``--flash`` style a line; ``--dim`` the sentence of an empty table."""

    DEFAULT_CSS = """
    LiveTable {
        width: 1fr;
        height: 1fr;
        & > .live-table--header { text-style: bold; }
        & > .live-table--dim { text-style: dim; }
        & > .live-table--flash { background: $accent-muted; text-style: bold; }
        & > .live-table--cursor { background: $block-cursor-blurred-background; }
        &:focus > .live-table--cursor {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: $block-cursor-text-style;
        }
        &:ansi > .live-table--flash { background: ansi_default; }
        &:ansi > .live-table--cursor, &:ansi:focus > .live-table--cursor {
            background: ansi_default;
            color: ansi_default;
        }
        &:ansi > .live-table--flash, &:nocolor > .live-table--flash { text-style: bold underline; }
        &:ansi > .live-table--cursor, &:nocolor > .live-table--cursor { text-style: bold; }
        &:ansi:focus > .live-table--cursor, &:nocolor:focus > .live-table--cursor {
            text-style: reverse;
        }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "step(1)", "Next row", show=False),
        Binding("k,up", "step(-1)", "Previous row", show=False),
        Binding("g,home", "first", "First row", show=False),
        Binding("G,end", "last", "Last row", show=False),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False),
        Binding("pagedown", "page(1.0)", "Page down", show=False),
        Binding("pageup", "page(-1.0)", "Page up", show=False),
        Binding("enter", "select", "Open", show=False),
    ]
    """A table whose ``enter`` belongs in the footer declares it again, with its own word."""

    class Highlighted(Message, Generic[AnyKey]):
        """The cursor stands on another key: a key was pressed, or its row left."""

        def __init__(self, table: LiveTable[AnyKey], key: AnyKey | None) -> None:
            super().__init__()
            self.table = table
            self.key = key
            """None when the table has become empty."""

        @property
        def control(self) -> LiveTable[AnyKey]:
            return self.table

    class Selected(Message, Generic[AnyKey]):
        """Enter, or a click on the row of the cursor."""

        def __init__(self, table: LiveTable[AnyKey], key: AnyKey) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> LiveTable[AnyKey]:
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        cells: Callable[[Key], Sequence[Cell]],
        *,
        empty: str = "",
        id: str | None = None,  # noqa: A002 - as every widget spells it
        classes: str | None = None,
    ) -> None:
        """Raises ValueError when more than one column is flexible."""
        super().__init__(id=id, classes=classes)
        if sum(column.flexible for column in columns) > 1:
            raise ValueError("a table has at most one flexible column")
        self.columns = tuple(columns)
        self._cells = cells
        self._empty = empty
        self._sort: tuple[int, bool] | None = None
        self._keys: tuple[Key, ...] = ()
        self._cursor = 0
        self._top = 0
        self._pinned = False
        self._known: dict[Key, _Row] = {}
        self._content = [0] * len(columns)
        self._widths: tuple[int | None, ...] = ()
        self._lines: list[Strip] = []
        """As they stand on the screen, header first; empty while the table is not shown."""
        self._drawn_size = Size(0, 0)
        self._flashing: dict[Key, float] = {}
        self._flash_timer: Timer | None = None

    # What the owner of the rows says

    def set_keys(self, keys: Iterable[Key]) -> None:
        """Show these rows in this order; rows in view are asked for their cells again."""
        before, self._keys = self._keys, tuple(keys)
        was = before[self._cursor] if before else None
        offset = self._cursor - self._top
        self._cursor = self._row_after(before) if self._pinned else 0
        if self._top or self._cursor >= self._page:
            self._top = self._cursor - offset
        self._hold_view()
        kept = any(key in self._known for key in self._in_view())
        self._known.clear()
        if not kept:
            self._content = [0] * len(self.columns)
        self._redraw()
        if self.cursor_key != was:
            self.post_message(self.Highlighted(self, self.cursor_key))

    def refresh_keys(self, keys: Collection[Key]) -> None:
        """The cells of these rows have changed: ask again for those in view."""
        asked = {key for key in keys if self._known.pop(key, None) is not None}
        if asked:
            self._redraw()

    def tick(self) -> None:
        """Ask every row in view again, for cells that change with time alone."""
        self._known.clear()
        self._redraw()

    def flash(self, key: Key) -> None:
        """Mark a row that has just changed, for about 0.6 s; nothing when it is not in view."""
        if not self._lines or key not in self._in_view():
            return
        self._flashing[key] = monotonic() + FLASH_SECONDS
        if self._flash_timer is None:
            self._flash_timer = self.set_timer(FLASH_SECONDS, self._end_flashes)
        self._redraw()

    @property
    def cursor_key(self) -> Key | None:
        """The key under the cursor, None in an empty table. A key not in the table is ignored."""
        return self._keys[self._cursor] if self._keys else None

    @cursor_key.setter
    def cursor_key(self, key: Key) -> None:
        row = self._row_of(key, near=self._cursor)
        if row is not None:
            self._go(row)

    @property
    def row_count(self) -> int:
        return len(self._keys)

    @property
    def sort(self) -> tuple[int, bool] | None:
        """The column that orders the rows, as its position, and whether it descends.

        It puts an arrow next to the title; the order is that of :meth:`set_keys`.
        """
        return self._sort

    @sort.setter
    def sort(self, sort: tuple[int, bool] | None) -> None:
        self._sort = sort
        self._redraw()

    @property
    def empty(self) -> str:
        """The sentence shown when there are no rows: why, and what to do."""
        return self._empty

    @empty.setter
    def empty(self, sentence: str) -> None:
        self._empty = sentence
        self._redraw()

    # What the user does

    def action_step(self, rows: int) -> None:
        self._go(self._cursor + rows)

    def action_first(self) -> None:
        self._go(0)

    def action_last(self) -> None:
        self._go(len(self._keys) - 1)

    def action_page(self, pages: float) -> None:
        rows = int(self._page * pages)
        self._go(self._cursor + rows, top=self._top + rows)

    def action_select(self) -> None:
        if self._keys:
            self.post_message(self.Selected(self, self._keys[self._cursor]))

    def on_key(self) -> None:
        self._pinned = True

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._go(self._cursor + _WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._go(self._cursor - _WHEEL)

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        row = self._top + at.y - 1 if at is not None else -1
        if at is None or at.y < 1 or row >= len(self._keys):
            return
        if row == self._cursor:
            self.action_select()
        else:
            self._go(row)

    # Where the cursor and the view are

    @property
    def _page(self) -> int:
        """Rows the table has room for."""
        return max(1, self.size.height - 1)

    def _in_view(self) -> tuple[Key, ...]:
        return self._keys[self._top : self._top + self._page]

    def _go(self, row: int, top: int | None = None) -> None:
        """Put the cursor on ``row``; a row out of view comes to the middle, unless ``top`` says."""
        if not self._keys:
            return
        self._pinned = True
        was = self._cursor
        self._cursor = min(max(row, 0), len(self._keys) - 1)
        if top is not None:
            self._top = top
        elif not self._top <= self._cursor < self._top + self._page:
            self._top = self._cursor - self._page // 2
        self._hold_view()
        self._redraw()
        if self._cursor != was:
            self.post_message(self.Highlighted(self, self._keys[self._cursor]))

    def _hold_view(self) -> None:
        """Keep the page full of rows and the cursor on it."""
        self._top = max(0, min(self._top, len(self._keys) - self._page))
        self._top = max(min(self._top, self._cursor), self._cursor - self._page + 1)

    def _row_after(self, before: Sequence[Key]) -> int:
        """The row of the key that was under the cursor, or of its nearest neighbour still there."""
        if not before or not self._keys:
            return 0
        row = self._row_of(before[self._cursor], self._cursor)
        if row is not None:
            return row
        remain = set(self._keys)
        at = self._cursor
        neighbours = chain(range(at + 1, len(before)), range(at - 1, -1, -1))
        nearest = next((before[row] for row in neighbours if before[row] in remain), self._keys[0])
        return self._keys.index(nearest)

    def _row_of(self, key: Key, near: int) -> int | None:
        """The row of ``key``. Most often it has not moved; the search is 1 ms in 50,000 strings."""
        if near < len(self._keys) and self._keys[near] == key:
            return near
        try:
            return self._keys.index(key)
        except ValueError:
            return None

    # What stands on the screen

    def render_lines(self, crop: Region) -> list[Strip]:
        if not self._lines or self._drawn_size != self.size:
            if self._drawn_size.width != self.size.width:
                self._content = [0] * len(self.columns)
            if not self._drawn_size.height:
                # The cursor may have been put somewhere while there was no room to place it in.
                self._top = self._cursor - self._page // 2 if self._cursor >= self._page else 0
            self._drawn_size = self.size
            self._hold_view()
            self._lines = self._compose_lines()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        return self._lines[y]

    def on_hide(self) -> None:
        """Nothing of the table stands on the screen now: compose nothing until it is asked for."""
        self._lines = []
        self.refresh()  # Textual keeps the lines it styled; they will be old by then

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._known.clear()  # drawn rows have the old look; a hidden table is drawn from them too
        if self._lines:
            self.call_next(self._redraw)

    def _redraw(self) -> None:
        """Compose the lines and repaint those that differ from what stands on the screen."""
        if not self._lines or self._drawn_size != self.size:
            return
        before, self._lines = self._lines, self._compose_lines()
        changed = [
            Region(0, y, _extent(old, new), 1)
            for y, (old, new) in enumerate(zip(before, self._lines, strict=True))
            if old is not new and old != new
        ]
        if changed:
            self.refresh(*changed)

    def _compose_lines(self) -> list[Strip]:
        width, height = self.size
        view = self._in_view()
        self._known = {key: self._known.get(key) or self._ask(key) for key in view}
        self._widths = self._fit(width - _GUTTER)
        lines = [self._header_line(width)]
        last = len(view) - 1
        for at, (key, row) in enumerate(self._known.items()):
            above = at == 0 and self._top > 0
            below = at == last and self._top + len(view) < len(self._keys)
            more = "▲" if above else "▼" if below else " "
            lines.append(self._row_line(key, row, more, width))
        if not self._keys:
            lines += self._empty_lines(width)
        blank = Strip.blank(width, self.visual_style.rich_style)
        lines += [blank] * (height - len(lines))
        return lines[:height]

    def _ask(self, key: Key) -> _Row:
        return _Row(tuple(_content(cell) for cell in self._cells(key)))

    def _titles(self) -> list[Content]:
        arrows = {}
        if self._sort is not None:
            column, descending = self._sort
            arrows[column] = "↓" if descending else "↑"
        return [
            _content(column.title + arrows.get(at, "")) for at, column in enumerate(self.columns)
        ]

    def _fit(self, room: int) -> tuple[int | None, ...]:
        """Widths for the rows in view. They only grow, or every tick would move the columns."""
        for row in chain((self._titles(),), (row.cells for row in self._known.values())):
            measured = zip(self._content, row, strict=True)
            self._content = [max(most, cell.cell_length) for most, cell in measured]
        return allot(self.columns, self._content, room)

    def _header_line(self, width: int) -> Strip:
        style = self._component("header")
        return self._line(" " * _GUTTER, self._titles(), style, width)

    def _row_line(self, key: Key, row: _Row, more: str, width: int) -> Strip:
        cursor = key == self.cursor_key
        look: Look = "flash" if key in self._flashing else "cursor" if cursor else "plain"
        gutter = f"{more}{'>' if cursor else ' '} "
        drawn = (look, gutter, self._widths)
        if drawn not in row.strips:
            style = self.visual_style if look == "plain" else self._component(look)
            # One style over the whole line keeps it legible whatever the cells' colours are.
            uniform = look == "flash" or (look == "cursor" and self.has_focus)
            cells = [cell.without_spans for cell in row.cells] if uniform else row.cells
            row.strips[drawn] = self._line(gutter, cells, style, width)
        return row.strips[drawn]

    def _line(self, gutter: str, cells: Sequence[Content], style: Style, width: int) -> Strip:
        parts = [
            _fitted(cell, cells_wide, column.align)
            for column, cell, cells_wide in zip(self.columns, cells, self._widths, strict=True)
            if cells_wide is not None
        ]
        text = Content(" " * GAP).join(parts)
        return self._strip(Content(gutter) + text, style, width)

    def _empty_lines(self, width: int) -> list[Strip]:
        style = self._component("dim")
        sentence = _content(self._empty).wrap(max(1, width - _GUTTER))
        return [self._strip(Content(" " * _GUTTER) + line, style, width) for line in sentence]

    def _strip(self, text: Content, style: Style, width: int) -> Strip:
        line = text.truncate(width, ellipsis=True, pad=True)
        rendered = line.render(style, end="", parse_style=self.app.stylesheet.parse_style)
        segments = [Segment(text, piece.rich_style) for text, piece in rendered]
        return Strip(Segment.simplify(segments), width)

    def _component(self, name: str) -> Style:
        # get_visual_style of Textual 8.2.8 leaves out "reverse", which is all a cursor has in ANSI.
        component = f"live-table--{name}"
        reverse = self.get_component_styles(component).text_style.reverse
        return self.get_visual_style(component) + Style(reverse=reverse)

    def _end_flashes(self) -> None:
        now = monotonic()
        left = {key: ends for key, ends in self._flashing.items() if ends > now + _TOGETHER}
        self._flashing = left
        self._flash_timer = (
            self.set_timer(min(left.values()) - now, self._end_flashes) if left else None
        )
        self._redraw()


def _content(cell: Cell) -> Content:
    """The cell as harmless text on one line; text that has to be cleaned loses its styles."""
    text = cell if isinstance(cell, str) else cell.plain
    if not text.isprintable():
        return Content(words.one_line(words.clean(text)))
    return Content(text) if isinstance(cell, str) else cell


def _fitted(cell: Content, width: int, align: Literal["left", "right"]) -> Content:
    """The cell in exactly ``width`` cells; what is cut ends in an ellipsis."""
    cell = cell.truncate(width, ellipsis=True)
    blank = width - cell.cell_length
    return cell.pad_left(blank) if align == "right" else cell.pad_right(blank)


def _extent(before: Strip, after: Strip) -> int:
    """How many cells from the left have to be repainted to turn one line into the other.

    The compositor can end a repaint anywhere, but always begins it at the widget's left edge.
    """
    old, new, end = list(before), list(after), after.cell_length
    while old and new and old[-1] == new[-1]:
        end -= new.pop().cell_length
        old.pop()
    if old and new and old[-1].style == new[-1].style:
        pairs = zip(reversed(old[-1].text), reversed(new[-1].text), strict=False)
        tail = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        same = new[-1].text[len(new[-1].text) - tail :]
        if cell_len(same) == tail:  # a combining mark must not be parted from its letter
            end -= tail
    return end
