"""A scenario: which clusters there are, what happened to them so far, and what will go wrong.

A scenario is a small YAML file; those in `scenarios/` go by name (`healthy`), any other by path.
Durations are written `2h43m`, `30d`, `20s`; sizes `60KiB`, `6MiB`; a moment of the past is how long
ago it was. Everything has a default, so that the shortest cluster is `{name: pg}`.

    title: one sentence for people
    bucket: acme-pg                     # the one bucket of the S3 server
    plugin: running                     # running | down | not-installed: the plugin's Deployment
    stores:                             # ObjectStores, each with the Secret it names
      - {name: r2-store, namespace: production, path: s3://acme-pg/prod, retention: 30d,
         identity: full}                # what its keys may do, see Store
    clusters:
      - {name: pg, namespace: production, instances: 3, timeline: 3, switches: [20d, 8d],
         history: 30d,                  # how far back its WAL and base backups reach
         wal: {every: 30s, size: 60KiB}, base: {takes: 25s, size: 6MiB},
         schedules: [{name: pg-daily, cron: "0 0 2 * * *"}],
         backups: [{ago: 3d, phase: failed, error: Connection lost}],
         lost: [{ago: 9d, count: 3}],   # segments that are not in the bucket
         failing: {since: 2h43m, error: "An error occurred (AccessDenied) ...", exit: 4}}
    users: [{name: viewer, rules: [{api_groups: [...], resources: [...], verbs: [...]}]}]
    objects: [{kind: Cluster, metadata: {...}, spec: {...}}]

`objects` are merged (as a merge patch) into the object of that kind, namespace and name, or added
where there is none: the way to stage what has no word here. `each` makes many of one entry, for
every combination of its words, which its texts may use in braces:

      - each: {team: [a, b], app: [auth, audit]}
        name: "{app}"
        namespace: "team-{team}"

A later cluster or store of the same namespace and name replaces an earlier one.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_SIZES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}


class BadScenario(Exception):
    """The scenario cannot be acted; the message says where it is wrong."""


class Size(int):
    """A number of bytes, written `60KiB`."""


_SEGMENT = Size(60 * 1024)
_DATABASE = Size(6 * 1024**2)
_VOLUME = Size(10 * 1024**3)


@dataclass(frozen=True, slots=True)
class Store:
    """An ObjectStore and its Secret."""

    name: str = "r2-store"
    namespace: str = "production"
    path: str = "s3://acme-pg/prod"
    endpoint: str = ""
    """Empty: the sandbox's own S3 server."""
    retention: str = "30d"
    compression: Literal["gzip", "bzip2", "xz", "snappy", "zstd", "lz4", "none"] = "gzip"
    """Of WAL and data."""
    secret: str = "r2-creds"  # noqa: S105
    identity: Literal[
        "full", "read-only", "other-bucket", "revoked", "wrong-secret", "admin", "absent"
    ] = "full"
    """What the keys in the Secret may do; absent: there is no Secret."""
    checksums: bool = True
    """Whether the two AWS_*_CHECKSUM_* variables are set on the sidecar, as R2 wants them."""


@dataclass(frozen=True, slots=True)
class Wal:
    """How fast WAL comes: a segment `every`, of `size` in the bucket."""

    every: timedelta = timedelta(seconds=30)
    size: Size = _SEGMENT


@dataclass(frozen=True, slots=True)
class Base:
    """How base backups go: how long one takes, how large it is, how it fails if it must."""

    takes: timedelta = timedelta(seconds=25)
    size: Size = _DATABASE
    error: str = ""
    """What barman-cloud-backup says on stderr; empty: it succeeds as far as the store lets it."""
    exit: int = 1


@dataclass(frozen=True, slots=True)
class Failing:
    """WAL archiving has been failing."""

    since: timedelta = timedelta(hours=1)
    error: str = (
        "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied."
    )
    """What barman-cloud-wal-archive wrote on stderr."""
    exit: int = 4
    acted: bool = False
    """Fail for ever, whatever the store says. Otherwise the store decides, and can be mended."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Segments that were never stored, or are gone."""

    ago: timedelta
    count: int = 1


