"""What is known of the buckets: the latest fold of each place, how its sweep does, and the films.

A film (continuity and window of one server name) is worked out when it is asked for and kept until
the place is folded anew.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace
from datetime import datetime

from tui.barman import continuity, path
from tui.barman.catalog import Server
from tui.barman.info import Info
from tui.barman.path import Loss
from tui.barman.s3 import Rule, Untold
from tui.cnpg.location import Place
from tui.cnpg.manifest import Key
from tui.live.changes import CannotLook, Described, Folded, Looked, Looking, SweepState
from tui.verdict import window
from tui.verdict.witnesses import Film, NotKnown


@dataclass(slots=True)
class Archives:
    """All places that are swept. One writer: the estate."""

    folds: dict[Place, Folded] = field(default_factory=dict)
    sweeps: dict[Place, SweepState] = field(default_factory=dict)
    described: dict[Place, Described] = field(default_factory=dict)
    acknowledged: dict[tuple[Place, str], frozenset[Loss]] = field(default_factory=dict)
    """Losses the user has said are known, by place and server name."""
    _films: dict[tuple[Place, str], tuple[Folded, Set[Loss], Film]] = field(default_factory=dict)

    def film(self, place: Place, server: str, shared_with: tuple[Key, ...] = ()) -> Film | NotKnown:
        """The bucket's word on one server name; not known while nothing of it has been seen."""
        fold, state = self.folds.get(place), self.sweeps.get(place)
        trouble = state.why if isinstance(state, CannotLook) else ""
        if fold is None or server not in fold.catalog.servers:
            looked = isinstance(state, Looked)
            if trouble or not looked:
                return NotKnown(trouble)
            return NotKnown(f"{place} has nothing under the server name {server}")
        whole = _whole(state)
        if trouble and whole is None and _nothing_seen(fold.catalog.servers[server]):
            return NotKnown(trouble)
        film = self._worked_out(fold, place, server)
        # A quick look that finds nothing new tells no fold, and a look that fails tells one again.
        seen = whole or fold.at
        return replace(
            film,
            at=seen,
            whole=whole,
            trouble=trouble,
            shared_with=shared_with,
            identity=state.identity if state is not None else "",
            skew=state.skew if state is not None else None,
            rules=self._rules(place),
        )

    def _rules(self, place: Place) -> tuple[Rule, ...]:
        described = self.described.get(place)
        if described is None or isinstance(described.rules, Untold):
            return ()
        return described.rules

    def whole(self, place: Place) -> datetime | None:
        """The end of the last whole look at a place; None: what is known of it may not be all."""
        return _whole(self.sweeps.get(place))

    def _worked_out(self, fold: Folded, place: Place, server: str) -> Film:
        known = self._films.get((place, server))
        losses = self.acknowledged.get((place, server), frozenset())
        if known is not None and known[0] is fold and known[1] == losses:
            return known[2]
        film = _develop(fold, server, losses)
        self._films[place, server] = (fold, losses, film)
        return film


def _develop(fold: Folded, server: str, losses: frozenset[Loss]) -> Film:
    infos = fold.infos.get(server, {})
    found = continuity.judge(
        fold.catalog.servers[server],
        infos,
        fold.histories.get(server, {}),
        now=fold.at,
        patience=path.PATIENCE,
        acknowledged=losses,
        standalone=fold.standalone.get(server, frozenset()),
    )
    systems = {info.systemid for info in infos.values() if isinstance(info, Info) and info.systemid}
    return Film(
        server=fold.catalog.servers[server],
        continuity=found,
        window=window.of(found),
        at=fold.at,
        whole=None,
        trouble="",
        system_ids=frozenset(systems),
        seal=fold.seals.get(server),
    )


def _nothing_seen(server: Server) -> bool:
    """Whether a look ended before anything of the server was listed: that is not an empty archive."""
    told = server.bases_listed or server.unlisted is not None
    return not (told or server.bases or server.directories or server.histories)


def _whole(state: SweepState | None) -> datetime | None:
    match state:
        case Looked(at=at):
            return at
        case Looking(heard=heard) | CannotLook(heard=heard):
            return heard
        case None:
            return None
