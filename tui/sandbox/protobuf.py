"""Kubernetes' protobuf bodies, for the few kinds kubectl sends no other way.

`kubectl auth can-i`, `create namespace`, `create secret` and `create serviceaccount` use it whatever
the server says. Field numbers are those of the generated.proto files of k8s.io/api.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

_MAGIC = b"k8s\0"

# Message -> field number -> (name, type). A type with [] repeats, one with {} is a map to strings.
_Fields = Mapping[int, tuple[str, str]]
_MESSAGES: Mapping[str, _Fields] = {
    "TypeMeta": {1: ("apiVersion", "string"), 2: ("kind", "string")},
    "ObjectMeta": {
        1: ("name", "string"),
        2: ("generateName", "string"),
        3: ("namespace", "string"),
        11: ("labels", "{}string"),
        12: ("annotations", "{}string"),
    },
    "Namespace": {1: ("metadata", "ObjectMeta")},
    "ServiceAccount": {1: ("metadata", "ObjectMeta")},
    "Secret": {
        1: ("metadata", "ObjectMeta"),
        2: ("data", "{}bytes"),
        3: ("type", "string"),
        4: ("stringData", "{}string"),
    },
    "SelfSubjectAccessReview": {1: ("metadata", "ObjectMeta"), 2: ("spec", "AccessSpec")},
    "AccessSpec": {
        1: ("resourceAttributes", "ResourceAttributes"),
        2: ("nonResourceAttributes", "NonResourceAttributes"),
    },
    "ResourceAttributes": {
        1: ("namespace", "string"),
        2: ("verb", "string"),
        3: ("group", "string"),
        4: ("version", "string"),
        5: ("resource", "string"),
        6: ("subresource", "string"),
        7: ("name", "string"),
    },
    "NonResourceAttributes": {1: ("path", "string"), 2: ("verb", "string")},
    "SelfSubjectRulesReview": {1: ("metadata", "ObjectMeta"), 2: ("spec", "RulesSpec")},
    "RulesSpec": {1: ("namespace", "string")},
    "SelfSubjectReview": {1: ("metadata", "ObjectMeta")},
    "TokenRequest": {1: ("metadata", "ObjectMeta"), 2: ("spec", "TokenSpec")},
    "TokenSpec": {4: ("expirationSeconds", "int")},
}
_READABLE = frozenset(
    (
        "Namespace",
        "Secret",
        "SelfSubjectAccessReview",
        "SelfSubjectReview",
        "SelfSubjectRulesReview",
        "ServiceAccount",
        "TokenRequest",
    )
)


def decode(body: bytes) -> dict[str, Any] | None:
    """The object in a body, or None for one this module cannot read."""
    if not body.startswith(_MAGIC):
        return None
    try:
        envelope = dict(_fields(body.removeprefix(_MAGIC)))
        head = _message("TypeMeta", envelope.get(1, b""))
        if head.get("kind") not in _READABLE:
            return None
        return head | _message(head["kind"], envelope.get(2, b""))
    except (IndexError, TypeError, UnicodeDecodeError):
        return None


def _message(name: str, data: bytes) -> dict[str, Any]:
    known = _MESSAGES[name]
    found: dict[str, Any] = {}
    for number, value in _fields(data):
        if number not in known:
            continue
        field, kind = known[number]
        if kind.startswith("{}"):
            entry = dict(_fields(value))
            held = found.setdefault(field, {})
            held[entry[1].decode()] = _value(kind[2:], entry.get(2, b""))
        elif (read := _value(kind, value)) not in ("", {}):
            found[field] = read
    return found


def _value(kind: str, value: Any) -> Any:
    match kind:
        case "string":
            return value.decode()
        case "bytes":
            return base64.b64encode(value).decode()
        case "int":
            return value
        case _:
            return _message(kind, value)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and raw value of every field: an int, or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        match key & 7:
            case 0:
                value, at = _varint(data, at)
                yield key >> 3, value
            case 2:
                size, at = _varint(data, at)
                if at + size > len(data):
                    raise IndexError(at)
                yield key >> 3, data[at : at + size]
                at += size
            case wire:
                raise TypeError(wire)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
