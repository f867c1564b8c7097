"""The faults, each made for real, and for how long the app is watched in it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.apiserver.faults.clock import Clock
from tests.apiserver.faults.network import Network
from tests.apiserver.faults.trial import EVERYTHING, Measured, Trial, now
from tests.apiserver.faults.witness import Witness
from tests.apiserver.server import KubeApiServer

Act = Callable[[KubeApiServer, Path], Awaitable[Measured]]


async def _noticed(witness: Witness, measured: Measured, *words: str) -> None:
    """Wait until neither header nor pane claims to be live, and the screen shows these words."""

    def shows() -> bool:
        measured.text = witness.text
        flowing = " ".join(measured.text.split())
        return "live" not in witness.now.words and all(word in flowing for word in words)

    await witness.until(f"not live: {', '.join(words)}", shows)


async def _watched(witness: Witness, measured: Measured, seconds: float) -> None:
    """Let the fault last so long, whatever the screen shows."""
    ends = measured.began + seconds
    while now() < ends:
        if not measured.text and "live" not in witness.now.words:
            measured.text = witness.text
        await asyncio.sleep(0.05)


async def kill(server: KubeApiServer, folder: Path) -> Measured:
    """SIGKILL in the middle of the events, and a restart."""
    trial = Trial(server, folder)
    async with trial.running(led=False) as witness:
        measured = Measured(now())
        server.kill()
        await _noticed(witness, measured, "connection refused")
        await asyncio.to_thread(server.restart)
        measured.ended = now()
        return await trial.concluded(witness, measured)


async def compact(server: KubeApiServer, folder: Path) -> Measured:
    """etcd forgets every revision that a watch could go on from."""
    trial = Trial(server, folder)
    async with trial.running(led=False) as witness:
        measured = Measured(now())
        await asyncio.to_thread(server.compact)
        measured.ended = now()
        return await trial.concluded(witness, measured)


async def certificate(server: KubeApiServer, folder: Path) -> Measured:
    """The server shows a certificate of another authority; then the kubeconfig is written anew."""
    trial = Trial(server, folder)
    async with trial.running(led=False) as witness:
        await trial.hush()
        measured = Measured(now())
        await asyncio.to_thread(server.show_another_certificate)
        await _noticed(witness, measured, "is not trusted", "Check certificate-authority")
        await trial.genuine.close()
        trial.genuine.admin = await trial.genuine.client(server.admin_token)
        trial.sign_in(trial.account, led=False)
        measured.ended = now()
        return await trial.concluded(witness, measured)


async def freeze(server: KubeApiServer, folder: Path) -> Measured:
    """SIGSTOP: every connection stays open, nothing is answered."""
    trial = Trial(server, folder)
    async with trial.running(led=False) as witness:
        await trial.hush()
        measured = Measured(now())
        server.freeze()
        try:
            await _noticed(witness, measured, "not answer")
            await asyncio.sleep(5)
        finally:
            server.thaw()
        measured.ended = now()
        return await trial.concluded(witness, measured)


def cut(seconds: float) -> Act:
    """Packets are dropped for so long."""

    async def act(server: KubeApiServer, folder: Path) -> Measured:
        with Network() as network:
            trial = Trial(server, folder)
            async with trial.running(network=network) as witness:
                measured = Measured(now())
                network.cut()
                await _watched(witness, measured, seconds)
                network.heal()
                measured.ended = now()
                return await trial.concluded(witness, measured)

    return act


async def revoked(server: KubeApiServer, folder: Path) -> Measured:
    """The token is not accepted any more; a new one is written later, and nobody presses R."""
    trial = Trial(server, folder)
    async with trial.running() as witness:
        await _revoke(trial)
        measured = Measured(now())
        trial.relay.cut()
        await _noticed(witness, measured, "R asks again")
        trial.sign_in(await trial.genuine.account(EVERYTHING))
        measured.ended = now()
        return await trial.concluded(witness, measured)


async def rotated(server: KubeApiServer, folder: Path) -> Measured:
    """A new token stands in the kubeconfig before the old one ends."""
    trial = Trial(server, folder)
    async with trial.running() as witness:
        trial.sign_in(await trial.genuine.account(EVERYTHING))
        await _revoke(trial)
        measured = Measured(now())
        trial.relay.cut()
        measured.ended = now()
        return await trial.concluded(witness, measured)


async def _revoke(trial: Trial) -> None:
    genuine, account = trial.genuine, trial.account
    namespace, name = account.user.split(":")[-2:]
    at = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
    await genuine.admin.delete(at)

    async def is_unknown() -> bool:
        return (await account.client.get("/version")).status == 401

    await _until(is_unknown)  # the genuine server remembers for some seconds whom it has let in


async def dribble(server: KubeApiServer, folder: Path) -> Measured:
    """Every connection brings one byte a second, for half a minute."""
    trial = Trial(server, folder)
    async with trial.running() as witness:
        measured = Measured(now())
        trial.relay.rate = 1
        await _watched(witness, measured, 30)
        trial.relay.rate = None
        measured.ended = now()
        return await trial.concluded(witness, measured)


async def clock(server: KubeApiServer, folder: Path) -> Measured:
    """The client's clock jumps two hours ahead, then to half an hour behind."""
    own = Clock(folder)
    trial = Trial(server, folder)
    async with trial.running(environment=own.environment) as witness:
        measured = Measured(now())
        for by in ("+2h", "-30m"):
            before = witness.text.splitlines()[0]
            own.jump(by)
            await witness.until("another hour", lambda: witness.text.splitlines()[0] != before)  # noqa: B023
            await witness.until_told(list(trial.happened))
            trial.relay.cut()
            await asyncio.sleep(3)
        measured.text = witness.text
        measured.ended = now()
        return await trial.concluded(witness, measured)