@dataclass(frozen=True, slots=True)
class Schedule:
    """A ScheduledBackup. Every slot of its cron within the cluster's history has left a Backup."""

    name: str
    cron: str = "0 0 2 * * *"
    immediate: bool = False
    suspend: bool = False
    owner: Literal["none", "self", "cluster"] = "none"
    stuck: timedelta | None = None
    """The last Backup it made, this long ago or a little more, is still `started`."""
    silent: timedelta | None = None
    """It has made no Backup for this long."""


@dataclass(frozen=True, slots=True)
class OnDemand:
    """A Backup somebody asked for."""

    ago: timedelta
    name: str = ""
    """Empty: as `kubectl cnpg backup` names it."""
    phase: Literal["completed", "failed", "started", "pending"] = "completed"
    error: str = ""
    """Of a failed one: what barman-cloud-backup said on stderr."""
    exit: int = 1
    target: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Cluster, its instances, and what it has archived."""

    name: str
    namespace: str = "production"
    instances: int = 1
    postgres: str = "18.1"
    age: timedelta = timedelta(days=90)
    plugin: Literal["enabled", "disabled", "absent"] = "enabled"
    """disabled: the entry is there, `enabled: false`."""
    wal_archiver: bool = True
    """isWALArchiver of the plugin's entry."""
    sidecar: bool = True
    """False: the pods have not been rolled since the plugin was enabled."""
    store: str = "r2-store"
    server: str = ""
    """The serverName parameter; empty: not given, which means the cluster's name."""
    timeline: int = 1
    switches: tuple[timedelta, ...] = ()
    """When the latest timelines began; earlier ones lie before the history."""
    history: timedelta = timedelta(days=30)
    wal: Wal = Wal()
    base: Base = Base()
    schedules: tuple[Schedule, ...] = ()
    backups: tuple[OnDemand, ...] = ()
    lost: tuple[Loss, ...] = ()
    failing: Failing | None = None
    volume: Size = _VOLUME
    """Bytes of the volume that holds pg_wal."""

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name

    @property
    def server_name(self) -> str:
        """The folder under destinationPath."""
        return self.server or self.name


@dataclass(frozen=True, slots=True)
class UserRule:
    """What a user may do, as a rule of a Role (with namespaces) or a ClusterRole says it."""

    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    namespaces: tuple[str, ...] = ("*",)
    resource_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScenarioUser:
    """Somebody besides the administrator."""

    name: str
    rules: tuple[UserRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything the sandbox starts from."""

    title: str = ""
    bucket: str = "acme-pg"
    plugin: Literal["running", "down", "not-installed"] = "running"
    stores: tuple[Store, ...] = (Store(),)
    clusters: tuple[Cluster, ...] = ()
    users: tuple[ScenarioUser, ...] = ()
    objects: tuple[dict[str, Any], ...] = ()

    def store_of(self, cluster: Cluster) -> Store | None:
        """The ObjectStore a cluster's plugin names, if it is in the cluster's namespace."""
        for store in self.stores:
            if (store.namespace, store.name) == (cluster.namespace, cluster.store):
                return store
        return None


def names() -> tuple[str, ...]:
    """The scenarios that come along."""
    folder = resources.files("tui.sandbox") / "scenarios"
    return tuple(
        sorted(
            file.name.removesuffix(".yaml")
            for file in folder.iterdir()
            if file.name.endswith(".yaml")
        )
    )


def load(name: str) -> Scenario:
    """The scenario of this name, or in this file; raises BadScenario."""
    if name in names():
        text = (resources.files("tui.sandbox") / "scenarios" / f"{name}.yaml").read_text("utf-8")
    else:
        try:
            text = Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as why:
            raise BadScenario(
                f"there is no scenario {name!r} ({why}); known are {', '.join(names())}, or give a file"
            ) from None
    return parse(text)


def parse(text: str) -> Scenario:
    """Read a scenario's text; raises BadScenario."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as why:
        raise BadScenario(f"the scenario is not YAML: {why}") from None
    if not isinstance(document, dict):
        raise BadScenario("a scenario is a mapping, see tui/sandbox/scenario.py")
    for plural in ("stores", "clusters"):
        if plural in document:
            document[plural] = list(_last_of_each(_multiplied(document[plural] or (), plural)))
    scenario: Scenario = _value(Scenario, document, "scenario")
    for cluster in scenario.clusters:
        if len(cluster.switches) >= cluster.timeline:
            raise BadScenario(
                f"{cluster.name}: a cluster on timeline {cluster.timeline} has switched less often"
            )
    return scenario


def duration(text: str) -> timedelta:
    """`2h43m` as a timedelta; raises ValueError."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration such as 2h43m")
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def size(text: str) -> Size:
    """`60KiB` as bytes; raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|TiB)", text)
    if not found:
        raise ValueError(f"{text!r} is no size such as 60KiB")
    return Size(float(found[1]) * _SIZES[found[2]])


