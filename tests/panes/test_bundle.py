"""Key ``e``: the evidence of a cluster in a file, and a sentence where none can be written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.panes.conftest import Open
from tests.panes.objects import a_backup, a_cluster, an_event, completed
from tests.panes.stage import Stage
from tui.sandbox.apiserver import Rule, User

LOOKER = User(
    "looker",
    "a-looker-token",
    (
        Rule(
            ("postgresql.cnpg.io", "barmancloud.cnpg.io"),
            ("clusters", "backups", "scheduledbackups", "objectstores"),
            ("list", "watch"),
        ),
    ),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the app is started."""
    found = tmp_path / "here"
    found.mkdir()
    monkeypatch.chdir(found)
    return found


def inside(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def written(screen: Stage, folder: Path) -> str:
    """Accept the folder that is offered; the text of the one file in it."""
    await screen.until("Into which folder with the evidence of pg?")
    await screen.press("enter")
    await screen.until("The evidence is in")
    (path,) = inside(folder)
    assert re.fullmatch(r"cnpg-tui-production-pg-\d{8}T\d{6}Z\.txt", path.name)
    assert path.name in "".join(screen.flowing.split())
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_text()


async def test_the_evidence_is_written_where_the_app_was_started(stage: Open, folder: Path) -> None:
    async with stage(a_cluster("pg"), a_backup("pg-1", **completed())) as screen:
        await screen.until("> pg")
        (made,) = screen.stored("backups")
        screen.server.store.seed(an_event(made, "Completed", "Backup completed"))
        await screen.press("e")
        text = await written(screen, folder)
    assert "evidence bundle of Cluster production/pg" in text
    assert "Kubernetes v1." in text
    assert "none in this session" in text
    assert "Backup pg-1  Normal Completed  Backup completed" in text
    for kind in ("Cluster", "ObjectStore", "Backup"):
        assert f"kind: {kind}\n" in text


async def test_from_the_ladder_it_is_the_same_key(stage: Open, folder: Path) -> None:
    async with stage(a_cluster("pg")) as screen:
        await screen.until("> pg")
        await screen.press("t")
        await screen.until("Triage pg")
        await screen.press("e")
        assert "== Ladder ==" in await written(screen, folder)


async def test_rights_that_are_missing_are_named_in_the_file(stage: Open, folder: Path) -> None:
    async with stage(a_cluster("pg"), a_backup("pg-1", **completed()), user=LOOKER) as screen:
        screen.server.access.admit(LOOKER)
        await screen.press("R")
        await screen.until("> pg")
        await screen.press("e")
        text = await written(screen, folder)
    assert "Ask for list on events" in text
    assert "Ask for get on pods/log" in text
    for kind in ("Cluster", "ObjectStore", "Backup"):  # list is enough for these
        assert f"kind: {kind}\n" in text


async def test_a_folder_that_is_not_there_is_said(stage: Open, folder: Path) -> None:
    async with stage(a_cluster("pg")) as screen:
        await screen.until("> pg")
        await screen.press("e")
        await screen.until("Into which folder")
        await screen.press(*"/none", "enter")
        await screen.until("no evidence was written", "no such file or directory")
    assert inside(folder) == []


async def test_escape_writes_nothing(stage: Open, folder: Path) -> None:
    async with stage(a_cluster("pg")) as screen:
        await screen.until("> pg")
        await screen.press("e")
        await screen.until("Into which folder")
        await screen.press("escape")
        await screen.gone("Into which folder")
        assert not screen.toasts
    assert inside(folder) == []
