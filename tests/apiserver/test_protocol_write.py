"""Create, change and delete, asked of both servers."""

from __future__ import annotations

import re

import pytest

from tests.apiserver.client import CNPG, JSON_PATCH, Body
from tests.apiserver.manifests import Manifest, backup, schedule
from tests.apiserver.servers import Server, path

_MODIFIED = (
    'Operation cannot be fulfilled on backups.postgresql.cnpg.io "a": the object has been '
    "modified; please apply your changes to the latest version and try again"
)


async def _make(server: Server, document: Manifest) -> Body:
    plural = {"Backup": "backups", "ScheduledBackup": "scheduledbackups"}[document["kind"]]
    answer = await server.admin.create(path(server, plural), document)
    assert answer.status == 201, answer.text
    return answer.body


async def test_what_is_created_is_answered_as_it_is_stored(server: Server) -> None:
    made = await server.admin.create(path(server, "backups"), backup("a"))

    assert made.status == 201
    assert made.body == (await server.admin.get(path(server, "backups", "a"))).body
    assert made.body["spec"] == backup("a")["spec"]
    metadata = made.body["metadata"]
    assert (metadata["namespace"], metadata["generation"]) == (server.namespace, 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["creationTimestamp"])
    assert len(metadata["uid"]) == 36
    assert int(metadata["resourceVersion"]) > 0


async def test_a_name_can_be_left_to_the_server(server: Server) -> None:
    document = backup()
    document["metadata"]["generateName"] = "pg-"

    first, second = [await _make(server, document) for _ in range(2)]

    assert re.fullmatch("pg-[bcdfghjklmnpqrstvwxz2456789]{5}", first["metadata"]["name"])
    assert first["metadata"]["name"] != second["metadata"]["name"]


async def test_a_name_is_taken_once(server: Server) -> None:
    await _make(server, backup("a"))

    for query in ({}, {"dryRun": "All"}):
        answer = await server.admin.create(path(server, "backups"), backup("a"), **query)

        assert (answer.status, answer.body["reason"]) == (409, "AlreadyExists")
        assert answer.message == 'backups.postgresql.cnpg.io "a" already exists'
        assert answer.body["details"] == {
            "name": "a",
            "group": "postgresql.cnpg.io",
            "kind": "backups",
        }


async def test_nothing_is_created_in_a_namespace_that_does_not_exist(server: Server) -> None:
    answer = await server.admin.create(f"{CNPG}/namespaces/nowhere/backups", backup("a"))

    assert (answer.status, answer.body["reason"]) == (404, "NotFound")
    assert answer.message == 'namespaces "nowhere" not found'
    assert answer.body["details"] == {"name": "nowhere", "kind": "namespaces"}


async def test_a_document_for_another_namespace_is_refused(server: Server) -> None:
    document = backup("a")
    document["metadata"]["namespace"] = "elsewhere"

    answer = await server.admin.create(path(server, "backups"), document)

    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert answer.message == (
        "the namespace of the provided object does not match the namespace sent on the request"
    )


async def test_a_document_without_a_kind_is_refused(server: Server) -> None:
    answer = await server.admin.create(path(server, "backups"), {"metadata": {"name": "a"}})

    assert answer.status == 400
    assert answer.message.startswith(
        "the object provided is unrecognized (must be of type Backup): Object 'Kind' is missing in "
    )


async def test_the_status_of_a_new_object_is_left_out(server: Server) -> None:
    document = backup("a")
    document["status"] = {"phase": "completed"}

    assert "status" not in await _make(server, document)


async def test_a_dry_run_of_a_creation_stores_nothing(server: Server) -> None:
    answer = await server.admin.create(path(server, "backups"), backup("a"), dryRun="All")

    assert answer.status == 201
    assert answer.body["metadata"]["name"] == "a"
    assert answer.body["metadata"]["uid"]
    assert "resourceVersion" not in answer.body["metadata"]
    assert (await server.admin.get(path(server, "backups", "a"))).status == 404


async def test_a_dry_run_is_of_all_or_refused(server: Server) -> None:
    answer = await server.admin.create(path(server, "backups"), backup("a"), dryRun="Some")

    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.message == (
        'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: '
        'supported values: "All"'
    )


