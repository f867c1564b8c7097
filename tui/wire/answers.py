"""What a server's answer holds: objects, warnings, the events of a watch. Pure.

Everything that is not what the protocol promises becomes ``faults.BadAnswer`` here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tui import faults, words
from tui.cnpg.manifest import Manifest
from tui.wire.refusals import Call, fault

LONGEST_EVENT = 32 * 2**20
"""Bytes. etcd refuses objects of more than 1.5 MB, so what is longer is no watch."""

# RFC 9111 5.5 as the API server writes it: code, agent, quoted text.
_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. ``remaining`` is the server's estimate of what is still to come."""

    items: list[Manifest]
    resource_version: str
    remaining: int | None
    rest: str
    """The token that asks for the next page, ``""`` on the last."""


def document(call: Call, body: bytes) -> dict[str, Any]:
    """The JSON object in an answer, without ``managedFields``: often half of it, and never shown."""
    try:
        decoded = json.loads(body)
    except ValueError as error:
        raise faults.BadAnswer(
            f"cannot {call}: the answer is not JSON. Is the server of this context right?"
        ) from error
    if not isinstance(decoded, dict):
        raise faults.BadAnswer(f"cannot {call}: the answer is not an object")
    _lighten(decoded)
    return decoded


def page(call: Call, body: bytes) -> Page:
    """A page of a list. A null ``items`` is an empty list in Go."""
    decoded = document(call, body)
    metadata, items = decoded.get("metadata"), decoded.get("items", ())
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not version or not isinstance(items, list | None):
        raise faults.BadAnswer(f"cannot {call}: the answer is not a list")
    for item in items or ():
        _lighten(item)
    return Page(
        items=items or [],
        resource_version=str(version),
        remaining=metadata.get("remainingItemCount"),
        rest=metadata.get("continue") or "",
    )


def warnings(headers: Iterable[str]) -> tuple[str, ...]:
    """The texts of an answer's Warning headers."""
    found = (text for header in headers for text in _WARNING.findall(header))
    return tuple(words.clean(re.sub(r"\\(.)", r"\1", text)) for text in found)


class Events:
    """The events of a watch, put together from the chunks they come in."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._rest = bytearray()

    def fed(self, chunk: bytes) -> Iterator[tuple[str, Manifest]]:
        """The events that ``chunk`` completes. Raises the fault that an ERROR event means."""
        searched = len(self._rest)
        self._rest += chunk
        if self._rest.find(b"\n", searched) < 0:
            if len(self._rest) > LONGEST_EVENT:
                raise faults.BadAnswer(f"cannot {self._call}: an event without an end")
            return
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            if line.strip():
                yield self._event(line)

    def ended(self) -> None:
        """The server ended the watch: raises ``faults.Unreachable`` if it did so within an event."""
        if self._rest.strip():
            raise faults.Unreachable(f"cannot {self._call}: the connection was cut within an event")

    def _event(self, line: bytearray) -> tuple[str, Manifest]:
        try:
            event = json.loads(line)
            kind, manifest = event["type"], event["object"]
        except (ValueError, TypeError, KeyError) as error:
            raise faults.BadAnswer(
                f"cannot {self._call}: the server sent something that is no event"
            ) from error
        if not isinstance(kind, str) or not isinstance(manifest, dict):
            raise faults.BadAnswer(f"cannot {self._call}: the server sent an event of no object")
        if kind == "ERROR":
            code = manifest.get("code")
            raise fault(self._call, code if isinstance(code, int) else 500, manifest)
        _lighten(manifest)
        return kind, manifest


def _lighten(manifest: Any) -> None:
    metadata = manifest.get("metadata") if isinstance(manifest, dict) else None
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
