"""What CloudNativePG's validating webhooks say, restated from its internal/webhook/v1 at 1.30."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tui.sandbox.objects import Manifest
from tui.sandbox.refusals import Cause, Refusal, invalid
from tui.sandbox.resources import Resource

ScheduleCheck = Callable[[str], str | None]
"""A schedule -> what robfig/cron v1.2.0 would say against it, or None."""

_ANNOTATION = "cnpg.io/validation"
_DISABLED = (
    "validation webhook is disabled — all changes are accepted without validation. "
    "This may lead to unsafe or destructive operations. Proceed with extreme caution."
)
_NO_SNAPSHOTS = (
    "Cannot use volumeSnapshot backup method due to missing VolumeSnapshot CRD. If you installed "
    "the CRD after having started the operator, please restart it to enable VolumeSnapshot support"
)
_CRON_WORD = re.compile(
    r"\*|\?|\+?\d+|sun|mon|tue|wed|thu|fri|sat"
    r"|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec",
    re.IGNORECASE,
)


def review(resource: Resource, manifest: Manifest, schedule_check: ScheduleCheck) -> list[str]:
    """The warnings for an object about to be stored; raises Refusal (422) as the webhook does."""
    validate = _VALIDATORS.get(resource.plural)
    if validate is None:
        return []
    annotations = manifest["metadata"].get("annotations") or {}
    given = annotations.get(_ANNOTATION, "")
    if given == "disabled":
        return [_DISABLED]
    warnings = []
    if given not in ("", "enabled"):
        warnings.append(
            f'invalid "{_ANNOTATION}" annotation: "{given}" (expected "enabled" or "disabled")'
        )
    causes = []
    for finding in validate(manifest, schedule_check):
        if isinstance(finding, Cause):
            causes.append(finding)
        else:
            warnings.append(finding)
    if causes:
        raise _denied(resource, manifest, causes, warnings)
    return warnings


def _denied(
    resource: Resource, manifest: Manifest, causes: list[Cause], warnings: list[str]
) -> Refusal:
    webhook = f'admission webhook "v{resource.singular}.cnpg.io" denied the request: '
    refusal = invalid(
        resource.group, resource.kind, manifest["metadata"]["name"], causes, prefix=webhook
    )
    refusal.warnings = tuple(warnings)
    return refusal


def _backup(manifest: Manifest, _check: ScheduleCheck) -> Iterator[Cause | str]:
    spec = manifest["spec"]
    yield from _method(spec, "the backup method")
    plugin = spec.get("pluginConfiguration") or {}
    if spec["method"] == "plugin" and not plugin.get("name"):
        yield _invalid(
            "spec.pluginConfiguration", None, "cannot be empty when the backup method is plugin"
        )
    annotation = "cnpg.io/volumeSnapshotDeadline"
    deadline = (manifest["metadata"].get("annotations") or {}).get(annotation, "")
    if deadline and not re.fullmatch(r"[+-]?\d+", deadline):
        yield _invalid(f"metadata.annotations.{annotation}", deadline, "must be an integer")


def _scheduled(manifest: Manifest, check: ScheduleCheck) -> Iterator[Cause | str]:
    spec = manifest["spec"]
    schedule = spec["schedule"]
    if (why := check(schedule)) is not None:
        yield _invalid("spec.schedule", schedule, why)
    elif len(schedule.split()) != 6:
        yield (
            "Schedule parameter may not have the right number of arguments "
            "(usually six arguments are needed)"
        )
    yield from _method(spec, "the method")


def _method(spec: Mapping[str, Any], called: str) -> Iterator[Cause]:
    method = spec["method"]
    if method == "volumeSnapshot":
        yield _invalid("spec.method", method, _NO_SNAPSHOTS)
    if method != "barmanObjectStore":
        return
    for field, name in (("online", "Online"), ("onlineConfiguration", "OnlineConfiguration")):
        if spec.get(field) is not None:
            why = f"{name} parameter can be specified only if {called} is volumeSnapshot"
            yield _invalid(f"spec.{field}", spec[field], why)


def _cluster(manifest: Manifest, _check: ScheduleCheck) -> Iterator[Cause | str]:
    spec = manifest["spec"]
    backup = spec.get("backup") or {}
    archivers = [
        plugin["name"]
        for plugin in spec.get("plugins") or []
        if plugin.get("enabled", True) and plugin.get("isWALArchiver")
    ]
    if archivers and backup.get("barmanObjectStore"):
        why = "Cannot enable a WAL archiver plugin when barmanObjectStore is configured"
        yield _invalid("spec.plugins", archivers, why)
    if len(archivers) > 1:
        yield _invalid("spec.plugins", archivers, "Cannot enable more than one WAL archiver plugin")
    in_tree = _in_tree_paths(spec)
    if in_tree:
        yield (
            "Native support for Barman Cloud backups and recovery is deprecated and will be "
            "completely removed in CloudNativePG 1.31.0. Found usage in: "
            f"{', '.join(in_tree)}. Please migrate existing clusters to the new Barman Cloud Plugin "
            "to ensure a smooth transition."
        )
    if backup.get("retentionPolicy") and not backup.get("barmanObjectStore"):
        yield (
            "Retention policies specified in .spec.backup.retentionPolicy are only used by the "
            "in-tree barman-cloud support, which is not being used in this cluster. "
            "Please use a backup plugin and migrate this configuration to the plugin configuration"
        )


def _in_tree_paths(spec: Mapping[str, Any]) -> list[str]:
    paths = []
    if (spec.get("backup") or {}).get("barmanObjectStore"):
        paths.append("spec.backup.barmanObjectStore")
    for at, external in enumerate(spec.get("externalClusters") or []):
        if external.get("barmanObjectStore"):
            paths.append(f"spec.externalClusters.{at}.barmanObjectStore")
    return paths


def _invalid(field: str, value: Any, why: str) -> Cause:
    shown = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Cause("FieldValueInvalid", field, f"Invalid value: {shown}: {why}")


_VALIDATORS: Mapping[str, Callable[[Manifest, ScheduleCheck], Iterator[Cause | str]]] = {
    "backups": _backup,
    "scheduledbackups": _scheduled,
    "clusters": _cluster,
}


def count_fields(schedule: str) -> str | None:
    """The least robfig/cron v1.2.0 would say: no fields, too few, too many, or no numbers."""
    if not schedule:
        return "Empty spec string"
    if schedule.startswith("@"):
        return None
    fields = schedule.split()
    if not 5 <= len(fields) <= 6:
        return f"Expected 5 to 6 fields, found {len(fields)}: {schedule}"
    for word in re.findall(r"[^\s,/\-]+", schedule):
        if not _CRON_WORD.fullmatch(word):
            return (
                f'Failed to parse int from {word}: strconv.Atoi: parsing "{word}": invalid syntax'
            )
    return None
