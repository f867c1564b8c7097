"""Finds the keys to a store: the Secrets an ObjectStore refers to, or what AWS tools would use.

In the order the user sets (``secret,environment,profile:NAME``). A Secret that may not be read, or a
cluster that is not there to ask, leads to the next source. A Secret that is wrong does not: the
sidecar reads the same one, and that is what the user has to know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tui import faults, words
from tui.cnpg import secret
from tui.cnpg.location import Location
from tui.cnpg.manifest import SECRETS, Key, Kind, Manifest
from tui.cnpg.secret import Secret
from tui.cnpg.store import S3Credentials, SecretKey
from tui.verdict.witnesses import NO_SUCH_OBJECT, NotKnown
from tui.wire.bucket import Ambient, Bucket, Keys, NoKeys


class Cluster(Protocol):
    """The port to the Kubernetes API; ``wire.kube.Kube`` fits it."""

    async def get(self, kind: Kind, key: Key) -> Manifest:
        """One object. Raises ``faults.Fault``."""
        ...


@dataclass(frozen=True, slots=True)
class FromSecret:
    """The Secret the ObjectStore refers to."""


Source = FromSecret | Ambient

Heard = Callable[[Key, Secret | NotKnown], None]
"""Takes what was seen of a Secret that was read, without its values."""


def order(text: str) -> tuple[Source, ...]:
    """The sources of ``secret,environment,profile:NAME``. Raises ValueError."""
    return tuple(_source(name.strip()) for name in text.split(","))


def _source(name: str) -> Source:
    if name == "secret":
        return FromSecret()
    if name == "environment":
        return Ambient()
    kind, colon, profile = name.partition(":")
    if kind == "profile" and colon and profile:
        return Ambient(profile)
    raise ValueError(f"{name!r} is none of secret, environment, profile:NAME")


async def open_bucket(
    location: Location,
    sources: Sequence[Source],
    cluster: Cluster | None,
    heard: Heard = lambda *_: None,
) -> Bucket:
    """The bucket of a location, with the first keys that are found; nothing is sent to the store.

    What the Secrets look like is told to ``heard``. Raises ``faults.Misconfigured`` where there are
    no keys, and for a Secret that is wrong.
    """
    secrets = _Secrets(location, cluster, heard)
    ca = await secrets.optional(location.configuration.endpoint_ca, lines=True)
    refusals: list[str] = []
    for source in sources:
        try:
            keys, region = await _keys(location, source, secrets)
            return await Bucket.open(location.place, keys, region=region, ca=ca)
        except (_Unreadable, NoKeys) as reason:
            refusals.append(str(reason))
    raise faults.Misconfigured(
        f"no keys for {location.place}: {'; '.join(refusals)}. Choose where to look with "
        "--s3-credentials"
    )


async def _keys(
    location: Location, source: Source, secrets: _Secrets
) -> tuple[Keys | Ambient, str]:
    """Keys and region from one source."""
    credentials = location.configuration.s3_credentials
    if isinstance(source, Ambient):
        return source, ""
    if credentials is None:
        raise NoKeys("the ObjectStore refers to no Secret (s3Credentials)")
    region = await secrets.optional(credentials.region)
    if credentials.inherit_from_iam_role:
        # The pods' role; ours is whatever this machine has.
        return Ambient(), region
    return await _from_secret(credentials, secrets), region


async def _from_secret(credentials: S3Credentials, secrets: _Secrets) -> Keys:
    key_id, secret_key = credentials.access_key_id, credentials.secret_access_key
    if key_id is None or secret_key is None:
        raise NoKeys("the ObjectStore names no accessKeyId or no secretAccessKey")
    return Keys(
        identity=f"secret {words.clean(key_id.secret)}",
        access_key_id=await secrets.value(key_id),
        secret_access_key=await secrets.value(secret_key),
        session_token=await secrets.optional(credentials.session_token),
    )


class _Unreadable(Exception):
    """The Secret may not be read, so another source is asked."""


class _Secrets:
    """Reads Secrets by name, each once."""

    def __init__(self, location: Location, cluster: Cluster | None, heard: Heard) -> None:
        self._namespace = location.namespace
        self._cluster = cluster
        self._heard = heard
        self._read: dict[str, tuple[Secret, Mapping[str, Any]]] = {}

    async def optional(self, reference: SecretKey | None, *, lines: bool = False) -> str:
        """The value, ``""`` without a reference or where the Secret may not be read."""
        if reference is None:
            return ""
        try:
            return await self.value(reference, lines=lines)
        except _Unreadable:
            return ""

    async def value(self, reference: SecretKey, *, lines: bool = False) -> str:
        """The value: a word, or a text of several ``lines``."""
        kept, data = await self._data(reference.secret)
        if trouble := kept.trouble(reference.key, lines=lines):
            raise faults.Misconfigured(trouble)
        return secret.decoded(data[reference.key]) or ""

    async def _data(self, name: str) -> tuple[Secret, Mapping[str, Any]]:
        if name not in self._read:
            if self._cluster is None:
                raise _Unreadable("no Kubernetes cluster to read Secrets from")
            key = Key(self._namespace, name)
            try:
                found = await self._cluster.get(SECRETS, key)
            except (faults.Forbidden, faults.Unauthorized, faults.Unreachable) as fault:
                raise _Unreadable(str(fault)) from fault
            except faults.NotFound as fault:
                self._heard(key, NO_SUCH_OBJECT)
                raise faults.Misconfigured(
                    f"Secret {words.clean(str(key))}, which the ObjectStore names, does not exist"
                ) from fault
            data, kept = found.get("data"), secret.read(key, found)
            self._heard(key, kept)
            self._read[name] = kept, data if isinstance(data, Mapping) else {}
        return self._read[name]
