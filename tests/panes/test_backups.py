"""The Backups: kubectl's columns, rows that change in place, filter, order, follow, log, details."""

from __future__ import annotations

import re

import pytest
from textual import events

from tests.panes.conftest import Open
from tests.panes.objects import (
    DAY,
    HOUR,
    MINUTE,
    Manifest,
    a_backup,
    a_cluster,
    an_event,
    completed,
    started,
)
from tests.panes.stage import Stage
from tui.sandbox.apiserver import Rule, User

NAMES = ("newest", "middle", "oldest")


def three() -> tuple[Manifest, ...]:
    return (
        a_backup("middle", "alpha", age=2.5 * HOUR, **started()),
        a_backup("oldest", "beta", age=3 * DAY + 30 * MINUTE, **completed(3 * DAY)),
        a_backup("newest", "alpha", age=90 * MINUTE + 30, phase="failed", error="exit status 4"),
    )


def words_of(screen: Stage, name: str) -> list[str]:
    """The cells of a row, without the marks in the gutter."""
    return [word for word in screen.row(name).split() if word not in (">", "▲", "▼")]


async def test_rows_have_kubectls_columns_and_the_newest_stands_first(stage: Open) -> None:
    async with stage(*three()) as screen:
        await screen.press("2")
        await screen.until("NAME AGE CLUSTER METHOD PHASE ERROR", "oldest")
        assert screen.column(*NAMES)[:3] == ["newest", "middle", "oldest"]
        assert words_of(screen, " newest ")[:6] == [
            *("newest", "90m", "alpha", "plugin", "failed", "exit")
        ]
        assert words_of(screen, " oldest ") == ["oldest", "3d", "beta", "plugin", "completed"]


async def test_a_phase_changes_in_its_row(stage: Open) -> None:
    async with stage(*three()) as screen:
        await screen.press("2")
        await screen.until("started")
        screen.server.store.seed(a_backup("middle", "alpha", age=2.5 * HOUR, **completed()))
        await screen.until(lambda s: "completed" in s.row(" middle "))
        assert screen.column(*NAMES)[:3] == ["newest", "middle", "oldest"]


async def test_a_new_backup_appears_on_top_and_the_cursor_stays_on_its_row(stage: Open) -> None:
    async with stage(*three()) as screen:
        await screen.press("2")
        await screen.until("oldest")
        await screen.press("j")
        await screen.until("> middle")
        screen.server.store.seed(a_backup("brand-new", "alpha", age=1))
        await screen.until("brand-new")
        assert screen.column("brand-new", *NAMES)[0] == "brand-new"
        await screen.until("> middle")


async def test_the_newest_are_in_sight_where_the_cursor_stands_on_another_clusters(
    stage: Open,
) -> None:
    old = [a_backup(f"old-{n:02}", "alpha", age=(n + 1) * DAY, **completed()) for n in range(40)]
    new = [a_backup(f"new-{n}", "beta", age=(n + 1) * HOUR, **completed()) for n in range(3)]
    async with stage(a_cluster("alpha"), a_cluster("beta"), *old, *new) as screen:
        await screen.until("> alpha")
        await screen.press("2")
        await screen.until("> old-00")
        assert screen.column("new-0", "new-1", "new-2", "old-00")[:3] == ["new-0", "new-1", "new-2"]
        assert "▲" not in screen.text


async def test_following_keeps_the_cursor_on_the_newest(stage: Open) -> None:
    async with stage(*three()) as screen:
        await screen.press("2")
        await screen.until("oldest")
        await screen.press("G")
        await screen.until("> oldest")
        await screen.press("f")
        await screen.until("> newest", "following newest")
        screen.server.store.seed(a_backup("brand-new", "alpha", age=1))
        await screen.until("> brand-new")
        await screen.press("f")
        await screen.gone("following newest")


async def test_a_filter_narrows_while_it_is_typed_and_escape_shows_all(stage: Open) -> None:
    async with stage(*three()) as screen:
        await screen.press("2")
        await screen.until("oldest")
        await screen.press("slash", *"FAIL")
        await screen.until("1 of 3", "/FAIL")
        await screen.gone("middle")
        await screen.press("enter")
        await screen.until("newest", "/FAIL")
        await screen.press("escape")
        await screen.until("middle", "oldest", "Backups 3 live")


async def test_keys_typed_into_the_filter_are_text(stage: Open) -> None:
    async with stage(*three()) as screen:
        await screen.press("2")
        await screen.until("oldest")
        await screen.press("slash", *"qb1?")
        await screen.until("/qb1?", "0 of 3")
        assert screen.app.is_running


