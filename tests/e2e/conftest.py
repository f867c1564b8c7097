"""A sandbox API server in a thread of its own, and the app in real terminals."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.e2e.terminal import Terminal, tui
from tests.panes.objects import NAMESPACE, Manifest
from tests.panes.stage import ADMIN, write_kubeconfig
from tui.sandbox.apiserver import ApiServer, Certificate

T = TypeVar("T")
Start = Callable[..., Terminal]


class Served:
    """An API server on a loop of its own; everything about it is asked on that loop."""

    def __init__(self, *, tls: Certificate | None = None) -> None:
        self.server = ApiServer(users=(ADMIN,), tls=tls)
        self._started: Future[str] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        self.url = self._started.result(30)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._started.set_result(await self.server.start())
        await self._over.wait()
        await self.server.stop()

    def _run(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(30)

    def do(self, what: Callable[[ApiServer], T]) -> T:
        """Do something to the server, on its loop."""
        done: Future[T] = Future()

        def doing() -> None:
            try:
                done.set_result(what(self.server))
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked
                done.set_exception(error)

        self._loop.call_soon_threadsafe(doing)
        return done.result(30)

    def seed(self, *manifests: Manifest) -> None:
        """Put objects there."""
        self.do(lambda server: [server.store.seed(manifest) for manifest in manifests])

    def listed(self, plural: str) -> list[Manifest]:
        """All objects of a kind of CNPG's."""

        def look(server: ApiServer) -> list[Manifest]:
            resource = server.registry.at("postgresql.cnpg.io", "v1", plural)
            assert resource is not None
            return [found.manifest() for found in server.store.listed(resource)]

        return self.do(look)

    def kubeconfig(self, path: Path, *, namespace: str = NAMESPACE) -> Path:
        """A kubeconfig of the admin."""
        return write_kubeconfig(path, self.server, namespace=namespace)

    def stop(self) -> None:
        """Stop serving, as a server that goes down."""
        self._run(self.server.stop())

    def close(self) -> None:
        """Stop serving, for good."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(30)


@pytest.fixture
def served() -> Iterator[Served]:
    """A server with the namespace of the tests."""
    running = Served()
    running.do(lambda server: server.store.ensure_namespace(NAMESPACE))
    yield running
    running.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the app in a terminal, with a state folder of the test's own."""
    opened: list[Terminal] = []

    def start_(
        *arguments: str,
        command: tuple[str, ...] | None = None,
        size: tuple[int, int] = (80, 24),
        **environment: str,
    ) -> Terminal:
        private = {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}
        terminal = Terminal(
            *(command or tui(*arguments)), size=size, environment=private | environment
        )
        opened.append(terminal)
        return terminal

    yield start_
    for terminal in opened:
        terminal.close()


@pytest.fixture
def app(served: Served, start: Start, tmp_path: Path) -> Start:
    """Starts the app against the test's own server."""
    path = served.kubeconfig(tmp_path / "kubeconfig")

    def start_(*arguments: str, **options: Any) -> Terminal:
        return start("--kubeconfig", str(path), *arguments, **options)

    return start_
