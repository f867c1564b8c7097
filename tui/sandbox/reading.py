"""Getting and listing: shapes of the answer, pages, and which past is asked for."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tui.sandbox import selectors, table
from tui.sandbox.exchange import Answer, Call, answer
from tui.sandbox.objects import Compacted, Manifest, ObjectStore, Stored, encode
from tui.sandbox.refusals import (
    Cause,
    Refusal,
    bad_request,
    expired,
    invalid,
    not_found,
    too_large_version,
)
from tui.sandbox.resources import Resource

_JSON_TYPES = ("", "*/*", "application/*", "application/json")
_META_VERSIONS = ("v1", "v1beta1")
_INCONSISTENT = (
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the first "
    "chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Shape:
    """The form objects are wanted in: as they are, as `Table`, or as `PartialObjectMetadata`."""

    kind: str = ""
    version: str = "v1"
    include: str = "Metadata"
    """what a table row carries of its object: None, Metadata or Object"""


def shape(call: Call) -> Shape:
    """The first acceptable form of the Accept header; raises Refusal (406) when there is none."""
    for one in call.accept.split(","):
        media, _, rest = one.strip().partition(";")
        if media not in _JSON_TYPES:
            continue
        given = dict(part.strip().partition("=")[::2] for part in rest.split(";") if part)
        kind = given.get("as", "")
        if not kind:
            return Shape()
        if (
            kind in ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
            and given.get("g") == "meta.k8s.io"
            and given.get("v") in _META_VERSIONS
        ):
            return Shape(kind.removesuffix("List"), given["v"], _included(call))
    raise Refusal(
        406,
        "NotAcceptable",
        "only the following media types are accepted: "
        "application/json, application/yaml, application/vnd.kubernetes.protobuf",
    )


def _included(call: Call) -> str:
    include = call.query.get("includeObject", "") or "Metadata"
    if include not in ("Metadata", "Object", "None"):
        raise bad_request(
            f'Unable to convert to Table as requested: includeObject: Invalid value: "{include}": '
            "must be 'Metadata', 'Object', 'None', or empty"
        )
    return include


def get(store: ObjectStore, call: Call) -> Answer:
    """GET of one object; raises Refusal."""
    wanted = shape(call)
    target = call.target
    version = parse_version(call)
    if version and version > store.revision:
        raise too_large_version(version, store.revision)
    stored = store.get(
        call.resource, target.namespace if call.resource.namespaced else "", target.name
    )
    if stored is None:
        raise not_found(call.resource.group, call.resource.plural, target.name)
    return Answer(200, dressed(store, wanted, stored, headers=True))


def dressed(store: ObjectStore, wanted: Shape, stored: Stored, *, headers: bool) -> bytes:
    """One object in the wanted form; `headers` adds a table's column definitions."""
    if not wanted.kind:
        return stored.body
    if wanted.kind == "PartialObjectMetadata":
        return encode(_partial(wanted, stored.manifest()))
    meta = {"resourceVersion": str(stored.revision)}
    return encode(_table(store, wanted, meta, [stored], headers=headers))


def _partial(wanted: Shape, manifest: Manifest) -> Manifest:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{wanted.version}",
        "metadata": manifest["metadata"],
    }


def _table(
    store: ObjectStore, wanted: Shape, meta: Any, items: Sequence[Stored], *, headers: bool
) -> dict[str, Any]:
    now = store.now()
    rows = []
    for stored in items:
        manifest = stored.manifest()
        rows.append(
            {
                "cells": table.cells(stored.resource, manifest, now),
                "object": _carried(wanted, manifest),
            }
        )
    of = items[0].resource if items else None
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{wanted.version}",
        "metadata": meta,
        "columnDefinitions": table.definitions(of) if headers and of else None,
        "rows": rows,
    }


def _carried(wanted: Shape, manifest: Manifest) -> Manifest | None:
    match wanted.include:
        case "Object":
            return manifest
        case "None":
            return None
        case _:
            return _partial(wanted, manifest)


@dataclass(frozen=True, slots=True)
class _Page:
    """What part of which state a list shows."""

    items: Sequence[Stored]
    revision: int
    proceed: str = ""
    remaining: int | None = None


def list_(store: ObjectStore, call: Call) -> Answer:
    """GET of a collection; raises Refusal."""
    wanted = shape(call)
    check_list_options(call)
    page = _page(store, call)
    meta: dict[str, Any] = {"resourceVersion": str(page.revision)}
    if page.proceed or (call.resource.custom and not wanted.kind):
        meta["continue"] = page.proceed
    if page.remaining is not None:
        meta["remainingItemCount"] = page.remaining
    if not wanted.kind:
        return Answer(200, _listed(call.resource, meta, page.items))
    if wanted.kind == "Table":
        whole = _table(store, wanted, meta, page.items, headers=True)
        whole["columnDefinitions"] = table.definitions(call.resource)
        return answer(whole)
    return answer(
        {
            "kind": "PartialObjectMetadataList",
            "apiVersion": f"meta.k8s.io/{wanted.version}",
            "metadata": meta,
            "items": [_partial(wanted, one.manifest()) for one in page.items],
        }
    )


def plain_list(resource: Resource, revision: int, items: Sequence[Stored]) -> bytes:
    """A whole list as of a revision."""
    meta = {"resourceVersion": str(revision)} | ({"continue": ""} if resource.custom else {})
    return _listed(resource, meta, items)


def _listed(resource: Resource, meta: Mapping[str, Any], items: Sequence[Stored]) -> bytes:
    """A list made of the bytes at hand; 500 Backups cost a join, not 500 encodings."""
    bodies = b",".join(one.body if resource.custom else _untyped(one) for one in items)
    return b'{"apiVersion":%s,"items":[%s],"kind":"%sList","metadata":%s}' % (
        encode(resource.api_version),
        bodies,
        resource.kind.encode(),
        encode(meta),
    )