@pytest.mark.parametrize("pane", ["2", "4"])
async def test_a_filter_that_comes_in_one_burst_is_not_cut(stage: Open, pane: str) -> None:
    """Over a slow line the key that opens the filter and its text come together."""
    async with stage(*three()) as screen:
        await screen.press(pane)
        for character in "/be/ta":
            key = {"/": "slash"}.get(character, character)
            screen.app.post_message(events.Key(key, character))
        await screen.until("/be/ta", "Nothing matches /be/ta")


async def test_a_filter_holds_for_what_arrives_later(stage: Open) -> None:
    async with stage(*three()) as screen:
        await screen.press("2")
        await screen.until("oldest")
        await screen.press("slash", *"beta", "enter")
        await screen.until("1 of 3")
        screen.server.store.seed(a_backup("of-alpha", "alpha", age=1))
        screen.server.store.seed(a_backup("of-beta", "beta", age=1))
        await screen.until("2 of 5", "of-beta")
        assert "of-alpha" not in screen.text


async def test_rows_sort_by_each_column_in_turn_and_turn_round(stage: Open) -> None:
    async with stage(*three()) as screen:
        await screen.press("2")
        await screen.until("oldest")
        await screen.press("s")
        await screen.until("NAME↑")
        assert screen.column(*NAMES)[:3] == ["middle", "newest", "oldest"]
        await screen.press("S")
        await screen.until("NAME↓")
        assert screen.column(*NAMES)[:3] == ["oldest", "newest", "middle"]
        await screen.press("S", "s")
        await screen.until("AGE↑")
        assert screen.column(*NAMES)[:3] == ["newest", "middle", "oldest"]
        await screen.press(*"sssss")
        await screen.until(lambda s: "↑" not in s.text)
        assert screen.column(*NAMES)[:3] == ["newest", "middle", "oldest"]


HOSTILE = {
    "markup": ("[/foo] [red]not red[/red] [@click=app.quit]x[/]", "[/foo] [red]not red[/red]"),
    "escapes": ("\x1b[2J\x1b]0;title\x07gone\x1b[31m?", "gone?"),
    "bidi": ("\u202efdp.exe\u202c safe\u200bword", "fdp.exe safeword"),
    "lines": ("first line\nsecond line", "first line..."),
    "tab": ("tab\there", "tab here"),
    "wide": ("日本語のエラー 🐘 e\u0301", "日本語のエラー 🐘"),
    "long": ("x" * 10_000, "xxxx"),
}
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]")


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (20, 5)], ids=["80x24", "160x48", "20x5"])
async def test_a_hostile_error_text_is_shown_harmlessly(stage: Open, size: tuple[int, int]) -> None:
    rows = [
        a_backup(name, age=90 * MINUTE + number, phase="failed", error=error)
        for number, (name, (error, _)) in enumerate(HOSTILE.items())
    ]
    async with stage(*rows, size=size) as screen:
        await screen.press("2")
        await screen.until("> markup")
        for name, (_, shown) in HOSTILE.items():
            await screen.until(f"> {name}")
            if size[0] >= 80:
                assert shown in " ".join(screen.row(f"> {name}").split())
            assert not any(UNSAFE.search(line) for line in screen.lines)
            await screen.press("enter")
            await screen.until(f"Backup {name}", f"{name} failed:")
            assert not any(UNSAFE.search(line) for line in screen.lines)
            await screen.press("escape", "j")
        assert screen.app.is_running


async def test_a_long_error_is_read_to_its_end_in_the_details(stage: Open) -> None:
    error = "boto3 says: " + "y" * 9_000 + " the end"
    async with stage(a_backup("pg-1", phase="failed", error=error)) as screen:
        await screen.press("2")
        await screen.until("> pg-1")
        await screen.press("enter")
        await screen.until("boto3 says:")
        for _ in range(20):
            await screen.press("pagedown")
        await screen.press("end")
        await screen.until("Events")
        while "the end" not in screen.text:
            await screen.press("k")


async def test_a_backup_that_cannot_be_read_is_a_row_and_has_details(stage: Open) -> None:
    odd = a_backup("odd", age=MINUTE)
    odd["spec"]["cluster"] = "pg"
    async with stage(odd, a_backup("pg-1", **completed())) as screen:
        await screen.press("2")
        await screen.until("unreadable", "> odd")
        assert "completed" in screen.row(" pg-1 ")
        await screen.until("odd cannot be read: cluster is a text, not an object")
        await screen.press("enter")
        await screen.until("This Backup cannot be read: cluster is a text, not an object")


