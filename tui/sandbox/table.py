"""What kubectl prints: metav1.Table, computed on the server as the genuine one does.

Columns of custom resources come from their definition (apiextensions' tableconvertor), those of the
core kinds from k8s.io/kubernetes' printers, ages from apimachinery's duration.HumanDuration.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

from tui.sandbox.objects import Manifest
from tui.sandbox.resources import Column, Resource

_STEP = re.compile(r"\.(?P<field>\w+)|\[\?\(@\.(?P<by>\w+)=='(?P<value>[^']*)'\)\]")
_UNITS = {"y": 365 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}


def definitions(resource: Resource) -> list[dict[str, Any]]:
    """metav1.TableColumnDefinition of every column, the name first where the kind has not its own."""
    name = Column("Name", "string", "the name of the object, unique within its namespace")
    columns = resource.columns if resource.columns_whole else (name, *resource.columns)
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": "name" if column.name == "Name" else "",
            "description": _described(column),
            "priority": column.priority,
        }
        for column in columns
    ]


def _described(column: Column) -> str:
    if column.path.startswith("."):
        return f"Custom resource definition column (in JSONPath format): {column.path}"
    return column.path


def cells(resource: Resource, manifest: Manifest, now: dt.datetime) -> list[Any]:
    """The cells of one row, in the order of `definitions`."""
    if not resource.custom:
        return _CORE[resource.plural](manifest, now)
    name = manifest["metadata"].get("name", "")  # a bookmark has none
    return [name, *(_cell(column, manifest, now) for column in resource.columns)]


def _cell(column: Column, manifest: Manifest, now: dt.datetime) -> Any:
    found = _find(column.path, manifest)
    if found is None:
        return None
    match column.type:
        case "date":
            return age(found, now)
        case "integer":
            return int(found) if isinstance(found, (int, float)) else None
        case _:
            return found if isinstance(found, str) else str(found)


def _find(path: str, manifest: Manifest) -> Any:
    """The first value a simple JSONPath leads to, or None."""
    here: Any = manifest
    for step in _STEP.finditer(path):
        if step["field"]:
            here = here.get(step["field"]) if isinstance(here, dict) else None
        else:
            items = here if isinstance(here, list) else []
            here = next((item for item in items if item.get(step["by"]) == step["value"]), None)
        if here is None:
            return None
    return here


def age(stamp: Any, now: dt.datetime) -> str:
    """Time since an RFC 3339 stamp as kubectl prints it; `<unknown>`, `<invalid>` when it is not one."""
    if not stamp:
        return "<unknown>"
    try:
        since = dt.datetime.fromisoformat(str(stamp))
    except ValueError:
        return "<invalid>"
    return human_duration((now - since).total_seconds())


def human_duration(seconds: float) -> str:
    """A span in kubectl's two to three figures: `119s`, `2m5s`, `7h59m`, `47h`, `7d23h`, `2y1d`."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    for limit, first, second in _NOTATION:
        if whole < limit:
            return _figures(whole, first, second)
    return f"{whole // _UNITS['y']}y"


_NOTATION = (
    (2 * 60, "s", ""),
    (10 * 60, "m", "s"),
    (3 * 3600, "m", ""),
    (8 * 3600, "h", "m"),
    (48 * 3600, "h", ""),
    (8 * 86400, "d", "h"),
    (2 * 365 * 86400, "d", ""),
    (8 * 365 * 86400, "y", "d"),
)


def _figures(seconds: int, first: str, second: str) -> str:
    whole, rest = divmod(seconds, _UNITS[first])
    more = rest // _UNITS[second] if second else 0
    return f"{whole}{first}{more}{second}" if more else f"{whole}{first}"


def _namespace(manifest: Manifest, now: dt.datetime) -> list[Any]:
    meta = manifest["metadata"]
    phase = manifest.get("status", {}).get("phase", "")
    return [meta.get("name", ""), phase, age(meta.get("creationTimestamp"), now)]


