"""The store: what is there, what was there, and how far back it knows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.serving import backup
from tui.sandbox.objects import Compacted, ObjectStore, Stored
from tui.sandbox.resources import Registry, Resource


@pytest.fixture
def store() -> ObjectStore:
    return ObjectStore(Registry())


@pytest.fixture
def backups(store: ObjectStore) -> Resource:
    return store.registry.of(backup("any"))


def _names(found: Any) -> list[str]:
    return [one.name for one in found]


def _there(store: ObjectStore, backups: Resource, name: str) -> Stored:
    stored = store.get(backups, "default", name)
    assert stored is not None
    return stored


def test_a_seeded_object_keeps_what_it_says_of_itself(store: ObjectStore) -> None:
    manifest = backup("told")
    manifest["metadata"] |= {"uid": "u-1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    manifest["status"] = {"phase": "completed"}

    seeded = store.seed(manifest)

    assert seeded["metadata"]["uid"] == "u-1"
    assert seeded["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert seeded["status"] == {"phase": "completed"}


def test_a_seeded_object_is_given_what_it_lacks(store: ObjectStore) -> None:
    manifest = backup("bare")
    manifest["metadata"]["namespace"] = "new"

    meta = store.seed(manifest)["metadata"]

    assert meta["uid"]
    assert meta["generation"] == 1
    assert meta["creationTimestamp"].endswith("Z")
    assert store.namespace("new") is not None


def test_seeding_again_replaces_under_the_same_uid(store: ObjectStore) -> None:
    first = store.seed(backup("again"))
    second = store.seed(backup("again", target="primary"))

    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    assert second["spec"]["target"] == "primary"


def test_the_seeds_own_document_is_left_alone(store: ObjectStore) -> None:
    manifest = backup("mine")
    store.seed(manifest)

    assert manifest == backup("mine")


def test_a_kind_nobody_serves_cannot_be_seeded(store: ObjectStore) -> None:
    with pytest.raises(LookupError, match="no resource is served for Pooler"):
        store.seed({**backup("x"), "kind": "Pooler"})


def test_keys_are_in_the_order_of_etcd(store: ObjectStore, backups: Resource) -> None:
    for namespace in ("a", "a-b", "b"):
        manifest = backup("x")
        manifest["metadata"]["namespace"] = namespace
        store.seed(manifest)

    assert [one.namespace for one in store.listed(backups)] == ["a-b", "a", "b"]
    assert [one.namespace for one in store.listed(backups, "a")] == ["a"]


def test_the_past_is_the_present_undone(store: ObjectStore, backups: Resource) -> None:
    store.seed(backup("kept"))
    store.seed(backup("deleted"))
    then = store.revision
    store.seed(backup("added"))
    store.seed(backup("kept", target="primary"))
    store.remove(_there(store, backups, "deleted"))

    past = store.listed(backups, at=then)

    assert _names(past) == ["deleted", "kept"]
    assert "target" not in past[1].manifest()["spec"]
    assert _names(store.listed(backups)) == ["added", "kept"]


def test_the_past_of_an_object_made_anew_is_the_old_one(
    store: ObjectStore, backups: Resource
) -> None:
    first = store.seed(backup("twice"))
    then = store.revision
    store.remove(_there(store, backups, "twice"))
    store.seed(backup("twice"))

    (past,) = store.listed(backups, at=then)

    assert past.uid == first["metadata"]["uid"]


def test_a_compacted_past_is_gone(store: ObjectStore, backups: Resource) -> None:
    store.seed(backup("a"))
    then = store.revision
    store.compact()

    with pytest.raises(Compacted):
        store.listed(backups, at=then)
    with pytest.raises(Compacted):
        store.subscribe(backups, then)
    assert _names(store.listed(backups, at=store.revision)) == ["a"]


def test_history_has_an_end_and_it_is_known_exactly(
    store: ObjectStore, backups: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.sandbox.objects._HISTORY", 3)
    for number in range(6):
        store.seed(backup(f"b{number}"))

    assert _names(store.listed(backups, at=store.oldest)) == ["b0", "b1", "b2"]
    with pytest.raises(Compacted):
        store.listed(backups, at=store.oldest - 1)


def test_a_subscription_from_a_version_begins_after_it(
    store: ObjectStore, backups: Resource
) -> None:
    store.seed(backup("before"))
    then = store.revision
    store.seed(backup("after"))

    subscription = store.subscribe(backups, then)
    store.seed(backup("later"))

    assert [change.now.name for change in subscription.pending] == ["after", "later"]


def test_dependents_follow_the_owner_references(store: ObjectStore, backups: Resource) -> None:
    child = backup("child")
    child["metadata"]["ownerReferences"] = [{"uid": "owner"}]
    store.seed(child)
    had = _names(store.dependents("owner"))
    store.seed(backup("child"))

    assert had == ["child"]
    assert store.dependents("owner") == []
    store.remove(_there(store, backups, "child"))
    assert store.by_uid(child["metadata"].get("uid", "")) is None
