"""A world for the keeper and its rooms: renditions with true indexes, sources that do as told, a worker's end
of the link, and a planner and steering that take what they are sent."""

import asyncio
import contextlib
import hashlib
import itertools
import time

import pytest
import xxhash
from aiohttp import web

from control.kit.clock import SystemClock
from control.kit.metrics import Meter
from control.kit.quantity import Bytes, Seconds
from control.kit.settings import Listen
from control.wire import (
    DemandReport,
    FillPlan,
    FillReport,
    FillWindow,
    Heartbeat,
    Hold,
    Inventory,
    RenditionIndex,
    Source,
    StoredObject,
    decode,
    encode,
)
from oca import metrics
from oca.config import (
    ApplianceSettings,
    DiskSettings,
    FillerSettings,
    OriginSettings,
    StoreSettings,
    UpstreamSettings,
)
from oca.link import messages as link
from oca.store.disk import Disk
from oca.store.layout import ObjectKey, RenditionKey
from oca.store.ledger import Ledger
from oca.store.shelves import Shelves
from oca.upstream.known import read_index

WAIT_S = 15.0


async def until(condition, *, what="the condition", limit_s=WAIT_S):
    """Poll `condition` until it is true; its value."""
    deadline = time.monotonic() + limit_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not come true in {limit_s} s"
        await asyncio.sleep(0.005)


