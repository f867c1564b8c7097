"""The Kubernetes API as this tool speaks it: raw JSON, one loop, cancellable at any moment.

The only file that knows the client library. Its ``ApiClient`` brings TLS, proxies and kept
connections; its typed APIs and models are not touched: 17,000 Backups as models took 526 MiB. No
retries (a feed owns patience), no parsing beyond JSON.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from multidict import CIMultiDict, CIMultiDictProxy

from tui import __version__, faults, words
from tui.cnpg.manifest import Key, Kind, Manifest
from tui.wire import answers, kubeconfig, proofs
from tui.wire.answers import Page
from tui.wire.kubeconfig import Access, Where
from tui.wire.plugins import Proof
from tui.wire.refusals import Call, refused

PODS = Kind("", "v1", "pods", "Pod")
NAMESPACES = Kind("", "v1", "namespaces", "Namespace")
ACCESS_REVIEWS = Kind(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"
)

_VERSION = Kind("", "v1", "version", "version")

FIELD_MANAGER = "cnpg-tui"

CONNECT = 4.5
"""Seconds for name, TCP, proxy and TLS together: the user reads a sentence within five."""
ANSWER = 30.0
"""Seconds of silence after which a request is given up. A busy API server queues lists this long."""

# Asked after 30 s of silence, three times, 10 s apart. macOS has its own name for the first.
_IDLE = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", 0))
_KEEPALIVE = {_IDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}

PatchType: TypeAlias = Literal["merge", "json", "apply"]

_PATCHES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said to a write: the object as it is now, and its warnings."""

    manifest: Manifest
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reply:
    headers: CIMultiDictProxy[str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Link:
    """A client, what it shows to the server, and the way it was made for."""

    client: ApiClient
    proof: Proof
    way: tuple[str | bool, ...] = field(repr=False)


class Kube:
    """One context of one kubeconfig. Every method may raise ``faults.Fault`` and be cancelled."""

    def __init__(self, access: Access, where: Where) -> None:
        self._where = where
        self._access = access
        self._link: _Link | None = None
        self._clients: list[ApiClient] = []
        self._closed = False
        self._renewal: asyncio.Task[_Link] | None = None
        self._distrusted = False
        """The server's certificate was not accepted: the kubeconfig may name its authority by now."""

    @classmethod
    async def open(cls, where: Where) -> Kube:
        """Find the server and the user; nothing is sent. Raises ``faults.Misconfigured``."""
        return cls(await asyncio.to_thread(kubeconfig.read, where), where)

    @property
    def context(self) -> str:
        """The context's name, ``in-cluster`` in a pod without kubeconfig."""
        return self._access.context

    @property
    def user(self) -> str:
        """The user's name in the kubeconfig, ``""`` for nobody."""
        return self._access.user.name

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._access.server

    @property
    def namespace(self) -> str | None:
        """The namespace to look at, as kubectl's flags say; None for all."""
        if self._where.all_namespaces:
            return None
        return self._where.namespace or self._access.namespace

    async def close(self) -> None:
        """Close every connection; what is under way fails with ``Unreachable``."""
        self._closed, self._link = True, None
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
        while self._clients:
            await self._clients.pop().rest_client.close()
        await asyncio.sleep(0)  # sockets are closed in the loop's next turn

    async def list(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        limit: int = 500,
        field_selector: str = "",
        label_selector: str = "",
        silence: float = ANSWER,
    ) -> AsyncGenerator[Page, None]:
        """The pages of a list, all of the same resourceVersion. None: all namespaces.

        While a page is read the next one is on its way: 34 pages are 34 round trips. Raises
        ``faults.Expired`` where the server forgot the list between two pages.
        """
        call = Call("list", kind, namespace)
        query = {"limit": str(limit)}
        if field_selector:
            query["fieldSelector"] = field_selector
        if label_selector:
            query["labelSelector"] = label_selector
        page = await self._page(call, query, silence)
        while page.rest:
            rest = {**query, "continue": page.rest}
            ahead = asyncio.create_task(self._page(call, rest, silence))
            try:
                yield page
                page = await ahead
            finally:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
        yield page

    async def _page(self, call: Call, query: Mapping[str, str], silence: float) -> Page:
        path = _path(call.kind, call.namespace)
        reply = await self._ask(call, "GET", path, query=query, silence=silence)
        return answers.page(call, reply.body)

    @asynccontextmanager
    async def watch(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        resource_version: str,
        lasting: float,
        silence: float,
    ) -> AsyncIterator[AsyncIterator[tuple[str, Manifest]]]:
        """Entered once the server has accepted; then ADDED, MODIFIED, DELETED and BOOKMARK come.

        The server ends it after ``lasting`` seconds, which ends the iteration. A connection without
        a byte for ``silence`` seconds is taken for half-open and raises ``faults.Unreachable``. An
        ERROR event is raised as the fault it means.
        """
        call = Call("watch", kind, namespace)
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(round(lasting)),
        }
        path = _path(kind, namespace)
        async with (
            self._reply(call, "GET", path, query=query, silence=silence) as response,
            aclosing(self._events(call, response)) as events,
        ):
            with translated(call, self.server):
                _keep_alive(response)
            yield events

    async def get(self, kind: Kind, key: Key) -> Manifest:
        """One object; a cluster-scoped one has ``""`` for its namespace."""
        call = Call("get", kind, key.namespace, key.name)
        reply = await self._ask(call, "GET", _path(kind, key.namespace, key.name))
        return answers.document(call, reply.body)

    async def create(
        self, kind: Kind, namespace: str, body: Manifest, *, dry_run: bool = False
    ) -> Answer:
        """Create an object. ``faults.Unreachable`` leaves open whether the server has it."""
        name = body.get("metadata", {}).get("name", "")
        call = Call("create", kind, namespace, name)
        query = {"fieldManager": FIELD_MANAGER, **_rehearsed(dry_run)}
        reply = await self._ask(call, "POST", _path(kind, namespace), query=query, body=body)
        return _answer(call, reply)

    async def patch(
        self,
        kind: Kind,
        key: Key,
        body: Any,
        *,
        patch_type: PatchType = "merge",
        dry_run: bool = False,
        force: bool = False,
    ) -> Answer:
        """Change an object; ``force`` lets an apply take fields from other managers."""
        call = Call("patch", kind, key.namespace, key.name)
        query = {"fieldManager": FIELD_MANAGER, **_rehearsed(dry_run)}
        if force:
            query["force"] = "true"
        path = _path(kind, key.namespace, key.name)
        reply = await self._ask(
            call, "PATCH", path, query=query, body=body, content_type=_PATCHES[patch_type]
        )
        return _answer(call, reply)

    async def delete(
        self,
        kind: Kind,
        key: Key,
        *,
        resource_version: str = "",
        uid: str = "",
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
        dry_run: bool = False,
    ) -> Answer:
        """Delete an object, if it still is the one with this uid and resourceVersion."""
        call = Call("delete", kind, key.namespace, key.name)
        seen = {"uid": uid, "resourceVersion": resource_version}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": {name: value for name, value in seen.items() if value},
            "dryRun": ["All"] if dry_run else [],
        }
        path = _path(kind, key.namespace, key.name)
        return _answer(call, await self._ask(call, "DELETE", path, body=options))

    async def pod_proxy(
        self, namespace: str, pod: str, port: int, path: str, *, scheme: str = "https"
    ) -> bytes:
        """GET a path of a pod through the API server; needs ``get`` on pods/proxy."""
        call = Call("get", PODS, namespace, pod, "proxy")
        target = f"{_path(PODS, namespace, f'{scheme}:{pod}:{port}')}/proxy/{path.lstrip('/')}"
        return (await self._ask(call, "GET", target)).body

    async def pod_log(self, namespace: str, pod: str, container: str, *, tail_lines: int) -> str:
        """The last lines of a container's log, cleaned."""
        call = Call("get", PODS, namespace, pod, "log")
        query = {"container": container, "tailLines": str(tail_lines)}
        reply = await self._ask(call, "GET", f"{_path(PODS, namespace, pod)}/log", query=query)
        return words.clean(reply.body.decode(errors="replace"))

    async def version(self) -> str:
        """What the API server is, ``v1.36.3``; every user who is known may ask."""
        call = Call("get", _VERSION, None, "of the API server")
        reply = await self._ask(call, "GET", "/version")
        return words.clean(str(answers.document(call, reply.body).get("gitVersion", "")))

    async def may(self, verb: str, kind: Kind, namespace: str | None, name: str = "") -> bool:
        """Whether this user may do it (SelfSubjectAccessReview)."""
        call = Call("create", ACCESS_REVIEWS, None)
        attributes = {
            "verb": verb,
            "group": kind.group,
            "resource": kind.plural,
            "namespace": namespace or "",
            "name": name,
        }
        body = {
            "apiVersion": ACCESS_REVIEWS.api_version,
            "kind": ACCESS_REVIEWS.kind,
            "spec": {"resourceAttributes": attributes},
        }
        reply = await self._ask(call, "POST", _path(ACCESS_REVIEWS, None), body=body)
        status = answers.document(call, reply.body).get("status")
        return isinstance(status, dict) and status.get("allowed") is True

    async def look_for_namespace(self) -> None:
        """Raise ``faults.NotFound`` if the namespace to look at does not exist.

        A list in a namespace that does not exist is empty, not an error. Users bound to one
        namespace may not look; they are not told anything.
        """
        if self.namespace is None:
            return
        try:
            await self.get(NAMESPACES, Key("", self.namespace))
        except faults.Forbidden:
            return
        except faults.NotFound as absent:
            raise faults.NotFound(
                f"namespace {self.namespace} does not exist in context {self.context}: choose "
                "another with -n, or -A for all",
                code=absent.code,
            ) from absent

    async def reload_credentials(self) -> None:
        """Read the kubeconfig again and obtain the credentials anew."""
        await self._renewed(again=True)

    async def configured(self) -> str:
        """A digest of the credentials that stand in the kubeconfig now; nothing is sent."""
        access = await asyncio.to_thread(kubeconfig.read, self._where_now)
        return await asyncio.to_thread(proofs.configured, access.user)

    async def _ready(self) -> _Link:
        """A client, and credentials that have not expired."""
        link = self._link
        if link is None or self._distrusted or proofs.expired(link.proof, datetime.now(UTC)):
            return await self._renewed(again=False)
        return link

    async def _renewed(self, *, again: bool) -> _Link:
        """New credentials: all who need them at the same time wait for the same attempt."""
        if not self._closed and (self._renewal is None or self._renewal.done()):
            self._renewal = asyncio.create_task(self._renew(again))
        renewal = self._renewal
        if renewal is not None:
            await asyncio.wait([renewal])
        if renewal is None or self._closed:
            raise faults.Unreachable(f"the connection to {self.server} is closed")
        return renewal.result()

    async def _renew(self, again: bool) -> _Link:
        """Obtain the proof; connect anew only if the certificate or the way is another."""
        old, user, now = self._link, self._access.user, datetime.now(UTC)
        if again or self._distrusted:
            self._access = await asyncio.to_thread(kubeconfig.read, self._where_now)
            self._distrusted = False
        # A plugin may ask the user to sign in: not because of a server's certificate.
        if old and not again and user == self._access.user and not proofs.expired(old.proof, now):
            proof = old.proof
        else:
            proof = await proofs.obtain(self._access.user, now)
        way = await asyncio.to_thread(_way, self._access)
        if old and old.way == way and not proofs.other_certificate(old.proof, proof):
            self._link = _Link(old.client, proof, way)
        else:
            # Loading the system's CAs takes 20 ms: not on the loop that answers the keyboard. The
            # old client stays open for the watches that still run on it.
            client = await asyncio.to_thread(_connect, self._access, proof)
            self._link = _Link(client, proof, way)
            self._clients.append(self._link.client)
        return self._link

    @property
    def _where_now(self) -> Where:
        """The same context again, even if the kubeconfig's current one has changed since."""
        if self.context == kubeconfig.IN_CLUSTER:
            return self._where
        return Where(self._where.kubeconfig, self.context)

    async def _ask(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        silence: float = ANSWER,
    ) -> _Reply:
        async with self._reply(
            call,
            method,
            path,
            query=query,
            body=body,
            content_type=content_type,
            silence=silence,
        ) as response:
            with translated(call, self.server):
                return _Reply(response.headers, await response.read())

    @asynccontextmanager
    async def _reply(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        silence: float = ANSWER,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send, and enter once the server has answered with success."""
        link = await self._ready()
        headers = CIMultiDict(self._access.user.acting_as)
        headers["Accept"] = "application/json"
        headers["Content-Type"] = content_type
        headers["User-Agent"] = f"cnpg-tui/{__version__}"
        if link.proof.authorization:
            headers["Authorization"] = link.proof.authorization
        url = f"{self._access.server}{path}{'?' if query else ''}{urlencode(query or {})}"
        with translated(call, self.server):
            try:
                wrapped = await link.client.call_api(
                    method,
                    url,
                    header_params=headers,
                    body=body,
                    _request_timeout=aiohttp.ClientTimeout(connect=CONNECT, sock_read=silence),
                )
            except aiohttp.ClientConnectorCertificateError:
                self._distrusted = True
                raise
        response: aiohttp.ClientResponse = wrapped.response
        try:
            if response.status >= 300:
                with translated(call, self.server):
                    said = await response.read()
                raise refused(call, response.status, response.headers, said)
            yield response
        finally:
            # A connection that was read to its end is already back in the pool. Any other is not asked
            # to close: over TLS that waits for the server, which may be busy, or gone.
            if response.connection is not None and response.connection.transport is not None:
                response.connection.transport.abort()
            response.close()

    async def _events(
        self, call: Call, response: aiohttp.ClientResponse
    ) -> AsyncGenerator[tuple[str, Manifest], None]:
        events = answers.Events(call)
        with translated(call, self.server):
            async for chunk in response.content.iter_any():
                for event in events.fed(chunk):
                    yield event
        events.ended()


@contextmanager
def translated(call: Call, server: str) -> Iterator[None]:
    """Everything the library raises becomes a fault, here and nowhere else."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:  # ssl.SSLError and TimeoutError are OSErrors
        family, sentence = _told(server, error)
        raise family(f"cannot {call}: {sentence}") from error


_CUT = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError)

