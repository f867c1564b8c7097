"""Remedies applied from the ladder, and what the server ends up with."""

from __future__ import annotations

import pytest

from tests.panes.conftest import Open
from tests.panes.objects import (
    HOUR,
    Manifest,
    a_backup,
    a_cluster,
    a_schedule,
    a_store,
    completed,
    started,
)
from tests.panes.stage import Stage
from tests.panes.test_back_up import readers_rules
from tui.cnpg.manifest import BARMAN_PLUGIN
from tui.panes.triage import TriageScreen
from tui.sandbox.apiserver import User

OFF = {
    "plugins": [
        {"name": BARMAN_PLUGIN, "enabled": False, "parameters": {"barmanObjectName": "r2-store"}}
    ]
}
STUCK = (
    a_cluster("pg"),
    a_backup("old", age=14 * HOUR, **completed(13 * HOUR)),
    a_backup("stuck", age=12 * HOUR, **started(12 * HOUR)),
)


async def triage(screen: Stage, rung: str) -> None:
    await screen.until("> pg")
    await screen.press("t")
    await screen.until(f"x {rung} broken")
    assert "apply remedy" in screen.footer


async def test_a_five_field_schedule_gets_its_second_once_the_difference_was_shown(
    stage: Open,
) -> None:
    async with stage(
        a_cluster("pg"), a_backup("pg-1", **completed()), a_schedule("nightly", "pg", "0 2 * * *")
    ) as screen:
        await triage(screen, "schedule fires")
        await screen.press("a")
        await screen.until("- schedule: 0 2 * * *", "+ schedule: 0 0 2 * * *", "accepts it")
        await screen.press("enter")
        await screen.gone("x schedule fires")
        [saved] = screen.stored("scheduledbackups")
        assert saved["spec"]["schedule"] == "0 0 2 * * *"


async def test_a_plugin_that_is_off_is_enabled_and_a_base_backup_asked_for(stage: Open) -> None:
    async with stage(a_cluster("pg", spec=OFF), a_store("r2-store", "pg")) as screen:
        await triage(screen, "archiver configured")
        await screen.press("a")
        await screen.until("+ isWALArchiver: true", "take a base backup", "accepts it")
        await screen.press("enter")
        await screen.gone("x archiver configured")
        [saved] = screen.stored("clusters")
        [plugin] = saved["spec"]["plugins"]
        assert (plugin["enabled"], plugin["isWALArchiver"]) == (True, True)
        assert plugin["parameters"] == {"barmanObjectName": "r2-store"}


async def test_a_stuck_backup_is_deleted_and_no_other(stage: Open) -> None:
    async with stage(*STUCK) as screen:
        await triage(screen, "base backups")
        await screen.press("a")
        await screen.until("Delete Backup stuck", "what lies in the bucket stays", "accepts it")
        await screen.press("enter")
        await screen.gone("x base backups broken")
        assert [one["metadata"]["name"] for one in screen.stored("backups")] == ["old"]


R2 = {
    "destinationPath": "s3://acme-pg/prod",
    "endpointURL": "https://0123456789abcdef.r2.cloudflarestorage.com",
    "s3Credentials": {
        "accessKeyId": {"name": "r2", "key": "id"},
        "secretAccessKey": {"name": "r2", "key": "secret"},
    },
    "wal": {"compression": "gzip", "encryption": "AES256"},
    "tags": {"team": "dba"},
}
ENV = [{"name": "TZ", "value": "UTC"}]


def an_r2_store() -> Manifest:
    made = a_store("r2-store", "pg")
    made["spec"] = {"configuration": R2, "instanceSidecarConfiguration": {"env": ENV}}
    return made


async def test_checksum_variables_are_added_to_the_store_and_what_is_there_stays(
    stage: Open,
) -> None:
    async with stage(a_cluster("pg"), a_cluster("pg-two"), an_r2_store()) as screen:
        await screen.until("> pg")
        await screen.press("t")
        await screen.until("Triage pg")
        await to(screen, "checksums")
        await screen.press("a")
        await screen.until(
            "Pods of pg, pg-two are restarted", "+ - name: AWS_REQUEST_CHECKSUM", "accepts it"
        )
        await screen.press("enter")
        await screen.until("ObjectStore r2-store in production: done")
        [saved] = screen.stored("objectstores", "barmancloud.cnpg.io")
        env = saved["spec"]["instanceSidecarConfiguration"]["env"]
        assert env[0] == ENV[0]
        assert [each["value"] for each in env[1:]] == ["when_required"] * 2


async def test_what_r2_refuses_is_taken_out_of_the_store_and_nothing_else(stage: Open) -> None:
    async with stage(a_cluster("pg"), an_r2_store()) as screen:
        await screen.until("> pg")
        await screen.press("t")
        await screen.until("Triage pg")
        await to(screen, "not-on-r2")
        await screen.press("a")
        await screen.until("Remove tags, wal.encryption of ObjectStore", "no Pod is", "accepts it")
        await screen.press("enter")
        await screen.until("r2-store in production: done")
        [saved] = screen.stored("objectstores", "barmancloud.cnpg.io")
        left = {name: value for name, value in R2.items() if name != "tags"}
        assert saved["spec"]["configuration"] == left | {"wal": {"compression": "gzip"}}


