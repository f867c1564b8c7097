"""What CNPG's webhooks refuse and warn of.

On the sandbox alone: the genuine server runs here without the operator that serves the webhooks.
"""

from __future__ import annotations

import pytest

from tests.apiserver.client import Answer
from tests.apiserver.manifests import Manifest, backup, cluster, schedule
from tests.apiserver.servers import Server, path

_DEPRECATED = "Native support for Barman Cloud backups and recovery is deprecated"
_SIX = (
    '299 - "Schedule parameter may not have the right number of arguments '
    '(usually six arguments are needed)"'
)


async def _create(server: Server, document: Manifest, **query: str) -> Answer:
    plural = {"Backup": "backups", "ScheduledBackup": "scheduledbackups", "Cluster": "clusters"}
    return await server.admin.create(path(server, plural[document["kind"]]), document, **query)


def _in_tree(document: Manifest, **spec: object) -> Manifest:
    kept = {"cluster", "schedule"} & document["spec"].keys()
    return document | {"spec": {key: document["spec"][key] for key in kept} | spec}


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        (
            _in_tree(backup("a"), method="plugin"),
            (
                "spec.pluginConfiguration: Invalid value: null: cannot be empty when the backup "
                "method is plugin"
            ),
        ),
        (
            _in_tree(backup("a"), online=True),
            (
                "spec.online: Invalid value: true: Online parameter can be specified only if the "
                "backup method is volumeSnapshot"
            ),
        ),
        (
            _in_tree(schedule(), online=True),
            (
                "spec.online: Invalid value: true: Online parameter can be specified only if the "
                "method is volumeSnapshot"
            ),
        ),
        (
            schedule(schedule="0 2 * *"),
            ('spec.schedule: Invalid value: "0 2 * *": Expected 5 to 6 fields, found 4: 0 2 * *'),
        ),
    ],
    ids=["no plugin named", "online backup", "online schedule", "four fields"],
)
async def test_a_webhook_refuses_in_its_own_name(
    sandbox: Server, document: Manifest, refusal: str
) -> None:
    for query in ({}, {"dryRun": "All"}):
        answer = await _create(sandbox, document, **query)

        kind = document["kind"]
        assert (answer.status, answer.body["reason"]) == (422, "Invalid")
        assert answer.message == (
            f'admission webhook "v{kind.lower()}.cnpg.io" denied the request: '
            f'{kind}.postgresql.cnpg.io "{document["metadata"]["name"]}" is invalid: {refusal}'
        )


@pytest.mark.parametrize("written", ["0 2 * * *", "@daily", "@every 6h"])
async def test_a_schedule_of_other_than_six_fields_is_stored_with_a_warning(
    sandbox: Server, written: str
) -> None:
    answer = await _create(sandbox, schedule(schedule=written))

    assert (answer.status, answer.warnings) == (201, [_SIX])


async def test_a_patch_is_looked_at_like_a_creation(sandbox: Server) -> None:
    await _create(sandbox, schedule())
    one = path(sandbox, "scheduledbackups", "nightly")

    warned = await sandbox.admin.patch(one, {"spec": {"schedule": "0 2 * * *"}}, dryRun="All")
    refused = await sandbox.admin.patch(one, {"spec": {"schedule": "0 2"}})

    assert (warned.status, warned.warnings) == (200, [_SIX])
    assert refused.status == 422
    assert "Expected 5 to 6 fields, found 2: 0 2" in refused.message


async def test_the_in_tree_archiver_is_stored_with_a_warning(sandbox: Server) -> None:
    in_tree = {"barmanObjectStore": {"destinationPath": "s3://backups/"}}

    answer = await _create(sandbox, cluster(backup=in_tree))

    assert answer.status == 201
    (warning,) = answer.warnings
    assert _DEPRECATED in warning
    assert "Found usage in: spec.backup.barmanObjectStore" in warning


async def test_validation_can_be_switched_off_with_a_warning(sandbox: Server) -> None:
    document = schedule(schedule="nonsense")
    document["metadata"]["annotations"] = {"cnpg.io/validation": "disabled"}

    answer = await _create(sandbox, document)

    assert answer.status == 201
    (warning,) = answer.warnings
    assert "validation webhook is disabled" in warning
