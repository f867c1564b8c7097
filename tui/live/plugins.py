"""Looks at the plugin beside the operator: often while something points there, else now and then.

The operator's namespace is found by the Service's label. Few users may list Services anywhere: then
``cnpg-system`` is tried, and what may not be seen there is not known.
"""

from __future__ import annotations

import asyncio

from tui.cnpg import happening, plugin_service
from tui.cnpg.happening import Happening
from tui.cnpg.manifest import EVENTS, PODS, SERVICES, Key, Odd
from tui.cnpg.plugin_service import PLUGIN_LABEL, PluginPod, PluginService
from tui.live.refusals import Refusals
from tui.live.whole_list import Source, listed
from tui.verdict.witnesses import NOT_ASKED, NotKnown, PluginSeen

OPERATOR_NAMESPACE = "cnpg-system"
"""Where the operator's manifests put it; Helm users choose."""

RARELY = 600.0
"""Seconds between two looks while nothing points to the plugin."""


class Plugins:
    """What was last seen, by the plugin's name."""

    def __init__(self, source: Source, refusals: Refusals) -> None:
        self._source = source
        self._refusals = refusals
        self._seen: dict[str, PluginSeen | NotKnown] = {}
        self._at = float("-inf")

    def forget(self) -> None:
        """The user asked: look again."""
        self._at = float("-inf")

    async def look(self, names: frozenset[str], doubted: frozenset[str]) -> None:
        """Look at these plugins, if it is time; at the ``doubted`` ones it always is."""
        now = asyncio.get_running_loop().time()
        due = now - self._at >= RARELY or not names <= self._seen.keys()
        if not names or not (due or doubted):
            return
        self._at = now if due else self._at
        services = await self._services()
        for name in names if due else doubted:
            if isinstance(services, NotKnown):
                self._seen[name] = services
            else:
                everywhere, found = services
                mine = sorted(
                    (each for each in found if each.plugin == name), key=lambda one: one.key
                )
                self._seen[name] = await self._behind(mine[0] if mine else None, everywhere)

    def seen(self, name: str) -> PluginSeen | NotKnown:
        """What is known of a plugin."""
        return self._seen.get(name, NOT_ASKED)

    async def _services(self) -> tuple[bool, list[PluginService]] | NotKnown:
        """The plugins' Services, and whether all namespaces were searched."""
        why = NOT_ASKED
        for namespace in (None, OPERATOR_NAMESPACE):
            told = await listed(
                self._source, self._refusals, SERVICES, namespace, label_selector=PLUGIN_LABEL
            )
            if not isinstance(told, NotKnown):
                try:
                    found = [plugin_service.read_service(item) for item in told]
                except Odd as odd:
                    return NotKnown(f"a Service cannot be read: {odd}")
                return namespace is None, found
            why = told
        return why

    async def _behind(self, service: PluginService | None, everywhere: bool) -> PluginSeen:
        if service is None:
            return PluginSeen(None, everywhere, (), ())
        pods, events = await self._pods(service), await self._events("Service", service.key)
        if isinstance(pods, NotKnown) or not pods or any(one.ready for one in pods):
            return PluginSeen(service, everywhere, pods, events)
        down = Key(service.key.namespace, pods[-1].name)
        return PluginSeen(service, everywhere, pods, events, await self._events("Pod", down))

    async def _pods(self, service: PluginService) -> tuple[PluginPod, ...] | NotKnown:
        if not service.selector:
            return NotKnown(f"Service {service.key} chooses no Pods")
        told = await listed(
            self._source,
            self._refusals,
            PODS,
            service.key.namespace,
            label_selector=service.chosen_by,
        )
        if isinstance(told, NotKnown):
            return told
        try:
            return tuple(plugin_service.read_pod(item) for item in told)
        except Odd as odd:
            return NotKnown(f"a Pod cannot be read: {odd}")

    async def _events(self, kind: str, key: Key) -> tuple[Happening, ...] | NotKnown:
        about = f"involvedObject.kind={kind},involvedObject.name={key.name}"
        told = await listed(
            self._source, self._refusals, EVENTS, key.namespace, field_selector=about
        )
        return told if isinstance(told, NotKnown) else happening.listed(told)
