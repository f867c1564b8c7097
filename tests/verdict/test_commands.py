"""Commands to be pasted name the context that was asked for, where kubectl takes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.verdict.test_two_witnesses import NOW
from tests.verdict.triage.made_up import EXIT, failing
from tui.verdict import health
from tui.verdict.commands import in_context


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("kubectl -n prod edit secret r2", "kubectl --context prod-eu -n prod edit secret r2"),
        (
            "kubectl cnpg restart pg -n prod",
            "kubectl cnpg restart --context prod-eu pg -n prod",
        ),
        (
            "kubectl cnpg fencing off pg pg-1 -n prod",
            "kubectl cnpg fencing off --context prod-eu pg pg-1 -n prod",
        ),
        (
            "see: kubectl get pods -A; kubectl get jobs",
            "see: kubectl --context prod-eu get pods -A; kubectl --context prod-eu get jobs",
        ),
        ("aws s3 ls s3://acme-pg", "aws s3 ls s3://acme-pg"),
    ],
)
def test_the_context_stands_where_kubectl_and_its_plugin_take_it(command: str, shown: str) -> None:
    assert in_context(command, "prod-eu") == shown
    assert in_context(command, "") == command


def test_the_remedy_goes_to_the_cluster_that_was_looked_at() -> None:
    seen = failing(EXIT.format(4))
    found = health.judge(replace(seen, context="prod eu"), NOW)
    commands = [rung.command for rung in found.ladder if "kubectl" in rung.command]
    advice = [finding.advice for finding in found.findings if "kubectl" in finding.advice]
    assert commands or advice
    assert all("kubectl --context 'prod eu' -n prod" in told for told in (*commands, *advice))
    plain = health.judge(replace(seen, context=""), NOW)
    assert "--context" not in " ".join(finding.advice for finding in plain.findings)
