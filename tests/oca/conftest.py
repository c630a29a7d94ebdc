"""A world for the keeper and its rooms: renditions with true indexes, sources that do as told, a real store,
and what a flight needs to bring one into the other."""

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
    FillPlan,
    FillWindow,
    Hold,
    RenditionIndex,
    Source,
    StoredObject,
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
from oca.keeper.stowage import Stowage
from oca.policy.lru import Lru
from oca.store.disk import Disk
from oca.store.layout import ObjectKey, RenditionKey
from oca.store.ledger import Ledger
from oca.store.shelves import Shelves
from oca.upstream.flights import Flights
from oca.upstream.index import Indexes
from oca.upstream.known import read_index
from oca.upstream.source import Upstream
from oca.upstream.trust import Trust

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


class Nobody:
    """No workers to tell."""

    def __init__(self):
        self.told = []

    def gone(self, prefix):
        self.told.append(prefix)

    async def flushed(self):
        pass


class Ear:
    """A listener that writes down what it hears and copies what it may send, as a worker does."""

    def __init__(self):
        self.heard = []
        self.sent = b""
        self._path = None

    def growing(self, key, path, length, available):
        assert not self.heard, "growing comes first and once"
        assert 0 < available <= length or length == 0
        self.heard.append("growing")
        self._path, self._file, self.length = path, open(path, "rb", buffering=0), length  # noqa: SIM115 - held as a worker would
        self._send(available)

    def grown(self, key, available):
        assert self.heard[0] == "growing"
        assert "stored" not in self.heard
        assert available > len(self.sent)
        self.heard.append("grown")
        self._send(available)

    def stored(self, key, path):
        assert self.heard[0] == "growing"
        self.heard.append("stored")
        self._file.close()

    def refused(self, key, status, reason):
        assert not self.heard, "refused comes instead of everything else"
        self.heard.append((status, reason))

    def failed(self, key, reason):
        assert self.heard[0] == "growing"
        assert self.heard[-1] not in ("stored", "failed")
        self.heard.append("failed")
        self._file.close()

    def _send(self, available):
        while len(self.sent) < available:
            self.sent += self._file.read(available - len(self.sent))

    @property
    def over(self):
        return bool(self.heard) and (self.heard[-1] in ("stored", "failed") or isinstance(self.heard[-1], tuple))


class Air:
    """Everything a flight needs."""

    def __init__(self, world, settings, shelves):
        self.world, self.shelves = world, shelves
        self.upstream = Upstream(settings, me="a1", clock=world.clock)
        self.trust = Trust(distrust_s=float(settings.distrust), backoff_s=float(settings.backoff))
        self.workers = Nobody()
        self.stowage = Stowage(shelves, Lru(), announcer=self.workers, clock=world.clock, meter=world.meter)
        rest = {"upstream": self.upstream, "trust": self.trust, "clock": world.clock, "meter": world.meter}
        self.indexes = Indexes(settings, shelf=shelves, **rest)
        self.flights = Flights(settings, stowage=self.stowage, **rest)
        self.stowage.spare(self.flights.touches)
        self.stowage.load()

    def listen(self, made, name, *sources, **more):
        """A new listener on the flight of an object; what refuses at once is written down like the rest."""
        ear = Ear()
        self.flights.join(ear, made.index, made.index.position(name), sources=[s.source() for s in sources], **more)
        return ear

    async def end_of(self, ear):
        await self.world.until(lambda: ear.over, what=f"an end of {ear.heard}")
        return ear.heard[-1]

    def held(self, made, name):
        """The bytes of an object as they lie on a disk, None when it is not held."""
        path = self.shelves.holds(made.object(name), made.index.position(name))
        return None if path is None else path.read_bytes()

    async def stop(self):
        await self.indexes.stop()
        await self.flights.stop()
        await self.upstream.close()
        await self.shelves.landed()

    async def leftovers(self):
        """What lies in the incoming directories beside first names of objects that were kept."""
        for disk in self.shelves.disks.values():
            await disk.sweep(everything=True)
        return [file for disk in self.shelves.disks.values() for file in (disk.path / "incoming").iterdir()]


async def _closed_once(shelves):
    if not getattr(shelves, "closed_by_test", False):
        await shelves.close()


@pytest.fixture
async def world(tmp_path):
    made = World(tmp_path)
    async with made.stack:
        yield made


@pytest.fixture
async def fly(world):
    """Makes what a flight needs: `await fly()`, with disks and settings to one's liking."""

    async def made(*disks, **limits):
        air = Air(world, world.upstream_settings(**limits), await world.shelves(*disks))
        world.stack.push_async_callback(air.stop)
        return air

    return made
