"""Creating, updating, patching and deleting."""

from __future__ import annotations

import json
import uuid

from tui.sandbox.exchange import Answer, Call, answer
from tui.sandbox.objects import Manifest, ObjectStore, Stored
from tui.sandbox.refusals import already_exists, conflict, not_found


def write(store: ObjectStore, call: Call, verb: str) -> Answer:
    """Carry out a writing verb; raises Refusal."""
    resource, target = call.resource, call.target
    if verb == "create":
        manifest: Manifest = json.loads(call.body)
        meta = manifest["metadata"]
        if resource.namespaced:
            meta["namespace"] = target.namespace
        if store.get(resource, target.namespace, meta["name"]):
            raise already_exists(resource.group, resource.plural, meta["name"])
        meta |= {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": store.timestamp(),
            "generation": 1,
        }
        return answer(store.put(resource, manifest).manifest(), 201)
    there = store.get(resource, target.namespace if resource.namespaced else "", target.name)
    if there is None:
        raise not_found(resource.group, resource.plural, target.name)
    if verb == "delete":
        store.remove(there)
        return answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
    return answer(store.put(resource, _changed(call, there)).manifest())


def _changed(call: Call, there: Stored) -> Manifest:
    body: Manifest = json.loads(call.body)
    old = there.manifest()
    version = body.get("metadata", {}).get("resourceVersion", old["metadata"]["resourceVersion"])
    if version != old["metadata"]["resourceVersion"]:
        raise conflict(call.resource.group, call.resource.plural, there.name)
    new = body if call.method == "PUT" else _merged(old, body)
    if call.target.subresource == "status":
        return there.manifest() | {"status": new.get("status", {})}
    if "status" in old:
        new["status"] = there.manifest()["status"]
    return new


def _merged(old: Manifest, patch: Manifest) -> Manifest:
    """JSON merge patch (RFC 7386)."""
    new = dict(old)
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        elif isinstance(value, dict):
            here = new.get(key)
            new[key] = _merged(here if isinstance(here, dict) else {}, value)
        else:
            new[key] = value
    return new
