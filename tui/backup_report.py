"""``cnpg-tui backup``: one Backup, made once, followed to its end, and looked for in the bucket.

Exit codes: 0 made (with ``--wait``: completed, and all it needs is in the bucket), 1 completed, but
data or WAL is not there, 2 no backup: refused or failed, 3 not known: the time is over, the bucket
cannot be looked at, or an answer was lost.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tui import connect, faults, words
from tui.cnpg.backup import COMPLETED, Backup
from tui.cnpg.cron.golang import GoError, parse_duration
from tui.cnpg.location import Location, NoLocation
from tui.cnpg.manifest import BACKUPS, CLUSTERS, OBJECT_STORES, Key, Unreadable
from tui.gathering import Onlooker
from tui.live import base_look
from tui.live.changes import Absent, Forbidden, Reconnecting, SignedOut, Starting
from tui.live.estate import Estate
from tui.live.orders import order as orders
from tui.live.orders.back_up import BackUpNow, back_up_now
from tui.live.orders.order import Done, NotKnown, Refusal
from tui.live.telling import told
from tui.verdict import witnesses
from tui.verdict.verification import Verification

GOOD: Final = 0
INCOMPLETE: Final = 1
NO_BACKUP: Final = 2
NOT_KNOWN: Final = 3

LISTS: Final = 20.0
"""Seconds for the server to say which clusters and Backups there are."""

_RESOURCE: Final = f"{BACKUPS.kind.lower()}.{BACKUPS.group}"
"""As kubectl names it when it has created one."""

Write = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted. ``timeout`` zero: without end; None: none was named."""

    cluster: str
    target: str = ""
    dry_run: bool = False
    wait: bool = False
    timeout: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to look again for what is not in the bucket yet; in seconds."""

    landing: float = 600.0
    """For WAL: archive_timeout is 5 minutes by default, and an upload may need a second try."""
    store: float = 60.0
    """For a store that does not answer."""
    between: float = 5.0


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended."""

    exit_code: int
    headline: str
    verified: bool | None = None
    """None: nobody could look."""
    missing: tuple[str, ...] = ()


def duration(text: str) -> timedelta:
    """``30s``, ``10m``, ``1h30m`` as kubectl reads them. Raises ValueError."""
    try:
        nanoseconds = parse_duration(text)
    except GoError as error:
        raise ValueError(str(error)) from error
    if nanoseconds < 0:
        raise ValueError(f"{text} is less than nothing")
    return timedelta(microseconds=nanoseconds / 1000)


def check(request: Request) -> None:
    """Raises ValueError for flags that do not go together."""
    if request.dry_run and request.wait:
        raise ValueError("--dry-run creates nothing that --wait could follow")
    if request.timeout is not None and not request.wait:
        raise ValueError("--timeout says how long to --wait")


def run(
    flags: connect.Flags,
    request: Request,
    *,
    output: str,
    write: Write,
    complain: Write,
    patience: Patience | None = None,
) -> int:
    """Do it, print how it went, and say so with the exit code."""
    # Of a JSON document nothing else may stand on standard output.
    said = complain if output == "json" else write
    errand = _Errand(flags, request, said, complain, patience or Patience())
    result = asyncio.run(errand.done())
    if output == "json":
        write(json.dumps(errand.document(result), indent=2, ensure_ascii=False))
    if result.headline:
        (said if result.exit_code == GOOD else complain)(result.headline)
    return result.exit_code


