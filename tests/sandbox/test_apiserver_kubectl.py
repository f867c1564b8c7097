"""kubectl finds what it needs, prints what it prints elsewhere, and says what it says elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import yaml

from tests.sandbox.serving import ADMIN, DEADLINE, Kubectl, Manifest, Served, backup, serving, until
from tui.sandbox.apiserver import Rule, User
from tui.sandbox.tls import self_made

pytestmark = pytest.mark.asyncio(loop_scope="module")

_ON_CALL = User(
    "on-call",
    "token-of-on-call",
    (Rule(("postgresql.cnpg.io",), ("backups",), ("get", "list", "watch"), ("default",)),),
)
_LOG = [
    '{"level":"info","ts":"2026-08-20T02:00:00.5Z","msg":"started"}',
    '{"level":"info","ts":"2026-08-20T02:00:01.5Z","msg":"archived"}',
]


class _Node:
    """Answers for the one pod there is."""

    async def proxy(
        self, namespace: str, pod: str, scheme: str, port: int, path: str
    ) -> tuple[int, str, bytes]:
        told = {"pod": f"{namespace}/{pod}", "port": port, "scheme": scheme, "path": path}
        return 200, "application/json", json.dumps(told).encode()

    async def log(self, namespace: str, pod: str, container: str) -> list[str] | None:
        return _LOG if container == "plugin-barman-cloud" else None


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def served() -> AsyncIterator[Served]:
    async with serving(kubelet=_Node(), users=(ADMIN, _ON_CALL), tls=self_made()) as served:
        served.server.store.seed(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "pg-1"},
                "spec": {
                    "initContainers": [{"name": "plugin-barman-cloud", "restartPolicy": "Always"}],
                    "containers": [{"name": "postgres"}],
                },
                "status": {
                    "phase": "Running",
                    "initContainerStatuses": [
                        {"name": "plugin-barman-cloud", "ready": True, "restartCount": 0}
                    ],
                    "containerStatuses": [{"name": "postgres", "ready": False, "restartCount": 2}],
                },
            }
        )
        yield served


@pytest.fixture(scope="module")
def kubectl(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    folder = tmp_path_factory.mktemp("kubectl")
    return Kubectl(folder, served.server.kubeconfig(ADMIN))


@pytest.fixture(scope="module")
def on_call(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    folder = tmp_path_factory.mktemp("on-call")
    return Kubectl(folder, served.server.kubeconfig(_ON_CALL))


def _seed(served: Served, name: str, **more: Any) -> Manifest:
    return served.server.store.seed({**backup(name), **more})


async def test_get_prints_the_columns_of_a_backup(served: Served, kubectl: Kubectl) -> None:
    _seed(served, "shown", status={"phase": "failed", "error": "exit status 4"})

    said = await kubectl("get", "backups.postgresql.cnpg.io", "shown")

    header, row = said.lines
    assert header == ["NAME", "AGE", "CLUSTER", "METHOD", "PHASE", "ERROR"]
    assert (row[0], row[2:]) == ("shown", ["pg", "plugin", "failed", "exit", "status", "4"])


async def test_get_over_all_namespaces_begins_with_the_namespace(
    served: Served, kubectl: Kubectl
) -> None:
    elsewhere = backup("far")
    elsewhere["metadata"]["namespace"] = "elsewhere"
    served.server.store.seed(elsewhere)

    said = await kubectl("get", "backups", "-A")

    assert said.lines[0][:2] == ["NAMESPACE", "NAME"]
    assert ["elsewhere", "far"] in [line[:2] for line in said.lines]


async def test_get_as_yaml_gives_back_what_was_stored(served: Served, kubectl: Kubectl) -> None:
    stored = _seed(served, "whole", status={"phase": "completed", "backupId": "20260820T020000"})

    said = await kubectl("get", "backup", "whole", "-o", "yaml")

    assert yaml.safe_load(said.out) == stored


async def test_get_selects_by_label(served: Served, kubectl: Kubectl) -> None:
    for name, cluster in (("of-a", "a"), ("of-b", "b")):
        manifest = backup(name)
        manifest["metadata"]["labels"] = {"cnpg.io/cluster": cluster}
        served.server.store.seed(manifest)

    said = await kubectl("get", "backups", "-l", "cnpg.io/cluster in (b)", "-o", "name")

    assert said.out == "backup.postgresql.cnpg.io/of-b\n"


async def test_get_reads_a_long_list_in_pages(served: Served, kubectl: Kubectl) -> None:
    for number in range(7):
        manifest = backup(f"paged-{number}")
        manifest["metadata"]["labels"] = {"paged": "yes"}
        served.server.store.seed(manifest)
    served.server.requests.clear()

    said = await kubectl("get", "backups", "-l", "paged", "--chunk-size", "3", "-o", "name")

    assert len(said.lines) == 7
    assert len([query for _, path, query in served.server.requests if "limit=3" in query]) == 3


async def test_watch_prints_a_line_for_every_event(served: Served, kubectl: Kubectl) -> None:
    watching = await kubectl.start(
        "get",
        "backups",
        "-w",
        "--output-watch-events",
        "--field-selector",
        "metadata.name=watched",
    )
    assert watching.stdout is not None
    await until(lambda: any("watch=true" in query for _, _, query in served.server.requests))
    _seed(served, "watched")
    _seed(served, "watched", status={"phase": "started"})
    stored = served.server.store.get(
        served.server.registry.of(backup("watched")), "default", "watched"
    )
    assert stored is not None
    served.server.store.remove(stored)

    async with asyncio.timeout(DEADLINE):
        lines = [(await watching.stdout.readline()).decode().split() for _ in range(4)]
    watching.terminate()
    await watching.communicate()

    assert lines[0] == ["EVENT", "NAME", "AGE", "CLUSTER", "METHOD", "PHASE", "ERROR"]
    assert [(line[0], line[1]) for line in lines[1:]] == [
        ("ADDED", "watched"),
        ("MODIFIED", "watched"),
        ("DELETED", "watched"),
    ]
    assert lines[2][-1] == "started"


async def test_create_says_created_once(kubectl: Kubectl) -> None:
    first = await kubectl("create", "-f", "-", stdin=backup("twice"))
    second = await kubectl("create", "-f", "-", stdin=backup("twice"))

    assert first.out == "backup.postgresql.cnpg.io/twice created\n"
    assert second.code == 1
    assert second.err == (
        'Error from server (AlreadyExists): error when creating "STDIN": '
        'backups.postgresql.cnpg.io "twice" already exists\n'
    )


async def test_create_shows_what_the_webhook_has_against_it(kubectl: Kubectl) -> None:
    said = await kubectl(
        "create", "-f", "-", stdin=backup("refused", pluginConfiguration={"name": ""})
    )

    assert said.err == (
        'The Backup "refused" is invalid: spec.pluginConfiguration: Invalid value: null: '
        "cannot be empty when the backup method is plugin\n"
    )


async def test_create_refuses_a_field_nobody_knows(kubectl: Kubectl) -> None:
    said = await kubectl("create", "-f", "-", stdin=backup("odd", tagret="primary"))

    assert 'strict decoding error: unknown field "spec.tagret"' in said.err


async def test_a_warning_of_the_webhook_is_shown(kubectl: Kubectl) -> None:
    schedule = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "ScheduledBackup",
        "metadata": {"name": "hourly-by-mistake"},
        "spec": {"schedule": "0 2 * * *", "cluster": {"name": "pg"}},
    }

    said = await kubectl("create", "-f", "-", stdin=schedule)

    assert said.code == 0
    assert said.err == (
        "Warning: Schedule parameter may not have the right number of arguments "
        "(usually six arguments are needed)\n"
    )


async def test_apply_creates_configures_and_leaves_alone(kubectl: Kubectl) -> None:
    said = []
    for labels in ({}, {"a": "b"}, {"a": "b"}):
        manifest = backup("applied")
        manifest["metadata"]["labels"] = labels
        said.append(await kubectl("apply", "-f", "-", stdin=manifest))

    assert [one.out.split()[-1] for one in said] == ["created", "configured", "unchanged"]


async def test_server_side_apply_names_who_owns_the_field(kubectl: Kubectl) -> None:
    mine, theirs = backup("owned"), backup("owned")
    mine["metadata"]["labels"] = {"a": "mine"}
    theirs["metadata"]["labels"] = {"a": "theirs"}
    arguments = ("apply", "--server-side", "-f", "-", "--field-manager")
    await kubectl(*arguments, "me", stdin=mine)

    refused = await kubectl(*arguments, "them", stdin=theirs)
    forced = await kubectl(*arguments, "them", "--force-conflicts", stdin=theirs)

    assert 'Apply failed with 1 conflict: conflict with "me": .metadata.labels.a' in refused.err
    assert forced.out == "backup.postgresql.cnpg.io/owned serverside-applied\n"


async def test_a_dry_run_on_the_server_leaves_nothing(kubectl: Kubectl) -> None:
    created = await kubectl("create", "--dry-run=server", "-f", "-", stdin=backup("dry"))
    applied = await kubectl("apply", "--dry-run=server", "-f", "-", stdin=backup("dry"))
    looked = await kubectl("get", "backup", "dry")

    assert created.out == "backup.postgresql.cnpg.io/dry created (server dry run)\n"
    assert applied.out == "backup.postgresql.cnpg.io/dry created (server dry run)\n"
    assert looked.err == (
        'Error from server (NotFound): backups.postgresql.cnpg.io "dry" not found\n'
    )


async def test_a_dry_run_of_delete_deletes_nothing(served: Served, kubectl: Kubectl) -> None:
    _seed(served, "spared")

    said = await kubectl("delete", "backup", "spared", "--dry-run=server")
    looked = await kubectl("get", "backup", "spared", "-o", "name")

    assert "deleted" in said.out
    assert looked.code == 0


async def test_delete_waits_until_the_object_is_gone(served: Served, kubectl: Kubectl) -> None:
    _seed(served, "doomed")

    said = await kubectl("delete", "backup", "doomed")
    looked = await kubectl("get", "backup", "doomed")

    assert (said.code, looked.code) == (0, 1)


async def test_patch_label_and_annotate_change_metadata_but_not_an_immutable_spec(
    served: Served, kubectl: Kubectl
) -> None:
    _seed(served, "changed")

    labelled = await kubectl("label", "backup", "changed", "a=b")
    annotated = await kubectl("annotate", "backup", "changed", "c=d")
    patched = await kubectl(
        "patch", "backup", "changed", "--type=merge", "-p", '{"spec":{"target":"primary"}}'
    )
    meta = yaml.safe_load((await kubectl("get", "backup", "changed", "-o", "yaml")).out)["metadata"]

    assert (labelled.code, annotated.code) == (0, 0)
    assert (meta["labels"], meta["annotations"]) == ({"a": "b"}, {"c": "d"})
    assert patched.err == (
        'The Backup "changed" is invalid: spec: Invalid value: BackupSpec is immutable once set\n'
    )


async def test_describe_shows_the_events_of_the_object(served: Served, kubectl: Kubectl) -> None:
    uid = _seed(served, "described", status={"phase": "completed"})["metadata"]["uid"]
    served.server.store.seed(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "described.1"},
            "involvedObject": {
                "apiVersion": "postgresql.cnpg.io/v1",
                "kind": "Backup",
                "name": "described",
                "namespace": "default",
                "uid": uid,
            },
            "reason": "Completed",
            "message": "Backup completed",
            "type": "Normal",
            "source": {"component": "instance-manager"},
            "firstTimestamp": served.server.store.timestamp(),
            "lastTimestamp": served.server.store.timestamp(),
            "count": 1,
        }
    )

    said = await kubectl("describe", "backup", "described")

    assert ["Phase:", "completed"] in said.lines
    assert said.lines[-1][0] == "Normal"
    assert said.lines[-1][-2:] == ["Backup", "completed"]


async def test_explain_knows_fields_and_choices(kubectl: Kubectl) -> None:
    said = await kubectl("explain", "backup.spec.method")

    assert "FIELD: method <string>" in said.out
    assert "volumeSnapshot" in said.out


async def test_wait_sees_a_condition_come_true(served: Served, kubectl: Kubectl) -> None:
    _seed(served, "awaited")
    waiting = asyncio.create_task(
        kubectl("wait", "--for=jsonpath={.status.phase}=completed", "backup/awaited")
    )
    await until(
        lambda: any(
            "watch=true" in query and "awaited" in query for _, _, query in served.server.requests
        )
    )
    _seed(served, "awaited", status={"phase": "completed"})

    assert (await waiting).out == "backup.postgresql.cnpg.io/awaited condition met\n"


async def test_wait_sees_an_object_go(served: Served, kubectl: Kubectl) -> None:
    _seed(served, "leaving")
    waiting = asyncio.create_task(kubectl("wait", "--for=delete", "backup/leaving"))
    await until(
        lambda: any(
            "watch=true" in query and "leaving" in query for _, _, query in served.server.requests
        )
    )
    await kubectl("delete", "backup", "leaving")

    assert (await waiting).code == 0


async def test_logs_of_a_sidecar(kubectl: Kubectl) -> None:
    everything = await kubectl("logs", "pg-1", "-c", "plugin-barman-cloud")
    last = await kubectl("logs", "pg-1", "-c", "plugin-barman-cloud", "--tail=1")
    nobody = await kubectl("logs", "pg-1", "-c", "nobody")

    assert everything.out.splitlines() == _LOG
    assert last.out.splitlines() == _LOG[1:]
    assert "container nobody is not valid for pod pg-1" in nobody.err


async def test_get_raw_reaches_a_port_of_a_pod(kubectl: Kubectl) -> None:
    said = await kubectl(
        "get", "--raw", "/api/v1/namespaces/default/pods/https:pg-1:8000/proxy/pg/status?a=b"
    )

    assert json.loads(said.out) == {
        "pod": "default/pg-1",
        "port": 8000,
        "scheme": "https",
        "path": "/pg/status?a=b",
    }


async def test_pods_are_printed_with_their_sidecars_counted(kubectl: Kubectl) -> None:
    said = await kubectl("get", "pods")

    assert said.lines[0] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert said.lines[1][:4] == ["pg-1", "1/2", "Running", "2"]


async def test_namespaces_and_secrets_are_created_though_kubectl_speaks_protobuf(
    kubectl: Kubectl,
) -> None:
    made = await kubectl("create", "namespace", "made")
    kept = await kubectl(
        "create", "secret", "generic", "keys", "-n", "made", "--from-literal", "id=abc"
    )
    read = await kubectl("get", "secret", "keys", "-n", "made", "-o", "jsonpath={.data.id}")

    assert (made.out, kept.out) == ("namespace/made created\n", "secret/keys created\n")
    assert read.out == "YWJj"


async def test_a_namespace_takes_what_is_in_it_along(kubectl: Kubectl) -> None:
    await kubectl("create", "namespace", "going")
    manifest = backup("inside")
    manifest["metadata"]["namespace"] = "going"
    await kubectl("create", "-f", "-", stdin=manifest)

    said = await kubectl("delete", "namespace", "going")
    looked = await kubectl("get", "backups", "-n", "going")

    assert said.code == 0
    assert "No resources found" in looked.err


async def test_can_i_answers_for_each_user(kubectl: Kubectl, on_call: Kubectl) -> None:
    admin = await kubectl("auth", "can-i", "create", "backups.postgresql.cnpg.io")
    reads = await on_call("auth", "can-i", "list", "backups.postgresql.cnpg.io")
    writes = await on_call("auth", "can-i", "create", "backups.postgresql.cnpg.io")
    elsewhere = await on_call("auth", "can-i", "list", "backups.postgresql.cnpg.io", "-A")
    log = await on_call("auth", "can-i", "get", "pods", "--subresource=log")

    assert [one.out.strip() for one in (admin, reads, writes, elsewhere, log)] == [
        "yes",
        "yes",
        "no",
        "no",
        "no",
    ]


async def test_can_i_lists_the_rules(on_call: Kubectl) -> None:
    said = await on_call("auth", "can-i", "--list")

    assert ["backups.postgresql.cnpg.io", "[]", "[]", "[get", "list", "watch]"] in said.lines


async def test_whoami_names_the_user(on_call: Kubectl) -> None:
    said = await on_call("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")

    assert said.out == "on-call"


async def test_a_right_that_is_missing_is_named(on_call: Kubectl) -> None:
    said = await on_call("get", "clusters.postgresql.cnpg.io")

    assert said.err == (
        "Error from server (Forbidden): clusters.postgresql.cnpg.io is forbidden: "
        'User "on-call" cannot list resource "clusters" in API group "postgresql.cnpg.io" '
        'in the namespace "default"\n'
    )


async def test_a_token_nobody_knows_is_not_let_in(
    served: Served, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = User("stranger", "token-of-nobody", ())
    folder = tmp_path_factory.mktemp("stranger")

    said = await Kubectl(folder, served.server.kubeconfig(stranger))("get", "backups")

    assert said.err.endswith(
        "error: You must be logged in to the server "
        "(the server has asked for the client to provide credentials)\n"
    )
