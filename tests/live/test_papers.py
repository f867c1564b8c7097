"""What the evidence fetches, over the sandbox and over the genuine kube-apiserver."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from tests.apiserver import manifests
from tests.apiserver.servers import Rule, Server, path
from tui.cnpg.manifest import BACKUPS, CLUSTERS, Key
from tui.live import papers
from tui.live.papers import Wanted
from tui.verdict.witnesses import NotKnown
from tui.wire.kube import Kube

Open = Callable[..., Awaitable[Kube]]


async def test_who_may_list_has_every_manifest_and_for_the_rest_the_right_that_is_missing(
    server: Server, opened: Open
) -> None:
    made = await server.admin.create(path(server, "clusters"), manifests.cluster())
    assert made.status == 201, made.text
    account = await server.account(Rule(("list",), ("clusters", "backups")))
    kube = await opened(server.kubeconfig(account.token))
    found = (CLUSTERS, Key(server.namespace, "pg")), (BACKUPS, Key(server.namespace, "gone"))
    want = Wanted(found, server.namespace, "pg-1", {"pg"})

    fetched = await papers.fetch(kube, want)

    one, gone = fetched.objects
    assert not isinstance(one.manifest, NotKnown), one.manifest.why
    assert list(one.manifest)[:2] == ["apiVersion", "kind"]
    assert one.manifest["metadata"]["uid"] == made.body["metadata"]["uid"]
    assert gone.manifest == NotKnown("there is none of that name")
    assert isinstance(fetched.happenings, NotKnown)
    assert "Ask for list on events" in fetched.happenings.why
    assert isinstance(fetched.log, NotKnown)
    assert "Ask for get on pods/log" in fetched.log.why
    assert isinstance(fetched.server_version, str)
    assert re.match(r"v1\.\d+", fetched.server_version)
