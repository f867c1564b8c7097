"""Bodies of writing requests: read, recognised, checked field by field, before anything is done."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tui.sandbox import protobuf, schema, schemas
from tui.sandbox.exchange import Call
from tui.sandbox.objects import Manifest
from tui.sandbox.refusals import (
    Cause,
    Refusal,
    bad_request,
    invalid,
    unsupported_media_type,
)
from tui.sandbox.resources import Resource

_READ = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_METADATA = frozenset(
    (
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    )
)
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME, _LONGEST_PART = 253, 63
_NAME_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_NAME_PART_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


class _Yaml(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a date stays the text it is."""


_Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if not tag.endswith(":timestamp")]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class Options:
    """What CreateOptions, UpdateOptions and PatchOptions say."""

    dry_run: bool
    validation: str
    """Strict, Warn or Ignore"""
    manager: str
    """who writes, for managedFields"""


def options(call: Call, kind: str) -> Options:
    """The options of a write, from the query; raises Refusal (422). `kind` is as `CreateOptions`."""
    validation = call.query.get("fieldValidation", "") or "Warn"
    causes = dry_run_causes([call.query["dryRun"]] if call.query.get("dryRun") else [])
    if validation not in ("Strict", "Warn", "Ignore"):
        text = (
            f'Unsupported value: "{validation}": supported values: "", "Ignore", "Strict", "Warn"'
        )
        causes.append(Cause("FieldValueNotSupported", "fieldValidation", text))
    if kind == "PatchOptions":
        causes += _patch_causes(call)
    if causes:
        raise invalid("meta.k8s.io", kind, "", causes)
    agent = call.headers.get("User-Agent", "").partition("/")[0] or "unknown"
    return Options(
        bool(call.query.get("dryRun")), validation, call.query.get("fieldManager") or agent
    )


def dry_run_causes(given: Sequence[str]) -> list[Cause]:
    """What is wrong with the values of dryRun: only `All` is known."""
    if all(one == "All" for one in given):
        return []
    text = f'Unsupported value: {json.dumps(list(given))}: supported values: "All"'
    return [Cause("FieldValueNotSupported", "dryRun", text)]


def _patch_causes(call: Call) -> list[Cause]:
    if is_apply(call):
        if call.query.get("fieldManager"):
            return []
        return [
            Cause(
                "FieldValueRequired", "fieldManager", "Required value: is required for apply patch"
            )
        ]
    if "force" not in call.query:
        return []
    return [
        Cause("FieldValueForbidden", "force", "Forbidden: may not be specified for non-apply patch")
    ]


def is_apply(call: Call) -> bool:
    """Whether the body is a server-side apply."""
    return call.content_type in ("application/apply-patch+yaml", "application/apply-patch")


def parse_yaml(body: bytes) -> Any:
    """A YAML or JSON document; raises Refusal (400)."""
    try:
        return yaml.load(body, _Yaml)  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as why:
        raise bad_request(
            f"error decoding YAML: error converting YAML to JSON: yaml: {why}"
        ) from None


def manifest(call: Call) -> tuple[Manifest, list[str]]:
    """The object in a request's body, and the paths of fields it names twice; raises Refusal."""
    kind = call.resource.kind
    found, twice = _read(call)
    unrecognised = f"the object provided is unrecognized (must be of type {kind}): "
    if not isinstance(found, dict):
        raise bad_request(
            f"{unrecognised}couldn't get version/kind; json parse error: not an object"
        )
    text = call.body.decode(errors="replace")
    for name, said in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        if not found.get(name):
            raise bad_request(f"{unrecognised}Object '{said}' is missing in '{text}'")
    recognise(call.resource, found)
    return found, twice


def token_request(call: Call) -> Manifest:
    """The body of a request for a token, empty if there is none; raises Refusal."""
    found, _ = _read(call) if call.body else ({}, [])
    return found if isinstance(found, dict) else {}


def _read(call: Call) -> tuple[Any, list[str]]:
    match call.content_type:
        case "application/yaml":
            return parse_yaml(call.body), []
        case "" | "application/json":
            return _json(call)
        case "application/vnd.kubernetes.protobuf":
            found = protobuf.decode(call.body)
            if found is not None:
                return found, []
    raise unsupported_media_type(_READ)


