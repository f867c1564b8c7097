"""The Secret with the store's keys: is it there, has it the keys, could their values be good."""

from __future__ import annotations

from collections.abc import Iterator

from tui.cnpg import secret
from tui.cnpg.secret import Secret
from tui.cnpg.store import SecretKey
from tui.verdict.triage.case import Case
from tui.verdict.triage.rung import Trouble, rule
from tui.verdict.witnesses import NO_SUCH_OBJECT, NotKnown

_EDIT = "kubectl -n {ns} edit secret {secret}"
_KEYS = "kubectl -n {ns} get secret {secret} -o jsonpath='{{.data}}' | jq keys"


@rule("F13")
def missing(case: Case) -> Trouble | None:
    """The sidecar cannot start anything without it."""
    for each in _named(case):
        if case.seen.secrets.get(each.secret) == NO_SUCH_OBJECT:
            ns = case.names["ns"]
            return Trouble(
                "secret-missing",
                case.grave,
                "no Secret",
                "the Secret with the store's keys does not exist",
                f"the ObjectStore names Secret {each.secret}; namespace {ns} has none such",
                f"create Secret {each.secret} in namespace {ns}",
                f"kubectl -n {ns} get secrets",
            )
    return None


@rule("F14")
def lacks_key(case: Case) -> Trouble | None:
    """A key that the ObjectStore names is not in it."""
    for each, kept in _read(case):
        if each.key not in kept.keys:
            return Trouble(
                "secret-key",
                case.grave,
                "key missing",
                "a key that the ObjectStore names is not in the Secret",
                f"{kept.trouble(each.key)}; it has {_listed(kept.keys)}",
                f"add it to Secret {each.secret}, or correct s3Credentials of the ObjectStore",
                case.command(_KEYS, secret=each.secret),
            )
    return None


@rule("F14")
def no_value(case: Case) -> Trouble | None:
    """A value that opens no store."""
    for each, kept in _read(case):
        if each.key in kept.empty | kept.not_text:
            return Trouble(
                "secret-value",
                case.grave,
                "no value",
                "a value in the Secret is empty, or no text",
                kept.trouble(each.key),
                f"write {each.key} of Secret {each.secret} anew",
                case.command(_EDIT, secret=each.secret),
                explains=("no-credentials",),
            )
    return None


@rule("F14")
def blank_ends(case: Case) -> Trouble | None:
    """``echo`` leaves a newline, which is sent as a part of the key."""
    for each, kept in _read(case):
        if each.key in kept.blank_ends - kept.empty:
            return Trouble(
                "secret-blank",
                case.grave,
                "stray newline",
                "a value in the Secret has a blank or a newline at an end",
                kept.trouble(each.key),
                "write the Secret anew with printf, not echo: the sidecar sends the value as it is",
                case.command(_EDIT, secret=each.secret),
            )
    return None


def readable(case: Case) -> str | NotKnown:
    """Which Secret is named, and who says that its keys are good."""
    config = case.configuration
    if config is None:
        return NotKnown("the ObjectStore is not known")
    credentials = config.s3_credentials
    if credentials is None:
        return NotKnown("the ObjectStore names no s3Credentials")
    if credentials.inherit_from_iam_role:
        return "keys come from the Pods' IAM role"
    said = f"Secret {case.names['secret']}"
    for each in _named(case):
        kept = case.seen.secrets.get(each.secret)
        if isinstance(kept, NotKnown) and case.fails:
            return NotKnown(f"Secret {each.secret}: {kept.why}")
    film = case.film
    if film is not None and film.identity.startswith("secret "):
        return f"{said}: its keys open the bucket"
    if film is not None and film.server.last_archived is not None and not case.fails:
        return f"{said}: WAL is written with its keys"
    if found := list(_read(case)):
        return f"{said}: {_listed({each.key for each, _ in found})} are there and clean"
    if film is not None:
        with_what = film.identity or "other keys"
        return NotKnown(f"{said} was not read; the bucket was opened with {with_what}")
    why = case.seen.film.why if isinstance(case.seen.film, NotKnown) else ""
    return NotKnown(f"{said}: {why or 'not read yet'}")


def _named(case: Case) -> Iterator[SecretKey]:
    if case.configuration is not None:
        yield from secret.named(case.configuration)


def _read(case: Case) -> Iterator[tuple[SecretKey, Secret]]:
    for each in _named(case):
        kept = case.seen.secrets.get(each.secret)
        if isinstance(kept, Secret):
            yield each, kept


def _listed(keys: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(keys)) or "no keys"
