"""Commands that are shown to be pasted into a shell: where ``--context`` was given, they need it too.

Without it they would reach the kubeconfig's current context: perhaps another cluster, with a Secret or
a Backup of the same name.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from tui.verdict.level import Finding
from tui.verdict.triage.rung import Rung

# A flag before a plugin's name is refused by kubectl; the plugin takes it behind its own command.
_KUBECTL = re.compile(r"\bkubectl(?P<plugin> cnpg (?:fencing )?[a-z]+)?(?= )")


def in_context(text: str, context: str) -> str:
    """``text`` with ``--context`` in each of its kubectl commands; the same where it is ``""``."""
    if not context:
        return text
    flag = f" --context {shlex.quote(context)}"
    return _KUBECTL.sub(lambda found: f"kubectl{found['plugin'] or ''}{flag}", text)


def finding_in_context(finding: Finding, context: str) -> Finding:
    """The finding, its advice for this context."""
    return replace(finding, advice=in_context(finding.advice, context))


def rung_in_context(rung: Rung, context: str) -> Rung:
    """The rung, its remedy and command for this context."""
    remedy, command = in_context(rung.remedy, context), in_context(rung.command, context)
    return replace(rung, remedy=remedy, command=command)
