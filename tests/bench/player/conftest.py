"""A small world to play in: edges that misbehave on request, a control plane, a steering service. Real sockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from bench.player.events import OnEvent
from bench.player.limits import PlayerLimits
from bench.player.session import Player
from control.kit.http import HttpServer, bound_socket
from control.wire import (
    CatalogPage,
    PlaybackEvent,
    PlaybackRequest,
    PlaybackSession,
    Position,
    RankedPathway,
    Title,
    decode,
    encode,
)

SEGMENT_S = 0.2
SEGMENTS = 60
VIDEO = {"v300": 300_000, "v900": 900_000}
AUDIO = {"a64": 64_000}
QUICK = PlayerLimits(
    buffer_goal_s=4.0,
    startup_s=2.0,
    rebuffer_s=0.4,
    speed=4.0,
    tick_s=0.02,
    slow_window_bytes=1000,
    farewell_s=0.5,
    backoff_s=0.05,
    backoff_most_s=0.2,
    rounds=3,
    sample_bytes=1000,
    stall_limit_s=10.0,
    penalty_s=60.0,
    steering_ttl_least_s=0.05,
)
"""Everything several times faster than for a person. Steering's list, which has TTL 0, is asked for every 50 ms."""


def media_playlist(rendition: str) -> bytes:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", '#EXT-X-MAP:URI="init.mp4"']
    for number in range(1, SEGMENTS + 1):
        lines += [f"#EXTINF:{SEGMENT_S},", f"{number:05d}.m4s"]
    assert rendition in VIDEO | AUDIO
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()


def objects() -> dict[str, bytes]:
    """Everything an edge holds, by path."""
    held = {}
    for rendition, bandwidth_bps in (VIDEO | AUDIO).items():
        base = f"/s/t/{rendition}/"
        held[base + "media.m3u8"] = media_playlist(rendition)
        held[base + "init.mp4"] = b"i" * 600
        for number in range(1, SEGMENTS + 1):
            held[f"{base}{number:05d}.m4s"] = bytes([number]) * int(bandwidth_bps * SEGMENT_S / 8)
    return held


