"""What CNPG's CRDs themselves demand and fill in, asked of both servers.

The operator's webhooks are not installed on the genuine server: what they alone refuse is tested
with the sandbox, which restates their texts.
"""

from __future__ import annotations

import pytest

from tests.apiserver.client import Body
from tests.apiserver.manifests import Manifest, backup, cluster, object_store, schedule
from tests.apiserver.servers import Server, path

_UNCHECKED = ("FieldValueInvalid", "<nil>")
"""The cause every schema error is followed by: CEL rules were not reached."""
_UNCHECKED_TEXT = (
    "<nil>: Invalid value: null: some validation rules were not checked because the object was "
    "invalid; correct the existing errors to complete validation"
)


async def _make(server: Server, plural: str, document: Manifest) -> Body:
    answer = await server.admin.create(path(server, plural), document)
    assert answer.status == 201, answer.text
    return answer.body


async def test_a_backup_never_changes_its_spec(server: Server) -> None:
    await _make(server, "backups", backup("a"))
    one = path(server, "backups", "a")

    for query in ({}, {"dryRun": "All"}):
        answer = await server.admin.patch(one, {"spec": {"target": "primary"}}, **query)

        assert (answer.status, answer.body["reason"]) == (422, "Invalid")
        assert answer.message == (
            'Backup.postgresql.cnpg.io "a" is invalid: '
            "spec: Invalid value: BackupSpec is immutable once set"
        )
        assert answer.causes == [("FieldValueInvalid", "spec")]


async def test_a_schedule_never_changes_its_cluster(server: Server) -> None:
    await _make(server, "scheduledbackups", schedule())

    answer = await server.admin.patch(
        path(server, "scheduledbackups", "nightly"), {"spec": {"cluster": {"name": "other"}}}
    )

    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.message == (
        'ScheduledBackup.postgresql.cnpg.io "nightly" is invalid: '
        "spec.cluster: Invalid value: cluster reference is immutable after creation"
    )
    assert answer.causes == [("FieldValueInvalid", "spec.cluster")]


async def test_the_method_of_a_backup_defaults_to_the_in_tree_one(server: Server) -> None:
    document = backup("a")
    document["spec"] = {"cluster": {"name": "pg"}}

    made = await _make(server, "backups", document)

    assert made["spec"] == {"cluster": {"name": "pg"}, "method": "barmanObjectStore"}


async def test_a_schedule_gets_its_defaults(server: Server) -> None:
    document = schedule()
    document["spec"] = {"schedule": "@daily", "cluster": {"name": "pg"}}

    made = await _make(server, "scheduledbackups", document)

    assert made["spec"] == {
        "schedule": "@daily",
        "cluster": {"name": "pg"},
        "method": "barmanObjectStore",
        "backupOwnerReference": "none",
    }


async def test_the_defaults_of_a_cluster_hold_what_the_app_reads(server: Server) -> None:
    plugin = {"name": "barman-cloud.cloudnative-pg.io", "parameters": {"barmanObjectName": "r2"}}

    made = await _make(server, "clusters", cluster(plugins=[plugin]))

    assert made["spec"]["plugins"] == [plugin | {"enabled": True, "isWALArchiver": False}]
    assert made["spec"]["instances"] == 3


async def test_a_null_means_not_there(server: Server) -> None:
    made = await _make(server, "backups", backup("a", online=None, target=None))

    assert made["spec"] == backup("a")["spec"]


@pytest.mark.parametrize(
    ("plural", "document", "field"),
    [
        ("backups", backup("a", cluster=None), "spec.cluster"),
        ("backups", {**backup("a"), "spec": None}, "spec"),
        ("scheduledbackups", schedule(schedule=None), "spec.schedule"),
        ("scheduledbackups", schedule(cluster=None), "spec.cluster"),
        ("objectstores", object_store(configuration=None), "spec.configuration"),
        ("objectstores", {**object_store(), "spec": None}, "spec"),
    ],
    ids=[
        "a backup's cluster",
        "a backup's spec",
        "a schedule's time",
        "a schedule's cluster",
        "a store's configuration",
        "a store's spec",
    ],
)
async def test_what_is_required_is_asked_for_by_name(
    server: Server, plural: str, document: Manifest, field: str
) -> None:
    """It is not there if it is null, too."""
    answer = await server.admin.create(path(server, plural), document)

    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.causes == sorted([("FieldValueRequired", field), _UNCHECKED])
    assert answer.message.endswith(f" is invalid: [{field}: Required value, {_UNCHECKED_TEXT}]")


