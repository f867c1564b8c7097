"""A client, a router and a server, each in a network namespace of its own, and a line to be cut.

Nothing but these three is connected: no packet gets in from, or out to, anywhere else. A cut is a
blackhole on the router: packets vanish on the way, both ways, and neither end is told.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Self

_CLONE_NEWNET = 0x40000000
_CLIENT, _SERVER = "10.77.1.1", "10.77.2.1"
_TO_CLIENT, _TO_SERVER = "10.77.1.2", "10.77.2.2"


def why_impossible() -> str | None:
    """What is missing for network namespaces, None if nothing is."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need ip (Debian: iproute2)"
    return None


class Network:
    """Entered, it is there; left, it is gone."""

    def __init__(self) -> None:
        name = f"cnpg-tui-{secrets.token_hex(3)}"
        self._client, self._router, self._server = (f"{name}-{end}" for end in "crs")
        self._dropped = (f"{_CLIENT}/32", f"{_SERVER}/32")

    def __enter__(self) -> Self:
        try:
            for namespace in (self._client, self._router, self._server):
                _ip("netns", "add", namespace)
                _ip("-n", namespace, "link", "set", "lo", "up")
            self._connect(self._client, _CLIENT, _TO_CLIENT)
            self._connect(self._server, _SERVER, _TO_SERVER)
            forward = "/proc/sys/net/ipv4/ip_forward"
            _ip("netns", "exec", self._router, "sh", "-c", f"echo 1 > {forward}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for namespace in (self._client, self._router, self._server):
            if Path("/run/netns", namespace).exists():
                _ip("netns", "delete", namespace)  # and with it its ends of the lines

    def _connect(self, namespace: str, address: str, gateway: str) -> None:
        near, far = namespace[-1], f"to-{namespace[-1]}"
        peer = ("type", "veth", "peer", "name", far, "netns", self._router)
        _ip("link", "add", near, "netns", namespace, *peer)
        for where, device, own in ((namespace, near, address), (self._router, far, gateway)):
            _ip("-n", where, "address", "add", f"{own}/24", "dev", device)
            _ip("-n", where, "link", "set", device, "up")
        _ip("-n", namespace, "route", "add", "default", "via", gateway)

    def command(self, *command: str) -> tuple[str, ...]:
        """``command`` as the client runs it."""
        return ("ip", "netns", "exec", self._client, *command)

    def listening(self) -> socket.socket:
        """A socket that listens on the server's address, whoever holds it."""
        made: list[socket.socket | BaseException] = []

        def listen() -> None:
            # A thread may be in a namespace of its own; a socket stays in the one it was made in.
            try:
                _enter(Path("/run/netns", self._server))
                made.append(socket.create_server((_SERVER, 0)))
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked
                made.append(error)

        thread = threading.Thread(target=listen)
        thread.start()
        thread.join()
        if isinstance(made[0], BaseException):
            raise made[0]
        return made[0]

    def cut(self) -> None:
        """Drop every packet from now on."""
        for way in self._dropped:
            _ip("-n", self._router, "route", "add", "blackhole", way)

    def heal(self) -> None:
        """Let packets pass again."""
        for way in self._dropped:
            _ip("-n", self._router, "route", "delete", "blackhole", way)


def _enter(namespace: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with namespace.open() as handle:
        if libc.setns(handle.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")


def _ip(*arguments: str) -> None:
    subprocess.run(("ip", *arguments), check=True, capture_output=True, text=True)
