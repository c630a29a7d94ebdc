"""Made-up titles whose indexes are true, an origin and a steering that do as told, a control plane to start."""

import asyncio
import contextlib
import socket
import time
from dataclasses import dataclass, replace

import aiohttp
import msgspec
import pytest
import xxhash
from aiohttp import web

from control.app import ControlPlane
from control.config import ControlSettings, LimitSettings
from control.kit.clock import SystemClock
from control.kit.quantity import Seconds
from control.kit.settings import Listen
from control.wire import (
    CatalogPage,
    RankedPathway,
    Rendition,
    RenditionIndex,
    SteeringDecision,
    SteeringQuery,
    StoredObject,
    Title,
    decode,
    encode,
)

WAIT_S = 10.0


@dataclass(frozen=True)
class Published:
    """A title as an origin has it. `bodies`: rendition → index.json."""

    title: Title
    bodies: dict

    @property
    def indexes(self):
        return {rendition: decode(body, RenditionIndex) for rendition, body in self.bodies.items()}

    def changed(self, rendition=None, **fields):
        """The title with fields of its first (or the named) rendition replaced: it lies."""
        name = rendition or self.title.renditions[0].id
        renditions = tuple(
            msgspec.structs.replace(each, **fields) if each.id == name else each for each in self.title.renditions
        )
        return replace(self, title=msgspec.structs.replace(self.title, renditions=renditions))


def publish(title="bunny", *, videos=((640, 360, 800_000), (1280, 720, 2_400_000)), audios=(("en", 128_000),), **more):
    """A title of `segments` segments of `seconds` each, with true indexes."""
    segments, seconds, rate = more.get("segments", 15), more.get("seconds", 4), more.get("frame_rate", 25.0)
    shape = {"segments": segments, "seconds": seconds}
    tracks = [
        _track(title, f"v{height}-{number:08x}", **shape, bps=bps, timescale=12_800)
        | {"kind": "video", "codecs": "avc1.64001f", "width": width, "height": height, "frame_rate": rate}
        for number, (width, height, bps) in enumerate(videos)
    ]
    tracks += [
        _track(title, f"a{bps // 1000}k-{language}{number:06x}", **shape, bps=bps, timescale=48_000)
        | {"kind": "audio", "codecs": "mp4a.40.2", "channels": 2, "sample_rate_hz": 48_000, "language": language}
        for number, (language, bps) in enumerate(audios)
    ]
    bodies = {track["id"]: track.pop("body") for track in tracks}
    made = Title(
        id=title,
        name=more.get("name", "Big Buck Bunny"),
        duration_ms=segments * seconds * 1000,
        published_at=1_700_000_000.0,
        renditions=tuple(Rendition(**track) for track in tracks),
    )
    return Published(title=made, bodies=bodies)


def _track(title, rendition, *, segments, seconds, bps, timescale):
    size = bps * seconds // 8
    objects = [
        StoredObject(name="init.mp4", kind="init", bytes=800, xxh3="0" * 32),
        *(
            StoredObject(name=f"{n:05d}.m4s", kind="media", bytes=size, xxh3=f"{n:032x}", duration=seconds * timescale)
            for n in range(1, segments + 1)
        ),
        StoredObject(name="media.m3u8", kind="playlist", bytes=500, xxh3="1" * 32),
    ]
    index = RenditionIndex(title=title, rendition=rendition, timescale=timescale, objects=tuple(objects))
    body = encode(index)
    return {
        "id": rendition,
        "body": body,
        "bandwidth_bps": bps,
        "average_bandwidth_bps": bps * 9 // 10,
        "bytes": index.bytes,
        "objects": len(objects),
        "index_bytes": len(body),
        "index_xxh3": xxhash.xxh3_128_hexdigest(body),
    }


def appliance(name, url=None):
    return RankedPathway(pathway=name, kind="appliance", url=url or f"http://{name}.test:8311", reasons=("near",))


ORIGIN = RankedPathway(pathway="origin", kind="origin", url="http://origin.test:8200")


class FakeService:
    """An aiohttp application on a port of its own, that can die and come back there."""

    def __init__(self):
        self.port = free_port()
        self._runner = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def start(self):
        app = web.Application()
        self.routes(app.router)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def die(self):
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


