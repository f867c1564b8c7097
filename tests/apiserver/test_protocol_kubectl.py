"""kubectl itself, over both servers: what it prints and what it says when it may not."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.apiserver.manifests import Manifest, backup, cluster, schedule
from tests.apiserver.servers import Rule, Server, path

_KUBECTL = Path(sys.executable).with_name("kubectl")
_LIMIT = 30.0
"""seconds"""


@dataclass(frozen=True, slots=True)
class Said:
    """How a run of kubectl ended."""

    code: int
    out: str
    err: str


class Kubectl:
    """kubectl under one token, in the test's namespace, with a home of its own."""

    def __init__(self, server: Server, token: str, home: Path) -> None:
        self._home = home
        # kubectl reads JSON as the YAML it is.
        (home / "config").write_text(json.dumps(server.kubeconfig(token)))

    async def __call__(self, *words: str, stdin: Manifest | None = None) -> Said:
        process = await asyncio.create_subprocess_exec(
            _KUBECTL,
            *words,
            env={"HOME": str(self._home), "KUBECONFIG": str(self._home / "config")},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(_LIMIT):
            out, err = await process.communicate(json.dumps(stdin).encode() if stdin else b"")
        assert process.returncode is not None
        return Said(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def kubectl(server: Server, tmp_path: Path) -> Kubectl:
    """kubectl of one who may do everything in the namespace that CNPG's kinds are for."""
    every = ("get", "list", "watch", "create", "update", "patch", "delete")
    kinds = ("backups", "scheduledbackups", "clusters")
    account = await server.account(Rule(every, kinds), Rule(("patch",), ("backups/status",)))
    return Kubectl(server, account.token, tmp_path)


async def _make(server: Server, plural: str, document: Manifest) -> None:
    assert (await server.admin.create(path(server, plural), document)).status == 201


def _columns(table: str) -> list[list[str]]:
    """What a table printed says, line by line; an age is replaced by its form."""
    return [re.sub(r"\b\d+s\b", "AGE", line).split() for line in table.splitlines()]


async def test_get_prints_the_columns_of_each_kind(server: Server, kubectl: Kubectl) -> None:
    await _make(server, "backups", backup("a"))
    await _make(server, "scheduledbackups", schedule())
    await _make(server, "clusters", cluster())

    async def printed(kind: str) -> list[list[str]]:
        said = await kubectl("get", f"{kind}.postgresql.cnpg.io")
        assert (said.code, said.err) == (0, "")
        return _columns(said.out)

    assert await printed("backups") == [
        ["NAME", "AGE", "CLUSTER", "METHOD", "PHASE", "ERROR"],
        ["a", "AGE", "pg", "plugin"],
    ]
    assert await printed("scheduledbackups") == [
        ["NAME", "AGE", "CLUSTER", "LAST", "BACKUP"],
        ["nightly", "AGE", "pg"],
    ]
    assert await printed("clusters") == [
        ["NAME", "AGE", "INSTANCES", "READY", "STATUS", "PRIMARY"],
        ["pg", "AGE"],
    ]


async def test_get_of_nothing_and_of_something_absent_are_told_apart(kubectl: Kubectl) -> None:
    nothing = await kubectl("get", "backups.postgresql.cnpg.io")
    absent = await kubectl("get", "backups.postgresql.cnpg.io", "a")

    assert nothing.code == 0
    assert re.fullmatch(r"No resources found in test-\w+ namespace\.\n", nothing.err)
    assert absent.code == 1
    assert absent.err == (
        'Error from server (NotFound): backups.postgresql.cnpg.io "a" not found\n'
    )


async def test_a_document_is_tried_created_and_found_unchanged(
    server: Server, kubectl: Kubectl
) -> None:
    tried = await kubectl("create", "--dry-run=server", "-f", "-", stdin=backup("a"))
    absent = (await server.admin.get(path(server, "backups", "a"))).status
    made = await kubectl("create", "-f", "-", stdin=backup("a"))
    again = await kubectl("create", "-f", "-", stdin=backup("a"))

    assert tried == Said(0, "backup.postgresql.cnpg.io/a created (server dry run)\n", "")
    assert absent == 404
    assert made == Said(0, "backup.postgresql.cnpg.io/a created\n", "")
    assert again.code == 1
    assert again.err.endswith('backups.postgresql.cnpg.io "a" already exists\n')


async def test_apply_creates_configures_and_leaves_alone(server: Server, kubectl: Kubectl) -> None:
    async def applied(*words: str, **spec: Any) -> str:
        said = await kubectl("apply", *words, "-f", "-", stdin=schedule(**spec))
        assert (said.code, said.err) == (0, "")
        return said.out.removeprefix("scheduledbackup.postgresql.cnpg.io/nightly ")

    assert await applied() == "created\n"
    assert await applied() == "unchanged\n"
    assert await applied("--dry-run=server", suspend=True) == "configured (server dry run)\n"
    assert await applied(suspend=True) == "configured\n"
    stored = (await server.admin.get(path(server, "scheduledbackups", "nightly"))).body
    assert stored["spec"]["suspend"] is True


async def test_server_side_apply_tells_of_conflicts(kubectl: Kubectl) -> None:
    first = await kubectl("apply", "--server-side", "-f", "-", stdin=schedule())
    second = await kubectl(
        "apply",
        "--server-side",
        "--field-manager=other",
        "-f",
        "-",
        stdin=schedule(schedule="0 0 3 * * *"),
    )

    assert first.out == "scheduledbackup.postgresql.cnpg.io/nightly serverside-applied\n"
    assert second.code == 1
    assert second.err.startswith(
        'error: Apply failed with 1 conflict: conflict with "kubectl": .spec.schedule\n'
    )


async def test_an_unknown_field_is_refused_before_anything_is_created(kubectl: Kubectl) -> None:
    said = await kubectl("create", "-f", "-", stdin=backup("a", nonsense=1))

    assert said.code == 1
    assert 'strict decoding error: unknown field "spec.nonsense"' in said.err


async def test_an_immutable_spec_is_told_in_cnpgs_words(server: Server, kubectl: Kubectl) -> None:
    await _make(server, "backups", backup("a"))

    said = await kubectl(
        "patch", "backup.postgresql.cnpg.io/a", "--type=merge", '-p={"spec":{"target":"primary"}}'
    )

    assert said.code == 1
    assert said.err == (
        'The Backup "a" is invalid: spec: Invalid value: BackupSpec is immutable once set\n'
    )


async def test_deletion_is_tried_then_done(server: Server, kubectl: Kubectl) -> None:
    await _make(server, "backups", backup("a"))

    tried = await kubectl("delete", "backup.postgresql.cnpg.io/a", "--dry-run=server")
    there = (await server.admin.get(path(server, "backups", "a"))).status
    done = await kubectl("delete", "backup.postgresql.cnpg.io/a")

    assert (tried.code, there) == (0, 200)
    assert 'backup.postgresql.cnpg.io "a" deleted' in tried.out
    assert "(server dry run)" in tried.out
    assert (done.code, done.err) == (0, "")
    assert (await server.admin.get(path(server, "backups", "a"))).status == 404


async def test_waiting_for_a_phase_ends_when_it_comes(server: Server, kubectl: Kubectl) -> None:
    await _make(server, "backups", backup("a"))
    one = path(server, "backups", "a")

    waiting = asyncio.create_task(
        kubectl("wait", "--for=jsonpath={.status.phase}=completed", "backup.postgresql.cnpg.io/a")
    )
    await server.admin.patch(f"{one}/status", {"status": {"phase": "started"}})
    await server.admin.patch(f"{one}/status", {"status": {"phase": "completed"}})

    assert await waiting == Said(0, "backup.postgresql.cnpg.io/a condition met\n", "")


async def test_whether_one_may_is_answered_with_yes_or_no(kubectl: Kubectl) -> None:
    may = await kubectl("auth", "can-i", "create", "backups.postgresql.cnpg.io")
    may_not = await kubectl("auth", "can-i", "delete", "objectstores.barmancloud.cnpg.io")

    assert (may.code, may.out) == (0, "yes\n")
    assert (may_not.code, may_not.out) == (1, "no\n")


async def test_a_refusal_is_shown_as_the_server_words_it(server: Server, tmp_path: Path) -> None:
    account = await server.account()

    said = await Kubectl(server, account.token, tmp_path)("get", "backups.postgresql.cnpg.io")

    assert said.code == 1
    assert said.err == (
        "Error from server (Forbidden): backups.postgresql.cnpg.io is forbidden: User "
        f'"{account.user}" cannot list resource "backups" in API group "postgresql.cnpg.io" '
        f'in the namespace "{server.namespace}"\n'
    )


async def test_a_token_nobody_gave_out_asks_for_a_login(server: Server, tmp_path: Path) -> None:
    said = await Kubectl(server, "not-a-token", tmp_path)("get", "backups.postgresql.cnpg.io")

    assert said.code == 1
    assert said.err.endswith(
        "error: You must be logged in to the server "
        "(the server has asked for the client to provide credentials)\n"
    )


async def test_the_fields_of_a_kind_are_explained(kubectl: Kubectl) -> None:
    said = await kubectl("explain", "backups.spec.method", "--api-version=postgresql.cnpg.io/v1")

    assert (said.code, said.err) == (0, "")
    assert re.search(r"KIND:\s+Backup", said.out)
    assert re.search(r"FIELD:\s+method", said.out)
