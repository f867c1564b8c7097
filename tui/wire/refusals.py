"""What a server's refusal means, in a sentence: one answer in, one fault out. Pure.

A refusal is a Status object (apimachinery ``meta/v1`` types.go), the plain line that the API server
gives for a path it does not serve, or the page of something in between that is no API server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tui import faults, words
from tui.cnpg.manifest import BACKUPS, OBJECT_STORES, Kind

_PRODUCTS = {BACKUPS.group: "CloudNativePG", OBJECT_STORES.group: "the Barman Cloud plugin"}

_LONGEST = 2000
"""Characters of the server's own words that are kept: webhooks may answer with pages."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, in the words of RBAC: it says itself as ``list backups in prod``."""

    verb: str
    kind: Kind
    namespace: str | None
    """None: all namespaces."""
    name: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        if self.subresource:
            return f"{self.verb} {self.subresource} of {self._one}"
        if self.name or self.verb == "create":
            return f"{self.verb} {self._one}"
        place = "all namespaces" if self.namespace is None else self.namespace
        return f"{self.verb} {self.kind.plural} in {place}"

    @property
    def _one(self) -> str:
        name = f"{self.kind.kind} {self.name}" if self.name else self.kind.kind
        return f"{name} in {self.namespace}" if self.namespace else name

    @property
    def permission(self) -> str:
        """What to ask an administrator for: ``list on backups.postgresql.cnpg.io``."""
        resource, dot, group = str(self.kind).partition(".")
        subresource = f"/{self.subresource}" if self.subresource else ""
        return f"{self.verb} on {resource}{subresource}{dot}{group}"


def refused(
    call: Call, code: int, headers: Mapping[str, str], body: bytes
) -> faults.Refused | faults.BadAnswer:
    """The fault for an HTTP answer of 300 or more."""
    kind = headers.get("Content-Type", "")
    status = _status(body)
    if status is None:
        said = "" if "html" in kind else _own_words(body.decode(errors="replace"))
        if code == 404 and "html" in kind:
            return faults.BadAnswer(
                f"cannot {call}: a web page answered 404, not a Kubernetes API. Is the server of "
                "this context right?"
            )
        status = {"message": said}
    return fault(call, code, status, _seconds(headers.get("Retry-After")))


def fault(
    call: Call, code: int, status: Mapping[str, Any], retry_after: float | None = None
) -> faults.Refused:
    """The fault for a Status object, as an answer or as the ERROR event of a watch."""
    said = _own_words(status.get("message"))
    details = status.get("details")
    if retry_after is None and isinstance(details, Mapping):
        retry_after = _seconds(details.get("retryAfterSeconds"))
    family = _family(call, code, status.get("reason"))
    sentence = f"cannot {call}: {_why(call, family, code, said)}"
    return family(sentence, code=code, retry_after=retry_after)


def _family(call: Call, code: int, reason: object) -> type[faults.Refused]:
    if code == 409:
        taken = reason == "AlreadyExists" or (reason is None and call.verb == "create")
        return faults.AlreadyExists if taken else faults.Conflict
    if code >= 500:
        return faults.ServerError
    return {
        400: faults.Invalid,
        401: faults.Unauthorized,
        403: faults.Forbidden,
        404: faults.NotFound,
        410: faults.Expired,
        422: faults.Invalid,
        429: faults.TooMany,
    }.get(code, faults.Refused)


def _why(call: Call, family: type[faults.Refused], code: int, said: str) -> str:
    server_says = f" (the server says: {said})" if said else ""
    if family is faults.Unauthorized:
        return "the server does not accept these credentials. Sign in again"
    if family is faults.Forbidden:
        return f"forbidden. Ask for {call.permission}{server_says}"
    if family is faults.NotFound and call.verb in ("list", "watch"):
        product = _PRODUCTS.get(call.kind.group)
        hint = f": is {product} on this cluster?" if product else ""
        return f"the CRD {call.kind} is not installed{hint}"
    if family is faults.NotFound and not call.subresource:
        return "there is no such object"
    if family is faults.AlreadyExists:
        return "there is one of that name already"
    if family is faults.Conflict:
        return f"it was changed by somebody else; look again and retry{server_says}"
    if family is faults.Expired:
        return "the server no longer keeps changes that old; list again"
    if family is faults.TooMany:
        return f"the server asks to slow down{server_says}"
    if family is faults.Invalid and said:
        return said
    return f"the server answered {_named(code)}{server_says}"


def _status(body: bytes) -> Mapping[str, Any] | None:
    try:
        status = json.loads(body)
    except ValueError:
        return None
    return status if isinstance(status, dict) and status.get("kind") == "Status" else None


def _own_words(message: object) -> str:
    if not isinstance(message, str):
        return ""
    return words.one_line(words.clean(message))[:_LONGEST]


def _seconds(value: object) -> float | None:
    try:
        seconds = float(value) if isinstance(value, (str, int)) else 0.0
    except ValueError:
        return None  # the date form of RFC 9110, which no API server uses
    return seconds if 0 < seconds < float("inf") else None


def _named(code: int) -> str:
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)
