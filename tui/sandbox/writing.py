"""Creating, updating and patching: what happens to an object between the wire and the store.

In the order of kube-apiserver: read, prune and default, merge with what is there, note who owns what,
validate, ask the webhooks, store. A dry run does everything but the last.
"""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Callable
from typing import Any

from tui.sandbox import admission, fieldowners, incoming, patch
from tui.sandbox.admission import ScheduleCheck
from tui.sandbox.deleting import Deleting
from tui.sandbox.exchange import Answer, Call, answer
from tui.sandbox.fieldowners import Manager
from tui.sandbox.incoming import Options
from tui.sandbox.objects import Manifest, ObjectStore, Stored, encode
from tui.sandbox.refusals import (
    Cause,
    Refusal,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
    qualified,
    unsupported_media_type,
)
from tui.sandbox.resources import Resource

_PATCHES = {
    "application/json-patch+json": "JSON patch",
    "application/merge-patch+json": "merge patch",
    "application/apply-patch+yaml": "apply",
}
_STRATEGIC = "application/strategic-merge-patch+json"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""what generated names are made of: no vowels, nothing that looks like something else"""
_KEPT = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generateName",
    "generation",
    "name",
    "namespace",
    "resourceVersion",
    "uid",
)
_DROPPED_WHEN_EMPTY = ("annotations", "finalizers", "labels", "managedFields", "ownerReferences")


class Writing:
    """The way in for objects."""

    def __init__(self, store: ObjectStore, deleting: Deleting) -> None:
        self.schedule_check: ScheduleCheck = admission.count_fields
        self._store = store
        self._deleting = deleting

    def write(self, call: Call, verb: str) -> Answer:
        """Carry out create, update or patch; raises Refusal."""
        if verb == "create":
            return self._create(call)
        if not call.target.name:
            raise bad_request("name must be provided")
        if verb == "update":
            return self._update(call)
        if incoming.is_apply(call):
            return self._apply(call)
        return self._patch(call)

    # Creating.

    def _create(self, call: Call) -> Answer:
        options = incoming.options(call, "CreateOptions")
        given, twice = incoming.manifest(call)
        if (given["metadata"].get("resourceVersion") or "") not in ("", "0"):
            raise _plain(500, "resourceVersion should not be set on objects to be created")
        incoming.conform(call.resource, given, twice, options, call.warnings.append)
        return self._add(call, given, options)

    def _add(self, call: Call, given: Manifest, options: Options) -> Answer:
        """Make a new object of what was given, which already has the right shape."""
        resource, meta = call.resource, given["metadata"]
        self._place(call, meta)
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"] + "".join(random.choices(_LETTERS, k=5))
        _begin(resource, given)
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": self._store.timestamp()}
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion"):
            meta.pop(name, None)
        if resource.custom:
            meta["generation"] = 1
        if not incoming.is_apply(call):
            self._track(call, None, given, options)
        self._judge(call, given, None)
        if self._store.get(resource, meta.get("namespace", ""), meta["name"]) is not None:
            raise already_exists(resource.group, resource.plural, meta["name"])
        if options.dry_run:
            return answer(given, 201)
        return Answer(201, self._store.put(resource, given).body)

    def _place(self, call: Call, meta: Manifest) -> None:
        """Settle the namespace; it must be there, and not on its way out."""
        resource, namespace = call.resource, call.target.namespace
        if not resource.namespaced:
            meta.pop("namespace", None)
            return
        if meta.get("namespace") not in (None, "", namespace):
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
        meta["namespace"] = namespace
        home = self._store.namespace(namespace)
        if home is None:
            raise not_found("", "namespaces", namespace)
        if home.manifest()["metadata"].get("deletionTimestamp"):
            why = (
                f"unable to create new content in namespace {namespace} because it is being "
                "terminated"
            )
            raise forbidden(resource.group, resource.plural, meta.get("name", ""), why)

    # Changing.

    def _update(self, call: Call) -> Answer:
        options = incoming.options(call, "UpdateOptions")
        given, twice = incoming.manifest(call)
        incoming.conform(call.resource, given, twice, options, call.warnings.append)
        name = given["metadata"].get("name")
        if not name:
            raise bad_request(
                f"the name of the object ({call.target.name} based on URL) was undeterminable: "
                "name must be provided"
            )
        there = self._there(call)
        if not given["metadata"].get("resourceVersion"):
            raise _unversioned(call)
        return self._replace(call, there, given, options)

    def _patch(self, call: Call) -> Answer:
        options = incoming.options(call, "PatchOptions")
        change = _patcher(call)
        there = self._there(call)
        before = there.manifest()
        given = change(before)
        if not isinstance(given, dict) or not isinstance(given.get("metadata"), dict):
            raise bad_request("error decoding patch: the patched object is no object any more")
        incoming.recognise(call.resource, given)
        outcome = encode(given).decode()
        incoming.conform(
            call.resource,
            given,
            (),
            options,
            call.warnings.append,
            strict=lambda why: _bad_patch(outcome, why),
        )
        return self._replace(call, there, given, options)

    def _apply(self, call: Call) -> Answer:
        options = incoming.options(call, "PatchOptions")
        applied = incoming.parse_yaml(call.body)
        _check_applied(call, applied)
        there = self._there(call) if call.target.subresource else self._find(call)
        _check_declared(call, applied)
        merged = fieldowners.apply(
            there.manifest() if there else None,
            applied,
            self._manager(call, options, "Apply"),
            self._store.timestamp(),
            force=call.flag("force"),
            doors="status" in call.resource.subresources,
        )
        warn = call.warnings.append
        incoming.conform(call.resource, merged, (), options, warn, keep_nulls=True)
        if there is None:
            return self._add(call, merged, options)
        return self._replace(call, there, merged, options)

    def _find(self, call: Call) -> Stored | None:
        namespace = call.target.namespace if call.resource.namespaced else ""
        return self._store.get(call.resource, namespace, call.target.name)

    def _there(self, call: Call) -> Stored:
        there = self._find(call)
        if there is None:
            raise not_found(call.resource.group, call.resource.plural, call.target.name)
        return there

    def _replace(self, call: Call, there: Stored, given: Manifest, options: Options) -> Answer:
        """Put a changed object in the place of the one that is there."""
        before = there.manifest()
        _check_identity(call, there, given)
        after = _through_door(call, before, given)
        if not incoming.is_apply(call):
            self._track(call, before, after, options)
        self._judge(call, after, before)
        if encode(after) == there.body:
            return Answer(200, there.body)
        if options.dry_run:
            return answer(after)
        meta = after["metadata"]
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            self._deleting.finish(there, after)
            return answer(after)
        return Answer(200, self._store.put(call.resource, after).body)

    def _track(
        self, call: Call, before: Manifest | None, after: Manifest, options: Options
    ) -> None:
        fieldowners.track(
            before,
            after,
            self._manager(call, options, "Update"),
            self._store.timestamp(),
            doors="status" in call.resource.subresources,
        )

    def _manager(self, call: Call, options: Options, operation: str) -> Manager:
        return Manager(
            options.manager, operation, call.resource.api_version, call.target.subresource
        )

    def _judge(self, call: Call, after: Manifest, before: Manifest | None) -> None:
        """Validate, then ask the webhooks; those do not watch the status door."""
        resource = call.resource
        causes = incoming.check(resource, after, before, call.target.subresource)
        if causes:
            raise invalid(resource.group, resource.kind, after["metadata"].get("name", ""), causes)
        if resource.custom and not call.target.subresource:
            call.warnings += admission.review(resource, after, self.schedule_check)


def _begin(resource: Resource, given: Manifest) -> None:
    """What a new object of a kind starts as, whatever the request said."""
    if "status" in resource.subresources:
        given.pop("status", None)
    match resource.plural:
        case "namespaces":
            given["spec"] = {"finalizers": ["kubernetes"]}
            given["status"] = {"phase": "Active"}
            labels = given["metadata"].setdefault("labels", {})
            labels["kubernetes.io/metadata.name"] = given["metadata"].get("name", "")
        case "pods":
            given["status"] = {"phase": "Pending"}
        case "secrets":
            _fold_secret(given)


def _fold_secret(given: Manifest) -> None:
    plain = given.pop("stringData", None) or {}
    if plain:
        data = given.setdefault("data", {})
        data |= {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
    given.setdefault("type", "Opaque")


def _check_identity(call: Call, there: Stored, given: Manifest) -> None:
    """Raise Refusal unless `given` is another version of the very object that is there."""
    meta, resource = given["metadata"], call.resource
    if meta.get("name", there.name) != there.name:
        raise bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL "
            f"({there.name})"
        )
    if meta.get("namespace") not in (None, "", there.namespace):
        raise bad_request(
            f"the namespace of the object ({meta['namespace']}) does not match the namespace on "
            f"the URL ({there.namespace})"
        )
    if meta.get("uid") not in (None, "", there.uid):
        where = f"/registry/{resource.group or 'core'}/{resource.plural}/{there.key}"
        why = (
            f"StorageError: invalid object, Code: 4, Key: {where}, ResourceVersion: 0, "
            f"AdditionalErrorMsg: Precondition failed: UID in precondition: {meta['uid']}, "
            f"UID in object meta: {there.uid}"
        )
        raise conflict(resource.group, resource.plural, there.name, why)
    if meta.get("resourceVersion") not in (None, "", "0", str(there.revision)):
        raise conflict(resource.group, resource.plural, there.name)


def _through_door(call: Call, before: Manifest, given: Manifest) -> Manifest:
    """What a write may change: by the status door the status alone, by the front door all else."""
    if call.target.subresource == "status":
        after = _status_changed(before, given)
        if incoming.is_apply(call):
            after["metadata"]["managedFields"] = given["metadata"]["managedFields"]
        return after
    after = dict(given)
    meta = after["metadata"] = _metadata_changed(before["metadata"], given["metadata"])
    if "status" in call.resource.subresources:
        after.pop("status", None)
        if "status" in before:
            after["status"] = before["status"]
    if call.resource.plural == "secrets":
        _fold_secret(after)
    if call.resource.custom and _substance(after) != _substance(before):
        meta["generation"] = int(meta.get("generation", 0)) + 1
    return after


def _status_changed(before: Manifest, given: Manifest) -> Manifest:
    after = before | {"metadata": dict(before["metadata"])}
    after.pop("status", None)
    if given.get("status") is not None:
        after["status"] = given["status"]
    return after


def _metadata_changed(old: Manifest, given: Manifest) -> Manifest:
    """The given metadata, save for what only the server sets."""
    meta = {
        name: value
        for name, value in given.items()
        if name not in _KEPT and (value or name not in _DROPPED_WHEN_EMPTY)
    }
    return meta | {name: old[name] for name in _KEPT if name in old}


def _substance(manifest: Manifest) -> Manifest:
    return {key: value for key, value in manifest.items() if key not in ("metadata", "status")}


def _patcher(call: Call) -> Callable[[Manifest], Any]:
    """The body as a function of the object that is there; raises Refusal (400, 415)."""
    accepted = [*_PATCHES] if call.resource.custom else [*_PATCHES, _STRATEGIC]
    if call.content_type not in accepted:
        raise unsupported_media_type(accepted)
    try:
        body = json.loads(call.body)
    except ValueError as why:
        raise bad_request(f"error decoding patch: {why}") from None
    if call.content_type == "application/json-patch+json":
        if not isinstance(body, list):
            raise bad_request(
                "error decoding patch: json: cannot unmarshal object into Go value of type "
                "[]handlers.jsonPatchOp"
            )
        return lambda there: patch.json_patch(there, body)
    if not isinstance(body, dict):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal array into Go value of type "
            "map[string]interface {}"
        )
    how = patch.strategic if call.content_type == _STRATEGIC else patch.merge
    return lambda there: how(there, body)


def _check_applied(call: Call, applied: Any) -> None:
    """Raise Refusal unless this is an apply configuration for the object in the path."""
    if not isinstance(applied, dict):
        raise bad_request("error decoding YAML: not an object")
    version, kind = applied.get("apiVersion", ""), applied.get("kind", "")
    if (version, kind) != (call.resource.api_version, call.resource.kind):
        raise bad_request(f"invalid object type: {version or '/'}, Kind={kind}")
    incoming.recognise(call.resource, applied)
    meta = applied["metadata"]
    if meta.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    name = meta.setdefault("name", call.target.name)
    if name != call.target.name:
        raise bad_request(
            f"the name of the object ({name}) does not match the name on the URL "
            f"({call.target.name})"
        )


def _check_declared(call: Call, applied: Manifest) -> None:
    """Raise Refusal (500, as the genuine server does) for a field the schema does not know."""
    unknown = incoming.undeclared(call.resource, applied)
    if unknown:
        meta, kind = applied["metadata"], call.resource.kind
        what = f"{meta.get('namespace', '')}/{meta['name']}; {call.resource.api_version}"
        raise _plain(
            500,
            f"failed to create typed patch object ({what}, Kind={kind}): "
            f".{unknown[0]}: field not declared in schema",
        )


def _plain(code: int, message: str) -> Refusal:
    """An error the genuine server gives no reason for."""
    return Refusal(code, "", message)


def _unversioned(call: Call) -> Refusal:
    """Custom resources cannot be replaced blindly."""
    resource, name = call.resource, call.target.name
    cause = Cause(
        "FieldValueInvalid",
        "metadata.resourceVersion",
        "Invalid value: 0: must be specified for an update",
    )
    refusal = invalid(resource.group, resource.kind, name, [cause])
    told = f'{qualified(resource.group, resource.plural)} "{name}" is invalid: {cause}'
    details = {**(refusal.details or {}), "kind": resource.plural}
    return Refusal(422, "Invalid", told, details=details)


def _bad_patch(outcome: str, why: str) -> Refusal:
    """Strict field validation of a patch complains about the whole outcome."""
    shown = json.dumps(outcome, ensure_ascii=False)
    cause = Cause("FieldValueInvalid", "patch", f"Invalid value: {shown}: {why}")
    details = {"causes": [cause.as_json()]}
    return Refusal(422, "Invalid", f' "" is invalid: {cause}', details=details)