def _multiplied(entries: Iterable[Any], where: str) -> Iterable[dict[str, Any]]:
    for entry in entries:
        if not isinstance(entry, dict):
            raise BadScenario(f"{where}: {entry!r} is not a mapping")
        each = entry.pop("each", None)
        if each is None:
            yield entry
            continue
        for combination in itertools.product(*each.values()):
            words = dict(zip(each, combination, strict=True))
            yield _filled(entry, words)


def _filled(value: Any, words: Mapping[str, object]) -> Any:
    if isinstance(value, str):
        try:
            return value.format_map(words)
        except (KeyError, ValueError, IndexError) as why:
            raise BadScenario(f"cannot fill {value!r} from {words}: {why!r}") from None
    if isinstance(value, dict):
        return {key: _filled(inner, words) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, words) for inner in value]
    return value


def _last_of_each(entries: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    found: dict[tuple[Any, Any], dict[str, Any]] = {}
    for entry in entries:
        found[entry.get("namespace"), entry.get("name")] = entry
    return found.values()


def _value(kind: Any, given: Any, where: str) -> Any:
    """`given`, as read from YAML, as a value of `kind`; raises BadScenario naming the place."""
    origin = typing.get_origin(kind)
    if origin is types.UnionType:
        inner = [one for one in typing.get_args(kind) if one is not type(None)]
        return None if given is None else _value(inner[0], given, where)
    if origin is Literal:
        if given not in typing.get_args(kind):
            raise BadScenario(f"{where}: {given!r} is none of {', '.join(typing.get_args(kind))}")
        return given
    if origin is tuple:
        if not isinstance(given, list):
            raise BadScenario(f"{where}: a list is expected, not {given!r}")
        (item, _) = typing.get_args(kind)
        return tuple(_value(item, one, f"{where}[{at}]") for at, one in enumerate(given))
    if dataclasses.is_dataclass(kind):
        return _mapping(kind, given, where)
    if kind in {timedelta, Size}:
        try:
            return duration(str(given)) if kind is timedelta else size(str(given))
        except ValueError as why:
            raise BadScenario(f"{where}: {why}") from None
    plain = origin or kind
    if not isinstance(given, plain) or (plain is int and isinstance(given, bool)):
        raise BadScenario(f"{where}: {given!r} is not {_ARTICLES.get(plain, plain.__name__)}")
    return given


_ARTICLES = {str: "a text", int: "a number", bool: "true or false", dict: "a mapping"}


def _mapping(kind: Any, given: Any, where: str) -> Any:
    if not isinstance(given, dict):
        raise BadScenario(f"{where}: a mapping is expected, not {given!r}")
    hints = typing.get_type_hints(kind)
    unknown = [key for key in given if key not in hints]
    if unknown:
        raise BadScenario(
            f"{where}: nothing is known of {unknown[0]!r}, only of {', '.join(hints)}"
        )
    try:
        return kind(
            **{key: _value(hints[key], one, f"{where}.{key}") for key, one in given.items()}
        )
    except TypeError as why:
        raise BadScenario(f"{where}: {why}") from None
