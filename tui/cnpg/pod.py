"""A cluster's Pods as far as archiving goes: who is primary, and how the plugin's sidecar is doing.

The sidecar is an init container with ``restartPolicy: Always`` (plugin-barman-cloud
``internal/cnpgi/operator/lifecycle.go``): it stands in ``initContainerStatuses``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tui.cnpg import manifest
from tui.cnpg.manifest import Key, Manifest

SIDECAR = "plugin-barman-cloud"
CLUSTER_LABEL = "cnpg.io/cluster"
ROLE_LABEL = "cnpg.io/instanceRole"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The plugin's container in one Pod, as it runs (not as the ObjectStore would have it)."""

    ready: bool
    started: bool
    restarts: int
    waiting: str
    """Reason it waits for (``CrashLoopBackOff``), ``""`` if it does not."""
    last_ended: str
    """Reason its last run ended (``OOMKilled``), ``""`` if there was none."""
    last_exit_code: int | None
    last_ended_at: datetime | None
    env: Mapping[str, str]
    """Plain values; those taken from Secrets are left out."""
    memory_limit: str


@dataclass(frozen=True, slots=True)
class Pod:
    """One instance's Pod; ``sidecar`` is None where the plugin was never injected."""

    key: Key
    cluster: str
    is_primary: bool
    ready: bool
    phase: str
    status_port_tls: bool
    """Whether the instance manager's status port speaks TLS (``--status-port-tls``)."""
    metrics_port_tls: bool
    """The same of its metrics (``--metrics-port-tls``)."""
    postgres_exit_code: int | None
    """Of the last terminated postgres container; 4 says that the WAL disk is full."""
    service_account: str
    sidecar: Sidecar | None

    @property
    def scheme(self) -> str:
        """How to ask its status port."""
        return "https" if self.status_port_tls else "http"


def read(source: Manifest) -> Pod:
    """Project a Pod manifest. Raises :class:`manifest.Odd`."""
    labels = manifest.pairs(source, "metadata", "labels")
    postgres = _named(manifest.items(source, "spec", "containers"), "postgres")
    ready = _named_by("type", manifest.items(source, "status", "conditions"), "Ready")
    running = _named(manifest.items(source, "status", "containerStatuses"), "postgres")
    return Pod(
        key=manifest.key(source),
        cluster=labels.get(CLUSTER_LABEL, ""),
        is_primary=labels.get(ROLE_LABEL) == "primary",
        ready=manifest.text(ready, "status") == "True",
        phase=manifest.text(source, "status", "phase"),
        status_port_tls="--status-port-tls" in manifest.texts(postgres, "command"),
        metrics_port_tls="--metrics-port-tls" in manifest.texts(postgres, "command"),
        postgres_exit_code=manifest.number(running, "lastState", "terminated", "exitCode"),
        service_account=manifest.text(source, "spec", "serviceAccountName"),
        sidecar=_sidecar(source),
    )


def _sidecar(source: Manifest) -> Sidecar | None:
    container = _named(manifest.items(source, "spec", "initContainers"), SIDECAR)
    if container is None:
        return None
    status = _named(manifest.items(source, "status", "initContainerStatuses"), SIDECAR)
    return Sidecar(
        ready=manifest.flag(status, "ready") or False,
        started=manifest.flag(status, "started") or False,
        restarts=manifest.number(status, "restartCount") or 0,
        waiting=manifest.text(status, "state", "waiting", "reason"),
        last_ended=manifest.text(status, "lastState", "terminated", "reason"),
        last_exit_code=manifest.number(status, "lastState", "terminated", "exitCode"),
        last_ended_at=manifest.moment(status, "lastState", "terminated", "finishedAt"),
        env={
            manifest.text(item, "name"): manifest.text(item, "value")
            for item in manifest.items(container, "env")
            if manifest.get(item, "valueFrom") is None
        },
        memory_limit=str(manifest.get(container, "resources", "limits", "memory") or ""),
    )


def _named(found: tuple[Manifest, ...], name: str) -> Manifest | None:
    return _named_by("name", found, name)


def _named_by(field: str, found: tuple[Manifest, ...], value: str) -> Manifest | None:
    return next((item for item in found if item.get(field) == value), None)
