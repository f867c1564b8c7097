"""What CNPG and barman write when something fails: texts of conditions, of Backups, of the logs.

(plugin-barman-cloud internal/cnpgi/instance; CNPG pkg/management/postgres/archiver, internal/cnpi;
barman 3.19.1 clients/cloud_walarchive.py, cloud_check_wal_archive.py, cloud_backup.py)
"""

from __future__ import annotations

from tui.sandbox.manifests import PLUGIN


class PluginFault(Exception):
    """The plugin failed; the text is what stands in a condition or in a Backup's error."""


def plugin_error(text: str, code: str = "Unknown") -> str:
    """An error of the sidecar as gRPC hands it on."""
    return f"rpc error: code = {code} desc = {text}"


def wal_archive_failed(exit_status: int) -> str:
    """ContinuousArchiving's message after barman-cloud-wal-archive failed; the cause stays in a log."""
    return plugin_error(
        f"unexpected failure invoking barman-cloud-wal-archive: exit status {exit_status}"
    )


def base_backup_failed(exit_status: int) -> str:
    """A Backup's error after barman-cloud-backup failed."""
    return plugin_error(f"exit status {exit_status}")


SOCKET_MISSING = f"wal archive plugin is not available: {PLUGIN}"
"""isWALArchiver is set, and the primary has no sidecar."""

SOCKET_REFUSED = "while getting plugin connection: while querying plugin identity: " + plugin_error(
    'connection error: desc = "transport: Error while dialing: dial unix '
    f'/plugins/{PLUGIN}: connect: connection refused"',
    "Unavailable",
)
"""The sidecar is there and does not run."""
