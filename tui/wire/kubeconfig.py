"""Which API server, and as whom: kubeconfig files read by the rules of kubectl.

The rules are client-go's (``tools/clientcmd`` loader.go, client_config.go, validation.go). The
loader of the Python client is not used: it lets the last of several files win where kubectl lets the
first, resolves a user's files beside the file of the cluster, fails on a context without a user,
and logs a failing credential plugin to the terminal instead of raising.

Nothing is sent and no plugin runs here. Secrets are kept out of every repr and message.
"""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tui.faults import Misconfigured
from tui.wire.plugins import Plugin

DEFAULT_FILE = Path("~/.kube/config")
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token, the cluster's CA and its own namespace."""

IN_CLUSTER = "in-cluster"

# The pure Python loader takes 10 ms a kB on a kubeconfig; the C one is not in every build of PyYAML.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Where:
    """What the user asked for, in kubectl's flags; None where the flag was not given."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False


@dataclass(frozen=True, slots=True)
class Pem:
    """A certificate or key: the text itself, or the file it is in."""

    data: str = field(default="", repr=False)
    file: Path | None = None

    def __bool__(self) -> bool:
        return bool(self.data or self.file)

    def read(self) -> str:
        """The PEM text. Raises :class:`Misconfigured` where the file cannot be read."""
        return self.data or (read_file(self.file) if self.file else "")


@dataclass(frozen=True, slots=True)
class User:
    """How a user proves who they are."""

    name: str = ""
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    password: str = field(default="", repr=False)
    """``username:password`` for HTTP basic authentication, as some proxies in front want it."""
    certificate: Pem = Pem()
    key: Pem = Pem()
    plugin: Plugin | None = None
    acting_as: tuple[tuple[str, str], ...] = ()
    """Impersonation headers (``as``, ``as-uid``, ``as-groups``, ``as-user-extra``)."""


@dataclass(frozen=True, slots=True)
class Access:
    """A server, the way to it, and the user."""

    context: str
    server: str
    namespace: str
    """The context's namespace, ``default`` where it names none."""
    user: User
    ca: Pem = Pem()
    insecure: bool = False
    tls_server_name: str = ""
    proxy: str = field(default="", repr=False)
    """The proxy's URL; it may hold a password."""


def read(
    where: Where,
    environ: Mapping[str, str] = os.environ,
    service_account: Path = SERVICE_ACCOUNT,
) -> Access:
    """Find the server and the user. Raises :class:`Misconfigured` with what to change."""
    files = _files(where, environ)
    config = _merged(files)
    if not config.found:
        in_pod = _in_cluster(environ, service_account)
        if in_pod and not where.context:
            return in_pod
        raise Misconfigured(
            f"no kubeconfig: {_listing(files)} does not exist. Name one with --kubeconfig or "
            "KUBECONFIG, or see it work without a cluster: cnpg-tui demo"
        )
    name = where.context or config.current
    if not name:
        raise Misconfigured(
            f"{_listing(config.found)} names no current context: choose one with --context"
            f"{_choice(config.contexts)}"
        )
    if name not in config.contexts:
        raise Misconfigured(
            f"context {name} is not in {_listing(config.found)}{_choice(config.contexts)}"
        )
    return _access(name, config, environ)


def read_file(path: Path) -> str:
    """The text of a file that the configuration names. Raises :class:`Misconfigured`."""
    try:
        return path.read_text()
    except OSError as error:
        raise Misconfigured(f"cannot read {path}: {_reason(error)}") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"cannot read {path}: it is not a text") from error