# The first family that an error belongs to gives the sentence.
_LOST = (
    (aiohttp.ClientProxyConnectionError, "the proxy on the way to {server} does not answer"),
    (aiohttp.ClientConnectorDNSError, "the name of {server} cannot be resolved"),
    (aiohttp.ClientConnectorError, "cannot connect to {server}: {reason}"),
    (aiohttp.SocketTimeoutError, "{server} fell silent"),
    (
        TimeoutError,
        "{server} did not answer within 5 s. Is it up, and is the way to it (VPN, tunnel) open?",
    ),
    (aiohttp.ServerDisconnectedError, "{server} closed the connection without an answer"),
    (_CUT, "the connection to {server} was cut"),
)


def _told(server: str, error: Exception) -> tuple[type[faults.Fault], str]:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return faults.Unreachable, _distrust(server, error)
        case aiohttp.ClientConnectorSSLError(os_error=cause) | (ssl.SSLError() as cause):
            reason = _worded(getattr(cause, "reason", None) or type(cause).__name__)
            return faults.Unreachable, f"TLS with {server} failed: {reason}"
        case aiohttp.ClientHttpProxyError(status=status):
            return faults.Unreachable, f"the proxy on the way to {server} answered {status}"
    for family, sentence in _LOST:
        if isinstance(error, family):
            reason = os.strerror(number).lower() if (number := getattr(error, "errno", 0)) else ""
            return faults.Unreachable, sentence.format(server=server, reason=reason)
    return faults.BadAnswer, f"{server} does not speak HTTP as an API server does"


