"""Makes the fixtures and the marker of ``fixtures.py`` known to the tests of this folder."""

from __future__ import annotations

from tests.apiserver.fixtures import (
    kube_apiserver,
    pytest_configure,
    pytest_deselected,
    pytest_runtest_setup,
    pytest_terminal_summary,
    sandbox,
    server,
)

__all__ = [
    "kube_apiserver",
    "pytest_configure",
    "pytest_deselected",
    "pytest_runtest_setup",
    "pytest_terminal_summary",
    "sandbox",
    "server",
]
