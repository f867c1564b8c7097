"""What this user may do: asked of the server when a key needs it, and remembered for some minutes.

A right that is not known yet is taken as given: the server refuses by itself, and a key that is greyed
without a reason keeps somebody from what they may do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from tui import faults
from tui.cnpg.manifest import Kind

_log = logging.getLogger(__name__)


class Source(Protocol):
    """The port; ``wire.kube.Kube`` fits it. Raises ``faults.Fault``."""

    async def may(self, verb: str, kind: Kind, namespace: str | None) -> bool:
        """Whether this user may do it."""
        ...


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a resource, as RBAC grants it."""

    verb: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.verb} on {self.kind}"


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds."""

    lasting: float = 300.0
    """How long an answer is believed."""
    unanswered: float = 30.0
    """When to ask again after no answer came."""


@dataclass(frozen=True, slots=True)
class _Answer:
    allowed: bool
    until: float
    """Loop time."""


class Rights:
    """The rights of one user. ``heard`` is called when an answer changes what is known."""

    def __init__(
        self, source: Source, heard: Callable[[], None], patience: Patience | None = None
    ) -> None:
        self._source = source
        self._heard = heard
        self._patience = patience or Patience()
        self._answers: dict[tuple[Right, str], _Answer] = {}
        self._asking: dict[tuple[Right, str], asyncio.Task[None]] = {}

    def lacks(self, right: Right, namespace: str) -> bool:
        """Whether the server has said no. What is not known, or not known any more, is asked."""
        asked = (right, namespace)
        answer = self._answers.get(asked)
        stale = answer is None or asyncio.get_running_loop().time() >= answer.until
        if stale and asked not in self._asking:
            self._asking[asked] = asyncio.create_task(self._ask(right, namespace))
        return answer is not None and not answer.allowed

    def ask_again(self) -> None:
        """Believe no earlier answer any longer; each is asked for again when it is needed."""
        now = asyncio.get_running_loop().time()
        self._answers = {
            asked: _Answer(answer.allowed, now) for asked, answer in self._answers.items()
        }
        self._heard()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for no more answers."""
        for task in self._asking.values():
            task.cancel()

    async def _ask(self, right: Right, namespace: str) -> None:
        asked, loop = (right, namespace), asyncio.get_running_loop()
        before = self._answers.get(asked)
        try:
            allowed = await self._source.may(right.verb, right.kind, namespace)
        except faults.Fault as fault:
            _log.info("whether %s is granted in %s is not known: %s", right, namespace, fault)
            allowed = before is None or before.allowed
            until = loop.time() + self._patience.unanswered
        else:
            until = loop.time() + self._patience.lasting
        finally:
            del self._asking[asked]
        self._answers[asked] = _Answer(allowed, until)
        if allowed is not (before is None or before.allowed):
            self._heard()
