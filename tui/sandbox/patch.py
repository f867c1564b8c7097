"""Patches: JSON merge patch (RFC 7386), JSON patch (RFC 6902), and merging of core kinds."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from tui.sandbox.refusals import Refusal


def merge(target: Any, patch: Any) -> Any:
    """`target` after a JSON merge patch; neither argument is changed."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def strategic(target: Any, patch: Any) -> Any:
    """`target` after a strategic merge patch: lists of named objects are merged by name.

    That is what the core kinds served here need; directives (`$patch`) are refused.
    """
    if isinstance(patch, list) and isinstance(target, list) and _named(patch) and _named(target):
        changed = {one["name"]: one for one in patch}
        kept = [strategic(one, changed.pop(one["name"], {})) for one in target]
        return [*kept, *(copy.deepcopy(one) for one in patch if one["name"] in changed)]
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith("$"):
            raise _rejected()
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = strategic(merged.get(key), value)
    return merged


def _named(items: Sequence[Any]) -> bool:
    return all(isinstance(one, dict) and "name" in one for one in items)


def json_patch(target: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """`target` after a JSON patch; raises Refusal (422) when an operation does not apply."""
    document = copy.deepcopy(target)
    try:
        for one in operations:
            document = _operate(document, one)
    except (KeyError, IndexError, TypeError, ValueError):
        raise _rejected() from None
    return document


def _rejected() -> Refusal:
    """The genuine server keeps the reason to itself."""
    message = "the server rejected our request due to an error in our request"
    return Refusal(422, "Invalid", message, details={})


def _operate(document: Any, operation: Mapping[str, Any]) -> Any:
    path = _steps(operation["path"])
    match operation["op"]:
        case "test":
            if _at(document, path) != operation["value"]:
                raise ValueError(operation["path"])
        case "add" | "replace" as op:
            return _put(document, path, copy.deepcopy(operation["value"]), insert=op == "add")
        case "remove":
            _take(document, path)
        case "move":
            value = _take(document, _steps(operation["from"]))
            return _put(document, path, value, insert=True)
        case "copy":
            value = copy.deepcopy(_at(document, _steps(operation["from"])))
            return _put(document, path, value, insert=True)
        case other:
            raise ValueError(other)
    return document


def _steps(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise ValueError(pointer)
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _at(document: Any, path: Sequence[str]) -> Any:
    for step in path:
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def _put(document: Any, path: Sequence[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    holder, last = _at(document, path[:-1]), path[-1]
    if not isinstance(holder, list):
        holder[last] = value
    elif last == "-":
        holder.append(value)
    elif insert:
        at = int(last)
        if not 0 <= at <= len(holder):
            raise IndexError(at)
        holder.insert(at, value)
    else:
        holder[int(last)] = value
    return document


def _take(document: Any, path: Sequence[str]) -> Any:
    holder, last = _at(document, path[:-1]), path[-1]
    return holder.pop(int(last)) if isinstance(holder, list) else holder.pop(last)
