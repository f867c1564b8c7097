"""One order: its act, how it is shown, its rehearsal, and its fate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from tui import faults
from tui.cnpg.manifest import Key, Kind, Manifest


class Answer(Protocol):
    """What the server said to a write: the object as it is now, and its warnings."""

    @property
    def manifest(self) -> Manifest: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


class Port(Protocol):
    """Where orders go out; ``wire.kube.Kube`` fits it. Everything raises ``faults.Fault``."""

    async def create(
        self, kind: Kind, namespace: str, body: Manifest, *, dry_run: bool = False
    ) -> Answer: ...

    async def patch(self, kind: Kind, key: Key, body: Any, *, dry_run: bool = False) -> Answer:
        """A JSON merge patch."""
        ...

    async def delete(
        self, kind: Kind, key: Key, *, resource_version: str, uid: str, dry_run: bool = False
    ) -> Answer: ...

    async def get(self, kind: Kind, key: Key) -> Manifest: ...


@dataclass(frozen=True, slots=True)
class Create:
    """Create this object."""

    kind: Kind
    key: Key
    document: Manifest


@dataclass(frozen=True, slots=True)
class Change:
    """Change these fields (a JSON merge patch), if the object is still at this resourceVersion."""

    kind: Kind
    key: Key
    resource_version: str
    fields: Manifest


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete this object, if it is still the one with this uid and resourceVersion."""

    kind: Kind
    key: Key
    uid: str
    resource_version: str


Act: TypeAlias = Create | Change | Delete


@dataclass(frozen=True, slots=True)
class Order:
    """An act, and everything the user sees before saying yes."""

    act: Act
    sentence: str
    """What happens if the user says yes."""
    shown: str
    """The object as YAML, or the difference."""
    kubectl: str
    """The equivalent kubectl line."""
    warnings: tuple[str, ...] = ()
    """What to know before the fact."""

    @property
    def key(self) -> Key:
        """The object that is created, changed or deleted."""
        return self.act.key


@dataclass(frozen=True, slots=True)
class Refusal:
    """An order that is not even prepared, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the server-side dry run said: ``refusal`` is its sentence, ``""`` if it would accept.

    ``overtaken`` where it refuses because somebody else changed the object; ``unheard`` where it did
    not judge the order at all, and the sentence says why.
    """

    warnings: tuple[str, ...] = ()
    refusal: str = ""
    overtaken: bool = False
    unheard: bool = False


NO_ANSWER = (faults.Unreachable, faults.BadAnswer, faults.ServerError)
"""After these nobody knows what the server made of a request."""


@dataclass(frozen=True, slots=True)
class Done:
    """The server did it."""

    key: Key
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotDone:
    """The server did not do it, and why; ``overtaken`` where somebody else changed the object."""

    key: Key
    why: str
    overtaken: bool = False


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The answer was lost and the server cannot be asked: it may be done or not."""

    key: Key
    why: str


Outcome: TypeAlias = Done | NotDone | NotKnown


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to look for the fate of an order whose answer was lost (seconds)."""

    looks: int = 10
    between: float = 2.0
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)


async def rehearse(order: Order, port: Port) -> Rehearsal:
    """Ask the server to check the order without doing it (``dryRun=All``)."""
    try:
        answer = await _send(order.act, port, dry_run=True)
    except faults.Fault as fault:
        overtaken, unheard = isinstance(fault, faults.Conflict), isinstance(fault, NO_ANSWER)
        return Rehearsal(refusal=str(fault), overtaken=overtaken, unheard=unheard)
    return Rehearsal(warnings=answer.warnings)


async def carry_out(order: Order, port: Port, patience: Patience | None = None) -> Outcome:
    """Do it, once. A lost answer is resolved by looking at the object."""
    try:
        answer = await _send(order.act, port, dry_run=False)
    except NO_ANSWER as fault:
        return await _look(order.act, port, fault, patience or Patience())
    except faults.Conflict as fault:
        return NotDone(order.key, str(fault), overtaken=True)
    except faults.Fault as fault:
        if isinstance(fault, faults.NotFound) and isinstance(order.act, Delete):
            # Gone is what was wanted; and aiohttp sends a DELETE again whose connection was cut.
            return Done(order.key)
        return NotDone(order.key, str(fault))
    return Done(order.key, answer.warnings)


async def _send(act: Act, port: Port, *, dry_run: bool) -> Answer:
    match act:
        case Create():
            return await port.create(act.kind, act.key.namespace, act.document, dry_run=dry_run)
        case Change():
            guarded = {**act.fields, "metadata": {"resourceVersion": act.resource_version}}
            return await port.patch(act.kind, act.key, guarded, dry_run=dry_run)
        case Delete():
            return await port.delete(
                act.kind,
                act.key,
                resource_version=act.resource_version,
                uid=act.uid,
                dry_run=dry_run,
            )


async def _look(act: Act, port: Port, lost: faults.Fault, patience: Patience) -> Outcome:
    """Find out whether the server took an order it did not answer.

    A write that is still on its way can land after a look that found nothing, so only the last of
    several looks counts as no.
    """
    answered = False
    for look in range(patience.looks):
        if look:
            await patience.sleep(patience.between)
        try:
            found: Manifest | None = await port.get(act.kind, act.key)
        except faults.NotFound:
            found = None
        except faults.Fault as fault:
            answered, lost = False, fault
            continue
        answered = True
        if _is_done(act, found):
            return Done(act.key)
    if answered:
        return NotDone(act.key, f"{lost}. The server did not do it: {act.key} is as it was")
    return NotKnown(
        act.key,
        f"{lost}. It is not known whether {act.key} was written: the list will show it once the "
        "server answers, or look with kubectl before trying again",
    )


def _is_done(act: Act, found: Manifest | None) -> bool:
    """Whether the object as found shows that the act was done."""
    match act:
        case Create():
            return found is not None
        case Change():
            return found is not None and _holds(found, act.fields)
        case Delete():
            return found is None or found.get("metadata", {}).get("uid") != act.uid


def _holds(found: Any, wanted: Any) -> bool:
    """Whether a merge patch would change nothing; null means absent."""
    if not isinstance(wanted, Mapping):
        return bool(found == wanted)
    if not isinstance(found, Mapping):
        return False
    return all(_holds(found.get(name), value) for name, value in wanted.items())
