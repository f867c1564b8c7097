"""Exec credential plugins: programs that answer with a token or a client certificate.

Protocol: client.authentication.k8s.io v1 and v1beta1 (kubernetes.io/docs, "client-go credential
plugins"). The program runs in a session of its own with nothing on its standard input, so it can
neither prompt on this terminal nor draw over the screen; what it says on stderr goes into the fault.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tui import words
from tui.faults import Misconfigured

PATIENCE = 20.0
"""Seconds a plugin may take. Cloud logins answer in one to three; one that waits for a human, who
cannot see its question here, is better told to the user."""

_SAID = 300


@dataclass(frozen=True, slots=True)
class Proof:
    """What is shown to the server: an Authorization header, a client certificate, or neither."""

    authorization: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    expires: datetime | None = None
    """When it must be obtained anew; None: not before the server refuses it."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """``users[].user.exec`` of a kubeconfig."""

    user: str
    command: str
    args: tuple[str, ...] = field(default=(), repr=False)
    environ: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    api_version: str = ""
    install_hint: str = field(default="", repr=False)
    wants_terminal: bool = False
    cluster: Mapping[str, Any] | None = field(default=None, repr=False)
    """The cluster as the plugin wants to be told it, None where it does not ask."""


async def ask(plugin: Plugin, patience: float = PATIENCE) -> Proof:
    """Run the plugin. Raises :class:`Misconfigured` with what it said and what to do."""
    if plugin.wants_terminal:
        raise Misconfigured(
            f"the credential plugin {plugin.command} of user {plugin.user} needs a terminal "
            "(interactiveMode: Always): sign in with kubectl first, or use a plugin that does not"
        )
    process = await _start(plugin)
    try:
        async with asyncio.timeout(patience):
            out, err = await process.communicate()
    except TimeoutError:
        raise Misconfigured(
            f"the credential plugin {plugin.command} of user {plugin.user} gave no answer in "
            f"{patience:.0f} s: run kubectl once to see what it waits for"
        ) from None
    finally:
        await _end(process)
    if process.returncode:
        raise Misconfigured(
            f"the credential plugin {plugin.command} of user {plugin.user} failed with exit status "
            f"{process.returncode}{_said(err)}"
        )
    return _proof(plugin, out)


async def _start(plugin: Plugin) -> Process:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.cluster is not None:
        spec["cluster"] = plugin.cluster
    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    environ = {**os.environ, **dict(plugin.environ), "KUBERNETES_EXEC_INFO": json.dumps(info)}
    try:
        return await asyncio.create_subprocess_exec(
            plugin.command,
            *plugin.args,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env=environ,
            start_new_session=True,
        )
    except OSError as error:
        hint = words.one_line(words.clean(plugin.install_hint))[:_SAID]
        raise Misconfigured(
            f"cannot run the credential plugin {plugin.command} of user {plugin.user}: "
            f"{(error.strerror or str(error)).lower()}{hint and '. '}{hint}"
        ) from error


async def _end(process: Process) -> None:
    """Leave nothing running: the plugin is the leader of its own session and group."""
    if process.returncode is None:
        with suppress(ProcessLookupError):  # it may end between the look and the signal
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _proof(plugin: Plugin, out: bytes) -> Proof:
    try:
        status = _status(plugin, json.loads(out))
        expires = status.get("expirationTimestamp")
        proof = Proof(
            authorization=f"Bearer {status['token']}" if status.get("token") else "",
            certificate=status.get("clientCertificateData") or "",
            key=status.get("clientKeyData") or "",
            expires=datetime.fromisoformat(expires).astimezone(UTC) if expires else None,
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        # The answer may hold a token: nothing of it is repeated.
        raise Misconfigured(
            f"the credential plugin {plugin.command} of user {plugin.user} did not answer with an "
            f"ExecCredential of {plugin.api_version or 'an apiVersion'}"
        ) from None
    if bool(proof.certificate) != bool(proof.key) or not (proof.authorization or proof.key):
        raise Misconfigured(
            f"the credential plugin {plugin.command} of user {plugin.user} gave neither a token nor "
            "a certificate with its key"
        )
    return proof


def _status(plugin: Plugin, answer: Any) -> Mapping[str, Any]:
    if (answer["kind"], answer["apiVersion"]) != ("ExecCredential", plugin.api_version):
        raise ValueError
    status: Mapping[str, Any] = answer["status"]
    return status


def _said(err: bytes) -> str:
    text = words.one_line(words.clean(err.decode(errors="replace")))
    return f": {text[-_SAID:]}" if text else ""
