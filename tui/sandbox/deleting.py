"""Deleting: preconditions, finalizers, and the garbage that is collected afterwards.

The garbage collector and the namespace controller are programs of their own beside a genuine API
server; here they run a moment after the deletion that gives them work.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tui.sandbox import reading, selectors
from tui.sandbox.exchange import Answer, Call, answer
from tui.sandbox.incoming import dry_run_causes
from tui.sandbox.objects import Manifest, ObjectStore, Stored
from tui.sandbox.refusals import Cause, bad_request, conflict, invalid, not_found

_POLICIES = ("Foreground", "Background", "Orphan")
_FOREGROUND = "foregroundDeletion"


@dataclass(frozen=True, slots=True)
class _Options:
    """What DeleteOptions say, be it in the body or in the query."""

    dry_run: bool
    policy: str
    uid: str
    revision: str


class Deleting:
    """The way out for objects."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def delete(self, call: Call) -> Answer:
        """DELETE of one object; raises Refusal."""
        resource, target = call.resource, call.target
        options = _options(call)
        namespace = target.namespace if resource.namespaced else ""
        there = self._store.get(resource, namespace, target.name)
        if there is None:
            raise not_found(resource.group, resource.plural, target.name)
        _check_preconditions(there, options)
        kept = there.manifest() if options.dry_run else self._delete(there, options.policy)
        if kept is not None and (not options.dry_run or kept["metadata"].get("finalizers")):
            return answer(kept)
        if resource.plural in ("pods", "services"):
            return Answer(200, there.body)
        details = {"name": there.name, "group": resource.group, "kind": resource.plural}
        return answer(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": {key: value for key, value in details.items() if value}
                | {"uid": there.uid},
            }
        )

    def delete_collection(self, call: Call) -> Answer:
        """DELETE of everything selected; gives the list of what was deleted; raises Refusal."""
        options = _options(call)
        query, resource = call.query, call.resource
        matches = selectors.matcher(
            query.get("labelSelector", ""), query.get("fieldSelector", ""), resource
        )
        found = [
            one
            for one in self._store.listed(resource, call.target.namespace)
            if matches is None or matches(one)
        ]
        for one in found if not options.dry_run else ():
            self._delete(one, options.policy)
        return Answer(200, reading.plain_list(resource, self._store.revision, found))

    def finish(self, there: Stored, last: Manifest) -> None:
        """Remove an object whose last finalizer has gone; `last` is how it is seen going."""
        self._store.remove(there, last)
        asyncio.get_running_loop().call_soon(self._collect, there)

    def _delete(self, there: Stored, policy: str) -> Manifest | None:
        """Delete an object or, while something holds it, mark it; gives it if it is still there."""
        manifest = there.manifest()
        meta = manifest["metadata"]
        finalizers = [name for name in meta.get("finalizers") or [] if name]
        if policy == "Foreground" and _FOREGROUND not in finalizers:
            finalizers.append(_FOREGROUND)
        if policy == "Orphan":
            self._orphan(there)
        if there.resource.plural == "namespaces":
            finalizers.append("kubernetes")
        if not finalizers:
            self._remove(there)
            return None
        if meta.get("deletionTimestamp"):
            return manifest
        meta["deletionTimestamp"] = self._store.timestamp()
        if there.resource.plural == "namespaces":
            manifest["status"] = {"phase": "Terminating"}
        else:
            meta["finalizers"] = finalizers
            meta["deletionGracePeriodSeconds"] = 0
            meta["generation"] = int(meta.get("generation", 0)) + 1
        marked = self._store.put(there.resource, manifest)
        asyncio.get_running_loop().call_soon(self._pursue, marked)
        return marked.manifest()

    def _remove(self, there: Stored) -> None:
        self._store.remove(there)
        asyncio.get_running_loop().call_soon(self._collect, there)

    def _pursue(self, marked: Stored) -> None:
        """Do what a marked object waits for: its dependents' end, or its contents'."""
        if marked.resource.plural == "namespaces":
            for one in list(self._store.everything()):
                if one.namespace == marked.name:
                    self._delete(one, "Background")
            self._leave_namespace(marked.name)
            return
        for one in self._store.dependents(marked.uid):
            self._delete(one, "Background")
        self._release(marked)

    def _collect(self, gone: Stored) -> None:
        """What follows from the end of an object."""
        for one in self._store.dependents(gone.uid):
            if all(self._store.by_uid(owner) is None for owner in one.owners):
                self._delete(one, "Background")
        for owner in gone.owners:
            if (holder := self._store.by_uid(owner)) is not None:
                self._release(holder)
        if gone.namespace:
            self._leave_namespace(gone.namespace)

    def _release(self, holder: Stored) -> None:
        """Take the foreground finalizer off an object with no dependents left."""
        manifest = holder.manifest()
        finalizers = manifest["metadata"].get("finalizers") or []
        if _FOREGROUND not in finalizers or any(self._store.dependents(holder.uid)):
            return
        left = [name for name in finalizers if name != _FOREGROUND]
        if not left:
            self._remove(holder)
            return
        manifest["metadata"]["finalizers"] = left
        self._store.put(holder.resource, manifest)

    def _leave_namespace(self, name: str) -> None:
        home = self._store.namespace(name)
        if home is None or not home.manifest()["metadata"].get("deletionTimestamp"):
            return
        if not any(one.namespace == name for one in self._store.everything()):
            self._store.remove(home)

    def _orphan(self, owner: Stored) -> None:
        for one in self._store.dependents(owner.uid):
            manifest = one.manifest()
            meta = manifest["metadata"]
            left = [ref for ref in meta["ownerReferences"] if ref["uid"] != owner.uid]
            meta["ownerReferences"] = left
            if not left:
                del meta["ownerReferences"]
            self._store.put(one.resource, manifest)


