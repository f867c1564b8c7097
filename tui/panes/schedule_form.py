"""The fields of the schedule editor: their words, and the plugin's parameters as one line of text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from tui.cnpg.backup import Method

METHODS: Final = (
    (Method.PLUGIN.value, "plugin"),
    (Method.IN_TREE.value, "barmanObjectStore, deprecated"),
    (Method.VOLUME_SNAPSHOT.value, "volumeSnapshot"),
)
TARGETS: Final = (
    ("prefer-standby", "prefer-standby"),
    ("primary", "primary"),
    ("", "as the Cluster says"),
)
OWNERS: Final = (
    ("self", "self: deleted with it"),
    ("cluster", "cluster: with the Cluster"),
    ("none", "none: stay"),
)
FLAGS: Final = (("no", "no"), ("yes", "yes"))
MAYBE: Final = (("", "as the Cluster says"), ("yes", "yes"), ("no", "no"))


class BadParameters(ValueError):
    """The line of parameters cannot be read; the text says how to write it."""


def parameters(text: str) -> Mapping[str, str]:
    """``k=v,k2=v2`` as ``kubectl cnpg backup --plugin-parameters`` takes it, or a JSON object.

    Raises :class:`BadParameters`.
    """
    if text.strip().startswith("{"):
        return _from_json(text)
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise BadParameters(f"parameters are written name=value,name=value: {part!r} is not")
        found[name.strip()] = value.strip()
    return found


def _from_json(text: str) -> Mapping[str, str]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadParameters(f"the parameters are no JSON object: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadParameters("the parameters are no JSON object of texts")
    return found


def parameters_line(found: Mapping[str, str]) -> str:
    """The parameters as a line that :func:`parameters` reads back; JSON where commas would not do."""
    line = ",".join(f"{name}={value}" for name, value in found.items())
    try:
        same = parameters(line) == dict(found)
    except BadParameters:
        same = False
    return line if same else json.dumps(dict(found))


def flag(value: str) -> bool | None:
    """``yes`` and ``no`` as a boolean, ``""`` as unset."""
    return None if not value else value == "yes"


def flag_word(value: bool | None) -> str:
    """The value of a choice for a boolean."""
    return "" if value is None else "yes" if value else "no"
