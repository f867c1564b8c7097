"""Who owns which field: metadata.managedFields, and server-side apply over it.

After sigs.k8s.io/structured-merge-diff, with one simplification: every list is owned as a whole, as
lists of these custom resources are unless their schema says otherwise.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tui.sandbox.objects import Manifest
from tui.sandbox.refusals import Refusal

Path = tuple[str, ...]

_SERVER_SET = frozenset(
    ("metadata", name)
    for name in (
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "name",
        "namespace",
        "resourceVersion",
        "selfLink",
        "uid",
    )
)
_NODE: Any = object()
"""stands for an object with fields of its own where only leaves are compared"""
_ABSENT: Any = object()


@dataclass(frozen=True, slots=True, order=True)
class Manager:
    """Somebody who writes fields, in one way, through one door."""

    name: str
    operation: str
    """Apply or Update"""
    api_version: str
    subresource: str = ""

    def __str__(self) -> str:
        told = f'"{self.name}"'
        if self.subresource:
            told += f' with subresource "{self.subresource}"'
        return f"{told} using {self.api_version}" if self.operation == "Update" else told


@dataclass(slots=True)
class _Share:
    fields: set[Path]
    time: str


def track(
    before: Manifest | None, after: Manifest, manager: Manager, now: str, *, doors: bool
) -> None:
    """Note in `after` what an ordinary write changed: `manager` owns it now.

    `doors` tells whether status has a door of its own. Objects without any managedFields stay so:
    tracking begins at creation or with the first apply.
    """
    meta = after["metadata"]
    # A writer may hand in other owners, and [{}] to have them all forgotten.
    shares = _read(after if meta.get("managedFields") else before)
    meta.pop("managedFields", None)
    if before is not None and not shares:
        return
    old = _flat(before or {}, manager, doors=doors)
    new = _flat(after, manager, doors=doors)
    touched = {
        path
        for path, value in new.items()
        if old.get(path, _ABSENT) != value and not _both_objects(old.get(path), value)
    }
    lost = old.keys() - new.keys()
    if touched or lost:
        for other, share in shares.items():
            share.fields -= lost if other == manager else lost | touched
        mine = shares.setdefault(manager, _Share(set(), now))
        if touched - mine.fields or before is None:
            mine.time = now
        mine.fields |= touched
    _write(meta, shares)


def apply(
    live: Manifest | None,
    applied: Manifest,
    manager: Manager,
    now: str,
    *,
    force: bool,
    doors: bool,
) -> Manifest:
    """The object after a server-side apply; raises Refusal (409) when fields have other owners."""
    wanted = {
        path: value
        for path, value in _flat(applied, manager, doors=doors).items()
        if value is not _NODE
    }
    shares = _read(live) if live else {}
    if live and not shares:
        first = Manager("before-first-apply", "Update", manager.api_version)
        shares[first] = _Share(set(_flat(live, first, doors=doors)), now)
    _settle(live, wanted, shares, manager, force=force)
    merged = copy.deepcopy(live) if live else {"metadata": {}}
    before = shares.get(manager, _Share(set(), ""))
    others = set().union(*(share.fields for one, share in shares.items() if one != manager))
    _withdraw(merged, before.fields, others | wanted.keys())
    for path, value in wanted.items():
        if not _agrees(_get(merged, path), value):
            _set(merged, path, copy.deepcopy(value))
    _identify(merged, applied)
    changed = live is None or _content(merged) != _content(live)
    shares[manager] = _Share(set(wanted), now if changed else before.time)
    _write(merged["metadata"], shares)
    return merged


def _content(manifest: Manifest) -> Manifest:
    """An object without the note of who owns what."""
    meta = {key: value for key, value in manifest["metadata"].items() if key != "managedFields"}
    return manifest | {"metadata": meta}


def _identify(merged: Manifest, applied: Manifest) -> None:
    merged["apiVersion"], merged["kind"] = applied["apiVersion"], applied["kind"]
    for name in ("name", "namespace", "resourceVersion", "uid"):
        if (given := applied["metadata"].get(name)) is not None:
            merged["metadata"][name] = given


def _settle(
    live: Manifest | None,
    wanted: Mapping[Path, Any],
    shares: Mapping[Manager, _Share],
    manager: Manager,
    *,
    force: bool,
) -> None:
    """Take contested fields from their owners, by force or not at all."""
    contested: list[tuple[Manager, Path]] = []
    for other in sorted(shares):
        fields = shares[other].fields
        lost = {
            path for path in fields & wanted.keys() if not _agrees(_get(live, path), wanted[path])
        }
        if other == manager or not lost:
            continue
        contested += [(other, path) for path in sorted(lost, key=_rank)]
        if force:
            fields -= lost
    if contested and not force:
        raise _conflict(contested)


def _conflict(contested: list[tuple[Manager, Path]]) -> Refusal:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {who}",
            "field": _dotted(path),
        }
        for who, path in contested
    ]
    if len(contested) == 1:
        who, path = contested[0]
        told = f"1 conflict: conflict with {who}: {_dotted(path)}"
    else:
        lines: list[str] = []
        for who in dict.fromkeys(who for who, _ in contested):
            lines.append(f"conflicts with {who}:")
            lines += [f"- {_dotted(path)}" for one, path in contested if one == who]
        told = f"{len(contested)} conflicts: " + "\n".join(lines)
    return Refusal(409, "Conflict", f"Apply failed with {told}", details={"causes": causes})


def _dotted(path: Path) -> str:
    return "".join(f".{step}" for step in path)


def _flat(manifest: Manifest, manager: Manager, *, doors: bool) -> dict[Path, Any]:
    """Every field behind the manager's door with its value; `_NODE` for objects in between."""
    found: dict[Path, Any] = {}
    for name, value in manifest.items():
        behind = name == "status" if manager.subresource else (name != "status" or not doors)
        if name in ("apiVersion", "kind") or not behind:
            continue
        _walk(value, (name,), found)
    found.pop(("metadata",), None)
    for path in _SERVER_SET:
        found.pop(path, None)
    return found


