"""What is served, told to clients: versions, groups, resources.

The plain lists of /api and /apis; clients that ask for aggregated discovery accept them too.
"""

from __future__ import annotations

from typing import Any

from tui.sandbox import openapi
from tui.sandbox.resources import Registry, Resource

VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.3",
    "gitCommit": "sandbox",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "sandbox/none",
}
_HEALTH = ("/healthz", "/livez", "/readyz")


def at(registry: Registry, path: str) -> dict[str, Any] | str | None:
    """The document under a discovery path (text for the health checks), or None."""
    if path in _HEALTH:
        return "ok"
    match path.strip("/").split("/"):
        case ["version"]:
            return VERSION
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            groups = [_group(name) for name in _groups(registry)]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        case ["apis", group] if group in _groups(registry):
            return {"kind": "APIGroup", "apiVersion": "v1"} | _group(group)
        case ["api", "v1"]:
            return _resources(registry, "")
        case ["apis", group, "v1"] if group in _groups(registry):
            return _resources(registry, group)
        case ["openapi", "v3"]:
            return openapi.index(registry)
        case ["openapi", "v3", *root]:
            return openapi.document(registry, "/".join(root))
        case _:
            return None


def _groups(registry: Registry) -> list[str]:
    return list(dict.fromkeys(one.group for one in registry if one.group))


def _group(name: str) -> dict[str, Any]:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(registry: Registry, group: str) -> dict[str, Any]:
    entries = []
    for one in registry:
        if one.group == group:
            entries.append(_resource(one))
            entries.extend(_subresource(one, sub) for sub in one.subresources)
    version = f"{group}/v1" if group else "v1"
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": entries,
    }


def _resource(one: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": one.plural,
        "singularName": one.singular,
        "namespaced": one.namespaced,
        "kind": one.kind,
        "verbs": list(one.verbs),
    }
    return entry | ({"shortNames": list(one.short_names)} if one.short_names else {})


def _subresource(one: Resource, name: str) -> dict[str, Any]:
    writable = ["get", "patch", "update"]
    kinds = {"proxy": "PodProxyOptions", "token": "TokenRequest"}
    entry = {
        "name": f"{one.plural}/{name}",
        "singularName": "",
        "namespaced": one.namespaced,
        "kind": kinds.get(name, one.kind),
        "verbs": {"log": ["get"], "proxy": ["get"], "token": ["create"]}.get(name, writable),
    }
    foreign = {"group": "authentication.k8s.io", "version": "v1"} if name == "token" else {}
    return entry | foreign
