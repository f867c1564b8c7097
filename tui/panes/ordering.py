"""Where wishes become orders, about schedules and remedies: prepared, shown, rehearsed, confirmed.

Between the panes, which wish, and the app, which owns the wire. Nothing is written without the
confirmation, and nothing at all with ``--read-only``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import TypeAlias, TypeVar

from textual.app import App
from textual.screen import Screen

from tui import faults
from tui.cnpg import firing, manifest, schedule
from tui.cnpg.manifest import CLUSTERS, OBJECT_STORES, SCHEDULED_BACKUPS, Key
from tui.cnpg.schedule import ScheduledBackup
from tui.live.around import around, findings
from tui.live.estate import Estate
from tui.live.orders import order as orders
from tui.live.orders import remedy
from tui.live.orders import schedule as schedule_orders
from tui.live.orders.order import (
    Done,
    NotDone,
    Order,
    Outcome,
    Port,
    Refusal,
    Rehearsal,
)
from tui.panes import intents
from tui.panes.findings import FindingsScreen
from tui.panes.order_screen import OrderScreen, OvertakenScreen
from tui.panes.pane import Clock
from tui.panes.schedule_editor import (
    Kept,
    Rebased,
    Saved,
    ScheduleEditor,
    Submitted,
    usual_method,
)
from tui.verdict import lint, saving
from tui.verdict.fix import ChangeSchedule, DeleteBackup, Fix, SetChecksums, SwitchOn
from tui.verdict.health import Level

NIGHTLY = "0 0 2 * * *"
"""What a new schedule starts with: once a day, in the quiet hours."""

T = TypeVar("T")

Wish: TypeAlias = intents.ScheduleWish | intents.FindingsWanted | intents.RemedyWanted


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that is needed to carry out a wish. ``port`` is None while nothing is connected."""

    app: App[None]
    estate: Estate
    clock: Clock
    zone: tzinfo
    """The operator's."""
    port: Port | None
    context: str
    read_only: bool
    follow: Callable[[Order], Awaitable[None]]
    """Carries out an order for a Backup, follows it and tells how it went."""

    async def serve(self, wish: Wish) -> None:
        """Do what was wished for, as far as the user says yes."""
        if isinstance(wish, intents.RemedyWanted):
            await self._mend(wish.fix)
            return
        if isinstance(wish, intents.FindingsWanted):
            found_here = findings(self.estate, self.clock(), self.zone)
            await self._ask(FindingsScreen(found_here))
            return
        if isinstance(wish, intents.NewScheduleWanted):
            await self._new(wish.key)
            return
        found = self.estate.tables[SCHEDULED_BACKUPS].get(wish.key)
        if not isinstance(found, ScheduledBackup):
            self._say(f"ScheduledBackup {wish.key} is gone or cannot be read", "warning")
            return
        match wish:
            case intents.EditScheduleWanted():
                await self._edit(found, found)
            case intents.SuspendWanted():
                await self._suspend(found)
            case intents.RunNowWanted():
                await self._run_now(found)
            case intents.DeleteScheduleWanted():
                await self._delete(found)

    # -- the wishes ----------------------------------------------------------------------------

    async def _new(self, cluster: Key) -> None:
        found = self.estate.cluster(cluster)
        method, plugin = usual_method(found) if found else ("plugin", manifest.BARMAN_PLUGIN)
        taken = self.estate.tables[SCHEDULED_BACKUPS]
        names = (f"{cluster.name}-nightly{number}" for number in ("", *range(2, 1000)))
        keys = (Key(cluster.namespace, name) for name in names)
        key = next(key for key in keys if key not in taken)
        await self._edit(
            None, schedule.new(key, cluster.name, NIGHTLY, method=method, plugin=plugin)
        )

    async def _edit(self, before: ScheduledBackup | None, wanted: ScheduledBackup) -> None:
        while True:
            editor = ScheduleEditor(
                self.estate, before, wanted, self._submit, clock=self.clock, zone=self.zone
            )
            rebased = await self._ask(editor)
            if rebased is None:
                return
            before, wanted = rebased.theirs, rebased.wanted

    async def _suspend(self, before: ScheduledBackup) -> None:
        while True:
            wanted = replace(before, suspended=not before.suspended)
            verb = "Suspend" if wanted.suspended else "Resume"
            sentence = f"{verb} ScheduledBackup {before.key.name} in {before.key.namespace}"
            match await self._submit(before, wanted, sentence=sentence):
                case Rebased(theirs=theirs) if theirs.suspended is before.suspended:
                    before = theirs
                case Rebased(theirs=theirs):
                    state = "suspended" if theirs.suspended else "not suspended"
                    self._say(f"{theirs.key.name} is {state} already", "information")
                    return
                case Kept(why):
                    if why:
                        self._say(why, "warning")
                    return
                case Saved():
                    return

    async def _run_now(self, found: ScheduledBackup) -> None:
        if self._writable() is None:
            return
        order = schedule_orders.run_now(self.estate, found, self.clock(), context=self.context)
        if isinstance(order, Refusal):
            self._say(order.why, "warning")
        elif await self._ask(OrderScreen(order, self._rehearse)):
            await self.follow(order)

    async def _delete(self, found: ScheduledBackup) -> None:
        port = self._writable()
        if port is None:
            return
        order = schedule_orders.delete(self.estate, found, context=self.context)
        screen = OrderScreen(order, self._rehearse, typed=found.key.name)
        if await self._ask(screen):
            outcome = await orders.carry_out(order, port)
            if isinstance(outcome, Done):
                self._say(f"{found.key.name} is deleted", "information")
            else:
                self._say(outcome.why, "error")
        elif screen.overtaken:
            self._say(f"{found.key.name} was changed meanwhile: look again, then delete", "warning")

    # -- remedies --------------------------------------------------------------------------------

    async def _mend(self, fix: Fix) -> None:
        """Carry out a remedy, planned on what the server has now."""
        if isinstance(fix, ChangeSchedule):
            await self._reschedule(fix)
            return
        port = self._writable()
        while port is not None:
            order = await self._remedy(fix, port)
            if isinstance(order, Refusal):
                self._say(order.why, "warning")
                return
            outcome = await self._confirmed(order, port)
            if isinstance(outcome, NotDone) and outcome.overtaken:
                self._say(f"{order.key.name} was changed meanwhile: planned anew", "warning")
                continue
            if isinstance(outcome, Done):
                self._say(f"{order.sentence}: done", "information")
            elif outcome is not None:
                self._say(outcome.why, "error")
            return

    async def _remedy(
        self, fix: SetChecksums | SwitchOn | DeleteBackup, port: Port
    ) -> Order | Refusal:
        try:
            match fix:
                case SetChecksums(store):
                    found = await port.get(OBJECT_STORES, store)
                    return remedy.set_checksums(self.estate, store, found, context=self.context)
                case SwitchOn(cluster, plugin):
                    found = await port.get(CLUSTERS, cluster)
                    return remedy.switch_on(cluster, plugin, found, context=self.context)
                case DeleteBackup(backup):
                    return remedy.delete_backup(self.estate, backup, context=self.context)
        except (faults.Fault, manifest.Odd) as fault:
            return Refusal(str(fault))

    async def _reschedule(self, fix: ChangeSchedule) -> None:
        now = self.estate.tables[SCHEDULED_BACKUPS].get(fix.before.key)
        if not isinstance(now, ScheduledBackup):
            self._say(f"ScheduledBackup {fix.before.key} is gone or cannot be read", "warning")
            return
        wanted = schedule_orders.replanned(fix.before, fix.wanted, now)
        answer = await self._submit(now, wanted)
        if isinstance(answer, Rebased):
            await self._reschedule(ChangeSchedule(answer.theirs, answer.wanted))
        elif isinstance(answer, Kept) and answer.why:
            self._say(answer.why, "warning")

    # -- from an order to its fate ---------------------------------------------------------------

    async def _submit(
        self, before: ScheduledBackup | None, wanted: ScheduledBackup, *, sentence: str = ""
    ) -> Submitted:
        """Show what would be written, and write it if the user says yes."""
        port = self._writable()
        if port is None:
            return Kept()
        while True:
            order = self._order(before, wanted, sentence)
            if isinstance(order, Refusal):
                return Kept(order.why)
            outcome = await self._confirmed(order, port)
            if isinstance(outcome, Done):
                self._say(f"{wanted.key.name} is saved", "information")
                return Saved()
            if before is None or not (isinstance(outcome, NotDone) and outcome.overtaken):
                return Kept(outcome.why if outcome else "")
            answer = await self._overtaken(port, before, wanted)
            if not isinstance(answer, Rebased) or schedule.changes(before, answer.theirs):
                return answer
            # Only the controller wrote its status: the same order again, on the new version.
            before, wanted = answer.theirs, answer.wanted

    async def _confirmed(self, order: Order, port: Port) -> Outcome | None:
        """What became of an order; None if the user said no."""
        screen = OrderScreen(order, self._rehearse)
        if await self._ask(screen):
            return await orders.carry_out(order, port)
        return NotDone(order.key, screen.refusal, overtaken=True) if screen.overtaken else None

    def _order(
        self, before: ScheduledBackup | None, wanted: ScheduledBackup, sentence: str
    ) -> Order | Refusal:
        warnings = self._warnings(before, wanted)
        if before is None:
            return schedule_orders.save_new(
                self.estate, wanted, warnings=warnings, context=self.context
            )
        return schedule_orders.save_changes(
            before, wanted, warnings=warnings, context=self.context, sentence=sentence
        )

    def _warnings(self, before: ScheduledBackup | None, wanted: ScheduledBackup) -> list[str]:
        company, now = around(self.estate, wanted), self.clock()
        outlook = firing.outlook(wanted, company.children, now, self.zone)
        remarks = saving.on_save(before, wanted, company, now, self.zone, outlook)
        said = [lint.warning(outlook.judgement)] if not outlook.refused else []
        said += [remark.text for remark in remarks if remark.level is not Level.PROTECTED]
        return [text for text in said if text]

    async def _overtaken(
        self, port: Port, before: ScheduledBackup, wanted: ScheduledBackup
    ) -> Submitted:
        """Somebody changed it first: look at theirs, and let the user choose."""
        try:
            theirs = schedule.read(await port.get(SCHEDULED_BACKUPS, before.key))
        except (faults.Fault, manifest.Odd) as fault:
            return Kept(str(fault))
        mine = schedule_orders.replanned(before, wanted, theirs)
        only_status = not schedule.changes(before, theirs)
        if only_status or await self._ask(OvertakenScreen(before, wanted, theirs)):
            return Rebased(theirs, mine)
        return Saved()

    async def _rehearse(self, order: Order) -> Rehearsal:
        assert self.port is not None
        return await orders.rehearse(order, self.port)

    async def _ask(self, screen: Screen[T]) -> T:
        return await self.app.push_screen_wait(screen)

    def _writable(self) -> Port | None:
        if self.read_only:
            self._say("--read-only: nothing is written", "warning")
            return None
        if self.port is None:
            self._say("Not connected yet: nothing can be written", "warning")
        return self.port

    def _say(self, text: str, severity: str) -> None:
        self.app.notify(text, severity=severity, markup=False)  # type: ignore[arg-type]
