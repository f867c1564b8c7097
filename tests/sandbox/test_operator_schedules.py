"""ScheduledBackups as the acted operator fires them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.conftest import Start
from tests.sandbox.staged import Manifest, Sandbox, until
from tui.sandbox.client import BACKUPS, SCHEDULES, Kube

SCENARIO = """
clusters:
- {name: pg, history: 1d, base: {takes: 4s, size: 64KiB},
   schedules: [{name: late, cron: "0 0 0 1 1 *"}]}
- {name: pg-slow, history: 1d, base: {takes: 2d}}
- {name: pg-missed, history: 1d, base: {takes: 4s, size: 64KiB},
   schedules: [{name: missed, cron: "0 0 * * * *", silent: 4h},
               {name: asleep, cron: "0 0 * * * *", silent: 4h, suspend: true}]}
"""
YEARLY = "0 0 0 1 1 *"
EVERY_SECOND = "* * * * * *"


@pytest.fixture(scope="module")
def stage(start: Start) -> Sandbox:
    return start(SCENARIO, "--speed", "40", "--no-bucket")


def schedule(name: str, cluster: str, cron: str, **spec: Any) -> Manifest:
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "ScheduledBackup",
        "metadata": {"name": name, "namespace": "production"},
        "spec": {
            "schedule": cron,
            "cluster": {"name": cluster},
            "method": "plugin",
            "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"},
        }
        | spec,
    }


async def children(kube: Kube, name: str) -> list[Manifest]:
    found, _ = await kube.list(BACKUPS, "production")
    mine = [
        one
        for one in found
        if one["metadata"].get("labels", {}).get("cnpg.io/scheduled-backup") == name
    ]
    return sorted(mine, key=lambda one: str(one["metadata"]["name"]))


async def status(kube: Kube, name: str) -> Manifest:
    found = await kube.get(SCHEDULES, "production", name)
    current: Manifest = (found or {}).get("status", {})
    return current


def events(stage: Sandbox, name: str) -> set[tuple[str, str, str]]:
    found = stage.read("events", "-n", "production")["items"]
    mine = [one for one in found if one["involvedObject"]["name"] == name]
    return {(one["type"], one["reason"], one["message"]) for one in mine}


async def test_a_new_schedule_only_notes_that_it_was_seen(stage: Sandbox) -> None:
    async with stage.kube() as kube:
        await kube.create(SCHEDULES, schedule("yearly", "pg", YEARLY))
        seen = await until(lambda: status(kube, "yearly"))
        assert set(seen) == {"lastCheckTime"}
        assert await children(kube, "yearly") == []
    year = datetime.now(UTC).year + 1
    told = (
        "Normal",
        "BackupSchedule",
        f"Scheduled first backup by {year}-01-01 00:00:00 +0000 UTC",
    )
    await until(lambda: told in events(stage, "yearly"))


async def test_an_immediate_schedule_fires_at_once_and_says_so_on_the_backup(
    stage: Sandbox,
) -> None:
    async with stage.kube() as kube:
        await kube.create(
            SCHEDULES,
            schedule(
                "now", "pg", YEARLY, immediate=True, target="primary", backupOwnerReference="self"
            ),
        )
        (made,) = await until(lambda: children(kube, "now"))
        seen = await until(lambda: status(kube, "now"))
        parent = await kube.get(SCHEDULES, "production", "now")
    assert made["metadata"]["labels"] == {
        "cnpg.io/cluster": "pg",
        "cnpg.io/immediateBackup": "true",
        "cnpg.io/scheduled-backup": "now",
    }
    assert made["spec"]["target"] == "primary"
    assert made["spec"]["method"] == "plugin"
    owner = made["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"]) == ("ScheduledBackup", (parent or {})["metadata"]["uid"])
    slot = datetime.fromisoformat(seen["lastScheduleTime"])
    assert made["metadata"]["name"] == f"now-{slot:%Y%m%d%H%M%S}"
    assert seen["nextScheduleTime"].endswith("-01-01T00:00:00Z")


async def test_a_schedule_fires_at_its_slot_and_waits_for_its_child(stage: Sandbox) -> None:
    async with stage.kube() as kube:
        await kube.create(SCHEDULES, schedule("often", "pg-slow", EVERY_SECOND))
        (made,) = await until(lambda: children(kube, "often"))
        seen = await until(lambda: status(kube, "often"))
        slot = await until(lambda: _slot(kube, "often"))
        assert made["metadata"]["name"] == f"often-{slot:%Y%m%d%H%M%S}"
        assert made["metadata"]["labels"]["cnpg.io/immediateBackup"] == "false"
        assert "ownerReferences" not in made["metadata"]
        # Sixty acted seconds are one and a half: the blocked schedule has been looked at again.
        deadline = datetime.now(UTC) + timedelta(seconds=3)
        await until(lambda: datetime.now(UTC) > deadline)
        assert len(await children(kube, "often")) == 1
        assert (await status(kube, "often"))[
            "nextScheduleTime"
        ] < f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        await kube.patch(SCHEDULES, "production", "often", {"spec": {"suspend": True}})
    assert seen


async def _slot(kube: Kube, name: str) -> datetime | None:
    seen = (await status(kube, name)).get("lastScheduleTime")
    return datetime.fromisoformat(seen) if seen else None


async def test_missed_slots_collapse_into_one_named_after_the_oldest(stage: Sandbox) -> None:
    async with stage.kube() as kube:
        found = await until(lambda: children(kube, "missed"))
        names = [one["metadata"]["name"] for one in found]
        slots = [datetime.fromisoformat(f"{name[-14:-6]}T{name[-6:]}Z") for name in names]
        steps = {later - earlier for earlier, later in itertools.pairwise(slots)}
        assert steps == {timedelta(hours=1)}
        seen = await status(kube, "missed")
    checked = datetime.fromisoformat(seen["lastCheckTime"])
    assert datetime.now(UTC) - checked < timedelta(minutes=5)
    assert checked - datetime.fromisoformat(seen["lastScheduleTime"]) > timedelta(hours=2)


async def test_a_suspended_schedule_is_silent_and_catches_up_when_it_is_resumed(
    stage: Sandbox,
) -> None:
    async with stage.kube() as kube:
        before = len(await children(kube, "asleep"))
        await kube.patch(SCHEDULES, "production", "asleep", {"spec": {"suspend": False}})

        async def one_more() -> bool:
            return len(await children(kube, "asleep")) == before + 1

        await until(one_more)


async def test_an_edit_that_puts_a_slot_before_now_fires_at_once(stage: Sandbox) -> None:
    async with stage.kube() as kube:
        made = len(await children(kube, "late"))
        checked = f"{datetime.now(UTC) - timedelta(hours=3):%Y-%m-%dT%H:%M:%SZ}"
        await kube.patch_status(SCHEDULES, "production", "late", {"lastCheckTime": checked})
        await kube.patch(SCHEDULES, "production", "late", {"spec": {"schedule": "0 0 * * * *"}})

        async def fired() -> bool:
            return len(await children(kube, "late")) == made + 1

        await until(fired)


async def test_a_refused_backup_is_told_and_moves_nothing(stage: Sandbox) -> None:
    async with stage.kube() as kube:
        asked = schedule("unfit", "pg", YEARLY, immediate=True)
        del asked["spec"]["pluginConfiguration"]
        await kube.create(SCHEDULES, asked)
        told = ("Warning", "BackupCreation", "Error while creating backup object")
        await until(lambda: told in events(stage, "unfit"))
        assert await status(kube, "unfit") == {}
        assert await children(kube, "unfit") == []


async def test_a_name_that_is_taken_skips_the_slot(stage: Sandbox) -> None:
    async with stage.kube() as kube:
        slot = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
        await kube.create(
            BACKUPS,
            {
                "apiVersion": "postgresql.cnpg.io/v1",
                "kind": "Backup",
                "metadata": {"name": f"taken-{slot:%Y%m%d%H%M%S}", "namespace": "production"},
                "spec": {
                    "cluster": {"name": "pg"},
                    "method": "plugin",
                    "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"},
                },
            },
        )
        cron = f"{slot.second} {slot.minute} {slot.hour} {slot.day} {slot.month} *"
        await kube.create(SCHEDULES, schedule("taken", "pg", cron))
        await until(
            lambda: "BackupAdoptionRefused" in {reason for _, reason, _ in events(stage, "taken")}
        )
        assert await children(kube, "taken") == []
        assert (await until(lambda: _slot(kube, "taken"))) == slot
