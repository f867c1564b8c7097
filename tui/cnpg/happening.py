"""Kubernetes Events about an object (core/v1 Event), called happenings here.

A watch has events too; two things of one name in one program would be one too many. The instance
manager says ``Failed`` with type Normal, so nothing is filtered by type.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tui.cnpg import manifest
from tui.cnpg.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Happening:
    """One Event; ``last`` is when it was last seen, ``count`` how often (1 for a single one)."""

    type: str
    reason: str
    message: str
    component: str
    last: datetime | None
    count: int


def read(source: Manifest) -> Happening:
    """Project an Event manifest, of either generation. Raises :class:`manifest.Odd`."""
    return Happening(
        type=manifest.text(source, "type"),
        reason=manifest.text(source, "reason"),
        message=manifest.text(source, "message"),
        component=manifest.text(source, "source", "component")
        or manifest.text(source, "reportingComponent"),
        last=manifest.moment(source, "lastTimestamp")
        or manifest.moment(source, "series", "lastObservedTime")
        or manifest.moment(source, "eventTime")
        or manifest.moment(source, "metadata", "creationTimestamp"),
        count=manifest.number(source, "series", "count") or manifest.number(source, "count") or 1,
    )
