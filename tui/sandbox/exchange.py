"""One request and its answer, freed from the HTTP library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tui.sandbox.access import User
from tui.sandbox.objects import encode
from tui.sandbox.resources import Resource
from tui.sandbox.routes import Target, truthy


@dataclass(slots=True)
class Call:
    """A request about a resource, from somebody who may make it."""

    method: str
    target: Target
    resource: Resource
    user: User
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    warnings: list[str] = field(default_factory=list)
    """sentences for the Warning header, gathered on the way"""

    @property
    def accept(self) -> str:
        """The media types the caller wants, as sent."""
        return self.headers.get("Accept", "")

    @property
    def content_type(self) -> str:
        """The media type of the body, without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def flag(self, name: str) -> bool:
        """A query parameter read as yes or no."""
        return truthy(self.query.get(name, ""))


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer; streams are not answers."""

    code: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(value: Any, code: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(code, encode(value))
