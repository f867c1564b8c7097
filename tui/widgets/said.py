"""A text that is told anew at every event or second: what stands still costs no byte on the line."""

from __future__ import annotations

from rich.segment import Segment
from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget


class Said(Widget):
    """Text wrapped to the width, as high as it is. Only lines that differ are drawn.

    Where there is less room than lines, the last line says how many are missing.
    """

    DEFAULT_CSS = """
    Said {
        width: 1fr;
        height: auto;
    }
    """

    def __init__(
        self,
        *,
        id: str | None = None,  # noqa: A002 - as every widget spells it
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._text = Content()
        self._lines: list[Content] = []
        self._wrapped_to = 0

    def update(self, text: Content | str) -> None:
        """Say something, or the same again; a str is plain text, whatever it holds."""
        content = Content(text) if isinstance(text, str) else text
        if _same(content, self._text):
            return
        self._text = content
        before, self._lines = self._lines, self._wrap(self._wrapped_to)
        if len(before) != len(self._lines):
            self.refresh(layout=True)
            return
        changed = [
            Region(0, y, self._wrapped_to, 1)
            for y, (old, new) in enumerate(zip(before, self._lines, strict=True))
            if not _same(old, new)
        ]
        if changed:
            self.refresh(*changed)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        self._fit(width)
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        width, height = self.content_size
        self._fit(width)
        if y >= len(self._lines):
            return Strip.blank(width, self.visual_style.rich_style)
        line, missing = self._lines[y], len(self._lines) - height + 1
        if y == height - 1 and missing > 1:
            line = Content.styled(f"... {missing} more lines", "$text-muted")
        rendered = line.truncate(width, ellipsis=True, pad=True).render(
            self.visual_style, end="", parse_style=self.app.stylesheet.parse_style
        )
        segments = [Segment(text, piece.rich_style) for text, piece in rendered]
        return Strip(Segment.simplify(segments), width)

    def _fit(self, width: int) -> None:
        if width != self._wrapped_to:
            self._wrapped_to = width
            self._lines = self._wrap(width)

    def _wrap(self, width: int) -> list[Content]:
        if not width or not self._text:
            return []
        if self.styles.text_wrap == "nowrap":
            return self._text.split("\n")
        return self._text.wrap(width)


def _same(one: Content, other: Content) -> bool:
    """Content compares its text alone; a change of colour is a change, too."""
    return one.plain == other.plain and one.spans == other.spans
