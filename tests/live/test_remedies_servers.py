"""Remedies over the sandbox and over the genuine kube-apiserver: what they leave, and kubectl's line."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.apiserver import manifests
from tests.apiserver.servers import Rule, Server, path
from tui.cnpg.manifest import BARMAN_PLUGIN, Key
from tui.cnpg.store import CHECKSUM_VARIABLES
from tui.live.estate import Estate
from tui.live.orders import order as orders
from tui.live.orders import remedy
from tui.live.orders.order import Done, NotDone, Order, Rehearsal
from tui.verdict.fix import DeleteBackup, MadeHere, SetChecksums, SetOptions, SwitchOn
from tui.wire.kube import Kube

KUBECTL = Path(sys.executable).with_name("kubectl")
CNPG, PLUGIN_GROUP = "postgresql.cnpg.io", "barmancloud.cnpg.io"
ROLE = (
    Rule(("get", "patch"), ("clusters",), CNPG),
    Rule(("get", "delete"), ("backups",), CNPG),
    Rule(("get", "patch"), ("objectstores",), PLUGIN_GROUP),
)
"""``cnpg-tui-remedies`` of the README."""

Open = Callable[..., Awaitable[Kube]]
Plugins = list[dict[str, Any]]

OFF = {"name": BARMAN_PLUGIN, "enabled": False, "parameters": {"barmanObjectName": "r2"}}
OTHER = {"name": "other.io", "enabled": False, "parameters": {"a": "b"}}
TOKEN = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
REQUEST, RESPONSE = CHECKSUM_VARIABLES
SET = [{"name": name, "value": "when_required"} for name in CHECKSUM_VARIABLES]
CREDENTIALS = {
    "accessKeyId": {"name": "r2", "key": "id"},
    "secretAccessKey": {"name": "r2", "key": "secret"},
}
CONFIGURATION = {
    "destinationPath": "s3://backups/",
    "endpointURL": "https://x.r2.cloudflarestorage.com",
    "s3Credentials": CREDENTIALS,
}
REFUSED = {
    "tags": {"team": "dba"},
    "wal": {"compression": "gzip", "encryption": "AES256"},
    "data": {"compression": "snappy"},
}
OPTIONS: dict[tuple[str, ...], str | None] = {
    ("tags",): None,
    ("wal", "encryption"): None,
    ("data", "compression"): "gzip",
}


@dataclass(frozen=True, slots=True)
class Ill:
    """An object, its remedy, and its spec afterwards (None: it is gone)."""

    name: str
    plural: str
    made: dict[str, Any]
    fix: Callable[[Key], MadeHere]
    mended: dict[str, Any] | None
    others: dict[str, Any] = field(default_factory=lambda: {"metadata": {"labels": {"by": "them"}}})
    """What somebody else changes meanwhile."""


def a_store(env: Plugins | None, **configuration: Any) -> dict[str, Any]:
    made = manifests.object_store(configuration=CONFIGURATION | configuration)
    if env is not None:
        made["spec"]["instanceSidecarConfiguration"] = {"env": env}
    return made


def with_env(env: Plugins) -> dict[str, Any]:
    return {"configuration": CONFIGURATION, "instanceSidecarConfiguration": {"env": env}}


ILLS = (
    Ill("no variables", "objectstores", a_store(None), SetChecksums, with_env(SET)),
    Ill("other variables", "objectstores", a_store([TOKEN]), SetChecksums, with_env([TOKEN, *SET])),
    Ill(
        "an odd variable",
        "objectstores",
        a_store([{"name": RESPONSE, "value": "when_supported"}, TOKEN]),
        SetChecksums,
        with_env([SET[1], TOKEN, SET[0]]),
    ),
    Ill(
        "options",
        "objectstores",
        a_store(None, **REFUSED),
        lambda key: SetOptions(key, OPTIONS),
        {
            "configuration": CONFIGURATION
            | {"wal": {"compression": "gzip", "encryption": None}, "tags": None}
            | {"data": {"compression": "gzip"}}
        },
    ),
    Ill(
        "archiver",
        "clusters",
        manifests.cluster(plugins=[OTHER, OFF]),
        lambda key: SwitchOn(key, BARMAN_PLUGIN),
        {"plugins": [OTHER, OFF | {"enabled": True, "isWALArchiver": True}]},
    ),
    Ill("backup", "backups", manifests.backup("stuck"), DeleteBackup, None),
)

each_ill = pytest.mark.parametrize("ill", ILLS, ids=lambda ill: ill.name)


@pytest.fixture
async def token(server: Server) -> str:
    return (await server.account(*ROLE)).token


@pytest.fixture
async def kube(server: Server, opened: Open, token: str) -> Kube:
    """Under the Role of the README alone."""
    return await opened(server.kubeconfig(token))


async def planned(server: Server, kube: Kube, ill: Ill) -> Order:
    """Make the object, and the order that mends it."""
    answer = await server.admin.create(path(server, ill.plural), ill.made)
    assert answer.status == 201, answer.text
    return await planned_anew(server, kube, ill)


async def planned_anew(server: Server, kube: Kube, ill: Ill) -> Order:
    fix = ill.fix(Key(server.namespace, ill.made["metadata"]["name"]))
    found = await kube.get(*remedy.subject(fix))
    order = remedy.order(Estate(), fix, found)
    assert isinstance(order, Order), order
    return order


async def spec(server: Server, ill: Ill) -> dict[str, Any] | None:
    """What the server has of the fields that are watched; None where the object is gone."""
    answer = await server.admin.get(path(server, ill.plural, ill.made["metadata"]["name"]))
    if answer.status == 404:
        return None
    picked: dict[str, Any] = _picked(answer.body["spec"], ill.mended or {"cluster": {}})
    return picked


def _picked(found: Any, wanted: Any) -> Any:
    """Of what was found the fields that ``wanted`` has: the CRDs add defaults of their own."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return {name: _picked(found.get(name), value) for name, value in wanted.items()}
    if isinstance(wanted, list) and isinstance(found, list) and len(found) == len(wanted):
        return [_picked(*pair) for pair in zip(found, wanted, strict=True)]
    return found


