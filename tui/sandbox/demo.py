"""The sandbox as a program: API server, S3 server and operator, set up from a scenario.

    python -m tui.sandbox.demo --scenario healthy --speed 4

prints lines a shell can eval (KUBECONFIG, the AWS variables, CNPG_TUI_BUCKET), then `ready` once both
servers answer, then `loaded` once the bucket holds its whole past. It ends on SIGINT, SIGTERM or
SIGHUP, or when its standard input does (`--until-eof`), and leaves nothing behind.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import secrets
import shlex
import signal
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tui.sandbox import past, scenario
from tui.sandbox.apiserver import EVERYTHING, ApiServer, Certificate, Rule, User
from tui.sandbox.bucket import Bucket, Identities, NoServer, new_identities
from tui.sandbox.client import Kube
from tui.sandbox.operator import Operator, PodVoice
from tui.sandbox.past import Stage
from tui.sandbox.s3 import Access, Boto, Keys, Memory
from tui.sandbox.scenario import BadScenario, Scenario
from tui.sandbox.tls import self_made
from tui.sandbox.work import Pace, now


@dataclass(frozen=True, slots=True)
class Options:
    """What to play, and how."""

    scenario: str = "healthy"
    """A name, or the path of a file."""
    speed: float = 1.0
    tls: bool = True
    """Without TLS everybody is administrator: kubectl sends no token over plain HTTP."""
    bucket: bool = True
    """Whether to start the S3 server."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where everything is, once it is there."""

    kubeconfig: Path
    """Of the administrator; those of other users lie beside it as NAME.yaml."""
    api: str
    s3: str
    """The S3 endpoint; empty where there is none."""
    bucket: str
    keys: Keys
    """Of an administrator of the S3 server."""
    complaint: str = ""
    """Why there is no bucket."""

    def exports(self) -> str:
        """Lines for a POSIX shell's eval."""
        found = {"KUBECONFIG": str(self.kubeconfig)}
        if self.s3:
            found |= {
                "AWS_ENDPOINT_URL_S3": self.s3,
                "AWS_ACCESS_KEY_ID": self.keys.access,
                "AWS_SECRET_ACCESS_KEY": self.keys.secret,
                "CNPG_TUI_BUCKET": self.bucket,
            }
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in found.items())


async def serve(
    options: Options,
    *,
    ready: Callable[[Endpoints], None],
    loaded: Callable[[], None] = lambda: None,
) -> None:
    """Serve until cancelled; raises BadScenario at once.

    `ready` is called when both servers answer, `loaded` when the bucket holds its whole past.
    """
    script = scenario.load(options.scenario)
    identities = new_identities()
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cnpg-tui-demo-")))
        bucket = Bucket(script.bucket, identities)
        stack.push_async_callback(bucket.stop)
        starting = asyncio.create_task(_start(bucket, options))
        stage = await asyncio.to_thread(
            past.stage, script, endpoint=bucket.endpoint, keys=identities.named, now=now()
        )
        voice = PodVoice()
        admin, operator_user, *others = users = _users(script)
        tls = self_made() if options.tls else None
        server = ApiServer(kubelet=voice, users=users if tls else (), tls=tls)
        for manifest in stage.manifests:
            server.store.seed(manifest)
        api = await server.start()
        stack.push_async_callback(server.stop)
        for user in (admin, *others):
            _write_kubeconfig(folder, server, user, script)
        complaint = await starting
        access = _access(script, identities, stage, real=not complaint)
        if isinstance(access, Boto):
            stack.callback(access.close)
        kube = Kube(api, operator_user.token, trust=_trust(tls))
        stack.push_async_callback(kube.close)
        operator = Operator(
            kube,
            access,
            pace=Pace(options.speed),
            postgres=stage.postgres,
            complaints=stage.complaints,
        )
        voice.follow(operator)
        playing = asyncio.create_task(operator.run())
        stack.push_async_callback(_over, playing)
        ready(
            Endpoints(
                folder / "kubeconfig",
                api,
                "" if complaint else bucket.endpoint,
                script.bucket,
                identities.admin,
                complaint,
            )
        )
        if not complaint:
            mourning = asyncio.create_task(_mourn(bucket))
            stack.push_async_callback(_over, mourning)
            await bucket.lay(stage.lying)
        stage.lying.clear()
        operator.bucket_is_set()
        loaded()
        await playing


