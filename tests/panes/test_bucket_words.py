"""What the bucket pane says under its outline, without a screen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tui.barman import catalog
from tui.barman.s3 import Requests
from tui.cnpg.location import Place
from tui.live.changes import CannotLook, Folded, Looked, Looking, SweepMoved, SweepState
from tui.live.estate import Estate
from tui.panes import bucket_words

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
