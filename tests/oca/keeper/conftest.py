"""A whole keeper between a worker's end of the link, a planner and steering that take what they are sent."""

import asyncio
import contextlib

import aiohttp
import pytest
from aiohttp import web

from control.wire import DemandReport, FillReport, Heartbeat, Inventory, decode, encode
from oca.keeper.daemon import Keeper
from oca.link import messages as link


class FakeServices:
    """Steering and fill in one: takes every report, gives out `plan`."""

    def __init__(self):
        self.heartbeats, self.inventories, self.demands, self.reports = [], [], [], []
        self.plan = None
        self.full_wanted = 0
        self.status = 204
        self.polls = []
        self._runner = None
        self.port = 0

    async def start(self):
        app = web.Application(client_max_size=1 << 26)
        kinds = {
            "heartbeats": (Heartbeat, self.heartbeats),
            "inventories": (Inventory, self.inventories),
            "demand": (DemandReport, self.demands),
            "fill-reports": (FillReport, self.reports),
        }
        for path, (kind, kept) in kinds.items():
            app.router.add_post(f"/v1/{path}", self._taker(kind, kept))
        app.router.add_get("/v1/plans/{appliance}", self._give_plan)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        return self

    async def stop(self):
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def _taker(self, kind, kept):
        async def take(request):
            message = decode(await request.read(), kind)
            if kind is Inventory and self.full_wanted and not message.full:
                self.full_wanted -= 1
                return web.Response(status=409)
            if self.status != 204:
                return web.Response(status=self.status)
            kept.append(message)
            return web.Response(status=204)

        return take

    async def _give_plan(self, request):
        if self.plan is None:
            self.polls.append(404)
            return web.Response(status=404)
        etag = f'"{self.plan.id}"'
        if request.headers.get("If-None-Match") == etag:
            self.polls.append(304)
            return web.Response(status=304, headers={"ETag": etag})
        self.polls.append(200)
        return web.Response(body=encode(self.plan), headers={"ETag": etag})


class FakeWorker:
    """A worker's end of the link: says Hello, keeps what it hears."""

    def __init__(self, until, number=0, pid=1):
        self.until, self.number, self.pid = until, number, pid
        self.heard = []
        self.closed = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()

    async def connect(self, path):
        self._reader, self._writer = await asyncio.open_unix_connection(str(path))
        self._task = asyncio.create_task(self._listen())
        self.say(link.Hello(self.number, self.pid))
        await self.hear(link.Welcome)
        return self

    def say(self, *messages):
        for message in messages:
            self._writer.write(link.frame(message))

    async def hear(self, kind, key=None):
        """The first message of `kind` (about `key`), waiting for it."""

        def found():
            return next(iter(self.all(kind, key)), None)

        return await self.until(found, what=f"{kind.__name__} of {key}")

    def all(self, kind, key=None):
        return [each for each in self.heard if isinstance(each, kind) and (key is None or each.key == str(key))]

    async def want(self, key, via=()):
        """Ask, and wait until it is stored, refused or failed."""
        seen = len(self.heard)
        self.say(link.Want(str(key), tuple(via)))

        def ended():
            ends = (link.Stored, link.Refused, link.Failed)
            return next((each for each in self.heard[seen:] if isinstance(each, ends) and each.key == str(key)), None)

        return await self.until(ended, what=f"an end of {key}")

    async def leave(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _listen(self):
        deframer = link.Deframer()
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(65536):
                self.heard += deframer.feed(data)
                await self.reading.wait()
        self.closed.set()


class Box:
    """An appliance's keeper with fakes around it."""

    def __init__(self, world, keeper):
        self.world, self.keeper = world, keeper
        self.session = aiohttp.ClientSession(f"http://127.0.0.1:{keeper.server.port}")

    async def worker(self, number=0, pid=1):
        found = await FakeWorker(self.world.until, number, pid).connect(self.keeper.settings.keeper_socket)
        self.world.stack.push_async_callback(found.leave)
        return found

    async def ask(self, method, path, body=None, status=200):
        async with self.session.request(method, path, json=body) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return await answer.json(content_type=None) if text and "json" in answer.content_type else text

    async def stop(self):
        await self.session.close()
        await self.keeper.stop()


@pytest.fixture
async def services(world):
    found = FakeServices()
    world.stack.push_async_callback(found.stop)
    return await found.start()


@pytest.fixture
async def box(world):
    """Starts a keeper: `await box(origin=…, services=…)`."""

    async def started(**settings):
        keeper = Keeper(world.settings(**settings), world.clock)
        try:
            await keeper.start()
        except BaseException:
            await keeper.stop()
            raise
        found = Box(world, keeper)
        world.stack.push_async_callback(_stopped_once, found)
        return found

    return started


async def _stopped_once(box):
    if not box.session.closed:
        await box.stop()