class _Pairs(dict[str, Any]):
    """A JSON object that remembers which names it was given twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.repeated = sorted({name for name in names if names.count(name) > 1})


def _json(call: Call) -> tuple[Any, list[str]]:
    try:
        found = json.loads(call.body)
    except ValueError as why:
        raise bad_request(
            f"the object provided is unrecognized (must be of type {call.resource.kind}): "
            f"couldn't get version/kind; json parse error: {why}"
        ) from None
    return found, list(_repeated(json.loads(call.body, object_pairs_hook=_Pairs), ""))


def _repeated(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        yield from (f"{path}{name}" for name in value.repeated)
        for name, inner in value.items():
            yield from _repeated(inner, f"{path}{name}.")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _repeated(inner, f"{path.removesuffix('.')}[{at}].")


def recognise(resource: Resource, found: Manifest) -> None:
    """Raise Refusal (400, 422) unless this is an object of `resource` with readable metadata."""
    if found["apiVersion"] != resource.api_version:
        raise bad_request(
            f"the API version in the data ({found['apiVersion']}) does not match the expected API "
            f"version ({resource.api_version})"
        )
    meta = found.setdefault("metadata", {})
    if found["kind"] != resource.kind:
        cause = Cause(
            "FieldValueInvalid",
            "kind",
            f'Invalid value: "{found["kind"]}": must be {resource.kind}',
        )
        name = meta.get("name", "") if isinstance(meta, dict) else ""
        raise invalid(resource.group, found["kind"], name, [cause])
    for problem in _unreadable(meta):
        raise unhandled(resource, f"json: cannot unmarshal {problem}")


def _unreadable(meta: Any) -> Iterator[str]:
    if not isinstance(meta, dict):
        yield f"{_go(meta)} into Go struct field .metadata of type v1.ObjectMeta"
        return
    for name in ("name", "namespace", "generateName", "uid", "resourceVersion"):
        if not isinstance(meta.get(name, ""), (str, type(None))):
            yield f"{_go(meta[name])} into Go struct field ObjectMeta.{name} of type string"
    for name in ("labels", "annotations"):
        held = meta.get(name) or {}
        if not isinstance(held, dict):
            yield f"{_go(held)} into Go struct field ObjectMeta.{name} of type map[string]string"
            continue
        for value in held.values():
            if not isinstance(value, str):
                yield f"{_go(value)} into Go struct field ObjectMeta.{name} of type string"


def _go(value: Any) -> str:
    names: dict[type, str] = {bool: "bool", list: "array", dict: "object", str: "string"}
    return names.get(type(value), "number")


def unhandled(resource: Resource, why: str) -> Refusal:
    """400 for a body of the right kind that cannot be read as such."""
    return bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a '
        f"{resource.kind}: {why}"
    )


def conform(
    resource: Resource,
    found: Manifest,
    twice: Sequence[str],
    wanted: Options,
    warn: Callable[[str], None],
    *,
    strict: Callable[[str], Refusal] | None = None,
    keep_nulls: bool = False,
) -> None:
    """Drop nulls and fields nobody knows, complain about those as asked, and fill in defaults.

    Raises Refusal: 400, or what `strict` makes of the complaint.
    """
    problems = [f'duplicate field "{path}"' for path in twice]
    known = schemas.of(resource.plural) if resource.custom else None
    unknown = [f"metadata.{name}" for name in found["metadata"] if name not in _METADATA]
    for path in unknown:
        del found["metadata"][path.removeprefix("metadata.")]
    if known is not None:
        unknown += schema.prune(known, found)
    problems += [f'unknown field "{path}"' for path in sorted(unknown)]
    if problems and wanted.validation == "Strict":
        why = f"strict decoding error: {', '.join(problems)}"
        raise strict(why) if strict else unhandled(resource, why)
    if wanted.validation == "Warn":
        for problem in problems:
            warn(problem)
    if known is not None:
        if not keep_nulls:
            schema.drop_nulls(known, found)
        schema.fill(known, found)


def undeclared(resource: Resource, found: Manifest) -> list[str]:
    """The paths of fields the resource's schema does not know."""
    known = schemas.of(resource.plural) if resource.custom else None
    return schema.prune(known, copy.deepcopy(found)) if known is not None else []


def check(resource: Resource, found: Manifest, before: Manifest | None, door: str) -> list[Cause]:
    """Everything wrong with an object about to be stored; `door` is the subresource it came by."""
    causes = list(_metadata_causes(found["metadata"]))
    known = schemas.of(resource.plural) if resource.custom else None
    if known is not None:
        causes += schema.check(known, found, before, door=door)
    return causes


def _metadata_causes(meta: Manifest) -> Iterator[Cause]:
    name = meta.get("name") or ""
    if not name:
        text = "Required value: name or generateName is required"
        yield Cause("FieldValueRequired", "metadata.name", text)
    elif not _SUBDOMAIN.fullmatch(name):
        yield _wrong("metadata.name", name, _SUBDOMAIN_TEXT)
    elif len(name) > _LONGEST_NAME:
        yield _wrong("metadata.name", name, f"must be no more than {_LONGEST_NAME} bytes")
    for field in ("labels", "annotations"):
        for key in meta.get(field) or {}:
            yield from _key_causes(f"metadata.{field}", key)
    for value in (meta.get("labels") or {}).values():
        if value and not _NAME_PART.fullmatch(value):
            yield _wrong("metadata.labels", value, _LABEL_TEXT)
        elif len(value) > _LONGEST_PART:
            yield _wrong("metadata.labels", value, f"must be no more than {_LONGEST_PART} bytes")


def _key_causes(field: str, key: str) -> Iterator[Cause]:
    """What is wrong with the name of a label or annotation."""
    prefix, _, part = key.rpartition("/")
    if not _NAME_PART.fullmatch(part):
        yield _wrong(field, key, _NAME_PART_TEXT)
    elif len(part) > _LONGEST_PART:
        yield _wrong(field, key, f"name part must be no more than {_LONGEST_PART} bytes")
    if prefix and not _SUBDOMAIN.fullmatch(prefix):
        yield _wrong(field, key, f"prefix part {_SUBDOMAIN_TEXT}")


def _wrong(field: str, value: str, why: str) -> Cause:
    return Cause("FieldValueInvalid", field, f'Invalid value: "{value}": {why}')
