"""How orders are shown: manifests and their differences as YAML, and kubectl's line for the same."""

from __future__ import annotations

import difflib
from typing import Any

import yaml

from tui.cnpg.manifest import Key


def as_yaml(document: Any) -> str:
    """A manifest to look at; whatever is not plain ASCII in it is spelled out."""
    return yaml.safe_dump(document, sort_keys=False)


def difference(before: Any, after: Any) -> str:
    """What changes between two manifests, as a unified diff; ``""`` if nothing does."""
    was, will_be = as_yaml(before).splitlines(), as_yaml(after).splitlines()
    lines = difflib.unified_diff(was, will_be, lineterm="", n=2)
    return "\n".join(list(lines)[2:])  # the first two name files


def kubectl(key: Key, action: str, context: str) -> str:
    """kubectl's line for an action in the object's namespace."""
    at = f" --context {context}" if context else ""
    return f"kubectl -n {key.namespace}{at} {action}"
