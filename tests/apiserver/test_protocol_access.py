"""Who may do what: tokens, Roles and the reviews clients ask before they try. Asked of both servers."""

from __future__ import annotations

import pytest

from tests.apiserver.client import CNPG
from tests.apiserver.manifests import backup
from tests.apiserver.servers import Rule, Server, may, path

_READ_BACKUPS = Rule(("get", "list", "watch"), ("backups",))
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_RULES_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"


@pytest.mark.parametrize(
    ("verb", "resource", "name", "group"),
    [
        ("get", "scheduledbackups", "nightly", "postgresql.cnpg.io"),
        ("list", "scheduledbackups", "", "postgresql.cnpg.io"),
        ("create", "backups", "", "postgresql.cnpg.io"),
        ("update", "backups", "a", "postgresql.cnpg.io"),
        ("patch", "backups", "a", "postgresql.cnpg.io"),
        ("delete", "backups", "a", "postgresql.cnpg.io"),
        ("deletecollection", "backups", "", "postgresql.cnpg.io"),
        ("list", "objectstores", "", "barmancloud.cnpg.io"),
        ("get", "secrets", "credentials", ""),
    ],
)
async def test_a_refusal_names_user_verb_resource_group_and_namespace(
    server: Server, verb: str, resource: str, name: str, group: str
) -> None:
    account = await server.account(_READ_BACKUPS)
    where = path(server, resource, name)

    match verb:
        case "get" | "list":
            answer = await account.client.get(where)
        case "create":
            answer = await account.client.create(where, backup("a"))
        case "update":
            answer = await account.client.replace(where, backup("a"))
        case "patch":
            answer = await account.client.patch(where, {})
        case _:
            answer = await account.client.delete(where)

    qualified = f"{resource}.{group}" if group else resource
    quoted = f'{qualified} "{name}"' if name else qualified
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert answer.message == (
        f'{quoted} is forbidden: User "{account.user}" cannot {verb} resource "{resource}" '
        f'in API group "{group}" in the namespace "{server.namespace}"'
    )
    about = {"name": name, "group": group, "kind": resource}
    assert answer.body["details"] == {key: value for key, value in about.items() if value}


async def test_what_a_role_permits_is_done(server: Server) -> None:
    await server.admin.create(path(server, "backups"), backup("a"))
    account = await server.account(_READ_BACKUPS, Rule(("create",), ("backups",)))

    listed = await account.client.get(path(server, "backups"))
    made = await account.client.create(path(server, "backups"), backup("b"))

    assert listed.names == ["a"]
    assert made.status == 201


async def test_a_dry_run_needs_the_same_right_as_the_act(server: Server) -> None:
    reader = await server.account(_READ_BACKUPS)

    answer = await reader.client.create(path(server, "backups"), backup("a"), dryRun="All")

    assert answer.status == 403


async def test_listing_is_not_watching(server: Server) -> None:
    account = await server.account(Rule(("list",), ("backups",)))

    answer = await account.client.get(path(server, "backups"), watch="true")

    assert answer.status == 403
    assert f'User "{account.user}" cannot watch resource "backups"' in answer.message


async def test_a_role_ends_at_its_namespace(server: Server) -> None:
    account = await server.account(_READ_BACKUPS)

    elsewhere = await account.client.get(f"{CNPG}/namespaces/default/backups")
    everywhere = await account.client.get(f"{CNPG}/backups")

    assert elsewhere.status == 403
    assert elsewhere.message.endswith('in the namespace "default"')
    assert everywhere.status == 403
    assert everywhere.message == (
        f'backups.postgresql.cnpg.io is forbidden: User "{account.user}" cannot list resource '
        '"backups" in API group "postgresql.cnpg.io" at the cluster scope'
    )


async def test_a_cluster_role_reaches_every_namespace(server: Server) -> None:
    account = await server.account(_READ_BACKUPS, cluster_wide=True)

    for where in (f"{CNPG}/backups", f"{CNPG}/namespaces/default/backups"):
        assert (await account.client.get(where)).status == 200


async def test_a_role_may_name_its_objects(server: Server) -> None:
    account = await server.account(Rule(("get",), ("secrets",), "", ("credentials",)))

    named = await account.client.get(path(server, "secrets", "credentials"))
    other = await account.client.get(path(server, "secrets", "other"))
    listed = await account.client.get(path(server, "secrets"))

    assert (named.status, other.status, listed.status) == (404, 403, 403)


@pytest.mark.parametrize("subresource", ["log", "proxy"])
async def test_the_right_to_a_pod_is_not_the_right_to_its(server: Server, subresource: str) -> None:
    account = await server.account(Rule(("get",), ("pods",), ""))

    answer = await account.client.get(path(server, "pods", f"pg-1/{subresource}"))

    assert answer.status == 403
    assert answer.message == (
        f'pods "pg-1" is forbidden: User "{account.user}" cannot get resource "pods/{subresource}" '
        f'in API group "" in the namespace "{server.namespace}"'
    )


