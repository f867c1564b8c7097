"""Server-side apply: who owns a field, and what happens when two want it. Asked of both servers."""

from __future__ import annotations

import pytest

from tests.apiserver.client import APPLY_PATCH, Answer
from tests.apiserver.manifests import Manifest, schedule
from tests.apiserver.servers import Server, path


async def _apply(server: Server, document: Manifest, manager: str, **query: str) -> Answer:
    return await server.admin.patch(
        path(server, "scheduledbackups", "nightly"),
        document,
        APPLY_PATCH,
        fieldManager=manager,
        **query,
    )


async def test_apply_creates_what_is_not_there_and_repeated_changes_nothing(
    server: Server,
) -> None:
    made = await _apply(server, schedule(), "one")
    again = await _apply(server, schedule(), "one")

    assert (made.status, again.status) == (201, 200)
    assert made.body["spec"] == schedule()["spec"] | {"backupOwnerReference": "none"}
    assert again.body == made.body


async def test_apply_records_the_owner_of_each_field(server: Server) -> None:
    made = await _apply(server, schedule(), "one")

    (owned,) = made.body["metadata"]["managedFields"]
    assert (owned["manager"], owned["operation"]) == ("one", "Apply")
    assert (owned["apiVersion"], owned["fieldsType"]) == ("postgresql.cnpg.io/v1", "FieldsV1")
    assert owned["fieldsV1"] == {
        "f:spec": {
            "f:cluster": {"f:name": {}},
            "f:method": {},
            "f:pluginConfiguration": {"f:name": {}},
            "f:schedule": {},
        }
    }


async def test_a_field_of_another_applier_is_not_taken_unless_forced(server: Server) -> None:
    await _apply(server, schedule(), "one")
    later = schedule(schedule="0 0 3 * * *", suspend=True)

    refused = await _apply(server, later, "two")
    unchanged = await server.admin.get(path(server, "scheduledbackups", "nightly"))
    forced = await _apply(server, later, "two", force="true")

    assert (refused.status, refused.body["reason"]) == (409, "Conflict")
    assert refused.message == 'Apply failed with 1 conflict: conflict with "one": .spec.schedule'
    assert refused.body["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "one"',
            "field": ".spec.schedule",
        }
    ]
    assert unchanged.body["spec"]["schedule"] == "0 0 2 * * *"
    assert forced.status == 200
    assert forced.body["spec"]["schedule"] == "0 0 3 * * *"
    owners = {
        each["manager"]: each["fieldsV1"] for each in forced.body["metadata"]["managedFields"]
    }
    assert "f:schedule" not in owners["one"]["f:spec"]
    assert "f:schedule" in owners["two"]["f:spec"]


async def test_a_field_somebody_edited_since_is_not_taken_back_silently(server: Server) -> None:
    await _apply(server, schedule(suspend=False), "one")
    await server.admin.patch(
        path(server, "scheduledbackups", "nightly"),
        {"spec": {"suspend": True}},
        fieldManager="kubectl-edit",
    )

    answer = await _apply(server, schedule(suspend=False), "one")

    assert answer.status == 409
    assert answer.message == (
        'Apply failed with 1 conflict: conflict with "kubectl-edit" using postgresql.cnpg.io/v1: '
        ".spec.suspend"
    )


async def test_two_may_want_the_same_value(server: Server) -> None:
    await _apply(server, schedule(), "one")

    answer = await _apply(server, schedule(suspend=True), "two")

    assert answer.status == 200
    assert answer.body["spec"]["suspend"] is True


async def test_a_field_its_only_owner_leaves_out_goes(server: Server) -> None:
    await _apply(server, schedule(suspend=True, immediate=True), "one")

    answer = await _apply(server, schedule(immediate=True), "one")

    assert "suspend" not in answer.body["spec"]
    assert answer.body["spec"]["immediate"] is True


async def test_a_dry_run_of_an_apply_stores_nothing(server: Server) -> None:
    made = await _apply(server, schedule(), "one")

    answer = await _apply(server, schedule(suspend=True), "one", dryRun="All")

    assert answer.body["spec"]["suspend"] is True
    stored = await server.admin.get(path(server, "scheduledbackups", "nightly"))
    assert stored.body == made.body


async def test_an_applier_must_name_itself(server: Server) -> None:
    answer = await server.admin.patch(
        path(server, "scheduledbackups", "nightly"), schedule(), APPLY_PATCH
    )

    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.message == (
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: '
        "is required for apply patch"
    )


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (
            {"name": "other"},
            "the name of the object (other) does not match the name on the URL (nightly)",
        ),
        ({"name": "nightly", "managedFields": []}, "metadata.managedFields must be nil"),
    ],
    ids=["another name", "managed fields"],
)
async def test_a_document_that_cannot_be_applied_is_refused(
    server: Server, metadata: Manifest, message: str
) -> None:
    await _apply(server, schedule(), "one")

    answer = await _apply(server, schedule() | {"metadata": metadata}, "one")

    assert (answer.status, answer.body["reason"], answer.message) == (400, "BadRequest", message)


async def test_a_field_the_schema_does_not_know_cannot_be_applied(server: Server) -> None:
    answer = await _apply(server, schedule(bogus=True), "one")

    assert answer.status == 500
    assert answer.message.endswith(".spec.bogus: field not declared in schema")


async def test_every_writer_is_recorded_as_owner_of_what_it_wrote(server: Server) -> None:
    await server.admin.create(path(server, "scheduledbackups"), schedule(), fieldManager="maker")
    changed = await server.admin.patch(
        path(server, "scheduledbackups", "nightly"),
        {"spec": {"suspend": True}},
        fieldManager="changer",
    )

    owners = {each["manager"]: each for each in changed.body["metadata"]["managedFields"]}
    assert {each["operation"] for each in owners.values()} == {"Update"}
    assert "f:schedule" in owners["maker"]["fieldsV1"]["f:spec"]
    assert owners["changer"]["fieldsV1"] == {"f:spec": {"f:suspend": {}}}
