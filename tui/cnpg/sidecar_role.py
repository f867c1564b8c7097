"""The Role and RoleBinding ``<cluster>-barman-cloud``, by which the sidecar reads its ObjectStore and
Secrets (plugin-barman-cloud ``internal/cnpgi/operator/specs/role.go``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tui.cnpg import manifest
from tui.cnpg.manifest import Key, Manifest

_ALL = "*"


def key(cluster: Key) -> Key:
    """The name of both."""
    return Key(cluster.namespace, f"{cluster.name}-barman-cloud")


@dataclass(frozen=True, slots=True)
class Grant:
    """One rule; no names: every object."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...]

    def reads(self, group: str, resource: str, name: str) -> bool:
        """Whether it lets somebody get this object."""
        return (
            (group in self.groups or _ALL in self.groups)
            and (resource in self.resources or _ALL in self.resources)
            and ("get" in self.verbs or _ALL in self.verbs)
            and (not self.names or name in self.names)
        )


@dataclass(frozen=True, slots=True)
class Role:
    """What the sidecar may do."""

    grants: tuple[Grant, ...]

    def reads_secret(self, name: str) -> bool:
        """Whether this Secret may be read."""
        return any(one.reads("", "secrets", name) for one in self.grants)

    def reads_store(self, name: str) -> bool:
        """Whether this ObjectStore may be read."""
        return any(one.reads("barmancloud.cnpg.io", "objectstores", name) for one in self.grants)


@dataclass(frozen=True, slots=True)
class Binding:
    """Who has the Role: names of ServiceAccounts in the cluster's namespace."""

    accounts: frozenset[str]


def read_role(source: Manifest) -> Role:
    """Project a Role manifest. Raises :class:`manifest.Odd`."""
    return Role(
        tuple(
            Grant(
                manifest.texts(one, "apiGroups"),
                manifest.texts(one, "resources"),
                manifest.texts(one, "verbs"),
                manifest.texts(one, "resourceNames"),
            )
            for one in manifest.items(source, "rules")
        )
    )


def read_binding(source: Manifest) -> Binding:
    """Project a RoleBinding manifest. Raises :class:`manifest.Odd`."""
    return Binding(frozenset(_accounts(source)))


def _accounts(source: Manifest) -> Iterator[str]:
    home = manifest.text(source, "metadata", "namespace")
    for one in manifest.items(source, "subjects"):
        at_home = manifest.text(one, "namespace") in ("", home)
        if manifest.text(one, "kind") == "ServiceAccount" and at_home:
            yield manifest.text(one, "name")
