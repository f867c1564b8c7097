"""What a pane may ask of the app, all on this page. Requests, not orders: the app decides."""

from __future__ import annotations

from textual.message import Message

from tui.barman.info import Info
from tui.barman.path import Loss
from tui.cnpg.location import Place
from tui.cnpg.manifest import Key, Kind
from tui.verdict.fix import Fix


class BackUpRequested(Message):
    """The user wants an on-demand backup of this cluster."""

    def __init__(self, cluster: Key) -> None:
        super().__init__()
        self.cluster = cluster


class ClusterChosen(Message):
    """The cursor moved to this cluster (or to something that belongs to it)."""

    def __init__(self, cluster: Key) -> None:
        super().__init__()
        self.cluster = cluster


class BackupsWanted(Message):
    """Show the backups of this cluster only."""

    def __init__(self, cluster: Key) -> None:
        super().__init__()
        self.cluster = cluster


class TriageWanted(Message):
    """Open the ladder of this cluster: what holds, what breaks, and the remedy."""

    def __init__(self, cluster: Key) -> None:
        super().__init__()
        self.cluster = cluster


class BundleWanted(Message):
    """Write all that is known of this cluster into a file, for a ticket."""

    def __init__(self, cluster: Key) -> None:
        super().__init__()
        self.cluster = cluster


class RemedyWanted(Message):
    """Carry out what triage proposes, once it was shown and confirmed."""

    def __init__(self, fix: Fix) -> None:
        super().__init__()
        self.fix = fix


class DetailsWanted(Message):
    """Open the details of this Backup."""

    def __init__(self, backup: Key) -> None:
        super().__init__()
        self.backup = backup


class HappeningsWanted(Message):
    """Ask the server for the Kubernetes Events about an object."""

    def __init__(self, kind: Kind, key: Key, uid: str) -> None:
        super().__init__()
        self.kind = kind
        self.key = key
        self.uid = uid


class ScheduleWish(Message):
    """Something is wanted of a ScheduledBackup; the wishes below say what."""

    def __init__(self, key: Key) -> None:
        super().__init__()
        self.key = key


class NewScheduleWanted(ScheduleWish):
    """Write a new ScheduledBackup; ``key`` is the cluster it is for."""


class EditScheduleWanted(ScheduleWish):
    """Open this ScheduledBackup in the editor."""


class SuspendWanted(ScheduleWish):
    """Suspend this ScheduledBackup, or resume it if it is suspended."""


class RunNowWanted(ScheduleWish):
    """Take one on-demand backup of this ScheduledBackup's shape."""


class DeleteScheduleWanted(ScheduleWish):
    """Delete this ScheduledBackup."""


class FindingsWanted(Message):
    """Show what is wrong with the schedules of the whole fleet."""


class BaseWanted(Message):
    """Open the backup.info of a base backup."""

    def __init__(self, url: str, info: Info) -> None:
        super().__init__()
        self.url = url
        self.info = info


class LookRequested(Message):
    """Look into the buckets again now, thoroughly; ``deep``: and list full WAL folders anew."""

    def __init__(self, *, deep: bool = False) -> None:
        super().__init__()
        self.deep = deep


class LookIntoRequested(Message):
    """Look into a server name that no cluster uses."""

    def __init__(self, place: Place, server: str) -> None:
        super().__init__()
        self.place = place
        self.server = server


class LookStopped(Message):
    """The user had enough of the looks that are under way."""


class AcknowledgeWanted(Message):
    """The user says that this WAL is known to be lost."""

    def __init__(self, place: Place, server: str, loss: Loss) -> None:
        super().__init__()
        self.place = place
        self.server = server
        self.loss = loss
