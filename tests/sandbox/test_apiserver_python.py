"""The Kubernetes client library for Python meets what it meets elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes.aio import client, config, watch
from kubernetes.aio.client.exceptions import ApiException

from tests.sandbox.serving import ADMIN, DEADLINE, Served, backup, serving
from tui.sandbox.tls import self_made

# The library's annotations are partly missing and partly wrong.
_client: Any = client
_load: Any = config.load_kube_config_from_dict
_Watch: Any = watch.Watch

_BACKUPS = ("postgresql.cnpg.io", "v1", "default", "backups")


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(tls=self_made()) as served:
        yield served


@pytest.fixture
async def api(served: Served) -> AsyncIterator[client.ApiClient]:
    settings = client.Configuration()
    await _load(served.server.kubeconfig(ADMIN), client_configuration=settings)
    async with client.ApiClient(settings) as api:
        yield api


async def test_custom_objects_are_created_listed_patched_and_deleted(
    api: client.ApiClient,
) -> None:
    objects = _client.CustomObjectsApi(api)
    made = await objects.create_namespaced_custom_object(*_BACKUPS, backup("a"))
    await objects.patch_namespaced_custom_object_status(
        *_BACKUPS,
        "a",
        {"status": {"phase": "completed"}},
        _content_type="application/merge-patch+json",
    )
    listed = await objects.list_namespaced_custom_object(*_BACKUPS, limit=500)
    await objects.delete_namespaced_custom_object(*_BACKUPS, "a")

    assert made["metadata"]["uid"]
    assert [one["status"]["phase"] for one in listed["items"]] == ["completed"]
    with pytest.raises(ApiException) as refused:
        await objects.get_namespaced_custom_object(*_BACKUPS, "a")
    assert refused.value.status == 404


async def test_a_watch_yields_events_as_they_happen(served: Served, api: client.ApiClient) -> None:
    objects = _client.CustomObjectsApi(api)
    served.server.store.seed(backup("there"))
    seen: list[tuple[str, str]] = []
    async with asyncio.timeout(DEADLINE), _Watch() as watching:
        async for event in watching.stream(
            objects.list_namespaced_custom_object, *_BACKUPS, timeout_seconds=20
        ):
            seen.append((event["type"], event["object"]["metadata"]["name"]))
            if len(seen) == 2:
                break
            served.server.store.seed(backup("new"))

    assert seen == [("ADDED", "there"), ("ADDED", "new")]


async def test_a_watch_from_a_forgotten_version_raises_gone(
    served: Served, api: client.ApiClient
) -> None:
    objects = _client.CustomObjectsApi(api)
    listed = await objects.list_namespaced_custom_object(*_BACKUPS)
    served.server.compact()

    async with _Watch() as watching:
        stream = watching.stream(
            objects.list_namespaced_custom_object,
            *_BACKUPS,
            resource_version=listed["metadata"]["resourceVersion"],
        )
        with pytest.raises(ApiException) as gone:
            await anext(aiter(stream))

    assert gone.value.status == 410


async def test_core_objects_become_typed_values(served: Served, api: client.ApiClient) -> None:
    served.server.store.seed(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pg-1"},
            "spec": {"containers": [{"name": "postgres", "image": "postgresql:18"}]},
            "status": {"phase": "Running"},
        }
    )

    pods = await _client.CoreV1Api(api).list_namespaced_pod("default")

    assert [(pod.metadata.name, pod.status.phase) for pod in pods.items] == [("pg-1", "Running")]
