"""The real app over the sandbox's API server, driven by keys, read from the screen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.panes.objects import NAMESPACE, Manifest, a_store
from tests.panes.stage import ADMIN, Stage, seed, staged, write_kubeconfig
from tui.sandbox.apiserver import ApiServer, User

Open = Callable[..., AbstractAsyncContextManager[Stage]]


def _places(manifests: tuple[Manifest, ...]) -> set[str]:
    """Where Clusters are: the ObjectStore that their plugin names is there too."""
    return {each["metadata"]["namespace"] for each in manifests if each["kind"] == "Cluster"}


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    """An API server of this test's own, listening, with the admin as its one user."""
    apiserver = ApiServer(users=(ADMIN,))
    await apiserver.start()
    yield apiserver
    await apiserver.stop()


@pytest.fixture
def stage(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the app on a server that holds the given manifests."""
    for name in (
        "KUBECONFIG",
        "NO_COLOR",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
    ):
        monkeypatch.delenv(name, raising=False)

    def open_(
        *manifests: Manifest, user: User = ADMIN, namespace: str = NAMESPACE, **options: Any
    ) -> AbstractAsyncContextManager[Stage]:
        server.store.ensure_namespace(NAMESPACE)
        if server.registry.at("barmancloud.cnpg.io", "v1", "objectstores"):
            places = _places(manifests)
            seed(server, [a_store("r2-store", "nobody", namespace=each) for each in places])
        seed(server, manifests)
        path = write_kubeconfig(tmp_path / "kubeconfig", server, user, namespace=namespace)
        return staged(server, path, **options)

    return open_
