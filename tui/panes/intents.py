"""What a pane may ask of the app, all on this page. Requests, not orders: the app decides."""

from __future__ import annotations

from textual.message import Message

from tui.cnpg.manifest import Key, Kind


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