async def test_the_details_show_each_field_of_a_plugin_backup(stage: Open) -> None:
    async with stage(a_backup("pg-1", **completed()), size=(100, 48)) as screen:
        await screen.press("2")
        await screen.until("> pg-1")
        await screen.press("enter")
        await screen.until(
            "Backup pg-1 in production",
            "pg-1 completed in 60s, 000000010000000000000004 .. 000000010000000000000005",
            "spec.pluginConfiguration.name barman-cloud.cloudnative-pg.io",
            "status.phase completed",
            "elapsed 60s",
            "status.backupId 20261122T142227",
            "status.beginLSN 0/4000028",
            "status.instanceID.podName pg-1",
            "status.majorVersion 18",
            "status.online true",
            "status.pluginMetadata timeline=1, version=0.14.0",
            "scheduled by nobody: on demand",
            "none (the API server keeps them for an hour)",
        )
        assert re.search(
            r"status.startedAt +20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ  91m ago", screen.text
        )


async def test_the_details_say_what_a_backup_waits_behind(stage: Open) -> None:
    async with stage(
        a_backup("first", "pg", age=2.5 * HOUR, **started(2.5 * HOUR)),
        a_backup("second", "pg", age=90 * MINUTE, phase="pending"),
    ) as screen:
        await screen.press("2")
        await screen.until(
            "> second",
            "second waits: first is started since",
            "holds up 1 Backup; that clears when it ends",
        )
        await screen.press("enter")
        await screen.until(
            "second waits: first is started since",
            "holds up 1 Backup; that clears when it ends",
            "status.phase pending",
        )
        await screen.press("escape", "j")
        await screen.until("first runs on pg-1 for 150m")


async def test_the_details_list_the_events_of_this_backup_alone(stage: Open) -> None:
    async with stage(a_cluster("pg"), size=(120, 48)) as screen:
        store = screen.server.store
        about = store.seed(a_backup("pg-1", **started()))
        other = store.seed(a_backup("pg-2", **started()))
        store.seed(an_event(about, "Starting", "Starting backup [/pg-1]"))
        store.seed(an_event(other, "Failed", "of somebody else", type_="Warning"))
        await screen.press("2")
        await screen.until("pg-2")
        while "> pg-1" not in screen.text:
            await screen.press("j")
        await screen.press("enter")
        await screen.until(re.compile(r"5m\d+s Normal Starting Starting backup \[/pg-1\]"))
        assert "somebody else" not in screen.text


async def test_events_that_may_not_be_read_are_a_sentence(stage: Open) -> None:
    cnpg_only = User(
        "cnpg-only", "t", (Rule(("postgresql.cnpg.io", "barmancloud.cnpg.io"), ("*",), ("*",)),)
    )
    async with stage(a_backup("pg-1", **started()), user=cnpg_only, size=(120, 48)) as screen:
        screen.server.access.admit(cnpg_only)
        await screen.press("R", "2")
        await screen.until("> pg-1")
        await screen.press("enter")
        await screen.until("Events", "forbidden. Ask for list on events")


async def test_the_details_follow_the_backup_to_its_end_and_beyond(stage: Open) -> None:
    async with stage(a_backup("pg-1", **started())) as screen:
        await screen.press("2")
        await screen.until("> pg-1")
        await screen.press("enter")
        await screen.until("status.phase started")
        screen.server.store.seed(a_backup("pg-1", **completed()))
        await screen.until("status.phase completed")
        backups = screen.server.registry.at("postgresql.cnpg.io", "v1", "backups")
        assert backups is not None
        stored = screen.server.store.get(backups, "production", "pg-1")
        assert stored is not None
        screen.server.store.remove(stored)
        await screen.until("This Backup is gone from the API server.")
        await screen.press("escape")
        await screen.until("No Backup here yet.")


async def test_log_mode_prints_a_line_an_event_and_goes_back_to_the_table(stage: Open) -> None:
    async with stage(
        a_backup("beta-2", "beta", age=DAY, **completed()),
        a_backup("alpha-1", "alpha", **started()),
    ) as screen:
        await screen.press("2")
        await screen.until("beta-2")
        await screen.press("w")
        await screen.until("EVENT NAME AGE CLUSTER METHOD PHASE ERROR")
        screen.server.store.seed(
            a_backup("alpha-1", "alpha", phase="failed", error="exit status 4")
        )
        await screen.until("exit status 4")
        printed = [line for line in screen.lines if line.startswith(("ADDED", "MODIFIED"))]
        assert printed == [
            "ADDED      alpha-1   90m   alpha     plugin   started",
            "ADDED      beta-2    24h   beta      plugin   completed",
            "MODIFIED   alpha-1   90m   alpha     plugin   failed      exit status 4",
        ]
        await screen.press("w")
        await screen.until("> alpha-1")


async def test_the_log_remembers_what_came_while_nobody_looked(stage: Open) -> None:
    async with stage(a_backup("pg-1", **started())) as screen:
        await screen.until("live")
        screen.server.store.seed(a_backup("pg-2", age=1))
        await screen.press("2")
        await screen.until("pg-2")
        await screen.press("w")
        await screen.until("ADDED pg-1", re.compile("ADDED +pg-2"))