class _Errand:
    """One backup, from the order to its end."""

    def __init__(
        self,
        flags: connect.Flags,
        request: Request,
        say: Write,
        complain: Write,
        patience: Patience,
    ) -> None:
        self._flags = flags
        self._request = request
        self._say = say
        self._complain = complain
        self._patience = patience
        self._namespace = flags.namespace or ""
        self._key: Key | None = None
        self._made: bool | None = False
        """None while nobody knows: sent, and no answer yet."""
        self._backup: Backup | None = None
        self._verified: Verification | None = None
        """What the last look found."""
        self._signal: signal.Signals | None = None

    async def done(self) -> Result:
        """How it ended. A signal ends it here; in Kubernetes it goes on."""
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, self._stop, number, task)
        try:
            async with connect.open_wire(self._flags) as wire:
                self._namespace = wire.namespace or ""
                return await self._made_and_followed(wire)
        except faults.Fault as fault:
            return self._broken_off(str(fault))
        except TimeoutError:
            return self._too_late()
        except asyncio.CancelledError:
            if self._signal is None:
                raise
            stopped = self._broken_off(f"stopped by {self._signal.name}")
            return Result(128 + self._signal, stopped.headline)

    def _stop(self, number: signal.Signals, task: asyncio.Task[object]) -> None:
        self._signal = number
        task.cancel()

    def _broken_off(self, why: str) -> Result:
        """What that means for the Backup."""
        if self._made is False:
            return Result(NO_BACKUP, f"cnpg-tui: {why}. No Backup was created")
        if self._made is None:
            fate = f"It is not known whether Backup {self._key} was created"
        else:
            fate = f"Backup {self._key} goes on without being watched"
        return Result(NOT_KNOWN, f"cnpg-tui: {why}. {fate}")

    # -- the order -----------------------------------------------------------------------------

    async def _made_and_followed(self, wire: connect.Connection) -> Result:
        async with Onlooker(wire, lists_only=True) as onlooker:
            order = await self._prepared(onlooker, wire.context)
            if isinstance(order, Result):
                return order
            self._key = order.key
            self._complain(order.sentence)
            self._complain(order.kubectl)
            self._warn(order.warnings)
            rehearsal = await orders.rehearse(order, wire.port)
            self._warn(rehearsal.warnings)
            if rehearsal.refusal:
                return self._broken_off(rehearsal.refusal)
            if self._request.dry_run:
                return Result(GOOD, f"{_RESOURCE}/{order.key.name} created (server dry run)")
            async with asyncio.timeout(_seconds(self._request.timeout)):
                return await self._created(order, wire) or await self._followed(onlooker, wire)

    async def _prepared(self, onlooker: Onlooker, context: str) -> BackUpNow | Result:
        """What would be created. Where that cannot be told, or not be followed, nothing is."""
        needed = (CLUSTERS, BACKUPS, OBJECT_STORES) if self._request.wait else (CLUSTERS, BACKUPS)

        def lists_told(estate: Estate) -> bool | None:
            return (
                None if any(isinstance(estate.feeds[kind], Starting) for kind in needed) else True
            )

        with suppress(TimeoutError):
            async with asyncio.timeout(LISTS):
                await onlooker.until(lists_told)
        estate, now = onlooker.estate, _now()
        for kind in (CLUSTERS, BACKUPS) if self._request.wait else (CLUSTERS,):
            if not estate.heard(kind):
                why = told(estate.feeds[kind], now).sentence
                return self._broken_off(why or f"the {kind} were not told within {LISTS:.0f} s")
        order = back_up_now(
            estate,
            Key(self._namespace, self._request.cluster),
            now,
            target=self._request.target,
            context=context,
        )
        return self._broken_off(order.why) if isinstance(order, Refusal) else order

    async def _created(self, order: BackUpNow, wire: connect.Connection) -> Result | None:
        """None where it is there and to be followed."""
        self._made = None
        outcome = await orders.carry_out(order, wire.port)
        if isinstance(outcome, NotKnown):
            return Result(NOT_KNOWN, f"cnpg-tui: {outcome.why}")
        self._made = isinstance(outcome, Done)
        if not isinstance(outcome, Done):
            return Result(NO_BACKUP, f"cnpg-tui: {outcome.why}")
        created = f"{_RESOURCE}/{order.key.name} created"
        if not self._request.wait:
            return Result(GOOD, created)
        self._say(created)
        return None

    def _warn(self, warnings: tuple[str, ...]) -> None:
        for warning in warnings:
            self._complain(f"warning: {warning}")

    # -- its fate ------------------------------------------------------------------------------

    async def _followed(self, onlooker: Onlooker, wire: connect.Connection) -> Result:
        """Tell every phase, then look into the bucket."""
        lines: list[str] = []

        def ended(estate: Estate) -> Backup | Result | None:
            assert self._key is not None
            line = self._progress(estate, self._key)
            if line not in ("", *lines[-1:]):
                lines.append(line)
                self._complain(f"{words.clock(_now())} {line}")
            return self._ended(estate, self._key)

        found: Backup | Result = await onlooker.until(ended)
        if isinstance(found, Result):
            return found
        where = onlooker.estate.locations.get(found.cluster_key, NoLocation("the cluster is gone"))
        if isinstance(where, NoLocation):
            return self._unseen(where.why)
        return await self._verify(where, found, wire)

    def _progress(self, estate: Estate, key: Key) -> str:
        """How it stands, in a line without ages: it is told again only when it changes."""
        state = estate.feeds[BACKUPS]
        if isinstance(state, Reconnecting):
            return f"{key.name}: not heard of now, trying again: {state.why}"
        backup = estate.backup(key)
        if backup is None:
            return ""
        ahead = estate.queue_of(backup.cluster_key).ahead_of(backup)
        behind = f" behind {ahead.key.name}" if ahead else ""
        return f"{key.name} {backup.phase or 'not taken up yet'}{behind}"

    def _ended(self, estate: Estate, key: Key) -> Backup | Result | None:
        state, found = estate.feeds[BACKUPS], estate.tables[BACKUPS].get(key)
        if isinstance(found, Unreadable):
            return Result(NOT_KNOWN, f"cnpg-tui: Backup {key} cannot be read: {found.why}")
        if isinstance(found, Backup):
            self._backup = found
            if found.phase == COMPLETED:
                return found
            if found.is_done:
                why = words.one_line(found.error) or "it gives no reason"
                return Result(NO_BACKUP, f"Backup {key} failed: {why}", verified=False)
        elif self._backup is not None:
            return Result(NO_BACKUP, f"Backup {key} was deleted before it was completed")
        if isinstance(state, Forbidden | SignedOut | Absent):
            return self._broken_off(state.why)
        return None

    def _too_late(self) -> Result:
        after = words.age(self._request.timeout or timedelta(0))
        if self._made is None:
            return self._broken_off(f"no answer after {after}")
        phase = self._backup.phase if self._backup else ""
        if phase == COMPLETED:
            return self._judged(self._verified)
        return Result(
            NOT_KNOWN,
            f"cnpg-tui: Backup {self._key} is {phase or 'not taken up'} after {after}, and goes on",
        )

    # -- the bucket ----------------------------------------------------------------------------

    async def _verify(self, where: Location, backup: Backup, wire: connect.Connection) -> Result:
        """Look until all is there, or nothing more can come."""
        clock = asyncio.get_running_loop().time
        began = heard = clock()
        said = ""
        while True:
            found = await self._looked(where, backup, wire)
            if isinstance(found, Result):
                return found
            if isinstance(found, Verification):
                heard = clock()
                self._verified = found
                late = heard - began > self._patience.landing
                if late or found.holds or not found.may_come:
                    return self._judged(found)
                why = found.sentence
            else:
                why = found
                if clock() - heard > self._patience.store:
                    return self._unseen(why)
            if why != said:
                said = why
                self._complain(f"{words.clock(_now())} looking again: {why}")
            await asyncio.sleep(self._patience.between)

    async def _looked(
        self, where: Location, backup: Backup, wire: connect.Connection
    ) -> Verification | Result | str:
        """One look; a sentence where the next may tell more, a Result where none will."""
        try:
            async with wire.bucket(where) as bucket:
                found = await base_look.look(bucket, where, backup)
        except (faults.Misconfigured, faults.Unauthorized, faults.Forbidden) as final:
            return self._unseen(str(final))
        except faults.Fault as fault:
            return str(fault)
        return self._unseen(found.why) if isinstance(found, witnesses.NotKnown) else found

    def _unseen(self, why: str) -> Result:
        return Result(NOT_KNOWN, f"cnpg-tui: Backup {self._key} completed, not verified: {why}")

    def _judged(self, found: Verification | None) -> Result:
        if found is None:
            return self._unseen("the time was over before the bucket was seen")
        if found.holds:
            text = f"Backup {self._key} completed and verified: {found.sentence}"
            return Result(GOOD, text, verified=True)
        text = f"cnpg-tui: Backup {self._key} completed, but {found.sentence}"
        return Result(INCOMPLETE, text, verified=False, missing=found.missing)

    # -- as a document -------------------------------------------------------------------------

    def document(self, result: Result) -> dict[str, Any]:
        """What is known of it; null where it is not known."""
        backup = self._backup
        return {
            "name": self._key.name if self._key else None,
            "namespace": self._namespace,
            "cluster": self._request.cluster,
            "phase": (backup.phase or None) if backup else None,
            "backup_id": (backup.backup_id or None) if backup else None,
            "begin_wal": (backup.begin_wal or None) if backup else None,
            "end_wal": (backup.end_wal or None) if backup else None,
            "verified": result.verified,
            "missing": list(result.missing),
            "headline": result.headline.removeprefix("cnpg-tui: "),
        }


def _seconds(span: timedelta | None) -> float | None:
    return span.total_seconds() if span else None


def _now() -> datetime:
    return datetime.now(UTC)
