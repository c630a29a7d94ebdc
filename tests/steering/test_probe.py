"""Probes of appliances that behave in every way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from control.kit.clock import SystemClock
from control.kit.metrics import Meter
from control.wire import Heartbeat
from steering.config import ProbeSettings
from steering.fleet import Fleet
from steering.metrics import METRICS
from steering.probe import Prober

Beat = Callable[..., Heartbeat]
NewFleet = Callable[..., Fleet]


@pytest.fixture
async def saying() -> AsyncIterator[Callable[[bytes], asyncio.Future[str]]]:
    """Starts servers that say the given bytes to anyone and then hold the connection."""
    servers: list[asyncio.Server] = []

    async def start(answer: bytes) -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start  # type: ignore[misc]
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", "answered 302"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "answered 503"),
        (b"", "no answer in 0.1 s"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "BadHttpMessage|BadStatusLine|ClientResponseError"),
    ],
)
async def test_only_a_good_answer_in_time_counts(
    saying: Callable[[bytes], asyncio.Future[str]], beat: Beat, new_fleet: NewFleet, answer: bytes, error: str
) -> None:
    import re

    fleet = new_fleet()
    fleet.heartbeat(beat(url=await saying(answer)), 0.0)
    async with Prober(fleet, ProbeSettings(timeout=0.1), SystemClock(), Meter(METRICS)) as prober:
        await prober.round()
        seen = fleet.find("a1")
        assert seen is not None
        assert seen.health.phase == ("new" if error else "alive")
        assert re.search(error, seen.health.error), seen.health.error


async def test_a_refused_connection_is_told_in_plain_words(beat: Beat, new_fleet: NewFleet) -> None:
    fleet = new_fleet()
    fleet.heartbeat(beat(url="http://127.0.0.1:1"), 0.0)
    async with Prober(fleet, ProbeSettings(), SystemClock(), Meter(METRICS)) as prober:
        await prober.round()
        await prober.round()
    seen = fleet.find("a1")
    assert seen is not None
    assert (seen.health.phase, seen.health.error) == ("new", "connection refused")


async def test_slow_appliances_do_not_keep_others_waiting(
    saying: Callable[[bytes], asyncio.Future[str]], beat: Beat, new_fleet: NewFleet
) -> None:
    fleet = new_fleet()
    silent, good = await saying(b""), await saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    for number in range(10):
        fleet.heartbeat(beat(f"slow-{number}", url=silent), 0.0)
    fleet.heartbeat(beat("good", url=good), 0.0)
    async with Prober(fleet, ProbeSettings(timeout=0.2), SystemClock(), Meter(METRICS)) as prober:
        async with asyncio.timeout(1.0):
            await prober.round()
    seen = fleet.find("good")
    assert seen is not None
    assert seen.health.phase == "alive"