async def test_a_merge_patch_changes_what_it_names_and_null_removes(server: Server) -> None:
    before = await _make(server, backup("a", labels={"keep": "1", "drop": "1"}))

    answer = await server.admin.patch(
        path(server, "backups", "a"),
        {"metadata": {"labels": {"drop": None, "new": "1"}}},
    )

    assert answer.status == 200
    assert answer.body["metadata"]["labels"] == {"keep": "1", "new": "1"}
    assert answer.body["spec"] == before["spec"]
    assert answer.body["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    assert answer.body["metadata"]["generation"] == 1


async def test_a_patch_that_changes_nothing_leaves_the_version(server: Server) -> None:
    before = await _make(server, backup("a", labels={"seen": "yes"}))

    answer = await server.admin.patch(
        path(server, "backups", "a"), {"metadata": {"labels": {"seen": "yes"}}}
    )

    assert answer.body == before


async def test_a_patch_may_demand_the_version_it_was_made_for(server: Server) -> None:
    before = await _make(server, backup("a"))
    one = path(server, "backups", "a")

    def labelled(version: str) -> Body:
        return {"metadata": {"resourceVersion": version, "labels": {"seen": "yes"}}}

    met = await server.admin.patch(one, labelled(before["metadata"]["resourceVersion"]))
    missed = await server.admin.patch(
        one,
        {"metadata": {"resourceVersion": before["metadata"]["resourceVersion"], "labels": None}},
    )

    assert met.status == 200
    assert (missed.status, missed.body["reason"], missed.message) == (409, "Conflict", _MODIFIED)


async def test_a_json_patch_is_carried_out_step_by_step(server: Server) -> None:
    await _make(server, schedule())

    answer = await server.admin.patch(
        path(server, "scheduledbackups", "nightly"),
        [
            {"op": "test", "path": "/spec/schedule", "value": "0 0 2 * * *"},
            {"op": "replace", "path": "/spec/schedule", "value": "0 0 3 * * *"},
            {"op": "add", "path": "/spec/suspend", "value": True},
        ],
        JSON_PATCH,
    )

    assert answer.status == 200
    assert answer.body["spec"]["schedule"] == "0 0 3 * * *"
    assert answer.body["spec"]["suspend"] is True


@pytest.mark.parametrize(
    "step",
    [
        {"op": "test", "path": "/spec/schedule", "value": "something else"},
        {"op": "remove", "path": "/spec/suspend"},
        {"op": "invent", "path": "/spec/suspend"},
    ],
    ids=["test", "remove", "unknown"],
)
async def test_a_json_patch_with_a_step_that_fails_is_refused_without_a_reason(
    server: Server, step: Body
) -> None:
    before = await _make(server, schedule())
    one = path(server, "scheduledbackups", "nightly")

    answer = await server.admin.patch(one, [step], JSON_PATCH)

    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.message == "the server rejected our request due to an error in our request"
    assert (await server.admin.get(one)).body == before


@pytest.mark.parametrize("language", ["application/strategic-merge-patch+json", "text/plain"])
async def test_a_patch_in_another_language_is_refused(server: Server, language: str) -> None:
    await _make(server, backup("a"))

    answer = await server.admin.patch(path(server, "backups", "a"), {"metadata": {}}, language)

    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")
    assert answer.message == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )


async def test_a_patch_cannot_rename(server: Server) -> None:
    await _make(server, backup("a"))

    answer = await server.admin.patch(path(server, "backups", "a"), {"metadata": {"name": "b"}})

    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert answer.message == "the name of the object (b) does not match the name on the URL (a)"


async def test_a_patch_of_nothing_is_not_found(server: Server) -> None:
    answer = await server.admin.patch(path(server, "backups", "a"), {"metadata": {}})

    assert (answer.status, answer.message) == (
        404,
        'backups.postgresql.cnpg.io "a" not found',
    )


async def test_a_dry_run_of_a_patch_stores_nothing(server: Server) -> None:
    before = await _make(server, schedule())
    one = path(server, "scheduledbackups", "nightly")

    answer = await server.admin.patch(one, {"spec": {"schedule": "0 0 5 * * *"}}, dryRun="All")

    assert answer.body["spec"]["schedule"] == "0 0 5 * * *"
    assert (await server.admin.get(one)).body == before


