"""``cnpg-tui cron`` as a person, a script and a pipe see it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tui import cron_report
from tui.cron_report import BadRequestError

NOW = datetime(2026, 11, 22, 14, 1, 2, 500_000, tzinfo=UTC)
GOLDEN = Path(__file__).parent / "data" / "cron-golden.jsonl"


def command(
    expr: str,
    *,
    from_: str | None = None,
    timezone: str | None = None,
    count: int | None = None,
    output: Any = "text",
    stdin: str = "",
) -> tuple[int, str]:
    out = io.StringIO()
    code = cron_report.run(expr, from_, timezone, count, output, io.StringIO(stdin), out, NOW)
    return code, out.getvalue()


def answered(expr: str, **flags: Any) -> dict[str, Any]:
    answer = json.loads(command(expr, output="json", **flags)[1])
    assert isinstance(answer, dict)
    return answer


def streamed(*lines: str, **flags: Any) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in command("-", stdin="\n".join(lines) + "\n", **flags)[1].splitlines()
    ]


# One schedule


def test_the_trap_is_told_with_its_fix() -> None:
    code, said = command("0 2 * * *", count=2)
    assert code == 1
    assert said == (
        "Schedule  0 2 * * *\n"
        "Verdict   accepted, but misread\n"
        "CNPG      every hour at minute 2, second 0\n"
        "          24 a day, 730.49 a month\n"
        "Warning   Schedule parameter may not have the right number of arguments (usually\n"
        "          six arguments are needed)\n"
        "Unix      every day at 02:00\n"
        "Fix       0 0 2 * * *\n"
        "Next      2026-11-22T14:02:00Z\n"
        "          2026-11-22T15:02:00Z\n"
    )


def test_a_refusal_is_underlined() -> None:
    code, said = command("0 0 0 * * 1,7")
    assert code == 2
    assert said.splitlines()[:2] == [
        "Schedule  0 0 0 * * 1,7",
        "                      ^",
    ]
    assert "CNPG      End of range (7) above maximum (6): 7" in said
    assert "Next" not in said


def test_a_long_text_is_cut_around_the_trouble() -> None:
    said = command("1," * 3_000 + "x," + "2," * 2_000 + "3 0 0 * *")[1].splitlines()
    assert all(len(line) <= 80 for line in said)
    assert said[0][said[1].index("^")] == "x"


def test_a_short_text_before_the_trouble_is_not_cut() -> None:
    said = command("x 0 0 " + "* " * 50)[1].splitlines()
    assert said[0].startswith("Schedule  x 0 0")


def test_what_could_move_the_cursor_is_not_printed() -> None:
    said = command("0 0\x1b[2J 0 * *")[1]
    assert said.isprintable() or "\x1b" not in said
    assert "0 0\u00b7[2J 0" in said


def test_a_schedule_that_never_fires_says_so() -> None:
    code, said = command("0 0 0 30 2 *")
    assert code == 0
    assert "never: there is no day 30 in February" in said
    assert "Next      no run within five years" in said


def test_a_suspected_padding_is_mentioned_and_stays_valid() -> None:
    code, said = command("0 2 * * * *")
    assert code == 0
    assert "Suspect   was every day at 02:00 meant?" in said
    assert "Fix       0 0 2 * * *" in said


@pytest.mark.parametrize(
    ("expr", "code"),
    [("0 0 2 * * *", 0), ("@daily", 0), ("0 2 * * *", 1), ("0 3 * * 0", 2), ("", 2)],
)
@pytest.mark.parametrize("output", ["text", "json"])
def test_the_exit_code_is_the_verdict(expr: str, code: int, output: str) -> None:
    assert command(expr, output=output)[0] == code


def test_the_json_of_the_trap_holds_both_readings() -> None:
    assert answered("0 2 * * *", count=2) == {
        "schedule": "0 2 * * *",
        "error": None,
        "verdict": "misread",
        "warning": "Schedule parameter may not have the right number of arguments "
        "(usually six arguments are needed)",
        "description": "every hour at minute 2, second 0",
        "next": ["2026-11-22T14:02:00Z", "2026-11-22T15:02:00Z"],
        "unix_reading": {
            "description": "every day at 02:00",
            "fixed": "0 0 2 * * *",
            "next": ["2026-11-23T02:00:00Z", "2026-11-24T02:00:00Z"],
        },
    }


def test_the_json_of_a_refusal_has_the_error_and_no_runs() -> None:
    answer = answered("0 0 0 * * 7")
    assert answer["error"] == "End of range (7) above maximum (6): 7"
    assert answer["next"] == []
    assert answer["warning"] is None
    assert answer["unix_reading"] is None
    assert "Sunday is 0" in answer["description"]


def test_five_runs_from_now_in_utc_are_the_default() -> None:
    assert answered("0 0 * * * *")["next"] == [
        f"2026-11-22T{hour}:00:00Z" for hour in (15, 16, 17, 18, 19)
    ]


@pytest.mark.parametrize(
    ("from_", "timezone", "first"),
    [
        ("2026-07-01T00:00:00Z", None, "2026-07-01T02:00:00Z"),
        ("2026-07-01T00:00:00+05:45", None, "2026-07-01T02:00:00+05:45"),
        ("2026-07-01T00:00:00Z", "Europe/Berlin", "2026-07-02T02:00:00+02:00"),
        ("2026-07-01T00:00:00.999999999-04:00", "UTC", "2026-07-02T02:00:00Z"),
        ("2026-01-01T00:00:00Z", "Europe/London", "2026-01-01T02:00:00Z"),
        ("2026-07-01t00:00:00z", None, "2026-07-01T02:00:00Z"),
        ("1890-07-01T00:00:00Z", "Africa/Monrovia", "1890-07-01T02:00:00-00:43"),
        (None, "Asia/Tokyo", "2026-11-23T02:00:00+09:00"),
    ],
)
def test_runs_are_counted_and_shown_in_the_zone_asked_for(
    from_: str | None, timezone: str | None, first: str
) -> None:
    assert answered("0 0 2 * * *", from_=from_, timezone=timezone)["next"][0] == first


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"from_": "yesterday"}, "from is not an RFC3339 time"),
        ({"from_": "2026-11-22T14:03:12"}, "from is not an RFC3339 time"),
        ({"from_": "2026-02-30T00:00:00Z"}, "from is not an RFC3339 time"),
        ({"from_": "0000-01-01T00:00:00Z"}, "from is not an RFC3339 time"),
        ({"from_": "0001-01-01T00:00:00Z", "timezone": "America/Lima"}, "outside the years"),
        ({"timezone": "Mars/Phobos"}, "timezone is not a known IANA name"),
        ({"timezone": "../../etc/passwd"}, "timezone is not a known IANA name"),
        ({"timezone": "Europe"}, "timezone is not a known IANA name"),
        ({"timezone": ""}, "timezone is not a known IANA name"),
        ({"count": 0}, "count is not a number from 1 to 10000"),
        ({"count": 10_001}, "count is not a number from 1 to 10000"),
    ],
)
@pytest.mark.parametrize("expr", ["0 0 2 * * *", "-"])
def test_a_flag_that_cannot_be_used_is_named(expr: str, flags: dict[str, Any], why: str) -> None:
    with pytest.raises(BadRequestError, match=why):
        command(expr, **flags)


def test_some_thousand_runs_may_be_asked_for() -> None:
    runs = answered("* * * * * *", count=5_000)["next"]
    assert len(set(runs)) == 5_000


# A stream


def test_a_stream_answers_line_by_line_and_exits_with_the_worst() -> None:
    lines = ['{"schedule": "0 0 2 * * *"}', "", '{"schedule": "0 2 * * *"}']
    code, out = command("-", stdin="\n".join(lines))
    assert [json.loads(line)["verdict"] for line in out.splitlines()] == ["valid", "misread"]
    assert code == 1


def test_a_line_may_bring_its_own_moment_zone_and_count() -> None:
    (answer,) = streamed(
        '{"schedule": "0\\t0 2 * * *", "from": "2027-03-28T01:30:00+01:00",'
        ' "timezone": "Europe/Berlin", "count": 1}'
    )
    assert answer["next"] == ["2027-03-29T02:00:00+02:00"]
    assert answer["schedule"] == "0\t0 2 * * *"


def test_flags_serve_the_lines_that_say_nothing_themselves() -> None:
    mine, theirs = streamed(
        '{"schedule": "@hourly", "timezone": null}',
        '{"schedule": "@hourly", "timezone": "UTC", "count": 2}',
        timezone="Asia/Tokyo",
        count=1,
    )
    assert mine["next"] == ["2026-11-23T00:00:00+09:00"]
    assert len(theirs["next"]) == 2
    assert theirs["next"][0].endswith("Z")


def test_a_tab_may_stand_in_a_line_as_it_is() -> None:
    assert streamed('{"schedule": "0\t0\t2\t*\t*\t*"}')[0]["verdict"] == "valid"


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        '"0 0 2 * * *"',
        "{}",
        '{"schedule": 5}',
        '{"schedule": "@daily", "count": "8"}',
        '{"schedule": "@daily", "count": true}',
        '{"schedule": "@daily", "count": -1}',
        '{"schedule": "@daily", "from": 1774656000}',
        '{"schedule": "@daily", "timezone": ["UTC"]}',
        '{"schedule": "@daily", "timezone": "\\ud800"}',
        '{"schedule": "@daily", "timezone": "a\\u0000b"}',
        '{"schedule": ' + "[" * 100_000,
        '{"count": ' + "9" * 10_000 + "}",
    ],
)
def test_a_bad_line_is_answered_with_an_error_and_the_next_one_as_usual(line: str) -> None:
    bad, good = streamed(line, '{"schedule": "@daily"}')
    assert bad["error"]
    assert bad["schedule"] is None
    assert bad["next"] == []
    assert good["error"] is None
    assert bad.keys() == good.keys()


def test_half_a_surrogate_pair_goes_through() -> None:
    (answer,) = streamed('{"schedule": "\\ud800 0 0 * *"}')
    assert answer["error"].startswith("Failed to parse int from \ufffd")


def test_the_vectors_of_the_library_pass_through_a_pipe_one_by_one() -> None:
    # A program writes a line and waits for its answer: nothing may sit in a buffer.
    program = (
        "import sys; from datetime import UTC, datetime; from tui import cron_report;"
        "sys.exit(cron_report.run('-', None, None, None, 'json', sys.stdin, sys.stdout,"
        " datetime.now(UTC)))"
    )
    rows = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").split("\n")[:150]]
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        for row in rows:
            asked = {
                "schedule": row["schedule"],
                "from": row["start"],
                "timezone": row["tz"],
                "count": 8,
            }
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert (answer["error"], answer["next"]) == (row.get("error"), row.get("next", []))
        process.stdin.close()
        assert process.wait(10) == 2


def test_bytes_that_are_no_utf8_do_not_end_a_stream() -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b'{"schedule": "\xff"}\n{"schedule": "@daily"}\n'))
    out = io.StringIO()
    cron_report.run("-", None, None, None, "json", stdin, out, NOW)
    bad, good = map(json.loads, out.getvalue().splitlines())
    assert bad["verdict"] == "refused"
    assert good["verdict"] == "valid"


def test_a_terminal_that_knows_only_ascii_is_written_to_all_the_same() -> None:
    raw = io.BytesIO()
    stdout = io.TextIOWrapper(raw, encoding="ascii")
    cron_report.run("\u00bd 0 0 * *", None, None, None, "text", io.StringIO(), stdout, NOW)
    stdout.flush()
    assert b"Schedule  \\xbd 0 0 * *" in raw.getvalue()
