"""Finds the genuine kube-apiserver, its etcd and CNPG's CRDs, or builds and fetches them.

    python tests/apiserver/build.py      builds if needed, prints what was found

Order of search for the two programs: the directory ``KUBEBUILDER_ASSETS`` names (the convention of
controller-runtime's envtest); else the user's cache, filled by one ``go build`` of the published
modules that ``go.mod`` beside this file pins. The CRDs come from ``CNPG_CRD_DIR``, else out of the
published modules of the operator and of its plugin in Go's module cache. No copy of any of it is
kept in the repository, and nothing else is downloaded.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).resolve().parent
_PROGRAMS = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
}
_FLAGS = ("-trimpath", "-mod=readonly", "-buildvcs=false")


@dataclass(frozen=True, slots=True)
class _CrdModule:
    path: str
    version: str
    sum: str
    """The module's hash as the Go checksum database has it."""
    files: tuple[str, ...]


_CRD_MODULES = (
    _CrdModule(
        "github.com/cloudnative-pg/cloudnative-pg",
        "v1.30.0",
        "h1:fnhVq44xXx97MNiuvJsPrX1vSjYbgdyBK5MSGfdHdp0=",
        (
            "postgresql.cnpg.io_backups.yaml",
            "postgresql.cnpg.io_clusters.yaml",
            "postgresql.cnpg.io_scheduledbackups.yaml",
        ),
    ),
    _CrdModule(
        "github.com/cloudnative-pg/plugin-barman-cloud",
        "v0.14.0",
        "h1:kpTo7egntRIM15hvo0xtOj07wyjj23jcz/Co0KfzC7s=",
        ("barmancloud.cnpg.io_objectstores.yaml",),
    ),
)


class Unavailable(Exception):
    """This machine has no genuine API server and no means to make one; the text says why."""


class BuildFailed(Exception):
    """There was a means to get the servers or the CRDs, and it failed; the text holds the output."""


@dataclass(frozen=True, slots=True)
class Assets:
    """Where the genuine parts lie."""

    kube_apiserver: Path
    etcd: Path
    crds: tuple[Path, ...]


def why_unavailable() -> str | None:
    """Why the genuine server cannot be had here, None if it can. Builds nothing."""
    if shutil.which("go"):
        return None
    if not os.environ.get("KUBEBUILDER_ASSETS"):
        return "there is neither a Go toolchain nor KUBEBUILDER_ASSETS (a directory of binaries)"
    if not os.environ.get("CNPG_CRD_DIR"):
        return "without a Go toolchain CNPG_CRD_DIR must name a directory of CNPG's CRDs"
    return None


def is_ready() -> bool:
    """Whether ``find`` would answer at once, without a build."""
    return bool(os.environ.get("KUBEBUILDER_ASSETS")) or _cached().is_dir()


def find() -> Assets:
    """The programs and CRDs, built and fetched first where need be (many minutes, once).

    Raises ``Unavailable`` where there is nothing to build with, ``BuildFailed`` where that failed.
    """
    if why := why_unavailable():
        raise Unavailable(why)
    named = os.environ.get("KUBEBUILDER_ASSETS")
    directory = Path(named) if named else _built()
    crds = _crds()
    for path in (directory / "kube-apiserver", directory / "etcd", *crds):
        if not path.is_file():
            raise BuildFailed(f"{path} is missing")
    return Assets(directory / "kube-apiserver", directory / "etcd", crds)


def _cached() -> Path:
    """The cache folder of exactly these versions, flags and platform."""
    mod = (_HERE / "go.mod").read_bytes()
    inputs = mod + (_HERE / "go.sum").read_bytes() + " ".join([*_FLAGS, *_ldflags()]).encode()
    name = "-".join(
        [
            f"kubernetes-{_pinned('k8s.io/kubernetes')}",
            f"etcd-{_pinned('go.etcd.io/etcd/server/v3')}",
            f"{os.uname().sysname}-{os.uname().machine}".lower(),
            hashlib.sha256(inputs).hexdigest()[:8],
        ]
    )
    return platformdirs.user_cache_path("cnpg-tui") / "envtest" / name


def _pinned(module: str) -> str:
    found = re.search(
        rf"^\t{re.escape(module)} (v\S+)", (_HERE / "go.mod").read_text(), re.MULTILINE
    )
    if not found:
        raise BuildFailed(f"{_HERE / 'go.mod'} pins no version of {module}")
    return found[1]


def _ldflags() -> list[str]:
    # Unstamped, the server would call itself v0.0.0-master.
    version = _pinned("k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamp = "-X k8s.io/component-base/version."
    return [
        f"-s -w {stamp}gitVersion={version} {stamp}gitMajor={major} {stamp}gitMinor={minor}",
    ]


def _built() -> Path:
    target = _cached()
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target.parent / "lock"):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as work:
                for program, package in _PROGRAMS.items():
                    _build(package, Path(work, program))
                # A rename is atomic, so a build cut short leaves nothing that looks finished.
                Path(work).rename(target)
                Path(work).mkdir()  # for TemporaryDirectory to clean away
    target.chmod(0o755)
    return target


def _build(package: str, output: Path) -> None:
    nice = ["nice", "-n", "19"] if shutil.which("nice") else []
    command = [*nice, "go", "build", *_FLAGS, "-ldflags", *_ldflags(), "-o", str(output), package]
    # Without cgo the result does not depend on a C compiler or on this machine's libc.
    _run(command, cwd=_HERE, env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"})


def _crds() -> tuple[Path, ...]:
    if named := os.environ.get("CNPG_CRD_DIR"):
        return tuple(Path(named, file) for module in _CRD_MODULES for file in module.files)
    return tuple(
        base / file
        for module in _CRD_MODULES
        for base in [_fetched(module) / "config" / "crd" / "bases"]
        for file in module.files
    )


def _fetched(module: _CrdModule) -> Path:
    wanted = f"{module.path}@{module.version}"
    # Outside any module, or go would write this one into go.sum.
    with tempfile.TemporaryDirectory() as nowhere:
        said = _run(["go", "mod", "download", "-json", wanted], cwd=Path(nowhere), env=None)
    answer = json.loads(said)
    if answer["Sum"] != module.sum:
        raise BuildFailed(f"{wanted} has the hash {answer['Sum']}, expected {module.sum}")
    return Path(answer["Dir"])


def _run(command: list[str], cwd: Path, env: dict[str, str] | None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        raise BuildFailed(f"`{' '.join(command)}` ended with status {done.returncode}:\n{said}")
    return done.stdout


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    assets = find()
    for path in (assets.kube_apiserver, assets.etcd, *assets.crds):
        print(path)
