"""OpenAPI v3 of what is served: enough for kubectl create, apply, dry runs and explain."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from typing import Any

from tui.sandbox import schema, schemas
from tui.sandbox.objects import encode
from tui.sandbox.resources import Registry, Resource

_REF = "#/components/schemas/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_WRITE_OPTIONS = ("dryRun", "fieldManager", "fieldValidation")
_PATCHES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
)
_METADATA = {
    "type": "object",
    "description": "Names, labels, and what the server notes about the object.",
    "properties": {
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "creationTimestamp": {"type": "string", "format": "date-time"},
        "deletionTimestamp": {"type": "string", "format": "date-time"},
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "generateName": {"type": "string"},
        "generation": {"type": "integer", "format": "int64"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "managedFields": {"type": "array", "items": {"type": "object"}},
        "name": {"type": "string"},
        "namespace": {"type": "string"},
        "ownerReferences": {"type": "array", "items": {"type": "object"}},
        "resourceVersion": {"type": "string"},
        "uid": {"type": "string"},
    },
}


def index(registry: Registry) -> dict[str, Any]:
    """The document under /openapi/v3: where the others are."""
    served = tuple(registry)
    paths = {}
    for root in dict.fromkeys(_root(one) for one in served):
        digest = hashlib.sha256(encode(_document(served, root))).hexdigest().upper()
        paths[root] = {"serverRelativeURL": f"/openapi/v3/{root}?hash={digest}"}
    return {"paths": paths}


def document(registry: Registry, root: str) -> dict[str, Any] | None:
    """The document of one group and version, as `apis/postgresql.cnpg.io/v1`; None if unknown."""
    return _document(tuple(registry), root)


@cache
def _document(served: tuple[Resource, ...], root: str) -> dict[str, Any] | None:
    resources = [one for one in served if _root(one) == root]
    if not resources:
        return None
    paths: dict[str, Any] = {}
    kinds: dict[str, Any] = {_META: _METADATA}
    for one in resources:
        kinds[_name(one)] = _kind(one)
        paths |= _paths(one)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.3"},
        "paths": paths,
        "components": {"schemas": kinds},
    }


def _root(one: Resource) -> str:
    return f"apis/{one.group}/{one.version}" if one.group else f"api/{one.version}"


def _name(one: Resource) -> str:
    group = ".".join(reversed(one.group.split("."))) if one.group else "io.k8s.api.core"
    return f"{group}.{one.version}.{one.kind}"


def _gvk(one: Resource) -> dict[str, str]:
    return {"group": one.group, "version": one.version, "kind": one.kind}


def _kind(one: Resource) -> dict[str, Any]:
    known = schemas.of(one.plural) if one.custom else None
    told: dict[str, Any]
    if known is None:
        told = {"type": "object", "properties": {}, "x-kubernetes-preserve-unknown-fields": True}
    else:
        told = schema.openapi(known)
    told["properties"]["metadata"] = {"allOf": [{"$ref": _REF + _META}], "default": {}}
    return told | {"x-kubernetes-group-version-kind": [_gvk(one)]}


def _paths(one: Resource) -> dict[str, Any]:
    root = f"/{_root(one)}"
    scoped = f"{root}/namespaces/{{namespace}}" if one.namespaced else root
    collection, item = f"{scoped}/{one.plural}", f"{scoped}/{one.plural}/{{name}}"
    paths = {
        collection: {
            "get": _operation(one, "list"),
            "post": _operation(one, "post", _WRITE_OPTIONS),
        },
        item: _item(one),
    }
    if one.namespaced and "list" in one.verbs:
        paths[f"{root}/{one.plural}"] = {"get": _operation(one, "list")}
    if "status" in one.subresources:
        paths[f"{item}/status"] = _item(one)
    if "list" not in one.verbs:
        del paths[item], paths[collection]["get"]
    return paths


def _item(one: Resource) -> dict[str, Any]:
    return {
        "get": _operation(one, "get"),
        "put": _operation(one, "put", _WRITE_OPTIONS),
        "delete": _operation(one, "delete", ("dryRun", "propagationPolicy")),
        "patch": _operation(one, "patch", (*_WRITE_OPTIONS, "force"))
        | {"requestBody": {"content": {media: {} for media in _PATCHES}}},
    }


def _operation(one: Resource, action: str, parameters: Iterable[str] = ()) -> dict[str, Any]:
    described = {"application/json": {"schema": {"$ref": _REF + _name(one)}}}
    return {
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string"}} for name in parameters
        ],
        "responses": {"200": {"description": "OK", "content": described}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(one),
    }
