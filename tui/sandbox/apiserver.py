"""The sandbox's Kubernetes API server: real HTTP on loopback, in memory, one event loop.

It answers kubectl, kubernetes.aio and k9s as kube-apiserver does for the resources it serves; what
it does not serve it refuses with the genuine Status. Beside the protocol it has a few plain methods
with which tests make real trouble: cut connections, forget history, stop answering.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
import socket
import struct
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from tui.sandbox import discovery, pods, rbac, reading, reviews, watch
from tui.sandbox.access import EVERYTHING, Access, Rule, User, Wish
from tui.sandbox.admission import ScheduleCheck
from tui.sandbox.deleting import Deleting
from tui.sandbox.exchange import Answer, Call, answer
from tui.sandbox.objects import ObjectStore, encode
from tui.sandbox.pods import Kubelet
from tui.sandbox.refusals import Refusal, method_not_allowed, no_such_path, not_found
from tui.sandbox.resources import Registry
from tui.sandbox.routes import parse
from tui.sandbox.tls import Certificate
from tui.sandbox.trouble import Failure, Trouble
from tui.sandbox.writing import Writing

__all__ = ["EVERYTHING", "ApiServer", "Certificate", "Kubelet", "Rule", "User"]

_log = logging.getLogger(__name__)

_BODY_LIMIT = 3 * 1024 * 1024
"""bytes of one request, as kube-apiserver's --max-request-bytes"""
_GZIP_FROM = 128 * 1024
"""bytes from which kube-apiserver compresses answers"""
_REMEMBERED = 20_000
"""requests kept in `requests` before the older half is forgotten"""
_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_FAILURES = {
    429: (
        "TooManyRequests",
        "the server has received too many requests and has asked us to try again later",
    ),
    500: ("InternalError", "Internal error occurred: etcdserver: request timed out"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
}


class ApiServer:
    """One API server; start it, point a client at it, stop it."""

    store: ObjectStore

    def __init__(
        self,
        *,
        kubelet: Kubelet | None = None,
        users: Sequence[User] = (),
        tls: Certificate | None = None,
    ) -> None:
        """Without users every caller is an administrator; without `tls` it speaks plain HTTP."""
        self.registry = Registry()
        self.store = ObjectStore(self.registry)
        self.access = Access(users)
        self.access.granted = lambda user: rbac.granted(self.store, user)
        self.requests: list[tuple[str, str, str]] = []
        """method, path and query of the latest requests, oldest first"""
        self.bookmark_every = 60.0
        """seconds between bookmarks of a watch that allows them"""
        self._kubelet = kubelet
        self._tls = tls
        self._trouble = Trouble()
        self._deleting = Deleting(self.store)
        self._writing = Writing(self.store, self._deleting)
        self._runner: web.ServerRunner | None = None
        self._url = ""
        for name in _NAMESPACES:
            self.store.ensure_namespace(name)

    async def start(self, port: int = 0) -> str:
        """Listen on 127.0.0.1, on any free port unless told, and give the base URL."""
        server = web.Server(self._serve, handler_cancellation=True, keepalive_timeout=180.0)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        context = self._tls.context() if self._tls else None
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=context)
        await site.start()
        bound = self._runner.addresses[0][1]
        self._url = f"{'https' if self._tls else 'http'}://127.0.0.1:{bound}"
        return self._url

    @property
    def schedule_check(self) -> ScheduleCheck:
        """What the ScheduledBackup webhook asks about a schedule: a complaint, or None."""
        return self._writing.schedule_check

    @schedule_check.setter
    def schedule_check(self, check: ScheduleCheck) -> None:
        self._writing.schedule_check = check

    async def stop(self) -> None:
        """Close every connection and stop listening; the objects stay for another start."""
        if self._runner is not None:
            self.cut()
            await self._runner.cleanup()
            self._runner = None

    def kubeconfig(self, user: User, *, namespace: str = "default") -> dict[str, Any]:
        """A complete kubeconfig for `user`, with the one context `demo`.

        kubectl sends tokens over TLS only: without `tls` and with users it stays anonymous.
        """
        cluster: dict[str, Any] = {"server": self._url}
        if self._tls is not None:
            cluster["certificate-authority-data"] = base64.b64encode(self._tls.ca).decode()
        context = {"cluster": "sandbox", "user": user.name, "namespace": namespace}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": cluster}],
            "users": [{"name": user.name, "user": {"token": user.token}}],
            "contexts": [{"name": "demo", "context": context}],
            "current-context": "demo",
        }

    # Trouble, for tests of what clients make of it.

    def compact(self) -> None:
        """Forget all history: watches and pages from before get 410."""
        self.store.compact()

    def cut(self) -> None:
        """Reset every open connection, without a word."""
        connections = (
            self._runner.server.connections if self._runner and self._runner.server else []
        )
        for connection in connections:
            if (transport := connection.transport) is None:
                continue
            raw: socket.socket | None = transport.get_extra_info("socket")
            if raw is not None and raw.fileno() >= 0:
                # Lingering for no time at all makes close() send RST instead of FIN.
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

    def freeze(self) -> None:
        """Accept connections and requests, and say nothing more to anybody."""
        self._trouble.freeze()

    def thaw(self) -> None:
        """Answer again, those kept waiting first."""
        self._trouble.thaw()

    def fail_next(self, n: int, status: int, retry_after: int | None = None) -> None:
        """Answer the next `n` requests with `status`; `retry_after` is in seconds."""
        self._trouble.failure = Failure(n, status, retry_after)

    def trickle(self, bytes_per_second: float | None) -> None:
        """Let watches and followed logs flow this slowly; None lets them run."""
        self._trouble.bytes_per_second = bytes_per_second

    def revoke(self, token: str) -> None:
        """Accept this token no more: 401."""
        self.access.revoke(token)

    def remove_crd(self, group: str) -> None:
        """Stop serving a group, losing its objects, as when its CRDs are deleted."""
        for resource in self.registry.drop(group):
            self.store.drop(resource)

    # Serving.

    async def _serve(self, http: web.BaseRequest) -> web.StreamResponse:
        self.requests.append((http.method, http.path, http.query_string))
        if len(self.requests) > _REMEMBERED:
            del self.requests[: _REMEMBERED // 2]
        await self._trouble.awake()
        warnings: list[str] = []
        try:
            given = await self._answer(http, warnings)
        except Refusal as refusal:
            warnings += refusal.warnings
            given = Answer(refusal.code, encode(refusal.status()), headers=refusal.headers)
        except ConnectionError:
            raise  # the caller is gone, there is nobody to answer
        except Exception as why:  # noqa: BLE001 - one bad request must not end the server
            _log.exception("%s %s", http.method, http.path)
            given = answer(
                Refusal(500, "InternalError", f"Internal error occurred: {why!r}").status(), 500
            )
        await self._trouble.awake()
        if isinstance(given, web.StreamResponse):
            return given
        return await _response(http, given, warnings)

    async def _answer(
        self, http: web.BaseRequest, warnings: list[str]
    ) -> Answer | web.StreamResponse:
        if (failure := self._trouble.next_failure()) is not None:
            return _failed(failure)
        user = self.access.who(http.headers.get("Authorization", ""))
        target = parse(http.path)
        if target is None:
            return self._document(http, user)
        wish = target.wish(http.method, http.query)
        self.access.check(user, wish)
        resource = self.registry.at(target.group, target.version, target.plural)
        if resource is None or (
            resource.namespaced and not target.namespace and http.method == "POST"
        ):
            if target.group:
                return _no_page()
            raise no_such_path()
        body = await _body(http)
        call = Call(http.method, target, resource, user, http.query, http.headers, body, warnings)
        return await self._dispatch(http, call, wish.verb)

    async def _dispatch(
        self, http: web.BaseRequest, call: Call, verb: str
    ) -> Answer | web.StreamResponse:
        target = call.target
        if verb not in call.resource.verbs and not target.subresource:
            raise method_not_allowed()
        if target.subresource and target.subresource not in call.resource.subresources:
            raise not_found(call.resource.group, call.resource.plural, target.name)
        match verb, target.subresource:
            case "get", "log":
                return await pods.log(http, self._kubelet, self.store, call, self._trouble)
            case "get", "proxy":
                return await pods.proxy(self._kubelet, self.store, call, http.query_string)
            case "watch", _:
                return await watch.stream(
                    http, call, self.store, self._trouble, bookmark_every=self.bookmark_every
                )
            case "get", _:
                return reading.get(self.store, call)
            case "list", _:
                return reading.list_(self.store, call)
            case _:
                return self._write(call, verb)

    def _write(self, call: Call, verb: str) -> Answer:
        match verb, call.target.subresource:
            case "create", "token":
                return rbac.issue_token(self.store, self.access, call)
            case "create", _ if reviews.answers(call):
                return reviews.review(self.access, call)
            case "delete", "":
                return self._deleting.delete(call)
            case "deletecollection", "":
                return self._deleting.delete_collection(call)
            case "create" | "update" | "patch", "" | "status":
                return self._writing.write(call, verb)
            case _:
                raise method_not_allowed()

    def _document(self, http: web.BaseRequest, user: User) -> Answer:
        """Paths that are about no resource: health, version, discovery, OpenAPI."""
        self.access.check(user, Wish("get", path=http.path))
        found = discovery.at(self.registry, http.path)
        if found is None:
            return _no_page()
        if isinstance(found, str):
            return Answer(200, found.encode(), "text/plain; charset=utf-8")
        return answer(found)


async def _body(http: web.BaseRequest) -> bytes:
    """The whole body; raises Refusal (413) for one that is too long."""
    body = bytearray()
    async for chunk in http.content.iter_any():
        body += chunk
        if len(body) > _BODY_LIMIT:
            told = f"Request entity too large: limit is {_BODY_LIMIT}"
            raise Refusal(413, "RequestEntityTooLarge", told)
    return bytes(body)


def _no_page() -> Answer:
    return Answer(404, b"404 page not found\n", "text/plain; charset=utf-8")


def _failed(failure: Failure) -> Answer:
    after = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
    if failure.status not in _FAILURES:
        # What a load balancer in between would say.
        return Answer(
            failure.status, b"<html><body>Bad gateway</body></html>\n", "text/html", after
        )
    reason, message = _FAILURES[failure.status]
    details = {} if failure.retry_after is None else {"retryAfterSeconds": failure.retry_after}
    refusal = Refusal(failure.status, reason, message, details=details)
    return Answer(failure.status, encode(refusal.status()), headers=after)


async def _response(http: web.BaseRequest, given: Answer, warnings: Sequence[str]) -> web.Response:
    response = web.Response(
        status=given.code,
        headers={"Content-Type": given.content_type, "Cache-Control": "no-cache, private"},
    )
    response.headers.update(given.headers)
    for warning in warnings:
        line = "".join(one if one.isprintable() else " " for one in warning)
        escaped = line.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')
    body = given.body
    if len(body) > _GZIP_FROM and "gzip" in http.headers.get("Accept-Encoding", ""):
        body = await asyncio.to_thread(gzip.compress, body, 1)
        response.headers["Content-Encoding"] = "gzip"
    response.body = body
    return response
