"""What is staged for real, and the finding each must be told by first.

``unheard`` is what must be said where neither the sidecar's log nor the instance can be heard: without
them an exit status may have many causes, and then no cause may be made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.matrix.sidecar import PLAIN
from tests.wire import stores

PLUGIN = "barman-cloud.cloudnative-pg.io"
NOBODY = "http://127.0.0.1:1"
SILENT = ("archiving-fails", "failing")
"""It fails, and the cause stands in the log alone."""

Words = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One cluster in a namespace of its name."""

    name: str
    number: str
    """In the failure catalogue, ``""`` if it is not there."""
    code: str
    """Of the finding that must stand first; ``""`` where there must be none."""
    level: str
    unheard: tuple[str, str] | None = None
    """Code and level without log and instance; None: the same."""
    film: str = "whole"
    """What lies in the bucket (``films.of``)."""
    archives: bool = False
    """Barman really archives the next segment; the operator's word is what comes of that."""
    backs_up: tuple[str, ...] | None = None
    """Barman really takes a base backup, with these arguments."""
    prunes: bool = False
    """Barman really deletes what a policy of one day gives up."""
    fresh: bool = False
    """A new cluster: Barman first checks that the archive is empty."""
    late: bool = False
    """The node's clock is an hour behind."""
    keys: tuple[str, str] = stores.ADMIN
    secret: Mapping[str, str] = field(default_factory=dict)
    """Values in the Secret that are other than these keys."""
    endpoint: str = "{weed}"
    inside: str = ""
    """Where the Pods find the store, if it is not reached there from here."""
    path: str = "s3://backups/{name}"
    trusts: bool = False
    """The ObjectStore names the CA of the store."""
    store: Words = field(default_factory=dict)
    """Merged into the ObjectStore."""
    cluster: Words = field(default_factory=dict)
    """Merged into the Cluster."""
    status: Words = field(default_factory=dict)
    """Merged into its status."""
    schedule: Words = field(default_factory=dict)
    """Merged into the ScheduledBackup."""
    archive_error: str = ""
    """The operator says that archiving fails so."""
    account: str = "pg"
    """The service account that the Pods run as; the plugin binds the one named like the cluster."""
    sidecar_dies: bool = False
    """It was killed for want of memory and is not back."""
    misreported: bool = False
    """The newest base backup is whole, and its Backup says that it failed."""
    overdue: bool = False
    """The schedule missed its slot."""
    backup_error: str = ""
    """The newest Backup failed so."""
    runs_for: float = 0.0
    """A Backup was started so many hours ago and has not ended."""
    waits: str | None = None
    """A Backup has been in this phase for half an hour, and was never started."""
    age: float = 30.0
    """Of the Cluster and its schedule, in days."""
    other_system: bool = False
    """The Cluster has another system identifier than the base backups."""
    without: frozenset[str] = frozenset()
    """What is not there: ``store``, ``secret``, ``role`` (the sidecar's), ``right`` (in it, to the
    Secret), ``sidecar``, ``authority`` (the Secret with the CA)."""


def _wal(**words: Any) -> Words:
    return {"spec": {"configuration": {"wal": words}}}


def _spec(**words: Any) -> Words:
    return {"spec": words}


def _plugin(**words: Any) -> Words:
    return _spec(plugins=[{"name": PLUGIN, **words}])


def _stopped(phase: str, reason: str) -> Words:
    return {"phase": phase, "phaseReason": reason}


_SWITCHES = "switchover in progress, refusing archiving"

