"""The notation of schemas, and that what is written in it is what the genuine CRDs say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tui.sandbox import schema, schemas
from tui.sandbox.refusals import Cause
from tui.sandbox.schema import Rule, Schema

_BESIDE = Path(__file__).parents[3] / "shared/reference/crds"
_CRDS = Path(os.environ.get("CNPG_CRD_DIR", _BESIDE))
_KINDS = {
    "backups": "postgresql.cnpg.io_backups.yaml",
    "clusters": "postgresql.cnpg.io_clusters.yaml",
    "objectstores": "barmancloud.cnpg.io_objectstores.yaml",
    "scheduledbackups": "postgresql.cnpg.io_scheduledbackups.yaml",
}
_COMPARED = ("type", "default", "enum", "minimum", "minLength", "format")


def _parsed(text: str) -> Schema:
    rules = {"even": Rule(lambda value, _: value % 2 == 0, "must be even")}
    return schema.parse(text, {"pair": "left! string\nright string"}, rules)


def _wrong(text: str, value: Any, before: Any = None) -> list[str]:
    return [str(cause) for cause in schema.check(_parsed(text), value, before)]


def test_a_line_is_a_field_and_an_indented_one_a_field_within() -> None:
    parsed = _parsed("a!\n  b string =x in:x|y -- about b\nc []integer")

    assert parsed.required == ("a",)
    inner = parsed.fields["a"].fields["b"]
    assert (inner.type, inner.default, inner.choices) == ("string", "x", ("x", "y"))
    assert inner.about == "about b"
    assert parsed.fields["c"].element == Schema(type="integer")


def test_lists_and_maps_hold_objects_fragments_and_each_other() -> None:
    parsed = _parsed("a []\n  x string\nb {}<pair>\nc {}[]string")

    assert parsed.fields["a"].element == Schema(fields={"x": Schema(type="string")})
    assert parsed.fields["b"].element == _parsed("left! string\nright string")
    listed = parsed.fields["c"].element
    assert (parsed.fields["c"].type, listed and listed.type) == ("object", "array")


def test_a_word_nobody_knows_is_not_overlooked() -> None:
    with pytest.raises(ValueError, match="not a word of the schema notation: 'max:3'"):
        _parsed("a integer max:3")


@pytest.mark.parametrize(
    ("text", "value", "complaint"),
    [
        ("a! string", {}, "a: Required value"),
        ("a string", {"a": 5}, 'a: Invalid value: "integer": a in body must be of type string'),
        ("a boolean", {"a": "no"}, 'a: Invalid value: "string": a in body must be of type boolean'),
        ("a", {"a": []}, 'a: Invalid value: "array": a in body must be of type object'),
        ("a []string", {"a": ["x", 1]}, 'a[1]: Invalid value: "integer": a[1] in body must be'),
        ("a {}string", {"a": {"k": 1}}, 'a.k: Invalid value: "integer": a.k in body must be'),
        ("a string in:x|y", {"a": "z"}, 'a: Unsupported value: "z": supported values: "x", "y"'),
        ("a integer >=1", {"a": 0}, "a: Invalid value: 0: a in body should be greater than or"),
        ("a string len>=1", {"a": ""}, 'a: Invalid value: "": a in body should be at least 1'),
        ("a string ~^x$", {"a": "y"}, "a: Invalid value: \"y\": a in body should match '^x$'"),
        ("a string @date-time", {"a": "noon"}, 'a: Invalid value: "noon": a in body must be of'),
        ("a integer %even", {"a": 3}, "a: Invalid value: must be even"),
    ],
)
def test_what_is_wrong_is_said_as_apiextensions_says_it(
    text: str, value: Any, complaint: str
) -> None:
    assert _wrong(text, value)[0].startswith(complaint)


def test_rules_are_not_asked_of_what_has_the_wrong_shape() -> None:
    causes = schema.check(_parsed("a integer %even\nb string"), {"a": 3, "b": 3}, None)

    assert [cause.field for cause in causes] == ["b", "<nil>"]


def test_a_transition_rule_is_asked_of_changes_alone() -> None:
    frozen = Rule(lambda value, before: value == before, "is frozen", transition=True)
    parsed = schema.parse("a string %frozen", {}, {"frozen": frozen})

    assert schema.check(parsed, {"a": "x"}, None) == []
    assert schema.check(parsed, {"a": "x"}, {"a": "x"}) == []
    assert schema.check(parsed, {"a": "y"}, {"a": "x"}) == [
        Cause("FieldValueInvalid", "a", "Invalid value: is frozen")
    ]


def test_unknown_fields_are_pruned_and_told() -> None:
    value = {"a": {"b": "kept", "c": 1}, "d": [{"x": "", "y": ""}], "e": {"free": 1}, "f": 1}

    unknown = schema.prune(_parsed("a\n  b string\nd []\n  x string\ne any"), value)

    assert unknown == ["a.c", "d[0].y", "f"]
    assert value == {"a": {"b": "kept"}, "d": [{"x": ""}], "e": {"free": 1}}


def test_defaults_fill_what_is_absent_where_there_is_something_to_fill() -> None:
    value: dict[str, Any] = {"a": {"c": None}, "l": [{}]}

    schema.fill(
        _parsed('a\n  b integer =1\n  c string =""\nz\n  y integer =2\nl []\n  m string =n'), value
    )

    assert value == {"a": {"b": 1, "c": ""}, "l": [{"m": "n"}]}


def _told(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """What an OpenAPI schema says, by path; descriptions aside."""
    yield path, {key: node[key] for key in _COMPARED if key in node}
    yield f"{path}!", sorted(node.get("required", []))
    for key, below in node.get("properties", {}).items():
        yield from _told(below, f"{path}.{key}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from _told(node[key], f"{path}[]")


@pytest.mark.parametrize("plural", _KINDS)
@pytest.mark.skipif(
    not _CRDS.is_dir(), reason="no CRDs to compare with: set CNPG_CRD_DIR to their directory"
)
def test_our_description_agrees_with_the_genuine_crd(plural: str) -> None:
    document = yaml.safe_load((_CRDS / _KINDS[plural]).read_text())
    genuine = dict(_told(document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]))
    described = schemas.of(plural)
    assert described is not None
    ours = dict(_told(schema.openapi(described)))
    opaque = tuple(path for path, said in ours.items() if said == {} and path)

    def within(path: str) -> bool:
        return any(
            path == root or path.startswith((f"{root}.", f"{root}[", f"{root}!")) for root in opaque
        )

    assert {path for path in ours if path not in genuine} == set()
    assert {path for path in genuine if path not in ours and not within(path)} == set()
    assert {
        path: (said, genuine[path])
        for path, said in ours.items()
        if said != genuine[path] and not within(path)
    } == {}
