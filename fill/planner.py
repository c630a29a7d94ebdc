"""When plans are made, from what, and which of them replace the ones before.

Flow: collects what `plan.py` needs, has it computed on a thread, keeps what changed. Nothing is decided
here but the time. Rules:

- No catalog, no plans: an unknown catalog must not look like an empty one.
- A plan is replaced only by one that asks for something else.
- One round at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from control.kit.clock import Clock
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.wire import FillPlan
from fill.books import Books, Histories
from fill.catalog import Catalog
from fill.config import FillSettings
from fill.demand import Key
from fill.members import Member, Members
from fill.placement import Policy
from fill.plan import Job, Machine, Terms, plan_cluster, supersedes
from fill.rounds import Made, Round, round_of, summary
from fill.window import next_window

PRUNE_INTERVAL_S = 3600.0


class Planner:
    """Makes the plans of all clusters. `plans` are those in force, by appliance."""

    def __init__(
        self, settings: FillSettings, members: Members, catalog: Catalog, books: Books, *, clock: Clock, meter: Meter
    ) -> None:
        self.plans: dict[str, FillPlan] = books.plans()
        self.planned_at: float | None = None
        """When the last round ended, in Unix seconds; None: not since we started."""
        self._settings = settings
        self._members = members
        self._catalog = catalog
        self._books = books
        self._clock = clock
        self._meter = meter
        self._log = get_logger()
        self._one_round = asyncio.Lock()
        self._planned_for: object = None
        self._planned_mono = clock.monotonic()
        self._seen: object = None
        self._seen_since = 0.0
        self._pruned_mono = -1e18

    def __repr__(self) -> str:
        return f"<Planner of {len(self.plans)} plans>"

    def waiting_for(self) -> list[str]:
        """What keeps plans from being made, for a person to read; empty when nothing does."""
        if not self._catalog.version:
            return [f"control's catalog: {self._catalog.error or 'not asked yet'}"]
        if not len(self._members):
            return ["the first heartbeat of an appliance"]
        now = self._clock.monotonic()
        reasons = ((member.name, self._members.waiting_for(member, now)) for member in self._members)
        return [f"{name}: {reason}" for name, reason in reasons if reason]

    async def tick(self) -> None:
        """Make plans if it is time: the interval has passed, or what they depend on has changed and settled."""
        now = self._clock.monotonic()
        await self._prune(now)
        if not self._catalog.version:
            return
        inputs = self._inputs(now)
        if inputs != self._seen:
            self._seen, self._seen_since = inputs, now
        settled = inputs != self._planned_for and now - self._seen_since >= self._settings.settle
        # The first round waits for the fleet to settle, too: half a cluster would choose other fill masters than all
        # of it. A fleet that never settles is planned for each interval all the same.
        if settled or now - self._planned_mono >= self._settings.plan_interval:
            await self.make()

    def _inputs(self, now: float) -> object:
        """What makes a round worth its while before the interval is over."""
        return (self._catalog.version, sorted(self._inputs_of(member) for member in self._plannable(now)))

    def _inputs_of(self, member: Member) -> tuple[object, ...]:
        beat = member.heartbeat
        assert beat is not None, f"{member.name} is plannable without a heartbeat"
        window = next_window(self._settings.rule(beat.site), self._clock.now())
        return (member.name, beat.cluster, beat.url, member.capacity_bytes, member.marker is None, window.start)

    def _plannable(self, now: float) -> list[Member]:
        return [member for member in self._members if not self._members.waiting_for(member, now)]

    async def make(self, *, dry_run: bool = False, full: str | None = None) -> Round:
        """Plan for every appliance that can be planned for. `full` names one whose whole plan is wanted."""
        async with self._one_round:
            started, at = self._clock.monotonic(), self._clock.now()
            inputs = self._inputs(started)
            made = await self._made(started, at) if self._catalog.version else []
            found = round_of(made, self.plans, at=at, dry_run=dry_run, full=full, waiting_for=tuple(self.waiting_for()))
            if not dry_run:
                await self._keep(made)
                self._planned_for, self._planned_mono, self.planned_at = inputs, started, at
            took = self._clock.monotonic() - started
            self._meter.inc("oca_fill_rounds_total", kind="dry_run" if dry_run else "made")
            self._meter.observe("oca_fill_round_seconds", took)
            return msgspec.structs.replace(found, took_s=round(took, 4))

    async def _made(self, now: float, at: float) -> list[Made]:
        histories = await self._histories(at)
        made = []
        for cluster in self._clusters(now):
            job = self._job(cluster, histories, now, at)
            made.append(Made(job, await asyncio.to_thread(plan_cluster, job)))
        return made

    async def cluster_plan(self, cluster: str) -> Made:
        """What a round would make of one cluster now, to explain it. Changes nothing."""
        at = self._clock.now()
        job = self._job(cluster, await self._histories(at), self._clock.monotonic(), at)
        return Made(job, await asyncio.to_thread(plan_cluster, job))

    async def _histories(self, at: float) -> Histories:
        return await self._books.histories(at, at - self._settings.history)

    def _clusters(self, now: float) -> list[str]:
        return sorted({member.heartbeat.cluster for member in self._plannable(now) if member.heartbeat is not None})

    def _job(self, cluster: str, histories: Histories, now: float, at: float) -> Job:
        settings = self._settings
        released_after = at - settings.placement.protect_for
        return Job(
            cluster=cluster,
            machines=tuple(self._machines(cluster, now)),
            titles=self._catalog.titles,
            here=histories.of(cluster),
            anywhere=histories.anywhere,
            pinned=frozenset(self._pinned(cluster)),
            protected=frozenset(
                (title.id, rendition.id)
                for title in self._catalog.titles
                if title.published_at >= released_after
                for rendition in title.renditions
            ),
            terms=Terms(settings.origin.name, settings.origin.url, settings.escalation, _policy(settings)),
            now=at,
        )

    def _machines(self, cluster: str, now: float) -> Iterable[Machine]:
        for member in sorted(self._plannable(now), key=lambda each: each.name):
            beat = member.heartbeat
            if beat is not None and beat.cluster == cluster:
                rule = self._settings.rule(beat.site)
                yield Machine(member.name, beat.url, member.capacity_bytes, rule, dict(member.held))

    def _pinned(self, cluster: str) -> Iterable[Key]:
        wanted = [pin for pin in self._settings.pins if pin.cluster in (None, cluster)]
        for pin in wanted:
            title = self._catalog.find(pin.title)
            for rendition in title.renditions if title is not None else ():
                if pin.rendition in (None, rendition.id):
                    yield (pin.title, rendition.id)

    async def _keep(self, made: list[Made]) -> None:
        plans = [plan for each in made for plan in each.cluster.plans.values()]
        changed = [plan for plan in plans if supersedes(plan, self.plans.get(plan.appliance))]
        await self._books.keep_plans(changed)
        for plan in changed:
            self.plans[plan.appliance] = plan
            self._log.info("plan_replaced", appliance=plan.appliance, plan=plan.id, holds=len(plan.hold))
        self._meter.inc("oca_fill_plans_total", len(changed), outcome="replaced")
        self._meter.inc("oca_fill_plans_total", len(plans) - len(changed), outcome="same")
        for each in made:
            for machine in each.job.machines:
                row = summary(each, machine, self.plans)
                self._meter.set("oca_fill_planned_bytes", row.hold_bytes, appliance=row.appliance)
                self._meter.set("oca_fill_missing_bytes", row.missing_bytes, appliance=row.appliance)

    async def _prune(self, now: float) -> None:
        if now - self._pruned_mono < PRUNE_INTERVAL_S:
            return
        self._pruned_mono = now
        await self._forget(now)
        before = self._clock.now() - self._settings.keep_demand
        gone = await self._books.prune(before, self._settings.limits.demand_rows)
        if gone:
            self._log.info("demand_pruned", rows=gone)

    async def _forget(self, now: float) -> None:
        """Drop what belongs to appliances that have been away for long, also since before we started."""
        gone = self._members.forget(now)
        long_ago = self._clock.now() - self._members.limits.forget_after_s
        gone += [
            name
            for name, plan in self.plans.items()
            if plan.made_at < long_ago and self._members.find(name) is None and name not in gone
        ]
        for name in gone:
            self.plans.pop(name, None)
            await self._books.forget(name)
            self._log.info("appliance_forgotten", appliance=name)


def _policy(settings: FillSettings) -> Policy:
    placement = settings.placement
    return Policy(placement.churn, placement.copy_discount, placement.keep_bonus)
