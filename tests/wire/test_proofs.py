"""How a user is let in: real TLS, real plugins, real proxies."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import sys
import tempfile
import textwrap
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.wire.authority import Authority
from tests.wire.conftest import config
from tests.wire.scripted import Script, answer, status, until
from tui import faults
from tui.cnpg.manifest import BACKUPS
from tui.sandbox.apiserver import EVERYTHING, ApiServer, User
from tui.wire import kube as gateway
from tui.wire import plugins
from tui.wire.kube import Kube
from tui.wire.plugins import Plugin

Open = Callable[..., Awaitable[Kube]]

AUTHORITY = Authority()
STRANGER = Authority()


def data(text: str) -> str:
    return b64encode(text.encode()).decode()


async def ask(kube: Kube) -> None:
    """One request; a sentence within five seconds if it fails."""
    async with asyncio.timeout(5):
        async for _ in kube.list(BACKUPS, "prod"):
            pass


@pytest.fixture
async def secure() -> AsyncIterator[Callable[..., Awaitable[Script]]]:
    """Starts API servers that speak TLS."""
    servers: list[Script] = []

    async def start(name: str = "127.0.0.1", **options: Any) -> Script:
        server = Script()
        await server.start(AUTHORITY.server(name, **options))
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()


Secure = Callable[..., Awaitable[Script]]


# TLS.


async def test_the_ca_of_the_kubeconfig_is_trusted(secure: Secure, opened: Open) -> None:
    server = await secure()
    await ask(
        await opened(config(server.url, **{"certificate-authority-data": data(AUTHORITY.ca)}))
    )


async def test_the_ca_may_be_a_file_beside_the_kubeconfig(
    secure: Secure, opened: Open, tmp_path: Path
) -> None:
    server = await secure()
    (tmp_path / "ca.crt").write_text(AUTHORITY.ca)
    await ask(await opened(config(server.url, **{"certificate-authority": "ca.crt"})))


async def test_tls_server_name_is_the_name_that_is_checked(secure: Secure, opened: Open) -> None:
    server = await secure("api.internal")
    ca = {"certificate-authority-data": data(AUTHORITY.ca)}
    await ask(await opened(config(server.url, **ca, **{"tls-server-name": "api.internal"})))


@pytest.mark.parametrize("days", [1, -1])
async def test_insecure_skip_tls_verify_trusts_anything(
    secure: Secure, opened: Open, days: int
) -> None:
    server = await secure("elsewhere", days=days)
    await ask(await opened(config(server.url, **{"insecure-skip-tls-verify": True})))


@pytest.mark.parametrize(
    ("name", "days", "ca", "why"),
    [
        ("127.0.0.1", 1, "", "unable to get local issuer certificate. Check certificate-authority"),
        ("127.0.0.1", 1, STRANGER.ca, "Check certificate-authority in the kubeconfig"),
        ("127.0.0.1", -1, AUTHORITY.ca, "certificate has expired. Check certificate-authority"),
        ("api.internal", 1, AUTHORITY.ca, "mismatch.*Check server or tls-server-name"),
    ],
)
async def test_a_server_that_cannot_be_trusted_is_one_sentence(
    secure: Secure, opened: Open, name: str, days: int, ca: str, why: str
) -> None:
    server = await secure(name, days=days)
    trust = {"certificate-authority-data": data(ca)} if ca else {}
    kube = await opened(config(server.url, **trust))
    with pytest.raises(
        faults.Unreachable, match=f"the certificate of {server.url} is not trusted: .*{why}"
    ):
        await ask(kube)
    assert server.requests == []


@pytest.mark.parametrize("in_a_file", [True, False])
async def test_an_authority_that_is_written_anew_is_trusted_at_the_next_request(
    secure: Secure, opened: Open, login: Login, tmp_path: Path, in_a_file: bool
) -> None:
    login.does("", token="t")
    server, file = await secure(), tmp_path / "ca.crt"

    def trusting(ca: str) -> dict[str, Any]:
        if in_a_file:
            file.write_text(ca)
            return config(server.url, user=login.user(), **{"certificate-authority": str(file)})
        trust = {"certificate-authority-data": data(ca)}
        return config(server.url, user=login.user(), **trust)

    kube = await opened(trusting(STRANGER.ca))
    for _ in range(3):
        with pytest.raises(faults.Unreachable, match="is not trusted"):
            await ask(kube)
    assert len(kube._clients) == 1
    await opened(trusting(AUTHORITY.ca))  # over the same file
    await ask(kube)
    assert login.runs == 1, "nobody has to sign in again because of the server's certificate"


async def test_something_that_speaks_no_http_is_said(opened: Open) -> None:
    async def chatter(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        writer.close()

    server = await asyncio.start_server(chatter, "127.0.0.1", 0)
    kube = await opened(config(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    with pytest.raises(faults.BadAnswer, match="does not speak HTTP as an API server does"):
        await ask(kube)
    server.close()


async def test_plain_http_on_a_tls_address_is_said(script: Script, opened: Open) -> None:
    kube = await opened(config(script.url.replace("http:", "https:")))
    with pytest.raises(
        faults.Unreachable, match=r"TLS with https://.* failed: wrong version number$"
    ):
        await ask(kube)


async def test_tls_on_a_plain_address_is_said(secure: Secure, opened: Open) -> None:
    server = await secure()
    kube = await opened(config(server.url.replace("https:", "http:")))
    with pytest.raises(faults.Unreachable, match="closed the connection without an answer"):
        await ask(kube)


@pytest.mark.parametrize(
    "broken",
    [
        {"certificate-authority-data": data("no certificate")},
        {"certificate-authority": "no-such-file"},
    ],
)
async def test_a_broken_ca_is_a_matter_of_configuration(
    script: Script, opened: Open, broken: dict[str, str]
) -> None:
    kube = await opened(config(script.url, **broken))
    with pytest.raises(faults.Misconfigured, match=r"certificate-authority|no-such-file"):
        await ask(kube)


# Client certificates.


async def test_a_client_certificate_is_shown(secure: Secure, opened: Open, tmp_path: Path) -> None:
    server = await secure(wants_client=True)
    pair = AUTHORITY.issued("me")
    ca = {"certificate-authority-data": data(AUTHORITY.ca)}
    given = {
        "client-certificate-data": data(pair.certificate),
        "client-key-data": data(pair.key),
    }
    await ask(await opened(config(server.url, user=given, **ca)))
    (tmp_path / "me.crt").write_text(pair.certificate)
    (tmp_path / "me.key").write_text(pair.key)
    filed = {"client-certificate": "me.crt", "client-key": "me.key"}
    await ask(await opened(config(server.url, user=filed, **ca)))
    assert len(server.requests) == 2


async def test_a_private_key_does_not_stay_on_the_disk(
    script: Script, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = _left_in(tmp_path)
    pair = AUTHORITY.issued("me")
    given = {
        "client-certificate-data": data(pair.certificate),
        "client-key-data": data(pair.key),
    }
    await ask(await opened(config(script.url, user=given)))
    assert _left_in(tmp_path) - before == {"kubeconfig"}


def _left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_client_certificate_nobody_signed_is_refused_in_a_sentence(
    secure: Secure, opened: Open
) -> None:
    server = await secure(wants_client=True)
    ca = {"certificate-authority-data": data(AUTHORITY.ca)}
    for user in ({}, _certificate_of(STRANGER)):
        kube = await opened(config(server.url, user=user, **ca))
        with pytest.raises(faults.Unreachable, match="cannot list backups in prod: "):
            await ask(kube)


def _certificate_of(authority: Authority) -> dict[str, str]:
    pair = authority.issued("me")
    return {"client-certificate-data": data(pair.certificate), "client-key-data": data(pair.key)}


async def test_a_key_that_does_not_fit_is_a_matter_of_configuration(
    script: Script, opened: Open
) -> None:
    user = {**_certificate_of(AUTHORITY), "client-key-data": data(AUTHORITY.issued("x").key)}
    kube = await opened(config(script.url, user=user))
    with pytest.raises(faults.Misconfigured, match="client-key is no usable PEM text"):
        await ask(kube)


# Tokens and passwords.


def authorizations(script: Script) -> list[str]:
    return [request.headers.get("Authorization", "") for request in script.requests]


@pytest.mark.parametrize(
    ("user", "authorization"),
    [
        ({"token": "t"}, "Bearer t"),
        ({"username": "u", "password": "p:w"}, f"Basic {data('u:p:w')}"),
        ({"tokenFile": "token"}, "Bearer from-file"),
        ({"tokenFile": "token", "token": "t"}, "Bearer from-file"),
        ({}, ""),
    ],
)
async def test_the_user_is_proved(
    script: Script, opened: Open, tmp_path: Path, user: dict[str, str], authorization: str
) -> None:
    (tmp_path / "token").write_text("from-file\n")
    await ask(await opened(config(script.url, user=user)))
    assert authorizations(script) == [authorization]


async def test_every_group_is_impersonated(script: Script, opened: Open) -> None:
    user = {"token": "t", "as": "eve", "as-groups": ["a", "b"]}
    await ask(await opened(config(script.url, user=user)))
    headers = script.requests[0].headers
    assert headers["Impersonate-User"] == "eve"
    assert headers.getall("Impersonate-Group") == ["a", "b"]


async def test_a_token_file_is_read_again_when_its_minute_is_over(
    script: Script, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    kube = await opened(config(script.url, user={"tokenFile": "token"}))
    await ask(kube)
    token.write_text("two")
    await ask(kube)
    monkeypatch.setattr(gateway, "datetime", _InAMinute)
    await ask(kube)
    assert authorizations(script) == ["Bearer one", "Bearer one", "Bearer two"]


class _InAMinute(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) + timedelta(seconds=61)


async def test_credentials_read_anew_come_from_the_same_context(
    script: Script, opened: Open
) -> None:
    kube = await opened(config(script.url, user={"token": "old"}))
    changed = config(script.url, user={"token": "new"})
    changed["current-context"] = "other"
    changed["contexts"].append({"name": "other", "context": {"cluster": "here"}})
    await opened(changed)  # over the same file
    await kube.reload_credentials()
    await ask(kube)
    assert authorizations(script) == ["Bearer new"]


@pytest.mark.parametrize("kept", ["token", "tokenFile", "client-key-data"])
async def test_whether_the_credentials_are_others_is_seen_without_asking_anybody(
    script: Script, opened: Open, tmp_path: Path, kept: str
) -> None:
    file = tmp_path / "token"

    def user(secret: str) -> dict[str, str]:
        file.write_text(secret)
        said = {"token": secret, "tokenFile": str(file), "client-key-data": data(secret)}
        pair = {"client-certificate-data": data("c")} if kept == "client-key-data" else {}
        return {kept: said[kept], **pair}

    kube = await opened(config(script.url, user=user("s3cret")))
    before = await kube.configured()
    assert "s3cret" not in before
    assert before == await kube.configured()
    await opened(config(script.url, user=user("another")))
    assert before != await kube.configured()
    assert script.requests == []


async def test_a_netrc_does_not_come_between(
    script: Script, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login u password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    await ask(await opened(config(script.url)))
    assert authorizations(script) == ["Bearer t0ken"]


async def test_a_wrong_token_is_one_sentence(opened: Open) -> None:
    server = ApiServer(users=[User("ann", "right", EVERYTHING)])
    await server.start()
    kube = await opened(server.kubeconfig(User("ann", "wrong", EVERYTHING)))
    with pytest.raises(faults.Unauthorized, match=r"does not accept these credentials. Sign in"):
        await ask(kube)
    await server.stop()


# Plugins.


class Login:
    """A credential plugin, written as a program; counts how often it ran."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "login"
        self._runs = folder / "runs"

    def does(self, body: str, **status: Any) -> None:
        """What it runs; ``status`` is what it answers."""
        credential = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": status,
        }
        self.path.write_text(
            f"#!{sys.executable}\n"
            "import json, os, sys, time\n"
            f"open({str(self._runs)!r}, 'a').write('x')\n"
            f"{textwrap.dedent(body)}\n"
            + (f"print({json.dumps(credential)!r})\n" if status else "")
        )
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)

    @property
    def runs(self) -> int:
        return len(self._runs.read_text()) if self._runs.exists() else 0

    def user(self, **more: Any) -> dict[str, Any]:
        return {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": "./login",
                "interactiveMode": "IfAvailable",
                **more,
            }
        }