async def test_a_replacement_needs_the_version_it_was_made_for(server: Server) -> None:
    made = await _make(server, backup("a"))
    one = path(server, "backups", "a")
    labelled = {**made, "metadata": {**made["metadata"], "labels": {"seen": "yes"}}}

    replaced = await server.admin.replace(one, labelled)
    stale = await server.admin.replace(one, labelled)
    without = await server.admin.replace(one, backup("a"))

    assert replaced.status == 200
    assert replaced.body["metadata"]["labels"] == {"seen": "yes"}
    assert (stale.status, stale.message) == (409, _MODIFIED)
    assert (without.status, without.body["reason"]) == (422, "Invalid")
    assert without.message == (
        'backups.postgresql.cnpg.io "a" is invalid: metadata.resourceVersion: Invalid value: 0: '
        "must be specified for an update"
    )


async def test_a_deletion_answers_with_what_went(server: Server) -> None:
    made = await _make(server, backup("a"))
    one = path(server, "backups", "a")

    answer = await server.admin.delete(one)
    again = await server.admin.delete(one)

    assert answer.status == 200
    assert answer.body["status"] == "Success"
    assert answer.body["details"] == {
        "name": "a",
        "group": "postgresql.cnpg.io",
        "kind": "backups",
        "uid": made["metadata"]["uid"],
    }
    assert (again.status, again.message) == (404, 'backups.postgresql.cnpg.io "a" not found')


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ({"dryRun": "All"}, None),
        ({}, {"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]}),
    ],
    ids=["in the query", "in the body"],
)
async def test_a_dry_run_of_a_deletion_deletes_nothing(
    server: Server, query: dict[str, str], body: Body | None
) -> None:
    made = await _make(server, backup("a"))
    one = path(server, "backups", "a")

    answer = await server.admin.delete(one, body, **query)

    assert (answer.status, answer.body["status"]) == (200, "Success")
    assert (await server.admin.get(one)).body == made


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
async def test_a_deletion_may_demand_which_object_it_means(server: Server, field: str) -> None:
    made = await _make(server, backup("a"))
    one = path(server, "backups", "a")

    missed = await server.admin.delete(one, {"preconditions": {field: "1"}})
    met = await server.admin.delete(one, {"preconditions": {field: made["metadata"][field]}})

    assert (missed.status, missed.body["reason"]) == (409, "Conflict")
    name = {"uid": "UID", "resourceVersion": "ResourceVersion"}[field]
    assert f"the {name} in the precondition (1) does not match the {name} in record" in (
        missed.message
    )
    assert met.status == 200


async def test_a_collection_is_deleted_as_far_as_selected(server: Server) -> None:
    for name in ("a", "b"):
        await _make(server, backup(name, labels={"name": name}))
    backups = path(server, "backups")

    dry = await server.admin.delete(backups, dryRun="All")
    selected = await server.admin.delete(backups, labelSelector="name=a")

    assert (dry.names, dry.body["kind"]) == (["a", "b"], "BackupList")
    assert selected.names == ["a"]
    assert (await server.admin.get(backups)).names == ["b"]


async def test_a_label_must_look_like_one(server: Server) -> None:
    await _make(server, backup("a"))

    answer = await server.admin.patch(
        path(server, "backups", "a"), {"metadata": {"labels": {"team": "c d"}}}
    )

    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.message.startswith(
        'Backup.postgresql.cnpg.io "a" is invalid: metadata.labels: Invalid value: "c d": '
        "a valid label must be an empty string or consist of alphanumeric characters"
    )


@pytest.mark.parametrize("name", ["Bad_Name", "-a", "a" * 254])
async def test_a_name_must_look_like_one(server: Server, name: str) -> None:
    answer = await server.admin.create(path(server, "backups"), backup(name))

    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.message.startswith(
        f'Backup.postgresql.cnpg.io "{name}" is invalid: metadata.name: Invalid value: "{name}": '
    )
    assert answer.causes == [("FieldValueInvalid", "metadata.name")]