async def to(screen: Stage, code: str) -> None:
    """Move the cursor down from the top to the rung with that finding."""
    ladder = screen.app.screen
    assert isinstance(ladder, TriageScreen)
    await screen.press("g")
    while code != (ladder.table.cursor_key or ("", ""))[1]:
        before = ladder.table.cursor_key
        await screen.press("j")
        assert ladder.table.cursor_key != before, f"no rung has {code}\n{screen.text}"


async def test_saying_no_changes_nothing(stage: Open) -> None:
    async with stage(*STUCK) as screen:
        await triage(screen, "base backups")
        await screen.press("a")
        await screen.until("Delete Backup stuck")
        await screen.press("escape")
        await screen.gone("Delete Backup stuck")
        assert len(screen.stored("backups")) == 2


async def test_what_somebody_else_changed_is_shown_and_then_planned_on(stage: Open) -> None:
    async with stage(a_cluster("pg", spec=OFF), a_store("r2-store", "pg")) as screen:
        await triage(screen, "archiver configured")
        await screen.press("a")
        await screen.until("accepts it")
        theirs = a_cluster("pg", spec={"plugins": [*OFF["plugins"], {"name": "other.io"}]})
        screen.server.store.seed(theirs)
        await screen.press("enter")
        await screen.until("pg was changed by somebody else", "+ - name: other.io", "You want")
        await screen.press("enter")
        await screen.until("+ isWALArchiver: true", "accepts it")
        await screen.press("enter")
        await screen.gone("x archiver configured")
        [saved] = screen.stored("clusters")
        assert [one["name"] for one in saved["spec"]["plugins"]] == [BARMAN_PLUGIN, "other.io"]
        assert saved["spec"]["plugins"][0]["isWALArchiver"]


async def test_theirs_can_be_kept(stage: Open) -> None:
    async with stage(a_cluster("pg", spec=OFF), a_store("r2-store", "pg")) as screen:
        await triage(screen, "archiver configured")
        await screen.press("a")
        await screen.until("accepts it")
        theirs = a_cluster(
            "pg", spec={"plugins": [*OFF["plugins"], {"name": "other.io", "enabled": False}]}
        )
        screen.server.store.seed(theirs)
        await screen.press("enter")
        await screen.until("changed by somebody else")
        await screen.press("escape")
        await screen.until("> x archiver configured")
        [saved] = screen.stored("clusters")
        assert saved["spec"]["plugins"][0]["enabled"] is False


async def test_a_status_that_the_operator_wrote_meanwhile_asks_nothing_again(stage: Open) -> None:
    async with stage(a_cluster("pg", spec=OFF), a_store("r2-store", "pg")) as screen:
        await triage(screen, "archiver configured")
        await screen.press("a")
        await screen.until("accepts it")
        screen.server.store.seed(a_cluster("pg", spec=OFF, phase="Switchover in progress"))
        await screen.press("enter")
        await screen.until(
            "Enable barman-cloud.cloudnative-pg.io of Cluster pg in production: done"
        )
        [saved] = screen.stored("clusters")
        assert saved["spec"]["plugins"][0]["enabled"] is True


async def test_read_only_applies_nothing(stage: Open) -> None:
    async with stage(*STUCK, read_only=True) as screen:
        await triage(screen, "base backups")
        await screen.press("a")
        await screen.until("--read-only: nothing is written")
        assert len(screen.stored("backups")) == 2


async def test_who_may_not_delete_backups_is_told_so_and_the_key_is_grey(stage: Open) -> None:
    reader = User("reader", "reads", readers_rules())
    async with stage(*STUCK, user=reader) as screen:
        screen.server.access.admit(reader)
        await triage(screen, "base backups")
        await screen.until(lambda s: not s.app.screen.active_bindings["a"].enabled)
        await screen.press("a")
        await screen.until(
            "apply remedy: you lack delete on backups.postgresql.cnpg.io in production. Ask for it"
        )
        assert len(screen.stored("backups")) == 2


async def test_a_rung_without_a_remedy_of_this_kind_has_no_key(stage: Open) -> None:
    async with stage(*STUCK) as screen:
        await triage(screen, "base backups")
        await screen.press("g")
        await screen.until("> o plugin known")
        assert "apply remedy" not in screen.footer


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_the_key_stands_beside_the_remedy(stage: Open, size: tuple[int, int]) -> None:
    async with stage(*STUCK, size=size) as screen:
        await triage(screen, "base backups")
        assert "remedy" in screen.text


async def test_a_stuck_backup_is_deleted_from_its_row_and_one_that_is_done_is_not(
    stage: Open,
) -> None:
    async with stage(*STUCK) as screen:
        await screen.until("> pg")
        await screen.press("2")
        await screen.until("> stuck")
        await screen.press("D")
        await screen.until("Delete Backup stuck", "accepts it")
        await screen.press("enter")
        await screen.until(lambda s: len(s.stored("backups")) == 1)
        await screen.until("> old")
        await screen.press("D")
        await screen.until("Only a Backup that is not done can be deleted here")
        assert [one["metadata"]["name"] for one in screen.stored("backups")] == ["old"]