@pytest.fixture
def login(tmp_path: Path) -> Login:
    return Login(tmp_path)


async def test_a_plugin_gives_a_token_once_for_many_requests(
    script: Script, opened: Open, login: Login
) -> None:
    login.does("time.sleep(0.1)", token="made")
    kube = await opened(config(script.url, user=login.user()))
    await asyncio.gather(*(ask(kube) for _ in range(5)))
    assert authorizations(script) == ["Bearer made"] * 5
    assert login.runs == 1


async def test_a_plugin_that_fails_fails_once_for_all_who_wait(
    script: Script, opened: Open, login: Login
) -> None:
    login.does("time.sleep(0.2); sys.exit(1)")
    kube = await opened(config(script.url, user=login.user()))
    asked = [asyncio.create_task(ask(kube)) for _ in range(5)]
    await until(lambda: login.runs == 1)
    asked.pop().cancel()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in outcomes] == [faults.Misconfigured] * 4
    assert login.runs == 1


async def test_closing_does_not_wait_for_a_plugin(
    script: Script, opened: Open, login: Login
) -> None:
    login.does("time.sleep(600)", token="late")
    kube = await opened(config(script.url, user=login.user()))
    asked = asyncio.create_task(ask(kube))
    await until(lambda: login.runs == 1)
    async with asyncio.timeout(5):
        await kube.close()
        with pytest.raises(faults.Unreachable, match="closed"):
            await asked


