"""The glass: what it sends is less, and leaves the terminal as the whole update would have."""

from __future__ import annotations

from random import Random

import pyte
import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region, Size
from textual.strip import Strip

from tui.widgets.glass import Glass

SIZE = Size(40, 6)
CONSOLE = Console(color_system="256", width=SIZE.width, force_terminal=True)
LOOKS = (
    Style.null(),
    Style(color="color(9)", bold=True),
    Style(bgcolor="color(235)"),
    Style(reverse=True, meta={"@click": "x"}),
)
WORDS = ("pg-orders", "  ", "failing", "漢字", "é", "e\u0301", "▂▅█", "x", "2h43m")


def line(chance: Random, width: int) -> Strip:
    """A line of just that many cells, in words of several looks."""
    segments = []
    room = width
    while room:
        word = Segment(chance.choice(WORDS), chance.choice(LOOKS))
        if word.cell_length > room:
            word = Segment(" " * room, word.style)
        segments.append(word)
        room -= word.cell_length
    return Strip(segments, width)


def shown(screen: pyte.Screen) -> list[list[pyte.screens.Char]]:
    return [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]


class Pair:
    """Two terminals: one is sent everything, one only what the glass lets through."""

    def __init__(self) -> None:
        self.glass = Glass()
        self.screens = [pyte.Screen(SIZE.width, SIZE.height) for _ in range(2)]
        self.streams = [pyte.Stream(screen) for screen in self.screens]
        for stream in self.streams:
            stream.feed("\x1b[?7l")

    def send(self, update: LayoutUpdate | ChopsUpdate) -> int:
        """The characters that the glass lets through."""
        self.streams[0].feed(update.render_segments(CONSOLE))
        difference = self.glass.difference(update, SIZE)
        sent = difference.render_segments(CONSOLE) if difference else ""
        self.streams[1].feed(sent)
        assert shown(self.screens[0]) == shown(self.screens[1])
        return len(sent)


def whole(lines: list[Strip], size: Size = SIZE) -> LayoutUpdate:
    return LayoutUpdate([[each] for each in lines], Region(0, 0, *size))


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_drawn_the_terminal_shows_it(seed: int) -> None:
    chance, pair = Random(seed), Pair()
    lines = [line(chance, SIZE.width) for _ in range(SIZE.height)]
    pair.send(whole(lines))
    for _ in range(60):
        y = chance.randrange(SIZE.height)
        if chance.random() < 0.3:
            lines[y] = line(chance, SIZE.width)
            pair.send(whole(lines))
            continue
        cut = chance.choice((12, 20))
        left, right = line(chance, cut), line(chance, SIZE.width - cut)
        lines[y] = Strip.join([left, right])
        chops: list[dict[int, Strip | None]] = [{} for _ in range(SIZE.height)]
        chops[y] = {0: left, cut: right}
        ends = [[SIZE.width] for _ in range(SIZE.height)]
        ends[y] = [cut, SIZE.width]
        # Beside a span lies what is under the widget that is seen there: Textual does not send it.
        spans = ((0, SIZE.width), (0, cut), (cut, SIZE.width), (cut, SIZE.width - 3))
        begin, end = chance.choice(spans)
        pair.send(ChopsUpdate(chops, [(y, begin, end)], ends))


def test_what_stands_there_already_is_not_sent_again() -> None:
    pair, chance = Pair(), Random(1)
    lines = [line(chance, SIZE.width) for _ in range(SIZE.height)]
    assert pair.send(whole(lines)) > 0
    assert pair.send(whole(lines)) == 0


def test_one_changed_word_is_sent_alone() -> None:
    pair = Pair()
    pair.send(whole([Strip([Segment(f"pg-{y} protected".ljust(40))]) for y in range(6)]))
    changed = [Strip([Segment(f"pg-{y} protected".ljust(40))]) for y in range(6)]
    changed[3] = Strip([Segment("pg-3 failing".ljust(40))])
    assert pair.send(whole(changed)) < 20


def test_once_forgotten_everything_is_sent_again() -> None:
    pair, chance = Pair(), Random(2)
    lines = [line(chance, SIZE.width) for _ in range(SIZE.height)]
    first = pair.send(whole(lines))
    pair.glass.forget()
    assert pair.send(whole(lines)) == first


def test_a_terminal_of_another_size_is_drawn_anew() -> None:
    glass = Glass()
    lines = [Strip([Segment("x" * 40)]) for _ in range(6)]
    assert glass.difference(whole(lines), SIZE)
    assert glass.difference(whole(lines), SIZE) is None
    assert glass.difference(whole(lines), Size(39, 6))


@pytest.mark.parametrize("smaller", [Size(20, 6), Size(40, 3), Size(20, 3)])
def test_what_was_still_drawn_for_a_larger_terminal_leaves_nothing_behind(smaller: Size) -> None:
    def numbered(size: Size) -> LayoutUpdate:
        return whole([Strip([Segment(str(y) * size.width)]) for y in range(size.height)], size)

    glass, screen = Glass(), pyte.Screen(*smaller)
    stream = pyte.Stream(screen)
    # Textual resizes the app before its screen: an old drawing may come first, last and twice.
    for size in (SIZE, smaller, SIZE, SIZE, smaller):
        if difference := glass.difference(numbered(size), smaller):
            stream.feed(difference.render_segments(CONSOLE))
    assert screen.display == [str(y) * smaller.width for y in range(smaller.height)]
