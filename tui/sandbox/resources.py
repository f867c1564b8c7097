"""What this API server serves: the kinds of CNPG and Barman Cloud, and the core kinds beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tui.sandbox.refusals import qualified

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """A column kubectl prints: header, type (`string`, `integer`, `date`), path (`.status.phase`)."""

    name: str
    type: str
    path: str
    priority: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One kind of object under one path; compared by identity, there is one of each."""

    group: str
    plural: str
    kind: str
    columns: tuple[Column, ...] = ()
    subresources: tuple[str, ...] = ("status",)
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    version: str = "v1"
    selectable: tuple[str, ...] = ()
    """Field selectors beyond metadata.name and metadata.namespace."""
    verbs: tuple[str, ...] = _VERBS
    columns_whole: bool = False
    """whether `columns` hold the name already"""

    @property
    def api_version(self) -> str:
        """`postgresql.cnpg.io/v1`, or `v1` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def custom(self) -> bool:
        """Whether it comes from a CRD: schema, pruning, no strategic merge patch."""
        return self.group.endswith("cnpg.io")

    @property
    def qualified(self) -> str:
        """`backups.postgresql.cnpg.io`, or `pods`."""
        return qualified(self.group, self.plural)

    @property
    def singular(self) -> str:
        """The name kubectl accepts besides the plural."""
        return self.kind.lower()


_AGE = Column("Age", "date", ".metadata.creationTimestamp")
_CNPG = "postgresql.cnpg.io"
_RBAC = "rbac.authorization.k8s.io"


def _core(name: str, about: str = "", priority: int = 0) -> Column:
    """A column of a core kind: text the server makes up, whatever it is about."""
    return Column(name, "string", about, priority)


_CORE_AGE = _core("Age", "time since the object was created")

SERVED: tuple[Resource, ...] = (
    Resource(
        "",
        "namespaces",
        "Namespace",
        (_core("Status", "whether it is in use or going"), _CORE_AGE),
        namespaced=False,
        short_names=("ns",),
        selectable=("status.phase",),
    ),
    Resource(
        "",
        "pods",
        "Pod",
        (
            _core("Ready", "how many of its containers are ready"),
            _core("Status", "what its containers are doing"),
            _core("Restarts", "how often they were restarted"),
            _CORE_AGE,
            _core("IP", "the address of the pod", 1),
            _core("Node", "the node it runs on", 1),
            _core("Nominated Node", "the node it is meant for", 1),
            _core("Readiness Gates", "further conditions it waits for", 1),
        ),
        ("log", "proxy", "status"),
        short_names=("po",),
        selectable=(
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ),
    ),
    Resource(
        "",
        "events",
        "Event",
        (
            _core("Last Seen", "when it last happened"),
            _core("Type", "Normal or Warning"),
            _core("Reason", "what happened, in one word"),
            _core("Object", "what it happened to"),
            _core("Subobject", "which part of that", 1),
            _core("Source", "who says so", 1),
            _core("Message", "what happened, in a sentence"),
            _core("First Seen", "when it first happened", 1),
            Column("Count", "integer", "how often it happened", 1),
            _core("Name", "the name of the event", 1),
        ),
        (),
        short_names=("ev",),
        selectable=(
            "involvedObject.apiVersion",
            "involvedObject.fieldPath",
            "involvedObject.kind",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.resourceVersion",
            "involvedObject.uid",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ),
        columns_whole=True,
    ),
    Resource(
        "",
        "secrets",
        "Secret",
        (_core("Type", "what it is for"), _core("Data", "how many keys it holds"), _CORE_AGE),
        (),
        selectable=("type",),
    ),
    Resource(
        "",
        "services",
        "Service",
        (
            _core("Type", "how it is exposed"),
            _core("Cluster-IP", "its address in the cluster"),
            _core("External-IP", "its address outside"),
            _core("Port(s)", "the ports it answers on"),
            _CORE_AGE,
            _core("Selector", "the pods behind it", 1),
        ),
        short_names=("svc",),
        selectable=("spec.clusterIP", "spec.type"),
    ),
    Resource(
        _CNPG,
        "backups",
        "Backup",
        (
            _AGE,
            Column("Cluster", "string", ".spec.cluster.name"),
            Column("Method", "string", ".spec.method"),
            Column("Phase", "string", ".status.phase"),
            Column("Error", "string", ".status.error"),
        ),
    ),
    Resource(
        _CNPG,
        "clusters",
        "Cluster",
        (
            _AGE,
            Column("Instances", "integer", ".status.instances"),
            Column("Ready", "integer", ".status.readyInstances"),
            Column("Status", "string", ".status.phase"),
            Column("Primary", "string", ".status.currentPrimary"),
            Column(
                "SyncTopology",
                "string",
                ".status.conditions[?(@.type=='SyncReplicationTopologySatisfied')].reason",
                1,
            ),
        ),
    ),
    Resource(
        _CNPG,
        "scheduledbackups",
        "ScheduledBackup",
        (
            _AGE,
            Column("Cluster", "string", ".spec.cluster.name"),
            Column("Last Backup", "date", ".status.lastScheduleTime"),
        ),
    ),
    Resource("barmancloud.cnpg.io", "objectstores", "ObjectStore", (_AGE,)),
    Resource(
        "", "serviceaccounts", "ServiceAccount", (_CORE_AGE,), ("token",), short_names=("sa",)
    ),
    *(
        Resource(_RBAC, plural, kind, (_core("Created At", "when it was made"),), (), namespaced)
        for plural, kind, namespaced in (
            ("clusterrolebindings", "ClusterRoleBinding", False),
            ("clusterroles", "ClusterRole", False),
            ("rolebindings", "RoleBinding", True),
            ("roles", "Role", True),
        )
    ),
    *(
        Resource(
            group,
            plural,
            kind,
            subresources=(),
            namespaced=False,
            verbs=("create",),
        )
        for group, plural, kind in (
            ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
            ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
            ("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
        )
    ),
)


class Registry:
    """The resources served at this moment; a CRD can be taken away."""

    def __init__(self, served: Iterable[Resource] = SERVED) -> None:
        self._by_path = {(one.group, one.version, one.plural): one for one in served}

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_path.values())

    def at(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource under /apis/GROUP/VERSION/PLURAL."""
        return self._by_path.get((group, version, plural))

    def of(self, manifest: Mapping[str, Any]) -> Resource:
        """The resource a manifest belongs to; raises LookupError for a kind nobody serves."""
        kind, api_version = manifest.get("kind"), manifest.get("apiVersion")
        for one in self._by_path.values():
            if one.kind == kind and one.api_version == api_version:
                return one
        raise LookupError(f"no resource is served for {kind} in {api_version}")

    def drop(self, group: str) -> list[Resource]:
        """Stop serving a group; gives what was dropped."""
        gone = [one for one in self._by_path.values() if one.group == group]
        for one in gone:
            del self._by_path[one.group, one.version, one.plural]
        return gone
