"""One service that hears from this appliance: its client, and what it has been told so far."""

from __future__ import annotations

from control.kit.client import ServiceClient, ServiceError
from control.kit.errors import UnreachableError
from control.kit.metrics import Meter
from control.wire import DemandReport, FillReport, Heartbeat, encode
from oca.beacon.demand import Demand
from oca.beacon.holdings import Holdings
from oca.store.books import Books


class Receiver:
    """Steering or fill. Each call is one attempt; who calls tries again at the next interval."""

    def __init__(self, name: str, url: str, *, appliance: str, epoch: float, timeout_s: float, meter: Meter) -> None:
        self.name = name
        self.demand_taken = 0
        self._appliance = appliance
        self._epoch = epoch
        self._client = ServiceClient(name, url, timeout_s=timeout_s)
        self._holdings = Holdings(appliance=appliance, epoch=epoch)
        self._demand_sequence = 0
        self._meter = meter

    def __repr__(self) -> str:
        return f"<Receiver {self.name} {self._client.base_url}: {self._holdings!r}>"

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def heartbeat(self, heartbeat: Heartbeat) -> None:
        """Send `heartbeat`. Raises UnreachableError."""
        await self._post("/v1/heartbeats", encode(heartbeat), "heartbeat")

    async def inventory(self, books: Books) -> None:
        """Send what changed, if only that nothing did. Raises UnreachableError; then all is sent next time."""
        inventory, change = self._holdings.next(books)
        try:
            await self._post("/v1/inventories", encode(inventory), "inventory")
        except UnreachableError as error:
            self._holdings.doubtful()
            if isinstance(error, ServiceError) and error.status == 409:
                return  # it asks for everything: the next one is full
            raise
        except BaseException:
            self._holdings.doubtful()
            raise
        self._holdings.taken(change)

    async def demand(self, demand: Demand) -> None:
        """Send the rows that changed since it took some. Raises UnreachableError."""
        rows = demand.since(self.demand_taken)
        if not rows:
            return
        change = demand.change
        self._demand_sequence += 1
        report = DemandReport(appliance=self._appliance, epoch=self._epoch, sequence=self._demand_sequence, rows=rows)
        await self._post("/v1/demand", encode(report), "demand")
        self.demand_taken = change

    async def fill_report(self, report: FillReport) -> None:
        """Send the progress of a plan. Raises UnreachableError."""
        await self._post("/v1/fill-reports", encode(report), "fill_report")

    async def _post(self, path: str, body: bytes, message: str) -> None:
        try:
            await self._client.send("POST", path, body)
        except UnreachableError:
            self._meter.inc("oca_beacon_failed_total", message=message)
            raise
        self._meter.inc("oca_beacon_sent_total", message=message)
