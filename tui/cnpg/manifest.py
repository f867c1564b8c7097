"""Typed reads of nested JSON, and the names of the kinds this tool looks at.

Every projection in this package (``cluster.read``, ``backup.read`` ...) is built from these few
functions. They refuse a value of the wrong type with :class:`Odd`, which the feed turns into an
:class:`Unreadable` row: an odd object is shown, it never stops a feed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tui import words

Manifest = Mapping[str, Any]
"""A Kubernetes object as it came over the wire."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource of the Kubernetes API; ``str()`` gives the name kubectl accepts unambiguously."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """What stands in ``apiVersion``: ``group/version``, or the bare version of the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


CLUSTERS = Kind("postgresql.cnpg.io", "v1", "clusters", "Cluster")
BACKUPS = Kind("postgresql.cnpg.io", "v1", "backups", "Backup")
SCHEDULED_BACKUPS = Kind("postgresql.cnpg.io", "v1", "scheduledbackups", "ScheduledBackup")
OBJECT_STORES = Kind("barmancloud.cnpg.io", "v1", "objectstores", "ObjectStore")
PODS = Kind("", "v1", "pods", "Pod")
EVENTS = Kind("", "v1", "events", "Event")
SERVICES = Kind("", "v1", "services", "Service")
ROLES = Kind("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS = Kind("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
SECRETS = Kind("", "v1", "secrets", "Secret")

BARMAN_PLUGIN = "barman-cloud.cloudnative-pg.io"
"""The Barman Cloud plugin's name (plugin-barman-cloud ``internal/cnpgi/metadata/constants.go``)."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which object: namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Odd(ValueError):
    """A field of a manifest is not what its schema says."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that could not be projected: it is listed with the reason, not dropped."""

    key: Key
    resource_version: str
    created: datetime | None
    why: str


def key(manifest: Manifest) -> Key:
    """Namespace and name of an object. Raises :class:`Odd` if it has no name."""
    name = text(manifest, "metadata", "name")
    if not name:
        raise Odd("the object has no metadata.name")
    return Key(text(manifest, "metadata", "namespace"), name)


def resource_version(manifest: Manifest) -> str:
    """``metadata.resourceVersion``, an opaque text."""
    return text(manifest, "metadata", "resourceVersion")


def get(manifest: Any, *path: str) -> Any:
    """The value at ``path``, or None where any step of it is absent or null."""
    at = manifest
    for depth, step in enumerate(path):
        if at is None:
            return None
        if not isinstance(at, Mapping):
            where = ".".join(path[:depth]) or f"what should hold {'.'.join(path)}"
            raise Odd(f"{where} is {_kind_of(at)}, not an object")
        at = at.get(step)
    return at


def text(manifest: Any, *path: str) -> str:
    """The cleaned text at ``path``, ``""`` where absent."""
    return maybe_text(manifest, *path) or ""


def maybe_text(manifest: Any, *path: str) -> str | None:
    """The cleaned text at ``path``, None where absent."""
    value = get(manifest, *path)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Odd(f"{'.'.join(path)} is {_kind_of(value)}, not a text")
    return words.clean(value)


def number(manifest: Any, *path: str) -> int | None:
    """The whole number at ``path``, None where absent."""
    value = get(manifest, *path)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Odd(f"{'.'.join(path)} is {_kind_of(value)}, not a whole number")
    return value


def flag(manifest: Any, *path: str) -> bool | None:
    """The boolean at ``path``, None where absent."""
    value = get(manifest, *path)
    if value is None or isinstance(value, bool):
        return value
    raise Odd(f"{'.'.join(path)} is {_kind_of(value)}, not true or false")


def moment(manifest: Any, *path: str) -> datetime | None:
    """The RFC3339 time at ``path`` in UTC, None where absent."""
    value = maybe_text(manifest, *path)
    if not value:
        return None
    try:
        when = datetime.fromisoformat(value)
    except ValueError as error:
        raise Odd(f"{'.'.join(path)} is {value!r}, not a time") from error
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def items(manifest: Any, *path: str) -> tuple[Manifest, ...]:
    """The list of objects at ``path``, empty where absent."""
    value = get(manifest, *path)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise Odd(f"{'.'.join(path)} is not a list of objects")
    return tuple(value)


def texts(manifest: Any, *path: str) -> tuple[str, ...]:
    """The list of cleaned texts at ``path``, empty where absent."""
    value = get(manifest, *path)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Odd(f"{'.'.join(path)} is not a list of texts")
    return tuple(words.clean(item) for item in value)


def pairs(manifest: Any, *path: str) -> Mapping[str, str]:
    """The map of texts at ``path`` (labels, parameters), empty where absent."""
    value = get(manifest, *path)
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
        raise Odd(f"{'.'.join(path)} is not a map of texts")
    return {words.clean(name): words.clean(item) for name, item in value.items()}


def _kind_of(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list"}
    return names.get(type(value), "an object")
