"""Messages to send to the planner, a control plane to ask, and a running service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from control.kit.clock import Clock, SystemClock
from control.kit.http import HttpServer, bound_socket
from control.kit.quantity import Seconds
from control.kit.settings import Listen
from control.wire import (
    CatalogPage,
    DemandReport,
    FillPlan,
    Heartbeat,
    Inventory,
    Rendition,
    RenditionDemand,
    RenditionHeld,
    Title,
    bitmap_of,
    decode,
    encode,
)
from control.wire.heartbeat import DiskReport
from control.wire.names import Message
from fill.app import Fill
from fill.config import FillSettings, Window

ALL_DAY = Window(start="00:00", end="00:00")
NOBODY = "http://127.0.0.1:1"


def _title(
    name: str = "bunny", *, published_at: float = 0.0, sizes: Sequence[int] = (3000, 1000), **changes: Any
) -> Title:
    """A title with a video rendition per size and one audio rendition."""
    renditions = tuple(
        Rendition(
            id=f"v{number}-{name}",
            kind="video",
            codecs="avc1.64001f",
            bandwidth_bps=size,
            average_bandwidth_bps=size,
            bytes=size,
            objects=10,
            index_bytes=10,
            index_xxh3="0" * 32,
        )
        for number, size in enumerate(sizes)
    )
    audio = Rendition(
        id=f"a-{name}",
        kind="audio",
        codecs="mp4a.40.2",
        bandwidth_bps=128,
        average_bandwidth_bps=128,
        bytes=200,
        objects=10,
        index_bytes=10,
        index_xxh3="1" * 32,
    )
    values = {"id": name, "name": name, "duration_ms": 40_000, "published_at": published_at}
    return Title(**(values | {"renditions": (*renditions, audio)} | changes))


def _beat(appliance: str = "a1", *, capacity: int = 1_000_000, **changes: Any) -> Heartbeat:
    disk = DiskReport(id="d1", tier="nvme", state="ok", capacity_bytes=capacity, used_bytes=0)
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
        "disks": (disk,),
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


def _demand(appliance: str, *rows: tuple[str, str, int, int], **changes: Any) -> DemandReport:
    found = tuple(
        RenditionDemand(title=title, rendition=rendition, hour=hour, requests=1, bytes=count)
        for title, rendition, hour, count in rows
    )
    values: dict[str, Any] = {"appliance": appliance, "epoch": 1000.0, "sequence": 1, "rows": found}
    return DemandReport(**(values | changes))


@pytest.fixture(scope="session")
def title() -> Callable[..., Title]:
    return _title


@pytest.fixture(scope="session")
def beat() -> Callable[..., Heartbeat]:
    return _beat


@pytest.fixture(scope="session")
def inventory() -> Callable[..., Inventory]:
    """Rows are (title, rendition, objects held, objects in total); an object has 100 bytes."""
    return _inventory


@pytest.fixture(scope="session")
def demand() -> Callable[..., DemandReport]:
    """Rows are (title, rendition, hour, bytes)."""
    return _demand


class FakeControl:
    """A control plane that shows `titles`, a page at a time, until it is killed."""

    def __init__(self) -> None:
        self.titles: list[Title] = []
        self.body: bytes | None = None
        self.page_limit = 1000
        self.asked = 0
        self.port = 0
        self._server: HttpServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/titles", self._page)
        server = HttpServer(app, bound_socket("127.0.0.1", self.port, what="control"), drain_s=0.05)
        await server.start()
        self._server, self.port = server, server.port

    async def kill(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def _page(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.body is not None:
            return web.Response(body=self.body)
        after = request.query.get("after", "")
        rest = sorted((each for each in self.titles if each.id > after), key=lambda each: each.id)
        count = min(int(request.query["limit"]), self.page_limit)
        page, more = rest[:count], len(rest) > count
        return web.Response(body=encode(CatalogPage(titles=tuple(page), next_after=page[-1].id if more else None)))


@pytest.fixture
async def control() -> AsyncIterator[FakeControl]:
    fake = FakeControl()
    await fake.start()
    yield fake
    await fake.kill()


@pytest.fixture
async def stocked(control: FakeControl) -> FakeControl:
    """A control plane with one title, `bunny`."""
    control.titles = [_title("bunny")]
    return control


class Probe:
    """A client of one planner."""

    def __init__(self, service: Fill, session: aiohttp.ClientSession) -> None:
        self.service = service
        self.url = f"http://127.0.0.1:{service.port}"
        self._session = session

    async def send(self, path: str, body: bytes | Message) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else encode(body)
        async with self._session.post(self.url + path, data=data) as answer:
            return answer.status, await answer.json(content_type=None)

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self._session.get(self.url + path, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def plan(self, appliance: str) -> FillPlan | None:
        async with self._session.get(f"{self.url}/v1/plans/{appliance}") as answer:
            return decode(await answer.read(), FillPlan) if answer.status == 200 else None

    async def appears(self, *beats: Heartbeat) -> None:
        """Each appliance sends a heartbeat and says that it holds nothing."""
        for each in beats:
            assert (await self.send("/v1/heartbeats", each))[0] == 204
            await self.send("/v1/inventories", _inventory(each.appliance, epoch=each.epoch))


@pytest.fixture
def running(tmp_path: Path) -> Callable[..., Any]:
    """A planner on a free port with its books in `tmp_path`; stopped at the end of the `async with`."""

    @asynccontextmanager
    async def run(clock: Clock | None = None, **changes: Any) -> AsyncIterator[Probe]:
        values: dict[str, Any] = {
            "listen": Listen(port=0),
            "control_url": NOBODY,
            "database": tmp_path / "books" / "fill.db",
            "window": ALL_DAY,
            "settle": Seconds(0.0),
            "catalog_interval": Seconds(0.05),
        }
        service = Fill(FillSettings(**(values | changes)), clock=clock or SystemClock(), tick_s=0.02)
        try:
            await service.start()
            async with aiohttp.ClientSession() as session:
                yield Probe(service, session)
        finally:
            await service.stop()

    return run


@pytest.fixture(scope="session")
def until() -> Callable[..., Awaitable[Any]]:
    """Polls a condition, plain or async, until it holds; gives what held. Fails after a deadline."""

    async def wait(condition: Callable[[], Any], limit_s: float = 5.0) -> Any:
        async with asyncio.timeout(limit_s):
            while True:
                held = condition()
                if asyncio.iscoroutine(held):
                    held = await held
                if held:
                    return held
                await asyncio.sleep(0.005)

    return wait
