"""What can be done about a finding from here: small writes to Kubernetes, each undone as easily.

A rule that knows its remedy exactly names it by one of these; whoever carries it out shows it first.
Nothing here touches data: what only a bucket or a volume can mend stays a sentence and a command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tui.cnpg.manifest import Key
from tui.cnpg.schedule import ScheduledBackup


@dataclass(frozen=True, slots=True)
class SetChecksums:
    """Set both checksum variables of the sidecar to ``when_required`` on an ObjectStore."""

    store: Key


@dataclass(frozen=True, slots=True)
class SetOptions:
    """Set options of an ObjectStore's configuration, or take them out."""

    store: Key
    options: Mapping[tuple[str, ...], str | None]
    """By path under ``spec.configuration``; None takes the option out."""

    @property
    def fields(self) -> dict[str, Any]:
        """As a JSON merge patch."""
        patch: dict[str, Any] = {}
        for path, value in self.options.items():
            at = patch.setdefault("spec", {}).setdefault("configuration", {})
            for name in path[:-1]:
                at = at.setdefault(name, {})
            at[path[-1]] = value
        return patch


@dataclass(frozen=True, slots=True)
class SwitchOn:
    """Enable a plugin of a Cluster and make it the WAL archiver."""

    cluster: Key
    plugin: str


@dataclass(frozen=True, slots=True)
class ChangeSchedule:
    """Change a ScheduledBackup from what was judged to what is meant."""

    before: ScheduledBackup
    wanted: ScheduledBackup


@dataclass(frozen=True, slots=True)
class DeleteBackup:
    """Delete a Backup that holds up the queue. Its data in the bucket, if any, stays."""

    backup: Key


MadeHere: TypeAlias = SetChecksums | SetOptions | SwitchOn | DeleteBackup
"""Those that are planned on an object as it is now; a schedule goes the way of its editor."""

Fix: TypeAlias = MadeHere | ChangeSchedule
