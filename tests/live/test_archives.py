"""How old the bucket's word is: the last whole look counts, not when it was last told."""

from __future__ import annotations

from datetime import timedelta

from tests.verdict.test_two_witnesses import NOW, film
from tui.barman import catalog
from tui.barman.catalog import Server
from tui.barman.s3 import Requests
from tui.cnpg.location import Place
from tui.live.archives import Archives
from tui.live.changes import CannotLook, Folded, Looked, Looking, SweepState
from tui.verdict.witnesses import Film, NotKnown

PLACE = Place("https://acme.r2.cloudflarestorage.com", "acme-pg", "prod")
LONG_AGO = NOW - timedelta(hours=1)


def told(at: timedelta, state: SweepState) -> Film:
    """The film of a fold told ``at`` this time ago, while the sweep does so."""
    known = catalog.Catalog("prod/", {"pg": film().server}, catalog.Unknown())
    archives = Archives()
    archives.folds[PLACE] = Folded(PLACE, known, {}, {}, {}, {}, NOW - at)
    archives.sweeps[PLACE] = state
    found = archives.film(PLACE, "pg")
    assert isinstance(found, Film)
    return found


def test_an_archive_in_which_nothing_changes_is_as_fresh_as_the_last_look() -> None:
    looked = Looked(NOW, Requests(), Requests(), "secret r2", NOW + timedelta(minutes=2))
    assert told(timedelta(hours=1), looked).at == NOW


def test_what_the_stores_clock_says_is_kept_while_a_look_is_under_way_or_fails() -> None:
    skew = timedelta(minutes=7)
    looked = Looked(NOW, Requests(), Requests(), "secret r2", NOW, skew)
    looking = Looking(0, 0.0, "secret r2", NOW, skew)
    cannot = CannotLook(NOW, NOW, "the store refuses connections", "secret r2", skew)
    assert {told(timedelta(0), state).skew for state in (looked, looking, cannot)} == {skew}


def test_a_look_that_failed_makes_nothing_fresh() -> None:
    cannot = CannotLook(LONG_AGO, NOW, "the store refuses connections", "secret r2")
    assert told(timedelta(0), cannot).at == LONG_AGO


def test_a_look_that_failed_before_it_saw_anything_knows_nothing_and_says_why() -> None:
    nothing = Server("pg", {}, {}, {})
    archives = Archives()
    known = catalog.Catalog("prod/", {"pg": nothing}, catalog.Unknown())
    archives.folds[PLACE] = Folded(PLACE, known, {}, {}, {}, {}, NOW)
    archives.sweeps[PLACE] = CannotLook(None, NOW, "the store refuses connections", "secret r2")
    assert archives.film(PLACE, "pg") == NotKnown("the store refuses connections")
    archives.sweeps[PLACE] = Looking(0, 0.0, "secret r2", None)
    assert isinstance(archives.film(PLACE, "pg"), Film)