async def test_the_right_to_the_object_is_not_the_right_to_its_status(server: Server) -> None:
    await server.admin.create(path(server, "backups"), backup("a"))
    account = await server.account(Rule(("patch",), ("backups",)))
    one = path(server, "backups", "a")

    whole = await account.client.patch(one, {"metadata": {"labels": {"seen": "yes"}}})
    status = await account.client.patch(f"{one}/status", {"status": {"phase": "failed"}})

    assert whole.status == 200
    assert status.status == 403
    assert 'cannot patch resource "backups/status"' in status.message


async def test_whether_something_is_there_is_not_told_to_who_may_not_ask(server: Server) -> None:
    account = await server.account(_READ_BACKUPS)

    unknown_kind = await account.client.get(path(server, "nopes"))
    unknown_name = await account.client.delete(path(server, "backups", "absent"))

    assert (unknown_kind.status, unknown_name.status) == (403, 403)
    assert 'cannot list resource "nopes" in API group "postgresql.cnpg.io"' in unknown_kind.message


async def test_a_path_that_is_no_resource_is_refused_as_a_path(server: Server) -> None:
    account = await server.account()

    answer = await account.client.get("/metrics")

    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert answer.message == f'forbidden: User "{account.user}" cannot get path "/metrics"'


async def test_a_token_nobody_gave_out_is_refused_in_one_word(server: Server) -> None:
    stranger = await server.client("not-a-token")

    for where in (path(server, "backups"), "/version"):
        answer = await stranger.get(where)

        assert (answer.status, answer.body["reason"]) == (401, "Unauthorized")
        assert answer.message == "Unauthorized"


async def test_no_token_at_all_is_an_anonymous_user_who_may_do_next_to_nothing(
    server: Server,
) -> None:
    nobody = await server.client(None)

    refused = await nobody.get(path(server, "backups"))
    discovery = await nobody.get("/apis")
    ready = await nobody.get("/readyz")
    version = await nobody.get("/version")

    assert refused.status == 403
    assert 'User "system:anonymous" cannot list resource "backups"' in refused.message
    assert discovery.message == 'forbidden: User "system:anonymous" cannot get path "/apis"'
    assert (ready.status, ready.text) == (200, "ok")
    assert version.body["major"] == "1"


async def test_a_review_answers_what_the_asker_may_do(server: Server) -> None:
    account = await server.account(
        _READ_BACKUPS, Rule(("get",), ("scheduledbackups",), resource_names=("nightly",))
    )
    cnpg = {"namespace": server.namespace, "group": "postgresql.cnpg.io"}

    async def asked(**attributes: str) -> bool:
        return await may(account.client, **cnpg | attributes)

    assert await asked(verb="list", resource="backups")
    assert not await asked(verb="create", resource="backups")
    assert not await asked(verb="list", resource="backups", namespace="default")
    assert not await asked(verb="list", resource="backups", namespace="")
    assert await asked(verb="get", resource="scheduledbackups", name="nightly")
    assert not await asked(verb="get", resource="scheduledbackups", name="other")
    assert not await asked(verb="get", resource="scheduledbackups")
    assert not await asked(verb="get", resource="pods", subresource="log", group="")
    assert not await asked(verb="*", resource="*")
    assert await may(server.admin, verb="*", resource="*", group="*")


async def test_a_review_may_be_of_a_path(server: Server) -> None:
    account = await server.account()

    async def asked(path: str) -> bool:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"nonResourceAttributes": {"path": path, "verb": "get"}},
        }
        answer = await account.client.create(_ACCESS_REVIEWS, review)
        assert answer.status == 201
        allowed: bool = answer.body["status"]["allowed"]
        return allowed

    assert await asked("/version")
    assert not await asked("/metrics")


async def test_a_review_of_nothing_is_refused(server: Server) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {},
    }

    answer = await server.admin.create(_ACCESS_REVIEWS, review)

    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.message.endswith(
        "spec.resourceAttributes: Invalid value: null: "
        "exactly one of nonResourceAttributes or resourceAttributes must be specified"
    )


async def test_a_review_lists_all_that_the_asker_may_do(server: Server) -> None:
    account = await server.account(
        _READ_BACKUPS, Rule(("get",), ("secrets",), "", ("credentials",))
    )
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": server.namespace},
    }

    answer = await account.client.create(_RULES_REVIEWS, review)

    assert answer.status == 201
    rules = answer.body["status"]["resourceRules"]
    assert {
        "verbs": ["get", "list", "watch"],
        "apiGroups": ["postgresql.cnpg.io"],
        "resources": ["backups"],
    } in rules
    assert {
        "verbs": ["get"],
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": ["credentials"],
    } in rules
    assert {
        "verbs": ["create"],
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    } in rules
    assert answer.body["status"]["incomplete"] is False


async def test_a_review_of_all_rules_needs_a_namespace(server: Server) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {},
    }

    answer = await server.admin.create(_RULES_REVIEWS, review)

    assert (answer.status, answer.message) == (400, "no namespace on request")
