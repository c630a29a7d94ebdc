"""Tonight's fill, now: have plans made, tell the appliances, watch until all have what they should hold.

The planner decides and the appliances fetch; here they are only asked, and their bytes are counted.
"""

from __future__ import annotations

import asyncio

import msgspec

from bench.demo.child import ChildError
from bench.demo.display import Display
from bench.demo.fill_status import FillRow, FillStatus
from bench.demo.fleet import Fleet
from bench.demo.layout import APPLIANCES
from bench.demo.observing import counted, until
from control.kit.client import ServiceClient
from control.wire import Title

FILL_LIMIT_S = 120.0
PLAN_LIMIT_S = 20.0
NAMES = tuple(appliance.name for appliance in APPLIANCES)


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What a fill came to: bytes that appliances took from the origin, and bytes it says it sent them."""

    from_origin: int
    origin_sent: int


async def fill_tonight(fleet: Fleet, title: Title, display: Display) -> Filled:
    """Have every appliance filled with `title`. Raises ChildError when that fails or is not done in time."""
    async with ServiceClient("fill", fleet.url("fill"), timeout_s=10) as fill:
        await _plan(fill, title)
        await asyncio.gather(*(_tell(fleet, name) for name in NAMES))
        with display.filling() as bars:

            def full(status: FillStatus) -> bool:
                bars.show(status.appliances)
                return all(_is_full(row, title) for row in status.appliances)

            await until(lambda: _status(fill), full, what="every appliance to be filled", limit_s=FILL_LIMIT_S)
    return await _count(fleet)


async def _plan(fill: ServiceClient, title: Title) -> None:
    """Once the planner knows the title and what every appliance holds, have plans made."""

    def informed(status: FillStatus) -> bool:
        knows = {row.appliance for row in status.appliances if row.live and not row.waiting_for}
        return status.titles > 0 and knows >= set(NAMES)

    await until(lambda: _status(fill), informed, what="the planner to hear from all", limit_s=PLAN_LIMIT_S)
    await fill.send("POST", "/v1/plans")
    for row in (await _status(fill)).appliances:
        if row.holds < len(title.renditions):
            raise ChildError(f"the plan of {row.appliance} holds {row.holds} of {len(title.renditions)} renditions")


async def _tell(fleet: Fleet, name: str) -> None:
    async with ServiceClient(name, fleet.admin_url(name)) as keeper:
        await keeper.send("POST", "/v1/fill")


async def _status(fill: ServiceClient) -> FillStatus:
    return await fill.get("/v1/status", msgspec.json.Decoder(FillStatus).decode)


def _is_full(row: FillRow, title: Title) -> bool:
    if row.state == "failed":
        raise ChildError(f"the fill failed: {row}")
    return row.state == "done" and row.bytes_done >= title.bytes


async def _count(fleet: Fleet) -> Filled:
    """The counters of both ends, when nobody has played yet.

    All that appliances fetched from the origin counts, not only what each fetched for its own plan: a peer that asks
    the fill master for an object before the master has it makes the master fetch it at once.
    """
    got = await asyncio.gather(*(counted(fleet, n, "oca_upstream_bytes_total", kind="cache") for n in NAMES))
    sent = await counted(fleet, "origin", "oca_origin_bytes_total", requester="appliance")
    return Filled(from_origin=sum(got), origin_sent=sent)
