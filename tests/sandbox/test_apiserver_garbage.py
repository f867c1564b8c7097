"""What is deleted along with something else, and what waits for something else to go."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.apiserver.client import CNPG
from tests.sandbox.serving import BACKUPS, Manifest, Served, backup, serving, until

_SCHEDULES = f"{CNPG}/namespaces/default/scheduledbackups"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


async def _schedule(served: Served, name: str) -> str:
    """Make a ScheduledBackup; gives its uid."""
    answer = await served.client.create(
        _SCHEDULES,
        {
            "apiVersion": "postgresql.cnpg.io/v1",
            "kind": "ScheduledBackup",
            "metadata": {"name": name},
            "spec": {"schedule": "0 0 2 * * *", "cluster": {"name": "pg"}},
        },
    )
    assert answer.status == 201, answer.text
    uid: str = answer.body["metadata"]["uid"]
    return uid


def _owned(name: str, *owners: str) -> Manifest:
    manifest = backup(name)
    manifest["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "postgresql.cnpg.io/v1",
            "kind": "ScheduledBackup",
            "name": "owner",
            "uid": uid,
        }
        for uid in owners
    ]
    return manifest


async def _names(served: Served) -> list[str]:
    return (await served.client.get(BACKUPS)).names


async def test_what_an_object_owns_goes_after_it(served: Served) -> None:
    uid = await _schedule(served, "nightly")
    await served.client.create(BACKUPS, _owned("child", uid))
    await served.client.create(BACKUPS, backup("orphan"))

    answer = await served.client.delete(f"{_SCHEDULES}/nightly")

    assert answer.body["status"] == "Success"
    await until(lambda: served.server.store.dependents(uid) == [])
    assert await _names(served) == ["orphan"]


async def test_what_has_another_owner_stays(served: Served) -> None:
    first, second = await _schedule(served, "first"), await _schedule(served, "second")
    await served.client.create(BACKUPS, _owned("shared", first, second))

    await served.client.delete(f"{_SCHEDULES}/first")
    kept = await _names(served)
    await served.client.delete(f"{_SCHEDULES}/second")
    await until(lambda: served.server.store.dependents(second) == [])

    assert kept == ["shared"]
    assert await _names(served) == []


async def test_orphans_lose_their_owner_and_stay(served: Served) -> None:
    uid = await _schedule(served, "nightly")
    await served.client.create(BACKUPS, _owned("child", uid))

    await served.client.delete(f"{_SCHEDULES}/nightly", {"propagationPolicy": "Orphan"})

    child = (await served.client.get(f"{BACKUPS}/child")).body
    assert "ownerReferences" not in child["metadata"]


async def test_in_the_foreground_the_owner_goes_last(served: Served) -> None:
    uid = await _schedule(served, "nightly")
    await served.client.create(BACKUPS, _owned("child", uid))
    every = f"{CNPG}/namespaces/default/scheduledbackups"
    async with served.client.watch(every) as watch:
        await watch.next()
        await served.client.delete(f"{_SCHEDULES}/nightly", propagationPolicy="Foreground")
        marked, gone = await watch.next(), await watch.next()

    assert marked["type"] == "MODIFIED"
    assert marked["object"]["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert gone["type"] == "DELETED"
    assert await _names(served) == []


async def test_in_the_foreground_the_owner_waits_for_a_dependent_that_is_held(
    served: Served,
) -> None:
    uid = await _schedule(served, "nightly")
    held = _owned("held", uid)
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await served.client.create(BACKUPS, held)

    await served.client.delete(f"{_SCHEDULES}/nightly", propagationPolicy="Foreground")
    waiting = await served.client.get(f"{_SCHEDULES}/nightly")
    await served.client.patch(f"{BACKUPS}/held", {"metadata": {"finalizers": None}})
    await until(lambda: served.server.store.by_uid(uid) is None)

    assert waiting.status == 200


async def test_a_finalizer_holds_an_object_until_it_is_taken_off(served: Served) -> None:
    held = backup("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await served.client.create(BACKUPS, held)

    await served.client.delete(f"{BACKUPS}/held")
    marked = (await served.client.get(f"{BACKUPS}/held")).body["metadata"]
    await served.client.patch(f"{BACKUPS}/held", {"metadata": {"finalizers": None}})

    assert marked["deletionTimestamp"]
    assert await _names(served) == []


async def test_a_namespace_goes_when_it_is_empty(served: Served) -> None:
    served.server.store.ensure_namespace("going")
    held = backup("held")
    held["metadata"] |= {"namespace": "going", "finalizers": ["example.com/hold"]}
    there = BACKUPS.replace("default", "going")
    await served.client.create(there, held)

    await served.client.delete("/api/v1/namespaces/going")
    waiting = (await served.client.get("/api/v1/namespaces/going")).body
    refused = await served.client.create(there, backup("late") | {"metadata": {"name": "late"}})
    await served.client.patch(f"{there}/held", {"metadata": {"finalizers": None}})
    await until(lambda: served.server.store.namespace("going") is None)

    assert waiting["status"]["phase"] == "Terminating"
    assert refused.status == 403
    assert refused.message.endswith(
        "unable to create new content in namespace going because it is being terminated"
    )


async def test_a_dry_run_collects_no_garbage(served: Served) -> None:
    uid = await _schedule(served, "nightly")
    await served.client.create(BACKUPS, _owned("child", uid))

    await served.client.delete(f"{_SCHEDULES}/nightly", {"dryRun": ["All"]})

    assert await _names(served) == ["child"]
