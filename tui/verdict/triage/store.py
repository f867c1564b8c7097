"""The ObjectStore: is it there, and would the store take what it asks for."""

from __future__ import annotations

from urllib.parse import urlsplit

from tui.cnpg.location import NoLocation
from tui.cnpg.store import CHECKSUM_VARIABLES
from tui.verdict.fix import Fix
from tui.verdict.level import Level
from tui.verdict.triage import settings
from tui.verdict.triage.case import Case
from tui.verdict.triage.rung import Trouble, rule
from tui.verdict.witnesses import NO_SUCH_OBJECT, NotKnown

_EDIT = "kubectl -n {ns} edit objectstores.barmancloud.cnpg.io {store}"


@rule("F11")
def missing(case: Case) -> Trouble | None:
    """The ObjectStore that the plugin names does not exist in the cluster's namespace."""
    named = case.seen.cluster.store
    if named is None or case.seen.store != NO_SUCH_OBJECT:
        return None
    return Trouble(
        "store-missing",
        Level.FAILING,
        "no ObjectStore",
        "the ObjectStore that the plugin names does not exist",
        f"spec.plugins names ObjectStore {named.name}; namespace {named.namespace} has none such",
        "create it in the cluster's namespace, or correct barmanObjectName in spec.plugins",
        f"kubectl -n {named.namespace} get objectstores.barmancloud.cnpg.io",
    )


@rule("F19")
def odd_endpoint(case: Case) -> Trouble | None:
    """Shapes of endpointURL and destinationPath that lead somewhere else."""
    why = _oddity(case)
    if not why:
        return None
    return Trouble(
        "bad-endpoint",
        case.suspect,
        "bad endpoint",
        "endpointURL or destinationPath is not an address of the store",
        why,
        "destinationPath is s3://bucket/path; endpointURL is https://host without a bucket",
        case.command(_EDIT),
    )


def _oddity(case: Case) -> str:
    config = case.configuration
    if config is None or not config.destination_path:
        return ""
    if isinstance(case.where, NoLocation):
        return case.where.why
    parts = urlsplit(config.endpoint_url)
    if not config.endpoint_url:
        return ""
    if parts.path.strip("/"):
        return f"endpointURL has a path, {parts.path}: the bucket belongs into destinationPath"
    if (parts.hostname or "").startswith(f"{case.where.place.bucket}."):
        return f"endpointURL has the bucket's name {case.where.place.bucket} in its host"
    if case.is_r2 and parts.scheme != "https":
        return f"endpointURL is {parts.scheme}: R2 answers https only"
    return ""


@rule("F19")
def no_endpoint(case: Case) -> Trouble | None:
    """``endpointUrl`` for ``endpointURL`` is dropped in silence, and requests go to AWS."""
    config = case.configuration
    credentials = config.s3_credentials if config else None
    if config is None or config.endpoint_url or credentials is None:
        return None
    if credentials.inherit_from_iam_role or not case.fails:
        return None
    return Trouble(
        "no-endpoint",
        Level.PROTECTED,
        "endpoint is AWS",
        "no endpointURL: requests go to AWS",
        "spec.configuration.endpointURL is not set (another spelling is dropped in silence)",
        "if the store is not AWS, set endpointURL, spelled so",
        case.command(_EDIT),
    )


@rule("F21")
def checksums(case: Case) -> Trouble | None:
    """R2 and many other stores refuse the checksums that botocore adds by itself."""
    store = case.store
    setting = settings.checksums(store) if store else None
    if store is None or setting is None or not store.configuration.endpoint_url:
        return None
    env = store.sidecar_env
    odd = [name for name in CHECKSUM_VARIABLES if env.get(name) != settings.WHEN_REQUIRED]
    return Trouble(
        "checksums",
        Level.PROTECTED,
        "no checksum variables",
        "the S3 client adds checksums that this store may refuse",
        f"{' and '.join(odd)} not when_required in instanceSidecarConfiguration.env",
        "set both to when_required; this rolls the Pods",
        setting.command,
        setting.fix,
    )


@rule("F22")
def unequal_parts(case: Case) -> Trouble | None:
    """R2 wants equal parts; Barman cuts snappy and lz4 unequally (Barman issue 954)."""
    config = case.configuration
    if config is None or not case.is_r2 or config.data_compression not in settings.UNEQUAL:
        return None
    return Trouble(
        "unequal-parts",
        Level.PROTECTED,
        "compression",
        f"R2 refuses {config.data_compression} base backups above some 40 MiB",
        f"data.compression is {config.data_compression}, and the endpoint is R2",
        "set data.compression to gzip, bzip2 or none",
        *_remedy(case, "unequal-parts"),
    )


@rule("F23")
def not_on_r2(case: Case) -> Trouble | None:
    """Headers that R2 answers with 501."""
    config = case.configuration
    if config is None or not case.is_r2:
        return None
    given = [".".join(path) for path in settings.refused(config)]
    if not given:
        return None
    return Trouble(
        "not-on-r2",
        case.suspect,
        "not on R2",
        "R2 implements neither tags nor encryption headers",
        f"{', '.join(given)} set, and the endpoint is R2",
        f"remove {', '.join(given)}",
        *_remedy(case, "not-on-r2"),
    )


def _remedy(case: Case, code: str) -> tuple[str, Fix | None]:
    """The command, and the fix where the options are an ObjectStore's."""
    setting = settings.of(code, case.store)
    return (setting.command, setting.fix) if setting else (case.command(_EDIT), None)


def sane(case: Case) -> str | NotKnown:
    """What the store is."""
    if isinstance(case.seen.store, NotKnown) and case.configuration is None:
        return NotKnown(case.seen.store.why)
    if isinstance(case.where, NoLocation):
        return NotKnown(case.where.why)
    config, place = case.where.configuration, case.where.place
    squeezed = config.wal_compression or "no compression"
    return f"{place} at {place.endpoint_url or 'AWS'}, {squeezed}"
