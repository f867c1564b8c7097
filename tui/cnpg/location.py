"""Where a cluster's archive lies, and which Secrets open it.

From the Cluster's plugin parameters and its ObjectStore, or from the in-tree store. The path part of
``destinationPath`` and the server name make the key prefix (BARMAN cloud.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from tui.cnpg.cluster import Cluster
from tui.cnpg.manifest import Key
from tui.cnpg.store import Configuration, ObjectStore


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A destination in a store: what several servers may share, and what one listing covers.

    ``endpoint_url`` ``""`` means AWS itself; ``path`` has no slash at either end.
    """

    endpoint_url: str
    bucket: str
    path: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.path}" if self.path else f"s3://{self.bucket}"

    @property
    def is_r2(self) -> bool:
        """Whether it is Cloudflare R2, of any jurisdiction."""
        host = urlsplit(self.endpoint_url).hostname or ""
        return host.endswith(".r2.cloudflarestorage.com")


@dataclass(frozen=True, slots=True)
class Location:
    """Where one cluster's archive lies. Secrets are looked for in the cluster's ``namespace``."""

    place: Place
    server: str
    namespace: str
    configuration: Configuration
    retention_policy: str | None = None
    """``30d``, ``4w``, ``2m``; ``""``: nothing is ever deleted; None: not known."""


@dataclass(frozen=True, slots=True)
class NoLocation:
    """The archive cannot be looked for, and why."""

    why: str


def of(cluster: Cluster, store: ObjectStore | None) -> Location | NoLocation:
    """The location of a cluster's archive; ``store`` is the ObjectStore its plugin names, if known."""
    found = _configuration(cluster, store)
    if isinstance(found, NoLocation):
        return found
    config, retention = found
    place = place_of(config.destination_path, config.endpoint_url)
    if isinstance(place, NoLocation):
        return place
    return Location(place, cluster.server_name, cluster.key.namespace, config, retention)


def _configuration(
    cluster: Cluster, store: ObjectStore | None
) -> tuple[Configuration, str] | NoLocation:
    """The store's configuration and its retention policy."""
    if cluster.backup_plugin is not None:
        if cluster.store is None:
            return NoLocation("the plugin has no parameter barmanObjectName")
        if store is None:
            return NoLocation(f"ObjectStore {cluster.store} is not there or may not be read")
        return store.configuration, store.retention_policy
    if cluster.in_tree_store is not None:
        return cluster.in_tree_store, cluster.in_tree_retention
    return NoLocation("no plugin and no in-tree store is configured")


def place_of(destination_path: str, endpoint_url: str = "") -> Place | NoLocation:
    """The place a ``destinationPath`` names: ``s3://bucket[/path]``."""
    parts = urlsplit(destination_path)
    if parts.scheme != "s3" or not parts.netloc:
        return NoLocation(f"destinationPath {destination_path!r} is not s3://bucket[/path]")
    return Place(endpoint_url.rstrip("/"), parts.netloc, parts.path.strip("/"))


def shared(locations: dict[Key, Location]) -> dict[tuple[Place, str], tuple[Key, ...]]:
    """Archives that more than one cluster claims: same place, same server name."""
    claims: dict[tuple[Place, str], list[Key]] = {}
    for key, location in sorted(locations.items()):
        claims.setdefault((location.place, location.server), []).append(key)
    return {archive: tuple(keys) for archive, keys in claims.items() if len(keys) > 1}
