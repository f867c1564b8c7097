"""What an ObjectStore must be set to for a store that refuses the usual: as a fix, and for kubectl.

Whether it is needed is said by the rules and by the texts of errors; both ask here for the remedy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tui.cnpg.manifest import OBJECT_STORES, Key
from tui.cnpg.store import CHECKSUM_VARIABLES, SIDECAR_ENV, Configuration, ObjectStore
from tui.verdict.fix import Fix, SetChecksums, SetOptions

WHEN_REQUIRED = "when_required"
UNEQUAL = ("snappy", "lz4")
"""Barman cuts these into parts of unequal size (Barman issue 954)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One remedy in both forms."""

    fix: Fix
    command: str


def of(code: str, store: ObjectStore | None) -> Setting | None:
    """What to set for a trouble of this code; None where nothing of the store would mend it."""
    if store is None:
        return None
    match code:
        case "checksums":
            return checksums(store)
        case "unequal-parts":
            return _options(store, {("data", "compression"): "gzip"} if unequal(store) else {})
        case "not-on-r2":
            return _options(store, dict.fromkeys(refused(store.configuration)))
    return None


def unequal(store: ObjectStore) -> bool:
    """Whether base backups are cut into parts of unequal size."""
    return store.configuration.data_compression in UNEQUAL


def refused(config: Configuration) -> tuple[tuple[str, ...], ...]:
    """Options that are set and that become headers which R2 answers with 501."""
    given = {
        ("tags",): config.tags,
        ("historyTags",): config.history_tags,
        ("wal", "encryption"): config.wal_encryption,
        ("data", "encryption"): config.data_encryption,
    }
    return tuple(path for path, value in given.items() if value)


def checksums(store: ObjectStore) -> Setting | None:
    """Both variables; those that are there already stay, whatever they are."""
    if all(store.sidecar_env.get(name) == WHEN_REQUIRED for name in CHECKSUM_VARIABLES):
        return None
    return Setting(SetChecksums(store.key), checksum_command(store))


def checksum_command(store: ObjectStore, context: str = "") -> str:
    """A merge patch would replace the whole list: it serves only where there is none."""
    there = tuple(store.sidecar_env)
    wanted = [{"name": name, "value": WHEN_REQUIRED} for name in CHECKSUM_VARIABLES]
    if not there:
        outer, inner = SIDECAR_ENV
        return _patch(store.key, "merge", {"spec": {outer: {inner: wanted}}}, context)
    path = "/spec/" + "/".join(SIDECAR_ENV)
    operations: list[dict[str, Any]] = []
    for variable in wanted:
        if store.sidecar_env.get(variable["name"]) == WHEN_REQUIRED:
            continue
        if variable["name"] in there:
            at = f"{path}/{there.index(variable['name'])}"
            operations.append({"op": "test", "path": f"{at}/name", "value": variable["name"]})
            operations.append({"op": "replace", "path": at, "value": variable})
        else:
            operations.append({"op": "add", "path": f"{path}/-", "value": variable})
    return _patch(store.key, "json", operations, context)


def _options(store: ObjectStore, options: Mapping[tuple[str, ...], str | None]) -> Setting | None:
    if not options:
        return None
    fix = SetOptions(store.key, options)
    return Setting(fix, options_command(fix))


def options_command(fix: SetOptions, context: str = "") -> str:
    """The line for kubectl."""
    return _patch(fix.store, "merge", fix.fields, context)


def _patch(key: Key, kind: str, patch: Any, context: str) -> str:
    at = f" --context {context}" if context else ""
    spelled = json.dumps(patch, separators=(",", ":"))
    return (
        f"kubectl -n {key.namespace}{at} patch {OBJECT_STORES} {key.name} --type {kind} "
        f"-p '{spelled}'"
    )