def _untyped(stored: Stored) -> bytes:
    """Items of the core kinds' lists come without kind and apiVersion, as Go structs do."""
    manifest = stored.manifest()
    del manifest["kind"], manifest["apiVersion"]
    return encode(manifest)


def check_list_options(call: Call) -> None:
    """Raise Refusal (422) for options of a list or watch that contradict each other.

    k8s.io/apimachinery/pkg/apis/meta/internalversion/validation.
    """
    watching = call.flag("watch")
    query = call.query
    match, initial = query.get("resourceVersionMatch", ""), "sendInitialEvents" in query
    causes = []
    if watching:
        causes = _watch_causes(match, initial, proceed=bool(query.get("continue")))
    else:
        if match:
            causes = _match_causes(
                match, query.get("resourceVersion", ""), bool(query.get("continue"))
            )
        if initial:
            causes.append(_forbid("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if causes:
        raise invalid("meta.k8s.io", "ListOptions", "", causes)


def _forbid(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", field, f"Forbidden: {why}")


def _match_causes(match: str, version: str, proceed: bool) -> list[Cause]:
    field, causes = "resourceVersionMatch", []
    if not version:
        causes.append(_forbid(field, f"{field} is forbidden unless resourceVersion is provided"))
    if proceed:
        causes.append(_forbid(field, f"{field} is forbidden when continue is provided"))
    if match not in ("Exact", "NotOlderThan"):
        text = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""'
        causes.append(Cause("FieldValueNotSupported", field, text))
    if match == "Exact" and version == "0":
        causes.append(_forbid(field, f'{field} "exact" is forbidden for resourceVersion "0"'))
    return causes


def _watch_causes(match: str, initial: bool, *, proceed: bool) -> list[Cause]:
    field, causes = "resourceVersionMatch", []
    if initial and match != "NotOlderThan":
        causes.append(_forbid(field, f"sendInitialEvents requires setting {field} to NotOlderThan"))
    if match:
        if not initial:
            why = f"{field} is forbidden for watch unless sendInitialEvents is provided"
            causes.append(_forbid(field, why))
        if match != "NotOlderThan":
            text = f'Unsupported value: "{match}": supported values: "NotOlderThan"'
            causes.append(Cause("FieldValueNotSupported", field, text))
        if proceed:
            causes.append(_forbid(field, f"{field} is forbidden when continue is provided"))
    return causes


def parse_version(call: Call) -> int | None:
    """The resourceVersion asked for, or None; raises Refusal (400) for one that is no number."""
    given = call.query.get("resourceVersion", "")
    if not given:
        return None
    if not given.isdecimal():
        raise bad_request(
            f'invalid resource version: resourceVersion: Invalid value: "{given}": '
            f'strconv.ParseUint: parsing "{given}": invalid syntax'
        )
    return int(given)


def _page(store: ObjectStore, call: Call) -> _Page:
    matches = selectors.matcher(
        call.query.get("labelSelector", ""), call.query.get("fieldSelector", ""), call.resource
    )
    limit = _limit(call)
    namespace = call.target.namespace
    proceed = call.query.get("continue", "")
    if proceed:
        revision, after = _decode_continue(call, namespace)
    else:
        revision, after = _wanted_revision(store, call, limit), ""
        if call.query.get("resourceVersion") == "0":
            limit = 0  # served from the watch cache, which knows no pages
    try:
        everything = store.listed(call.resource, namespace, at=None if revision < 0 else revision)
    except Compacted:
        if not proceed:
            raise expired("The resourceVersion for the provided list is too old.") from None
        raise expired(_INCONSISTENT, proceed=_encode_continue(-1, after, namespace)) from None
    rest = [one for one in everything if one.key > after] if after else everything
    found = [one for one in rest if matches(one)] if matches else rest
    shown = store.revision if revision < 0 else revision
    if not limit or len(found) <= limit:
        return _Page(found, shown)
    token = _encode_continue(shown, found[limit - 1].key, namespace)
    return _Page(found[:limit], shown, token, None if matches else len(found) - limit)


def _limit(call: Call) -> int:
    given = call.query.get("limit", "")
    try:
        return max(0, int(given or 0))
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{given}": invalid syntax') from None


def _wanted_revision(store: ObjectStore, call: Call, limit: int) -> int:
    """The state to list: the given one when it must be exact, else the present."""
    version = parse_version(call)
    if version is None or version == 0:
        return store.revision
    if version > store.revision:
        raise too_large_version(version, store.revision)
    match = call.query.get("resourceVersionMatch", "")
    exact = match == "Exact" or (not match and limit > 0)
    return version if exact else store.revision


def _encode_continue(revision: int, key: str, namespace: str) -> str:
    """A token as k8s.io/apiserver/pkg/storage/continue.go makes it."""
    start = key.removeprefix(f"{namespace}/") if namespace else key
    token = {"v": "meta.k8s.io/v1", "rv": revision, "start": f"/{start}\0"}
    body = json.dumps(token, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def _decode_continue(call: Call, namespace: str) -> tuple[int, str]:
    """The revision and the last key shown; -1 for a token that gave up on a consistent list."""
    if call.query.get("resourceVersion", "") not in ("", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")
    given = call.query["continue"]
    try:
        token = json.loads(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))
        revision, start = int(token["rv"]), str(token["start"])
    except (ValueError, KeyError, TypeError) as why:
        raise bad_request(f"invalid continue token: continue key is not valid: {why}") from None
    last = start.removeprefix("/").removesuffix("\0")
    return revision, f"{namespace}/{last}" if namespace else last
