"""The parts of the API server that need no server: ages, cells, patches, selectors, protobuf, owners."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.sandbox.serving import backup
from tui.sandbox import admission, fieldowners, patch, protobuf, routes, selectors, table
from tui.sandbox.fieldowners import Manager
from tui.sandbox.objects import ObjectStore
from tui.sandbox.refusals import Refusal
from tui.sandbox.resources import Registry

_NOW = dt.datetime(2026, 8, 20, 12, 0, tzinfo=dt.UTC)
_DAY, _HOUR, _MINUTE, _YEAR = 86400, 3600, 60, 365 * 86400


# The table of k8s.io/apimachinery/pkg/util/duration/duration_test.go, and the edges between its lines.
@pytest.mark.parametrize(
    ("seconds", "printed"),
    [
        (-2, "<invalid>"),
        (-1, "0s"),
        (-0.5, "0s"),
        (0, "0s"),
        (1, "1s"),
        (70, "70s"),
        (119, "119s"),
        (2 * _MINUTE, "2m"),
        (3 * _MINUTE + 10, "3m10s"),
        (9 * _MINUTE + 59, "9m59s"),
        (10 * _MINUTE, "10m"),
        (99 * _MINUTE, "99m"),
        (3 * _HOUR - 1, "179m"),
        (3 * _HOUR, "3h"),
        (3 * _HOUR + 20 * _MINUTE, "3h20m"),
        (8 * _HOUR - 1, "7h59m"),
        (8 * _HOUR + 30 * _MINUTE, "8h"),
        (47 * _HOUR + 59 * _MINUTE, "47h"),
        (2 * _DAY, "2d"),
        (2 * _DAY + 5 * _HOUR, "2d5h"),
        (8 * _DAY - 1, "7d23h"),
        (8 * _DAY + 5 * _HOUR, "8d"),
        (2 * _YEAR - 1, "729d"),
        (2 * _YEAR, "2y"),
        (2 * _YEAR + _DAY, "2y1d"),
        (8 * _YEAR - 1, "7y364d"),
        (9 * _YEAR + 3 * _DAY, "9y"),
    ],
)
def test_a_span_is_printed_as_kubectl_prints_it(seconds: float, printed: str) -> None:
    assert table.human_duration(seconds) == printed


@pytest.mark.parametrize(
    ("stamp", "printed"),
    [("2026-08-20T11:59:00Z", "60s"), (None, "<unknown>"), ("tomorrow", "<invalid>")],
)
def test_an_age_is_the_span_since_a_stamp(stamp: str | None, printed: str) -> None:
    assert table.age(stamp, _NOW) == printed


def _cells(manifest: dict[str, Any]) -> list[Any]:
    return table.cells(Registry().of(manifest), manifest, _NOW)


def test_a_path_with_a_condition_finds_the_item_it_is_true_of() -> None:
    cluster = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {"name": "pg", "creationTimestamp": "2026-08-20T11:59:00Z"},
        "status": {
            "instances": 3,
            "phase": "Cluster in healthy state",
            "conditions": [
                {"type": "Ready", "reason": "ClusterIsReady"},
                {"type": "SyncReplicationTopologySatisfied", "reason": "Satisfied"},
            ],
        },
    }

    assert _cells(cluster) == [
        "pg",
        "60s",
        3,
        None,
        "Cluster in healthy state",
        None,
        "Satisfied",
    ]


def test_an_event_tells_how_often_and_since_when() -> None:
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e.1"},
        "involvedObject": {"kind": "Backup", "name": "nightly"},
        "reason": "BackupPending",
        "type": "Warning",
        "message": "waiting\n",
        "source": {"component": "cloudnative-pg"},
        "firstTimestamp": "2026-08-20T11:50:00Z",
        "lastTimestamp": "2026-08-20T11:59:30Z",
        "count": 12,
    }

    cells = _cells(event)

    assert cells[:4] == ["30s (x12 over 10m)", "Warning", "BackupPending", "backup/nightly"]
    assert cells[6] == "waiting"


def test_a_pod_shows_why_a_container_waits_and_when_it_was_last_restarted() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pg-1"},
        "spec": {"containers": [{"name": "postgres"}], "initContainers": [{"name": "bootstrap"}]},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": "postgres",
                    "ready": False,
                    "restartCount": 3,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"finishedAt": "2026-08-20T11:55:00Z"}},
                }
            ],
        },
    }

    assert _cells(pod)[1:4] == ["0/1", "CrashLoopBackOff", "3 (5m ago)"]


@pytest.mark.parametrize(
    ("target", "change", "outcome"),
    [
        # Appendix A of RFC 7386.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_as_its_rfc_says(target: Any, change: Any, outcome: Any) -> None:
    assert patch.merge(target, change) == outcome


@pytest.mark.parametrize(
    ("operations", "outcome"),
    [
        ([{"op": "add", "path": "/b", "value": 2}], {"a": [1, 2], "b": 2}),
        ([{"op": "add", "path": "/a/1", "value": 9}], {"a": [1, 9, 2]}),
        ([{"op": "add", "path": "/a/-", "value": 9}], {"a": [1, 2, 9]}),
        ([{"op": "replace", "path": "/a/0", "value": 9}], {"a": [9, 2]}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ([{"op": "move", "from": "/a", "path": "/b"}], {"b": [1, 2]}),
        ([{"op": "copy", "from": "/a/1", "path": "/b"}], {"a": [1, 2], "b": 2}),
        ([{"op": "test", "path": "/a/0", "value": 1}], {"a": [1, 2]}),
        ([{"op": "add", "path": "/x~1y~0z", "value": 0}], {"a": [1, 2], "x/y~z": 0}),
        ([{"op": "replace", "path": "", "value": {"new": 1}}], {"new": 1}),
    ],
)
def test_a_json_patch_does_as_its_rfc_says(operations: list[Any], outcome: Any) -> None:
    assert patch.json_patch({"a": [1, 2]}, operations) == outcome


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/b"},
        {"op": "test", "path": "/a", "value": 0},
        {"op": "add", "path": "/a/7", "value": 0},
        {"op": "add", "path": "/b/c", "value": 0},
        {"op": "add", "path": "a", "value": 0},
        {"op": "add", "path": "/b"},
        {"op": "frobnicate", "path": "/a"},
        {"path": "/a"},
    ],
)
def test_a_json_patch_that_does_not_apply_is_refused(operation: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        patch.json_patch({"a": [1, 2]}, [operation])

    assert refused.value.code == 422


def test_a_strategic_merge_patch_merges_containers_by_name() -> None:
    target = {"containers": [{"name": "a", "image": "1", "tty": True}, {"name": "b"}]}
    change = {"containers": [{"name": "c"}, {"name": "a", "image": "2", "tty": None}]}

    assert patch.strategic(target, change) == {
        "containers": [{"name": "a", "image": "2"}, {"name": "b"}, {"name": "c"}]
    }


def test_a_directive_of_a_strategic_merge_patch_is_refused_rather_than_ignored() -> None:
    with pytest.raises(Refusal):
        patch.strategic({}, {"$patch": "replace"})


@pytest.mark.parametrize(
    ("selector", "holds"),
    [
        ("", True),
        ("a=b", True),
        ("a==b", True),
        ("a!=b", False),
        ("z!=b", True),
        ("a", True),
        ("z", False),
        ("!z", True),
        ("! a", False),
        ("a in (b, c)", True),
        ("a notin (b,c)", False),
        ("z notin (b)", True),
        ("n>4", True),
        ("n<5", False),
        ("a>4", False),
        ("a=b,n=5", True),
        ("a in (b,c),n notin (5)", False),
        ("cnpg.io/cluster=pg", True),
        ("e=", True),
    ],
)
def test_a_label_selector_holds_or_not(selector: str, holds: bool) -> None:
    labels = {"a": "b", "n": "5", "cnpg.io/cluster": "pg", "e": ""}

    assert all(term(labels) for term in selectors.labels(selector)) is holds


@pytest.mark.parametrize("selector", ["a b", "==", "a in b", "a=b=c", ","])
def test_a_label_selector_that_makes_no_sense_is_refused(selector: str) -> None:
    with pytest.raises(Refusal) as refused:
        selectors.labels(selector)

    assert refused.value.code == 400


def _sealed(kind: bytes, version: bytes, raw: bytes) -> bytes:
    def field(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2, len(value)]) + value

    head = field(1, version) + field(2, kind)
    return b"k8s\0" + field(1, head) + field(2, raw)


def test_a_protobuf_review_is_read() -> None:
    attributes = b"\x0a\x02ns\x12\x04list\x1a\x01g\x2a\x07backups"
    spec = b"\x0a" + bytes([len(attributes)]) + attributes
    raw = b"\x0a\x00\x12" + bytes([len(spec)]) + spec
    body = _sealed(b"SelfSubjectAccessReview", b"authorization.k8s.io/v1", raw)

    assert protobuf.decode(body) == {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {
            "resourceAttributes": {
                "namespace": "ns",
                "verb": "list",
                "group": "g",
                "resource": "backups",
            }
        },
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"k8s\0",
        _sealed(b"Pod", b"v1", b""),
        _sealed(b"Secret", b"v1", b"\x0a\x7f"),
        _sealed(b"Secret", b"v1", b"\x0d"),
    ],
)
def test_protobuf_of_other_kinds_or_broken_is_not_read(body: bytes) -> None:
    assert protobuf.decode(body) is None


@pytest.mark.parametrize(
    ("path", "wish"),
    [
        ("/api/v1/pods", ("list", "", "pods", "", "", "")),
        ("/api/v1/namespaces", ("list", "", "namespaces", "", "", "")),
        ("/api/v1/namespaces/a", ("get", "", "namespaces", "", "a", "a")),
        ("/api/v1/namespaces/a/status", ("get", "", "namespaces", "status", "a", "a")),
        ("/api/v1/namespaces/a/pods/p/log", ("get", "", "pods", "log", "a", "p")),
        ("/api/v1/namespaces/a/pods/p:80/proxy/x/y", ("get", "", "pods", "proxy", "a", "p:80")),
        ("/apis/g.io/v1/namespaces/a/things", ("list", "g.io", "things", "", "a", "")),
        ("/apis/g.io/v1/things/t/status", ("get", "g.io", "things", "status", "", "t")),
    ],
)
def test_a_path_says_what_is_wished(path: str, wish: tuple[str, ...]) -> None:
    target = routes.parse(path)
    assert target is not None
    wished = target.wish("GET", {})

    assert (
        wished.verb,
        wished.group,
        wished.resource,
        wished.subresource,
        wished.namespace,
        wished.name,
    ) == wish


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1", "/apis", "/apis/g.io/v1", "/version"])
def test_other_paths_are_about_no_resource(path: str) -> None:
    assert routes.parse(path) is None


@pytest.mark.parametrize(
    ("schedule", "complaint"),
    [
        ("0 0 2 * * *", None),
        ("0 2 * * *", None),
        ("@every 1h", None),
        ("", "Empty spec string"),
        ("* * * *", "Expected 5 to 6 fields, found 4: * * * *"),
        ("TZ=UTC 0 0 0 * * *", "Expected 5 to 6 fields, found 7: TZ=UTC 0 0 0 * * *"),
        (
            "0 0 x * * *",
            'Failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax',
        ),
    ],
)
def test_the_least_is_said_against_a_schedule(schedule: str, complaint: str | None) -> None:
    assert admission.count_fields(schedule) == complaint


def test_whoever_checks_schedules_better_can_be_asked_instead() -> None:
    scheduled = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "ScheduledBackup",
        "metadata": {"name": "s"},
        "spec": {"schedule": "0 0 2 * * 7", "cluster": {"name": "pg"}, "method": "plugin"},
    }
    resource = Registry().of(scheduled)

    with pytest.raises(Refusal, match=r"vscheduledbackup.*End of range"):
        admission.review(resource, scheduled, lambda _: "End of range (7) above maximum (6): 7")


_ME = Manager("me", "Apply", "postgresql.cnpg.io/v1")
_WHEN = "2026-08-20T12:00:00Z"


def _applied(live: dict[str, Any] | None, who: Manager = _ME, **labels: str) -> dict[str, Any]:
    wanted = backup("x")
    wanted["metadata"]["labels"] = labels
    return fieldowners.apply(live, wanted, who, _WHEN, force=True, doors=True)


def test_an_object_that_was_never_applied_belongs_to_those_before() -> None:
    live = ObjectStore(Registry()).seed(backup("x"))

    owners = _applied(live, a="b")["metadata"]["managedFields"]

    assert [(one["manager"], one["operation"]) for one in owners] == [
        ("me", "Apply"),
        ("before-first-apply", "Update"),
    ]


def test_what_an_applier_leaves_out_goes_but_not_what_others_put_beside_it() -> None:
    first = _applied(None, mine="1", too="2")
    edited = {**first, "metadata": {**first["metadata"]}}
    edited["metadata"]["labels"] = {"mine": "1", "too": "2", "theirs": "3"}
    editor = Manager("editor", "Update", "postgresql.cnpg.io/v1")
    fieldowners.track(first, edited, editor, _WHEN, doors=True)

    again = _applied(edited, too="2")

    assert again["metadata"]["labels"] == {"too": "2", "theirs": "3"}


def test_objects_nobody_tracks_stay_untracked_when_edited() -> None:
    live = ObjectStore(Registry()).seed(backup("x"))
    edited = {**live, "metadata": {**live["metadata"], "labels": {"a": "b"}}}
    editor = Manager("editor", "Update", "postgresql.cnpg.io/v1")

    fieldowners.track(live, edited, editor, _WHEN, doors=True)

    assert "managedFields" not in edited["metadata"]
