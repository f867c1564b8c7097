"""One genuine kube-apiserver over one etcd, both on loopback, in a directory that is thrown away.

Nothing else of Kubernetes runs: no controllers (so no garbage collection, no namespace ever ends
its deletion), no scheduler, no kubelet, and no CNPG operator (so no webhooks). CNPG's four CRDs are
installed.
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import yaml

from tui.sandbox import tls
from tui.sandbox.bucket import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.apiserver.build import Assets

_START_LIMIT = 120.0
"""Seconds. Started alone on two idle cores it takes about five; these machines are seldom idle."""


_OPERATIONS = 100
"""etcd takes 128 in one transaction."""


class NotStarted(Exception):
    """The server ended or did not get ready; the text holds the end of its log."""


class KubeApiServer:
    """The pair of processes. ``start`` first, ``stop`` at the end; the methods block."""

    def __init__(self, assets: Assets, directory: Path, network: Path | None = None) -> None:
        """``network`` is a Unix socket that takes HTTP CONNECT to the addresses of nodes and Pods."""
        self._assets = assets
        self._network = network
        self._crds = [yaml.load(crd.read_text(), yaml.CSafeLoader) for crd in assets.crds]
        self._directory = directory
        self._etcd_port, self._etcd_peer_port, self._port = free_ports(3)
        # A bound process dies with the thread that started it, so one thread starts them all.
        self._spawner = ThreadPoolExecutor(1)
        self._etcd: subprocess.Popen[bytes] | None = None
        self._apiserver: subprocess.Popen[bytes] | None = None
        self.admin_token = secrets.token_urlsafe(24)
        """The bearer token of a member of system:masters."""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    @property
    def ca_file(self) -> Path:
        return self._directory / "ca.crt"

    @property
    def pid(self) -> int:
        """The process id of kube-apiserver."""
        if self._apiserver is None:
            raise NotStarted("kube-apiserver is not running")
        return self._apiserver.pid

    def start(self) -> None:
        """Start both, wait until the API server is ready and serves the CRDs."""
        self._write_credentials()
        self._etcd = self._run(self._etcd_command(), "etcd.log")
        self._wait("etcd", self._etcd, self._etcd_is_healthy)
        self._start_apiserver()
        for crd in self._crds:
            self.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        self._wait_for_crds()

    def stop(self) -> None:
        """End both at once; what they stored is of no further use."""
        self.kill()
        if self._etcd is not None:
            _end(self._etcd)
            self._etcd = None
        self._spawner.shutdown()

    def kill(self) -> None:
        """SIGKILL the API server, as a crash or a lost node would. etcd goes on."""
        if self._apiserver is not None:
            _end(self._apiserver)
            self._apiserver = None

    def restart(self) -> None:
        """Bring the API server back on the same port, over the same data; returns when it is ready."""
        self.kill()
        self._start_apiserver()
        self._wait_for_crds()

    def show_another_certificate(self) -> None:
        """Come back with a certificate that another authority has signed; ``ca_file`` is its own."""
        self.kill()
        self._write_certificate()
        self._start_apiserver()
        self._wait_for_crds()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and are accepted, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: whatever was asked meanwhile is answered now."""
        self._signal(signal.SIGCONT)

    def compact(self) -> None:
        """Forget every past revision: resuming from an older resourceVersion is answered 410.

        Compacting etcd alone does not show at once, as the API server answers watches and pages
        from a window of events in its own memory. So it is restarted too, as in an upgrade of the
        control plane, where clients meet this.
        """
        revision = self._etcd_call("/v3/kv/range", {"key": "AA=="})["header"]["revision"]
        self._etcd_call("/v3/kv/compaction", {"revision": revision, "physical": True})
        self.restart()

    def backdate(self, group: str, created: Callable[[dict[str, Any]], str]) -> None:
        """Give the objects of a group another age; the API server itself lets nobody choose it."""
        first, end = (base64.b64encode(f"/registry/{group}{at}".encode()) for at in "/0")
        asked = {"key": first.decode(), "range_end": end.decode()}
        puts = []
        for kept in self._etcd_call("/v3/kv/range", asked).get("kvs", ()):
            document = json.loads(base64.b64decode(kept["value"]))
            document["metadata"]["creationTimestamp"] = created(document)
            value = base64.b64encode(json.dumps(document).encode()).decode()
            puts.append({"request_put": {"key": kept["key"], "value": value}})
        for at in range(0, len(puts), _OPERATIONS):
            self._etcd_call("/v3/kv/txn", {"success": puts[at : at + _OPERATIONS]})

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        token: str | None = None,
    ) -> dict[str, Any]:
        """One request as the admin (or with ``token``); raises urllib's HTTPError past 399.

        A PATCH is a merge patch.
        """
        answer: dict[str, Any] = json.loads(self._send(method, path, body, token))
        return answer

    def metrics(self) -> str:
        """What it counts of itself, in Prometheus' text format."""
        return self._send("GET", "/metrics").decode()

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        token: str | None = None,
    ) -> bytes:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {token or self.admin_token}",
                "Content-Type": (
                    "application/merge-patch+json" if method == "PATCH" else "application/json"
                ),
            },
        )
        trust = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(request, context=trust, timeout=30) as response:
            content: bytes = response.read()
        return content

    def _write_credentials(self) -> None:
        self._directory.chmod(0o700)
        self._write_certificate()
        accounts = tls.self_made()
        if self._network is not None:
            self._write({"egress.json": json.dumps(_egress(self._network)).encode()})
        files = {
            # With these the API server verifies and signs the tokens of service accounts.
            "service-account.crt": accounts.certificate,
            "service-account.key": accounts.key,
            "tokens.csv": f'{self.admin_token},admin,admin,"system:masters"\n'.encode(),
        }
        self._write(files)

    def _write_certificate(self) -> None:
        shown = tls.self_made()
        self._write({"ca.crt": shown.ca, "server.crt": shown.certificate, "server.key": shown.key})

    def _write(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            (self._directory / name).write_bytes(content)

    def _start_apiserver(self) -> None:
        self._apiserver = self._run(self._apiserver_command(), "kube-apiserver.log")
        self._wait("kube-apiserver", self._apiserver, partial(self._answers, "/readyz"))

    def _wait_for_crds(self) -> None:
        # A server just (re)started is ready before it serves these: they answer 404, then 429.
        for crd in self._crds:
            spec = crd["spec"]
            version = next(each["name"] for each in spec["versions"] if each["storage"])
            objects = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"
            self._wait("kube-apiserver", self._apiserver, partial(self._answers, objects))

    def _etcd_command(self) -> list[str]:
        client = f"http://127.0.0.1:{self._etcd_port}"
        peer = f"http://127.0.0.1:{self._etcd_peer_port}"
        return [
            str(self._assets.etcd),
            "--name=etcd",
            f"--data-dir={self._directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=etcd={peer}",
            # The data need not survive this machine.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _apiserver_command(self) -> list[str]:
        at = self._directory
        into = [f"--egress-selector-config-file={at / 'egress.json'}"] if self._network else []
        return [
            str(self._assets.kube_apiserver),
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            # Only `compact` compacts.
            "--etcd-compaction-interval=0",
            "--bind-address=127.0.0.1",
            # Without it the server looks for a default route, which a network namespace may lack.
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--tls-cert-file={at / 'server.crt'}",
            f"--tls-private-key-file={at / 'server.key'}",
            f"--token-auth-file={at / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            f"--service-account-issuer={self.url}",
            f"--service-account-key-file={at / 'service-account.crt'}",
            f"--service-account-signing-key-file={at / 'service-account.key'}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--endpoint-reconciler-type=none",
            # As envtest: it would wait for a controller to make each namespace's default account.
            "--disable-admission-plugins=ServiceAccount",
            "--profiling=false",
            *into,
        ]

    def _run(self, command: list[str], log: str) -> subprocess.Popen[bytes]:
        # Where pytest itself is killed, its servers go with it.
        setpriv = shutil.which("setpriv")
        bound = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
        with (self._directory / log).open("ab") as output:
            return self._spawner.submit(
                subprocess.Popen,
                [*bound, *command],
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            ).result()

    def _wait(
        self, name: str, process: subprocess.Popen[bytes] | None, ready: Callable[[], bool]
    ) -> None:
        deadline = time.monotonic() + _START_LIMIT
        while not ready():
            if process is None or process.poll() is not None:
                raise NotStarted(f"{name} ended:\n{self._log(name)}")
            if time.monotonic() > deadline:
                raise NotStarted(f"{name} is not ready after {_START_LIMIT} s:\n{self._log(name)}")
            time.sleep(0.05)

    def _log(self, name: str) -> str:
        lines = (self._directory / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-30:])

    def _etcd_is_healthy(self) -> bool:
        return _succeeds(lambda: self._etcd_call("/v3/maintenance/status", {}))

    def _answers(self, path: str) -> bool:
        return _succeeds(lambda: self._send("GET", path))

    def _etcd_call(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        # etcd's gRPC gateway: the same calls as JSON.
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._etcd_port}{path}", data=json.dumps(body).encode()
        )
        with urllib.request.urlopen(request, timeout=5) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def _signal(self, number: signal.Signals) -> None:
        if self._apiserver is None:
            raise NotStarted("kube-apiserver is not running")
        self._apiserver.send_signal(number)


def _egress(network: Path) -> dict[str, Any]:
    """How the API server comes to nodes and Pods, of which none is in a network of its own here."""
    way = {"proxyProtocol": "HTTPConnect", "transport": {"uds": {"udsName": str(network)}}}
    return {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": way}],
    }


def _succeeds(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except OSError:  # URLError and HTTPError are OSErrors: not listening yet, not ready, not served
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
