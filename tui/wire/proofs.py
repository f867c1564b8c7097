"""What a user shows to the server, made from what the kubeconfig says of them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from tui.faults import Misconfigured
from tui.wire import plugins
from tui.wire.kubeconfig import User, read_file
from tui.wire.plugins import Proof

TOKEN_FILE_LASTS = timedelta(minutes=1)
"""How long a token from a file is used before the file is read again: the kubelet rotates it there
(client-go ``transport/token_source.go``)."""


async def obtain(user: User, now: datetime) -> Proof:
    """The proof for a user; may run a program. Raises :class:`Misconfigured`."""
    if user.plugin is not None:
        proof = await plugins.ask(user.plugin)
        return proof if proof.certificate else _with_certificate(user, proof)
    return await asyncio.to_thread(_from_files, user, now)


def _from_files(user: User, now: datetime) -> Proof:
    if user.token_file is not None:
        token = read_file(user.token_file).strip()
        if not token:
            raise Misconfigured(f"the token file {user.token_file} of user {user.name} is empty")
        proof = Proof(authorization=f"Bearer {token}", expires=now + TOKEN_FILE_LASTS)
    elif user.token:
        proof = Proof(authorization=f"Bearer {user.token}")
    elif user.password:
        proof = Proof(authorization=f"Basic {base64.b64encode(user.password.encode()).decode()}")
    else:
        proof = Proof()
    return _with_certificate(user, proof)


def _with_certificate(user: User, proof: Proof) -> Proof:
    return replace(proof, certificate=user.certificate.read(), key=user.key.read())


def configured(user: User) -> str:
    """A digest, the same for the same credentials. Raises :class:`Misconfigured`."""
    token = read_file(user.token_file) if user.token_file is not None else user.token
    said = (repr(user), token, user.password, user.certificate.read(), user.key.read())
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


def expired(proof: Proof, now: datetime) -> bool:
    """Whether the proof's time is over."""
    return proof.expires is not None and proof.expires <= now


def other_certificate(old: Proof, new: Proof) -> bool:
    """Whether connections made with ``old`` show another certificate than ``new`` would."""
    return (old.certificate, old.key) != (new.certificate, new.key)
