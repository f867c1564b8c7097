"""What leaves this machine in a file holds no secret, and still all that helps."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.panes.objects import a_backup, a_cluster, a_store, completed
from tui.cnpg.redaction import HIDDEN, redacted, scrubbed

CANARY = "c4n4ry-5ecret"


def spoilt(path: str, value: Any) -> dict[str, Any]:
    """A Cluster with a value somewhere below its spec."""
    cluster = copy.deepcopy(a_cluster("pg"))
    *folders, last = path.split(".")
    place = cluster["spec"]
    for folder in folders:
        place = place.setdefault(folder, {})
    place[last] = value
    return cluster


LEAKS: list[tuple[str, Any]] = [
    ("env", [{"name": "PGPASSWORD", "value": CANARY}]),
    ("env", [{"name": "HARMLESS_LOOKING", "value": CANARY}]),
    ("env", [{"name": "HTTPS_PROXY", "value": f"http://me:{CANARY}@proxy:3128"}]),
    ("externalClusters", [{"connectionParameters": {"host": "db", "password": CANARY}}]),
    ("bootstrap.initdb.postInitSQL", [f"CREATE ROLE app PASSWORD '{CANARY}'"]),
    ("bootstrap.initdb.postInitSQL", [f"alter role app with encrypted password '{CANARY}' ;"]),
    ("postgresql.parameters", {"primary_conninfo": f"host=db password={CANARY} user=x"}),
    ("plugins", [{"name": "p", "parameters": {"apiKey": CANARY}}]),
    ("backup.data.additionalCommandArgs", [f"--sse-customer-key={CANARY}"]),
    ("backup.data.additionalCommandArgs", ["--sse-customer-key", CANARY, "--jobs", "2"]),
    ("note", f"-----BEGIN EC PRIVATE KEY-----\n{CANARY}\n-----END EC PRIVATE KEY-----"),
    ("note", f"-----BEGIN PRIVATE KEY-----\n{CANARY} and it was cut"),
]


@pytest.mark.parametrize(("path", "value"), LEAKS)
def test_a_secret_that_people_wrote_into_a_manifest_is_left_out(path: str, value: Any) -> None:
    source = spoilt(path, value)
    before = copy.deepcopy(source)
    shown = json.dumps(redacted(source))
    assert CANARY not in shown
    assert HIDDEN in shown
    assert source == before


def test_what_repeats_the_whole_object_is_dropped() -> None:
    source = a_cluster(
        "pg", annotations={"kubectl.kubernetes.io/last-applied-configuration": CANARY, "a": "b"}
    )
    source["metadata"]["managedFields"] = [{"manager": CANARY}]
    assert redacted(source)["metadata"]["annotations"] == {"a": "b"}
    assert CANARY not in json.dumps(redacted(source))


def test_variables_that_decide_about_archiving_stay() -> None:
    env = [
        {"name": "AWS_REQUEST_CHECKSUM_CALCULATION", "value": "when_required"},
        {"name": "AWS_DEFAULT_REGION", "value": "auto"},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "r2", "key": "ACCESS_KEY_ID"}}},
    ]
    assert redacted(spoilt("env", env))["spec"]["env"] == env


def test_references_to_secrets_stay_because_they_are_names() -> None:
    source = a_store("r2-store", "pg")
    credentials = {
        "accessKeyId": {"name": "r2-creds", "key": "ACCESS_KEY_ID"},
        "secretAccessKey": {"name": "r2-creds", "key": "SECRET_ACCESS_KEY"},
    }
    source["spec"]["configuration"]["s3Credentials"] = credentials
    assert redacted(source)["spec"]["configuration"]["s3Credentials"] == credentials


@pytest.mark.parametrize("source", [a_cluster("pg"), a_backup("pg-1", **completed())])
def test_a_manifest_without_secrets_stays_as_it_is(source: dict[str, Any]) -> None:
    assert redacted(source) == source


@pytest.mark.parametrize(
    "text",
    [
        f"could not connect to postgres://app:{CANARY}@db:5432/app",
        f"AWS_SECRET_ACCESS_KEY={CANARY} barman-cloud-backup",
        f'{{"secretAccessKey": "{CANARY}", "x": 1}}',
        f"Authorization: Bearer {CANARY}",
        f"invalid password: {CANARY}",
    ],
)
def test_a_secret_that_a_tool_repeats_is_left_out(text: str) -> None:
    assert CANARY not in scrubbed(text)


@pytest.mark.parametrize("key", ["AKIAIOSFODNN7EXAMPLE", "0f" * 16, "a9" * 32])
def test_a_key_is_known_by_its_shape(key: str) -> None:
    assert scrubbed(f"The key {key} is revoked") == f"The key {HIDDEN} is revoked"


@pytest.mark.parametrize(
    "text",
    [
        "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied.",
        f"ghcr.io/cloudnative-pg/postgresql:18.1@sha256:{'a9' * 32}",
        f"containerd://{'a9' * 32}",
        "000000030000001200000041 at s3://acme-pg/prod/pg",
        'while getting secret r2: secrets "r2" not found',
    ],
)
def test_an_error_that_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert scrubbed(text) == text
