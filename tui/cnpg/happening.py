"""Kubernetes Events about an object (core/v1 Event), called happenings here.

A watch has events too; two things of one name in one program would be one too many. The instance
manager says ``Failed`` with type Normal, so nothing is filtered by type.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from tui.cnpg import manifest
from tui.cnpg.manifest import Manifest

RETENTION_FAILED = "RetentionPolicyFailed"
"""Said of the Cluster by the primary's sidecar, every half hour while it lasts."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One Event; ``last`` is when it was last seen, ``count`` how often (1 for a single one)."""

    type: str
    reason: str
    message: str
    component: str
    last: datetime | None
    count: int
    about: str = ""
    """The object, ``Backup pg-1``."""
    namespace: str = ""


def read(source: Manifest) -> Happening:
    """Project an Event manifest, of either generation. Raises :class:`manifest.Odd`."""
    about = manifest.get(source, "involvedObject")
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
        about=f"{manifest.text(about, 'kind')} {manifest.text(about, 'name')}",
        namespace=manifest.text(source, "metadata", "namespace"),
    )


def listed(items: Iterable[Manifest]) -> tuple[Happening, ...]:
    """Many of them, newest last; an odd one is told as what it is: it must not hide the others."""
    epoch = datetime.min.replace(tzinfo=UTC)
    return tuple(sorted(map(_told, items), key=lambda each: each.last or epoch))


def _told(source: Manifest) -> Happening:
    try:
        return read(source)
    except manifest.Odd as odd:
        return Happening("", "unreadable", str(odd), "", None, 1)
