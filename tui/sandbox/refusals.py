"""What the API server answers when it does not do as asked: metav1.Status, with the genuine texts.

The texts are those of k8s.io/apimachinery/pkg/api/errors and k8s.io/apiserver, because people paste
them into search engines and clients match on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing wrong with an object: where (`spec.method`), and what."""

    reason: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"

    def as_json(self) -> dict[str, str]:
        """The cause as metav1.StatusCause."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


class Refusal(Exception):
    """An answer other than success; carries everything a metav1.Status does."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.metadata = metadata or {}
        self.warnings = tuple(warnings)

    @property
    def headers(self) -> dict[str, str]:
        """Extra headers; a refusal that names a delay repeats it as Retry-After, in seconds."""
        delay = (self.details or {}).get("retryAfterSeconds")
        return {} if delay is None else {"Retry-After": str(delay)}

    def status(self) -> dict[str, Any]:
        """The body of the answer."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": dict(self.metadata),
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = dict(self.details)
        return status | {"code": self.code}


def qualified(group: str, plural: str) -> str:
    """`backups.postgresql.cnpg.io`, or `pods` in the core group."""
    return f"{plural}.{group}" if group else plural


def _about(group: str, plural: str, name: str = "") -> dict[str, Any]:
    details = {"name": name} if name else {}
    if group:
        details["group"] = group
    return details | {"kind": plural} if plural else details


def not_found(group: str, plural: str, name: str) -> Refusal:
    """404 for an object."""
    message = f'{qualified(group, plural)} "{name}" not found'
    return Refusal(404, "NotFound", message, details=_about(group, plural, name))


def already_exists(group: str, plural: str, name: str) -> Refusal:
    """409 on create."""
    message = f'{qualified(group, plural)} "{name}" already exists'
    return Refusal(409, "AlreadyExists", message, details=_about(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str = "") -> Refusal:
    """409 on a write that was made for another version of the object."""
    why = why or (
        "the object has been modified; please apply your changes to the latest version and try again"
    )
    message = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return Refusal(409, "Conflict", message, details=_about(group, plural, name))


def invalid(
    group: str, kind: str, name: str, causes: Sequence[Cause], *, prefix: str = ""
) -> Refusal:
    """422 with every cause, worded as field.ErrorList is."""
    texts = [str(cause) for cause in causes]
    told = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    of = f"{kind}.{group}" if group else kind
    return Refusal(
        422,
        "Invalid",
        f'{prefix}{of} "{name}" is invalid: {told}',
        details=_about(group, kind, name) | {"causes": [cause.as_json() for cause in causes]},
    )


def forbidden(group: str, plural: str, name: str, why: str) -> Refusal:
    """403, from the authorizer or from admission."""
    quoted = f'{qualified(group, plural)} "{name}"' if name else qualified(group, plural)
    message = f"{quoted} is forbidden: {why}"
    return Refusal(403, "Forbidden", message, details=_about(group, plural, name))


def unauthorized() -> Refusal:
    """401, in the one word the genuine server spends on it."""
    return Refusal(401, "Unauthorized", "Unauthorized")


def bad_request(message: str) -> Refusal:
    """400."""
    return Refusal(400, "BadRequest", message)


def expired(message: str, *, proceed: str = "") -> Refusal:
    """410: the past that was asked for is forgotten. `proceed` is a token to list on regardless."""
    return Refusal(410, "Expired", message, metadata={"continue": proceed} if proceed else {})


def too_large_version(wanted: int, current: int) -> Refusal:
    """504: asked for a resourceVersion that has not happened yet."""
    return Refusal(
        504,
        "Timeout",
        f"Timeout: Too large resource version: {wanted}, current: {current}",
        details={
            "causes": [
                {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            ],
            "retryAfterSeconds": 1,
        },
    )


def method_not_allowed() -> Refusal:
    """405."""
    message = "the server does not allow this method on the requested resource"
    return Refusal(405, "MethodNotAllowed", message, details={})


def unsupported_media_type(accepted: Sequence[str]) -> Refusal:
    """415 for a body in a language we do not read."""
    return Refusal(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - "
        f"accepted media types include: {', '.join(accepted)}",
    )


def no_such_path() -> Refusal:
    """404 for a path nobody serves."""
    return Refusal(404, "NotFound", "the server could not find the requested resource", details={})
