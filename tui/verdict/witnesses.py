"""What each witness says of one cluster, and what is not known and why. The judge sees nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tui.barman.catalog import Server
from tui.barman.continuity import Continuity
from tui.barman.s3 import Rule
from tui.barman.seals import Seal
from tui.cnpg.backup import Backup
from tui.cnpg.cluster import Cluster
from tui.cnpg.happening import Happening
from tui.cnpg.instance import InstanceStatus
from tui.cnpg.manifest import Key
from tui.cnpg.plugin_service import PluginPod, PluginService
from tui.cnpg.pod import Pod
from tui.cnpg.schedule import ScheduledBackup
from tui.cnpg.secret import Secret
from tui.cnpg.sidecar_log import LogLine
from tui.cnpg.sidecar_role import Binding, Role
from tui.cnpg.store import ObjectStore
from tui.cnpg.wal_volume import WalVolume
from tui.verdict.window import NoWindow, Window


@dataclass(frozen=True, slots=True)
class NotKnown:
    """A witness that could not be heard, and why. Never taken for good news."""

    why: str


NOT_ASKED = NotKnown("")
"""A witness there was no need to hear, or no time yet."""

NO_SUCH_OBJECT = NotKnown("there is none of that name")
"""The server has told all there are, and this one is not among them."""


@dataclass(frozen=True, slots=True)
class Film:
    """The bucket's word on one server name."""

    server: Server
    continuity: Continuity
    window: Window | NoWindow
    at: datetime
    """Of what moment this is true: the end of the last look that saw everything, if there was one."""
    whole: datetime | None
    """When the last look that saw everything ended; None: not everything has been looked at."""
    trouble: str
    """Why the store cannot be looked at now, ``""`` if it can."""
    system_ids: frozenset[str]
    """``systemid`` of the base backups: more than one, or another than the cluster's, is a clash."""
    shared_with: tuple[Key, ...] = ()
    """Other clusters that use the same place and server name."""
    seal: Seal | None = None
    """The full WAL folders that the last look took on trust."""
    identity: str = ""
    """Whose keys opened the bucket: ``secret r2-creds``, ``environment``. Never a value."""
    skew: timedelta | None = None
    """How far the store's clock is ahead of ours; None: no answer told its time."""
    rules: tuple[Rule, ...] = ()
    """The bucket's lifecycle rules, as far as the store tells them."""

    def strangers(self, system_id: str) -> frozenset[str]:
        """System ids of others; where ours is not known, several are strangers to each other."""
        if system_id:
            return self.system_ids - {system_id}
        return self.system_ids if len(self.system_ids) > 1 else frozenset()


@dataclass(frozen=True, slots=True)
class PluginSeen:
    """What is seen of a plugin beside the operator."""

    service: PluginService | None
    """By which the operator finds it; None: there is none with the plugin's name."""
    everywhere: bool
    """Whether the Service was looked for in all namespaces."""
    pods: tuple[PluginPod, ...] | NotKnown
    events: tuple[Happening, ...] | NotKnown
    """About the Service, newest last."""
    pod_events: tuple[Happening, ...] | NotKnown = ()
    """About a Pod that is not ready, where none is, newest last."""


@dataclass(frozen=True, slots=True)
class SidecarRights:
    """By which the sidecar reads its ObjectStore and Secrets."""

    role: Role | NotKnown
    binding: Binding | NotKnown


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Everything said about one cluster."""

    cluster: Cluster
    store: ObjectStore | NotKnown
    backups: tuple[Backup, ...] | NotKnown
    schedules: tuple[ScheduledBackup, ...] | NotKnown
    film: Film | NotKnown
    instance: InstanceStatus | NotKnown
    """Of the primary."""
    pods: tuple[Pod, ...] | NotKnown
    sidecar_errors: tuple[LogLine, ...] | NotKnown = NOT_ASKED
    """From the sidecars' logs, oldest first; they are read only where something fails."""
    wal_volume: WalVolume | NotKnown = NOT_ASKED
    """Of the primary; it is asked only where WAL waits."""
    secrets: Mapping[str, Secret | NotKnown] = field(default_factory=dict)
    """By name, the Secrets of the ObjectStore that were read: where something fails, or to look into
    the bucket."""
    plugin: PluginSeen | NotKnown = NOT_ASKED
    """Seen in the operator's namespace, as far as the user may look there."""
    rights: SidecarRights | NotKnown = NOT_ASKED
    """Of the sidecar; they are read only where something fails."""
    happenings: tuple[Happening, ...] | NotKnown = NOT_ASKED
    """Events about the Cluster, its Pods, Backups and schedules, newest last; they are asked for only
    where something is wrong. None of them is never good news: they last an hour."""
    queue_before: tuple[InstanceStatus, ...] = ()
    """What the same primary said in the last hour, oldest first."""
    unheard_since: datetime | None = None
    """When the API server last told of Clusters, None while it does."""
    queue_moved: datetime | None = None
    """When a Backup was last seen to leave the queue, also by being deleted."""
    context: str = ""
    """The context that commands to be pasted must name, ``""`` where it is kubectl's own."""

    @property
    def system_id(self) -> str:
        """By the operator's word, else the instance's; ``""`` where nobody says it."""
        heard = "" if isinstance(self.instance, NotKnown) else self.instance.system_id
        return self.cluster.system_id or heard
