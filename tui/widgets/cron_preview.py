"""What the operator will make of a schedule, drawn at every key: verdict, words, runs, lanes.

Everything is given: the outlook, the remarks, the time and the zones. Its height never changes, so
that nothing below it jumps while somebody types.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final

from rich.cells import cell_len
from textual.content import Content

from tui import themes, words
from tui.cnpg import cron, lanes
from tui.cnpg.cron import Judgement, Refusal, Verdict
from tui.cnpg.firing import Outlook
from tui.verdict.health import Level
from tui.verdict.saving import Remark
from tui.widgets.lines import Lines

LABEL: Final = 11
"""Cells of the labels on the left; the schedule itself begins behind one as well."""

_rate = lru_cache(maxsize=256)(cron.rate)

_RUNS: Final = 5
_WORDS, _MEANT, _SAVING = 2, 2, 3
"""Lines for the operator's reading, for what may have been meant, for what saving does."""

HEIGHT: Final = 1 + _WORDS + _MEANT + _SAVING + 1 + _RUNS + 2 + 1


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything the preview is drawn from."""

    outlook: Outlook
    remarks: tuple[Remark, ...]
    now: datetime
    zone: tzinfo
    """The operator's."""
    local: Callable[[datetime], datetime]
    """A moment on the clock of whoever looks at the screen."""

    @property
    def judgement(self) -> Judgement:
        """The verdict on the text."""
        return self.outlook.judgement


class CronPreview(Lines):
    """The preview below a schedule that is being written."""

    def __init__(self) -> None:
        super().__init__(HEIGHT)
        self._preview: Preview | None = None

    def draw(self, preview: Preview) -> None:
        """Show this."""
        self._preview = preview
        if self.size.width:
            self.show(lines(preview, self.size.width))

    def on_resize(self) -> None:
        if self._preview is not None:
            self.draw(self._preview)


def verdict(outlook: Outlook) -> Content:
    """The verdict in a few words, for the line of the text itself."""
    return themes.graded(*_verdict(outlook))


def _verdict(outlook: Outlook) -> tuple[Level, str]:
    judgement = outlook.judgement
    if judgement.verdict is Verdict.REFUSED:
        return Level.FAILING, "refused"
    if judgement.verdict is Verdict.MISREAD:
        return Level.FAILING, "accepted, but misread"
    if outlook.never:
        return Level.FAILING, "valid, but never fires"
    if judgement.padding:
        return Level.DEGRADED, "valid; is it meant?"
    return Level.PROTECTED, "valid"


def fix(judgement: Judgement) -> str | None:
    """The text one key away that does what was probably meant."""
    suspected = judgement.unix or judgement.padding
    return suspected.fixed if suspected else None


def lines(preview: Preview, width: int) -> list[Content]:
    """The preview in ``width`` cells, always :data:`HEIGHT` lines."""
    room = width - LABEL
    label, meant = _meant(preview.judgement)
    free = _WORDS + _MEANT - len(meant)
    return [
        _carets(preview.judgement, room),
        *_block("CNPG", _words(preview.outlook, room, free), free),
        *_block(label, meant, len(meant)),
        *_block("On save", list(_saving(preview.remarks, room)), _SAVING),
        *_block("Next", list(_next(preview)), 1 + _RUNS),
        *_block(*_day(preview, room), 2),
        *_block("Week", _week(preview), 1),
    ]


def _block(label: str, body: Sequence[Content], height: int) -> list[Content]:
    """``body`` in exactly ``height`` lines, the label left of the first."""
    shown = [*body[:height], *[Content("")] * (height - len(body))]
    head = themes.quiet(f"{label if body else '':<{LABEL}}")
    return [
        Content.assemble(head if not at else " " * LABEL, line) for at, line in enumerate(shown)
    ]


def _carets(judgement: Judgement, room: int) -> Content:
    """Carets under what is refused, standing right below the field."""
    reading = judgement.reading
    if not isinstance(reading, Refusal):
        return Content("")
    before = cell_len(words.visible(judgement.text[: reading.start]))
    wide = max(1, cell_len(words.visible(judgement.text[reading.start : reading.end])))
    if before + wide > room:
        total = len(judgement.text)
        at = f"the trouble is at character {reading.start + 1} of {words.number(total)}"
        return Content(" " * LABEL) + themes.tinted(Level.FAILING, at)
    return Content(" " * (LABEL + before)) + themes.tinted(Level.FAILING, "^" * wide)


def _words(outlook: Outlook, room: int, height: int) -> list[Content]:
    """The operator's reading and how often that is; or its refusal, and what to write."""
    reading = outlook.judgement.reading
    if isinstance(reading, Refusal):
        return _refused(reading, room, height)
    told = textwrap.wrap(outlook.judgement.description, room, break_on_hyphens=False)
    level = _verdict(outlook)[0]
    shown = [themes.tinted(level, line) for line in told]
    if len(shown) < height:
        rate = _rate(reading)
        shown.append(Content(f"{_amount(rate.per_day)} a day, {_amount(rate.per_month)} a month"))
    return shown


