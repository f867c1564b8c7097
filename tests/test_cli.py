"""The command line: flags as kubectl spells them, exit codes, and sentences for what is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tui import __version__, cli


def ended(arguments: list[str]) -> int:
    """The exit code of a command line that argparse ends."""
    with pytest.raises(SystemExit) as leaving:
        cli.main(arguments)
    assert isinstance(leaving.value.code, int)
    return leaving.value.code


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["--version"]) == 0
    assert capsys.readouterr().out == f"cnpg-tui {__version__}\n"


@pytest.mark.parametrize(
    ("command", "flag"), [([], "--kubeconfig"), (["report"], "--output"), (["demo"], "--scenario")]
)
def test_help_names_the_flags(
    command: list[str], flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended([*command, "--help"]) == 0
    assert flag in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--no-such-flag"], "unrecognized arguments: --no-such-flag"),
        (["no-such-command"], "invalid choice: 'no-such-command'"),
        (["--theme", "pink"], "invalid choice: 'pink'"),
        (["report", "-o", "xml"], "invalid choice: 'xml'"),
        (["check", "--no-such-flag"], "unrecognized arguments: --no-such-flag"),
        (["demo", "--speed", "fast"], "invalid float value: 'fast'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_line_is_3_and_a_complaint(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(arguments) == 3
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["report", "check", "archive", "lint", "bundle pg", "backup pg"]
)
def test_where_to_look_counts_before_a_command_as_behind_it(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("apiVersion: v1\nkind: Config\n")
    code = cli.main(["--kubeconfig", str(path), "--context", "nope", *command.split()])
    said = capsys.readouterr()
    assert code != 0
    assert "nope" in said.out + said.err


def test_what_stands_behind_a_command_outranks_what_stands_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("apiVersion: v1\nkind: Config\n")
    where = ["--kubeconfig", str(path)]
    assert cli.main([*where, "--context", "before", "check", "--context", "behind"]) == 3
    said = capsys.readouterr()
    assert "behind" in said.err
    assert "before" not in said.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--read-only", "backup", "pg"], "--read-only creates no Backup"),
        (["-A", "backup", "pg"], "-A does not say in which namespace"),
        (["-A", "bundle", "pg"], "-A does not say in which namespace"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_does_not_go_together_is_a_sentence_and_does_nothing(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == (3 if "bundle" in arguments else 2)
    assert complaint in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full to write to")
def test_an_answer_that_cannot_be_written_is_3_and_a_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tui", "cron", "0 0 2 * * *"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr == "cnpg-tui: the answer could not be written: No space left on device\n"


MISTAKEN = """\
import sys
from tui import check_report, cli
def mistaken(*_, **__):
    raise KeyError("a mistake")
check_report.run = mistaken
sys.exit(cli.main(["check"]))
"""


def test_a_mistake_of_our_own_is_3_a_sentence_and_a_log(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MISTAKEN],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    log = tmp_path / "cnpg-tui" / "cnpg-tui.log"
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"cnpg-tui stopped because of a mistake of its own (KeyError). The details are in {log}.\n"
    )
    assert "KeyError: 'a mistake'" in log.read_text()


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("text", []),
        ("json", ["[]"]),
        ("nagios", ["CNPG UNKNOWN - cannot read kubeconfig /nowhere: no such file"]),
        ("prometheus", ["cnpg_tui_check_complete 0"]),
    ],
)
def test_a_check_that_gets_nowhere_is_3_and_no_green(
    output: str, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "--kubeconfig", "/nowhere", "-o", output]) == 3
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert [line for line in lines if line in said] == said
    assert not [line for line in lines if "protected" in line]
    assert told.err == "cnpg-tui: cannot read kubeconfig /nowhere: no such file\n"


def test_a_context_that_is_not_there_is_1_and_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("apiVersion: v1\nkind: Config\n")
    assert cli.main(["report", "--kubeconfig", str(path), "--context", "nope"]) == 1
    said = capsys.readouterr()
    assert "nope" in said.out + said.err
    assert "Traceback" not in said.out + said.err


@pytest.mark.parametrize("arguments", [["demo"], ["demo", "--serve-only"]], ids=" ".join)
def test_a_demo_whose_packages_are_not_there_names_them(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert cli.main(arguments) == 1
    assert "pip install 'cnpg-tui[demo]'" in capsys.readouterr().err


def test_a_reader_that_goes_ends_it_without_a_word() -> None:
    line = '{"schedule":"0 0 2 * * *"}\n'
    program = subprocess.Popen(
        [sys.executable, "-m", "tui", "cron", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdin.write(line)
    program.stdin.flush()
    program.stdout.readline()
    program.stdout.close()
    with suppress(BrokenPipeError):
        program.stdin.write(line * 3000)
    with suppress(BrokenPipeError):
        program.stdin.close()
    assert program.wait(30) == 128 + signal.SIGPIPE
    assert program.stderr.read() == ""
    program.stderr.close()
