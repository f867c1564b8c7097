"""Fixtures for tests over the genuine kube-apiserver, and for those that run over it and the sandbox.

Tests that need the genuine server carry the marker ``apiserver``.
"""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.apiserver import build
from tests.apiserver.server import KubeApiServer
from tests.apiserver.servers import Genuine, Sandbox, Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

_COMMAND = "python -m pytest -m apiserver"

_left_out: list[str] = []


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
    if item.get_closest_marker("apiserver") and (why := build.why_unavailable()):
        pytest.skip(f"no genuine kube-apiserver: {why}")


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    _left_out.extend(item.nodeid for item in items if item.get_closest_marker("apiserver"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _left_out:
        return
    why = build.why_unavailable()
    how = f"`{_COMMAND}` runs them" if why is None else f"they cannot run here: {why}"
    terminalreporter.write_line(
        f"{len(_left_out)} tests over the genuine kube-apiserver were left out; {how}"
    )