@dataclass(repr=False)
class Edge:
    """An appliance in miniature. What it should do wrong is set on it while it serves."""

    pathway: str
    held: dict[str, bytes]
    port: int = 0
    requested: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    hung: bool = False
    dies_in: str | None = None
    """Killed half-way through this object (end of its path), with everything in flight."""
    overstate: int = 0
    """Content-Length claims this many bytes more than come."""
    corrupt: bool = False
    missing: Callable[[str], bool] = lambda _: False
    status: int = 200
    bytes_per_s: float | None = None
    dead: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def media(self, track: str = "v") -> list[int]:
        """Numbers of the segments asked for, of video or of audio (`a`)."""
        found = (re.search(rf"/{track}\w+/(\d+)\.m4s$", path) for path in self.requested)
        return [int(match.group(1)) for match in found if match]

    async def start(self) -> None:
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def die(self) -> None:
        """As a process that is killed: connections are reset, new ones refused."""
        self.dead = True
        self._over.set()
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def stop(self) -> None:
        self.die()
        await asyncio.gather(*self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            while not self.dead:
                await self._answer(await reader.readuntil(b"\r\n\r\n"), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        first, *rest = head.decode().split("\r\n")
        path = first.split(" ")[1].partition("?")[0]
        self.requested.append(path)
        self.headers.append({key.lower(): value for key, _, value in (line.partition(": ") for line in rest) if key})
        if self.hung:
            await self._over.wait()
            return
        body = self.held.get(path, b"")
        if self.status != 200 or not body or self.missing(path):
            status = self.status if self.status != 200 else 404
            writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
            return
        if self.corrupt:
            body = b"?" * len(body)
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body) + self.overstate}\r\n\r\n".encode())
        if self.dies_in is not None and path.endswith(self.dies_in):
            writer.write(body[: len(body) // 2])
            await writer.drain()
            self.die()
            return
        await self._send(body, writer)
        if self.overstate:
            raise ConnectionError

    async def _send(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        piece = len(body) if self.bytes_per_s is None else max(int(self.bytes_per_s / 50), 1)
        for offset in range(0, len(body), piece):
            writer.write(body[offset : offset + piece])
            await writer.drain()
            if self.bytes_per_s is not None:
                await asyncio.sleep(0.02)


@dataclass(repr=False)
class World:
    """Two appliances and an origin, control, and steering that can be told what to say."""

    edges: dict[str, Edge]
    priority: list[str]
    resume_ms: int = 0
    steering_status: int = 200
    empty_manifests: bool = False
    manifest_status: int = 200
    positions: list[Position] = field(default_factory=list)
    events: list[PlaybackEvent] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    players: list[Player] = field(default_factory=list)
    control_url: str = ""
    steering_url: str = ""
    _control: HttpServer | None = None
    _steering: HttpServer | None = None

    def player(
        self,
        kind: str = "hls",
        *,
        limits: PlayerLimits = QUICK,
        on_event: OnEvent | None = None,
        **more: object,
    ) -> Player:
        player = Player(
            control_url=self.control_url,
            title="t",
            profile="p",
            device="d",
            format=kind,
            limits=limits,
            on_event=on_event,
            **more,
        )
        self.players.append(player)
        return player

    @property
    def kinds(self) -> list[str]:
        """Kinds of the events that control was told of."""
        return [event.kind for event in self.events]

    async def kill_control(self) -> None:
        assert self._control is not None
        await self._control.stop()

    async def start(self) -> None:
        for edge in self.edges.values():
            await edge.start()
        self._steering, self.steering_url = await _served([("GET", "/v1/steer/t", self._steer)])
        self._control, self.control_url = await _served(
            [
                ("GET", "/v1/titles", self._titles),
                ("POST", "/v1/playback", self._playback),
                ("GET", "/v1/playback/s1/master.m3u8", self._master),
                ("GET", "/v1/playback/s1/manifest.mpd", self._mpd),
                ("PUT", "/v1/positions/{profile}/{title}", self._position),
                ("POST", "/v1/events", self._event),
            ]
        )

    async def stop(self) -> None:
        for player in self.players:
            await player.stop()
        for server in (self._control, self._steering):
            assert server is not None
            await server.stop()
        for edge in self.edges.values():
            await edge.stop()

    async def _titles(self, _: web.Request) -> web.Response:
        title = Title(id="t", name="T", duration_ms=12_000, published_at=1.0, renditions=())
        return web.Response(body=encode(CatalogPage(titles=(title,))))

    async def _playback(self, request: web.Request) -> web.Response:
        asked = decode(await request.read(), PlaybackRequest)
        base = f"{self.control_url}/v1/playback/s1"
        session = PlaybackSession(
            id="s1",
            title=asked.title,
            profile=asked.profile,
            device=asked.device,
            started_at=1.0,
            duration_ms=round(SEGMENTS * SEGMENT_S * 1000),
            hls_url=f"{base}/master.m3u8",
            dash_url=f"{base}/manifest.mpd",
            resume_ms=self.resume_ms,
            decision="d1",
            pathways=tuple(
                RankedPathway(pathway=name, kind="appliance", url=edge.url) for name, edge in self.edges.items()
            ),
        )
        return web.Response(body=encode(session), status=201)

    async def _master(self, _: web.Request) -> web.Response:
        steer = f"{self.steering_url}/v1/steer/t?session=s1"
        lines = ["#EXTM3U", f'#EXT-X-CONTENT-STEERING:SERVER-URI="{steer}",PATHWAY-ID="{self.priority[0]}"']
        for name, edge in () if self.empty_manifests else self.edges.items():
            group = f'GROUP-ID="a.{name}",NAME="en",DEFAULT=YES'
            lines.append(f'#EXT-X-MEDIA:TYPE=AUDIO,{group},URI="{edge.url}/s/t/a64/media.m3u8"')
            for rendition, bandwidth_bps in VIDEO.items():
                attributes = f'BANDWIDTH={bandwidth_bps},STABLE-VARIANT-ID="{rendition}",AUDIO="a.{name}"'
                lines.append(f'#EXT-X-STREAM-INF:{attributes},PATHWAY-ID="{name}"')
                lines.append(f"{edge.url}/s/t/{rendition}/media.m3u8")
        return web.Response(text="\n".join(lines), status=self.manifest_status)

    async def _mpd(self, _: web.Request) -> web.Response:
        steer = f"{self.steering_url}/v1/steer/t?session=s1"
        bases = "".join(
            f'<BaseURL serviceLocation="{name}">{edge.url}/s/t/</BaseURL>' for name, edge in self.edges.items()
        )
        template = (
            '<SegmentTemplate timescale="1000" initialization="$RepresentationID$/init.mp4" '
            'media="$RepresentationID$/$Number%05d$.m4s"><SegmentTimeline>'
            f'<S t="0" d="{round(SEGMENT_S * 1000)}" r="{SEGMENTS - 1}"/></SegmentTimeline></SegmentTemplate>'
        )
        sets = ""
        for kind, ladder in (("video", VIDEO), ("audio", AUDIO)):
            rows = "".join(f'<Representation id="{name}" bandwidth="{bps}"/>' for name, bps in ladder.items())
            sets += f'<AdaptationSet contentType="{kind}">{template}{rows}</AdaptationSet>'
        return web.Response(
            text=f'<MPD type="static">{bases}<ContentSteering defaultServiceLocation="{self.priority[0]}" '
            f'queryBeforeStart="true">{steer}</ContentSteering><Period>{sets}</Period></MPD>'
        )

    async def _position(self, request: web.Request) -> web.Response:
        self.positions.append(decode(await request.read(), Position))
        return web.Response(status=200)

    async def _event(self, request: web.Request) -> web.Response:
        self.events.append(decode(await request.read(), PlaybackEvent))
        return web.Response(status=204)

    async def _steer(self, request: web.Request) -> web.Response:
        self.questions.append(request.rel_url.raw_query_string)
        again = f"{self.steering_url}/v1/steer/t?session=s1&again=1"
        manifest = {"VERSION": 1, "TTL": 0, "RELOAD-URI": again, "PATHWAY-PRIORITY": self.priority}
        return web.json_response(manifest, status=self.steering_status)


async def _served(
    routes: list[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]],
) -> tuple[HttpServer, str]:
    app = web.Application()
    for method, path, handler in routes:
        app.router.add_route(method, path, handler)
    server = HttpServer(app, bound_socket("127.0.0.1", 0, what="test"), drain_s=0.01)
    await server.start()
    return server, f"http://127.0.0.1:{server.port}"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    held = objects()
    made = World(
        {name: Edge(name, held) for name in ("north-1", "north-2", "origin")}, ["north-1", "north-2", "origin"]
    )
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def quick() -> PlayerLimits:
    return QUICK


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Wait, for a bounded time, until something is so."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - whatever it is of, the condition has no event
                await asyncio.sleep(0.005)

    return wait
