"""What is seen of Secrets, over real HTTP: by name, only with a reason, and never a value."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from tui.cnpg import secret
from tui.cnpg.manifest import Key
from tui.cnpg.secret import Secret
from tui.live.refusals import Refusals
from tui.live.secrets import Secrets
from tui.sandbox.apiserver import ApiServer, Rule, User
from tui.verdict.witnesses import NO_SUCH_OBJECT, NotKnown
from tui.wire.kube import Kube
from tui.wire.kubeconfig import Where

CREDS = Key("prod", "r2-creds")
BY_NAME = Rule(("",), ("secrets",), ("get",), resource_names=("r2-creds", "gone"))
VALUE = "a-value-that-nobody-keeps"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@asynccontextmanager
async def looking(path: Path, *rules: Rule) -> AsyncIterator[tuple[Secrets, ApiServer]]:
    user = User("oncall", "token", rules)
    server = ApiServer(users=[user])
    data = {"ID": encoded(VALUE), "SECRET": encoded(f"{VALUE}\n"), "REGION": "", "CA": "no base64"}
    server.store.seed(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "r2-creds", "namespace": "prod"},
            "data": data,
        }
    )
    await server.start()
    kubeconfig = path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(server.kubeconfig(user, namespace="prod")))
    kube = await Kube.open(Where(kubeconfig=str(kubeconfig)))
    try:
        yield Secrets(kube, Refusals(60)), server
    finally:
        await kube.close()
        await server.stop()


def asked(server: ApiServer) -> list[str]:
    return [path for _, path, *_ in server.requests if "/secrets" in path]


async def test_keys_are_told_and_what_is_wrong_with_their_values_but_no_value(
    tmp_path: Path,
) -> None:
    async with looking(tmp_path, BY_NAME) as (secrets, server):
        found = (await secrets.look([CREDS], ask=True))["r2-creds"]
        assert asked(server) == ["/api/v1/namespaces/prod/secrets/r2-creds"]
    assert isinstance(found, Secret)
    assert found.keys == {"ID", "SECRET", "REGION", "CA"}
    wrong = (found.empty, found.blank_ends, found.not_text)
    assert [sorted(each) for each in wrong] == [["REGION"], ["SECRET"], ["CA"]]
    assert VALUE not in repr(found)
    assert encoded(VALUE) not in repr(found)


async def test_without_a_reason_no_secret_is_read(tmp_path: Path) -> None:
    async with looking(tmp_path, BY_NAME) as (secrets, server):
        assert await secrets.look([CREDS], ask=False) == {}
        assert asked(server) == []


async def test_what_was_read_to_open_a_bucket_is_not_read_again(tmp_path: Path) -> None:
    async with looking(tmp_path, BY_NAME) as (secrets, server):
        read = secret.read(CREDS, {"data": {"ID": encoded(VALUE)}})
        secrets.hear(CREDS, read)
        assert await secrets.look([CREDS], ask=True) == {"r2-creds": read}
        assert asked(server) == []


async def test_a_secret_that_does_not_exist_is_told_as_such(tmp_path: Path) -> None:
    async with looking(tmp_path, BY_NAME) as (secrets, _):
        assert await secrets.look([Key("prod", "gone")], ask=True) == {"gone": NO_SUCH_OBJECT}


async def test_a_secret_that_may_not_be_read_is_told_and_not_asked_again(tmp_path: Path) -> None:
    async with looking(tmp_path) as (secrets, server):
        for _ in range(3):
            found = (await secrets.look([CREDS], ask=True))["r2-creds"]
            assert isinstance(found, NotKnown)
            assert "forbidden" in found.why
            assert "secrets" in found.why
        assert len(asked(server)) == 1
