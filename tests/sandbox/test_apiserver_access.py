"""Rules, Roles and tokens: who may do what."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import pytest

from tests.apiserver.client import Client
from tests.sandbox.serving import ADMIN, BACKUPS, Served, serving
from tui.sandbox.access import EVERYTHING, Access, Rule, User, Wish
from tui.sandbox.refusals import Refusal

_GROUP = "postgresql.cnpg.io"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_READ = Rule((_GROUP,), ("backups",), ("get", "list"), ("prod",))
_LIST = Wish("list", _GROUP, "backups", namespace="prod")


@pytest.mark.parametrize(
    ("rule", "wish", "permitted"),
    [
        (_READ, _LIST, True),
        (_READ, Wish("watch", _GROUP, "backups", namespace="prod"), False),
        (_READ, Wish("list", _GROUP, "clusters", namespace="prod"), False),
        (_READ, Wish("list", "", "backups", namespace="prod"), False),
        (_READ, Wish("list", _GROUP, "backups", namespace="test"), False),
        (_READ, Wish("list", _GROUP, "backups"), False),
        (_READ, Wish("get", _GROUP, "backups", "status", "prod", "x"), False),
        (Rule((_GROUP,), ("backups",), ("list",)), Wish("list", _GROUP, "backups"), True),
        (Rule(("*",), ("*",), ("*",)), Wish("patch", "", "pods", "status", "a", "b"), True),
        (Rule(("",), ("pods/log",), ("get",)), Wish("get", "", "pods", "log", "a", "b"), True),
        (Rule(("",), ("pods/log",), ("get",)), Wish("get", "", "pods", "", "a", "b"), False),
        (Rule(("",), ("*/log",), ("get",)), Wish("get", "", "pods", "log", "a", "b"), True),
        (Rule(("",), ("*/log",), ("get",)), Wish("get", "", "pods", "", "a", "b"), False),
        (
            Rule(("",), ("secrets",), ("get",), ("*",), ("keys",)),
            Wish("get", "", "secrets", "", "a", "keys"),
            True,
        ),
        (
            Rule(("",), ("secrets",), ("get", "list"), ("*",), ("keys",)),
            Wish("list", "", "secrets", "", "a"),
            False,
        ),
        (_READ, Wish("get", path="/metrics"), False),
        (EVERYTHING[0], Wish("get", path="/metrics"), True),
    ],
)
def test_a_rule_permits_what_it_says_and_no_more(rule: Rule, wish: Wish, permitted: bool) -> None:
    assert rule.permits(wish) is permitted


def test_rules_add_up() -> None:
    user = User("u", "t", (_READ, Rule((_GROUP,), ("backups",), ("watch",), ("prod",))))

    assert user.may(Wish("watch", _GROUP, "backups", namespace="prod"))


def test_a_token_is_not_shown_where_a_user_is() -> None:
    assert "secret-token" not in repr(User("u", "secret-token", ()))


@pytest.mark.parametrize("header", ["Bearer nope", "bearer ", "Bearer"])
def test_a_token_nobody_has_is_refused(header: str) -> None:
    with pytest.raises(Refusal) as refused:
        Access([User("u", "t", ())]).who(header)

    assert refused.value.code == 401


def test_a_user_admitted_again_has_the_new_rules() -> None:
    access = Access([User("u", "t", ())])
    before = access.allows(access.who("Bearer t"), _LIST)
    access.admit(User("u", "t", (_READ,)))

    assert (before, access.allows(access.who("Bearer t"), _LIST)) == (False, True)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(users=(ADMIN, User("jane", "token-of-jane", ()))) as served:
        yield served


async def _bind(served: Served, subject: dict[str, str], *, cluster_wide: bool = False) -> None:
    """Let a subject list backups, in `default` or everywhere."""
    kind = "ClusterRole" if cluster_wide else "Role"
    scope = _RBAC if cluster_wide else f"{_RBAC}/namespaces/default"
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "lister"}}
    rules = [{"apiGroups": [_GROUP], "resources": ["backups"], "verbs": ["list"]}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "lister"}
    for plural, body in (
        (f"{kind.lower()}s", {"kind": kind, "rules": rules}),
        (
            f"{kind.lower()}bindings",
            {"kind": f"{kind}Binding", "subjects": [subject], "roleRef": role},
        ),
    ):
        answer = await served.client.create(f"{scope}/{plural}", head | body)
        assert answer.status == 201, answer.text


async def _codes(served: Served, token: str) -> list[int]:
    """What listing backups is answered, in `default` and everywhere."""
    async with Client(served.url, token, ssl.create_default_context()) as client:
        everywhere = BACKUPS.replace("/namespaces/default", "")
        return [(await client.get(path)).status for path in (BACKUPS, everywhere)]


async def test_a_role_binding_gives_rights_in_its_namespace(served: Served) -> None:
    before = await _codes(served, "token-of-jane")
    await _bind(served, {"kind": "User", "name": "jane"})

    assert before == [403, 403]
    assert await _codes(served, "token-of-jane") == [200, 403]


async def test_a_cluster_role_binding_gives_rights_everywhere(served: Served) -> None:
    await _bind(served, {"kind": "Group", "name": "system:authenticated"}, cluster_wide=True)

    assert await _codes(served, "token-of-jane") == [200, 200]


async def test_rights_go_with_the_binding(served: Served) -> None:
    await _bind(served, {"kind": "User", "name": "jane"})
    await served.client.delete(f"{_RBAC}/namespaces/default/rolebindings/lister")

    assert await _codes(served, "token-of-jane") == [403, 403]


async def test_a_service_account_gets_a_token_that_acts_as_it(served: Served) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    await served.client.create(accounts, account)
    await _bind(served, {"kind": "ServiceAccount", "name": "robot", "namespace": "default"})

    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    given = await served.client.create(f"{accounts}/robot/token", request)

    assert given.status == 201
    assert await _codes(served, given.body["status"]["token"]) == [200, 403]


async def test_there_is_no_token_for_an_account_that_does_not_exist(served: Served) -> None:
    answer = await served.client.create(
        "/api/v1/namespaces/default/serviceaccounts/nobody/token", {}
    )

    assert (answer.status, answer.message) == (404, 'serviceaccounts "nobody" not found')
