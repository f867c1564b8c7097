"""Fixtures for tests over the genuine kube-apiserver, and for those that run over it and the sandbox.

Tests that need the genuine server carry the marker ``apiserver``.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.apiserver import build
from tests.apiserver.faults import clock, network, table
from tests.apiserver.server import KubeApiServer
from tests.apiserver.servers import Genuine, Sandbox, Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

_TIERS = {
    "apiserver": "tests over the genuine kube-apiserver",
    "faults": "tests of real faults",
}
"""By marker."""

_left_out: Counter[str] = Counter()


@pytest.fixture(scope="session")
def kube_apiserver(request: pytest.FixtureRequest) -> Iterator[KubeApiServer]:
    """The genuine server, one for the run; built first where it never was."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not build.is_ready():
        reporter.ensure_newline()
        reporter.write_line("building kube-apiserver and etcd; this takes many minutes, once")
    # Not in pytest's folders, which outlive three runs: etcd alone sets 64 MB aside.
    with tempfile.TemporaryDirectory(prefix="kube-apiserver-") as directory:
        server = KubeApiServer(build.find(), Path(directory))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(params=["sandbox", pytest.param("kube-apiserver", marks=pytest.mark.apiserver)])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """One server after the other, with a namespace of the test's own."""
    if request.param == "sandbox":
        under_test: Sandbox | Genuine = Sandbox()
    else:
        under_test = Genuine(request.getfixturevalue("kube_apiserver"))
    async with _running(under_test):
        yield under_test


@pytest.fixture
async def sandbox() -> AsyncIterator[Server]:
    """The sandbox alone, for what the genuine server cannot show."""
    async with _running(under_test := Sandbox()):
        yield under_test


@asynccontextmanager
async def _running(under_test: Sandbox | Genuine) -> AsyncIterator[None]:
    try:
        await under_test.start()
        yield
    finally:
        await under_test.stop()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "apiserver: needs the genuine kube-apiserver and etcd")


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Skipped here and not in the fixture, all of them make one line of the report.
    for tier in _TIERS:
        if item.get_closest_marker(tier) and (why := _why_not(tier)):
            pytest.skip(why)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    _left_out.update(tier for item in items for tier in _TIERS if item.get_closest_marker(tier))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    measured = [
        row
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, row in report.user_properties
        if name == "fault"
    ]
    if measured:
        terminalreporter.section("faults, in seconds")
        for line in table.lines(list({tuple(row): None for row in measured})):
            terminalreporter.write_line(line)
    for tier, count in sorted(_left_out.items()):
        why = _why_not(tier)
        command = f"python -m pytest -n 0 -m {tier}"
        how = f"`{command}` runs them" if why is None else f"they cannot run here: {why}"
        terminalreporter.write_line(f"{count} {_TIERS[tier]} were left out; {how}")


def _why_not(tier: str) -> str | None:
    """What a tier lacks here, None if nothing."""
    if why := build.why_unavailable():
        return f"no genuine kube-apiserver: {why}"
    if tier == "faults" and (missing := network.why_impossible() or clock.why_impossible()):
        return f"no real faults: {missing}"
    return None
