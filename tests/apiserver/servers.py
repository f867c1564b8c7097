"""The sandbox's API server and the genuine one behind one interface, for tests that run over both."""

from __future__ import annotations

import asyncio
import base64
import secrets
import ssl
from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.apiserver.client import BARMAN_CLOUD, CNPG, Body, Client
from tui.sandbox import apiserver as sandbox
from tui.sandbox.tls import self_made

if TYPE_CHECKING:
    from tests.apiserver.server import KubeApiServer

_RBAC_GROUP = "rbac.authorization.k8s.io"
_RBAC = f"/apis/{_RBAC_GROUP}/v1"
_CORE = ("events", "pods", "secrets", "services")


@dataclass(frozen=True, slots=True)
class Rule:
    """What one rule of a Role permits."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    api_group: str = "postgresql.cnpg.io"
    resource_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """A service account and a client that acts as it."""

    user: str
    """As the server names it in refusals."""
    token: str
    client: Client


class Server(ABC):
    """An API server with CNPG's CRDs, and a namespace in it that is this test's alone."""

    name: str
    """``sandbox`` or ``kube-apiserver``."""
    admin: Client

    def __init__(self) -> None:
        self.namespace = _fresh("test")
        self._clients = AsyncExitStack()

    @property
    @abstractmethod
    def url(self) -> str: ...

    @property
    @abstractmethod
    def ca(self) -> bytes:
        """The certificate (PEM) that vouches for the server's."""

    @abstractmethod
    async def compact(self) -> None:
        """Forget history: resuming from any resourceVersion seen so far is answered 410."""

    async def open(self, admin_token: str) -> None:
        """Make the admin's client and the namespace."""
        self.admin = await self.client(admin_token)
        await self._make("/api/v1/namespaces", _object("v1", "Namespace", self.namespace))

    async def close(self) -> None:
        """Close the clients."""
        await self._clients.aclose()

    async def client(self, token: str | None) -> Client:
        """A client under this token, closed with the server."""
        trust = ssl.create_default_context(cadata=self.ca.decode())
        return await self._clients.enter_async_context(Client(self.url, token, trust))

    async def account(self, *rules: Rule, cluster_wide: bool = False) -> Account:
        """A new service account that may do this in the test's namespace (or in all)."""
        name = _fresh("account")
        accounts = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        await self._make(accounts, _object("v1", "ServiceAccount", name))
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        granted = await self._make(f"{accounts}/{name}/token", request)
        token: str = granted["status"]["token"]
        account = Account(
            f"system:serviceaccount:{self.namespace}:{name}", token, await self.client(token)
        )
        if rules:
            await self._bind(name, rules, cluster_wide=cluster_wide)
            await self._until_bound(account, rules[-1])
        return account

    def kubeconfig(self, token: str) -> dict[str, Any]:
        """A complete kubeconfig whose one context, ``test``, is in the test's namespace."""
        authority = base64.b64encode(self.ca).decode()
        cluster = {"server": self.url, "certificate-authority-data": authority}
        context = {"cluster": "test", "user": "test", "namespace": self.namespace}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": context}],
            "current-context": "test",
        }

    async def _bind(self, name: str, rules: tuple[Rule, ...], *, cluster_wide: bool) -> None:
        kind = "ClusterRole" if cluster_wide else "Role"
        scope = _RBAC if cluster_wide else f"{_RBAC}/namespaces/{self.namespace}"
        permitted = [
            {
                "verbs": rule.verbs,
                "apiGroups": [rule.api_group],
                "resources": rule.resources,
                "resourceNames": rule.resource_names,
            }
            for rule in rules
        ]
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.namespace}
        role = {"apiGroup": _RBAC_GROUP, "kind": kind, "name": name}
        version = f"{_RBAC_GROUP}/v1"
        await self._make(
            f"{scope}/{kind.lower()}s", _object(version, kind, name) | {"rules": permitted}
        )
        await self._make(
            f"{scope}/{kind.lower()}bindings",
            _object(version, f"{kind}Binding", name) | {"subjects": [subject], "roleRef": role},
        )

    async def _until_bound(self, account: Account, rule: Rule) -> None:
        # The genuine authorizer reads Roles through a cache that lags some milliseconds behind.
        resource, _, subresource = rule.resources[0].partition("/")
        attributes = {
            "namespace": self.namespace,
            "verb": rule.verbs[0],
            "group": rule.api_group,
            "resource": resource,
            "subresource": subresource,
            "name": rule.resource_names[0] if rule.resource_names else "",
        }
        async with asyncio.timeout(10):
            while not await may(account.client, **attributes):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def _make(self, collection: str, body: Body) -> Body:
        answer = await self.admin.create(collection, body)
        assert answer.status == 201, answer.text
        return answer.body


class Sandbox(Server):
    """A sandbox server of this test's own."""

    name = "sandbox"

    def __init__(self) -> None:
        super().__init__()
        self._admin = sandbox.User("admin", _fresh("token"), sandbox.EVERYTHING)
        # kubectl and every other client in Go sends a token over TLS only.
        self.server = sandbox.ApiServer(users=(self._admin,), tls=_certificate())
        self._url = ""

    @property
    def ca(self) -> bytes:
        return _certificate().ca

    @property
    def url(self) -> str:
        return self._url

    async def start(self) -> None:
        self._url = await self.server.start()
        await self.open(self._admin.token)

    async def stop(self) -> None:
        await self.close()
        await self.server.stop()

    async def compact(self) -> None:
        self.server.compact()


class Genuine(Server):
    """This test's namespace in the one genuine server of the run."""

    name = "kube-apiserver"

    def __init__(self, server: KubeApiServer) -> None:
        super().__init__()
        self.server = server

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def ca(self) -> bytes:
        return self.server.ca_file.read_bytes()

    async def start(self) -> None:
        await self.open(self.server.admin_token)

    async def stop(self) -> None:
        await self.close()

    async def compact(self) -> None:
        await asyncio.to_thread(self.server.compact)


def path(server: Server, plural: str, name: str = "") -> str:
    """The path of a collection in the test's namespace, or of one object in it."""
    group = "/api/v1" if plural in _CORE else BARMAN_CLOUD if plural == "objectstores" else CNPG
    collection = f"{group}/namespaces/{server.namespace}/{plural}"
    return f"{collection}/{name}" if name else collection


async def may(client: Client, **attributes: str) -> bool:
    """Whether the client may do this, as a SelfSubjectAccessReview answers."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await client.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert answer.status == 201, answer.text
    allowed: bool = answer.body["status"]["allowed"]
    return allowed


@cache
def _certificate() -> sandbox.Certificate:
    return self_made()


def _object(api_version: str, kind: str, name: str) -> Body:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}


def _fresh(word: str) -> str:
    return f"{word}-{secrets.token_hex(6)}"
