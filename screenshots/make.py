"""Draws the README's screenshots from the sandbox: ``python screenshots/make.py [NAME ...]``.

Each shot starts a sandbox, opens the app on it without a terminal, presses keys, and exports what then
stands on the screen as SVG at 80x24 and at 160x48.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from tui import connect, demo
from tui.app import CnpgTui

SIZES = ((80, 24), (160, 48))
PATIENCE = 90.0
"""Seconds until what a shot waits for must be on the screen."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: a scenario, what must be on screen first, and the keys that lead to the picture.

    A key ``?text`` waits until the text is on the screen, ``?one|other`` until either is. A scenario of
    several lines is YAML.
    """

    scenario: str
    keys: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...] = SIZES


def _triage(scenario: str, cause: str, *keys: str) -> Shot:
    """The ladder of the worst cluster, read at 80x24 without scrolling."""
    return Shot(scenario, (*keys, "g", "t", f"?{cause}", "?remedy"), SIZES[:1])


CHECKSUMS = """\
stores: [{name: r2-store, checksums: false}]
clusters:
  - name: pg
    failing:
      since: 2h
      acted: true
      error: >-
        An error occurred (InvalidArgument) when calling the PutObject operation: x-amz-content-sha256
        must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD or a valid sha256 value.
"""
KEYLESS = """\
stores: [{name: r2-store, identity: absent}]
clusters: [{name: pg, failing: {since: 2h}}]
"""


TORN = "?film torn|hole in WAL"
"""Five hours ago WAL was lost: behind the base backup of 02:00, or before it."""

SHOTS = {
    "clusters": Shot("archiving-fails", ("1", "?failing", "?protected")),
    "torn-film": Shot("torn-film", ("1", TORN)),
    "backups": Shot(
        "stuck-queue",
        ("1", "?protected", "2", "?pending", "slash", *"pg-orders", "enter", "g", "?waits: "),
    ),
    "back-up": Shot("healthy", ("1", "?protected", "b", "?the server accepts it")),
    "schedules": Shot("five-field-cron", ("3", "?misread")),
    "five-field-trap": Shot("five-field-cron", ("3", "?misread", "enter", "?Unix cron")),
    "bucket": Shot(
        "torn-film",
        (
            "4",
            "?3 holes",
            "j",
            "j",
            "j",
            "enter",
            "?timeline",
            "j",
            "j",
            "enter",
            "right_square_bracket",
        ),
    ),
    "unprotected": Shot("unprotected", ("1", "?unprotected")),
    "triage-access-denied": _triage("archiving-fails", "AccessDenied", "1", "?failing", "R"),
    "triage-torn-film": _triage("torn-film", "can be restored|restorable only", "1", TORN),
    "triage-stuck-queue": _triage("stuck-queue", "holds up", "1", "?queue stuck"),
    "triage-checksums": _triage(CHECKSUMS, "checksums", "1", "?failing", "R"),
    "triage-no-secret": _triage(KEYLESS, "does not exist", "1", "?failing", "R"),
    "triage-unprotected": _triage("unprotected", "barman-cloud", "1", "?unprotected"),
}


async def main(names: list[str]) -> None:
    """Draw the shots of these names, or all."""
    for name in names or SHOTS:
        shot = SHOTS[name]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as given:
            given.write(shot.scenario)
            given.flush()
            scenario = given.name if "\n" in shot.scenario else shot.scenario
            async with demo.Sandbox(scenario, speed=1.0) as exports:
                for width, height in shot.sizes:
                    await _draw(name, shot, exports["KUBECONFIG"], width, height)


async def _draw(name: str, shot: Shot, kubeconfig: str, width: int, height: int) -> None:
    flags = connect.Flags(kubeconfig=kubeconfig, all_namespaces=True, remember=False)
    app = CnpgTui(flags)
    async with app.run_test(size=(width, height)) as pilot:
        for key in shot.keys:
            if key.startswith("?"):
                await _until(app, key[1:], name)
            else:
                await pilot.press(key)
            await pilot.pause()
        path = Path(__file__).parent / f"{name}-{width}x{height}.svg"
        path.write_text(app.export_screenshot(title=f"cnpg-tui  {width}x{height}"))
        print(path.name)  # noqa: T201


async def _until(app: CnpgTui, text: str, name: str) -> None:
    end = monotonic() + PATIENCE
    while not any(each in _shown(app) for each in text.split("|")):
        if monotonic() > end:
            raise SystemExit(f"{name}: {text!r} never came to be\n{_shown(app)}")
        await asyncio.sleep(0.1)


def _shown(app: CnpgTui) -> str:
    """The screen as one line of words."""
    strips = app.screen._compositor.render_strips()  # noqa: SLF001 - as Textual's own tests read it
    return " ".join(re.sub("[│▌]", " ", " ".join(strip.text for strip in strips)).split())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
