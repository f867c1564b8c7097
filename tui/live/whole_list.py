"""A whole list of objects, or why it is not known. What was refused is not asked again for a while."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from tui import faults
from tui.cnpg.manifest import Kind, Manifest
from tui.live.feeds import Page
from tui.live.refusals import Refusals
from tui.verdict.witnesses import NotKnown

_ANSWER = 10.0


class Source(Protocol):
    """The port; ``wire.kube.Kube`` fits it. Everything raises ``faults.Fault``."""

    def list(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        silence: float,
    ) -> AsyncGenerator[Page, None]: ...


async def listed(
    source: Source,
    refusals: Refusals,
    kind: Kind,
    namespace: str | None,
    *,
    label_selector: str = "",
    field_selector: str = "",
) -> list[Manifest] | NotKnown:
    """All objects of a kind in ``namespace``, None for all namespaces."""
    where = f"in {namespace}" if namespace else "in all namespaces"
    asked = f"{kind} {where}"
    if (refused := refusals.remembered(asked)) is not None:
        return refused
    found: list[Manifest] = []
    try:
        pages = source.list(
            kind,
            namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            silence=_ANSWER,
        )
        async with aclosing(pages):
            async for page in pages:
                found += page.items
    except faults.Forbidden as fault:
        return refusals.not_known(asked, fault, f"{kind} list {where} is forbidden")
    except faults.Fault as fault:
        return NotKnown(str(fault))
    return found
