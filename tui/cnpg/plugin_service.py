"""A plugin beside the operator: its Service, by which the operator finds it, and the Pods behind that.

Sources: cloudnative-pg ``internal/controller/plugin_controller.go``; plugin-barman-cloud
``kubernetes``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tui.cnpg import manifest
from tui.cnpg.manifest import Key, Manifest

PLUGIN_LABEL = "cnpg.io/pluginName"
"""Of the Service; its value is the plugin's name."""

_NEEDED = ("cnpg.io/pluginClientSecret", "cnpg.io/pluginPort", "cnpg.io/pluginServerSecret")


@dataclass(frozen=True, slots=True)
class PluginService:
    """The Service of one plugin."""

    key: Key
    uid: str
    plugin: str
    selector: Mapping[str, str]
    lacks: tuple[str, ...]
    """Annotations the operator needs and does not find."""

    @property
    def chosen_by(self) -> str:
        """Its selector as a list takes it."""
        return ",".join(f"{name}={value}" for name, value in sorted(self.selector.items()))


@dataclass(frozen=True, slots=True)
class PluginPod:
    """A Pod behind the Service."""

    name: str
    ready: bool
    trouble: str
    """``CrashLoopBackOff, 41 restarts``, ``""`` if it says nothing of the kind."""


def read_service(source: Manifest) -> PluginService:
    """Project a Service manifest. Raises :class:`manifest.Odd`."""
    notes = manifest.pairs(source, "metadata", "annotations")
    return PluginService(
        key=manifest.key(source),
        uid=manifest.text(source, "metadata", "uid"),
        plugin=manifest.pairs(source, "metadata", "labels").get(PLUGIN_LABEL, ""),
        selector=manifest.pairs(source, "spec", "selector"),
        lacks=tuple(name for name in _NEEDED if not notes.get(name)),
    )


def read_pod(source: Manifest) -> PluginPod:
    """Project the manifest of a Pod behind a Service. Raises :class:`manifest.Odd`."""
    ready = any(
        manifest.text(item, "type") == "Ready" and manifest.text(item, "status") == "True"
        for item in manifest.items(source, "status", "conditions")
    )
    troubles = (_trouble(one) for one in manifest.items(source, "status", "containerStatuses"))
    return PluginPod(
        name=manifest.key(source).name,
        ready=ready,
        trouble=next((each for each in troubles if each), ""),
    )


def _trouble(container: Manifest) -> str:
    waiting = manifest.text(container, "state", "waiting", "reason")
    restarts = manifest.number(container, "restartCount") or 0
    if not waiting:
        return ""
    return f"{waiting}, {restarts} restarts" if restarts else waiting
