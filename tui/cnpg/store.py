"""ObjectStore (barmancloud.cnpg.io/v1): where archives go, and the recovery window the plugin wrote.

Types: plugin-barman-cloud ``api/v1/objectstore_types.go``, barman-cloud ``pkg/api/config.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tui.cnpg import manifest
from tui.cnpg.manifest import Key, Manifest

CHECKSUM_VARIABLES = ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION")
"""Both must be ``when_required`` for stores that do not take the S3 client's checksums
(plugin-barman-cloud ``web/docs/object_stores.md``)."""

SIDECAR_ENV = ("instanceSidecarConfiguration", "env")
"""Where they stand under ``spec``."""


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key inside a Secret of the same namespace: a reference, never the value."""

    secret: str
    key: str


@dataclass(frozen=True, slots=True)
class S3Credentials:
    """``s3Credentials``: references into Secrets; the region is one of them too."""

    access_key_id: SecretKey | None
    secret_access_key: SecretKey | None
    session_token: SecretKey | None
    region: SecretKey | None
    inherit_from_iam_role: bool


@dataclass(frozen=True, slots=True)
class RecoveryWindow:
    """What the primary's sidecar last wrote for a server name. WAL continuity is not checked by it."""

    first_recoverability_point: datetime | None
    last_successful_backup: datetime | None


@dataclass(frozen=True, slots=True)
class Configuration:
    """``spec.configuration``, and the same block in-tree (``spec.backup.barmanObjectStore``).

    ``""`` means the field is not set.
    """

    destination_path: str
    endpoint_url: str
    endpoint_ca: SecretKey | None
    s3_credentials: S3Credentials | None
    wal_compression: str
    wal_encryption: str
    data_compression: str
    data_encryption: str
    tags: Mapping[str, str]
    history_tags: Mapping[str, str]
    server_name: str
    """In-tree only: an ObjectStore must not have it."""


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """One ObjectStore."""

    key: Key
    resource_version: str
    uid: str
    created: datetime | None
    configuration: Configuration
    retention_policy: str
    sidecar_env: Mapping[str, str | None]
    """``instanceSidecarConfiguration.env`` in its order; None where a value is taken from elsewhere."""
    recovery_windows: Mapping[str, RecoveryWindow]
    """By server name. Entries of removed servers are never deleted by the plugin."""


def read(source: Manifest) -> ObjectStore:
    """Project an ObjectStore manifest. Raises :class:`manifest.Odd`."""
    return ObjectStore(
        key=manifest.key(source),
        resource_version=manifest.resource_version(source),
        uid=manifest.text(source, "metadata", "uid"),
        created=manifest.moment(source, "metadata", "creationTimestamp"),
        configuration=configuration(manifest.get(source, "spec", "configuration")),
        retention_policy=manifest.text(source, "spec", "retentionPolicy"),
        sidecar_env={
            manifest.text(item, "name"): _plain(item)
            for item in manifest.items(source, "spec", *SIDECAR_ENV)
        },
        recovery_windows=_windows(manifest.get(source, "status", "serverRecoveryWindow")),
    )


def _plain(variable: Any) -> str | None:
    taken = manifest.get(variable, "valueFrom") is not None
    return None if taken else manifest.text(variable, "value")


def configuration(source: Any) -> Configuration:
    """Project a Barman object store configuration. Raises :class:`manifest.Odd`."""
    return Configuration(
        destination_path=manifest.text(source, "destinationPath"),
        endpoint_url=manifest.text(source, "endpointURL"),
        endpoint_ca=_secret_key(source, "endpointCA"),
        s3_credentials=_credentials(manifest.get(source, "s3Credentials")),
        wal_compression=manifest.text(source, "wal", "compression"),
        wal_encryption=manifest.text(source, "wal", "encryption"),
        data_compression=manifest.text(source, "data", "compression"),
        data_encryption=manifest.text(source, "data", "encryption"),
        tags=manifest.pairs(source, "tags"),
        history_tags=manifest.pairs(source, "historyTags"),
        server_name=manifest.text(source, "serverName"),
    )


def _secret_key(source: Any, *path: str) -> SecretKey | None:
    if manifest.get(source, *path) is None:
        return None
    return SecretKey(manifest.text(source, *path, "name"), manifest.text(source, *path, "key"))


def _credentials(source: Any) -> S3Credentials | None:
    if source is None:
        return None
    return S3Credentials(
        access_key_id=_secret_key(source, "accessKeyId"),
        secret_access_key=_secret_key(source, "secretAccessKey"),
        session_token=_secret_key(source, "sessionToken"),
        region=_secret_key(source, "region"),
        inherit_from_iam_role=manifest.flag(source, "inheritFromIAMRole") or False,
    )


def _windows(source: Any) -> Mapping[str, RecoveryWindow]:
    if source is None:
        return {}
    if not isinstance(source, Mapping):
        raise manifest.Odd("status.serverRecoveryWindow is not an object")
    return {
        server: RecoveryWindow(
            first_recoverability_point=manifest.moment(window, "firstRecoverabilityPoint"),
            last_successful_backup=manifest.moment(window, "lastSuccessfulBackupTime"),
        )
        for server, window in source.items()
    }
