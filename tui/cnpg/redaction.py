"""Manifests and texts without what must not be passed on: for files that leave this machine.

Nothing in the operator's own fields is secret: they refer to Secrets by name. But people write
passwords into environments, connection parameters, SQL and annotations, and tools repeat them in
errors. What is left out says so. In doubt it is left out: a ticket can do without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tui.cnpg.manifest import Manifest

HIDDEN = "(not shown)"

_DROPPED = ("kubectl.kubernetes.io/last-applied-configuration",)
"""Annotations that repeat the whole object, as it was written."""

# Variables whose values decide whether archiving works, and that are never secret.
_HARMLESS = re.compile(
    r"AWS_(?:REQUEST_CHECKSUM_CALCULATION|RESPONSE_CHECKSUM_VALIDATION|(?:DEFAULT_)?REGION|"
    r"CA_BUNDLE|ENDPOINT_URL(?:_S3)?|EC2_METADATA_DISABLED|MAX_ATTEMPTS|RETRY_MODE)|"
    r"(?i:(?:https?|no|all)_proxy)|TZ|LANG|LC_ALL|GOMAXPROCS|GOMEMLIMIT"
)

_SENSITIVE = (
    r"(?:passw(?:or)?d|passphrase|pwd|token|credentials?|api[-_]?key|private[-_]?key|"
    r"client[-_]?secret|(?:secret[-_]?)?access[-_]?key(?:[-_]?id)?|secret[-_]?key|customer[-_]?key)"
)
_SECRET_FIELD = re.compile(rf".*{_SENSITIVE}", re.IGNORECASE)
_SECRET_FLAG = re.compile(rf"--?[\w-]*{_SENSITIVE}", re.IGNORECASE)
_HASH = re.compile(r".*hash", re.IGNORECASE)

_PATTERNS: Sequence[tuple[re.Pattern[str], str]] = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
        HIDDEN,
    ),
    # user:password@ of a URL
    (re.compile(r"(\b[A-Za-z][\w+.-]*://)[^/\s:@]*:[^/\s@]+@"), rf"\1{HIDDEN}@"),
    # password=..., "secretAccessKey": "...", AWS_SECRET_ACCESS_KEY=...
    (
        re.compile(
            rf"""({_SENSITIVE}["']?\s*[=:]\s*)(?:"[^"]*"|'[^']*'|[^\s"',;&]+)""", re.IGNORECASE
        ),
        rf"\1{HIDDEN}",
    ),
    # CREATE ROLE app PASSWORD '...'
    (re.compile(r"(\bpassword\s+)E?'(?:[^']|'')*'", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]+)?"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), HIDDEN),
)

# The shapes of R2's keys; digests of images and ids of containers look alike and are named.
_HEX = re.compile(r"(?<![\w:/-])(?:[0-9a-f]{64}|[0-9a-f]{32})(?![\w-])")


def redacted(source: Manifest) -> dict[str, Any]:
    """A manifest to pass on."""
    metadata = dict(source.get("metadata") or {})
    metadata.pop("managedFields", None)
    notes = metadata.get("annotations")
    if isinstance(notes, Mapping):
        metadata["annotations"] = {
            name: value for name, value in notes.items() if name not in _DROPPED
        }
    return _fields({**source, "metadata": metadata})


def scrubbed(text: str) -> str:
    """A text from outside to pass on: an error, a line of a log, the message of an Event."""
    return _HEX.sub(HIDDEN, _without(text))


def _without(text: str) -> str:
    for pattern, left in _PATTERNS:
        text = pattern.sub(left, text)
    return text


def _fields(source: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in source.items()}


def _value(name: str, value: Any) -> Any:
    match value:
        case Mapping():
            return _fields(value)
        case list() if name == "env":
            return [_variable(item) for item in value]
        case list():
            return _listed(name, value)
        case str() if _SECRET_FIELD.fullmatch(name):
            return HIDDEN
        case str() if _HASH.fullmatch(name):
            return value
        case str() if name in ("uid", "clusterUID", "sessionID"):
            return value
        case str():
            return scrubbed(value)
        case _:
            return value


def _variable(item: Any) -> Any:
    """Of an environment only the values that are known to be harmless."""
    if not isinstance(item, Mapping):
        return HIDDEN
    shown = _fields(item)
    if "value" in item and not _HARMLESS.fullmatch(str(item.get("name", ""))):
        shown["value"] = HIDDEN
    return shown


def _listed(name: str, items: list[Any]) -> list[Any]:
    """A list; of arguments, what follows a flag that is named like a secret is left out."""
    shown: list[Any] = []
    secret_follows = False
    for item in items:
        flag, equals, _ = item.partition("=") if isinstance(item, str) else ("", "", "")
        if secret_follows and not flag.startswith("-"):
            shown.append(HIDDEN)
            secret_follows = False
            continue
        named = bool(_SECRET_FLAG.fullmatch(flag))
        secret_follows = named and not equals
        shown.append(f"{flag}={HIDDEN}" if named and equals else _value(name, item))
    return shown
