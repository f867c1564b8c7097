"""What a pod itself answers: its log, and HTTP through the proxy subresource."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiohttp import web

from tui.sandbox.exchange import Answer, Call
from tui.sandbox.objects import ObjectStore, Stored
from tui.sandbox.refusals import Refusal, bad_request, not_found
from tui.sandbox.trouble import Trouble

_FOLLOW_EVERY = 0.2
"""seconds between looks for new lines"""


class Kubelet(Protocol):
    """What answers for pods: log and proxy requests."""

    async def proxy(
        self, namespace: str, pod: str, scheme: str, port: int, path: str
    ) -> tuple[int, str, bytes]:
        """GET `path` (query included) from a port of a pod: status, content type, body.

        May raise OSError for a pod that cannot be reached.
        """
        ...

    async def log(self, namespace: str, pod: str, container: str) -> list[str] | None:
        """Every line so far, without line ends; None when there is no such container."""
        ...


def find(store: ObjectStore, call: Call, name: str) -> Stored:
    """The pod a log or proxy request is about; raises Refusal (404)."""
    stored = store.get(call.resource, call.target.namespace, name)
    if stored is None:
        raise not_found(call.resource.group, call.resource.plural, name)
    return stored


async def proxy(kubelet: Kubelet | None, store: ObjectStore, call: Call, query: str) -> Answer:
    """GET through `[SCHEME:]POD[:PORT]/proxy/PATH`; raises Refusal."""
    scheme, pod, port = _split_port(call.target.name)
    find(store, call, pod)
    path = call.target.rest + (f"?{query}" if query else "")
    try:
        if kubelet is None:
            raise ConnectionRefusedError("connect: connection refused")
        status, content_type, body = await kubelet.proxy(
            call.target.namespace, pod, scheme, port, path
        )
    except OSError as why:
        raise Refusal(503, "ServiceUnavailable", f"error trying to reach service: {why}") from why
    return Answer(status, body, content_type)


def _split_port(name: str) -> tuple[str, str, int]:
    """Scheme, pod and port of the proxy's name: k8s.io/apimachinery/pkg/util/net SplitSchemeNamePort."""
    parts = name.split(":")
    match parts:
        case [pod]:
            return "http", pod, 80
        case [pod, port] if port.isdecimal():
            return "http", pod, int(port)
        case [scheme, pod, port] if scheme in ("http", "https", "") and port.isdecimal():
            return scheme or "http", pod, int(port)
        case _:
            raise bad_request(f'invalid pod request "{name}"')


def container_of(pod: Mapping[str, Any], asked: str) -> str:
    """The container whose log is meant; raises Refusal (400) as pod/strategy.go does."""
    spec, name = pod.get("spec", {}), pod["metadata"]["name"]
    main = [str(one["name"]) for one in spec.get("containers", [])]
    known = [str(one["name"]) for one in spec.get("initContainers", [])] + main
    if asked in known:
        return asked
    if asked:
        raise bad_request(f"container {asked} is not valid for pod {name}")
    if len(main) == 1:
        return main[0]
    told = f"a container name must be specified for pod {name}"
    raise bad_request(f"{told}, choose one of: [{' '.join(known)}]" if main else told)


async def log(
    http: web.BaseRequest,
    kubelet: Kubelet | None,
    store: ObjectStore,
    call: Call,
    trouble: Trouble,
) -> web.StreamResponse | Answer:
    """GET of a container's log, followed when asked; raises Refusal."""
    pod = find(store, call, call.target.name)
    container = container_of(pod.manifest(), call.query.get("container", ""))
    lines = await _lines(kubelet, call, container)
    chosen = _chosen(call, lines, store.now())
    if not call.flag("follow"):
        return Answer(200, _text(call, chosen), "text/plain")
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(http)
    await trouble.write(response, _text(call, chosen))
    shown = len(lines)
    while store.get(call.resource, pod.namespace, pod.name) is not None:
        await asyncio.sleep(_FOLLOW_EVERY)
        try:
            lines = await _lines(kubelet, call, container)
        except Refusal:
            break  # the container is gone, and with it the log
        await trouble.write(response, _text(call, lines[shown:]))
        shown = len(lines)
    return response


async def _lines(kubelet: Kubelet | None, call: Call, container: str) -> Sequence[str]:
    target = call.target
    lines = None
    if kubelet is not None:
        lines = await kubelet.log(target.namespace, target.name, container)
    if lines is None:
        raise bad_request(
            f'container "{container}" in pod "{target.name}" is waiting to start: ContainerCreating'
        )
    return lines


def _chosen(call: Call, lines: Sequence[str], now: dt.datetime) -> Sequence[str]:
    tail, since = _count(call, "tailLines"), _count(call, "sinceSeconds")
    if since is not None:
        oldest = now - dt.timedelta(seconds=since)
        lines = [line for line in lines if (_moment(line) or now) >= oldest]
    if tail is not None:
        lines = lines[len(lines) - tail :] if tail < len(lines) else lines
    return lines


def _count(call: Call, name: str) -> int | None:
    given = call.query.get(name, "")
    if not given:
        return None
    try:
        return int(given)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{given}": invalid syntax') from None


def _text(call: Call, lines: Sequence[str]) -> bytes:
    """Lines as the container runtime hands them out, each with its moment if asked."""
    if call.flag("timestamps"):
        lines = [f"{_stamp(line)} {line}" for line in lines]
    return "".join(f"{line}\n" for line in lines).encode()


def _stamp(line: str) -> str:
    moment = _moment(line) or dt.datetime.now(dt.UTC)
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def _moment(line: str) -> dt.datetime | None:
    """When a line was written: lines carry no moment here, but CNPG's JSON logs say it in `ts`."""
    if not re.match(r"\s*\{", line):
        return None
    try:
        said = json.loads(line).get("ts")
        if isinstance(said, (int, float)):
            return dt.datetime.fromtimestamp(said, dt.UTC)
        moment = dt.datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
