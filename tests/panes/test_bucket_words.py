"""What the bucket pane says under its outline, without a screen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.barman.archive import BEGIN, MINUTE, Archive
from tui.barman import catalog, wal
from tui.barman.path import Loss, Word
from tui.barman.s3 import Requests
from tui.cnpg.location import Place
from tui.live.changes import CannotLook, Folded, Looked, Looking, SweepMoved, SweepState
from tui.live.estate import Estate
from tui.panes import bucket_words
from tui.panes.outline import Line
from tui.verdict import window
from tui.verdict.witnesses import Film

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PLACE = Place("https://acc.r2.cloudflarestorage.com", "acme-pg", "prod")
SEGMENT = ("prod/pg/wals/0000000100000000/000000010000000000000001.gz", 100 << 30, NOW, "e")
LOOKED = Looked(NOW, Requests(), Requests(), "environment", NOW)
NEVER_LOOKED = CannotLook(None, None, "the store does not answer", "environment")


@pytest.mark.parametrize(
    ("state", "page", "said"),
    [
        (LOOKED, [SEGMENT], "100.0 GiB is $1.61 a month at R2's prices"),
        (LOOKED, [], "0 Bytes is $0.00 a month at R2's prices"),
        (
            Looking(1, 0.5, "environment", None),
            [SEGMENT],
            "at least 100.0 GiB is at least $1.61 a month at R2's prices",
        ),
        (Looking(0, 0.0, "environment", None), [], None),
        (NEVER_LOOKED, [], None),
    ],
)
def test_what_a_place_costs_is_said_as_far_as_it_was_seen(
    state: SweepState, page: list[tuple[str, int, datetime, str]], said: str | None
) -> None:
    estate = Estate()
    known = catalog.fold(catalog.empty("prod"), page)
    estate.apply(Folded(PLACE, known, {}, {}, {}, {}, NOW))
    estate.apply(SweepMoved(PLACE, state))
    told = [line for line in bucket_words.of_place(estate, PLACE, NOW) if "a month" in line]
    assert told == ([] if said is None else [said])


@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_hole_says_what_cannot_be_reached_up_to_the_next_base_backup(acknowledged: bool) -> None:
    archive = Archive().wal(1, set(range(1, 100)) - {30, 40, 80})
    archive.base(1, 10)
    archive.base(1, 60)
    lost = [wal.at(1, number, wal.DEFAULT_SEGMENT_SIZE) for number in (30, 40, 80)]
    known = frozenset(Loss(each, each) for each in lost) if acknowledged else frozenset()
    now = BEGIN + 120 * MINUTE
    found = archive.judge(now, acknowledged=known)
    film = Film(archive.listed, found, window.of(found), now, now, "", frozenset())
    state = "lost, acknowledged" if acknowledged else "lost"
    told = [
        bucket_words.of_hole(
            Line(("hole",), 4, "", PLACE, about="it", state=state, missing=piece), film, now
        )
        for piece in found.pieces
        if piece.word is Word.LOST
    ]
    torn = f"it\n1 segment {state}: no moment from 00:29:00Z to 01:00:00Z can be reached"
    cut = f"it\n1 segment {state}: no moment after 01:19:00Z can be reached before the next base backup"
    assert told == [torn, torn, cut]
