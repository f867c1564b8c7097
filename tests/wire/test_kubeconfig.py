"""Which server and as whom, by kubectl's rules; and a sentence for every file that does not say."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tui.faults import Misconfigured
from tui.wire import kubeconfig
from tui.wire.kubeconfig import Access, Where

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a kubeconfig (mapping or text) and gives its path."""

    def write_(content: Any, name: str = "config") -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return str(path)

    return write_


def named(**parts: Any) -> dict[str, Any]:
    """A kubeconfig from mappings by name: ``contexts={"dev": {...}}``."""
    made: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
    if "current" in parts:
        made["current-context"] = parts.pop("current")
    for section, entries in parts.items():
        singular = section.removesuffix("s")
        made[section] = [{"name": name, singular: value} for name, value in entries.items()]
    return made


DEV = named(
    current="dev",
    contexts={
        "dev": {"cluster": "c", "user": "u", "namespace": "prod"},
        "bare": {"cluster": "c"},
    },
    clusters={"c": {"server": "https://dev:6443/"}},
    users={"u": {"token": "s3cret"}},
)


def read(path: str, context: str | None = None, **environ: str) -> Access:
    return kubeconfig.read(Where(kubeconfig=path, context=context), environ)


def test_the_current_context_is_taken(write: Write) -> None:
    access = read(write(DEV))
    assert (access.context, access.server) == ("dev", "https://dev:6443")
    assert (access.namespace, access.user.name, access.user.token) == ("prod", "u", "s3cret")


def test_a_context_may_have_no_user_and_no_namespace(write: Write) -> None:
    access = read(write(DEV), "bare")
    assert (access.namespace, access.user.name, access.user.token) == ("default", "", "")


def test_of_several_files_the_first_to_say_something_wins(write: Write) -> None:
    first = named(
        current="",
        contexts={"a": {"cluster": "c", "user": "u"}},
        users={"u": {"token": "first"}},
    )
    second = named(
        current="a",
        contexts={"a": {"cluster": "nowhere"}, "b": {"cluster": "c"}},
        clusters={"c": {"server": "https://second"}},
        users={"u": {"token": "second"}},
    )
    files = [write(first, "1"), "/nonexistent/config", write(second, "2"), ""]
    environ = {"KUBECONFIG": os.pathsep.join(files)}
    access = kubeconfig.read(Where(), environ)
    assert (access.context, access.server, access.user.token) == ("a", "https://second", "first")
    assert kubeconfig.read(Where(context="b"), environ).context == "b"


def test_the_first_current_context_wins(write: Write) -> None:
    second = write({**DEV, "current-context": "bare"}, "second")
    environ = {"KUBECONFIG": os.pathsep.join([write(DEV), second])}
    assert kubeconfig.read(Where(), environ).context == "dev"


def test_the_flag_wins_over_the_environment(write: Write) -> None:
    other = named(current="x", contexts={"x": {"cluster": "c"}}, clusters={"c": {"server": "x"}})
    assert read(write(DEV), KUBECONFIG=write(other, "other")).context == "dev"


def test_files_are_looked_for_beside_the_file_that_names_them(write: Write, tmp_path: Path) -> None:
    # A user in one file, the cluster in another: each path counts from its own folder.
    users = named(
        users={"u": {"client-certificate": "me.crt", "client-key": "me.key", "tokenFile": "t"}}
    )
    rest = named(
        current="dev",
        contexts={"dev": {"cluster": "c", "user": "u"}},
        clusters={"c": {"server": "https://dev", "certificate-authority": "ca.crt"}},
    )
    environ = {"KUBECONFIG": f"{write(users, 'a/config')}:{write(rest, 'b/config')}"}
    access = kubeconfig.read(Where(), environ)
    assert access.user.certificate.file == tmp_path / "a/me.crt"
    assert access.user.key.file == tmp_path / "a/me.key"
    assert access.user.token_file == tmp_path / "a/t"
    assert access.ca.file == tmp_path / "b/ca.crt"


def test_data_is_preferred_to_a_file(write: Write) -> None:
    config = named(
        current="dev",
        contexts={"dev": {"cluster": "c"}},
        clusters={
            "c": {
                "server": "https://dev",
                "certificate-authority": "/no/such/file",
                "certificate-authority-data": b64encode(b"PEM").decode(),
            }
        },
    )
    assert read(write(config)).ca.read() == "PEM"


@pytest.mark.parametrize(
    ("cluster", "server"),
    [
        ({"server": "dev:8080"}, "http://dev:8080"),
        ({"server": "dev:6443", "insecure-skip-tls-verify": True}, "https://dev:6443"),
        ({"server": "https://dev/k8s/clusters/c-1/"}, "https://dev/k8s/clusters/c-1"),
        ({"server": "https://[::1]:6443"}, "https://[::1]:6443"),
    ],
)
def test_a_server_is_read_as_client_go_reads_it(
    write: Write, cluster: dict[str, Any], server: str
) -> None:
    config = named(current="d", contexts={"d": {"cluster": "c"}}, clusters={"c": cluster})
    assert read(write(config)).server == server


