"""Messages to send to steering, and appliances that answer probes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from control.kit.clock import Clock, SystemClock
from control.kit.http import HttpServer, bound_socket
from control.kit.settings import Listen
from control.wire import Heartbeat, Inventory, RenditionHeld, bitmap_of, encode
from steering.app import Steering
from steering.config import ProbeSettings, SteeringSettings
from steering.fleet import Fleet, FleetLimits, FleetRules
from steering.health import Thresholds
from steering.silence import Patience

FAST_PROBES = ProbeSettings(interval=0.02, timeout=0.5, failures=2, successes=3)


def _beat(appliance: str = "a1", **changes: Any) -> Heartbeat:
    values: dict[str, Any] = {
        "appliance": appliance,
        "site": "north",
        "cluster": "north-a",
        "url": f"http://{appliance}.test:80",
        "state": "ready",
        "epoch": 1000.0,
        "sequence": 1,
        "at": 1000.0,
        "build": "test",
        "capacity_bps": 10**10,
        "workers_ready": 1,
        "serves": ("10.0.0.0/8",),
    }
    return Heartbeat(**(values | changes))


def _inventory(appliance: str = "a1", *rows: tuple[str, str, int, int], **changes: Any) -> Inventory:
    held = tuple(
        RenditionHeld(
            title=title,
            rendition=rendition,
            objects_total=total,
            objects_held=held,
            bytes_held=held * 100,
            bitmap=bitmap_of(range(held), total),
        )
        for title, rendition, held, total in rows
    )
    values: dict[str, Any] = {"appliance": appliance, "epoch": 1000.0, "sequence": 1, "full": True, "held": held}
    return Inventory(**(values | changes))


@pytest.fixture(scope="session")
def beat() -> Callable[..., Heartbeat]:
    return _beat


@pytest.fixture(scope="session")
def inventory() -> Callable[..., Inventory]:
    """Rows are (title, rendition, objects held, objects in total)."""
    return _inventory


@pytest.fixture(scope="session")
def new_fleet() -> Callable[..., Fleet]:
    def make(**limits: int) -> Fleet:
        rules = FleetRules(Patience(5.0, 0.15), Thresholds(2, 3), degraded_for_s=60, forget_after_s=600)
        return Fleet(rules, FleetLimits(**limits), reserved=frozenset({"origin"}), started_at=0.0)

    return make


class FakeAppliance:
    """What steering probes: an address that answers /healthz until it is killed."""

    def __init__(self, name: str, host: str) -> None:
        self.name = name
        self.host = host
        self.port = 0
        self.status = 200
        self._server: HttpServer | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def start(self) -> None:
        async def healthz(_: web.Request) -> web.Response:
            return web.Response(status=self.status)

        app = web.Application()
        app.router.add_get("/healthz", healthz)
        server = HttpServer(app, bound_socket(self.host, self.port, what=self.name), drain_s=0.05)
        await server.start()
        self._server, self.port = server, server.port

    async def kill(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None


@pytest.fixture
async def appliance() -> AsyncIterator[Callable[[str, str], Awaitable[FakeAppliance]]]:
    """Starts fake appliances; kills them all at the end."""
    started: list[FakeAppliance] = []

    async def start(name: str, host: str) -> FakeAppliance:
        fake = FakeAppliance(name, host)
        await fake.start()
        started.append(fake)
        return fake

    yield start
    for fake in started:
        await fake.kill()


class Probe:
    """A client of one steering service."""

    def __init__(self, service: Steering, session: aiohttp.ClientSession) -> None:
        self.service = service
        self.url = f"http://127.0.0.1:{service.port}"
        self._session = session

    async def send(self, path: str, body: bytes | Heartbeat | Inventory) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else encode(body)
        async with self._session.post(self.url + path, data=data) as answer:
            return answer.status, await answer.json(content_type=None)

    async def get(self, path: str) -> tuple[int, Any]:
        async with self._session.get(self.url + path) as answer:
            return answer.status, await answer.json(content_type=None)

    async def headers(self, path: str) -> Any:
        async with self._session.get(self.url + path) as answer:
            return answer.headers

    async def priority(self, client: str = "10.0.0.7", title: str = "bunny") -> list[str]:
        _, manifest = await self.get(f"/v1/steer/{title}?session=s1&client={client}")
        return list(manifest["PATHWAY-PRIORITY"])


@pytest.fixture
def running() -> Callable[..., Any]:
    """A steering service on a free port, with a client; stopped at the end of the `async with`."""

    @asynccontextmanager
    async def run(clock: Clock | None = None, **changes: Any) -> AsyncIterator[Probe]:
        values: dict[str, Any] = {"listen": Listen(port=0), "probe": FAST_PROBES, "heartbeat_ttl": 30.0} | changes
        settings = SteeringSettings(**values)
        service = Steering(settings, clock=clock or SystemClock(), rng=random.Random(1))
        await service.start()
        try:
            async with aiohttp.ClientSession() as session:
                yield Probe(service, session)
        finally:
            await service.stop()

    return run


@pytest.fixture(scope="session")
def until() -> Callable[..., Awaitable[None]]:
    """Polls a condition, plain or async, until it holds; fails after a deadline."""

    async def wait(condition: Callable[[], Any], limit_s: float = 5.0) -> None:
        async with asyncio.timeout(limit_s):
            while True:
                held = condition()
                if asyncio.iscoroutine(held):
                    held = await held
                if held:
                    return
                await asyncio.sleep(0.005)

    return wait
