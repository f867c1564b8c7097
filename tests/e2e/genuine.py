"""The genuine kube-apiserver, served to apps in terminals as the sandbox's is."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import yaml

from tests.apiserver.server import KubeApiServer
from tests.panes.objects import NAMESPACE, Manifest

_PLURALS = {
    "Backup": "backups",
    "Cluster": "clusters",
    "ObjectStore": "objectstores",
    "ScheduledBackup": "scheduledbackups",
}
_POLICIES = "/apis/admissionregistration.k8s.io/v1"
PATIENCE = 30.0
"""Seconds until a policy of admission is in force."""


class GenuineServed:
    """One namespace of it, empty at first. ``seed`` and ``listed`` are as ``Served`` has them."""

    def __init__(self, server: KubeApiServer, namespace: str = NAMESPACE) -> None:
        self.server = server
        self.namespace = namespace
        with suppress(urllib.error.HTTPError):  # it is there since another test
            server.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        for plural in _PLURALS.values():
            for found in self.listed(plural):
                self.remove(found)

    def seed(self, *manifests: Manifest) -> list[Manifest]:
        """Put objects there, or change those that are there; the answer is what is stored now."""
        return [self._put(manifest) for manifest in manifests]

    def listed(self, plural: str) -> list[Manifest]:
        """All objects of a kind."""
        found: list[Manifest] = self.server.call("GET", self._path(plural))["items"]
        return found

    def remove(self, manifest: Manifest) -> None:
        """Delete an object."""
        plural = _PLURALS.get(manifest.get("kind", ""), "")
        self.server.call("DELETE", self._path(plural, manifest["metadata"]["name"]))

    def kubeconfig(self, path: Path, *, namespace: str = "") -> Path:
        """A kubeconfig of the admin."""
        return kubeconfig(self.server, path, namespace=namespace or self.namespace)

    def admits(self, name: str, expression: str, message: str, *, action: str) -> None:
        """Have schedules checked by a policy of the server's own (``Warn`` or ``Deny``).

        It stands in for the operator's webhook, which does not run here: warnings and refusals come
        by the same way.
        """
        policy = {
            "metadata": {"name": name},
            "spec": {
                "matchConstraints": {
                    "resourceRules": [
                        {
                            "apiGroups": ["postgresql.cnpg.io"],
                            "apiVersions": ["v1"],
                            "operations": ["CREATE", "UPDATE"],
                            "resources": ["scheduledbackups"],
                        }
                    ]
                },
                "validations": [{"expression": expression, "message": message}],
            },
        }
        binding = {
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": [action]},
        }
        for plural, document in (
            ("validatingadmissionpolicies", policy),
            ("validatingadmissionpolicybindings", binding),
        ):
            with suppress(urllib.error.HTTPError):
                self.server.call("POST", f"{_POLICIES}/{plural}", document)

    def until_refused(self, manifest: Manifest) -> None:
        """Wait until the policies are in force: a dry run of this is refused."""
        end = monotonic() + PATIENCE
        path = f"{self._path(_PLURALS[manifest['kind']])}?dryRun=All"
        while True:
            try:
                self.server.call("POST", path, _plain(manifest))
            except urllib.error.HTTPError as refused:
                if refused.code == 422:
                    return
            assert monotonic() < end, "the policy never came into force"
            sleep(0.1)

    def _put(self, manifest: Manifest) -> Manifest:
        plural, document = _PLURALS[manifest["kind"]], _plain(manifest)
        path = self._path(plural, manifest["metadata"]["name"])
        try:
            stored = self.server.call("POST", self._path(plural), document)
        except urllib.error.HTTPError as refused:
            if refused.code != 409:
                raise
            stored = self._merge(path, {"spec": manifest["spec"]})
        if "status" in manifest:
            stored = self._merge(f"{path}/status", {"status": manifest["status"]})
        return stored

    def _merge(self, path: str, fields: Manifest) -> Manifest:
        stored: Manifest = self.server.call("PATCH", path, fields)
        return stored

    def _path(self, plural: str, name: str = "") -> str:
        group = "barmancloud.cnpg.io" if plural == "objectstores" else "postgresql.cnpg.io"
        collection = f"/apis/{group}/v1/namespaces/{self.namespace}/{plural}"
        return f"{collection}/{name}" if name else collection


def kubeconfig(server: KubeApiServer, path: Path, *, namespace: str) -> Path:
    """A kubeconfig of the admin."""
    authority = base64.b64encode(server.ca_file.read_bytes()).decode()
    cluster = {"server": server.url, "certificate-authority-data": authority}
    context = {"cluster": "g", "user": "g", "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "g", "cluster": cluster}],
        "users": [{"name": "g", "user": {"token": server.admin_token}}],
        "contexts": [{"name": "g", "context": context}],
        "current-context": "g",
    }
    path.write_text(yaml.safe_dump(config))
    return path


def _plain(manifest: Manifest) -> Manifest:
    """As a user would create it: what the server writes by itself is left to it."""
    document: dict[str, Any] = json.loads(json.dumps(manifest))
    document.pop("status", None)
    kept = ("name", "labels", "annotations")
    document["metadata"] = {
        name: value for name, value in document["metadata"].items() if name in kept
    }
    return document
