"""The estate: fifty facts applied, and what it then says really changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tui.cnpg import backup, cluster, store
from tui.cnpg.manifest import BACKUPS, BARMAN_PLUGIN, CLUSTERS, OBJECT_STORES, Key, Unreadable
from tui.live.changes import Event, EventType, FeedMoved, Listed, Live, Reconnecting, Seen
from tui.live.estate import Estate

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
ADDED, MODIFIED, DELETED = EventType.ADDED, EventType.MODIFIED, EventType.DELETED


def named(name: str, version: str, spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "prod", "resourceVersion": version},
        "spec": spec,
        "status": status,
    }


def a_backup(name: str, phase: str = "", version: str = "1", of: str = "pg") -> backup.Backup:
    return backup.read(named(name, version, {"cluster": {"name": of}}, {"phase": phase}))


def a_cluster(name: str = "pg") -> cluster.Cluster:
    plugin = {"name": BARMAN_PLUGIN, "parameters": {"barmanObjectName": "r2"}}
    return cluster.read(named(name, "1", {"plugins": [plugin]}, {}))


def listed(*subjects: backup.Backup | Unreadable) -> Listed:
    return Listed(BACKUPS, subjects, NOW)


def seen(*events: tuple[EventType, backup.Backup]) -> Seen:
    return Seen(BACKUPS, tuple(Event(*event) for event in events), NOW)


def told(events: tuple[Event, ...]) -> list[tuple[str, str]]:
    return [(event.type.value, event.subject.key.name) for event in events]


def test_a_relist_tells_only_what_changed_while_nobody_listened() -> None:
    estate = Estate()
    estate.apply(listed(a_backup("same"), a_backup("moved"), a_backup("gone")))
    delta = estate.apply(
        listed(a_backup("same"), a_backup("moved", "started", "2"), a_backup("new"))
    )
    assert told(delta.events) == [("MODIFIED", "moved"), ("ADDED", "new"), ("DELETED", "gone")]


@pytest.mark.parametrize(
    ("event", "moved"),
    [
        ((DELETED, a_backup("head", "started")), True),
        ((MODIFIED, a_backup("head", "completed", "2")), True),
        ((MODIFIED, a_backup("head", "started", "2")), False),
        ((DELETED, a_backup("done", "completed")), False),
        ((ADDED, a_backup("new", "failed")), False),
    ],
)
def test_the_queue_moves_when_a_backup_leaves_it(
    event: tuple[EventType, backup.Backup], moved: bool
) -> None:
    estate = Estate()
    estate.apply(Listed(CLUSTERS, (a_cluster(),), NOW))
    estate.apply(listed(a_backup("head", "started"), a_backup("done", "completed")))
    later = NOW + timedelta(hours=1)
    estate.apply(Seen(BACKUPS, (Event(*event),), later))
    assert estate.witnesses(a_cluster()).queue_moved == (later if moved else None)


def test_an_event_told_twice_changes_nothing_the_second_time() -> None:
    estate = Estate()
    first = seen((ADDED, a_backup("b", "started")))
    assert told(estate.apply(first).events) == [("ADDED", "b")]
    assert not estate.apply(first)


def test_a_deletion_of_something_unknown_is_no_event() -> None:
    assert not Estate().apply(seen((DELETED, a_backup("never-seen"))))


def test_a_backup_event_touches_its_cluster_only() -> None:
    delta = Estate().apply(seen((ADDED, a_backup("b", of="pg-orders"))))
    assert delta.clusters == {Key("prod", "pg-orders")}


def test_a_store_event_touches_the_clusters_that_use_it() -> None:
    estate = Estate()
    estate.apply(Listed(CLUSTERS, (a_cluster("pg"), a_cluster("pg-auth")), NOW))
    found = store.read(named("r2", "1", {"configuration": {}}, {}))
    delta = estate.apply(Listed(OBJECT_STORES, (found,), NOW))
    assert delta.clusters == {Key("prod", "pg"), Key("prod", "pg-auth")}


def test_the_queue_follows_events() -> None:
    estate = Estate()
    estate.apply(seen((ADDED, a_backup("b", "started"))))
    assert len(estate.queue_of(Key("prod", "pg"))) == 1
    estate.apply(seen((MODIFIED, a_backup("b", "completed", "2"))))
    assert len(estate.queue_of(Key("prod", "pg"))) == 0
    assert [item.phase for item in estate.backups_of(Key("prod", "pg"))] == ["completed"]


def test_a_verdict_comes_and_goes_with_its_cluster() -> None:
    estate = Estate()
    key = a_cluster().key
    delta = estate.apply(Listed(CLUSTERS, (a_cluster(),), NOW))
    assert estate.judge(delta.clusters, NOW) == {key}
    assert estate.judge(delta.clusters, NOW) == frozenset()
    gone = estate.apply(Listed(CLUSTERS, (), NOW))
    estate.judge(gone.clusters, NOW)
    assert estate.verdicts == {}


def test_every_verdict_is_looked_at_again_within_half_a_minute_though_nothing_is_heard() -> None:
    estate = Estate()
    clusters = tuple(a_cluster(f"pg-{number}") for number in range(50))
    estate.judge(estate.apply(Listed(CLUSTERS, clusters, NOW)).clusters, NOW)
    due = [estate.due(NOW + timedelta(seconds=second)) for second in range(30)]
    assert sorted(key for each in due for key in each) == sorted(each.key for each in clusters)


def test_verdicts_age_with_the_api_server_and_are_judged_anew_when_it_answers_again() -> None:
    estate = Estate()
    estate.apply(FeedMoved(CLUSTERS, Live(NOW)))
    estate.apply(Listed(CLUSTERS, (a_cluster(),), NOW))
    lost = estate.apply(FeedMoved(CLUSTERS, Reconnecting(NOW, NOW, "refused")))
    assert lost.clusters == {a_cluster().key}
    assert estate.witnesses(a_cluster()).unheard_since == NOW
    found = estate.apply(FeedMoved(CLUSTERS, Live(NOW)))
    assert found.clusters == {a_cluster().key}
    assert estate.witnesses(a_cluster()).unheard_since is None


def test_an_unreadable_object_has_a_row_and_no_typed_value() -> None:
    estate = Estate()
    odd = Unreadable(Key("prod", "odd"), "1", None, "spec is a text, not an object")
    assert told(estate.apply(listed(odd)).events) == [("ADDED", "odd")]
    assert estate.backup(odd.key) is None


def test_a_readable_backup_that_turns_odd_leaves_the_queue() -> None:
    estate = Estate()
    estate.apply(listed(a_backup("b", "started")))
    estate.apply(listed(Unreadable(Key("prod", "b"), "2", None, "odd")))
    assert len(estate.queue_of(Key("prod", "pg"))) == 0


@pytest.mark.parametrize("again", [False, True])
def test_a_feed_state_moves_once(again: bool) -> None:
    estate = Estate()
    moved = FeedMoved(BACKUPS, Live(NOW))
    if again:
        estate.apply(moved)
    assert estate.apply(moved).feed_moved is not again
