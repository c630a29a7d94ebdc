"""Telling steering and fill how this appliance is, what it holds and what is asked of it.

Each receiver is told on its own: one that is dead or slow holds up no other, and none holds up serving.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from control.kit.clock import Clock
from control.kit.lifecycle import Periodic
from control.kit.metrics import Meter
from control.wire import FillReport, Heartbeat
from oca.beacon.demand import Demand
from oca.beacon.receiver import Receiver
from oca.config import ApplianceSettings
from oca.store.books import Books


class Beacon:
    """Every receiver with its periodic reports. Lifetime of the process."""

    def __init__(
        self,
        settings: ApplianceSettings,
        *,
        epoch: float,
        books: Books,
        demand: Demand,
        heartbeat: Callable[[int], Heartbeat],
        fill_report: Callable[[], FillReport | None],
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._settings = settings
        self._books = books
        self._demand = demand
        self._heartbeat = heartbeat
        self._fill_report = fill_report
        self._clock = clock
        self._sequence = 0
        self._reported: FillReport | None = None
        urls = [(f"steering-{number}", url) for number, url in enumerate(settings.steering_urls)]
        urls += [("fill", settings.fill_url)] if settings.fill_url else []
        self.receivers = [
            Receiver(
                name,
                url,
                appliance=settings.appliance,
                epoch=epoch,
                timeout_s=float(settings.report_timeout),
                meter=meter,
            )
            for name, url in urls
        ]
        self._periodics = [periodic for receiver in self.receivers for periodic in self._reports(receiver)]

    def __repr__(self) -> str:
        return f"<Beacon to {', '.join(receiver.name for receiver in self.receivers) or 'nobody'}>"

    @property
    def failing(self) -> dict[str, str]:
        """Reports that fail at present and why."""
        return {periodic.name: periodic.last_error for periodic in self._periodics if periodic.last_error}

    def start(self) -> None:
        """Begin to report."""
        for periodic in self._periodics:
            periodic.start()

    async def stop(self) -> None:
        """Stop reporting."""
        for periodic in self._periodics:
            await periodic.stop()
        for receiver in self.receivers:
            await receiver.close()

    async def now(self) -> None:
        """Send a heartbeat to everybody at once: the state has changed."""
        await asyncio.gather(*(beat.once() for beat in self._periodics if beat.name.startswith("heartbeat")))

    def _reports(self, receiver: Receiver) -> list[Periodic]:
        settings = self._settings
        reports = [
            self._periodic("heartbeat", receiver, settings.heartbeat_interval, lambda: self._beat(receiver)),
            self._periodic("inventory", receiver, settings.inventory_interval, lambda: receiver.inventory(self._books)),
        ]
        if receiver.name == "fill":
            reports += [
                self._periodic("demand", receiver, settings.demand_interval, lambda: self._tell_demand(receiver)),
                self._periodic("fill_report", receiver, settings.filler.report_interval, lambda: self._tell(receiver)),
            ]
        return reports

    def _periodic(
        self, what: str, receiver: Receiver, interval_s: float, work: Callable[[], Awaitable[None]]
    ) -> Periodic:
        return Periodic(f"{what} to {receiver.name}", float(interval_s), work, self._clock)

    async def _beat(self, receiver: Receiver) -> None:
        self._sequence += 1
        await receiver.heartbeat(self._heartbeat(self._sequence))

    async def _tell_demand(self, receiver: Receiver) -> None:
        await receiver.demand(self._demand)
        self._demand.forget(receiver.demand_taken, self._clock.now())

    async def _tell(self, receiver: Receiver) -> None:
        """Progress while filling, and once more when its state has changed."""
        report = self._fill_report()
        before = self._reported
        if report is None:
            return
        same = before is not None and (before.plan, before.state) == (report.plan, report.state)
        if same and report.state != "running":
            return
        await receiver.fill_report(report)
        self._reported = report
