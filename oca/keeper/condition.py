"""How the appliance is: its state, what it waits for, whether the operator took it out, and its heartbeat.

Reads the other rooms; changes nothing but the operator's note.
"""

from __future__ import annotations

from importlib import metadata

from control.kit.clock import Clock
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.wire import ApplianceState, Heartbeat
from oca.config import ApplianceSettings
from oca.keeper.fronts import Fronts
from oca.keeper.workers import Workers
from oca.store.shelves import Shelves

NOTE = "draining"
"""The ledger's note that the operator took the appliance out: it holds over a restart."""


class Condition:
    """The appliance's state as steering is told. Lifetime of the process."""

    def __init__(
        self,
        settings: ApplianceSettings,
        *,
        shelves: Shelves,
        workers: Workers,
        fronts: Fronts,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self.epoch = clock.now()
        self.stopping = False
        self.draining = shelves.ledger.recall(NOTE) is not None
        self._settings = settings
        self._shelves = shelves
        self._workers = workers
        self._fronts = fronts
        self._clock = clock
        self._meter = meter
        self._all_seen = False
        self._build = metadata.version("open-connect-appliance")
        self._log = get_logger()
        meter.set("oca_draining", float(self.draining))

    def __repr__(self) -> str:
        return f"<Condition {self.state}>"

    async def set_draining(self, *, drain: bool) -> None:
        """Take the appliance out of steering or put it back. Raises StorageError when that cannot be noted."""
        await self._shelves.ledger.remember(NOTE, "yes" if drain else None)
        self.draining = drain
        self._meter.set("oca_draining", float(drain))
        self._log.info("draining_set", drain=drain)

    @property
    def waiting_for(self) -> list[str]:
        """What keeps the appliance from being ready. Workers that were all there once may come and go."""
        missing = [] if self._shelves.usable else ["a usable disk"]
        present = self._workers.present
        self._all_seen |= present >= self._settings.workers
        if not self._all_seen:
            missing.append(f"front workers: {present} of {self._settings.workers} are there")
        elif not present:
            missing.append("a front worker: all have left")
        return missing

    @property
    def state(self) -> ApplianceState:
        """The state in one word."""
        if self.stopping:
            return "stopping"
        if self.waiting_for:
            return "starting"
        return "draining" if self.draining else "ready"

    def heartbeat(self, sequence: int) -> Heartbeat:
        """The heartbeat numbered `sequence`."""
        settings = self._settings
        requests, egress = self._fronts.rates(self._clock.monotonic())
        return Heartbeat(
            appliance=settings.appliance,
            site=settings.site,
            cluster=settings.cluster,
            url=settings.url,
            state=self.state,
            epoch=self.epoch,
            sequence=sequence,
            at=self._clock.now(),
            build=self._build,
            capacity_bps=int(settings.capacity),
            egress_bps=egress,
            requests_per_s=requests,
            connections=sum(worker.connections for worker in self._workers),
            workers_ready=self._workers.present,
            workers_configured=settings.workers,
            disks=tuple(disk.report() for disk in self._shelves.disks.values()),
            serves=settings.serves,
        )

    def measure(self) -> None:
        """Bring the gauges up to date."""
        _, egress = self._fronts.rates(self._clock.monotonic())
        self._meter.set("oca_workers_ready", self._workers.present)
        self._meter.set("oca_front_connections", sum(worker.connections for worker in self._workers))
        self._meter.set("oca_egress_bits_per_second", egress)
