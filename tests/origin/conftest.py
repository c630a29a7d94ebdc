"""A tiny title made once, titles made up of random bytes, and an origin on a real socket."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import xxhash

from control.kit.clock import FakeClock, SystemClock
from control.kit.quantity import Seconds
from control.kit.settings import Listen
from control.wire import Rendition, RenditionIndex, StoredObject, Title, decode, encode
from origin.app import Origin
from origin.config import LimitSettings, OriginSettings
from origin.ingest.encode import Effort
from origin.ingest.job import Ingest, Order, Outcome
from origin.ingest.ladder import parse_rung
from origin.storage.directory import DirectoryStorage
from origin.storage.port import Packaged

TINY_SECONDS = 8
TINY_RUNGS = (parse_rung("180p:150kbps"), parse_rung("240p:250kbps"))


class Told:
    """A Report that remembers."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.parts: list[float] = []
        self.notices: list[str] = []

    def step(self, name: str) -> None:
        self.steps.append(name)

    def progress(self, part: float) -> None:
        self.parts.append(part)

    def notice(self, text: str) -> None:
        self.notices.append(text)


@dataclass(frozen=True)
class Made:
    """The tiny title and everything it was made with."""

    store: Path
    cache: Path
    order: Order
    outcome: Outcome
    told: Told

    @property
    def title(self) -> Title:
        return self.outcome.published.title

    def packaged(self) -> tuple[Packaged, ...]:
        return tuple(
            Packaged(each, self.store / "segments" / self.title.id / each.id, self.index(each))
            for each in self.title.renditions
        )

    def index(self, rendition: Rendition) -> RenditionIndex:
        path = self.store / "segments" / self.title.id / rendition.id / "index.json"
        return decode(path.read_bytes(), RenditionIndex)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An 8 s title of synthetic scenes, encoded once for all tests."""
    place = tmp_path_factory.mktemp("made")
    told = Told()
    order = Order("tiny", "Tiny", TINY_RUNGS, Effort("ultrafast", threads=1, time_limit_s=120), replace=True)
    work = Ingest(DirectoryStorage(place / "store"), place / "cache", told, SystemClock())
    outcome = work.demo(order, seconds=TINY_SECONDS, film=False)
    return Made(place / "store", place / "cache", order, outcome, told)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def ingest(made: Made, told: Told, tmp_path: Path) -> Callable[..., Ingest]:
    """An ingest into a store of the test's own, with the shared cache."""

    def make(**changes: object) -> Ingest:
        values = {"storage": DirectoryStorage(tmp_path / "store"), "cache": made.cache} | changes
        return Ingest(report=told, clock=FakeClock(), **values)  # type: ignore[arg-type]

    return make


def fabricated(
    place: Path, title: str = "t1", name: str = "v1p", *, seed: int = 0, sizes: tuple[int, ...] = ()
) -> Packaged:
    """A rendition of random bytes in `place`: nothing can play it, but it can be published and served."""
    rng = random.Random(f"{title} {name} {seed}")
    names = ["init.mp4", *(f"{number:05d}.m4s" for number in range(1, max(len(sizes), 1) + 1)), "media.m3u8"]
    lengths = [100, *(sizes or (5000,)), 50]
    directory = place / f"{title}-{name}-{seed}"
    directory.mkdir(parents=True)
    objects = []
    for object_name, length in zip(names, lengths, strict=True):
        data = rng.randbytes(length)
        (directory / object_name).write_bytes(data)
        kind = "media" if object_name.endswith(".m4s") else "init" if object_name == "init.mp4" else "playlist"
        xxh3 = xxhash.xxh3_128_hexdigest(data)
        duration = 4 if kind == "media" else 0
        objects.append(StoredObject(name=object_name, kind=kind, bytes=length, xxh3=xxh3, duration=duration))
    index = RenditionIndex(title=title, rendition=f"{name}-{seed:08x}", timescale=1, objects=tuple(objects))
    data = encode(index)
    (directory / "index.json").write_bytes(data)
    rendition = Rendition(
        id=index.rendition,
        kind="video",
        codecs="avc1.42c00a",
        bandwidth_bps=1000,
        average_bandwidth_bps=1000,
        bytes=index.bytes,
        objects=len(objects),
        index_bytes=len(data),
        index_xxh3=xxhash.xxh3_128_hexdigest(data),
    )
    return Packaged(rendition, directory, index)


def title_of(*packaged: Packaged, title_id: str = "t1", name: str = "A title", at: float = 1.0) -> Title:
    renditions = tuple(each.rendition for each in packaged)
    return Title(id=title_id, name=name, duration_ms=4000, published_at=at, renditions=renditions)


@pytest.fixture(scope="session")
def new_packaged() -> Callable[..., Packaged]:
    return fabricated


@pytest.fixture(scope="session")
def new_title() -> Callable[..., Title]:
    return title_of


@pytest.fixture
def fill_store(tmp_path: Path) -> Callable[..., list[Title]]:
    """Publishes titles of random bytes under `tmp_path/store`, one rendition each."""

    def fill(*ids: str, sizes: tuple[int, ...] = ()) -> list[Title]:
        storage = DirectoryStorage(tmp_path / "store")
        titles = []
        for title_id in ids:
            packaged = fabricated(tmp_path / "packaged", title_id, sizes=sizes)
            titles.append(storage.publish(title_of(packaged, title_id=title_id), [packaged]).title)
        return titles

    return fill


class Client:
    """A client of one running origin."""

    def __init__(self, service: Origin, session: aiohttp.ClientSession) -> None:
        self.service = service
        self.session = session
        self.url = f"http://127.0.0.1:{service.port}"

    async def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers, body; `If_None_Match="…"` for If-None-Match."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, self.url + path, headers=sent) as answer:
            return answer.status, answer.headers, await answer.read()


@pytest.fixture
async def origin_of() -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """Starts origins; stops them all at the end."""
    started: list[Client] = []

    async def start(store: Path, *, stall_s: float = 30) -> Client:
        limits = LimitSettings(stall=Seconds(stall_s), drain=Seconds(1))
        service = Origin(OriginSettings(listen=Listen(), store=store, limits=limits), clock=SystemClock())
        await service.start()
        started.append(Client(service, aiohttp.ClientSession()))
        return started[-1]

    yield start
    for client in started:
        await client.session.close()
        await client.service.stop()
