"""What deletes from an archive, so that a forecast counts on it, and in words why: it is assumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from tui.barman import retention
from tui.barman.info import Info, Unreadable
from tui.barman.retention import Policy
from tui.verdict.growth import Growth


@dataclass(frozen=True, slots=True)
class Kept:
    """The window that is kept, None for everything, and why."""

    window: timedelta | None
    why: str


EVERYTHING = "nothing is ever deleted"


def of(
    policies: Iterable[str | None],
    growth: Growth,
    infos: Mapping[str, Info | Unreadable],
) -> Kept:
    """What the policies of the clusters that use a server name keep of it (one a cluster, as
    :attr:`tui.cnpg.location.Location.retention_policy`).

    Where clusters share a name each deletes what is there, so that the shortest window counts.
    """
    told = list(policies)
    if not told:
        return Kept(None, f"no cluster here uses it: {EVERYTHING}")
    known = {text: policy for text in told if text and (policy := retention.parse(text))}
    if not known:
        unknown = None in told or any(told)
        return Kept(None, "retention not known, none counted" if unknown else _none())
    text = min(known, key=lambda each: known[each].window)
    return _counted(text, known[text], growth, infos)


def _none() -> str:
    return f"no retentionPolicy: {EVERYTHING}"


def _counted(
    text: str, policy: Policy, growth: Growth, infos: Mapping[str, Info | Unreadable]
) -> Kept:
    unreadable = [id_ for id_, info in sorted(infos.items()) if isinstance(info, Unreadable)]
    if unreadable:
        why = f"backup.info of {', '.join(unreadable)} cannot be read"
        return Kept(None, f"retention {text} deletes nothing: {why}")
    if len(growth.bases) < 2:
        return Kept(None, f"retention {text} deletes nothing without a second base backup")
    return Kept(policy.window, f"retention {text} counted")