async def _until(asked: Callable[[], Awaitable[bool]], *, is_so: bool = True) -> None:
    """Ask until the answer is that."""
    async with asyncio.timeout(60):
        while await asked() is not is_so:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


_JAIL = "/apis/flowcontrol.apiserver.k8s.io/v1"


async def storm(server: KubeApiServer, folder: Path) -> Measured:
    """Priority and fairness leaves the app no seat at all: each of its requests is answered 429."""
    trial = Trial(server, folder)
    async with trial.running() as witness:
        admin, account = trial.genuine.admin, trial.account
        namespace, name = account.user.split(":")[-2:]
        limited = {
            "nominalConcurrencyShares": 0,
            "lendablePercent": 0,
            "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Reject"},
        }
        level = {"type": "Limited", "limited": limited}
        subject = {
            "kind": "ServiceAccount",
            "serviceAccount": {"namespace": namespace, "name": name},
        }
        every = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        rule = {
            "subjects": [subject],
            "resourceRules": [{**every, "namespaces": ["*"], "clusterScope": True}],
        }
        flow = {
            "priorityLevelConfiguration": {"name": name},
            "matchingPrecedence": 2,
            "rules": [rule],
        }
        made = (("prioritylevelconfigurations", level), ("flowschemas", flow))
        for kind, spec in made:
            body = {"metadata": {"name": name}, "spec": spec}
            answer = await admin.create(f"{_JAIL}/{kind}", body)
            assert answer.status == 201, answer.text
        schema = answer.body["metadata"]["uid"]
        backups = f"/apis/postgresql.cnpg.io/v1/namespaces/{namespace}/backups"

        async def is_refused() -> bool:
            return (await account.client.get(backups)).status == 429

        async def is_in_force() -> bool:
            told = (await account.client.get(backups)).headers
            return bool(told.get("X-Kubernetes-PF-FlowSchema-UID") == schema)

        # A request that comes before takes its seat elsewhere, and there is one to give away here.
        await _until(is_in_force)
        async with AsyncExitStack() as seats:

            async def stays_refused() -> bool:
                # Where the app has the seat just then, the request that was to keep it is refused.
                await seats.enter_async_context(_seat_taken(server, backups, account.token))
                await asyncio.sleep(0.2)
                return all([await is_refused() for _ in range(5)])

            await _until(stays_refused)
            measured = Measured(now())
            trial.relay.cut()
            await _noticed(witness, measured, "asks to slow down")
            await asyncio.sleep(20)
        for kind, _ in reversed(made):
            await admin.delete(f"{_JAIL}/{kind}/{name}")
        await _until(is_refused, is_so=False)
        measured.ended = now()
        return await trial.concluded(witness, measured)


@asynccontextmanager
async def _seat_taken(server: KubeApiServer, collection: str, token: str) -> AsyncIterator[None]:
    """A request whose body never comes: even where there is no seat, one request is let in."""
    trust = ssl.create_default_context(cafile=str(server.ca_file))
    at = urlsplit(server.url)
    _, writer = await asyncio.open_connection(at.hostname, at.port, ssl=trust)
    lines = (
        f"POST {collection} HTTP/1.1",
        f"Host: {at.netloc}",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        "Content-Length: 1000",
    )
    writer.write("\r\n".join((*lines, "", "")).encode())
    try:
        yield
    finally:
        writer.transport.abort()


BESIDE: dict[str, Act] = {
    "network cut for 1 s": cut(1),
    "network cut for 30 s": cut(30),
    "network cut for 120 s": cut(120),
    "token revoked": revoked,
    "token rotated": rotated,
    "one byte a second": dribble,
    "clock jumps": clock,
    "429 storm": storm,
}
"""These leave the server well: they happen beside one another on one."""

AFTER: dict[str, Act] = {
    "API server killed": kill,
    "etcd compacted": compact,
    "other certificate": certificate,
    "API server frozen": freeze,
}
"""These happen to a server, one after the other."""