def _secret(manifest: Manifest, now: dt.datetime) -> list[Any]:
    meta = manifest["metadata"]
    data = str(len(manifest.get("data") or {}))
    return [
        meta.get("name", ""),
        manifest.get("type", "Opaque"),
        data,
        age(meta.get("creationTimestamp"), now),
    ]


def _service(manifest: Manifest, now: dt.datetime) -> list[Any]:
    meta, spec = manifest["metadata"], manifest.get("spec", {})
    ports = ",".join(f"{one['port']}/{one.get('protocol', 'TCP')}" for one in spec.get("ports", []))
    selector = ",".join(
        f"{key}={spec['selector'][key]}" for key in sorted(spec.get("selector", {}))
    )
    return [
        meta.get("name", ""),
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or "<none>",
        "<none>",
        ports or "<none>",
        age(meta.get("creationTimestamp"), now),
        selector or "<none>",
    ]


def _event(manifest: Manifest, now: dt.datetime) -> list[Any]:
    about = manifest.get("involvedObject", {})
    source = manifest.get("source", {})
    last = manifest.get("lastTimestamp") or manifest.get("eventTime")
    first = manifest.get("firstTimestamp") or manifest.get("eventTime")
    count = manifest.get("count") or 1
    seen = age(last, now)
    if count > 1:
        seen = f"{seen} (x{count} over {age(first, now)})"
    component = source.get("component") or manifest.get("reportingComponent", "")
    return [
        seen,
        manifest.get("type", ""),
        manifest.get("reason", ""),
        f"{about.get('kind', '').lower()}/{about.get('name', '')}",
        about.get("fieldPath", ""),
        f"{component}, {source['host']}" if source.get("host") else component,
        str(manifest.get("message", "")).strip(),
        age(first, now),
        count,
        manifest["metadata"].get("name", ""),
    ]


def _pod(manifest: Manifest, now: dt.datetime) -> list[Any]:
    meta, spec, status = (manifest.get(part, {}) for part in ("metadata", "spec", "status"))
    sidecars = {
        one["name"]
        for one in spec.get("initContainers", [])
        if one.get("restartPolicy") == "Always"
    }
    counted = [one for one in status.get("initContainerStatuses", []) if one["name"] in sidecars]
    counted += status.get("containerStatuses", [])
    ready = sum(bool(one.get("ready")) for one in counted)
    wanted = len(spec.get("containers", [])) + len(sidecars)
    return [
        meta.get("name", ""),
        f"{ready}/{wanted}",
        _pod_status(meta, status, counted),
        _restarts(counted, now),
        age(meta.get("creationTimestamp"), now),
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        "<none>",
    ]


def _pod_status(meta: Mapping[str, Any], status: Mapping[str, Any], counted: list[Any]) -> str:
    reason = str(status.get("reason") or status.get("phase") or "")
    for one in counted:
        state = one.get("state", {})
        stopped = state.get("waiting") or state.get("terminated")
        if stopped and stopped.get("reason"):
            reason = str(stopped["reason"])
    return "Terminating" if meta.get("deletionTimestamp") else reason


def _restarts(counted: list[Any], now: dt.datetime) -> str:
    restarts = sum(int(one.get("restartCount", 0)) for one in counted)
    last = max(
        (
            one.get("lastState", {}).get("terminated", {}).get("finishedAt", "") or ""
            for one in counted
        ),
        default="",
    )
    return f"{restarts} ({age(last, now)} ago)" if restarts and last else str(restarts)


def _account(manifest: Manifest, now: dt.datetime) -> list[Any]:
    meta = manifest["metadata"]
    return [meta.get("name", ""), age(meta.get("creationTimestamp"), now)]


def _role(manifest: Manifest, _now: dt.datetime) -> list[Any]:
    meta = manifest["metadata"]
    return [meta.get("name", ""), meta.get("creationTimestamp", "")]


_CORE: Mapping[str, Callable[[Manifest, dt.datetime], list[Any]]] = {
    "clusterrolebindings": _role,
    "clusterroles": _role,
    "events": _event,
    "namespaces": _namespace,
    "pods": _pod,
    "rolebindings": _role,
    "roles": _role,
    "secrets": _secret,
    "serviceaccounts": _account,
    "services": _service,
}