def _way(access: Access) -> tuple[str | bool, ...]:
    """What connections depend on besides the proof; an authority's file may be another by now."""
    ca = access.ca.read()
    return (access.server, access.insecure, access.tls_server_name, access.proxy, ca)


def _connect(access: Access, proof: Proof) -> ApiClient:
    """A client with its TLS set up; no connection is made yet."""
    settings = Configuration(
        host=access.server,
        ca_cert_data=access.ca.read() or None,
        verify_ssl=not access.insecure,
        tls_server_name=access.tls_server_name or None,
        proxy=access.proxy or None,
        # The environment's proxy is in `access` already; with trust_env aiohttp would also offer
        # the passwords of ~/.netrc, and fail where there is a token as well.
        client_session_kwargs={"trust_env": False},
    )
    # Since Python 3.13 certificates must have fields that many clusters' CAs never wrote; Go does
    # not ask for them.
    settings.disable_strict_ssl_verification = True
    try:
        if not proof.certificate:
            return ApiClient(settings)
        # ssl takes a client certificate from files alone; these are gone before anything is sent.
        with tempfile.TemporaryDirectory(prefix="cnpg-tui-") as folder:
            certificate, key = Path(folder, "certificate"), Path(folder, "key")
            certificate.write_text(proof.certificate)
            key.write_text(proof.key)
            settings.cert_file, settings.key_file = str(certificate), str(key)
            return ApiClient(settings)
    except ssl.SSLError as error:
        raise faults.Misconfigured(
            f"context {access.context}: certificate-authority, client-certificate or client-key is "
            f"no usable PEM text: {_worded(error.reason)}"
        ) from error


