"""The command: flags as kubectl spells them, sub-commands, and the check of the terminal.

Rooms are imported late, when their sub-command is known: ``cnpg-tui --help`` answers in 50 ms, and
the app's first frame does not wait for what only the headless commands need.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from tui import __version__

if TYPE_CHECKING:
    from tui.connect import Connection, Flags, Opener

EXIT_FAILED = 1
EXIT_REFUSED = 2
EXIT_UNKNOWN = 3
"""Nothing was found out: no word of 1 and 2, which for most commands are findings."""
S3_CREDENTIALS = "secret,environment"
THEMES = ("dark", "light", "plain")

_ONE_NAMESPACE = "-A does not say in which namespace the Cluster is; -n NAMESPACE does"

_NOTHING_SAID: Final[Mapping[str, Any]] = {
    "kubeconfig": None,
    "context": None,
    "namespace": None,
    "all_namespaces": False,
    "read_only": False,
    "theme": "dark",
    "mouse": False,
    "bell": False,
    "operator_timezone": None,
    "log_file": None,
}
"""Of the flags that may stand before a sub-command as well as behind it. Only the whole command has
these defaults: a sub-command's own would undo what was said before it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the answer is the exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        code = command(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read has gone (`| head`): so does this.
        _print_nothing_more()
        return 128 + signal.SIGPIPE
    except OSError as error:
        _print_nothing_more()
        where = f" {error.filename}" if error.filename else ""
        _complain(f"cnpg-tui: the answer could not be written{where}: {error.strerror or error}")
        return EXIT_UNKNOWN
    except Exception as bug:  # noqa: BLE001 - the last word on a mistake of our own
        _complain(_admitted(bug))
        return EXIT_UNKNOWN
    return code