async def test_credentials_are_read_anew_once_for_all_who_ask(
    script: Script, opened: Open, login: Login
) -> None:
    login.does("time.sleep(0.1)", token="t")
    kube = await opened(config(script.url, user=login.user()))
    await asyncio.gather(*(kube.reload_credentials() for _ in range(4)))
    assert login.runs == 1


async def test_a_plugin_is_asked_again_when_its_token_has_expired(
    script: Script, opened: Open, login: Login
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    login.does("", token="one", expirationTimestamp=soon.isoformat())
    kube = await opened(config(script.url, user=login.user()))
    await ask(kube)
    await ask(kube)
    assert login.runs == 1
    login.does("", token="two", expirationTimestamp="2020-01-01T00:00:00Z")
    await kube.reload_credentials()
    await ask(kube)
    await ask(kube)
    assert login.runs == 4
    assert authorizations(script)[-1] == "Bearer two"


async def test_a_plugin_may_give_a_client_certificate(
    secure: Secure, opened: Open, login: Login
) -> None:
    server = await secure(wants_client=True)
    ca = {"certificate-authority-data": data(AUTHORITY.ca)}
    for _ in range(2):
        pair = AUTHORITY.issued("me")
        login.does("", clientCertificateData=pair.certificate, clientKeyData=pair.key)
        kube = await opened(config(server.url, user=login.user(), **ca))
        await ask(kube)
        await kube.reload_credentials()
        await ask(kube)
    assert len(server.requests) == 4


async def test_a_plugin_is_told_what_it_wants_to_know(
    script: Script, opened: Open, login: Login, tmp_path: Path
) -> None:
    login.does(
        f"""
        told = {{"args": sys.argv[1:], "env": os.environ["LOGIN"], "in": sys.stdin.read(),
                "info": json.loads(os.environ["KUBERNETES_EXEC_INFO"])}}
        open({str(tmp_path / "told")!r}, "w").write(json.dumps(told))
        """,
        token="t",
    )
    user = login.user(
        args=["--for", "demo"], env=[{"name": "LOGIN", "value": "yes"}], provideClusterInfo=True
    )
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    await ask(await opened(config(script.url, user=user, extensions=[extension])))
    told = json.loads((tmp_path / "told").read_text())
    assert (told["args"], told["env"], told["in"]) == (["--for", "demo"], "yes", "")
    assert told["info"]["spec"] == {
        "interactive": False,
        "cluster": {"server": script.url, "config": {"audience": "x"}},
    }


@pytest.mark.parametrize(
    ("body", "answers", "why"),
    [
        (
            "sys.stderr.write('\\x1b[31mtoken\\nexpired: run login\\x1b[0m'); sys.exit(3)",
            {},
            "failed with exit status 3: token expired: run login",
        ),
        ("print('s3cret')", {}, "did not answer with an ExecCredential of client.authentication"),
        ("print('{}')", {}, "did not answer with an ExecCredential"),
        ("", {"clientCertificateData": "s3cret"}, "neither a token nor a certificate with its key"),
        ("", {"token": "s3cret", "expirationTimestamp": "soon"}, "did not answer with an Exec"),
    ],
)
async def test_a_plugin_that_fails_is_one_sentence(
    script: Script, opened: Open, login: Login, body: str, answers: dict[str, Any], why: str
) -> None:
    login.does(body, **answers)
    kube = await opened(config(script.url, user=login.user()))
    with pytest.raises(
        faults.Misconfigured, match=f"credential plugin .*/login of user me.*{why}"
    ) as caught:
        await ask(kube)
    assert "s3cret" not in str(caught.value)
    assert script.requests == []


async def test_a_plugin_that_is_not_installed_says_how_to_install_it(
    script: Script, opened: Open, login: Login
) -> None:
    user = login.user(command="no-such-login", installHint="pip install\nlogin")
    kube = await opened(config(script.url, user=user))
    with pytest.raises(
        faults.Misconfigured,
        match=r"cannot run the credential plugin no-such-login of user me: .*\. pip install login$",
    ):
        await ask(kube)


async def test_a_plugin_that_wants_a_terminal_is_not_run(
    script: Script, opened: Open, login: Login
) -> None:
    login.does("", token="t")
    kube = await opened(config(script.url, user=login.user(interactiveMode="Always")))
    with pytest.raises(faults.Misconfigured, match="needs a terminal"):
        await ask(kube)
    assert login.runs == 0


@pytest.mark.parametrize("leave", ["patience", "cancelled"])
async def test_a_plugin_that_hangs_is_ended_with_all_it_started(
    login: Login, tmp_path: Path, leave: str
) -> None:
    child = tmp_path / "child"
    login.does(
        f"""
        import subprocess
        started = subprocess.Popen(["sleep", "600"])
        open({str(child)!r}, "w").write(str(started.pid) + "\\n")
        time.sleep(600)
        """
    )
    asking = asyncio.create_task(
        plugins.ask(Plugin("me", str(login.path)), patience=60 if leave == "cancelled" else 1.5)
    )
    async with asyncio.timeout(20):
        await until(lambda: child.exists() and child.read_text().endswith("\n"))
        if leave == "cancelled":
            asking.cancel()
        with pytest.raises((asyncio.CancelledError, faults.Misconfigured)):
            await asking
        await until(lambda: not _lives(int(child.read_text())))


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_plugin_cannot_reach_the_terminal(login: Login) -> None:
    login.does(
        """
        assert sys.stdin.read() == ""
        for name in ("/dev/tty", "/dev/stderr"):
            try:
                open(name, "w").write("SCRIBBLE")
            except OSError:
                pass
        """,
        token="t",
    )
    code = f"""
import asyncio
from tui.wire import plugins
plugin = plugins.Plugin("me", {str(login.path)!r}, api_version="client.authentication.k8s.io/v1")
open("/dev/tty", "w").write("a terminal is here\\n")
print("done" if asyncio.run(plugins.ask(plugin)).authorization else "failed")
"""
    child = pexpect.spawn(sys.executable, ["-c", code], timeout=20, cwd=Path.cwd())
    child.expect(pexpect.EOF)
    shown = child.before.decode()
    child.close()
    assert "a terminal is here" in shown
    assert "done" in shown
    assert "SCRIBBLE" not in shown


# The way there.


class Proxy:
    """A CONNECT proxy."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refusal = b""
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        try:
            if self.refusal:
                writer.write(self.refusal)
                return
            host, _, port = head.split()[1].rpartition(":")
            there, back = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
    writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    one = Proxy()
    yield one
    await one.stop()


async def test_a_proxy_is_gone_through(secure: Secure, opened: Open, proxy: Proxy) -> None:
    server = await secure("api.internal")
    settings = {
        "certificate-authority-data": data(AUTHORITY.ca),
        "tls-server-name": "api.internal",
        "proxy-url": f"http://u:pw@{await proxy.start()}",
    }
    await ask(await opened(config(server.url, **settings)))
    assert len(server.requests) == 1
    assert proxy.asked[0].startswith(f"CONNECT {server.url.removeprefix('https://')} ")
    assert f"Proxy-Authorization: Basic {data('u:pw')}" in proxy.asked[0]


async def test_a_proxy_that_refuses_is_said(secure: Secure, opened: Open, proxy: Proxy) -> None:
    server = await secure()
    proxy.refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    kube = await opened(
        config(server.url, **{"proxy-url": f"http://u:s3cret@{await proxy.start()}"})
    )
    with pytest.raises(
        faults.Unreachable, match=r"the proxy on the way to .* answered 407"
    ) as caught:
        await ask(kube)
    assert "s3cret" not in str(caught.value)


async def test_a_proxy_that_is_down_is_said(opened: Open) -> None:
    kube = await opened(config("https://127.0.0.1:1", **{"proxy-url": "http://127.0.0.1:1"}))
    with pytest.raises(faults.Unreachable, match=r"the proxy on the way to .* does not answer"):
        await ask(kube)


async def test_a_server_that_is_down_is_said(opened: Open) -> None:
    kube = await opened(config("https://127.0.0.1:1"))
    with pytest.raises(faults.Unreachable) as caught:
        await ask(kube)
    assert str(caught.value) == (
        "cannot list backups in prod: cannot connect to https://127.0.0.1:1: connection refused"
    )


async def test_a_name_nobody_knows_is_said(opened: Open) -> None:
    kube = await opened(config("https://api.invalid:6443"))
    with pytest.raises(faults.Unreachable, match=r"the name of https://api.invalid:6443 cannot be"):
        await ask(kube)


async def test_a_server_that_drops_packets_is_said_within_five_seconds(opened: Open) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        # With its queue full the kernel drops what comes, as a firewall does.
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        kube = await opened(config(f"https://127.0.0.1:{port}"))
        with pytest.raises(faults.Unreachable, match=r"did not answer within 5 s. Is it up"):
            await ask(kube)
        for filler in fillers:
            filler.close()


async def test_a_server_that_never_finishes_tls_is_said(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "CONNECT", 0.3)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(5)
        kube = await opened(config(f"https://127.0.0.1:{mute.getsockname()[1]}"))
        with pytest.raises(faults.Unreachable, match="did not answer within 5 s"):
            await ask(kube)


async def test_a_token_that_expired_on_the_way_is_not_shown(script: Script, opened: Open) -> None:
    script.next("list", answer(401, status(401, "Unauthorized", "token s3cret has expired")))
    kube = await opened(config(script.url, user={"token": "s3cret"}))
    with pytest.raises(faults.Unauthorized) as caught:
        await ask(kube)
    assert "s3cret" not in str(caught.value)
