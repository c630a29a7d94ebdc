"""The steering process: who gets which instance, and its life.

The one place where instances are made. Routes are in `routes.py`, decisions in `decide.py`.
"""

from __future__ import annotations

import random

from control.kit.clock import Clock
from control.kit.http import HttpServer, bound_socket
from control.kit.lifecycle import Periodic
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.wire import RankedPathway
from steering.config import SteeringSettings
from steering.decide import Terms
from steering.decisions import Decisions
from steering.fleet import Fleet, FleetLimits, FleetRules
from steering.health import Thresholds
from steering.metrics import METRICS
from steering.probe import Prober
from steering.report import counts
from steering.routes import Desk, application
from steering.silence import Patience


class Steering:
    """One steering service. Its view is in memory: after a restart it is right again with the first heartbeats."""

    name = "steering"

    def __init__(self, settings: SteeringSettings, *, clock: Clock, rng: random.Random) -> None:
        self.settings = settings
        self.meter = Meter(METRICS)
        self.fleet = fleet_of(settings, started_at=clock.monotonic())
        self.prober = Prober(self.fleet, settings.probe, clock, self.meter)
        self._clock = clock
        self._decisions = Decisions(settings.limits.decisions, rng)
        self._rounds = Periodic("probes", settings.probe.interval, self._round, clock)
        self._server: HttpServer | None = None
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<Steering {self.fleet!r}>"

    @property
    def url(self) -> str:
        """Our base URL, as configured or from the address listened on."""
        listen = self.settings.listen
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        return self.settings.url or f"http://{host}:{self.port}"

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._server.port if self._server is not None else self.settings.listen.port

    async def start(self) -> None:
        """Listen, then begin to probe."""
        sock = bound_socket(self.settings.listen.host, self.settings.listen.port, what="steering")
        port = sock.getsockname()[1]
        desk = Desk(
            settings=self.settings,
            terms=terms_of(self.settings),
            fleet=self.fleet,
            decisions=self._decisions,
            clock=self._clock,
            meter=self.meter,
            base_url=lambda: self.url,
        )
        server = HttpServer(application(desk), sock)
        await server.start()
        self._server = server
        self._rounds.start()
        self._log.info("listening", host=self.settings.listen.host, port=port, url=self.url)

    async def drain(self) -> None:
        """Nothing is in flight for long; the server's own stop waits for it."""

    async def stop(self) -> None:
        """Stop probing and answering."""
        await self._rounds.stop()
        await self.prober.close()
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def _round(self) -> None:
        for name in self.fleet.forget(self._clock.monotonic()):
            self._log.info("appliance_forgotten", appliance=name)
        await self.prober.round()
        for kind, count in counts(self.fleet, self._clock.monotonic()).items():
            self.meter.set("oca_steering_appliances", count, standing=kind)


def fleet_of(settings: SteeringSettings, *, started_at: float) -> Fleet:
    """An empty view with the rules and limits of `settings`."""
    rules = FleetRules(
        patience=Patience(settings.heartbeat_ttl, settings.believed_silence),
        thresholds=Thresholds(settings.probe.failures, settings.probe.successes),
        degraded_for_s=settings.degraded_for,
        forget_after_s=settings.forget_after,
    )
    limits = FleetLimits(settings.limits.appliances, settings.limits.prefixes_each, settings.limits.renditions_each)
    return Fleet(rules, limits, reserved=frozenset({settings.origin.name}), started_at=started_at)


def terms_of(settings: SteeringSettings) -> Terms:
    """What all decisions share."""
    return Terms(
        origin=RankedPathway(
            pathway=settings.origin.name,
            kind="origin",
            url=settings.origin.url,
            reasons=("the origin is the last resort",),
        ),
        ttl_s=max(round(settings.ttl), 1),
        degraded_ttl_s=max(round(settings.degraded_ttl), 1),
        warm_up_s=settings.heartbeat_ttl,
    )