def _print_nothing_more() -> None:
    """So that Python, which flushes again at its end, has nothing to complain about."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _admitted(bug: Exception) -> str:
    """A sentence for the screen; the traceback goes to the log, if there can be one."""
    said = f"cnpg-tui stopped because of a mistake of its own ({type(bug).__name__})."
    try:
        log_file = _log_to(None)
    except OSError:
        return said
    logging.getLogger(__name__).error("unhandled", exc_info=bug)
    return f"{said} The details are in {log_file}."


class _Parser(argparse.ArgumentParser):
    """Takes a wrong command line for nothing found out: argparse's 2 would be a finding of `check`."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_UNKNOWN, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="cnpg-tui",
        description="Am I restorable? CloudNativePG backups and WAL archives in a terminal.",
    )
    parser.add_argument("--version", action="version", version=f"cnpg-tui {__version__}")
    parser.set_defaults(command=_app, s3_credentials=S3_CREDENTIALS, **_NOTHING_SAID)
    _where(parser)
    _look(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _report_parser(commands)
    _check_parser(commands)
    _backup_parser(commands)
    _bundle_parser(commands)
    _archive_parser(commands)
    _cron_parser(commands)
    _lint_parser(commands)
    _demo_parser(commands)
    return parser


def _where(parser: argparse.ArgumentParser, *, everywhere: bool = True) -> None:
    where = _group(parser, "which cluster (as kubectl)")
    where.add_argument(
        "--kubeconfig", metavar="FILE", help="instead of $KUBECONFIG or ~/.kube/config"
    )
    where.add_argument("--context", metavar="NAME", help="a context of the kubeconfig")
    where.add_argument(
        "-n", "--namespace", metavar="NAME", help="instead of the context's namespace"
    )
    if everywhere:
        where.add_argument("-A", "--all-namespaces", action="store_true", help="every namespace")


def _group(parser: argparse.ArgumentParser, title: str) -> argparse._ArgumentGroup:
    return parser.add_argument_group(title, argument_default=argparse.SUPPRESS)


def _look(parser: argparse.ArgumentParser) -> None:
    look = _group(parser, "the app")
    look.add_argument("--read-only", action="store_true", help="nothing is ever written")
    look.add_argument("--theme", choices=THEMES, help="plain: the terminal's 16 colours")
    look.add_argument(
        "--mouse", action="store_true", help="let the mouse work (off: SSH lines drop)"
    )
    look.add_argument("--bell", action="store_true", help="ring when a verdict gets worse")
    _operator_zone(look)
    look.add_argument("--log-file", metavar="FILE", type=Path, help="instead of the state folder's")


def _report_parser(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser("report", help="the same facts as text, for scripts and pipes")
    _where(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(command=_report)


def _check_parser(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "check",
        help="one verdict a cluster, for cron, CI and monitoring",
        description="Exit codes: 0 protected, 1 degraded, 2 failing or unprotected, 3 unknown. Of "
        "several clusters the gravest counts, and unknown outranks degraded.",
    )
    parser.add_argument("clusters", nargs="*", metavar="CLUSTER", help="all if left out")
    _keys(parser)
    _where(parser)
    parser.add_argument(
        "-o", "--output", choices=("text", "json", "nagios", "prometheus"), default="text"
    )
    parser.add_argument(
        "--deadline",
        metavar="SECONDS",
        type=float,
        default=60.0,
        help="what is not heard by then is not known (%(default)g)",
    )
    parser.set_defaults(command=_check)


def _backup_parser(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "backup",
        help="back up a cluster now; with --wait, prove that it can be restored",
        description="Exit codes: 0 created (with --wait: completed, and all it needs is in the "
        "bucket), 1 completed, but data or WAL is not in the bucket, 2 no backup: refused or failed, "
        "3 not known: the time is over, the bucket cannot be looked at, or an answer was lost.",
    )
    parser.add_argument("cluster", metavar="CLUSTER")
    parser.add_argument(
        "--target",
        choices=("primary", "prefer-standby"),
        default="",
        help="where it runs, instead of as the Cluster says",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="let the server check it, create nothing"
    )
    parser.add_argument(
        "--wait", action="store_true", help="follow it to its end, then look into the bucket"
    )
    parser.add_argument(
        "--timeout",
        metavar="DURATION",
        type=_duration,
        help="with --wait: how long at most, 30s, 10m, 1h30m; 0 is without end (0)",
    )
    _keys(parser)
    _where(parser, everywhere=False)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(command=_backup)


def _bundle_parser(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "bundle",
        help="all evidence about a cluster in one file, without secrets, for a ticket",
        description="Prints the file's path. Exit codes: 0 written, 3 not known or not written.",
    )
    parser.add_argument("cluster", metavar="CLUSTER")
    parser.add_argument(
        "--folder", metavar="FOLDER|-", default=".", help="where to; - prints it (%(default)s)"
    )
    _keys(parser)
    _where(parser, everywhere=False)
    parser.set_defaults(command=_bundle)


def _duration(text: str) -> timedelta:
    from tui import backup_report  # late: only where a duration is given

    try:
        return backup_report.duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _archive_parser(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "archive",
        help="what lies in the bucket, and whether the WAL is whole",
        description="Exit codes: 0 whole, 1 late or incomplete, 2 holes or no usable base backup, "
        "3 could not look.",
    )
    parser.add_argument(
        "target",
        nargs="?",
        metavar="CLUSTER|s3://BUCKET/PATH/SERVER",
        help="a Cluster (the only one if left out), or the place itself",
    )
    parser.add_argument(
        "--endpoint-url", metavar="URL", default="", help="the store of an s3:// URL; AWS without"
    )
    _keys(parser)
    _where(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(command=_archive)


def _keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--s3-credentials",
        metavar="ORDER",
        type=_credentials,
        default=S3_CREDENTIALS,
        help="where to look for keys, in order: secret, environment, profile:NAME (%(default)s)",
    )


def _credentials(text: str) -> str:
    if text != S3_CREDENTIALS:
        from tui.wire import credentials  # late: it takes a third of a second

        try:
            credentials.order(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _operator_zone(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--operator-timezone",
        metavar="ZONE",
        type=_zone,
        help="where the operator counts schedules, if TZ is set on its Deployment (UTC)",
    )


def _zone(name: str) -> tzinfo:
    from tui import cron_report  # late: only where a zone is named

    try:
        return cron_report.zone(name)
    except cron_report.BadRequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _cron_parser(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "cron",
        help="what the operator makes of a schedule",
        description="Exit codes: 0 valid, 1 accepted but misread, 2 refused. With - every line of "
        "standard input is a JSON object (schedule, and where wanted from, timezone, count) and is "
        "answered by one.",
    )
    parser.add_argument(
        "schedule", metavar="EXPR|-", help="in quotes, as it stands in the manifest"
    )
    parser.add_argument("--from", dest="from_", metavar="RFC3339", help="count from then, not now")
    parser.add_argument("--timezone", metavar="ZONE", help="the operator's zone (UTC)")
    parser.add_argument("--count", metavar="N", type=int, help="so many runs (5)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(command=_cron)


def _lint_parser(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "lint",
        help="check ScheduledBackups in YAML files, or on the server",
        description="Exit codes: 0 nothing but notes, 1 accepted but not what was meant, 2 refused "
        "or unreadable.",
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE|-", help="YAML; the server is asked where none is named"
    )
    _where(parser)
    _operator_zone(_group(parser, "the operator"))
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(command=_lint)


def _demo_parser(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "demo", help="everything without a cluster: a sandbox on 127.0.0.1"
    )
    parser.add_argument("--scenario", metavar="NAME|FILE", default="healthy")
    parser.add_argument("--speed", metavar="N", type=float, default=1.0, help="act N times faster")
    parser.add_argument(
        "--serve-only",
        action="store_true",
        help="no app: print what kubectl and S3 tools need, then serve until interrupted",
    )
    _look(parser)
    parser.set_defaults(command=_demo)


def _flags(options: argparse.Namespace) -> Flags:
    from tui.connect import Flags  # late: only the commands that connect need it

    return Flags(
        kubeconfig=options.kubeconfig,
        context=options.context,
        namespace=options.namespace,
        all_namespaces=options.all_namespaces,
        s3_credentials=options.s3_credentials,
    )


def _app(options: argparse.Namespace) -> int:
    if not _is_terminal():
        options.output = "text"
        return _report(options)
    from tui import connect  # late: only the app needs it

    return _run(options, _flags(options), connect.open_wire)


def _demo(options: argparse.Namespace) -> int:
    from tui import connect, demo, faults  # late: only the demo starts a process

    try:
        demo.check()
    except faults.Misconfigured as fault:
        _complain(f"cnpg-tui: {fault}")
        return EXIT_FAILED
    if options.serve_only:
        demo.serve_only(options.scenario, options.speed)
    if not _is_terminal():
        print("cnpg-tui demo needs a terminal; --serve-only serves without one", file=sys.stderr)
        return EXIT_FAILED

    @asynccontextmanager
    async def opener(_: Flags) -> AsyncIterator[Connection]:
        async with demo.Sandbox(options.scenario, options.speed) as exports:
            flags = connect.Flags(
                kubeconfig=exports["KUBECONFIG"], all_namespaces=True, remember=False
            )
            async with connect.open_wire(flags) as wire:
                yield wire

    return _run(options, connect.Flags(all_namespaces=True), opener)


def _archive(options: argparse.Namespace) -> int:
    from tui import archive_report  # late: only this command needs boto3 and no screen
    from tui.wire import credentials
    from tui.wire.kubeconfig import Where

    sources = credentials.order(options.s3_credentials)
    where = Where(options.kubeconfig, options.context, options.namespace, options.all_namespaces)
    request = archive_report.Request(options.target, options.endpoint_url, where, sources)
    return archive_report.run(
        request,
        output=options.output,
        write=print,
        complain=_complain,
    )


def _cron(options: argparse.Namespace) -> int:
    from tui import cron_report  # late: only this command reads a schedule

    try:
        return cron_report.run(
            options.schedule,
            options.from_,
            options.timezone,
            options.count,
            options.output,
            sys.stdin,
            sys.stdout,
            datetime.now(UTC),
        )
    except cron_report.BadRequestError as error:
        return _refused(str(error))


def _lint(options: argparse.Namespace) -> int:
    from tui import lint_report  # late: YAML and the readers cost more than --help

    zone, now = options.operator_timezone or UTC, datetime.now(UTC)
    if not options.files:
        return lint_report.run_live(
            _flags(options), output=options.output, zone=zone, stdout=sys.stdout, now=now
        )
    return lint_report.run_files(
        options.files,
        output=options.output,
        zone=zone,
        stdin=sys.stdin,
        stdout=sys.stdout,
        now=now,
    )


def _check(options: argparse.Namespace) -> int:
    from tui import check_report  # late: asyncio and the readers cost more than --help

    return check_report.run(
        _flags(options),
        options.clusters,
        output=options.output,
        write=print,
        complain=_complain,
        deadline=options.deadline,
    )


def _backup(options: argparse.Namespace) -> int:
    from tui import backup_report  # late: asyncio and the readers cost more than --help

    request = backup_report.Request(
        options.cluster,
        target=options.target,
        dry_run=options.dry_run,
        wait=options.wait,
        timeout=options.timeout,
    )
    if options.all_namespaces:
        return _refused(_ONE_NAMESPACE)
    if options.read_only and not options.dry_run:
        return _refused("--read-only creates no Backup; --dry-run lets the server check it")
    try:
        backup_report.check(request)
    except ValueError as error:
        return _refused(str(error))
    return backup_report.run(
        _flags(options),
        request,
        output=options.output,
        write=print,
        complain=_complain,
    )


def _bundle(options: argparse.Namespace) -> int:
    from tui import bundle_report  # late: asyncio and the readers cost more than --help

    if options.all_namespaces:
        return _refused(_ONE_NAMESPACE, EXIT_UNKNOWN)
    return bundle_report.run(
        _flags(options),
        options.cluster,
        options.folder,
        write=print,
        complain=_complain,
    )


def _refused(why: str, code: int = EXIT_REFUSED) -> int:
    _complain(f"cnpg-tui: {why}")
    return code


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


def _is_terminal() -> bool:
    """Whether an app can be drawn: a terminal on both ends, and one that can move its cursor."""
    capable = os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
    return capable and sys.stdin.isatty() and sys.stdout.isatty()


def _run(options: argparse.Namespace, flags: Flags, opener: Opener) -> int:
    try:
        log_file = _log_to(options.log_file)
    except OSError as error:
        print(
            f"cnpg-tui: cannot write the log: {error.filename}: {error.strerror}. "
            "Choose another file with --log-file",
            file=sys.stderr,
        )
        return EXIT_FAILED
    # The collector's full rounds take a tenth of the start, and stop the keyboard for 0.1 s and more
    # while thousands of Backups load; what is kept here is flat and frozen, so there is next to
    # nothing for them to find.
    gc.set_threshold(50_000, 20, 100)
    # Smooth scrolling asks the terminal for reports that a slow line answers late or never.
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    from tui.app import CnpgTui  # late: the first frame waits for nothing else

    app = CnpgTui(
        flags,
        opener=opener,
        read_only=options.read_only,
        theme=options.theme,
        log_file=log_file,
        operator_zone=options.operator_timezone or UTC,
        rings=options.bell,
    )
    app.run(mouse=options.mouse)
    if app.last_words:
        print(app.last_words, file=sys.stderr)
    return app.return_code or 0


def _log_to(chosen: Path | None) -> Path:
    """Log to a file, never to the screen; the file is the user's alone. Raises OSError."""
    from platformdirs import user_state_path  # late: only the app writes a log

    path = chosen or user_state_path("cnpg-tui") / "cnpg-tui.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    os.umask(0o077)  # also for the files that the handler begins when this one is full
    path.touch()
    handler = RotatingFileHandler(path, maxBytes=1_000_000, backupCount=2, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    return path


def _report(options: argparse.Namespace) -> int:
    from tui import reports  # late: asyncio and the readers cost more than --help

    return reports.run(_flags(options), output=options.output, write=print, complain=_complain)


if __name__ == "__main__":
    sys.exit(main())
