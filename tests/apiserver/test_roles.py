"""The Roles of the README on the genuine server: the app under each, and with every verb taken away.

The sandbox is not asked: what it answers to a Role is held equal by ``test_protocol_access``.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apiserver.servers import Account, Genuine, Rule, may, path
from tests.panes.objects import a_backup, a_cluster, a_schedule, completed
from tests.panes.stage import Stage, staged
from tui.cnpg.manifest import BACKUPS, SCHEDULED_BACKUPS
from tui.live.rights import Right

pytestmark = pytest.mark.apiserver

README = Path(__file__).parents[2] / "README.md"
KUBECTL = Path(sys.executable).with_name("kubectl")
CLUSTER = a_cluster("pg")
SECRET = "r2-credentials"
CNPG = "postgresql.cnpg.io"
WIDE = (700, 60)
"""All panes are on screen, and no sentence is wrapped."""

KEYS = {
    ("1", "b"): Right("create", BACKUPS),
    ("2", "b"): Right("create", BACKUPS),
    ("3", "b"): Right("create", BACKUPS),
    ("3", "n"): Right("create", SCHEDULED_BACKUPS),
    ("3", "e"): Right("patch", SCHEDULED_BACKUPS),
    ("3", "space"): Right("patch", SCHEDULED_BACKUPS),
    ("3", "D"): Right("delete", SCHEDULED_BACKUPS),
}
"""By pane and key, what the key needs."""


def readme_roles() -> dict[str, tuple[Rule, ...]]:
    """The rules of each Role in the README, by its name after ``cnpg-tui-``."""
    found = re.search(r"<!-- roles -->\n```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    assert found
    return {
        role["metadata"]["name"].removeprefix("cnpg-tui-"): tuple(map(_rule, role["rules"]))
        for role in yaml.safe_load_all(found[1])
    }


def _rule(rule: dict[str, Any]) -> Rule:
    (group,) = rule["apiGroups"]
    names = tuple(rule.get("resourceNames", ()))
    return Rule(tuple(rule["verbs"]), tuple(rule["resources"]), group, names)


ROLES = readme_roles()
PERSONS = {
    "read-only": ("look",),
    "on-call": ("look", "back-up"),
    "schedule editor": ("look", "schedules"),
    "with secrets": ("look", "bucket"),
    "everything": tuple(ROLES),
}


def rules_of(person: str) -> tuple[Rule, ...]:
    return tuple(rule for role in PERSONS[person] for rule in ROLES[role])


@dataclass(frozen=True, slots=True)
class Taken:
    """One verb on one resource that is not granted."""

    verb: str
    resource: str
    group: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"

    @property
    def permission(self) -> str:
        """As the app asks for it."""
        return f"{self.verb} on {self.resource}{'.' if self.group else ''}{self.group}"

    def out_of(self, rules: tuple[Rule, ...]) -> Iterator[Rule]:
        """The rules without it."""
        for rule in rules:
            if self.resource not in rule.resources or rule.api_group != self.group:
                yield rule
                continue
            others = tuple(name for name in rule.resources if name != self.resource)
            verbs = tuple(verb for verb in rule.verbs if verb != self.verb)
            if others:
                yield replace(rule, resources=others)
            if verbs:
                yield replace(rule, resources=(self.resource,), verbs=verbs)


EACH = sorted(
    {
        Taken(verb, resource, rule.api_group)
        for rule in rules_of("everything")
        for resource in rule.resources
        for verb in rule.verbs
    },
    key=str,
)


@pytest.fixture
async def genuine(kube_apiserver: Any) -> AsyncIterator[Genuine]:
    """A namespace with a cluster, a backup, a schedule, a store, its secret and a pod."""
    server = Genuine(kube_apiserver)
    await server.start()
    store = {
        "apiVersion": "barmancloud.cnpg.io/v1",
        "kind": "ObjectStore",
        "metadata": {"name": "r2-store"},
        "spec": {
            "configuration": {
                "destinationPath": "s3://acme-pg/prod",
                "endpointURL": "http://127.0.0.1:9",
                "s3Credentials": {
                    "accessKeyId": {"name": SECRET, "key": "id"},
                    "secretAccessKey": {"name": SECRET, "key": "secret"},
                },
            }
        },
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "stringData": {"id": "an-id", "secret": "a-secret"},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pg-1", "labels": {"cnpg.io/cluster": "pg"}},
        "spec": {"containers": [{"name": "postgres", "image": "postgres"}]},
    }
    for plural, manifest in (
        ("pods", pod),
        ("secrets", secret),
        ("objectstores", store),
        ("clusters", CLUSTER),
        ("backups", a_backup("pg-1", **completed())),
        ("scheduledbackups", a_schedule("nightly", "pg", "0 0 2 * * *")),
    ):
        document = json.loads(json.dumps(manifest))
        document["metadata"].pop("namespace", None)
        made = await server.admin.create(path(server, plural), document)
        assert made.status == 201, made.text
        if "status" in document:
            subresource = f"{path(server, plural, document['metadata']['name'])}/status"
            await server.admin.patch(subresource, {"status": document["status"]})
    yield server
    await server.stop()


@asynccontextmanager
async def app(server: Genuine, account: Account, folder: Path) -> AsyncIterator[Stage]:
    """The app as this account has it, all panes on screen."""
    config = folder / "kubeconfig"
    config.write_text(yaml.safe_dump(server.kubeconfig(account.token)))
    unused: Any = None
    flags = {"s3_credentials": "secret", "remember": False}
    async with staged(unused, config, size=WIDE, flags=flags) as stage:
        yield stage


async def greyed(stage: Stage, expected: set[tuple[str, str]]) -> None:
    """Wait until exactly these keys are grey in their panes."""
    for pane in ("1", "2", "3"):
        await stage.press(pane)
        keys = {key for of, key in KEYS if of == pane}
        wanted = {key for of, key in expected if of == pane}

        def is_so(stage: Stage, keys: set[str] = keys, wanted: set[str] = wanted) -> bool:
            bindings = stage.app.screen.active_bindings
            return {key for key in keys if not bindings[key].enabled} == wanted

        await stage.until(is_so)


def keys_without(*missing: str) -> set[tuple[str, str]]:
    """The keys that need one of these rights."""
    return {key for key, right in KEYS.items() if str(right) in missing}


@pytest.mark.parametrize(
    ("person", "missing"),
    [
        ("read-only", [str(right) for right in KEYS.values()]),
        ("on-call", [str(right) for right in KEYS.values() if right.kind is SCHEDULED_BACKUPS]),
        ("schedule editor", ["create on backups.postgresql.cnpg.io"]),
        ("with secrets", [str(right) for right in KEYS.values()]),
        ("everything", []),
    ],
)
async def test_each_person_sees_all_and_can_press_what_the_roles_are_for(
    genuine: Genuine, tmp_path: Path, person: str, missing: list[str]
) -> None:
    account = await genuine.account(*rules_of(person))
    async with app(genuine, account, tmp_path) as stage:
        await stage.until("Clusters 1 live", "Backups 1 live", "Schedules 1 live")
        await greyed(stage, keys_without(*missing))
        assert "forbidden. Ask for" not in stage.flowing.replace("secret", "") or (
            "bucket" not in PERSONS[person]
        )


async def test_the_person_on_call_backs_up(genuine: Genuine, tmp_path: Path) -> None:
    account = await genuine.account(*rules_of("on-call"))
    async with app(genuine, account, tmp_path) as stage:
        await stage.until("Clusters 1 live", "Backups 1 live")
        await stage.press("b")
        await stage.until("dry run: the server accepts it")
        await stage.press("enter")
        await stage.until("Backups 2 live")
    assert len((await genuine.admin.get(path(genuine, "backups"))).names) == 2


async def test_the_schedule_editor_suspends(genuine: Genuine, tmp_path: Path) -> None:
    account = await genuine.account(*rules_of("schedule editor"))
    async with app(genuine, account, tmp_path) as stage:
        await stage.until("Schedules 1 live")
        await stage.press("3", "space")
        await stage.until("dry run: the server accepts it")
        await stage.press("enter")
        await stage.until("nightly is saved")
    found = (await genuine.admin.get(path(genuine, "scheduledbackups", "nightly"))).body
    assert found["spec"]["suspend"] is True


PANES = {"clusters": "Clusters", "backups": "Backups", "scheduledbackups": "Schedules"}


async def _without(stage: Stage, taken: Taken) -> None:
    """What the app says where ``taken`` is not granted."""
    title = PANES.get(taken.resource, "")
    ask = f"Ask for {taken.permission}"
    if taken.verb == "list" and title:
        await stage.until(f"{title} 0 forbidden", ask)
    elif taken.verb == "watch" and title:
        await stage.until(re.compile(rf"{title} 1 polling every 1\d s"), ask)
    elif taken.resource == "events":
        await stage.press("2", "enter")
        await stage.until(ask)
        await stage.press("escape")
    elif taken.resource == "secrets":
        await stage.press("4")
        await stage.until("forbidden. Ask for get on secrets")
    elif taken.resource in ("pods", "pods/proxy") or str(taken) == "list objectstores":
        await stage.press("1")
        await stage.until(ask)


@pytest.mark.parametrize("taken", EACH, ids=str)
async def test_a_verb_that_is_taken_away_is_named_and_the_rest_works(
    genuine: Genuine, tmp_path: Path, taken: Taken
) -> None:
    account = await genuine.account(*taken.out_of(rules_of("everything")))
    async with app(genuine, account, tmp_path) as stage:
        others = [
            f"{title} 1 live" for resource, title in PANES.items() if resource != taken.resource
        ]
        await stage.until(*others)
        await _without(stage, taken)
        if taken.verb == "list" and taken.resource in PANES:
            return  # of what cannot be listed no row can be chosen
        await greyed(stage, keys_without(taken.permission))
        for pane, key in sorted(keys_without(taken.permission))[:1]:
            await stage.press(pane, key)
            await stage.until(f"you lack {taken.permission} in {genuine.namespace}")


@pytest.mark.parametrize("person", PERSONS)
async def test_kubectl_and_the_access_review_agree(
    genuine: Genuine, tmp_path: Path, person: str
) -> None:
    account = await genuine.account(*rules_of(person))
    config = tmp_path / "kubeconfig"
    config.write_text(json.dumps(genuine.kubeconfig(account.token)))
    for right in sorted(set(KEYS.values()), key=str):
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *("auth", "can-i", right.verb, str(right.kind)),
            env={"HOME": str(tmp_path), "KUBECONFIG": str(config)},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        attributes = {"group": right.kind.group, "resource": right.kind.plural}
        ours = await may(account.client, namespace=genuine.namespace, verb=right.verb, **attributes)
        assert said.decode().strip() == ("yes" if ours else "no"), right
