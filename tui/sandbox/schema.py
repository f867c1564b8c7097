"""Schemas of custom resources in a notation of one line a field, and what an API server does with them.

A line is `NAME TYPE WORDS`, children are indented beneath it:

    spec!                                  an object, required
      instances! integer =1 >=1            required, a default, a minimum
      method string =plugin in:plugin|foo  a default, an enum
      names []string                       a list; a map is {}string; of objects: [] or {}
      times {}string @date-time            the format is that of the elements
      path string len>=1                   a minimal length; ~REGEX is a pattern, @date-time a format
      blob any                             whatever it holds is kept
      key <secret-key>                     a fragment declared elsewhere
      spec! %immutable                     a rule, as CEL would state it

Pruning, defaulting and validation follow k8s.io/apiextensions-apiserver; so do the texts.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tui.sandbox.refusals import Cause

_ABSENT: Any = object()
_JSON_NAMES: Mapping[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}
_KIND = re.compile(r"(\[\]|\{\})*(<[a-z0-9-]+>|string|integer|number|boolean|any)?")
_BLOCKING = ("FieldValueNotSupported", "FieldValueRequired", "FieldValueTypeInvalid")
_UNCHECKED = Cause(
    "FieldValueInvalid",
    "<nil>",
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What CEL checks in the genuine CRD: a test of a value and the value before (None at first)."""

    holds: Callable[[Any, Any], bool]
    message: str
    forbids: str = ""
    """the field beneath the value that is complained about, as Forbidden instead of Invalid"""
    forbidden: bool = False
    transition: bool = False
    """only asked when there was a value before"""


