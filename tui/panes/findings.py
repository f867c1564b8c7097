"""What is wrong or odd with the schedules of the whole fleet, worst first, with the remedies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from tui import themes, words
from tui.verdict.health import Level
from tui.verdict.lint import Finding, Severity
from tui.widgets.pager import Pager

LEVELS: Final = {
    Severity.ERROR: Level.FAILING,
    Severity.WARNING: Level.DEGRADED,
    Severity.NOTE: Level.UNKNOWN,
}


class FindingsScreen(Screen[None]):
    """The findings as they were when the screen was opened."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "back", key_display="esc", id="findings.back"),
    ]

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__()
        self.findings = findings
        self._text = Static(markup=False)

    def compose(self) -> ComposeResult:
        yield Static(summary(self.findings), classes="pane-title", markup=False)
        with Pager():
            yield self._text
        yield Footer(compact=True, show_command_palette=False)

    def on_resize(self) -> None:
        """The sentences are wrapped by hand, so that their second lines stand under the first."""
        self._text.update(told(self.findings, self.size.width - 6))


def summary(findings: Sequence[Finding]) -> str:
    """``Findings  2 errors  1 warning``."""
    counts = Counter(finding.severity for finding in findings)
    parts = [
        words.counted(counts[severity], severity.value) for severity in Severity if counts[severity]
    ]
    return "  ".join(["Findings", *(parts or ["none: every schedule is sound"])])


def told(findings: Sequence[Finding], width: int) -> Content:
    """All findings, each with its remedy, in ``width`` cells."""
    lines: list[Content] = []
    for finding in findings:
        head = f"{finding.severity} {finding.code}"
        lines += [
            Content.assemble(
                themes.graded(LEVELS[finding.severity], f"{head:<20}"), (str(finding.about), "bold")
            ),
            Content(" " * 4 + words.hang(finding.sentence, indent=4, width=width)),
            Content.assemble(
                themes.quiet("    remedy  "), words.hang(finding.remedy, indent=12, width=width)
            ),
            Content(""),
        ]
    return Content("\n").join(lines)
