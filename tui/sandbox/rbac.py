"""Roles and bindings kept as objects, and the tokens of service accounts.

Rules given to a User at the start need none of this; it is for those who apply their Roles as on a
real cluster.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator
from typing import Any

from tui.sandbox import incoming
from tui.sandbox.access import Access, Rule, User
from tui.sandbox.exchange import Answer, Call, answer
from tui.sandbox.objects import Manifest, ObjectStore
from tui.sandbox.refusals import not_found

_GROUP = "rbac.authorization.k8s.io"
_ACCOUNT = "system:serviceaccount:"
_HOUR = 3600


def granted(store: ObjectStore, user: User) -> Iterator[Rule]:
    """The rules bound to a user by RoleBindings and ClusterRoleBindings."""
    for plural in ("clusterrolebindings", "rolebindings"):
        resource = store.registry.at(_GROUP, "v1", plural)
        for stored in store.listed(resource) if resource else ():
            binding = stored.manifest()
            subjects = binding.get("subjects") or []
            if any(_is(user, subject, stored.namespace) for subject in subjects):
                yield from _rules(store, binding, stored.namespace)


def _is(user: User, subject: Manifest, namespace: str) -> bool:
    match subject.get("kind"):
        case "User":
            return bool(subject["name"] == user.name)
        case "ServiceAccount":
            home = subject.get("namespace") or namespace
            return user.name == f"{_ACCOUNT}{home}:{subject['name']}"
        case "Group":
            return subject["name"] in _groups(user)
        case _:
            return False


def _groups(user: User) -> list[str]:
    groups = ["system:authenticated"]
    if user.name.startswith(_ACCOUNT):
        home = user.name.removeprefix(_ACCOUNT).partition(":")[0]
        groups += ["system:serviceaccounts", f"system:serviceaccounts:{home}"]
    return groups


def _rules(store: ObjectStore, binding: Manifest, namespace: str) -> Iterator[Rule]:
    """The rules a binding refers to; a RoleBinding holds them to its namespace."""
    ref = binding["roleRef"]
    plural, home = ("roles", namespace) if ref["kind"] == "Role" else ("clusterroles", "")
    resource = store.registry.at(_GROUP, "v1", plural)
    role = store.get(resource, home, ref["name"]) if resource else None
    for rule in (role.manifest().get("rules") or []) if role else ():
        if rule.get("nonResourceURLs"):
            continue
        yield Rule(
            tuple(rule.get("apiGroups") or ()),
            tuple(rule.get("resources") or ()),
            tuple(rule.get("verbs") or ()),
            (namespace,) if namespace else ("*",),
            tuple(rule.get("resourceNames") or ()),
        )


def issue_token(store: ObjectStore, access: Access, call: Call) -> Answer:
    """A token for a service account (TokenRequest); raises Refusal.

    It is honoured until the server ends, whatever its stated end: there is nobody here to renew it.
    """
    target = call.target
    account = store.get(call.resource, target.namespace, target.name)
    if account is None:
        raise not_found(call.resource.group, call.resource.plural, target.name)
    spec: dict[str, Any] = incoming.token_request(call).get("spec") or {}
    token = secrets.token_urlsafe(32)
    access.admit(User(f"{_ACCOUNT}{target.namespace}:{target.name}", token, ()))
    seconds = int(spec.get("expirationSeconds") or _HOUR)
    end = store.now() + dt.timedelta(seconds=seconds)
    return answer(
        {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": target.name, "namespace": target.namespace},
            "spec": spec | {"expirationSeconds": seconds},
            "status": {"token": token, "expirationTimestamp": f"{end:%Y-%m-%dT%H:%M:%SZ}"},
        },
        201,
    )