@dataclass(frozen=True, slots=True)
class Schema:
    """The shape of one value."""

    type: str = "object"
    fields: Mapping[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    element: Schema | None = None
    """of a list, or of a map's values"""
    default: Any = _ABSENT
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    min_length: int | None = None
    pattern: str = ""
    format: str = ""
    rules: tuple[Rule, ...] = ()
    about: str = ""

    @property
    def ruled(self) -> bool:
        """Whether a rule is stated here or beneath."""
        beneath = [*self.fields.values(), *([self.element] if self.element else [])]
        return bool(self.rules) or any(one.ruled for one in beneath)


# Reading the notation.


def parse(text: str, fragments: Mapping[str, str], rules: Mapping[str, Rule]) -> Schema:
    """The schema a text describes; `fragments` and `rules` are what it may name."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    fields, required, rest = _block(lines, _indent(lines[0]), fragments, rules)
    if rest:
        raise ValueError(f"not indented like its neighbours: {rest[0]!r}")
    return Schema(fields=fields, required=required)


def _block(
    lines: list[str], depth: int, fragments: Mapping[str, str], rules: Mapping[str, Rule]
) -> tuple[dict[str, Schema], tuple[str, ...], list[str]]:
    fields: dict[str, Schema] = {}
    required: list[str] = []
    while lines and _indent(lines[0]) == depth:
        line, lines = lines[0], lines[1:]
        children: Schema | None = None
        if lines and _indent(lines[0]) > depth:
            inner, needed, lines = _block(lines, _indent(lines[0]), fragments, rules)
            children = Schema(fields=inner, required=needed)
        said, _, about = line.strip().partition(" -- ")
        name, *words = said.split()
        if name.endswith("!"):
            name = name[:-1]
            required.append(name)
        schema = _value(words, children, fragments, rules)
        fields[name] = dataclasses.replace(schema, about=about)
    return fields, tuple(required), lines


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _value(
    words: list[str],
    children: Schema | None,
    fragments: Mapping[str, str],
    rules: Mapping[str, Rule],
) -> Schema:
    kind = words.pop(0) if words and _KIND.fullmatch(words[0]) else ""
    bare = kind.lstrip("[]{}")
    if bare.startswith("<"):
        schema = parse(fragments[bare[1:-1]], fragments, rules)
    else:
        schema = children or Schema(type=bare or "object")
    limits = _limits(words, rules)
    containers = kind.removesuffix(bare)
    if containers:
        schema = dataclasses.replace(schema, format=limits.pop("format", ""))
    for at in range(len(containers) - 2, -1, -2):
        is_list = containers[at] == "["
        schema = Schema(type="array" if is_list else "object", element=schema)
    return dataclasses.replace(schema, **limits)


def _limits(words: list[str], rules: Mapping[str, Rule]) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    for word in words:
        match word[0], word:
            case "=", _:
                limits["default"] = _literal(word[1:])
            case "~", _:
                limits["pattern"] = word[1:]
            case "@", _:
                limits["format"] = word[1:]
            case "%", _:
                limits["rules"] = (*limits.get("rules", ()), rules[word[1:]])
            case ">", _:
                limits["minimum"] = int(word.removeprefix(">="))
            case _ if word.startswith("in:"):
                limits["choices"] = tuple(word.removeprefix("in:").split("|"))
            case _ if word.startswith("len>="):
                limits["min_length"] = int(word.removeprefix("len>="))
            case _:
                raise ValueError(f"not a word of the schema notation: {word!r}")
    return limits


def _literal(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


# What is done with values. These change their argument: a manifest on its way to the store.


def prune(schema: Schema, value: Any, path: str = "") -> list[str]:
    """Remove every field the schema does not know; gives their paths, sorted."""
    unknown: list[str] = []
    if schema.type == "any":
        return unknown
    if schema.element is not None:
        items: Iterator[tuple[Any, Any]] = iter(())
        if isinstance(value, list):
            items = ((f"[{at}]", one) for at, one in enumerate(value))
        elif isinstance(value, dict):
            items = ((f".{key}", one) for key, one in value.items())
        for step, one in items:
            unknown += prune(schema.element, one, f"{path}{step}")
    elif isinstance(value, dict) and schema.type == "object":
        for name in list(value):
            here = f"{path}.{name}" if path else name
            if name in schema.fields:
                unknown += prune(schema.fields[name], value[name], here)
            else:
                del value[name]
                unknown.append(here)
    return sorted(unknown)


def drop_nulls(schema: Schema, value: Any) -> None:
    """Remove nulls: no field here may be null, and one that is counts as absent."""
    if isinstance(value, dict):
        for name in [name for name in schema.fields if name in value and value[name] is None]:
            del value[name]
    for inner, one in _children(schema, value):
        drop_nulls(inner, one)


def fill(schema: Schema, value: Any) -> None:
    """Add defaults for what is absent (or null) in objects that are there."""
    if isinstance(value, dict):
        for name, inner in schema.fields.items():
            if value.get(name) is None and inner.default is not _ABSENT:
                value[name] = json.loads(json.dumps(inner.default))
    for inner, one in _children(schema, value):
        fill(inner, one)


def _children(schema: Schema, value: Any) -> Iterator[tuple[Schema, Any]]:
    """The values within a value, each with its schema."""
    if schema.element is not None:
        items = value.values() if isinstance(value, dict) else value
        for one in items if isinstance(value, (dict, list)) else ():
            yield schema.element, one
    elif isinstance(value, dict):
        for name, inner in schema.fields.items():
            if name in value:
                yield inner, value[name]


def check(schema: Schema, value: Any, before: Any, *, door: str = "") -> list[Cause]:
    """Everything wrong with an object; rules are only asked of one they can make sense of.

    `before` is the object it replaces, or None. `door` is the subresource it came by, whose name
    the genuine server leaves out inside its sentences.
    """
    causes = list(_shape(schema, value, "", f"{door}." if door else ""))
    if not any(cause.reason in _BLOCKING for cause in causes):
        return [*causes, *_rules(schema, value, before, "")]
    return [*causes, _UNCHECKED] if schema.ruled else causes


def _shape(schema: Schema, value: Any, path: str, cut: str) -> Iterator[Cause]:
    name = _JSON_NAMES[type(value)]
    fits = schema.type in ("any", name) or (schema.type, name) == ("number", "integer")
    if not fits:
        said = path.removeprefix(cut)
        text = f'Invalid value: "{name}": {said} in body must be of type {schema.type}: "{name}"'
        yield Cause("FieldValueTypeInvalid", path, text)
        yield from _unsupported(schema, value, path)
    elif isinstance(value, (dict, list)):
        yield from _inside(schema, value, path, cut)
    else:
        yield from _unsupported(schema, value, path)
        yield from _limited(schema, value, path, cut)


def _unsupported(schema: Schema, value: Any, path: str) -> Iterator[Cause]:
    if schema.choices and value not in schema.choices:
        known = ", ".join(f'"{one}"' for one in schema.choices)
        text = f"Unsupported value: {json.dumps(value)}: supported values: {known}"
        yield Cause("FieldValueNotSupported", path, text)


def _inside(schema: Schema, value: Any, path: str, cut: str) -> Iterator[Cause]:
    if schema.element is not None:
        pairs = enumerate(value) if isinstance(value, list) else value.items()
        for key, one in pairs:
            step = f"[{key}]" if isinstance(value, list) else f".{key}"
            yield from _shape(schema.element, one, f"{path}{step}", cut)
        return
    for name in schema.required:
        if name not in value:
            yield Cause("FieldValueRequired", _join(path, name), "Required value")
    for name, inner in schema.fields.items():
        if name in value:
            yield from _shape(inner, value[name], _join(path, name), cut)


def _limited(schema: Schema, value: Any, path: str, cut: str) -> Iterator[Cause]:
    def invalid(why: str, reason: str = "FieldValueInvalid") -> Cause:
        shown, said = json.dumps(value, ensure_ascii=False), path.removeprefix(cut)
        return Cause(reason, path, f"Invalid value: {shown}: {said} in body {why}")

    if schema.minimum is not None and value < schema.minimum:
        yield invalid(f"should be greater than or equal to {schema.minimum}")
    if schema.min_length is not None and len(value) < schema.min_length:
        yield invalid(f"should be at least {schema.min_length} chars long")
    if schema.pattern and not re.search(schema.pattern, value):
        yield invalid(f"should match '{schema.pattern}'")
    if schema.format == "date-time" and not _is_moment(value):
        yield invalid(f'must be of type date-time: "{value}"', "FieldValueTypeInvalid")


def _is_moment(text: str) -> bool:
    try:
        return "T" in text and dt.datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _rules(schema: Schema, value: Any, before: Any, path: str) -> Iterator[Cause]:
    for rule in schema.rules:
        if (rule.transition and before is None) or rule.holds(value, before):
            continue
        where = _join(path, rule.forbids) if rule.forbids else path
        if rule.forbidden:
            yield Cause("FieldValueForbidden", where, f"Forbidden: {rule.message}")
        else:
            yield Cause("FieldValueInvalid", where, f"Invalid value: {rule.message}")
    for name, inner in schema.fields.items():
        if isinstance(value, dict) and name in value:
            then = before.get(name) if isinstance(before, dict) else None
            yield from _rules(inner, value[name], then, _join(path, name))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def openapi(schema: Schema) -> dict[str, Any]:
    """The schema as OpenAPI v3 publishes it."""
    if schema.type == "any":
        return {"description": schema.about, "x-kubernetes-preserve-unknown-fields": True}
    told: dict[str, Any] = {"type": schema.type}
    if schema.about:
        told["description"] = schema.about
    if schema.element is not None:
        key = "items" if schema.type == "array" else "additionalProperties"
        told[key] = openapi(schema.element)
    if schema.fields:
        told["properties"] = {name: openapi(inner) for name, inner in schema.fields.items()}
    if schema.required:
        told["required"] = list(schema.required)
    if schema.default is not _ABSENT:
        told["default"] = schema.default
    if schema.choices:
        told["enum"] = list(schema.choices)
    told |= {
        key: given
        for key, given in (
            ("minimum", schema.minimum),
            ("minLength", schema.min_length),
            ("pattern", schema.pattern or None),
            ("format", schema.format or None),
        )
        if given is not None
    }
    return told