def _keep_alive(response: aiohttp.ClientResponse) -> None:
    """Let the kernel find out within a minute that the other end of a watch is gone.

    A quiet watch says nothing for minutes, so its silence alone proves little.
    """
    transport = response.connection.transport if response.connection else None
    line: socket.socket | None = transport.get_extra_info("socket") if transport else None
    if line is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, seconds in _KEEPALIVE.items():
            line.setsockopt(socket.IPPROTO_TCP, option, seconds)


def _path(kind: Kind, namespace: str | None, name: str = "") -> str:
    parts = ["apis", kind.group, kind.version] if kind.group else ["api", kind.version]
    parts += ["namespaces", namespace] if namespace else []
    parts += [kind.plural, name] if name else [kind.plural]
    return "/" + "/".join(quote(part, safe=":") for part in parts)


def _rehearsed(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _answer(call: Call, reply: _Reply) -> Answer:
    return Answer(
        answers.document(call, reply.body), answers.warnings(reply.headers.getall("Warning", ()))
    )


def _distrust(server: str, error: aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error
    reason = (getattr(cause, "verify_message", "") or str(cause)).rstrip(".")
    hint = "certificate-authority in the kubeconfig"
    if "mismatch" in reason:
        hint = "server or tls-server-name in the kubeconfig"
    return f"the certificate of {server} is not trusted: {_worded(reason)}. Check {hint}"


def _worded(reason: object) -> str:
    """A library's reason as part of our sentence: ``CERTIFICATE_EXPIRED`` is no word."""
    text = words.one_line(words.clean(str(reason or "no reason given")))
    return text.replace("_", " ").lower() if text.isupper() else text
