"""What a client finds out before it asks for anything. Asked of both servers."""

from __future__ import annotations

import pytest

from tests.apiserver.client import BARMAN_CLOUD, CNPG
from tests.apiserver.servers import Server

_ALL_VERBS = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}


@pytest.mark.parametrize(
    ("group", "kinds"),
    [
        (CNPG, {"backups": "Backup", "clusters": "Cluster", "scheduledbackups": "ScheduledBackup"}),
        (BARMAN_CLOUD, {"objectstores": "ObjectStore"}),
    ],
    ids=["postgresql.cnpg.io", "barmancloud.cnpg.io"],
)
async def test_a_group_tells_its_kinds_and_what_can_be_done_with_them(
    server: Server, group: str, kinds: dict[str, str]
) -> None:
    answer = await server.admin.get(group)

    assert (answer.status, answer.body["kind"]) == (200, "APIResourceList")
    assert answer.body["groupVersion"] == group.removeprefix("/apis/")
    resources = {each["name"]: each for each in answer.body["resources"]}
    for plural, kind in kinds.items():
        assert resources[plural]["kind"] == kind
        assert resources[plural]["namespaced"] is True
        assert resources[plural]["singularName"] == kind.lower()
        assert set(resources[plural]["verbs"]) == _ALL_VERBS
        assert set(resources[f"{plural}/status"]["verbs"]) == {"get", "patch", "update"}


async def test_the_groups_hold_those_of_cnpg(server: Server) -> None:
    answer = await server.admin.get("/apis")

    preferred = {
        group["name"]: group["preferredVersion"]["groupVersion"] for group in answer.body["groups"]
    }
    assert answer.body["kind"] == "APIGroupList"
    assert preferred["postgresql.cnpg.io"] == "postgresql.cnpg.io/v1"
    assert preferred["barmancloud.cnpg.io"] == "barmancloud.cnpg.io/v1"


async def test_the_core_group_holds_what_the_app_reads(server: Server) -> None:
    answer = await server.admin.get("/api/v1")

    resources = {each["name"]: each for each in answer.body["resources"]}
    assert resources["pods"]["shortNames"] == ["po"]
    assert resources["namespaces"]["namespaced"] is False
    assert {"events", "secrets", "pods/log", "pods/proxy"} <= resources.keys()
    assert (await server.admin.get("/api")).body["versions"] == ["v1"]


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
async def test_health_is_told_in_two_letters(server: Server, path: str) -> None:
    answer = await server.admin.get(path)

    assert (answer.status, answer.text) == (200, "ok")
    assert answer.headers["Content-Type"].startswith("text/plain")


async def test_the_version_is_told_in_parts(server: Server) -> None:
    version = (await server.admin.get("/version")).body

    assert version["major"] == "1"
    assert version["minor"].isdigit()
    assert version["gitVersion"].startswith(f"v1.{version['minor']}.")


async def test_the_schemas_of_a_group_tell_that_a_patch_may_be_a_dry_run(server: Server) -> None:
    """kubectl looks this up before every ``--dry-run=server``."""
    paths = (await server.admin.get("/openapi/v3")).body["paths"]
    schema = (await server.admin.get(paths["apis/postgresql.cnpg.io/v1"]["serverRelativeURL"])).body

    patch = schema["paths"][f"{CNPG}/namespaces/{{namespace}}/backups/{{name}}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {
        "group": "postgresql.cnpg.io",
        "version": "v1",
        "kind": "Backup",
    }
    assert {"dryRun", "fieldValidation", "fieldManager", "force"} <= {
        parameter["name"] for parameter in patch["parameters"] if "name" in parameter
    }