async def _start(bucket: Bucket, options: Options) -> str:
    """Start the S3 server; gives a sentence when there will be none."""
    if not options.bucket:
        return "no S3 server was asked for: the bucket exists only in the operator's mind"
    try:
        await bucket.start()
    except NoServer as why:
        return str(why)
    return ""


async def _mourn(bucket: Bucket) -> None:
    """Say so when the S3 server ends before we do; everything else goes on, as it would in life."""
    print("the S3 server has ended:", await bucket.ended(), file=sys.stderr, flush=True)


async def _over(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _access(script: Scenario, who: Identities, stage: Stage, *, real: bool) -> Access:
    if real:
        return Boto()
    memory = Memory(script.bucket, (who.admin, who.full), (who.read_only,))
    for lying, body in stage.lying:
        memory.lay(lying, body or b"")
    return memory


def _users(script: Scenario) -> list[User]:
    """The administrator, the operator, and whom the scenario knows."""
    everybody: list[tuple[str, tuple[Rule, ...]]] = [
        ("admin", EVERYTHING),
        ("operator", EVERYTHING),
    ]
    everybody += [
        (one.name, tuple(Rule(**dataclasses.asdict(rule)) for rule in one.rules))
        for one in script.users
    ]
    return [User(name, secrets.token_urlsafe(24), rules) for name, rules in everybody]


def _write_kubeconfig(folder: Path, server: ApiServer, user: User, script: Scenario) -> None:
    namespace = script.clusters[0].namespace if script.clusters else "default"
    path = folder / ("kubeconfig" if user.name == "admin" else f"{user.name}.yaml")
    path.touch(0o600)
    # JSON is YAML enough for every reader of kubeconfigs.
    path.write_text(json.dumps(server.kubeconfig(user, namespace=namespace), indent=1))


def _trust(tls: Certificate | None) -> ssl.SSLContext | None:
    return ssl.create_default_context(cadata=tls.ca.decode()) if tls else None


def arguments() -> argparse.ArgumentParser:
    """What the program understands."""
    parser = argparse.ArgumentParser(
        prog="python -m tui.sandbox.demo",
        description="Serve a sandbox: a Kubernetes API with CNPG, an S3 bucket, and an operator.",
    )
    parser.add_argument(
        "--scenario",
        default="healthy",
        metavar="NAME|FILE",
        help=f"what to play: {', '.join(scenario.names())}, or a file (default: %(default)s)",
    )
    parser.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        metavar="N",
        help="acted durations take N times less; clocks and schedules stay real",
    )
    parser.add_argument(
        "--tls",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="serve the API over TLS; over plain HTTP everybody is administrator",
    )
    parser.add_argument("--no-bucket", action="store_true", help="start no S3 server")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    return parser


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0, at most 1000")
    return speed


def main(argv: Sequence[str] | None = None) -> int:
    """The command; gives the exit status."""
    given = arguments().parse_args(argv)
    options = Options(given.scenario, given.speed, given.tls, not given.no_bucket)
    try:
        asyncio.run(_until_told(options, until_eof=given.until_eof))
    except BadScenario as why:
        print(why, file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read has gone (`| head`): so do we, and say nothing when Python flushes again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return 0


async def _until_told(options: Options, *, until_eof: bool) -> None:
    """Serve, and print what a shell needs, until a signal or the end of standard input."""
    loop = asyncio.get_running_loop()
    serving = asyncio.create_task(serve(options, ready=_announce, loaded=lambda: _say("loaded\n")))
    for told in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(told, serving.cancel)
    if until_eof:
        threading.Thread(
            target=_await_eof, args=(loop, serving), daemon=True, name="await-eof"
        ).start()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _await_eof(loop: asyncio.AbstractEventLoop, serving: asyncio.Task[None]) -> None:
    """Read until nothing comes; the descriptor itself, since a buffered reader holds a lock."""
    while os.read(0, 4096):
        pass
    with contextlib.suppress(RuntimeError):  # the loop is closed: we are going anyway
        loop.call_soon_threadsafe(serving.cancel)


def _announce(endpoints: Endpoints) -> None:
    if endpoints.complaint:
        print(endpoints.complaint, file=sys.stderr, flush=True)
    _say(endpoints.exports() + "ready\n")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
