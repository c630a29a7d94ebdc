"""The planner's process: who gets which instance, and its life.

The one place where instances are made. Routes are in `routes.py`, plans in `plan.py`.
"""

from __future__ import annotations

from control.kit.client import ServiceClient
from control.kit.clock import Clock
from control.kit.errors import UserError
from control.kit.http import HttpServer, bound_socket
from control.kit.lifecycle import Periodic
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from fill.books import Books
from fill.catalog import Catalog
from fill.config import FillSettings
from fill.members import MemberLimits, Members
from fill.metrics import METRICS
from fill.planner import Planner
from fill.progress import Progress
from fill.routes import Desk, application

TICK_S = 0.5
"""How often it is asked whether catalog or plans are due."""


class Fill:
    """One fill planner. Demand, catalog, plans and progress survive a restart; who is there is heard again."""

    name = "fill"

    def __init__(self, settings: FillSettings, *, clock: Clock, tick_s: float = TICK_S) -> None:
        self.settings = settings
        self.meter = Meter(METRICS)
        self.members = Members(limits_of(settings), origin=settings.origin.name)
        self._clock = clock
        self._tick_s = tick_s
        self._control = ServiceClient("control", settings.control_url, timeout_s=settings.control_timeout)
        self._books: Books | None = None
        self._server: HttpServer | None = None
        self._rounds: list[Periodic] = []
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<Fill {self.members!r}>"

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._server.port if self._server is not None else self.settings.listen.port

    async def start(self) -> None:
        """Listen, open the books, begin to ask control and to plan. Neither control nor appliances need to be up."""
        listen = self.settings.listen
        sock = bound_socket(listen.host, listen.port, what="fill")
        try:
            self._books = Books(self.settings.database)
            desk = self._desk(self._books)
        except UserError:
            sock.close()
            raise
        server = HttpServer(application(desk), sock)
        await server.start()
        self._server = server
        self._rounds = [
            Periodic("catalog", self._tick_s, desk.catalog.tick, self._clock),
            Periodic("planning", self._tick_s, desk.planner.tick, self._clock),
            Periodic("gauges", self._tick_s, self._gauges, self._clock),
        ]
        for each in self._rounds:
            each.start()
        self._log.info("listening", host=listen.host, port=server.port, plans=len(desk.planner.plans))

    def _desk(self, books: Books) -> Desk:
        catalog = Catalog(
            self._control,
            books,
            clock=self._clock,
            meter=self.meter,
            interval_s=self.settings.catalog_interval,
            limit=self.settings.limits.titles,
        )
        planner = Planner(self.settings, self.members, catalog, books, clock=self._clock, meter=self.meter)
        return Desk(
            settings=self.settings,
            members=self.members,
            catalog=catalog,
            books=books,
            planner=planner,
            progress=Progress(books.reports()),
            clock=self._clock,
            meter=self.meter,
        )

    async def _gauges(self) -> None:
        now = self._clock.monotonic()
        self.meter.set("oca_fill_appliances", len(self.members), kind="known")
        self.meter.set(
            "oca_fill_appliances", sum(self.members.is_live(each, now) for each in self.members), kind="live"
        )

    async def drain(self) -> None:
        """Nothing is in flight for long; the server's own stop waits for it."""

    async def stop(self) -> None:
        """Stop planning and answering, then close the books."""
        for each in self._rounds:
            await each.stop()
        if self._server is not None:
            await self._server.stop()
            self._server = None
        await self._control.close()
        if self._books is not None:
            await self._books.close()
            self._books = None


def limits_of(settings: FillSettings) -> MemberLimits:
    """The limits of membership in `settings`."""
    return MemberLimits(
        appliances=settings.limits.appliances,
        renditions_each=settings.limits.renditions_each,
        ttl_s=settings.member_ttl,
        inventory_grace_s=settings.inventory_grace,
    )