@pytest.mark.parametrize(
    ("plural", "document", "reason", "text"),
    [
        (
            "backups",
            backup("a", method="magic"),
            "FieldValueNotSupported",
            (
                'spec.method: Unsupported value: "magic": supported values: '
                '"barmanObjectStore", "volumeSnapshot", "plugin"'
            ),
        ),
        (
            "backups",
            backup("a", target="moon"),
            "FieldValueNotSupported",
            'spec.target: Unsupported value: "moon": supported values: "primary", "prefer-standby"',
        ),
        (
            "backups",
            backup("a", online="yes"),
            "FieldValueTypeInvalid",
            (
                'spec.online: Invalid value: "string": spec.online in body must be of type '
                'boolean: "string"'
            ),
        ),
        (
            "backups",
            backup("a", cluster=3),
            "FieldValueTypeInvalid",
            (
                'spec.cluster: Invalid value: "integer": spec.cluster in body must be of type '
                'object: "integer"'
            ),
        ),
        (
            "scheduledbackups",
            schedule(backupOwnerReference="nobody"),
            "FieldValueNotSupported",
            (
                'spec.backupOwnerReference: Unsupported value: "nobody": supported values: '
                '"none", "self", "cluster"'
            ),
        ),
        (
            "objectstores",
            object_store(
                configuration={"destinationPath": "s3://b/", "wal": {"compression": "rar"}}
            ),
            "FieldValueNotSupported",
            (
                'spec.configuration.wal.compression: Unsupported value: "rar": supported values: '
                '"bzip2", "gzip", "lz4", "snappy", "xz", "zstd"'
            ),
        ),
    ],
    ids=["method", "target", "online", "cluster", "owner", "compression"],
)
async def test_a_type_or_a_choice_the_schema_does_not_know_is_refused(
    server: Server, plural: str, document: Manifest, reason: str, text: str
) -> None:
    field = text.split(":", 1)[0]

    answer = await server.admin.create(path(server, plural), document)

    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.causes == sorted([(reason, field), _UNCHECKED])
    assert answer.message.endswith(f" is invalid: [{text}, {_UNCHECKED_TEXT}]")


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (
            object_store(retentionPolicy="30 days"),
            (
                'spec.retentionPolicy: Invalid value: "30 days": spec.retentionPolicy in body '
                "should match '^[1-9][0-9]*[dwm]$'"
            ),
        ),
        (
            object_store(configuration={"destinationPath": ""}),
            (
                'spec.configuration.destinationPath: Invalid value: "": '
                "spec.configuration.destinationPath in body should be at least 1 chars long"
            ),
        ),
    ],
    ids=["retention", "destination"],
)
async def test_a_value_of_the_wrong_form_is_refused(
    server: Server, document: Manifest, text: str
) -> None:
    """Unlike a wrong type it does not keep the CEL rules from being checked."""
    answer = await server.admin.create(path(server, "objectstores"), document)

    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.message == f'ObjectStore.barmancloud.cnpg.io "r2" is invalid: {text}'
    assert answer.causes == [("FieldValueInvalid", text.split(":", 1)[0])]


async def test_all_that_is_wrong_is_told_at_once(server: Server) -> None:
    answer = await server.admin.create(
        path(server, "backups"), backup("a", method="magic", target="moon")
    )

    assert answer.causes == sorted(
        [
            ("FieldValueNotSupported", "spec.method"),
            ("FieldValueNotSupported", "spec.target"),
            _UNCHECKED,
        ]
    )


async def test_a_time_in_a_status_must_be_one(server: Server) -> None:
    await _make(server, "scheduledbackups", schedule())

    answer = await server.admin.patch(
        path(server, "scheduledbackups", "nightly") + "/status",
        {"status": {"lastCheckTime": "yesterday"}},
    )

    assert answer.status == 422
    assert answer.causes == sorted(
        [
            ("FieldValueTypeInvalid", "status.lastCheckTime"),
            _UNCHECKED,
        ]
    )
    assert (
        'status.lastCheckTime: Invalid value: "yesterday": lastCheckTime in body must be of type '
        'date-time: "yesterday"'
    ) in answer.message


