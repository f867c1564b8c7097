"""The bucket: what really lies there, how it grows, and where the WAL has holes."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui import themes, words
from tui.barman.info import Info, Unreadable
from tui.barman.path import Loss
from tui.cnpg.manifest import CLUSTERS, OBJECT_STORES
from tui.live.changes import CannotLook, Looking
from tui.live.estate import Delta, Estate
from tui.live.telling import told
from tui.panes import bucket_words, growth_words, shelf
from tui.panes.intents import (
    AcknowledgeWanted,
    BaseWanted,
    LookIntoRequested,
    LookRequested,
    LookStopped,
)
from tui.panes.outline import Line, LineKey
from tui.panes.pane import Clock, Pane
from tui.verdict.growth import SPANS
from tui.verdict.level import Level
from tui.verdict.witnesses import Film, NotKnown
from tui.widgets.filter_line import FilterLine
from tui.widgets.live_table import Cell, Column, LiveTable
from tui.widgets.said import Said

_SORTED = {
    shelf.Order.NAME: (0, False),
    shelf.Order.STATE: (4, False),
    shelf.Order.SIZE: (2, True),
    shelf.Order.NEWEST: (3, False),
}
"""Which column an order goes by, and whether it descends."""


class _Outline(LiveTable[LineKey]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "open, close", id="bucket.open"),
    ]


class BucketPane(Pane):
    """An outline of every place the clusters archive to."""

    TITLE = "Bucket"
    COLUMNS = (
        Column("WHAT", flexible=True, min_width=32),
        Column("COUNT", max_width=14, align="right", rank=1),
        Column("SIZE", max_width=11, align="right"),
        Column("NEWEST", max_width=8, align="right"),
        Column("STATE", min_width=26, max_width=40),
    )
    EMPTY = "No cluster here archives to a store that can be looked into."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "hole(1)", "next hole", key_display="]", id="bucket.hole"),
        Binding(
            "left_square_bracket", "hole(-1)", "hole before", show=False, id="bucket.hole_before"
        ),
        Binding("A", "acknowledge", "acknowledge loss", show=False, id="bucket.acknowledge"),
        # With priority, or a burst of keys loses what is typed behind it: it went to the list already.
        Binding("slash", "filter", "filter", key_display="/", priority=True, id="bucket.filter"),
        Binding("s", "sort", "sort by name, state, size, newest", show=False, id="bucket.sort"),
        Binding("S", "reverse", "reverse the order", show=False, id="bucket.reverse"),
        Binding("z", "zoom", "growth: 24 h, 7 d, 30 d", show=False, id="bucket.zoom"),
        Binding("escape", "back", "clear the filter", show=False, id="bucket.back"),
        Binding("c", "copy", "copy s3:// URL", id="bucket.copy"),
        Binding("C", "copy_key", "copy key", show=False, id="bucket.copy_key"),
        Binding("r", "look", "look now", id="bucket.look"),
        Binding("L", "look_deep", "list full WAL folders anew", show=False, id="bucket.deep"),
        Binding("x", "stop", "stop looking", show=False, id="bucket.stop"),
    ]

    def __init__(self, estate: Estate, clock: Clock, *, pane_id: str) -> None:
        super().__init__(estate, clock, pane_id=pane_id)
        self.table = _Outline(self.COLUMNS, self._cells_of, empty=self.EMPTY)
        self.title_line = Said(classes="pane-title")
        self.state_line = Said(classes="pane-state")
        self.detail = Said(classes="detail")
        self.narrowed_to = ""
        self.order = shelf.Order.NAME
        self.backwards = False
        self.span = SPANS[0]
        self.opened: set[LineKey] = set()
        self.closed: set[LineKey] = set()
        self.lines: dict[LineKey, Line] = {}
        self._stale = True
        """Whether something changed since the outline was drawn."""

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.state_line
        yield self.table
        yield self.detail
        yield self.filter_line

    def on_mount(self) -> None:
        self.redraw()

    def show(self, delta: Delta) -> None:
        if delta.place is not None or delta.clusters:
            self._stale = True
            self._redraw_if_seen()

    def on_show(self) -> None:
        """The pane came to the front: draw what happened while nobody looked."""
        self._redraw_if_seen()

    def _redraw_if_seen(self) -> None:
        if self._stale and self.display:
            self.redraw()

    def tick(self) -> None:
        self.table.empty = self._why_empty()
        self.table.tick()
        self._title()

    def redraw(self) -> None:
        """Work out the outline anew and put it into the table."""
        self._stale = False
        now = self.clock()
        opened = (self.opened | shelf.default_open(self.estate)) - self.closed
        before = self.lines
        found = shelf.lines(self.estate, opened, now, self.order, backwards=self.backwards)
        self.lines = {line.key: line for line in self._narrowed(list(found))}
        self.table.empty = self._why_empty()
        self.table.set_keys(self.lines)
        self.table.refresh_keys([key for key in self.lines if before.get(key) != self.lines[key]])
        self._title()
        self._detail()

    def _why_empty(self) -> str:
        """Stores are known by Clusters and their ObjectStores: unheard, they are not none."""
        if self.narrowed_to:
            return f"Nothing matches /{self.narrowed_to}. esc shows all."
        for kind in (CLUSTERS, OBJECT_STORES):
            if not self.estate.heard(kind):
                state = told(self.estate.feeds[kind], self.clock())
                why = f": {state.sentence}" if state.sentence else ""
                return f"Not known: {kind} {state.word}{why}"
        return self.EMPTY

    def _narrowed(self, found: list[Line]) -> list[Line]:
        """The lines that pass the filter, and those above them that say where they stand."""
        kept: list[Line] = []
        wanted_above = -1
        for line in reversed(found):
            if self._passes(line) or line.depth == wanted_above:
                kept.append(line)
                wanted_above = line.depth - 1
        return kept[::-1]

    def _passes(self, line: Line) -> bool:
        wanted = self.narrowed_to.casefold()
        return wanted in line.name.casefold() or wanted in line.state.casefold()

    @property
    def current(self) -> Line | None:
        """The line under the cursor."""
        key = self.table.cursor_key
        return None if key is None else self.lines.get(key)

    def _title(self) -> None:
        said = [
            f"{place}: {shelf.sweep_said(state, self.clock())[0]}"
            for place, state in self.estate.archives.sweeps.items()
            if isinstance(state, CannotLook)
        ]
        narrowed = f"  /{self.narrowed_to}" if self.narrowed_to else ""
        self.title_line.update(f"{self.TITLE}{narrowed}")
        self.state_line.update("\n".join(said))
        self.state_line.display = bool(said)

    def _cells_of(self, key: LineKey) -> tuple[Cell, ...]:
        line = self.lines[key]
        mark = ("v " if self._is_open(key) else "> ") if line.opens else "  "
        state: Cell = line.state
        if line.level is not None:
            state = themes.graded(line.level, line.state)
        return (
            " " * line.depth + mark + line.name,
            line.count,
            words.size(line.size) if line.size is not None else "",
            words.ago(line.newest, self.clock()) if line.newest else "",
            state,
        )

    def _is_open(self, key: LineKey) -> bool:
        return key not in self.closed and (key in self.opened or key[0] in ("place", "wals"))

    def _detail(self) -> None:
        line = self.current
        self.detail.update(self._about(line) if line else "")
        self.detail.display = line is not None

    def _about(self, line: Line) -> str:
        """Growth of a server, or the whole state of any other line."""
        now = self.clock()
        film = self.estate.archives.film(line.place, line.server) if line.server else NotKnown("")
        if line.kind == "server" and isinstance(film, Film) and shelf.looked_into(film.server):
            grows = growth_words.of(self.estate, line.place, film, self.span, now)
            # Where all is well the column has room for the word.
            state = [] if line.level is Level.PROTECTED else [line.state]
            return "\n".join([*state, *grows])
        if line.is_hole and isinstance(film, Film):
            return bucket_words.of_hole(line, film, now)
        if line.key[0] == "place":
            return "\n".join(bucket_words.of_place(self.estate, line.place, now))
        if line.kind == "bases" and isinstance(film, Film):
            return "\n".join(bucket_words.of_bases(self.estate, line.place, film, now))
        if line.kind == "wals" and isinstance(film, Film):
            return "\n".join(bucket_words.of_wals(self.estate, line.place, film, now))
        if line.kind == "base":
            return "\n".join(bucket_words.of_base(self.estate, line, now))
        held = [line.count, words.size(line.size) if line.size is not None else ""]
        newest = f"newest {words.moment(line.newest, now)}" if line.newest else ""
        facts = ", ".join(part for part in (*held, newest) if part)
        return "\n".join(part for part in (line.url, line.about, facts, line.state) if part)

    @on(FilterLine.Narrowed)
    def _narrow(self, event: FilterLine.Narrowed) -> None:
        event.stop()
        self.narrowed_to = event.text
        self.redraw()

    @on(FilterLine.Left)
    def _to_the_list(self, event: FilterLine.Left) -> None:
        event.stop()
        self.table.focus()

    @on(LiveTable.Highlighted)
    def _moved(self, event: LiveTable.Highlighted[LineKey]) -> None:
        event.stop()
        self._detail()

    @on(LiveTable.Selected)
    def _chosen(self, event: LiveTable.Selected[LineKey]) -> None:
        event.stop()
        line = self.lines[event.key]
        if line.kind == "server" and not self._is_known(line):
            self.post_message(LookIntoRequested(line.place, line.server))
        if line.opens:
            self._toggle(line.key)
        elif line.key[0] == "base":
            self._open_base(line)

    def _is_known(self, line: Line) -> bool:
        fold = self.estate.archives.folds.get(line.place)
        return fold is not None and shelf.looked_into(fold.catalog.servers[line.server])

    def _open_base(self, line: Line) -> None:
        id_ = line.key[-1]
        fold = self.estate.archives.folds.get(line.place)
        info = fold.infos.get(line.server, {}).get(id_) if fold else None
        match info:
            case Info():
                self.post_message(BaseWanted(line.url, info))
            case Unreadable():
                self.notify(f"backup.info cannot be read: {info.why}", markup=False)
            case _:
                self.notify("backup.info is not there, or has not been read yet")

    def _toggle(self, key: LineKey) -> None:
        if self._is_open(key):
            self.closed.add(key)
            self.opened.discard(key)
        else:
            self.opened.add(key)
            self.closed.discard(key)
        self.redraw()
        self.table.refresh_keys([key])

    def action_hole(self, step: int) -> None:
        """Go to the next hole, opening all lines above holes."""
        toward = shelf.toward_holes(self.estate, self.clock())
        if toward - self.opened or toward & self.closed:
            self.opened |= toward
            self.closed -= toward
            self.redraw()
        keys = list(self.lines)
        holes = [at for at, key in enumerate(keys) if self.lines[key].is_hole]
        if not holes or self.table.cursor_key is None:
            narrowed = f"No hole in what matches /{self.narrowed_to}; esc shows all"
            everywhere = "No hole in any server that was looked into"
            self.notify(narrowed if self.narrowed_to else everywhere, markup=False)
            return
        at = keys.index(self.table.cursor_key)
        ahead = [hole for hole in holes if (hole - at) * step > 0]
        wrapped = holes[0] if step > 0 else holes[-1]
        nearest = (min(ahead) if step > 0 else max(ahead)) if ahead else wrapped
        self.table.cursor_key = keys[nearest]
        self._detail()

    def action_back(self) -> None:
        self.filter_line.clear_and_leave()

    def action_sort(self) -> None:
        orders = list(shelf.Order)
        self.order = orders[(orders.index(self.order) + 1) % len(orders)]
        self._sort()

    def action_reverse(self) -> None:
        self.backwards = not self.backwards
        self._sort()

    def _sort(self) -> None:
        column, descending = _SORTED[self.order]
        plain = self.order is shelf.Order.NAME and not self.backwards
        self.table.sort = None if plain else (column, descending is not self.backwards)
        self.redraw()

    def action_zoom(self) -> None:
        """Let the chart show the next span."""
        self.span = SPANS[(SPANS.index(self.span) + 1) % len(SPANS)]
        if self.current is None or self.current.kind != "server":
            self.notify(f"Growth over {self.span.name}: go to a server name to see it")
        self._detail()

    def action_copy(self) -> None:
        """Copy by OSC 52: the terminal does it, also over SSH."""
        if self.current is not None and self.current.url:
            self.app.copy_to_clipboard(self.current.url)
            self.notify(f"copied {self.current.url}", markup=False)

    def action_copy_key(self) -> None:
        """Copy the key alone, as S3 tools take it beside the bucket."""
        if self.current is not None and self.current.object_key:
            self.app.copy_to_clipboard(self.current.object_key)
            self.notify(f"copied {self.current.object_key}", markup=False)

    def action_acknowledge(self) -> None:
        line = self.current
        piece = line.missing if line else None
        if line is None or piece is None or not piece.alarms:
            self.notify("Go to a hole that alarms first (])")
            return
        loss = Loss(piece.first, piece.last)
        self.post_message(AcknowledgeWanted(line.place, line.server, loss))

    def action_look(self) -> None:
        self.post_message(LookRequested())

    def action_look_deep(self) -> None:
        self.post_message(LookRequested(deep=True))

    def action_stop(self) -> None:
        looking = (isinstance(each, Looking) for each in self.estate.archives.sweeps.values())
        if any(looking):
            self.post_message(LookStopped())
        else:
            self.notify("No look is under way")
