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
from tui.cnpg.manifest import SCHEDULED_BACKUPS, Key, Manifest
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
from tui.panes.order_screen import OrderScreen, OvertakenScreen, overtaken
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
from tui.verdict.fix import ChangeSchedule, Fix, MadeHere
from tui.verdict.health import Level

NIGHTLY = "0 0 2 * * *"
"""What a new schedule starts with: once a day, in the quiet hours."""

T = TypeVar("T")

Wish: TypeAlias = intents.ScheduleWish | intents.FindingsWanted | intents.RemedyWanted


@dataclass(frozen=True, slots=True)
class _Plan:
    """An order, and the object as it was planned on."""

    found: Manifest
    order: Order


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
        plan = await self._plan(fix, port) if port else None
        agreed: Order | None = None
        while port is not None and plan is not None:
            # Where only the operator's status is another since the yes, it is the same yes, once.
            same = agreed is not None and remedy.is_same(agreed, plan.order)
            yes, overtaken = (True, "") if same else await self._asked(plan.order)
            agreed = plan.order if yes and not same else None
            outcome = await orders.carry_out(plan.order, port) if yes else None
            if isinstance(outcome, NotDone) and outcome.overtaken:
                overtaken = outcome.why
            if not overtaken:
                self._told(plan.order, outcome)
                return
            plan = await self._replan(fix, port, plan, overtaken)

    async def _plan(self, fix: MadeHere, port: Port) -> _Plan | None:
        """The order for a remedy; where there is none the reason is said."""
        try:
            found = await port.get(*remedy.subject(fix))
            order = remedy.order(self.estate, fix, found, context=self.context)
        except (faults.Fault, manifest.Odd) as fault:
            order = Refusal(str(fault))
        if isinstance(order, Refusal):
            self._say(order.why, "warning")
            return None
        return _Plan(found, order)

    async def _replan(
        self, fix: MadeHere, port: Port, before: _Plan, overtaken: str
    ) -> _Plan | None:
        """Plan anew on what somebody else changed, if the user wants to after having seen it."""
        anew = await self._plan(fix, port)
        if anew is None:
            return None
        if manifest.resource_version(anew.found) == manifest.resource_version(before.found):
            self._say(overtaken, "error")  # a conflict of another kind: planning again ends nowhere
            return None
        theirs = remedy.difference(before.found, anew.found)
        name = before.order.key.name
        if theirs and not await self._ask(OvertakenScreen(name, theirs, before.order.shown)):
            return None
        return anew

    def _told(self, order: Order, outcome: Outcome | None) -> None:
        if isinstance(outcome, Done):
            self._say(f"{order.sentence}: done", "information")
        elif outcome is not None:
            self._say(outcome.why, "error")

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
        yes, why = await self._asked(order)
        if yes:
            return await orders.carry_out(order, port)
        return NotDone(order.key, why, overtaken=True) if why else None

    async def _asked(self, order: Order) -> tuple[bool, str]:
        """Whether the user said yes, and why not where somebody else was faster."""
        screen = OrderScreen(order, self._rehearse)
        yes = await self._ask(screen)
        return bool(yes), screen.refusal if screen.overtaken else ""

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
        if only_status or await self._ask(overtaken(before, wanted, theirs)):
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