def _options(call: Call) -> _Options:
    """Options from the body, or from the query where there is no body; raises Refusal."""
    body: Any = {}
    if call.body:
        try:
            body = json.loads(call.body)
        except ValueError as why:
            raise bad_request(f"json parse error: {why}") from None
    if not isinstance(body, dict):
        raise bad_request("json parse error: DeleteOptions expected")
    query = call.query
    dry_run: Sequence[str] = body.get("dryRun") or (
        [query["dryRun"]] if query.get("dryRun") else []
    )
    policy = body.get("propagationPolicy") or query.get("propagationPolicy", "")
    orphans = body.get("orphanDependents")
    causes = dry_run_causes(dry_run)
    if policy and policy not in _POLICIES:
        known = ", ".join(f'"{one}"' for one in (*_POLICIES, "nil"))
        text = f'Unsupported value: "{policy}": supported values: {known}'
        causes.append(Cause("FieldValueNotSupported", "propagationPolicy", text))
    elif policy and orphans is not None:
        both = "orphanDependents and deletionPropagation cannot be both set"
        text = f'Invalid value: "{policy}": {both}'
        causes.append(Cause("FieldValueInvalid", "propagationPolicy", text))
    if causes:
        raise invalid("meta.k8s.io", "DeleteOptions", "", causes)
    given = body.get("preconditions") or {}
    return _Options(
        bool(dry_run),
        policy or ("Orphan" if orphans else "Background"),
        given.get("uid") or "",
        given.get("resourceVersion") or "",
    )


def _check_preconditions(there: Stored, options: _Options) -> None:
    resource = there.resource
    if options.uid and options.uid != there.uid:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({there.uid}). The object might have been deleted and then recreated"
        )
        raise conflict(resource.group, resource.kind, there.name, why)
    if options.revision and options.revision != str(there.revision):
        why = (
            f"the ResourceVersion in the precondition ({options.revision}) does not match the "
            f"ResourceVersion in record ({there.revision}). The object might have been modified"
        )
        raise conflict(resource.group, resource.kind, there.name, why)
