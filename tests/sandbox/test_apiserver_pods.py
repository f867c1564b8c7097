"""Logs and ports of pods, answered by whoever plays the kubelet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from tests.sandbox.serving import ADMIN, DEADLINE, Manifest, Served, serving
from tui.sandbox.apiserver import Rule, User

_PODS = "/api/v1/namespaces/default/pods"
_READER = User(
    "reader",
    "token-of-reader",
    (Rule(("",), ("pods/proxy",), ("get",), ("default",), ("https:pg-1:8000",)),),
)


@dataclass
class _Node:
    """A kubelet that remembers what it was asked."""

    lines: list[str] = field(default_factory=list)
    asked: list[tuple[str, str, str, int, str]] = field(default_factory=list)
    unreachable: bool = False

    async def proxy(
        self, namespace: str, pod: str, scheme: str, port: int, path: str
    ) -> tuple[int, str, bytes]:
        if self.unreachable:
            raise ConnectionRefusedError("dial tcp 10.0.0.7:8000: connect: connection refused")
        self.asked.append((namespace, pod, scheme, port, path))
        return 503, "text/plain", b"postgres is down"

    async def log(self, namespace: str, pod: str, container: str) -> list[str] | None:
        return list(self.lines) if container == "postgres" else None


def _pod(name: str, *containers: str, init: tuple[str, ...] = ()) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "initContainers": [{"name": one} for one in init],
            "containers": [{"name": one} for one in containers],
        },
    }


@pytest.fixture
def node() -> _Node:
    return _Node()


@pytest.fixture
async def served(node: _Node) -> AsyncIterator[Served]:
    async with serving(kubelet=node, users=(ADMIN, _READER)) as served:
        served.server.store.seed(_pod("pg-1", "postgres", init=("plugin-barman-cloud",)))
        served.server.store.seed(_pod("two", "postgres", "metrics"))
        yield served


async def _log(served: Served, **query: Any) -> str:
    answer = await served.client.get(f"{_PODS}/pg-1/log", **query)
    assert answer.status == 200, answer.text
    return answer.text


async def test_a_log_comes_as_text_line_by_line(served: Served, node: _Node) -> None:
    node.lines = ["one", "two"]

    answer = await served.client.get(f"{_PODS}/pg-1/log")

    assert (answer.text, answer.headers["Content-Type"]) == ("one\ntwo\n", "text/plain")


async def test_a_log_can_be_cut_to_its_tail(served: Served, node: _Node) -> None:
    node.lines = ["one", "two", "three"]

    assert await _log(served, tailLines=2) == "two\nthree\n"
    assert await _log(served, tailLines=0) == ""
    assert await _log(served, tailLines=9) == "one\ntwo\nthree\n"


async def test_a_log_can_be_cut_to_what_is_recent(served: Served, node: _Node) -> None:
    now = served.server.store.now()
    node.lines = [
        '{"ts":"2020-01-01T00:00:00Z","msg":"old"}',
        f'{{"ts":"{now.isoformat()}","msg":"new"}}',
        "a line that tells no time",
    ]

    assert [line[-6:] for line in (await _log(served, sinceSeconds=60)).splitlines()] == [
        '"new"}',
        "o time",
    ]


async def test_timestamps_precede_the_lines(served: Served, node: _Node) -> None:
    node.lines = ['{"ts":"2026-08-20T02:00:00.5Z"}', '{"ts":1755655200.25}']

    first, second = (await _log(served, timestamps="true")).splitlines()

    assert first == '2026-08-20T02:00:00.500000000Z {"ts":"2026-08-20T02:00:00.5Z"}'
    assert second == '2025-08-20T02:00:00.250000000Z {"ts":1755655200.25}'


async def test_a_followed_log_goes_on_until_the_pod_is_gone(served: Served, node: _Node) -> None:
    node.lines = ["before"]
    headers = {"Authorization": f"Bearer {ADMIN.token}"}
    async with (
        aiohttp.ClientSession(served.url, headers=headers) as session,
        session.get(f"{_PODS}/pg-1/log", params={"follow": "true"}) as answer,
        asyncio.timeout(DEADLINE),
    ):
        assert await answer.content.readline() == b"before\n"
        node.lines.append("after")
        assert await answer.content.readline() == b"after\n"
        await served.client.delete(f"{_PODS}/pg-1")
        assert await answer.content.read() == b""


@pytest.mark.parametrize(
    ("pod", "container", "code", "message"),
    [
        ("nobody", "", 404, 'pods "nobody" not found'),
        ("pg-1", "nginx", 400, "container nginx is not valid for pod pg-1"),
        (
            "two",
            "",
            400,
            "a container name must be specified for pod two, choose one of: [postgres metrics]",
        ),
        (
            "pg-1",
            "plugin-barman-cloud",
            400,
            'container "plugin-barman-cloud" in pod "pg-1" is waiting to start: ContainerCreating',
        ),
    ],
)
async def test_a_log_that_cannot_be_had_is_refused(
    served: Served, pod: str, container: str, code: int, message: str
) -> None:
    answer = await served.client.get(f"{_PODS}/{pod}/log", container=container)

    assert (answer.status, answer.message) == (code, message)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("https:pg-1:8000", ("https", 8000)),
        ("pg-1:9187", ("http", 9187)),
        ("pg-1", ("http", 80)),
        ("https%3Apg-1%3A8000", ("https", 8000)),
    ],
)
async def test_a_port_is_named_with_its_scheme(
    served: Served, node: _Node, name: str, asked: tuple[str, int]
) -> None:
    headers = {"Authorization": f"Bearer {ADMIN.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{served.url}{_PODS}/{name}/proxy/pg/status") as answer,
    ):
        await answer.read()

    assert node.asked == [("default", "pg-1", *asked, "/pg/status")]


async def test_what_the_pod_answers_is_passed_on_as_it_is(served: Served) -> None:
    answer = await served.client.get(f"{_PODS}/https:pg-1:8000/proxy/pg/status")

    assert (answer.status, answer.text) == (503, "postgres is down")
    assert answer.headers["Content-Type"] == "text/plain"


async def test_a_pod_that_cannot_be_reached_is_the_servers_to_tell(
    served: Served, node: _Node
) -> None:
    node.unreachable = True

    answer = await served.client.get(f"{_PODS}/https:pg-1:8000/proxy/pg/status")

    assert (answer.status, answer.body["reason"]) == (503, "ServiceUnavailable")
    assert answer.message == (
        "error trying to reach service: dial tcp 10.0.0.7:8000: connect: connection refused"
    )


async def test_a_pod_that_does_not_exist_is_not_proxied_to(served: Served) -> None:
    answer = await served.client.get(f"{_PODS}/https:nobody:8000/proxy/pg/status")

    assert (answer.status, answer.message) == (404, 'pods "nobody" not found')


async def test_a_rule_for_one_port_opens_that_port_alone(served: Served) -> None:
    headers = {"Authorization": f"Bearer {_READER.token}"}
    codes = []
    async with aiohttp.ClientSession(served.url, headers=headers) as session:
        for name in ("https:pg-1:8000", "http:pg-1:8000", "pg-1"):
            async with session.get(f"{_PODS}/{name}/proxy/pg/status") as answer:
                codes.append(answer.status)

    assert codes == [503, 403, 403]
