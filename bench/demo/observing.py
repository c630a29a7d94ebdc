"""Waiting until the fleet's services say that it is so, each wait with a limit.

Asks the services' public interfaces; changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from bench.demo.child import ChildError
from bench.demo.fleet import Fleet
from control.kit.client import ServiceClient
from control.kit.errors import UnreachableError
from control.wire import SteeringDecision, SteeringQuery, Title, decode, encode

T = TypeVar("T")

POLL_S = 0.1
LIMIT_S = 30.0
VIEWER = "127.0.0.1"


async def until(
    ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool], *, what: str, limit_s: float = LIMIT_S
) -> T:
    """The first answer of `ask` for which `holds`. A service that cannot be reached is asked again.

    Raises ChildError saying `what` was waited for and the last answer.
    """
    deadline = asyncio.get_running_loop().time() + limit_s
    while True:
        try:
            answer = await ask()
            if holds(answer):
                return answer
            last = repr(answer)
        except UnreachableError as error:
            last = str(error)
        if asyncio.get_running_loop().time() > deadline:
            raise ChildError(f"waited {limit_s:g} s for {what}; last: {last[:1000]}")
        await asyncio.sleep(POLL_S)


async def cataloged(fleet: Fleet, title: str) -> Title:
    """The title as control knows it, once it does."""
    async with ServiceClient("control", fleet.url("control")) as control:
        path = f"/v1/titles/{title}"
        what = f"control to have {title} in its catalog"
        return await until(lambda: control.get(path, lambda body: decode(body, Title)), lambda _: True, what=what)


async def joined(fleet: Fleet, appliances: Collection[str]) -> None:
    """Wait until steering sends viewers to all of `appliances`."""
    async with ServiceClient("steering", fleet.url("steering")) as steering:

        async def standings() -> dict[str, str]:
            view: Any = await steering.get("/v1/fleet", msgspec.json.decode)
            return {row["appliance"]: row["standing"] for row in view["appliances"]}

        wanted = set(appliances)
        ready = lambda rows: wanted <= {name for name, standing in rows.items() if standing == "ready"}  # noqa: E731
        await until(standings, ready, what=f"steering to count {', '.join(sorted(wanted))} as ready")


async def holding(fleet: Fleet, title: str, appliances: Collection[str]) -> SteeringDecision:
    """Steering's decision for a viewer here, once it knows that all of `appliances` hold all of `title`."""
    query = encode(SteeringQuery(client=VIEWER, title=title))
    async with ServiceClient("steering", fleet.url("steering")) as steering:

        async def decision() -> SteeringDecision:
            return await steering.post("/v1/decisions", query, lambda body: decode(body, SteeringDecision))

        def all_hold(decision: SteeringDecision) -> bool:
            holders = {each.pathway for each in decision.pathways if "holds all of the title" in each.reasons}
            return set(appliances) <= holders

        return await until(decision, all_hold, what=f"steering to know who holds {title}")


async def counted(fleet: Fleet, name: str, counter: str, **labels: str) -> int:
    """The sum over all rows of a counter in a process's /metrics that have these labels."""
    async with ServiceClient(name, fleet.admin_url(name)) as client:
        text = await client.get("/metrics", bytes.decode)
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return round(sum(s.value for s in samples if s.name == counter and labels.items() <= s.labels.items()))
