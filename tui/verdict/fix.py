"""What can be done about a finding from here: small writes to Kubernetes, each undone as easily.

A rule that knows its remedy exactly names it by one of these; whoever carries it out shows it first.
Nothing here touches data: what only a bucket or a volume can mend stays a sentence and a command.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tui.cnpg.manifest import Key
from tui.cnpg.schedule import ScheduledBackup


@dataclass(frozen=True, slots=True)
class SetChecksums:
    """Set both checksum variables of the sidecar to ``when_required`` on an ObjectStore."""

    store: Key


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


Fix: TypeAlias = SetChecksums | SwitchOn | ChangeSchedule | DeleteBackup
