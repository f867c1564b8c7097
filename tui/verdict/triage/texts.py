"""Texts of errors and what they mean: of the operator, the plugin, Barman, the stores, and our own look.

Adding one takes a line below. The first that fits a text wins, so the exact ones stand first.
Sources: cloudnative-pg ``internal/cnpi``, ``pkg/management/postgres/archiver``; plugin-barman-cloud
``internal/cnpgi``; barman-cloud ``pkg/credentials``; Barman 3.19 ``clients``; botocore's errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from tui import words
from tui.verdict.level import Level
from tui.verdict.triage import settings
from tui.verdict.triage.case import Case, Said
from tui.verdict.triage.rung import Trouble

_SECRET = "kubectl -n {ns} get secret {secret} -o jsonpath='{{.data}}' | jq keys"  # noqa: S105
_STORE = "kubectl -n {ns} edit objectstores.barmancloud.cnpg.io {store}"
_RESTART = "kubectl cnpg restart {cluster} -n {ns}"
_NOT_ROLLED = (
    "ObjectStore {store} has both checksum variables by now: restart the Pods that lack them"
)
_LOG = "kubectl -n {ns} logs {primary} -c plugin-barman-cloud"
_AGAIN = "kubectl cnpg backup {cluster} -n {ns} --method plugin --plugin-name "
_PLUGIN = "barman-cloud.cloudnative-pg.io"


@dataclass(frozen=True, slots=True)
class Known:
    """A text that is known. ``step`` is the rung it breaks; remedies may use the names of a case."""

    step: str
    pattern: re.Pattern[str]
    code: str
    numbers: tuple[str, ...]
    headline: str
    remedy: str
    command: str = ""


def _known(
    step: str, pattern: str, code: str, numbers: str, headline: str, remedy: str, command: str = ""
) -> Known:
    compiled = re.compile(pattern, re.IGNORECASE)
    return Known(step, compiled, code, tuple(numbers.split()), headline, remedy, command)


TEXTS: tuple[Known, ...] = (
    # -- the operator and its plugins
    _known("plugin", r"unknown plugin being required|Unknown plugin:", "plugin-unknown", "F03",
           "the operator does not know the plugin: nothing is reconciled",
           "install the plugin in the operator's namespace, or correct its name in spec.plugins",
           "kubectl get services -A -l cnpg.io/pluginName"),
    _known("plugin", r"authentication handshake failed|failed to verify certificate: x509",
           "plugin-tls", "F05",
           "the operator and the plugin do not trust each other's certificate",
           "look at cert-manager's Certificates, then restart the plugin and after it the operator",
           "kubectl get certificates.cert-manager.io -A"),
    _known("sidecar", r"dial unix /plugins/", "sidecar-dead", "F08",
           "the sidecar on the primary does not answer",
           "raise instanceSidecarConfiguration.resources if it was killed, then restart the Pod",
           "kubectl -n {ns} describe pod {primary}"),
    _known("plugin", r"error while interacting with plugins|dial tcp .*:9090", "plugin-down", "F04",
           "the operator cannot reach the plugin: new Backups are not taken up",
           "repair the plugin's Deployment in the operator's namespace; archiving goes on meanwhile",
           "kubectl get deployments -A -l app=barman-cloud"),
    _known("sidecar", r"requested plugin is not available", "sidecar-not-rolled", "F06",
           "the Pod a Backup was sent to has no such plugin",
           "finish the rollout so that every Pod has the sidecar, or correct the Backup's plugin name",
           _RESTART),
    _known("sidecar", r"wal archive plugin is not available", "sidecar-missing", "F07",
           "the primary has no plugin sidecar: WAL is not archived",
           "restart the primary so that the sidecar is injected",
           "kubectl cnpg restart {cluster} {primary} -n {ns}"),
    _known("sidecar", r"signal: killed", "sidecar-killed", "F08",
           "the archiving process was killed, most likely for want of memory",
           "raise instanceSidecarConfiguration.resources.limits.memory; it rolls the Pods", _STORE),
    # -- the ObjectStore, its Secret and who may read them
    _known("store", r'objectstores\.barmancloud\.cnpg\.io "[^"]*" not found', "store-missing", "F11",
           "the ObjectStore {store} does not exist",
           "create it in namespace {ns}, or correct barmanObjectName in spec.plugins",
           "kubectl -n {ns} get objectstores.barmancloud.cnpg.io"),
    _known("secret", r'objectstores\.barmancloud\.cnpg\.io "[^"]*" is forbidden', "store-forbidden",
           "F16", "the sidecar may not read its ObjectStore",
           "restore the Role and RoleBinding {cluster}-barman-cloud; the plugin writes them anew when "
           "the Cluster is reconciled", "kubectl -n {ns} get role,rolebinding {cluster}-barman-cloud"),
    _known("archiver", r"missing barman object store reference|no reference to barmanObjectName",
           "store-not-named", "F12", "the plugin has no parameter barmanObjectName",
           "set parameters.barmanObjectName of the plugin in spec.plugins",
           "kubectl -n {ns} edit clusters.postgresql.cnpg.io {cluster}"),
    _known("secret", r'secrets? "[^"]*" not found|Secret \S+, which the ObjectStore names, does not',
           "secret-missing", "F13", "the Secret with the store's keys does not exist",
           "create Secret {secret} in namespace {ns}", "kubectl -n {ns} get secrets"),
    _known("secret", r"missing key \S+ inside secret|has no key \S+, which the ObjectStore|"
           r"missing access key ID|missing secret access key|no credentials defined", "secret-key",
           "F14", "a key that the ObjectStore names is not in the Secret",
           "add it to Secret {secret}, or correct s3Credentials of ObjectStore {store}", _SECRET),
    _known("secret", r"Unable to locate credentials|Partial credentials found", "no-credentials",
           "F14", "Barman has no keys for the store",
           "name accessKeyId and secretAccessKey in s3Credentials of ObjectStore {store}; with "
           "inheritFromIAMRole the Pods' ServiceAccount must have that role", _STORE),
    _known("secret", r"begins or ends with a blank or a newline", "secret-blank", "F14",
           "a value in the Secret has a blank or a newline at an end",
           "write the Secret anew with printf, not echo: the sidecar sends the value as it is",
           "kubectl -n {ns} edit secret {secret}"),
    _known("secret", r"the value of \S+ is (?:empty|not text)", "secret-value", "F14",
           "a value in the Secret is empty, or no text", "write it anew",
           "kubectl -n {ns} edit secret {secret}"),
    _known("secret", r"no permission to download the backup credentials", "role-stale", "F15",
           "the sidecar may not read the Secret yet",
           "wait for the plugin to update Role {cluster}-barman-cloud, or repair the plugin",
           "kubectl -n {ns} get role {cluster}-barman-cloud -o yaml"),
    _known("store", r"wal-archive: exit status 3", "bad-arguments", "F42",
           "barman-cloud was called with arguments it does not take",
           "correct archiveAdditionalCommandArgs of ObjectStore {store}", _STORE),
    _known("store", r"desc = exit status 3\b", "bad-arguments", "F42",
           "barman-cloud-backup was called with arguments it does not take",
           "correct data.additionalCommandArgs of ObjectStore {store}", _STORE),
    # -- what the store refuses by the way it is asked
    _known("store", r"x-amz-tagging|x-amz-server-side-encryption", "not-on-r2", "F23",
           "the store implements neither tags nor encryption headers",
           "remove tags, historyTags, wal.encryption and data.encryption of ObjectStore {store}",
           _STORE),
    _known("store", r"All non-trailing parts must have the same length|\(InvalidPart\)",
           "unequal-parts", "F22", "the store refuses snappy and lz4 base backups of this size",
           "set data.compression to gzip, bzip2 or none", _STORE),
    _known("sidecar", r"x-amz-content-sha256 must be|Checksum Type mismatch|x-amz-checksum-algorithm|"
           r"XAmzContentSHA256Mismatch|x-amz-sdk-checksum|\(MissingContentLength\)", "checksums", "F21",
           "the store refuses the checksums that the S3 client adds",
           "set both AWS_*_CHECKSUM_* variables to when_required; this rolls the Pods", _STORE),
    # -- the way to the store
    _known("network", r"RequestTimeTooSkewed|\(ExpiredRequest\)|minutes off the store's",
           "clock-skew", "F40", "a clock is more than 15 minutes off: requests are refused",
           "set the clock of the node that runs {primary}",
           "kubectl -n {ns} get pod {primary} -o wide"),
    _known("network", r"SSL validation failed|CERTIFICATE_VERIFY_FAILED|certificate verify failed|"
           r"\bSSLError\b|TLS failed|does not speak TLS|: its certificate (?:is|has) ", "tls", "F19",
           "the store's certificate is not trusted",
           "correct endpointURL, or name the store's CA in endpointCA of ObjectStore {store}", _STORE),
    _known("network", r"Could not connect to the endpoint URL|Can't connect to cloud provider|"
           r"Connect(ion)? ?timeout|Read timeout on endpoint|EndpointConnectionError|"
           r"Name or service not known|check-wal-archive: exit status 2|wal-archive: exit status 2",
           "endpoint-unreachable", "F19", "the endpoint cannot be reached from the Pods",
           "correct endpointURL ({endpoint}), or let the Pods out to it (DNS, NetworkPolicy, proxy)",
           _STORE),
    _known("network", r"Invalid endpoint|Invalid s3 URL address|301 .*Moved Permanently|"
           r"\(PermanentRedirect\)", "bad-endpoint", "F19",
           "endpointURL or destinationPath is not an address of the store",
           "destinationPath is s3://bucket/path; endpointURL is https://host without a bucket", _STORE),
    _known("network", r"Connection was closed before we received|closed the connection without an ans",
           "endpoint-closes", "F19", "the endpoint closes connections without an answer",
           "if endpointURL ({endpoint}) begins with http://, try https://; else see the store or a "
           "proxy before it", _STORE),
    _known("network", r"\(404\) when calling the (?:PutObject|CreateBucket)|invalid XML received|"
           r"nothing there speaks S3|came instead of S3's answer|something else than S3's answer came",
           "not-s3", "F19", "what answers at the endpoint does not speak S3",
           "correct endpointURL ({endpoint}): the address of the S3 API, not of a console or proxy",
           _STORE),
    _known("bucket", r"\(NoSuchBucket\)|specified bucket does not exist|there is no bucket",
           "no-bucket", "F19", "there is no bucket {bucket} at this endpoint",
           "correct destinationPath or endpointURL ({endpoint}), or create the bucket", _STORE),
    _known("permission", r"\(InvalidAccessKeyId\)|\(Unauthorized\)|\b401\b.*Unauthorized|"
           r"does not know this access key", "unknown-key", "F18",
           "the store does not know the access key",
           "put the keys of a token that exists into Secret {secret}; the sidecar reads it within 10 s",
           _SECRET),
    _known("permission", r"\(SignatureDoesNotMatch\)|secret key is wrong for this access key",
           "wrong-secret", "F18", "the secret key does not belong to the access key",
           "correct the secret key in Secret {secret}: look for a newline, or for swapped values",
           _SECRET),
    _known("permission", r"ObjectLockedByBucketPolicy", "bucket-lock", "F36",
           "the bucket's lock rules keep objects from being deleted",
           "shorten the lock below the retention policy, or lengthen retentionPolicy", _STORE),
    _known("permission", r"\(AccessDenied\)|\(403\)|\bForbidden\b.*HeadBucket|HeadBucket.*Forbidden|"
           r"Access Denied", "access-denied", "F18", "the store denies access: the key may not write",
           "give the token in Secret {secret} Object Read & Write on bucket {bucket}, or put another "
           "token's keys into the Secret", "kubectl -n {ns} edit secret {secret}"),
    _known("empty", r"Expected empty archive|WAL archive check failed", "not-empty", "F09",
           "the archive of a new cluster must be empty, and this one is not",
           "give the cluster a serverName of its own in spec.plugins parameters",
           "kubectl -n {ns} edit clusters.postgresql.cnpg.io {cluster}"),
    _known("empty", r"wal-archive: exit status 1\b", "not-empty", "F09",
           "the archive is not empty, or barman could not start",
           "if another cluster wrote under {server}: give this one a serverName of its own",
           "kubectl -n {ns} edit clusters.postgresql.cnpg.io {cluster}"),
    _known("leaves", r"Not enough disk space|Insufficient disk space", "disk-full", "F31",
           "the volume with pg_wal is full",
           "enlarge storage or walStorage and repair archiving; never delete files in pg_wal",
           "kubectl -n {ns} edit clusters.postgresql.cnpg.io {cluster}"),
    # -- base backups
    _known("bases", r"no backup section|no barmanObjectStore section", "in-tree-method", "F25",
           "a Backup asked for the in-tree method, which the cluster does not have",
           "take backups with method plugin", _AGAIN + _PLUGIN),
    _known("bases", r"has no plugin configured", "no-plugin", "F26",
           "a Backup asked for the plugin, which the cluster does not have",
           "add the Barman Cloud plugin to spec.plugins",
           "kubectl -n {ns} edit clusters.postgresql.cnpg.io {cluster}"),
    _known("bases", r"instance manager was restarted during backup", "restarted", "F34",
           "the last base backup ended with a restart of its instance",
           "take it again: b", _AGAIN + _PLUGIN),
    _known("bases", r"cannot backup a hibernated cluster", "hibernated", "F35",
           "the cluster is hibernated: Backups fail", "wake it: remove cnpg.io/hibernation",
           "kubectl -n {ns} annotate clusters.postgresql.cnpg.io {cluster} cnpg.io/hibernation-"),
    _known("bases", r"No space left on device", "no-temp-space", "F41",
           "the sidecar ran out of temporary space",
           "give the Pods more room for TMPDIR (ephemeral storage), then back up again: b", _LOG),
    _known("retention", r"while enforcing retention policies|Cannot read the following backups|"
           r"Unsafe to proceed with deletion", "retention-fails", "F36",
           "retention fails: nothing old is deleted",
           "remove or repair the base backup whose backup.info cannot be read", _LOG),
)  # fmt: skip


def look(case: Case, step: str) -> tuple[tuple[Known, Trouble], ...]:
    """What the texts say about one rung, at most one trouble a code."""
    found: dict[str, tuple[Known, Trouble]] = {}
    for said in case.texts():
        known = match(said.text) if said.text else None
        if known is not None and known.step == step and known.code not in found:
            found[known.code] = (known, _trouble(case, said, known))
    return tuple(found.values())


@lru_cache(maxsize=512)
def match(text: str) -> Known | None:
    """The first known text that fits, None if none does."""
    return next((known for known in TEXTS if known.pattern.search(text)), None)


def _trouble(case: Case, said: Said, known: Known) -> Trouble:
    when = f" at {words.moment(said.at, case.now)}" if said.at else ""
    setting = settings.of(known.code, case.store)
    named = _named(said.text)
    names = {**case.names, **named}
    remedy, command = known.remedy, known.command
    if known.code == "checksums" and case.store is not None and setting is None:
        remedy, command = _NOT_ROLLED, _RESTART
    return Trouble(
        code=known.code,
        level=_level(case, said, known),
        word=known.code.replace("-", " "),
        headline=words.shorten(known.headline.format_map(names), 70),
        evidence=words.shorten(f"{said.source}{when}: {said.text}", 300),
        remedy=remedy.format_map(names),
        command=setting.command if setting else case.command(command, **named),
        fix=setting.fix if setting else None,
    )


_SECRET_NAMED = re.compile(r'secrets? "([^"]+)"|inside secret (\S+)|Secret [^\s/]+/([^\s,:]+)')


def _named(text: str) -> dict[str, str]:
    """The Secret a text speaks of: an ObjectStore may name several."""
    found = _SECRET_NAMED.search(text)
    return {"secret": next(filter(None, found.groups()))} if found else {}


def _level(case: Case, said: Said, known: Known) -> Level:
    """Our own look proves nothing about the sidecar's while WAL is archived: other keys, other network.

    Nor does it where the sidecar says itself what fails. But the Secret is the same for both. And the
    operator's plugin does not carry WAL: the sidecar does.
    """
    if known.step == "plugin":
        return Level.DEGRADED
    if said.source != "bucket" or known.step == "secret":
        return case.grave
    return case.grave if case.fails and not _logged(case) else Level.UNKNOWN


def _logged(case: Case) -> bool:
    return any(said.source == "sidecar" and match(said.text) for said in case.texts())
