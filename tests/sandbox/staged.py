"""A sandbox as its users have it: the program, what it printed, and the tools pointed at it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import json
import os
import shlex
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from tui.sandbox.client import Kube

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PATIENCE = 30.0
"""Seconds until a condition that does not come true fails its test."""

Manifest = dict[str, Any]


async def until(holds: Callable[[], Any], *, patience: float = PATIENCE) -> Any:
    """What `holds` gives once that is true; an awaitable is awaited."""
    deadline = time.monotonic() + patience
    while True:
        found = holds()
        if hasattr(found, "__await__"):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {patience} s: {holds}"
        await asyncio.sleep(0.03)


def waited(holds: Callable[[], Any], *, patience: float = PATIENCE) -> Any:
    """As `until`, for tests that are not asynchronous."""
    deadline = time.monotonic() + patience
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not within {patience} s: {holds}"
        time.sleep(0.03)
    return found


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


@dataclass
class Sandbox:
    """A running sandbox."""

    process: subprocess.Popen[str]
    exported: dict[str, str] = field(default_factory=dict)
    """What a shell would know after eval."""
    lines: list[str] = field(default_factory=list)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return Path(self.exported["KUBECONFIG"])

    def kubectl(self, *arguments: str, given: str = "", user: str = "") -> str:
        """What kubectl prints; a failure fails the test with its words."""
        done = self.try_kubectl(*arguments, given=given, user=user)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def try_kubectl(
        self, *arguments: str, given: str = "", user: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator, or as another user of the scenario."""
        config = self.kubeconfig.with_name(f"{user}.yaml") if user else self.kubeconfig
        return subprocess.run(
            [str(Path(sys.executable).with_name("kubectl")), *arguments],
            input=given,
            env=os.environ | {"KUBECONFIG": str(config)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def read(self, *arguments: str) -> Any:
        """What kubectl gets, as JSON."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    @contextlib.asynccontextmanager
    async def kube(self) -> AsyncIterator[Kube]:
        """A connection with the administrator's token."""
        config = json.loads(self.kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        trust = None
        if "certificate-authority-data" in cluster:
            trust = ssl.create_default_context()
            trust.load_verify_locations(cadata=_decoded(cluster["certificate-authority-data"]))
        kube = Kube(cluster["server"], user["token"], trust=trust)
        try:
            yield kube
        finally:
            await kube.close()

    @functools.cached_property
    def s3(self) -> S3Client:
        """boto3 with the exported keys."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.exported["AWS_ENDPOINT_URL_S3"],
            aws_access_key_id=self.exported["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.exported["AWS_SECRET_ACCESS_KEY"],
            region_name="auto",
            config=Config(s3={"addressing_style": "path"}),
        )

    def objects(self, prefix: str) -> dict[str, datetime]:
        """Keys under a prefix of the bucket, in order, and when they were written."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.exported["CNPG_TUI_BUCKET"], Prefix=prefix
        )
        return {
            one["Key"]: one["LastModified"] for page in pages for one in page.get("Contents", ())
        }

    def keys(self, prefix: str) -> list[str]:
        """Every key under a prefix of the bucket, in order."""
        return list(self.objects(prefix))

    def body(self, key: str) -> bytes:
        """What an object holds."""
        answer = self.s3.get_object(Bucket=self.exported["CNPG_TUI_BUCKET"], Key=key)
        return answer["Body"].read()

    def wait_for(self, word: str) -> None:
        """Read what the program prints until this line."""
        for line in _out(self.process):
            self.lines.append(line.rstrip("\n"))
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").partition("=")
                self.exported[name] = shlex.split(value)[0]
            if self.lines[-1] == word:
                return
        raise AssertionError(f"it ended without saying {word!r}: {self.lines}")

    def stop(self) -> None:
        """End it as a parent would."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(10)
        if "s3" in vars(self):
            self.s3.close()
        _out(self.process).close()


@contextlib.contextmanager
def playing(scenario: str | Path) -> Iterator[Sandbox]:
    """A sandbox that plays a scenario, by name or from a file, with its whole past in the bucket."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tui.sandbox.demo", "--until-eof", "--scenario", str(scenario)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    sandbox = Sandbox(process)
    try:
        sandbox.wait_for("loaded")
        yield sandbox
    finally:
        sandbox.stop()


def private(home: Path, kubeconfig: Path) -> dict[str, str]:
    """The environment of a program that shall find nothing of this user's but the kubeconfig."""
    folders = ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | dict.fromkeys(folders, str(home)) | {"KUBECONFIG": str(kubeconfig)}


def _out(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def _decoded(coded: str) -> str:
    return base64.b64decode(coded).decode()
