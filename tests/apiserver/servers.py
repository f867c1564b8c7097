"""The sandbox's API server and the genuine one behind one interface, for tests that run over both."""

from __future__ import annotations

import asyncio
import base64
import secrets
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tests.apiserver.client import BARMAN_CLOUD, CNPG, Client
from tui.sandbox import apiserver as sandbox

if TYPE_CHECKING:
    from tests.apiserver.server import KubeApiServer

RBAC = "/apis/rbac.authorization.k8s.io/v1"


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


class Server(Protocol):
    """An API server with CNPG's CRDs, and a namespace in it that is this test's alone."""

    name: str
    """``sandbox`` or ``kube-apiserver``."""
    namespace: str
    admin: Client

    @property
    def url(self) -> str: ...

    async def account(self, *rules: Rule, cluster_wide: bool = False) -> Account:
        """A new service account that may do this in the test's namespace (or in all)."""

    def kubeconfig(self, token: str) -> dict[str, Any]:
        """A complete kubeconfig whose one context, ``test``, is in the test's namespace."""

    async def compact(self) -> None:
        """Forget history: resuming from any resourceVersion seen so far is answered 410."""


def path(server: Server, plural: str, name: str = "") -> str:
    """The path of a collection in the test's namespace, or of one object in it."""
    group = BARMAN_CLOUD if plural == "objectstores" else CNPG
    core = plural in ("events", "secrets", "pods", "services")
    base = "/api/v1" if core else group
    collection = f"{base}/namespaces/{server.namespace}/{plural}"
    return f"{collection}/{name}" if name else collection


class Sandbox:
    """A sandbox server of this test's own."""

    name = "sandbox"

    def __init__(self) -> None:
        self.namespace = _fresh("test")
        self._admin_token = _fresh("token")
        admin = sandbox.User("admin", self._admin_token, sandbox.EVERYTHING)
        self.server = sandbox.ApiServer(users=(admin,))
        self._clients = AsyncExitStack()
        self._url = ""
        self.admin: Client

    async def start(self) -> None:
        self._url = await self.server.start()
        self.admin = await self._client(self._admin_token)
        await _make_namespace(self)

    async def stop(self) -> None:
        await self._clients.aclose()
        await self.server.stop()

    @property
    def url(self) -> str:
        return self._url

    async def account(self, *rules: Rule, cluster_wide: bool = False) -> Account:
        user = sandbox.User(
            f"system:serviceaccount:{self.namespace}:{_fresh('account')}",
            _fresh("token"),
            tuple(
                sandbox.Rule(
                    (rule.api_group,),
                    rule.resources,
                    rule.verbs,
                    ("*",) if cluster_wide else (self.namespace,),
                    rule.resource_names,
                )
                for rule in rules
            ),
        )
        self.server.access.admit(user)
        return Account(user.name, user.token, await self._client(user.token))

    def kubeconfig(self, token: str) -> dict[str, Any]:
        return _kubeconfig({"server": self.url}, token, self.namespace)

    async def compact(self) -> None:
        self.server.compact()

    async def _client(self, token: str) -> Client:
        return await self._clients.enter_async_context(Client(self.url, token, None))


class Genuine:
    """This test's namespace in the one genuine server of the run."""

    name = "kube-apiserver"

    def __init__(self, server: KubeApiServer) -> None:
        self.server = server
        self.namespace = _fresh("test")
        self._clients = AsyncExitStack()
        self._trust = ssl.create_default_context(cafile=str(server.ca_file))
        self.admin: Client

    async def start(self) -> None:
        self.admin = await self._client(self.server.admin_token)
        await _make_namespace(self)

    async def stop(self) -> None:
        await self._clients.aclose()

    @property
    def url(self) -> str:
        return self.server.url

    async def account(self, *rules: Rule, cluster_wide: bool = False) -> Account:
        name = _fresh("account")
        accounts = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        await self._make(accounts, {"metadata": {"name": name}})
        request = {"spec": {"expirationSeconds": 3600}}
        granted = await self._make(f"{accounts}/{name}/token", request)
        token: str = granted["status"]["token"]
        account = Account(
            f"system:serviceaccount:{self.namespace}:{name}", token, await self._client(token)
        )
        if rules:
            await self._bind(name, rules, cluster_wide=cluster_wide)
            await self._until_bound(account, rules[-1])
        return account

    def kubeconfig(self, token: str) -> dict[str, Any]:
        authority = base64.b64encode(self.server.ca_file.read_bytes()).decode()
        cluster = {"server": self.url, "certificate-authority-data": authority}
        return _kubeconfig(cluster, token, self.namespace)

    async def compact(self) -> None:
        await asyncio.to_thread(self.server.compact)

    async def _bind(self, name: str, rules: tuple[Rule, ...], *, cluster_wide: bool) -> None:
        prefix = "Cluster" if cluster_wide else ""
        scope = RBAC if cluster_wide else f"{RBAC}/namespaces/{self.namespace}"
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
        role = {"apiGroup": RBAC.split("/")[2], "kind": f"{prefix}Role", "name": name}
        metadata = {"name": name}
        await self._make(
            f"{scope}/{prefix.lower()}roles", {"metadata": metadata, "rules": permitted}
        )
        await self._make(
            f"{scope}/{prefix.lower()}rolebindings",
            {"metadata": metadata, "subjects": [subject], "roleRef": role},
        )

    async def _until_bound(self, account: Account, rule: Rule) -> None:
        # The authorizer reads Roles through a cache that lags some milliseconds behind.
        resource, _, subresource = rule.resources[0].partition("/")
        attributes = {
            "namespace": self.namespace,
            "verb": rule.verbs[0],
            "group": rule.api_group,
            "resource": resource,
            "subresource": subresource,
            "name": rule.resource_names[0] if rule.resource_names else "",
        }
        review = {"spec": {"resourceAttributes": attributes}}
        reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        async with asyncio.timeout(10):
            while not (await account.client.create(reviews, review)).body["status"]["allowed"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def _make(self, collection: str, body: Any) -> dict[str, Any]:
        answer = await self.admin.create(collection, body)
        assert answer.status == 201, answer.body
        return answer.body

    async def _client(self, token: str) -> Client:
        return await self._clients.enter_async_context(Client(self.url, token, self._trust))


async def _make_namespace(server: Server) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": server.namespace},
    }
    answer = await server.admin.create("/api/v1/namespaces", manifest)
    assert answer.status == 201, answer.body


def _kubeconfig(cluster: dict[str, str], token: str, namespace: str) -> dict[str, Any]:
    context = {"cluster": "test", "user": "test", "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": context}],
        "current-context": "test",
    }


def _fresh(word: str) -> str:
    return f"{word}-{secrets.token_hex(6)}"