STORE: tuple[Row, ...] = (
    Row("wrong-secret", "F18", "wrong-secret", "failing", film="stopped", archives=True,
        keys=(stores.ADMIN[0], "wrong")),
    Row("unknown-key", "F18", "unknown-key", "failing", film="stopped", archives=True,
        keys=("AKNOBODY", "SKNOBODY")),
    Row("read-only-key", "F18", "access-denied", "failing", SILENT, film="stopped", archives=True,
        keys=stores.READER),
    Row("read-only-key-inside", "F18", "access-denied", "failing", SILENT, film="stopped", archives=True,
        keys=stores.READER, endpoint=NOBODY, inside="{weed}"),
    Row("swapped-keys", "F18", "unknown-key", "failing", film="stopped", archives=True,
        keys=(stores.ADMIN[1], stores.ADMIN[0])),
    Row("no-credentials", "F14", "no-credentials", "failing", SILENT, film="stopped", archives=True,
        store={"spec": {"configuration": {"s3Credentials": {
            "accessKeyId": None, "secretAccessKey": None, "inheritFromIAMRole": True}}}}),
    Row("plain-to-tls", "F19", "endpoint-closes", "failing", film="stopped", archives=True,
        endpoint="{tls-as-plain}"),
    Row("not-s3", "F19", "not-s3", "failing", film="stopped", archives=True,
        endpoint="{master}"),
    Row("foreign-key", "F18", "access-denied", "failing", film="stopped", archives=True,
        keys=stores.STRANGER),
    Row("no-bucket", "F19", "no-bucket", "failing", film="none", archives=True,
        path="s3://nowhere/prod"),
    Row("wrong-endpoint", "F19", "endpoint-unreachable", "failing", SILENT, film="none", archives=True,
        endpoint=NOBODY),
    Row("wrong-endpoint-new", "F19", "endpoint-unreachable", "failing", film="none", archives=True,
        endpoint=NOBODY, path="s3://backups/new", fresh=True),
    Row("no-s3-url", "F19", "bad-endpoint", "failing", film="none", archives=True,
        path="backups/prod"),
    Row("tls-untrusted", "F19", "tls", "failing", film="stopped", archives=True, endpoint="{tls}"),
    Row("tls-to-plain", "F19", "tls", "failing", film="stopped", archives=True,
        endpoint="{weed-as-tls}"),
    Row("checksums", "F21", "checksums", "failing", SILENT, film="stopped", archives=True,
        endpoint="{strict}", store=_spec(instanceSidecarConfiguration={"env": []})),
    Row("tags", "F23", "not-on-r2", "failing", SILENT, film="stopped", archives=True,
        endpoint="{strict}", store={"spec": {"configuration": {"tags": {"a": "b"}}}}),
    Row("not-empty", "F09", "not-empty", "failing", archives=True, fresh=True, other_system=True,
        film="stopped"),
    Row("clash-one", "F10", "server-name-clash", "failing", path="s3://backups/clash"),
    Row("clash-two", "F10", "server-name-clash", "failing", path="s3://backups/clash",
        other_system=True),
    Row("arguments", "F42", "bad-arguments", "failing", film="stopped", archives=True,
        store=_wal(archiveAdditionalCommandArgs=["--no-such-option"])),
    Row("backup-arguments", "F42", "bad-arguments", "degraded", backs_up=("--no-such-option",)),
    Row("clock-skew", "F40", "clock-skew", "failing", SILENT, film="stopped", archives=True, late=True),
    Row("lost-wal", "F38", "torn-film", "failing", film="torn"),
    Row("lost-wal-between", "F38", "hole", "degraded", film="hole"),
    Row("lost-data", "F37", "nothing-restorable", "failing", film="no-data"),
    Row("no-base", "", "nothing-restorable", "failing", film="no-bases"),
    Row("lost-infos", "F37", "nothing-restorable", "failing", film="no-infos"),
    Row("lost-newest-data", "F37", "base-without-data", "degraded", film="no-newest-data"),
    Row("base-without-wal", "F20", "torn-film", "failing", film="no-base-wal"),
    Row("lost-history", "F38", "cut-off", "failing", film="no-history"),
    Row("retention-idle", "F36", "retention-idle", "degraded", film="kept",
        store=_spec(retentionPolicy="1d")),
    Row("unreadable-info", "F36", "retention-fails", "degraded", film="garbled", prunes=True,
        store=_spec(retentionPolicy="1d")),
    Row("killed-backup", "F08", "sidecar-killed", "degraded", film="killed",
        backup_error="rpc error: code = Unknown desc = {killed}"),
    Row("restarted", "F34", "restarted", "degraded", film="killed",
        backup_error="instance manager was restarted during backup on pod pg-1"),
    Row("misreported", "F43", "backup-misreported", "degraded", misreported=True),
    Row("postgres-away", "", "backup-failed", "degraded", backs_up=()),
    Row("nothing-lands", "F01", "does-not-land", "failing", ("quiet", "unknown"), film="elsewhere"),
)  # fmt: skip
"""The side of the store: what fails is done by Barman's own programs against a real store."""

