"""What callers ask about themselves: who am I, may I, and what may I at all."""

from __future__ import annotations

from typing import Any

from tui.sandbox import incoming
from tui.sandbox.access import Access, Wish
from tui.sandbox.exchange import Answer, Call, answer
from tui.sandbox.refusals import Cause, bad_request, invalid

_OPEN_PATHS = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_DISCOVERY_PATHS = ["/api", "/api/*", "/apis", "/apis/*", *_OPEN_PATHS, "/openapi", "/openapi/*"]


def answers(call: Call) -> bool:
    """Whether this is a request this module is for."""
    return call.resource.kind.startswith("SelfSubject")


def review(access: Access, call: Call) -> Answer:
    """The review, with its status filled in; raises Refusal."""
    given, _ = incoming.manifest(call)
    spec = given.get("spec") or {}
    head = {"kind": call.resource.kind, "apiVersion": call.resource.api_version, "metadata": {}}
    status: dict[str, Any]
    match call.resource.kind:
        case "SelfSubjectReview":
            groups = ["system:authenticated"]
            return answer(
                head | {"status": {"userInfo": {"username": call.user.name, "groups": groups}}}, 201
            )
        case "SelfSubjectRulesReview":
            if not spec.get("namespace"):
                raise bad_request("no namespace on request")
            status = _rules(access, call, spec["namespace"])
        case _:
            status = {"allowed": access.allows(call.user, _wish(call, spec))}
    return answer(head | {"spec": spec, "status": status}, 201)


def _wish(call: Call, spec: dict[str, Any]) -> Wish:
    about, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if path is not None and about is None:
        return Wish(path.get("verb", ""), path=path.get("path", ""))
    if about is None or path is not None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = Cause("FieldValueInvalid", "spec.resourceAttributes", f"Invalid value: null: {why}")
        raise invalid(call.resource.group, "", "", [cause])
    return Wish(
        about.get("verb", ""),
        about.get("group", ""),
        about.get("resource", ""),
        about.get("subresource", ""),
        about.get("namespace", ""),
        about.get("name", ""),
    )


def _rules(access: Access, call: Call, namespace: str) -> dict[str, Any]:
    return {
        "resourceRules": access.rules_in(call.user, namespace),
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": _DISCOVERY_PATHS}],
        "incomplete": False,
    }