def some_bytes(name, size):
    """`size` bytes that depend on `name`."""
    block = hashlib.sha256(name.encode()).digest() * 32
    return (block * (size // len(block) + 1))[:size]


class Made:
    """A rendition: its key, its objects' bytes, its index."""

    def __init__(self, title="film", rendition="v1-aaaa", sizes=(1000, 200_000, 300_000)):
        self.key = RenditionKey(title, rendition)
        names = ["init.mp4", *(f"{number:05d}.m4s" for number in range(1, len(sizes)))]
        self.bodies = {name: some_bytes(f"{self.key}/{name}", size) for name, size in zip(names, sizes, strict=True)}
        self.message = RenditionIndex(
            title=title,
            rendition=rendition,
            timescale=1000,
            objects=tuple(
                StoredObject(
                    name=name,
                    kind="init" if name == "init.mp4" else "media",
                    bytes=len(body),
                    xxh3=xxhash.xxh3_128_hexdigest(body),
                    duration=0 if name == "init.mp4" else 4000,
                )
                for name, body in self.bodies.items()
            ),
        )
        self.index_body = encode(self.message)
        self.index = read_index(self.key, self.index_body, object_limit=1 << 40)

    @property
    def bytes(self):
        return sum(map(len, self.bodies.values()))

    @property
    def held_bytes(self):
        """What it takes of a disk when whole."""
        return self.bytes + len(self.index_body)

    @property
    def names(self):
        return list(self.bodies)

    def object(self, name):
        return ObjectKey(*self.key, name)

    def files(self):
        """Key → bytes, the index included: what an origin has."""
        return {f"{self.key}/{name}": body for name, body in self.bodies.items()} | {
            f"{self.key}/index.json": self.index_body
        }

    def hold(self, *sources, **more):
        return Hold(
            title=self.key.title,
            rendition=self.key.rendition,
            bytes=self.bytes,
            objects=len(self.bodies),
            index_bytes=len(self.index_body),
            index_xxh3=self.index.xxh3,
            value=more.pop("value", 1.0),
            reason="popular",
            sources=tuple(sources),
            **more,
        )


class FakeSource:
    """An origin or a peer. `ways` says how a key (or any, "*") is answered; `asked` what it was asked for.

    A way is a name or a list of names used up one after the other, the last again and again.
    """

    def __init__(self, name="origin", kind="cache"):
        self.name, self.kind = name, kind
        self.files = {}
        self.ways = {}
        self.asked = []
        self.loops = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.port = 0
        self._runner = None

    def add(self, *made):
        for each in made:
            self.files |= each.files()
        return self

    async def start(self, host="127.0.0.1"):
        app = web.Application()
        app.router.add_get("/s/{key:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        return self

    async def stop(self):
        self.gate.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def source(self, **more):
        return Source(kind=self.kind, name=self.name, url=self.url, **more)

    def count(self, key):
        return self.asked.count(str(key))

    def _way(self, key):
        way = self.ways.get(key, self.ways.get("*", "ok"))
        if isinstance(way, list):
            return way.pop(0) if len(way) > 1 else way[0]
        return way

    async def _answer(self, request):
        key = request.match_info["key"]
        self.asked.append(key)
        self.loops.append(request.headers.get("CDN-Loop", ""))
        body = self.files.get(key)
        way = self._way(key)
        if way.isdigit():
            return web.Response(status=int(way))
        if way == "silent":
            await self.gate.wait()
        if body is None:
            return web.Response(status=404)
        if way == "flipped":
            body = body[: len(body) // 2] + bytes([body[len(body) // 2] ^ 1]) + body[len(body) // 2 + 1 :]
        if way == "flipped-last":
            body = body[:-1] + bytes([body[-1] ^ 1])
        if way == "longer":
            body += b"x"
        if way == "shorter":
            body = body[:-1]
        return await self._send(request, body, way)

    async def _send(self, request, body, way):
        response = web.StreamResponse()
        if way in ("chunked", "chunked-longer", "chunked-shorter"):
            response.enable_chunked_encoding()
            body = {"chunked": body, "chunked-longer": body + b"x", "chunked-shorter": body[:-1]}[way]
        else:
            response.content_length = len(body)
        await response.prepare(request)
        try:
            half = len(body) // 2
            await response.write(body[:half])
            if way == "stalled":
                await asyncio.sleep(3600)
            if way == "gated":
                await self.gate.wait()
            if way == "broken":
                request.transport.abort()
                return response
            await response.write(body[half:])
            await response.write_eof()
        except ConnectionError:
            pass
        return response


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

    def __init__(self, number=0, pid=1):
        self.number, self.pid = number, pid
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

        return await until(found, what=f"{kind.__name__} of {key}")

    def all(self, kind, key=None):
        return [each for each in self.heard if isinstance(each, kind) and (key is None or each.key == str(key))]

    async def want(self, key, via=()):
        """Ask, and wait until it is stored, refused or failed."""
        seen = len(self.heard)
        self.say(link.Want(str(key), tuple(via)))

        def ended():
            ends = (link.Stored, link.Refused, link.Failed)
            return next((each for each in self.heard[seen:] if isinstance(each, ends) and each.key == str(key)), None)

        return await until(ended, what=f"an end of {key}")

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


class World:
    """Makes things and takes care that they end."""

    def __init__(self, tmp_path):
        self.path = tmp_path
        self.clock = SystemClock()
        self.meter = Meter(metrics.TABLE)
        self.stack = contextlib.AsyncExitStack()
        self._numbers = itertools.count(1)
        self.made = Made
        self.until = until

    async def source(self, name="origin", kind="cache", *made):
        found = FakeSource(name, kind).add(*made)
        self.stack.push_async_callback(found.stop)
        return await found.start()

    async def services(self):
        found = FakeServices()
        self.stack.push_async_callback(found.stop)
        return await found.start()

    async def worker(self, path, number=0, pid=1):
        found = await FakeWorker(number, pid).connect(path)
        self.stack.push_async_callback(found.leave)
        return found

    def plan(self, *holds, name="p1", appliance="a1", start=0.0, end=4e9, rate=0, evict=()):
        window = FillWindow(start=start, end=end, rate_bps=rate)
        return FillPlan(id=name, appliance=appliance, made_at=0.0, window=window, hold=holds, evict=evict)

    def settings(self, *, origin=None, services=None, disks=None, run=None, **more):
        run = run or self.path / "run"
        disks = disks or (DiskSettings(id="d1", path=self.path / "d1"),)
        return ApplianceSettings(
            appliance=more.pop("appliance", "a1"),
            url="http://127.0.0.1:1",
            admin=Listen(host="127.0.0.1", port=0),
            run_dir=run,
            disks=disks,
            origin=OriginSettings(url=origin.url if origin else "http://127.0.0.1:9"),
            steering_urls=(services.url,) if services else (),
            fill_url=services.url if services else None,
            heartbeat_interval=Seconds(0.05),
            inventory_interval=Seconds(0.05),
            demand_interval=Seconds(0.05),
            report_timeout=Seconds(2),
            upstream=more.pop("upstream", self.upstream_settings()),
            store=more.pop("store", StoreSettings(commit_interval=Seconds(0.05), check_interval=Seconds(0.05))),
            filler=more.pop(
                "filler",
                FillerSettings(
                    plan_interval=Seconds(0.05),
                    report_interval=Seconds(0.05),
                    retry_delay=Seconds(0.05),
                    retry_limit=Seconds(0.2),
                ),
            ),
            **more,
        )

    def upstream_settings(self, **more):
        fields = {
            "connect_timeout": Seconds(1),
            "first_byte_timeout": Seconds(1),
            "stall_timeout": Seconds(0.3),
            "backoff": Seconds(0.05),
            "negative_ttl": Seconds(0.2),
        }
        return UpstreamSettings(**(fields | more))

    def disk(self, name="d1", *, capacity=0, reserve=0, path=None, appliance="a1", tier="nvme", slow_after_s=10.0):
        settings = DiskSettings(
            id=name, path=path or self.path / name, capacity=Bytes(capacity), reserve=Bytes(reserve), tier=tier
        )
        return Disk(settings, appliance=appliance, slow_after_s=slow_after_s, sync_batch=64)

    async def shelves(self, *disks, ledger=None):
        books = self.path / (ledger or f"books-{next(self._numbers)}.db")
        found = Shelves(disks or (self.disk(),), Ledger(books), self.clock)
        try:
            await found.open()
        except BaseException:
            await found.close()
            raise
        self.stack.push_async_callback(_closed_once, found)
        return found

    async def put(self, shelves, made, *names):
        """Put objects of `made` (all when none is named) on `shelves`."""
        for name in names or made.names:
            position = made.index.position(name)
            body = made.bodies[name]
            incoming = await shelves.begin(made.object(name), len(body), made.index.shelved)
            await incoming.write(0, body)
            await shelves.finish(incoming, position, made.index.at(position))


async def _closed_once(shelves):
    if not getattr(shelves, "closed_by_test", False):
        await shelves.close()


@pytest.fixture
async def world(tmp_path):
    made = World(tmp_path)
    async with made.stack:
        yield made
