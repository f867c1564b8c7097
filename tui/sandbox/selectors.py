"""Label and field selectors, as k8s.io/apimachinery parses and matches them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tui.sandbox.objects import Stored
from tui.sandbox.refusals import bad_request
from tui.sandbox.resources import Resource

_SET = re.compile(r"^(?P<key>[^\s!=(),]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)$")
_EQUALITY = re.compile(r"^(?P<key>[^\s!=(),]+)\s*(?P<op>!=|==|=)\s*(?P<value>[^\s!=(),]*)$")
_PRESENCE = re.compile(r"^(?P<absent>!\s*)?(?P<key>[^\s!=(),]+)$")
_COMMA = re.compile(r",(?![^(]*\))")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a label selector: the key's value is (or is not) among `values`.

    `values` of None asks for the key alone.
    """

    key: str
    values: frozenset[str] | None
    negated: bool = False

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy the term; `!=` and `notin` hold where the key is absent."""
        if self.values is None:
            return (self.key in labels) is not self.negated
        found = self.key in labels and labels[self.key] in self.values
        return found is not self.negated


def labels(selector: str) -> tuple[Requirement, ...]:
    """The terms of a label selector; raises Refusal (400) for one that cannot be read."""
    terms = [term.strip() for term in _COMMA.split(selector)] if selector.strip() else []
    return tuple(_requirement(term, selector) for term in terms)


def _requirement(term: str, selector: str) -> Requirement:
    if found := _SET.match(term):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(found["key"], values, negated=found["op"] == "notin")
    if found := _EQUALITY.match(term):
        return Requirement(found["key"], frozenset({found["value"]}), negated=found["op"] == "!=")
    if found := _PRESENCE.match(term):
        return Requirement(found["key"], None, negated=found["absent"] is not None)
    raise bad_request(
        f"unable to parse requirement: found '{term}', expected: identifier in \"{selector}\""
    )


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
            told = (
                "field label not supported" if resource.custom else "is not a known field selector"
            )
            raise bad_request(
                f"{told}: {name}"
                if resource.custom
                else f'"{name}" {told}: only "metadata.name", "metadata.namespace"'
            )
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
        return all(one.holds(stored.labels) for one in wanted) and all(
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
