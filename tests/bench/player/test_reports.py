"""Telling control: in order, bounded, and never in play's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bench.player.limits import PlayerLimits
from bench.player.reports import Reports
from control.kit.client import ServiceClient
from control.kit.clock import SystemClock
from control.wire import PlaybackRequest

REQUEST = PlaybackRequest(title="t", profile="p", device="d")


@pytest.fixture
async def reports(world, quick: PlayerLimits) -> AsyncIterator[Reports]:
    client = ServiceClient("control", world.control_url, timeout_s=1.0)
    yield Reports(client, clock=SystemClock(), limits=quick)
    await client.close()


async def test_events_and_positions_arrive_in_order(world, reports: Reports, until) -> None:
    await reports.begin(REQUEST)
    sending = asyncio.create_task(reports.run())
    reports.event("start", position_ms=0, value=100, pathway="a")
    reports.position(50)
    reports.event("stop", position_ms=60)
    await until(lambda: len(world.events) == 2)
    sending.cancel()
    assert world.kinds == ["start", "stop"]
    assert [position.position_ms for position in world.positions] == [50]
    assert reports.lost == 0


async def test_the_farewell_saves_the_position_first_and_then_what_waits(world, reports: Reports) -> None:
    await reports.begin(REQUEST)
    reports.event("stop", position_ms=60)
    assert await reports.farewell(60)
    assert world.positions[-1].position_ms == 60
    assert world.kinds == ["stop"]


async def test_without_a_session_there_is_nothing_to_say(reports: Reports) -> None:
    assert not await reports.farewell(0)


async def test_more_than_may_wait_drops_the_oldest(reports: Reports, quick: PlayerLimits) -> None:
    await reports.begin(REQUEST)
    for number in range(quick.reports_waiting + 5):
        reports.event("switch", position_ms=number)
    assert reports.lost == 5


async def test_a_hung_control_costs_the_farewell_no_more_than_its_limit(reports: Reports, quick: PlayerLimits) -> None:
    await reports.begin(REQUEST)

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    client = ServiceClient("control", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout_s=30)
    hung = Reports(client, clock=SystemClock(), limits=quick)
    hung._session = reports._session
    hung.event("stop", position_ms=1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert not await hung.farewell(1)
    assert loop.time() - began < quick.farewell_s + 1.0
    assert hung.lost == 2
    await client.close()
    server.close()
