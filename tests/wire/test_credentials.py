"""Which keys open a store, in the order the user set, and what is said of a Secret that is wrong."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from tui import faults
from tui.cnpg import location, store
from tui.cnpg.location import Location, Place
from tui.cnpg.manifest import Key, Kind, Manifest
from tui.wire import credentials
from tui.wire.bucket import Ambient, Bucket
from tui.wire.credentials import FromSecret

REFERENCES = {
    "accessKeyId": {"name": "r2-creds", "key": "ID"},
    "secretAccessKey": {"name": "r2-creds", "key": "SECRET"},
}
CONFIGURATION = {
    "destinationPath": "s3://backups/prod",
    "endpointURL": "https://acc.r2.cloudflarestorage.com",
    "s3Credentials": REFERENCES,
}
GOOD = {"ID": "AKIDVALUE", "SECRET": "SECRETVALUE"}


class Cluster:
    """Secrets by name: their plain values, or the fault that reading them meets."""

    def __init__(self, **secrets: dict[str, str] | faults.Fault) -> None:
        self.secrets = {name.replace("_", "-"): found for name, found in secrets.items()}
        self.asked: list[Key] = []

    async def get(self, kind: Kind, key: Key) -> Manifest:
        assert kind.kind == "Secret"
        self.asked.append(key)
        found = self.secrets.get(key.name)
        if found is None:
            raise faults.NotFound(f"Secret {key} not found", code=404)
        if isinstance(found, faults.Fault):
            raise found
        return {
            "data": {name: base64.b64encode(each.encode()).decode() for name, each in found.items()}
        }


def at(**more: Any) -> Location:
    source = {**CONFIGURATION, **more}
    place = location.place_of(source["destinationPath"], source["endpointURL"])
    assert isinstance(place, Place)
    return Location(place, "pg", "prod", store.configuration(source))


@pytest.fixture(autouse=True)
def no_keys_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDVALUE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SECRETVALUE")


ORDER = credentials.order("secret,environment")


async def opened(where: Location, cluster: Cluster | None, order: str = "") -> Bucket:
    sources = credentials.order(order) if order else ORDER
    bucket = await credentials.open_bucket(where, sources, cluster)
    await bucket.close()
    return bucket


def test_the_order_is_what_the_user_wrote() -> None:
    assert credentials.order("profile:night, secret,environment") == (
        Ambient("night"),
        FromSecret(),
        Ambient(),
    )


@pytest.mark.parametrize("text", ["", "secrets", "profile", "profile:", "secret,,environment"])
def test_an_order_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is none of secret, environment, profile:NAME"):
        credentials.order(text)


async def test_the_secret_the_object_store_names_is_read_in_the_clusters_namespace() -> None:
    cluster = Cluster(r2_creds=GOOD)
    bucket = await opened(at(), cluster)
    assert bucket.identity == "secret r2-creds"
    assert cluster.asked == [Key("prod", "r2-creds")]
    assert bucket._client.meta.region_name == "auto"


@pytest.mark.parametrize(
    ("endpoint", "region", "expected"),
    [
        ("https://acc.eu.r2.cloudflarestorage.com", "", "auto"),
        ("https://acc.r2.cloudflarestorage.com", "weur", "weur"),
        ("https://minio.example", "", "us-east-1"),
        ("", "eu-central-1", "eu-central-1"),
    ],
)
async def test_the_region_is_the_given_one_or_the_stores_own(
    endpoint: str, region: str, expected: str
) -> None:
    named = {"region": {"name": "r2-creds", "key": "REGION"}} if region else {}
    where = at(endpointURL=endpoint, s3Credentials=REFERENCES | named)
    bucket = await opened(where, Cluster(r2_creds={**GOOD, "REGION": region}))
    assert bucket._client.meta.region_name == expected.strip()


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    "cluster",
    [
        None,
        Cluster(r2_creds=faults.Forbidden("may not get secrets", code=403)),
        Cluster(r2_creds=faults.Unreachable("no answer")),
    ],
)
async def test_where_the_secret_may_not_be_read_the_environment_is_asked(
    cluster: Cluster | None,
) -> None:
    assert (await opened(at(), cluster)).identity == "environment"


@pytest.mark.usefixtures("environment")
async def test_the_environment_comes_first_if_the_user_says_so() -> None:
    cluster = Cluster(r2_creds=GOOD)
    assert (await opened(at(), cluster, "environment,secret")).identity == "environment"
    assert cluster.asked == []


@pytest.mark.usefixtures("environment")
async def test_an_iam_role_means_what_this_machine_has() -> None:
    bucket = await opened(at(s3Credentials={"inheritFromIAMRole": True}), Cluster())
    assert bucket.identity == "environment"


async def test_without_any_keys_every_source_is_told() -> None:
    cluster = Cluster(r2_creds=faults.Forbidden("may not get secrets", code=403))
    with pytest.raises(faults.Misconfigured) as told:
        await opened(at(), cluster, "secret,environment,profile:night")
    for part in ("may not get secrets", "(environment)", "no profile night", "--s3-credentials"):
        assert part in str(told.value)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ({}, "has no key ID, which the ObjectStore names"),
        ({"ID": "AKIDVALUE"}, "has no key SECRET"),
        ({**GOOD, "SECRET": "SECRETVALUE\n"}, "newline, which the sidecar sends as it is"),
        ({**GOOD, "ID": " AKIDVALUE"}, "newline, which the sidecar sends as it is"),
        ({**GOOD, "SECRET": ""}, "the value of SECRET is empty"),
    ],
)
async def test_a_secret_that_is_wrong_is_told_and_not_passed_over(
    secret: dict[str, str], words: str
) -> None:
    with pytest.raises(faults.Misconfigured, match=words) as told:
        await opened(at(), Cluster(r2_creds=secret))
    assert "Secret prod/r2-creds" in str(told.value)
    assert "VALUE" not in str(told.value)


@pytest.mark.usefixtures("environment")
async def test_a_secret_that_does_not_exist_is_told() -> None:
    with pytest.raises(faults.Misconfigured, match=r"prod/r2-creds.* does not exist"):
        await opened(at(), Cluster())


async def test_what_the_secrets_look_like_is_told_without_their_values() -> None:
    heard: list[tuple[Key, object]] = []
    cluster = Cluster(r2_creds=GOOD)
    bucket = await credentials.open_bucket(at(), ORDER, cluster, lambda *told: heard.append(told))
    await bucket.close()
    assert [(str(key), sorted(getattr(told, "keys", ()))) for key, told in heard] == [
        ("prod/r2-creds", ["ID", "SECRET"])
    ]
    assert "VALUE" not in repr(heard)


def test_the_ca_comes_from_its_secret_and_leaves_no_file() -> None:
    where = at(endpointCA={"name": "ca", "key": "ca.crt"})
    cluster = Cluster(r2_creds=GOOD, ca={"ca.crt": "-----BEGIN CERTIFICATE-----\n"})
    bucket = asyncio.run(credentials.open_bucket(where, ORDER, cluster))
    assert bucket._ca.path is not None
    file = Path(bucket._ca.path)
    assert file.read_text() == "-----BEGIN CERTIFICATE-----\n"
    assert file.stat().st_mode & 0o077 == 0
    asyncio.run(bucket.close())
    assert not file.exists()
