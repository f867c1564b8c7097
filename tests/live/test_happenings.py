"""Events are asked for over real HTTP where something is wrong, and hardly ever elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from tui.live.happenings import Happenings
from tui.live.refusals import Refusals
from tui.sandbox.apiserver import EVERYTHING, ApiServer, Rule, User
from tui.verdict.witnesses import NotKnown
from tui.wire.kube import Kube
from tui.wire.kubeconfig import Where

FAILED = ("Cluster", "pg", "RetentionPolicyFailed")
PENDING = ("Backup", "nightly-1", "FindingPod")


@asynccontextmanager
async def asking(
    path: Path, *rules: Rule, told: tuple[tuple[str, str, str], ...] = (FAILED, PENDING)
) -> AsyncIterator[tuple[Happenings, ApiServer]]:
    user = User("oncall", "token", rules)
    server = ApiServer(users=[user])
    for kind, name, reason in (*told, ("Node", "one", "Rebooted")):
        server.store.seed(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"{name}.{reason.lower()}", "namespace": "prod"},
                "involvedObject": {"kind": kind, "name": name, "namespace": "prod"},
                "type": "Warning",
                "reason": reason,
                "message": "it failed",
                "lastTimestamp": "2026-11-22T13:58:00Z",
            }
        )
    await server.start()
    kubeconfig = path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(server.kubeconfig(user, namespace="prod")))
    kube = await Kube.open(Where(kubeconfig=str(kubeconfig)))
    try:
        yield Happenings("prod", kube, Refusals(60)), server
    finally:
        await kube.close()
        await server.stop()


def reasons(happenings: Happenings) -> list[str]:
    told = happenings.seen("prod")
    assert not isinstance(told, NotKnown)
    return sorted(each.reason for each in told)


def asked(server: ApiServer) -> int:
    return len([path for _, path, *_ in server.requests if "/events" in path])


async def test_where_nothing_is_wrong_retention_is_asked_for_once_and_nothing_else(
    tmp_path: Path,
) -> None:
    async with asking(tmp_path, *EVERYTHING) as (happenings, server):
        for _ in range(3):
            await happenings.look(())
        assert reasons(happenings) == ["RetentionPolicyFailed"]
        assert asked(server) == 1


async def test_where_something_is_wrong_all_events_of_the_namespace_are_heard_with_one_list(
    tmp_path: Path,
) -> None:
    async with asking(tmp_path, *EVERYTHING) as (happenings, server):
        for _ in range(3):
            await happenings.look(["prod"])
        assert reasons(happenings) == ["FindingPod", "RetentionPolicyFailed"]
        assert asked(server) == 2


async def test_who_may_not_list_events_is_told_so_and_the_server_is_not_asked_again(
    tmp_path: Path,
) -> None:
    async with asking(tmp_path) as (happenings, server):
        for _ in range(3):
            await happenings.look(["prod"])
        assert happenings.seen("prod") == NotKnown("events list in prod is forbidden")
        assert asked(server) == 1
