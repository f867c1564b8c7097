"""The report: the same facts as the panes, as text and JSON, over a real server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.panes.objects import NAMESPACE, Manifest, a_backup, a_cluster, archiving, completed
from tests.panes.stage import ADMIN, seed, write_kubeconfig
from tui import reports
from tui.connect import Flags
from tui.sandbox.apiserver import ApiServer, Rule, User


async def reported(
    tmp_path: Path, *manifests: Manifest, output: str = "text", user: User = ADMIN, **flags: Any
) -> tuple[int, str, str]:
    """Exit code, output and complaints of the report of a server that holds these objects."""
    server, written, complained = ApiServer(users=(user,)), list[str](), list[str]()
    await server.start()
    try:
        server.store.ensure_namespace(NAMESPACE)
        seed(server, manifests)
        path = write_kubeconfig(tmp_path / "kubeconfig", server, user)
        # The report brings its own loop, and the server's must go on meanwhile.
        code = await asyncio.to_thread(
            reports.run,
            Flags(kubeconfig=str(path), **flags),
            output=output,
            write=written.append,
            complain=complained.append,
        )
    finally:
        await server.stop()
    return code, "\n".join(written), "\n".join(complained)


async def test_clusters_stand_worst_first_and_backups_follow(tmp_path: Path) -> None:
    code, text, _ = await reported(
        tmp_path,
        a_cluster("calm"),
        a_cluster("broken", archiving("False")),
        a_backup("calm-1", "calm", **completed()),
    )
    assert code == 0
    rows = [line.split()[:2] for line in text.splitlines()]
    assert rows.index([NAMESPACE, "broken"]) < rows.index([NAMESPACE, "calm"])
    assert rows.index([NAMESPACE, "calm"]) < rows.index([NAMESPACE, "calm-1"])


async def test_json_holds_level_headline_and_evidence(tmp_path: Path) -> None:
    code, text, _ = await reported(tmp_path, a_cluster("broken", archiving("False")), output="json")
    (found,) = json.loads(text)
    assert code == 0
    assert (found["cluster"], found["level"]) == ("broken", "failing")
    assert found["evidence"]
    assert found["advice"]


async def test_nothing_there_is_said(tmp_path: Path) -> None:
    code, text, _ = await reported(tmp_path)
    assert code == 0
    assert "No Cluster found." in text
    assert "No Backup found." in text


@pytest.mark.parametrize(
    ("readable", "said", "never_said"),
    [
        (("clusters",), ("pg ", " ? ", "backups.postgresql.cnpg.io: not known."), "never"),
        (("backups",), ("clusters.postgresql.cnpg.io: not known.",), "No Cluster"),
    ],
    ids=["clusters", "backups"],
)
async def test_what_was_not_heard_is_not_called_none(
    tmp_path: Path, readable: tuple[str, ...], said: tuple[str, ...], never_said: str
) -> None:
    user = User("half", "t", (Rule(("postgresql.cnpg.io",), readable, ("list", "watch")),))
    _, text, _ = await reported(tmp_path, a_cluster("pg"), user=user)
    assert [words for words in said if words not in text] == []
    assert never_said not in text


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"namespace": "produktion"}, "namespace produktion does not exist in context demo"),
        ({"context": "nope"}, "There are: demo"),
    ],
    ids=["namespace", "context"],
)
async def test_what_is_not_there_is_1_and_a_sentence(
    tmp_path: Path, flags: dict[str, Any], sentence: str
) -> None:
    code, text, complaint = await reported(tmp_path, **flags)
    assert (code, text) == (1, "")
    assert sentence in complaint


@pytest.mark.parametrize(
    ("resources", "exit_code", "missing"),
    [(("backups", "scheduledbackups"), 1, "clusters"), (("clusters",), 0, "backups")],
    ids=["clusters", "backups"],
)
async def test_json_stays_json_where_something_may_not_be_read_and_says_so_beside_it(
    tmp_path: Path, resources: tuple[str, ...], exit_code: int, missing: str
) -> None:
    user = User("half", "t", (Rule(("postgresql.cnpg.io",), resources, ("list", "watch")),))
    code, text, complaint = await reported(tmp_path, a_cluster("pg"), output="json", user=user)
    assert code == exit_code
    assert len(json.loads(text)) == 1 - exit_code
    assert f"{missing}.postgresql.cnpg.io: forbidden." in complaint
