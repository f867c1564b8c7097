"""The fields of a form, a line each: a label, and a text or one of several words.

Made for terminals: every choice stands on its line, so that nothing opens and nothing is hidden; the
chosen word stands in brackets, so that it is seen without colours as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import Reactive
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static


class Field(Horizontal):
    """A label and what belongs to it."""

    DEFAULT_CSS = """
    Field { height: 1; }
    Field > .field-label { width: 11; color: $foreground-muted; }
    Field:focus-within > .field-label { color: $foreground; text-style: bold; }
    """

    def __init__(
        self,
        label: str,
        control: Widget,
        *beside: Widget,
        id: str | None = None,  # noqa: A002 - as every widget spells it
    ) -> None:
        super().__init__(id=id)
        self._label = label
        self._controls = (control, *beside)

    def compose(self) -> ComposeResult:
        yield Static(self._label, classes="field-label", markup=False)
        yield from self._controls


class TextField(Input):
    """One line of text. Nothing in it can move the terminal's cursor, and its own never blinks.

    A text that was there before and holds odd characters is kept as it is until somebody types:
    :attr:`text` gives it back unharmed, while a middle dot or a blank stands for them on screen.
    """

    DEFAULT_CSS = """
    TextField { width: 1fr; }
    TextField.-textual-compact { background: $panel; }
    """

    # An Input lays out the whole screen (7 ms in the schedule editor) at every key, because the width
    # of its text is its virtual size; that of this one's line never depends on it.
    virtual_size = Reactive(Size(0, 0), layout=False)

    def __init__(
        self,
        text: str = "",
        *,
        placeholder: str = "",
        suggester: Suggester | None = None,
        id: str | None = None,  # noqa: A002 - as every widget spells it
    ) -> None:
        self._original = (text, _shown(text))
        super().__init__(
            text, placeholder=placeholder, suggester=suggester, compact=True, id=id,
            select_on_focus=False,
        )  # fmt: skip
        self.cursor_blink = False

    def on_resize(self) -> None:
        """Without a layout at every key nothing else brings the cursor of a long text into view."""
        self.scroll_to_region(Region(self.cursor_position, 0, 1, 1), animate=False, force=True)

    def validate_value(self, value: str) -> str:
        """What stands in the line: no tab, no escape, nothing without a width."""
        return _shown(value)

    @property
    def text(self) -> str:
        """What was typed; or what was there, to the letter, if nothing was."""
        original, shown = self._original
        return original if self.value == shown else self.value


def _shown(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else " " if char.isspace() else "\u00b7" for char in text
    )


class Choice(Static, can_focus=True):
    """One of several words: left and right choose, space takes the next."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "previous", show=False),
        Binding("right,l", "move(1)", "next", show=False),
        Binding("space", "move(1)", "choose", id="form.choose"),
    ]

    DEFAULT_CSS = """
    Choice { width: 1fr; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    class Changed(Message):
        """Another word was chosen."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

        @property
        def control(self) -> Choice:
            return self.choice

    def __init__(
        self,
        options: Sequence[tuple[str, str]],
        chosen: str,
        *,
        id: str | None = None,  # noqa: A002 - as every widget spells it
    ) -> None:
        """``options`` are values with the words for them; a value not among them joins them."""
        super().__init__(id=id, markup=False)
        known = any(value == chosen for value, _ in options)
        self.options = tuple(options) if known else (*options, (chosen, chosen))
        self._chosen = chosen

    @property
    def value(self) -> str:
        """The value chosen."""
        return self._chosen

    @value.setter
    def value(self, value: str) -> None:
        self._chosen = value
        self._draw()

    def on_mount(self) -> None:
        self._draw()

    def on_focus(self) -> None:
        self._draw()

    def on_blur(self) -> None:
        self._draw()

    def action_move(self, step: int) -> None:
        values = [value for value, _ in self.options]
        self.value = values[(values.index(self._chosen) + step) % len(values)]
        self.post_message(self.Changed(self))

    def _draw(self) -> None:
        chosen = "reverse" if self.has_focus else "bold"
        parts = [
            Content.styled(f"[{word}]", chosen)
            if value == self._chosen
            else Content.styled(f" {word} ", "$foreground-muted")
            for value, word in self.options
        ]
        self.update(Content(" ").join(parts))