def _walk(value: Any, path: Path, found: dict[Path, Any]) -> None:
    if path == ("metadata", "managedFields"):
        return
    if not isinstance(value, dict) or not value:
        found[path] = value
        return
    found[path] = _NODE
    for name, inner in value.items():
        _walk(inner, (*path, name), found)


def _both_objects(one: Any, other: Any) -> bool:
    """Whether two values of `_flat` are objects, be they empty or not."""
    return all(value is _NODE or value == {} for value in (one, other))


def _get(manifest: Manifest | None, path: Path) -> Any:
    here: Any = manifest
    for step in path:
        here = here.get(step, _ABSENT) if isinstance(here, dict) else _ABSENT
    return here


def _set(manifest: Manifest, path: Path, value: Any) -> None:
    here = manifest
    for step in path[:-1]:
        if not isinstance(here.get(step), dict):
            here[step] = {}
        here = here[step]
    here[path[-1]] = value


def _agrees(there: Any, wanted: Any) -> bool:
    """Whether nothing need be done: who wants an empty object is content with a full one."""
    return bool(there == wanted) or (wanted == {} and isinstance(there, dict))


def _withdraw(manifest: Manifest, fields: set[Path], owned: set[Path]) -> None:
    """Remove what was owned through `fields`, and objects in which nobody owns anything now."""
    inhabited = _with_holders(owned) | {("metadata",)}
    for path in _with_holders(fields) - inhabited:
        holder = _get(manifest, path[:-1])
        if isinstance(holder, dict):
            holder.pop(path[-1], None)


def _with_holders(fields: set[Path]) -> set[Path]:
    """The fields, and every object on the way to them."""
    return {field[:end] for field in fields for end in range(1, len(field) + 1)}


def _rank(path: Path) -> tuple[tuple[bool, str], ...]:
    """The order conflicts are told in: at each level the fields, then what is in objects."""
    return tuple((at < len(path) - 1, step) for at, step in enumerate(path))


# The wire form: a tree of `f:name`, with `.` where an object itself is owned besides its fields.


def _read(manifest: Manifest | None) -> dict[Manager, _Share]:
    shares: dict[Manager, _Share] = {}
    for entry in (manifest or {}).get("metadata", {}).get("managedFields") or ():
        if not entry.get("manager"):
            continue
        who = Manager(
            entry["manager"],
            entry.get("operation", "Update"),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        fields = set(_paths(entry.get("fieldsV1") or {}, ()))
        shares[who] = _Share(fields, entry.get("time", ""))
    return shares


def _paths(tree: Mapping[str, Any], path: Path) -> Iterable[Path]:
    for name, inner in tree.items():
        if name == ".":
            yield path
            continue
        here = (*path, name.removeprefix("f:"))
        if inner:
            yield from _paths(inner, here)
        else:
            yield here


def _write(meta: Manifest, shares: Mapping[Manager, _Share]) -> None:
    entries = [
        (who.operation, share.time, who, share) for who, share in shares.items() if share.fields
    ]
    meta["managedFields"] = [
        {
            "manager": who.name,
            "operation": who.operation,
            "apiVersion": who.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": _tree(share.fields),
        }
        | ({"time": share.time} if share.time else {})
        | ({"subresource": who.subresource} if who.subresource else {})
        for _, _, who, share in sorted(entries, key=lambda entry: entry[:3])
    ]
    if not meta["managedFields"]:
        del meta["managedFields"]


def _tree(fields: set[Path]) -> Manifest:
    tree: Manifest = {}
    for path in sorted(fields):
        here = tree
        for step in path:
            here = here.setdefault(step if step.startswith(("k:", "v:")) else f"f:{step}", {})
    for path in fields:
        here = tree
        for step in path:
            here = here[step if step.startswith(("k:", "v:")) else f"f:{step}"]
        if here:
            here["."] = {}
    return tree
