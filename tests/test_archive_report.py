"""``cnpg-tui archive CLUSTER`` over a real server: with the rights of who may look, and no more."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.panes.objects import NAMESPACE, a_cluster, a_store
from tests.panes.stage import seed, write_kubeconfig
from tui import archive_report
from tui.sandbox.apiserver import ApiServer, Rule, User
from tui.wire import credentials
from tui.wire.kubeconfig import Where

LOOKER = User(
    "looker",
    "a-token",
    (
        Rule(("postgresql.cnpg.io",), ("clusters",), ("list", "watch")),
        Rule(("barmancloud.cnpg.io",), ("objectstores",), ("list", "watch")),
    ),
)
"""As the Role ``cnpg-tui-look`` of the README."""


async def complaint(tmp_path: Path, cluster: str | None) -> str:
    """Why nobody could look into the archive of ``cluster``: nobody has given us its Secret."""
    store = a_store("r2-store", "pg")
    store["spec"]["configuration"]["s3Credentials"] = {
        "accessKeyId": {"name": "r2-creds", "key": "id"},
        "secretAccessKey": {"name": "r2-creds", "key": "secret"},
    }
    server, written, complained = ApiServer(users=(LOOKER,)), list[str](), list[str]()
    await server.start()
    try:
        server.store.ensure_namespace(NAMESPACE)
        seed(server, (a_cluster("pg"), store))
        where = Where(str(write_kubeconfig(tmp_path / "kubeconfig", server, LOOKER)), None)
        # The command brings its own loop, and the server's must go on meanwhile.
        code = await asyncio.to_thread(
            archive_report.run,
            archive_report.Request(cluster, "", where, credentials.order("secret")),
            output="json",
            write=written.append,
            complain=complained.append,
        )
    finally:
        await server.stop()
    assert code == 3
    (said,) = complained
    assert json.loads("\n".join(written)) == {
        "complete": False,
        "error": said.removeprefix("cnpg-tui: "),
    }
    return said


async def test_a_cluster_is_found_by_who_may_only_list(tmp_path: Path) -> None:
    assert "cannot get Secret r2-creds in production: forbidden" in await complaint(tmp_path, "pg")


async def test_the_only_cluster_need_not_be_named(tmp_path: Path) -> None:
    assert "cannot get Secret r2-creds in production: forbidden" in await complaint(tmp_path, None)


async def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    said = await complaint(tmp_path, "nope")
    assert said == "cnpg-tui: there is no Cluster nope in production"