@dataclass(slots=True)
class _Config:
    """Several kubeconfig files as one: for every name the first file that has it wins."""

    found: list[Path] = field(default_factory=list)
    current: str = ""
    clusters: dict[str, _Entry] = field(default_factory=dict)
    contexts: dict[str, _Entry] = field(default_factory=dict)
    users: dict[str, _Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A cluster, context or user of a kubeconfig, with typed reads that name the file in a fault."""

    title: str
    values: Mapping[str, Any] = field(repr=False)
    origin: Path

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.odd(name, "a text")
        return value

    def flag(self, name: str) -> bool:
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.odd(name, "true or false")
        return bool(value)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.odd(name, "a list of texts")
        return tuple(value)

    def under(self, name: str) -> _Entry | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.odd(name, "a mapping")
        return _Entry(f"{self.title}.{name}", value, self.origin)

    def path(self, name: str) -> Path | None:
        """A file; a relative name counts from the folder of the kubeconfig that says it."""
        value = self.text(name)
        return self.origin.parent / Path(value).expanduser() if value else None

    def pem(self, name: str) -> Pem:
        """``NAME-data`` (base64), else the file ``NAME``: the order of client-go."""
        encoded = self.text(f"{name}-data")
        if not encoded:
            return Pem(file=self.path(name))
        try:
            return Pem(data=b64decode(encoded, validate=True).decode("ascii"))
        except ValueError as error:
            # The value may be a private key: neither it nor the library's error is repeated.
            raise self.odd(f"{name}-data", "base64 of a PEM text") from error.__cause__

    def odd(self, name: str, wanted: str) -> Misconfigured:
        return Misconfigured(f"{self.origin}: {self.title}: {name} is not {wanted}")


def _files(where: Where, environ: Mapping[str, str]) -> list[Path]:
    """The files kubectl would read, in its order."""
    if where.kubeconfig:
        path = Path(where.kubeconfig).expanduser()
        if not path.exists():
            raise Misconfigured(f"cannot read kubeconfig {path}: no such file")
        return [path]
    listed = [name for name in environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    return [Path(name).expanduser() for name in dict.fromkeys(listed)] or [
        DEFAULT_FILE.expanduser()
    ]


def _merged(files: list[Path]) -> _Config:
    config = _Config()
    for path in files:
        if not path.exists():
            continue
        config.found.append(path)
        top = _load(path)
        config.current = config.current or top.text("current-context")
        for section, singular, entries in (
            ("clusters", "cluster", config.clusters),
            ("contexts", "context", config.contexts),
            ("users", "user", config.users),
        ):
            for name, entry in _entries(top, section, singular):
                entries.setdefault(name, entry)
    return config


def _load(path: Path) -> _Entry:
    text = read_file(path)
    if not text.strip():
        raise Misconfigured(f"kubeconfig {path} is empty: name another with --kubeconfig")
    try:
        loaded = yaml.load(text, Loader=_Loader)  # noqa: S506 - either loader is the safe one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        # The library's error quotes the line, which may hold a token.
        raise Misconfigured(f"kubeconfig {path} is not YAML{line and ','}{line}") from None
    if not isinstance(loaded, Mapping):
        raise Misconfigured(f"kubeconfig {path} is not a kubeconfig: it holds no mapping")
    return _Entry("kubeconfig", loaded, path.absolute())


def _entries(top: _Entry, section: str, singular: str) -> Iterator[tuple[str, _Entry]]:
    listed = top.values.get(section) or []
    if not isinstance(listed, list):
        raise top.odd(section, "a list")
    for item in listed:
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
            raise top.odd(section, "a list of entries with a name")
        values = item.get(singular) or {}
        if not isinstance(values, Mapping):
            raise top.odd(f"{singular} {item['name']}", "a mapping")
        yield item["name"], _Entry(f"{singular} {item['name']}", values, top.origin)


def _access(name: str, config: _Config, environ: Mapping[str, str]) -> Access:
    context = config.contexts[name]
    cluster_name, user_name = context.text("cluster"), context.text("user")
    cluster = config.clusters.get(cluster_name)
    if cluster is None:
        raise Misconfigured(
            f"context {name} wants cluster {cluster_name or '(none)'}, which is not in "
            f"{_listing(config.found)}"
        )
    if user_name and user_name not in config.users:
        raise Misconfigured(
            f"context {name} wants user {user_name}, which is not in {_listing(config.found)}"
        )
    server = _server(cluster)
    return Access(
        context=name,
        server=server,
        namespace=context.text("namespace") or "default",
        user=_user(user_name, config.users[user_name], cluster) if user_name else User(),
        ca=cluster.pem("certificate-authority"),
        insecure=cluster.flag("insecure-skip-tls-verify"),
        tls_server_name=cluster.text("tls-server-name"),
        proxy=_proxy(cluster, server, environ),
    )


def _server(cluster: _Entry) -> str:
    server = cluster.text("server")
    if not server:
        raise Misconfigured(f"{cluster.origin}: {cluster.title} names no server")
    if "://" not in server:
        # client-go rest/url_utils.go: TLS if anything about TLS is said, plain HTTP otherwise.
        tls = cluster.pem("certificate-authority") or cluster.flag("insecure-skip-tls-verify")
        server = f"{'https' if tls else 'http'}://{server}"
    if not _is_server(server):
        raise cluster.odd("server", "the URL of an API server, as https://host:6443")
    return server.rstrip("/")


def _is_server(server: str) -> bool:
    try:
        url = urlsplit(server)
        return (
            url.scheme in ("http", "https")
            and bool(url.hostname)
            and url.port != 0
            and not url.username
        )
    except ValueError:  # a port that is no number, a bracket that is not closed
        return False


def _user(name: str, user: _Entry, cluster: _Entry) -> User:
    username = user.text("username")
    return User(
        name=name,
        token=user.text("token") or _oidc_token(name, user),
        token_file=user.path("tokenFile"),
        password=f"{username}:{user.text('password')}" if username else "",
        certificate=user.pem("client-certificate"),
        key=user.pem("client-key"),
        plugin=_plugin(name, user, cluster),
        acting_as=tuple(_acting_as(user)),
    )


def _oidc_token(name: str, user: _Entry) -> str:
    """The ID token that kubectl's oidc provider keeps in the kubeconfig, renewed by kubectl."""
    provider = user.under("auth-provider")
    if provider is None:
        return ""
    kind = provider.text("name")
    if kind != "oidc":
        raise Misconfigured(
            f"user {name} signs in with auth-provider {kind}, which kubectl dropped: use an exec "
            "plugin"
        )
    settings = provider.under("config")
    return settings.text("id-token") if settings else ""


def _plugin(name: str, user: _Entry, cluster: _Entry) -> Plugin | None:
    exec_ = user.under("exec")
    if exec_ is None:
        return None
    command = exec_.text("command")
    if not command:
        raise exec_.odd("command", "the name of a program")
    if os.sep in command:
        command = str(exec_.origin.parent / command)
    listed = exec_.values.get("env") or []
    try:
        environ = tuple((str(item["name"]), str(item["value"])) for item in listed)
    except (TypeError, KeyError):
        raise exec_.odd("env", "a list of name and value") from None
    return Plugin(
        user=name,
        command=command,
        args=exec_.texts("args"),
        environ=environ,
        api_version=exec_.text("apiVersion"),
        install_hint=exec_.text("installHint"),
        wants_terminal=exec_.text("interactiveMode") == "Always",
        cluster=_cluster_for_plugin(cluster) if exec_.flag("provideClusterInfo") else None,
    )


def _cluster_for_plugin(cluster: _Entry) -> Mapping[str, Any]:
    """The ``spec.cluster`` of an ExecCredential (client.authentication.k8s.io/v1)."""
    told = {
        "server": _server(cluster),
        "certificate-authority-data": cluster.text("certificate-authority-data"),
        "insecure-skip-tls-verify": cluster.flag("insecure-skip-tls-verify"),
        "tls-server-name": cluster.text("tls-server-name"),
        "proxy-url": cluster.text("proxy-url"),
        "config": _extension(cluster, "client.authentication.k8s.io/exec"),
    }
    return {name: value for name, value in told.items() if value}


def _extension(cluster: _Entry, name: str) -> Any:
    for item in cluster.values.get("extensions") or []:
        if isinstance(item, Mapping) and item.get("name") == name:
            return item.get("extension")
    return None


def _acting_as(user: _Entry) -> Iterator[tuple[str, str]]:
    for name, header in (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid")):
        if value := user.text(name):
            yield header, value
    yield from (("Impersonate-Group", group) for group in user.texts("as-groups"))
    if extra := user.under("as-user-extra"):
        for name in extra.values:
            yield from ((f"Impersonate-Extra-{name}", value) for value in extra.texts(name))


def _proxy(cluster: _Entry, server: str, environ: Mapping[str, str]) -> str:
    """``proxy-url``, else the environment's proxy as Go reads it (``net/http/httpproxy``)."""
    named = cluster.text("proxy-url")
    if not named:
        url = urlsplit(server)
        named = _env(environ, f"{url.scheme}_proxy")
        if _is_direct(url.hostname or "", _env(environ, "no_proxy")):
            named = ""
    if named and urlsplit(named).scheme not in ("http", "https"):
        scheme = urlsplit(named).scheme or "no scheme"
        raise Misconfigured(
            f"{cluster.title}: proxy-url has {scheme}: only http and https proxies can be used"
        )
    return named


def _is_direct(host: str, no_proxy: str) -> bool:
    """Whether the environment's proxy is not for this host: this machine, or named in NO_PROXY."""
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if host == "localhost" or (address and address.is_loopback):
        return True
    for item in filter(None, (item.strip().lower() for item in no_proxy.split(","))):
        if item == "*" or host == item or f".{host}".endswith(f".{item.lstrip('.*')}"):
            return True
        with suppress(ValueError):
            if address and address in ip_network(item):
                return True
    return False


def _env(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name.upper(), "") or environ.get(name, "")


def _in_cluster(environ: Mapping[str, str], service_account: Path) -> Access | None:
    """The access every pod has, None outside of a pod."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    token = service_account / "token"
    if not host or not port or not token.exists():
        return None
    namespace = service_account / "namespace"
    return Access(
        context=IN_CLUSTER,
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        namespace=read_file(namespace).strip() if namespace.exists() else "default",
        user=User(name="service account", token_file=token),
        ca=Pem(file=service_account / "ca.crt"),
    )


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _listing(paths: list[Path]) -> str:
    return " or ".join(str(path) for path in paths)


def _choice(contexts: Mapping[str, object]) -> str:
    """The contexts there are, a dozen at most."""
    if not contexts:
        return ". It has no contexts"
    names = list(contexts)
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f". There are: {', '.join(names[:12])}{more}"