@pytest.mark.parametrize("query", [{}, {"fieldValidation": "Warn"}], ids=["default", "Warn"])
async def test_an_unknown_field_is_pruned_with_a_warning(
    server: Server, query: dict[str, str]
) -> None:
    document = backup("a", nonsense=1)

    made = await server.admin.create(path(server, "backups"), document, **query)
    changed = await server.admin.patch(
        path(server, "backups", "a"), {"spec": {"nonsense": 2}}, **query
    )

    assert (made.status, changed.status) == (201, 200)
    assert made.warnings == ['299 - "unknown field \\"spec.nonsense\\""']
    assert changed.warnings == made.warnings
    assert "nonsense" not in made.body["spec"]
    assert changed.body == made.body


async def test_an_unknown_field_is_pruned_in_silence_on_demand(server: Server) -> None:
    answer = await server.admin.create(
        path(server, "backups"), backup("a", nonsense=1), fieldValidation="Ignore"
    )

    assert (answer.status, answer.warnings) == (201, [])
    assert "nonsense" not in answer.body["spec"]


async def test_strict_validation_refuses_unknown_fields_by_name(server: Server) -> None:
    document = {**backup("a", nonsense=1), "extra": {}}

    answer = await server.admin.create(path(server, "backups"), document, fieldValidation="Strict")

    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert answer.message == (
        'Backup in version "v1" cannot be handled as a Backup: strict decoding error: '
        'unknown field "extra", unknown field "spec.nonsense"'
    )


async def test_strict_validation_of_a_patch_quotes_the_whole_object(server: Server) -> None:
    """A message no line can hold: whoever shows it must cut it."""
    await _make(server, "scheduledbackups", schedule())

    answer = await server.admin.patch(
        path(server, "scheduledbackups", "nightly"),
        {"spec": {"susspend": True}},
        fieldValidation="Strict",
    )

    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.message.startswith(' "" is invalid: patch: Invalid value: "{')
    assert '\\"susspend\\":true' in answer.message
    assert answer.message.endswith(': strict decoding error: unknown field "spec.susspend"')
    assert answer.causes == [("FieldValueInvalid", "patch")]


async def test_validation_has_three_degrees(server: Server) -> None:
    answer = await server.admin.create(
        path(server, "backups"), backup("a"), fieldValidation="Lenient"
    )

    assert answer.status == 422
    assert answer.message == (
        'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Lenient": '
        'supported values: "", "Ignore", "Strict", "Warn"'
    )


async def test_the_status_is_changed_through_its_own_door_only(server: Server) -> None:
    made = await _make(server, "backups", backup("a"))
    one = path(server, "backups", "a")
    change = {
        "status": {"phase": "completed"},
        "spec": {"target": "primary"},
        "metadata": {"labels": {"seen": "yes"}},
    }

    by_status = await server.admin.patch(f"{one}/status", change)
    by_object = await server.admin.patch(one, {"status": {"phase": "failed"}})

    assert by_status.body["status"] == {"phase": "completed"}
    assert by_status.body["spec"] == made["spec"]
    assert "labels" not in by_status.body["metadata"]
    assert by_object.body["status"] == {"phase": "completed"}
    assert (await server.admin.get(f"{one}/status")).body == by_object.body


async def test_the_generation_counts_changes_of_the_spec(server: Server) -> None:
    made = await _make(server, "scheduledbackups", schedule())
    one = path(server, "scheduledbackups", "nightly")

    async def after(where: str, change: Body) -> int:
        answer = await server.admin.patch(where, change)
        assert answer.status == 200
        generation: int = answer.body["metadata"]["generation"]
        return generation

    assert made["metadata"]["generation"] == 1
    assert await after(one, {"metadata": {"labels": {"seen": "yes"}}}) == 1
    assert await after(f"{one}/status", {"status": {"error": "none"}}) == 1
    assert await after(one, {"spec": {"suspend": True}}) == 2
    assert await after(one, {"spec": {"suspend": True}}) == 2
    assert await after(one, {"spec": {"suspend": None}}) == 3


async def test_the_recovery_windows_of_a_store_are_kept_by_server_name(server: Server) -> None:
    await _make(server, "objectstores", object_store())
    window = {
        "firstRecoverabilityPoint": "2026-11-01T00:00:00Z",
        "lastSuccessfulBackupTime": "2026-11-22T02:00:00Z",
    }

    answer = await server.admin.patch(
        path(server, "objectstores", "r2") + "/status",
        {"status": {"serverRecoveryWindow": {"pg": window, "old.name": window}}},
    )

    assert answer.status == 200
    assert answer.body["status"]["serverRecoveryWindow"] == {"pg": window, "old.name": window}