def _refused(refusal: Refusal, room: int, height: int) -> list[Content]:
    """The operator's message and, below it, what to write. Either is cut before it takes all room."""
    message = words.one_line(words.visible(refusal.message[: 4 * room]))
    half = height // 2
    return [
        *(themes.tinted(Level.FAILING, line) for line in _filled(message, room, half)),
        *map(Content, _filled(refusal.hint, room, half)),
    ]


def _filled(text: str, room: int, height: int) -> list[str]:
    """``text`` wrapped to at most ``height`` lines; the last keeps all that is left, to be cut."""
    lines = textwrap.wrap(text, room, break_on_hyphens=False)
    rest = " ".join(lines[height - 1 :])
    return [*lines[: height - 1], rest] if rest else lines


def _meant(judgement: Judgement) -> tuple[str, list[Content]]:
    """What was probably meant, and the key that writes it."""
    fixed = fix(judgement)
    if judgement.unix:
        label, said = "Unix cron", f"reads {judgement.unix.description}"
    elif judgement.padding:
        label, said = "Suspect", f"was {judgement.padding.description} meant?"
    else:
        return "", []
    key = Content.assemble(("ctrl-f", "bold"), f" makes it {fixed}")
    return label, [Content(said), key]


def _saving(remarks: Sequence[Remark], room: int) -> Iterator[Content]:
    """The remarks, worst first; the last line says how many had no room."""
    wrapped = [
        [themes.tinted(remark.level, line) for line in _wrapped(remark, room)] for remark in remarks
    ]
    left = _SAVING
    for at, part in enumerate(wrapped):
        more = len(wrapped) - at
        if len(part) > left or (more > 1 and len(part) == left):
            yield from part[: left - 1] if more > 1 else part[:left]
            if more > 1:
                yield themes.quiet(f"and {words.counted(more, 'more remark')}, shown before saving")
            return
        yield from part
        left -= len(part)


def _wrapped(remark: Remark, room: int) -> list[str]:
    text = f"{themes.GLYPHS[remark.level]} {remark.text}"
    return textwrap.wrap(text, room, subsequent_indent="  ", break_on_hyphens=False)


def _next(preview: Preview) -> Iterator[Content]:
    outlook = preview.outlook
    if outlook.refused or outlook.never:
        return
    here = str(preview.zone) != "UTC"
    operator = f"operator {preview.zone}" if here else "operator: UTC"
    yield themes.quiet(f"{'in':<9}{'UTC':<22}{'local':<17}{operator}")
    if outlook.at_once is not None:
        yield _at_once(outlook, preview.now)
    for run in outlook.runs:
        wait = words.age(run.astimezone(UTC) - preview.now.astimezone(UTC))
        local = preview.local(run)
        shown = f"{wait:<9}{_utc(run, preview.now):<22}{_wall(local):<17}"
        yield Content(shown + (_wall(run) if here else ""))


def _at_once(outlook: Outlook, now: datetime) -> Content:
    assert outlook.at_once is not None
    when = "at once" if outlook.fires_now else "resumed" if outlook.suspended else "then"
    why = "immediate" if outlook.immediate else f"for the missed slot {_utc(outlook.at_once, now)}"
    return themes.tinted(Level.DEGRADED, f"{when:<9}{why}")


def _utc(moment: datetime, now: datetime) -> str:
    utc = moment.astimezone(UTC)
    day = "%a %d %b" if utc.year == now.astimezone(UTC).year else "%d %b %Y"
    return utc.strftime(f"{day} %H:%M:%SZ")


def _wall(moment: datetime) -> str:
    return moment.strftime("%a %H:%M:%S %Z")


def _day(preview: Preview, room: int) -> tuple[str, list[Content]]:
    """The hours of the day of the next run, and the runs in them."""
    outlook = preview.outlook
    if isinstance(outlook.judgement.reading, Refusal) or not outlook.runs:
        return "", []
    first = outlook.runs[0]
    per_hour = next((each for each in (4, 3, 2) if 24 * each + 3 <= room), 1)
    counts = lanes.day(outlook.judgement.reading, first, per_hour)
    scale = "".join(f"{hour:<{3 * per_hour}}" for hour in range(0, 24, 3)) + "24"
    marks = "".join("." if not count else "|" if count == 1 else "#" for count in counts)
    label = first.strftime("%a %d %b")
    return label, [themes.quiet(scale), Content(marks)]


def _week(preview: Preview) -> list[Content]:
    """How many runs each of the next seven days has."""
    outlook = preview.outlook
    if isinstance(outlook.judgement.reading, Refusal) or not outlook.runs:
        return []
    counts = lanes.week(
        outlook.judgement.reading, outlook.runs[0], preview.now.astimezone(preview.zone)
    )
    days = [
        Content.assemble(themes.quiet(f"{date:%a} "), f"{words.number(count) if count else '-'}  ")
        for date, count in counts
    ]
    return [Content("").join(days)]


def _amount(number: float) -> str:
    if 0 < number < 0.01:
        return "less than 0.01"
    return f"{number:,.2f}".removesuffix("0").removesuffix(".0")