class FakeOrigin(FakeService):
    """Serves what is in `published`; `broken` indexes answer that status; counts what it is asked."""

    page_size = 2

    def __init__(self):
        super().__init__()
        self.published = {}
        self.broken = {}
        self.asked = []

    def add(self, *published):
        self.published |= {each.title.id: each for each in published}

    def routes(self, router):
        router.add_get("/v1/titles", self.titles)
        router.add_get("/s/{title}/{rendition}/index.json", self.index)

    async def titles(self, request):
        after = request.query.get("after", "")
        found = sorted(title for title in self.published if title > after)
        titles = tuple(self.published[title].title for title in found[: self.page_size])
        more = titles[-1].id if len(found) > self.page_size else None
        return web.Response(body=encode(CatalogPage(titles=titles, next_after=more)))

    async def index(self, request):
        title, rendition = request.match_info["title"], request.match_info["rendition"]
        self.asked.append((title, rendition))
        if (title, rendition) in self.broken:
            return web.Response(status=self.broken[title, rendition])
        body = self.published[title].bodies.get(rendition)
        return web.Response(status=404) if body is None else web.Response(body=body)


class FakeSteering(FakeService):
    """Answers with `pathways`; while `held` is set, not at all."""

    def __init__(self):
        super().__init__()
        self.pathways = (appliance("north-1"), appliance("north-2"), ORIGIN)
        self.queries = []
        self.held = None

    def routes(self, router):
        router.add_post("/v1/decisions", self.decide)

    async def decide(self, request):
        query = decode(await request.read(), SteeringQuery)
        self.queries.append(query)
        if self.held is not None:
            await self.held.wait()
        decision = SteeringDecision(
            id=f"d{len(self.queries)}",
            at=time.time(),
            client=query.client,
            title=query.title,
            ttl_s=300,
            pathways=self.pathways,
        )
        return web.Response(body=encode(decision))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def until(condition, *, within_s=WAIT_S):
    """Wait until `condition()` is true; fail when it does not become so."""
    deadline = time.monotonic() + within_s
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.01)


class Caller:
    """A player's HTTP client."""

    def __init__(self, session, base):
        self._session = session
        self.base = base

    async def __call__(self, method, path, body=None, **more):
        url = path if path.startswith("http") else self.base + path
        data = encode(body) if isinstance(body, msgspec.Struct) else body
        async with self._session.request(method, url, data=data, **more) as answer:
            raw = await answer.read()
            return Answer(answer.status, answer.headers, raw)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return msgspec.json.decode(self.body)


class Bench:
    """Everything a story needs. `control()` starts a control plane on the story's database."""

    def __init__(self, directory, origin, steering, session, stack):
        self.directory = directory
        self.origin = origin
        self.steering = steering
        self.session = session
        self._stack = stack

    def settings(self, **changes):
        settings = ControlSettings(
            listen=Listen(port=0),
            origin_url=self.origin.url,
            steering_url=self.steering.url,
            database=self.directory / "control.db",
            catalog_poll=Seconds(0.05),
            drain_limit=Seconds(1),
            limits=LimitSettings(),
        )
        return msgspec.structs.replace(settings, **changes)

    async def control(self, *, clock=None, titles=True, page=None, **changes):
        """A running control plane and a caller of it; waits until it has the origin's titles."""
        more = {} if page is None else {"page": page}
        plane = ControlPlane(self.settings(**changes), clock or SystemClock(), **more)
        await plane.start()
        self._stack.push_async_callback(plane.stop)
        call = Caller(self.session, plane.url)
        if titles:
            await until(lambda: plane.meter.value("oca_control_titles") >= len(self.origin.published))
        return plane, call


@pytest.fixture
async def bench(tmp_path):
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT_S), auto_decompress=False)
        )
        origin, steering = FakeOrigin(), FakeSteering()
        for service in (origin, steering):
            await service.start()
            stack.push_async_callback(service.die)
        origin.add(publish())
        yield Bench(tmp_path, origin, steering, session, stack)


@pytest.fixture(scope="session", name="publish")
def _publish():
    return publish


@pytest.fixture(scope="session", name="appliance")
def _appliance():
    return appliance


@pytest.fixture(scope="session", name="origin_pathway")
def _origin_pathway():
    return ORIGIN


@pytest.fixture(scope="session", name="until")
def _until():
    return until


@pytest.fixture(scope="session", name="free_port")
def _free_port():
    return free_port
