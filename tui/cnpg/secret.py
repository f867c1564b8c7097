"""A Secret as far as it concerns us: which keys it has, and which values cannot open a store.

A value is looked at while it is read and never kept.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tui import words
from tui.cnpg import manifest
from tui.cnpg.manifest import Key, Manifest
from tui.cnpg.store import Configuration, SecretKey


@dataclass(frozen=True, slots=True)
class Secret:
    """The keys of one Secret. Those in none of the last three have a value that may be good."""

    key: Key
    keys: frozenset[str]
    empty: frozenset[str]
    """Keys whose value is empty or blank."""
    blank_ends: frozenset[str]
    """Keys whose value begins or ends with a blank or a newline."""
    not_text: frozenset[str]

    def trouble(self, name: str, *, lines: bool = False) -> str:
        """What is wrong with the value under this key, ``""`` if nothing; ``lines``: it is a text."""
        where, key = f"Secret {words.clean(str(self.key))}", words.clean(name)
        if name not in self.keys:
            return f"{where} has no key {key}, which the ObjectStore names"
        if name in self.not_text:
            return f"{where}: the value of {key} is not text"
        if name in self.empty:
            return f"{where}: the value of {key} is empty"
        if name in self.blank_ends and not lines:
            return (
                f"{where}: the value of {key} begins or ends with a blank or a newline, which the "
                "sidecar sends as it is and the store refuses. Write it with printf, not echo"
            )
        return ""


def read(key: Key, source: Manifest) -> Secret:
    """What there is to know of a Secret. Never raises: a value that is odd is no text."""
    found = manifest.get(source, "data")
    data: Mapping[str, object] = found if isinstance(found, Mapping) else {}
    values = {name: decoded(value) for name, value in data.items()}
    texts = {name: value for name, value in values.items() if value is not None}
    return Secret(
        key=key,
        keys=frozenset(values),
        empty=frozenset(name for name, value in texts.items() if not value.strip()),
        blank_ends=frozenset(name for name, value in texts.items() if value != value.strip()),
        not_text=frozenset(values.keys() - texts.keys()),
    )


def decoded(value: object) -> str | None:
    """A value of ``data`` as text, None if it is none. Without a cause: its text would hold a part."""
    if not isinstance(value, str):
        return None
    try:
        return base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None


def named(configuration: Configuration) -> Iterator[SecretKey]:
    """The keys an ObjectStore takes from Secrets as one word each: all but the store's CA."""
    found = configuration.s3_credentials
    if found is None:
        return
    if not found.inherit_from_iam_role:
        for each in (found.access_key_id, found.secret_access_key, found.session_token):
            if each is not None:
                yield each
    if found.region is not None:
        yield found.region
