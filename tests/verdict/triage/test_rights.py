"""The sidecar's Role and RoleBinding: the cause where a right is said to be missing, else a remark."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verdict.triage.made_up import (
    EXIT,
    a_pod,
    a_store,
    broken,
    failing,
    judged,
    remarks,
    witnesses,
)
from tui.cnpg import sidecar_role
from tui.sandbox import manifests
from tui.verdict.level import Level
from tui.verdict.witnesses import NO_SUCH_OBJECT, NotKnown, SidecarRights, Witnesses

KEYS = {"accessKeyId": {"name": "r2-creds"}, "secretAccessKey": {"name": "r2-creds"}}
ROLE, BINDING = manifests.sidecar_rights(
    {"metadata": {"name": "pg", "namespace": "prod", "creationTimestamp": "2026-01-01T00:00:00Z"}},
    {"metadata": {"name": "r2"}, "spec": {"configuration": {"s3Credentials": KEYS}}},
)
WRITTEN = SidecarRights(sidecar_role.read_role(ROLE), sidecar_role.read_binding(BINDING))
GONE = SidecarRights(NO_SUCH_OBJECT, NO_SUCH_OBJECT)
NO_BINDING = SidecarRights(WRITTEN.role, NO_SUCH_OBJECT)
NOBODY = SidecarRights(WRITTEN.role, sidecar_role.read_binding({**BINDING, "subjects": []}))
NOTHING = SidecarRights(sidecar_role.read_role({**ROLE, "rules": []}), WRITTEN.binding)

STALE = (
    "rpc error: code = FailedPrecondition desc = no permission to download the backup credentials"
)
FORBIDDEN = (
    'objectstores.barmancloud.cnpg.io "r2" is forbidden: User "system:serviceaccount:prod:pg"'
)


def refused(text: str, rights: Any, **more: Any) -> Witnesses:
    return failing(text, rights=rights, **more)


OTHER_SECRET = a_store(
    s3Credentials={
        "accessKeyId": {"name": "new-creds", "key": "id"},
        "secretAccessKey": {"name": "new-creds", "key": "secret"},
    }
)
TOLD = [
    ("role-missing", refused(FORBIDDEN, GONE), "no Role and no RoleBinding pg-barman-cloud"),
    ("role-missing", refused(FORBIDDEN, NO_BINDING), "no RoleBinding pg-barman-cloud"),
    ("role-lacks", refused(FORBIDDEN, NOTHING), "get ObjectStore r2, Secret r2-creds"),
    ("role-lacks", refused(STALE, WRITTEN, store=OTHER_SECRET), "get Secret new-creds"),
    ("role-unbound", refused(FORBIDDEN, NOBODY), "run as pg, RoleBinding pg-barman-cloud names nobody"),
    (
        "role-unbound",
        refused(FORBIDDEN, WRITTEN, pods=(a_pod(account="custom"),)),
        "run as custom, RoleBinding pg-barman-cloud names pg",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "seen", "said"), TOLD)
def test_a_right_that_is_missing_is_named_before_the_text_that_tells_of_it(
    code: str, seen: Witnesses, said: str
) -> None:
    rung = broken(seen)[0]
    assert (rung.title, rung.code, rung.level) == ("Secret and rights", code, Level.FAILING)
    assert said in rung.evidence


@pytest.mark.parametrize("rights", [GONE, NO_BINDING, NOTHING, NOBODY])
def test_rights_that_may_come_from_elsewhere_are_a_remark_where_nobody_is_refused(
    rights: SidecarRights,
) -> None:
    found = failing(EXIT.format(4) + " (AccessDenied)", rights=rights)
    assert not [rung for rung in broken(found) if rung.code.startswith("role-")]
    assert [code for code in remarks(found) if code.startswith("role-")]
    assert judged(witnesses(rights=rights)).level is Level.PROTECTED


def test_rights_as_the_plugin_writes_them_leave_the_text_to_speak() -> None:
    found = refused(STALE, WRITTEN)
    assert broken(found)[0].code == "role-stale"
    assert [code for code in remarks(failing(rights=WRITTEN)) if code.startswith("role-")] == []


def test_an_account_of_its_own_that_is_bound_is_no_suspect() -> None:
    bound = sidecar_role.read_binding(
        {**BINDING, "subjects": [{"kind": "ServiceAccount", "name": "custom"}]}
    )
    rights = SidecarRights(WRITTEN.role, bound)
    found = failing(rights=rights, pods=(a_pod(account="custom"),))
    assert "service-account" not in {rung.code for rung in judged(found).ladder}


def test_what_may_not_be_read_is_said() -> None:
    why = NotKnown("get on roles.rbac.authorization.k8s.io in prod is forbidden")
    found = judged(failing(rights=SidecarRights(why, WRITTEN.binding)))
    said = f"the sidecar's were not read: {why.why}"
    assert said in [item.text for item in found.evidence if item.source == "rights"]
