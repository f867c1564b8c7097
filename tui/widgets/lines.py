"""A block of lines of fixed height that repaints only the lines that changed.

For a text that is written anew at every key or second: what stands still costs no byte on the line.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget


class Lines(Widget):
    """``height`` lines; what does not fit into the width ends in an ellipsis."""

    def __init__(
        self,
        height: int,
        *,
        id: str | None = None,  # noqa: A002 - as every widget spells it
    ) -> None:
        super().__init__(id=id)
        self.styles.height = height
        self._lines: tuple[Content, ...] = ()

    def show(self, lines: Sequence[Content]) -> None:
        """Put these lines on the screen."""
        before, self._lines = self._lines, tuple(lines)
        for y in range(max(len(before), len(self._lines))):
            if before[y : y + 1] != self._lines[y : y + 1]:
                self.refresh(Region(0, y, self.size.width, 1))

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, self.visual_style.rich_style)
        line = self._lines[y].truncate(width, ellipsis=True, pad=True)
        rendered = line.render(
            self.visual_style, end="", parse_style=self.app.stylesheet.parse_style
        )
        segments = [Segment(text, piece.rich_style) for text, piece in rendered]
        return Strip(Segment.simplify(segments), width)
