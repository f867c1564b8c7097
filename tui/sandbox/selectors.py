"""Label and field selectors, as k8s.io/apimachinery parses and matches them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tui.sandbox.objects import Stored
from tui.sandbox.refusals import bad_request
from tui.sandbox.resources import Resource

_SET = re.compile(r"(?P<key>[^\s!=<>(),]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUALITY = re.compile(r"(?P<key>[^\s!=<>(),]+)\s*(?P<op>!=|==|=)\s*(?P<value>[^\s!=<>(),]*)")
_ORDER = re.compile(r"(?P<key>[^\s!=<>(),]+)\s*(?P<op>[<>])\s*(?P<value>\d+)")
_PRESENCE = re.compile(r"(?P<absent>!\s*)?(?P<key>[^\s!=<>(),]+)")
_COMMA = re.compile(r",(?![^(]*\))")

Requirement = Callable[[Mapping[str, str]], bool]
"""One term of a label selector, as a test of labels."""


def labels(selector: str) -> tuple[Requirement, ...]:
    """The terms of a label selector; raises Refusal (400) for one that cannot be read."""
    terms = [term.strip() for term in _COMMA.split(selector)] if selector.strip() else []
    return tuple(_requirement(term) for term in terms)


def _requirement(term: str) -> Requirement:
    """`!=` and `notin` hold where the key is absent, `<` and `>` do not."""
    if found := _SET.fullmatch(term):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return _among(found["key"], values, negated=found["op"] == "notin")
    if found := _EQUALITY.fullmatch(term):
        return _among(found["key"], frozenset({found["value"]}), negated=found["op"] == "!=")
    if found := _ORDER.fullmatch(term):
        return _beyond(found["key"], int(found["value"]), above=found["op"] == ">")
    if found := _PRESENCE.fullmatch(term):
        key, wanted = found["key"], found["absent"] is None
        return lambda held: (key in held) is wanted
    words = term.split()
    if len(words) > 1:
        expected = "in, notin, =, ==, !=, gt, lt"
        raise bad_request(f"unable to parse requirement: found '{words[1]}', expected: {expected}")
    raise bad_request(f"found '{term}', expected: !, identifier, or 'end of string'")


def _among(key: str, values: frozenset[str], *, negated: bool) -> Requirement:
    return lambda held: (key in held and held[key] in values) is not negated


def _beyond(key: str, limit: int, *, above: bool) -> Requirement:
    def holds(held: Mapping[str, str]) -> bool:
        try:
            number = int(held[key])
        except (KeyError, ValueError):
            return False
        return number > limit if above else number < limit

    return holds


def fields(selector: str, resource: Resource) -> tuple[tuple[str, str, bool], ...]:
    """The terms of a field selector: field, value, whether equal.

    Raises Refusal (400) for a field this resource cannot be selected by.
    """
    terms = []
    for term in filter(None, selector.split(",")):
        found = re.match(r"^([^=!]+)(!=|==|=)(.*)$", term)
        if found is None:
            raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
        name, operator, value = found.groups()
        if name not in ("metadata.name", "metadata.namespace", *resource.selectable):
            raise bad_request(f"field label not supported: {name}")
        terms.append((name, value, operator != "!="))
    return tuple(terms)


def matcher(
    label_selector: str, field_selector: str, resource: Resource
) -> Callable[[Stored], bool] | None:
    """A test for both selectors together; None when everything matches."""
    wanted = labels(label_selector)
    terms = fields(field_selector, resource)
    if not wanted and not terms:
        return None

    def matches(stored: Stored) -> bool:
        return all(holds(stored.labels) for holds in wanted) and all(
            (_value(stored, name) == value) is equal for name, value, equal in terms
        )

    return matches


def _value(stored: Stored, name: str) -> str:
    if name == "metadata.name":
        return stored.name
    if name == "metadata.namespace":
        return stored.namespace
    here: Any = stored.manifest()
    for part in name.split("."):
        here = here.get(part) if isinstance(here, dict) else None
    return "" if here is None else str(here)
