"""Servers and kubeconfigs on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apiserver.fixtures import (
    kube_apiserver,
    pytest_configure,
    pytest_runtest_setup,
    server,
)
from tests.wire.scripted import Script
from tui.wire.kube import Kube
from tui.wire.kubeconfig import Where

__all__ = [
    "config",
    "kube",
    "kube_apiserver",
    "opened",
    "pytest_configure",
    "pytest_runtest_setup",
    "script",
    "server",
]


def config(server: str, *, user: Any = None, context: Any = None, **cluster: Any) -> dict[str, Any]:
    """A kubeconfig with one context, ``demo``."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "demo",
        "contexts": [
            {
                "name": "demo",
                "context": {
                    "cluster": "here",
                    "user": "me",
                    "namespace": "prod",
                    **(context or {}),
                },
            }
        ],
        "clusters": [{"name": "here", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "me", "user": {"token": "t0ken"} if user is None else user}],
    }


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    """A scripted API server, listening."""
    server = Script()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Awaitable[Kube]]]:
    """Opens gateways for kubeconfigs given as mappings, and closes them afterwards."""
    for name in ("KUBECONFIG", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    gateways: list[Kube] = []

    async def open_(kubeconfig: dict[str, Any], **flags: Any) -> Kube:
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(kubeconfig))
        gateways.append(await Kube.open(Where(kubeconfig=str(path), **flags)))
        return gateways[-1]

    yield open_
    for gateway in gateways:
        await gateway.close()


@pytest.fixture
async def kube(script: Script, opened: Callable[..., Awaitable[Kube]]) -> Kube:
    """A gateway to the scripted server."""
    return await opened(config(script.url))
