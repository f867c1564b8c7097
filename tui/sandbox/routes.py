"""Paths and what they mean: `/apis/GROUP/VERSION/namespaces/NS/RESOURCE/NAME/SUBRESOURCE`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tui.sandbox.access import Wish

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}


@dataclass(frozen=True, slots=True)
class Target:
    """What a path points at; an empty name is the whole collection."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    """What follows a proxy subresource, with its leading slash."""

    def wish(self, method: str, query: Mapping[str, str]) -> Wish:
        """What a request to this target wants, as kube-apiserver's RequestInfo derives it.

        A list, watch or deletecollection of `metadata.name=x` is about the object x, so that rules
        with resourceNames can permit it.
        """
        verb = _VERBS.get(method, method.lower())
        name = self.name
        if not name and verb in ("get", "delete"):
            name = _one_name(query.get("fieldSelector", ""))
            if verb == "delete":
                verb = "deletecollection"
            else:
                verb = "watch" if truthy(query.get("watch", "")) else "list"
        return Wish(verb, self.group, self.plural, self.subresource, self.namespace, name)


def parse(path: str) -> Target | None:
    """The target of a path, or None for a path that is about no resource.

    The path is still percent-encoded nowhere: aiohttp has decoded it.
    """
    parts = path.split("/")[1:]
    match parts:
        case ["api", version, *tail] if version and tail:
            group = ""
        case ["apis", group, version, *tail] if group and version and tail:
            pass
        case _:
            return None
    namespace = ""
    if tail[0] == "namespaces" and len(tail) > 2 and tail[2] not in ("status", "finalize"):
        namespace, tail = tail[1], tail[2:]
    elif tail[0] == "namespaces" and len(tail) > 1:
        # A namespace itself: authorizers see its own name as the namespace too.
        namespace = tail[1]
    if tail[-1] == "" and len(tail) < 4:
        tail = tail[:-1]
    if not tail:
        return None
    plural, name, subresource, *rest = (*tail, *[""] * (3 - len(tail)))
    return Target(
        group,
        version,
        plural,
        namespace,
        name,
        subresource,
        "/" + "/".join(rest) if subresource == "proxy" else "",
    )


def truthy(word: str) -> bool:
    """A query flag as Kubernetes converts it: anything but empty, `0` and `false` is yes."""
    return word.lower() not in ("", "0", "false")


def _one_name(selector: str) -> str:
    for term in selector.split(","):
        field, _, value = term.replace("==", "=").partition("=")
        if field == "metadata.name":
            return value
    return ""
