"""Threads for calls that block, which never keep the process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Task = tuple[Future[Any], Callable[[], Any]]


class DaemonThreads(Executor):
    """An executor of daemon threads, started as they are needed.

    The threads of a ``ThreadPoolExecutor`` are joined when Python ends: a store that does not answer
    would hold up ``q`` for as long as the read timeout.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._started = 0
        self._idle = threading.Semaphore(0)
        self._closed = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call it in a thread. Raises RuntimeError after :meth:`shutdown`."""
        if self._closed:
            raise RuntimeError(f"the threads of {self._name} are shut down")
        future: Future[T] = Future()
        self._tasks.put((future, lambda: fn(*args, **kwargs)))
        if not self._idle.acquire(blocking=False) and self._started < self._most:
            self._started += 1
            name = f"{self._name} {self._started}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more; threads end when they are done with what they are at."""
        self._closed = True
        for _ in range(self._started):
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, call = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001 - told to whoever waits for the future
                    future.set_exception(error)
            del task, future, call  # an idle thread keeps no page alive
            self._idle.release()