@pytest.mark.parametrize(
    ("server", "environ", "proxy"),
    [
        ("https://dev", {}, ""),
        ("https://dev", {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://dev", {"https_proxy": "http://p:3128"}, "http://p:3128"),
        ("http://dev", {"HTTPS_PROXY": "http://p:3128"}, ""),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://p:3128"}, ""),
        ("https://localhost", {"HTTPS_PROXY": "http://p:3128"}, ""),
        ("https://[::1]:6443", {"HTTPS_PROXY": "http://p:3128"}, ""),
        ("https://dev.corp", {"HTTPS_PROXY": "http://p", "NO_PROXY": ".corp"}, ""),
        ("https://dev.corp", {"HTTPS_PROXY": "http://p", "NO_PROXY": "a, corp"}, ""),
        ("https://devcorp", {"HTTPS_PROXY": "http://p", "NO_PROXY": "corp"}, "http://p"),
        ("https://10.1.2.3", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.0/8"}, ""),
        ("https://11.1.2.3", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.0/8"}, "http://p"),
        ("https://dev", {"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, ""),
    ],
)
def test_the_environments_proxy_is_used_as_go_uses_it(
    write: Write, server: str, environ: dict[str, str], proxy: str
) -> None:
    config = named(
        current="d", contexts={"d": {"cluster": "c"}}, clusters={"c": {"server": server}}
    )
    assert read(write(config), **environ).proxy == proxy


def test_a_proxy_named_in_the_kubeconfig_is_always_used(write: Write) -> None:
    cluster = {"server": "https://127.0.0.1", "proxy-url": "http://p:3128"}
    config = named(current="d", contexts={"d": {"cluster": "c"}}, clusters={"c": cluster})
    assert read(write(config), NO_PROXY="*").proxy == "http://p:3128"


def test_impersonation_is_taken_along(write: Write) -> None:
    user = {"as": "eve", "as-groups": ["a", "b"], "as-user-extra": {"scope": ["x", "y"]}}
    config = replace_user(DEV, user)
    assert read(write(config)).user.acting_as == (
        ("Impersonate-User", "eve"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-scope", "x"),
        ("Impersonate-Extra-scope", "y"),
    )


def test_the_id_token_that_kubectl_renews_is_used(write: Write) -> None:
    provider = {"name": "oidc", "config": {"id-token": "jwt", "refresh-token": "r"}}
    assert read(write(replace_user(DEV, {"auth-provider": provider}))).user.token == "jwt"


def replace_user(config: dict[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    return {**config, "users": [{"name": "u", "user": user}]}


def replace_cluster(config: dict[str, Any], cluster: dict[str, Any]) -> dict[str, Any]:
    return {**config, "clusters": [{"name": "c", "cluster": cluster}]}


ODD: dict[str, tuple[Any, str]] = {
    "empty": ("", "kubeconfig {path} is empty: name another with --kubeconfig"),
    "blank": ("\n \n", "kubeconfig {path} is empty: name another with --kubeconfig"),
    "not YAML": (
        "users:\n- name: u\n  token: [s3cret\n",
        "kubeconfig {path} is not YAML, line 4",
    ),
    "a tab": ("users:\n\t- s3cret", "kubeconfig {path} is not YAML, line 2"),
    "a list": ("- s3cret", "kubeconfig {path} is not a kubeconfig: it holds no mapping"),
    "no context": (
        named(),
        "{path} names no current context: choose one with --context. It has no contexts",
    ),
    "no current context": (
        {**DEV, "current-context": ""},
        "{path} names no current context: choose one with --context. There are: dev, bare",
    ),
    "an unknown current context": (
        {**DEV, "current-context": "prod"},
        "context prod is not in {path}. There are: dev, bare",
    ),
    "a missing cluster": (
        {**DEV, "clusters": []},
        "context dev wants cluster c, which is not in {path}",
    ),
    "a missing user": ({**DEV, "users": None}, "context dev wants user u, which is not in {path}"),
    "no server": (replace_cluster(DEV, {}), "{path}: cluster c names no server"),
    "an odd server": (
        replace_cluster(DEV, {"server": "https://"}),
        "{path}: cluster c: server is not the URL of an API server, as https://host:6443",
    ),
    "a password in the server": (
        replace_cluster(DEV, {"server": "https://u:s3cret@dev"}),
        "{path}: cluster c: server is not the URL of an API server, as https://host:6443",
    ),
    "contexts of the wrong kind": (
        {**DEV, "contexts": {"dev": {}}},
        "{path}: kubeconfig: contexts is not a list",
    ),
    "a token of the wrong kind": (
        replace_user(DEV, {"token": 5}),
        "{path}: user u: token is not a text",
    ),
    "a key that is no base64": (
        replace_user(DEV, {"client-key-data": "s3cret!"}),
        "{path}: user u: client-key-data is not base64 of a PEM text",
    ),
    "a dropped way to sign in": (
        replace_user(DEV, {"auth-provider": {"name": "gcp"}}),
        "user u signs in with auth-provider gcp, which kubectl dropped: use an exec plugin",
    ),
    "a socks proxy": (
        replace_cluster(DEV, {"server": "https://dev", "proxy-url": "socks5://u:s3cret@p"}),
        "cluster c: proxy-url has socks5: only http and https proxies can be used",
    ),
    "a plugin without a command": (
        replace_user(DEV, {"exec": {"args": ["s3cret"]}}),
        "{path}: user u.exec: command is not the name of a program",
    ),
}


@pytest.mark.parametrize("case", ODD)
def test_a_kubeconfig_that_leads_nowhere_is_one_sentence(write: Write, case: str) -> None:
    content, sentence = ODD[case]
    path = write(content)
    with pytest.raises(Misconfigured) as caught:
        read(path)
    assert str(caught.value) == sentence.format(path=path)
    assert "s3cret" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_an_unknown_context_names_those_there_are(write: Write) -> None:
    path = write(DEV)
    with pytest.raises(Misconfigured) as caught:
        read(path, "prod")
    assert str(caught.value) == f"context prod is not in {path}. There are: dev, bare"


def test_of_many_contexts_a_dozen_is_named(write: Write) -> None:
    contexts = {f"c{number}": {"cluster": "c"} for number in range(50)}
    with pytest.raises(Misconfigured, match=r"c0, .*, c11 and 38 more$"):
        read(write(named(contexts=contexts)), "prod")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.mkdir, "is a directory"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00s3cret"), "it is not a text"),
    ],
)
def test_an_unreadable_kubeconfig_is_named(
    tmp_path: Path, make: Callable[[Path], Any], reason: str
) -> None:
    path = tmp_path / "config"
    make(path)
    with pytest.raises(Misconfigured, match=f"^cannot read {path}: {reason}$"):
        read(str(path))


def test_a_kubeconfig_that_is_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"cannot read kubeconfig .*nothing: no such file"):
        read(str(tmp_path / "nothing"))


def test_without_any_kubeconfig_the_way_on_is_said(tmp_path: Path) -> None:
    environ = {"KUBECONFIG": f"{tmp_path}/a:{tmp_path}/b"}
    with pytest.raises(Misconfigured) as caught:
        kubeconfig.read(Where(), environ)
    assert str(caught.value) == (
        f"no kubeconfig: {tmp_path}/a or {tmp_path}/b does not exist. Name one with --kubeconfig "
        "or KUBECONFIG, or see it work without a cluster: cnpg-tui demo"
    )


def test_in_a_pod_the_service_account_is_used(tmp_path: Path) -> None:
    for name, text in (("token", "t"), ("namespace", "prod\n"), ("ca.crt", "PEM")):
        (tmp_path / name).write_text(text)
    environ = {
        "KUBECONFIG": str(tmp_path / "none"),
        "KUBERNETES_SERVICE_HOST": "fd00::1",
        "KUBERNETES_SERVICE_PORT": "443",
    }
    access = kubeconfig.read(Where(), environ, service_account=tmp_path)
    assert access.server == "https://[fd00::1]:443"
    assert access.namespace == "prod"
    assert access.user.token_file == tmp_path / "token"
    assert access.ca.read() == "PEM"


def test_in_a_pod_a_kubeconfig_still_wins(tmp_path: Path, write: Write) -> None:
    (tmp_path / "token").write_text("t")
    environ = {
        "KUBECONFIG": write(DEV),
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
    }
    assert kubeconfig.read(Where(), environ, service_account=tmp_path).context == "dev"


def test_no_secret_is_in_a_repr(write: Write) -> None:
    user = {
        "token": "s3cret",
        "username": "u",
        "password": "s3cret",
        "client-key-data": b64encode(b"s3cret").decode(),
        "exec": {
            "command": "login",
            "apiVersion": "v1",
            "args": ["s3cret"],
            "env": [{"name": "TOKEN", "value": "s3cret"}],
        },
    }
    cluster = {"server": "https://dev", "proxy-url": "http://u:s3cret@p"}
    access = read(write(replace_cluster(replace_user(DEV, user), cluster)))
    assert "s3cret" not in repr(access)
    assert access.user.password == "u:s3cret"
    assert replace(access, context="other").proxy == "http://u:s3cret@p"
