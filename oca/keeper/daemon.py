"""The keeper's wiring: who gets which instance, and the order in which they start and stop.

Nothing is decided here. `start` binds the admin port first, so that a taken port is known at once, and
listens to workers last, when the disks are ready.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from control.kit.clock import Clock
from control.kit.errors import ConfigError, StorageError
from control.kit.http import HttpServer, bound_socket
from control.kit.lifecycle import Periodic
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.wire import FillPlan, Source
from oca import metrics
from oca.beacon.beacon import Beacon
from oca.beacon.demand import Demand
from oca.config import ApplianceSettings
from oca.filler.filler import Filler
from oca.filler.plans import PlanBook, PlanPoll
from oca.keeper import admin
from oca.keeper.condition import Condition
from oca.keeper.flow import MissFlow
from oca.keeper.fronts import Fronts
from oca.keeper.link_server import LinkServer
from oca.keeper.purges import Purges
from oca.keeper.stowage import Stowage
from oca.keeper.tally import Tally
from oca.keeper.watch import DiskWatch
from oca.keeper.workers import Workers
from oca.policy import registry
from oca.store.disk import Disk
from oca.store.layout import RenditionKey
from oca.store.ledger import Ledger
from oca.store.shelves import Shelves
from oca.upstream.flights import Flights
from oca.upstream.index import Indexes
from oca.upstream.source import Upstream
from oca.upstream.trust import Trust

POPULARITY_S = 30.0
"""Who was asked for how often is written at this interval: losing half a minute of it costs nothing."""


class Keeper:
    """The process that owns the disks. Satisfies `lifecycle.Service`."""

    def __init__(self, settings: ApplianceSettings, clock: Clock) -> None:
        self.name = f"keeper of {settings.appliance}"
        self.settings = settings
        self.clock = clock
        self.meter = Meter(metrics.TABLE)
        self.policy = registry.made(settings.store.policy)
        self._ends = AsyncExitStack()
        """How to end what has begun, latest first; a start that failed half-way ends its half."""
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<Keeper of {self.settings.appliance}>"

    # Life

    async def start(self) -> None:
        """Bind, take the disks, listen to workers, begin to report and to fill. Raises UserError."""
        settings, ends = self.settings, self._ends
        admin_socket = bound_socket(settings.admin.host, settings.admin.port, what=f"{settings.appliance}: admin")
        ends.callback(admin_socket.close)
        _make_run_dir(settings.run_dir)
        self._wire()
        await self.shelves.open()
        self.stowage.load()
        self.watch.begin()
        await self.purges.resume()
        self.plans.load()
        self._plan_changed()
        self.server = HttpServer(admin.application(self), admin_socket)
        ends.push_async_callback(self.server.stop)
        await self.server.start()
        for stop in (self.flights.stop, self.indexes.stop, self.links.stop, self.beacon.stop, self.filler.stop):
            ends.push_async_callback(stop)
        await self.links.start()
        self.beacon.start()
        self.filler.start()
        for periodic in self.periodics:
            ends.push_async_callback(periodic.stop)
            periodic.start()
        self._log.info("keeper_ready", admin_port=self.server.port, disks=len(self.shelves.usable))

    async def drain(self) -> None:
        """Tell steering, then stay until the last worker has left."""
        self.condition.stopping = True
        await self.beacon.now()
        if self.workers:
            await self.workers.all_left.wait()

    async def stop(self) -> None:
        """End everything in the opposite order; what is on its way is given up, what is landing lands."""
        await self._ends.aclose()

    # Wiring

    def _wire(self) -> None:
        settings, clock, meter = self.settings, self.clock, self.meter
        me = settings.appliance
        origin = Source(kind="cache", name=settings.origin.name, url=settings.origin.url)
        if origin.name == me:
            raise ConfigError(f"origin.name: {me!r} is this appliance's own name; the origin needs another")
        store = settings.store
        self.shelves = Shelves(
            tuple(
                Disk(disk, appliance=me, slow_after_s=float(store.slow_after), sync_batch=store.sync_batch)
                for disk in settings.disks
            ),
            Ledger(settings.run_dir / "books.db"),
            clock,
        )
        self._ends.push_async_callback(self.shelves.close)
        self.fronts = Fronts(meter)
        self.demand = Demand()
        self.plans = PlanBook(settings.run_dir / "plan.json", me=me)
        self.poll: PlanPoll | None = None
        if settings.fill_url:
            self.poll = PlanPoll(settings.fill_url, me=me, timeout_s=float(settings.report_timeout))
            self._ends.push_async_callback(self.poll.close)
        self.workers = Workers(lambda: [str(disk.path) for disk in self.shelves.usable], meter)
        self._wire_upstream(origin)
        self.condition = Condition(
            settings, shelves=self.shelves, workers=self.workers, fronts=self.fronts, clock=clock, meter=meter
        )
        self.tally = Tally(
            fronts=self.fronts,
            books=self.shelves.books,
            policy=self.policy,
            demand=self.demand,
            indexes=self.indexes,
            clock=clock,
        )
        self.links = LinkServer(settings.keeper_socket, self.workers, _Desk(self.flow, self.tally, self.flights), meter)
        self.purges = Purges(self.shelves, self.stowage, self.flights, self.indexes, me=me, clock=clock)
        self.watch = DiskWatch(
            self.shelves, self.stowage, self.purges, changed=self._disks_changed, clock=clock, meter=meter
        )
        self._wire_reports()

    def _wire_reports(self) -> None:
        settings, clock, meter, store = self.settings, self.clock, self.meter, self.settings.store
        self.beacon = Beacon(
            settings,
            epoch=self.condition.epoch,
            books=self.shelves.books,
            demand=self.demand,
            heartbeat=self.condition.heartbeat,
            fill_report=self.filler.report,
            clock=clock,
            meter=meter,
        )
        self.periodics = [
            Periodic("books", float(store.commit_interval), self._write_books, clock),
            Periodic("popularity", POPULARITY_S, self._write_popularity, clock),
            Periodic("tally", 1.0, self.tally.round, clock),
            Periodic("gauges", 1.0, self._measure, clock),
            Periodic("disks", float(store.check_interval), self.watch.round, clock),
        ]
        if self.poll is not None:
            self.periodics.append(Periodic("plan", float(settings.filler.plan_interval), self.ask_for_plan, clock))

    def _wire_upstream(self, origin: Source) -> None:
        settings, clock, meter = self.settings, self.clock, self.meter
        me = settings.appliance
        self.upstream = Upstream(settings.upstream, me=me, clock=clock)
        self._ends.push_async_callback(self.upstream.close)
        self.trust = Trust(distrust_s=settings.upstream.distrust, backoff_s=settings.upstream.backoff)
        self.stowage = Stowage(
            self.shelves,
            self.policy,
            announcer=self.workers,
            clock=clock,
            meter=meter,
        )
        self.indexes = Indexes(
            settings.upstream,
            upstream=self.upstream,
            shelf=self.shelves,
            trust=self.trust,
            clock=clock,
            meter=meter,
        )
        self.stowage.forgotten.append(self.indexes.forget)
        self.flights = Flights(
            settings.upstream,
            upstream=self.upstream,
            stowage=self.stowage,
            trust=self.trust,
            clock=clock,
            meter=meter,
        )
        self.stowage.spare(self.flights.touches)
        self.filler = Filler(
            settings,
            plans=self.plans,
            shelves=self.shelves,
            indexes=self.indexes,
            flights=self.flights,
            clock=clock,
            meter=meter,
        )
        self.flow = MissFlow(
            me=me,
            origin=origin,
            plans=self.plans,
            stowage=self.stowage,
            indexes=self.indexes,
            flights=self.flights,
            filler=self.filler,
            clock=clock,
            meter=meter,
        )

    # What happens

    async def set_draining(self, *, drain: bool) -> None:
        """Take the appliance out of steering or put it back, and say so at once. Raises StorageError."""
        await self.condition.set_draining(drain=drain)
        await self.beacon.now()

    async def ask_for_plan(self) -> None:
        """Ask the planner for the plan. Raises UnreachableError."""
        if self.poll is None:
            raise ConfigError("fill_url: is not configured, so there is nobody to ask for a plan")
        plan = await self.poll.ask()
        if plan is not None and self.plans.take(plan):
            self._plan_changed()

    def _plan_changed(self) -> None:
        plan: FillPlan | None = self.plans.current
        if plan is not None:
            self.stowage.follow(plan)
            for hold in plan.hold:
                self.indexes.negative.forget(RenditionKey(hold.title, hold.rendition))

    def _disks_changed(self) -> None:
        self.workers.disks_changed()
        self.filler.again()

    async def _write_books(self) -> None:
        await self.shelves.settle()
        await self.shelves.flush()

    async def _write_popularity(self) -> None:
        await self.shelves.flush(popularity=True)

    async def _measure(self) -> None:
        self.condition.measure()
        self.meter.set("oca_upstream_flights", len(self.flights))
        report = self.filler.report()
        if report is not None:
            self.meter.set("oca_fill_missing_objects", report.objects_total - report.objects_done)


def _make_run_dir(place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"run_dir {place}: cannot be made: {error.strerror}") from error


class _Desk:
    """Hands what workers say to the rooms that answer. Satisfies `link_server.Desk`."""

    def __init__(self, flow: MissFlow, tally: Tally, flights: Flights) -> None:
        self.want = flow.want
        self.served = tally.take
        self.left = flights.leave