KUBERNETES: tuple[Row, ...] = (
    Row("store-missing", "F11", "store-missing", "failing", film="none", archives=True,
        without=frozenset({"store"})),
    Row("store-forbidden", "F16", "role-missing", "failing", film="stopped", archives=True,
        without=frozenset({"role"})),
    Row("secret-missing", "F13", "secret-missing", "failing", film="stopped", archives=True,
        without=frozenset({"secret"})),
    Row("secret-key", "F14", "secret-key", "failing", film="stopped", archives=True,
        store={"spec": {"configuration": {"s3Credentials": {
            "secretAccessKey": {"name": "keys", "key": "OTHER"}}}}}),
    Row("secret-empty", "F14", "secret-value", "failing", film="stopped", archives=True,
        secret={"SECRET": ""}),
    Row("ca-missing", "F13", "secret-missing", "failing", film="stopped", archives=True,
        endpoint="{tls}", trusts=True, without=frozenset({"authority"})),
    Row("role-stale", "F15", "role-lacks", "failing", film="stopped", archives=True,
        without=frozenset({"right"})),
    Row("other-account", "F17", "role-unbound", "failing", film="stopped", archives=True,
        account="app"),
    Row("sidecar-dies", "F08", "sidecar-dead", "failing", film="stopped", archives=True,
        sidecar_dies=True),
    Row("secret-blank", "F14", "secret-blank", "failing", film="stopped", archives=True,
        secret={"SECRET": stores.ADMIN[1] + "\n"}),
    Row("plugin-absent", "F01", "unprotected", "unprotected", cluster=_spec(plugins=[])),
    Row("plugin-off", "F01", "unprotected", "unprotected", cluster=_plugin(
        enabled=False, isWALArchiver=True, parameters={"barmanObjectName": "store"})),
    Row("no-sidecar", "F02", "sidecar-missing", "failing", without=frozenset({"sidecar"}),
        cluster=_plugin(parameters={"barmanObjectName": "store"})),
    Row("plugin-unknown", "F03", "plugin-unknown", "degraded", status=_stopped(
        "Cluster cannot proceed to reconciliation due to an unknown plugin being required",
        f"Unknown plugin: '{PLUGIN}'. This may be caused by the plugin not being loaded correctly by "
        "the operator. Check the operator and plugin logs for errors")),
    Row("plugin-down", "F04", "plugin-down", "degraded", status=_stopped(
        "Cluster cannot proceed to reconciliation due to an error while interacting with plugins",
        "Error while discovering plugins: while getting plugin connection: while querying plugin "
        "identity: rpc error: code = Unavailable desc = connection error: desc = "
        '"transport: Error while dialing: dial tcp 10.0.0.9:9090: connect: connection refused"')),
    Row("plugin-tls", "F05", "plugin-tls", "degraded", status=_stopped(
        "Cluster cannot proceed to reconciliation due to an error while interacting with plugins",
        "transport: authentication handshake failed: tls: failed to verify certificate: x509: "
        "certificate signed by unknown authority")),
    Row("not-rolled", "F06", "sidecar-not-rolled", "degraded",
        backup_error=f"requested plugin is not available: {PLUGIN}"),
    Row("store-not-named", "F12", "store-not-named", "failing", cluster=_plugin(isWALArchiver=True)),
    Row("two-archivers", "F24", "two-archivers", "degraded",
        cluster={"spec": {"plugins": [{"name": PLUGIN, "parameters": {"barmanObjectName": "store"}}],
                          "backup": {"barmanObjectStore": {"destinationPath": "s3://backups/old"}}}}),
    Row("in-tree", "F25", "in-tree-method", "degraded",
        backup_error="no barmanObjectStore section defined on the target cluster"),
    Row("schedule-method", "F25", "schedule-method", "degraded",
        schedule=_spec(method="barmanObjectStore", pluginConfiguration=None)),
    Row("schedule-no-plugin", "F27", "schedule-without-plugin", "degraded",
        schedule=_spec(pluginConfiguration=None)),
    Row("five-fields", "F28", "five-field-cron", "degraded", schedule=_spec(schedule="0 2 * * *")),
    Row("stuck", "F29", "queue-stuck", "degraded", runs_for=12),
    Row("pending", "F29", "queue-stuck", "degraded", waits="pending"),
    Row("not-taken-up", "F04", "not-taken-up", "degraded", waits=""),
    Row("overdue", "F30", "schedule-overdue", "degraded", overdue=True),
    Row("disk-full", "F31", "disk-full", "degraded", status=_stopped(
        "Not enough disk space", "Insufficient disk space detected in one or more pods")),
    Row("switchover-hangs", "F32", "switchover-hangs", "degraded", archive_error=_SWITCHES,
        status={"targetPrimary": "pg-2", "targetPrimaryTimestamp": "2026-11-26T00:00:00.000000Z",
                "phase": "Switchover in progress"}),
    Row("switched-off", "F35", "archiving-off", "failing",
        cluster={"metadata": {"annotations": {"cnpg.io/skipWalArchiving": "enabled"}}}),
)  # fmt: skip
"""What a genuine API server can hold without a kubelet and an operator."""

HEALTHY: tuple[Row, ...] = (
    Row("calm", "", "", "protected", archives=True),
    Row("calm-tls", "", "", "protected", archives=True, endpoint="{tls}", trusts=True),
    Row("calm-strict", "", "", "protected", archives=True, endpoint="{strict}"),
    Row("calm-young", "", "first-backup-due", "unknown", archives=True, fresh=True, film="none",
        age=0.01),
    Row("calm-idle", "", "", "protected", ("quiet", "unknown"), film="idle"),
    Row("calm-promoted", "", "", "protected", film="promoted"),
    Row("calm-pruned", "", "", "protected", film="kept", prunes=True,
        store=_spec(retentionPolicy="1d")),
    Row("calm-inside", "", "one-witness", "unknown", archives=True, endpoint=NOBODY,
        inside="{weed}"),
    Row("calm-flag-off", "", "", "protected",
        cluster=_plugin(parameters={"barmanObjectName": "store"})),
    Row("calm-switchover", "", "", "protected", archive_error=_SWITCHES,
        status={"targetPrimary": "pg-2", "phase": "Switchover in progress"}),
    Row("calm-running", "", "", "protected", film="killed", runs_for=0.01),
    Row("calm-suspended", "", "", "protected", schedule=_spec(suspend=True)),
)  # fmt: skip

FAILURES = (*STORE, *KUBERNETES)
WHEN_REQUIRED = [{"name": name, "value": value} for name, value in PLAIN.items()]
