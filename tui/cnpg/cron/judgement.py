"""The verdict on a schedule's text, with everything an editor or a linter wants to say about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui.cnpg.cron.dialect import Refusal, fields, parse, webhook_warning
from tui.cnpg.cron.explain import describe
from tui.cnpg.cron.schedule import Schedule
from tui.cnpg.cron.unix import Padding, UnixReading, suspect_padding, unix_reading


class Verdict(StrEnum):
    VALID = "valid"
    MISREAD = "misread"
    """Accepted, but five fields: not what they mean anywhere else."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the operator makes of a text, and what its author may have meant."""

    text: str
    reading: Schedule | Refusal
    warning: str | None
    """What the webhook warns of when it accepts the text."""
    unix: UnixReading | None
    """What Unix cron would do, where it would do something else."""
    padding: Padding | None
    """Set where the sixth field seems to stand at the wrong end; the verdict stays ``valid``."""

    @property
    def verdict(self) -> Verdict:
        if isinstance(self.reading, Refusal):
            return Verdict.REFUSED
        return Verdict.MISREAD if len(fields(self.text)) == 5 else Verdict.VALID

    @property
    def description(self) -> str:
        """What the schedule does, or what to write instead of a refused one."""
        if isinstance(self.reading, Refusal):
            return f"refused: {self.reading.hint}"
        return describe(self.reading)


def judge(text: str) -> Judgement:
    """Everything there is to say about ``text`` without knowing the time."""
    return Judgement(
        text, parse(text), webhook_warning(text), unix_reading(text), suspect_padding(text)
    )