@each_ill
async def test_a_remedy_is_rehearsed_without_a_trace_and_then_leaves_what_was_shown(
    server: Server, kube: Kube, ill: Ill
) -> None:
    order = await planned(server, kube, ill)
    before = await spec(server, ill)
    assert await orders.rehearse(order, kube) == Rehearsal()
    assert await spec(server, ill) == before
    assert await orders.carry_out(order, kube) == Done(order.key)
    assert await spec(server, ill) == ill.mended


@each_ill
async def test_the_line_for_kubectl_leaves_the_same(
    server: Server, kube: Kube, token: str, ill: Ill, tmp_path: Path
) -> None:
    order = await planned(server, kube, ill)
    config = tmp_path / "config"
    config.write_text(json.dumps(server.kubeconfig(token)))
    process = await asyncio.create_subprocess_exec(
        KUBECTL,
        *shlex.split(order.kubectl)[1:],
        *(["--wait=false"] if ill.mended is None else []),
        env={"HOME": str(tmp_path), "KUBECONFIG": str(config)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(30):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    assert await spec(server, ill) == ill.mended


@each_ill
async def test_who_was_overtaken_mends_nothing_and_planned_anew_keeps_what_the_other_did(
    server: Server, kube: Kube, ill: Ill
) -> None:
    order = await planned(server, kube, ill)
    one = path(server, ill.plural, ill.made["metadata"]["name"])
    theirs = await server.admin.patch(one, ill.others)
    assert theirs.status == 200, theirs.text
    assert (await orders.rehearse(order, kube)).overtaken
    outcome = await orders.carry_out(order, kube)
    assert isinstance(outcome, NotDone)
    assert outcome.overtaken
    assert (await server.admin.get(one)).body == theirs.body
    anew = await planned_anew(server, kube, ill)
    assert remedy.is_same(order, anew)
    assert await orders.carry_out(anew, kube) == Done(order.key)
    assert await spec(server, ill) == ill.mended


@each_ill
async def test_without_the_right_the_rehearsal_names_it_and_nothing_is_written(
    server: Server, opened: Open, kube: Kube, ill: Ill
) -> None:
    order = await planned(server, kube, ill)
    before = await spec(server, ill)
    readers = [Rule(("get",), rule.resources, rule.api_group) for rule in ROLE]
    reader = await opened(server.kubeconfig((await server.account(*readers)).token))
    verb = "delete" if ill.mended is None else "patch"
    assert f"Ask for {verb} on {ill.plural}." in (await orders.rehearse(order, reader)).refusal
    outcome = await orders.carry_out(order, reader)
    assert isinstance(outcome, NotDone)
    assert not outcome.overtaken
    assert await spec(server, ill) == before
