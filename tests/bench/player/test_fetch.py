"""One request against servers that do every wrong thing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from bench.player.fetch import Abandoned, Ask, Fetcher, FetchError
from bench.player.limits import PlayerLimits
from bench.player.result import RequestRecord
from bench.player.session import media_session
from control.kit.clock import SystemClock
from control.kit.http import HttpServer, bound_socket

BODY = bytes(range(256)) * 40
LIMITS = PlayerLimits(
    first_byte_s=0.5,
    slow_window_s=1.0,
    slow_window_bytes=1000,
    manifest_bytes=20_000,
    segment_bytes=100_000,
)


async def whole(_: web.Request) -> web.Response:
    return web.Response(body=BODY)


async def ranged(request: web.Request) -> web.Response:
    wanted = request.http_range
    return web.Response(body=BODY[wanted.start : wanted.stop], status=206)


async def short_range(_: web.Request) -> web.Response:
    return web.Response(body=BODY[:7], status=206)


async def busy(_: web.Request) -> web.Response:
    return web.Response(status=429, headers={"Retry-After": "17"})


async def broken(_: web.Request) -> web.Response:
    return web.Response(status=502, headers={"Retry-After": "soon"})


async def huge(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(20):
        await response.write(BODY)
    return response


async def moved(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/whole"})


async def round_and_round(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/round"})


async def silent(_: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


class World:
    """A fetcher, what it recorded, and the address to fetch from."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.url = url
        self.records: list[RequestRecord] = []
        self.fetcher = Fetcher(http, clock=SystemClock(), limits=LIMITS, on_request=self.records.append)

    def ask(self, path: str, **more: object) -> Ask:
        return Ask(url=self.url + path, purpose="media", pathway="a", track="video", **more)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    app = web.Application()
    routes = {
        "whole": whole,
        "ranged": ranged,
        "short": short_range,
        "busy": busy,
        "broken": broken,
        "huge": huge,
        "moved": moved,
        "round": round_and_round,
        "silent": silent,
    }
    for path, handler in routes.items():
        app.router.add_get(f"/{path}", handler)
    server = HttpServer(app, bound_socket("127.0.0.1", 0, what="test"), drain_s=0.01)
    await server.start()
    async with media_session() as http:
        yield World(http, f"http://127.0.0.1:{server.port}")
    await server.stop()


async def test_a_body_is_counted_and_kept_only_on_request(world: World) -> None:
    dropped = await world.fetcher.get(world.ask("/whole"))
    kept = await world.fetcher.get(world.ask("/whole", keep=True))
    assert (dropped.size, dropped.body) == (len(BODY), b"")
    assert kept.body == BODY
    assert 0 < kept.ttfb_s <= kept.duration_s


async def test_every_request_is_recorded_well_or_not(world: World) -> None:
    await world.fetcher.get(world.ask("/whole"))
    with pytest.raises(FetchError):
        await world.fetcher.get(world.ask("/nowhere"))
    good, bad = world.records
    assert (good.status, good.bytes, good.error, good.pathway) == (200, len(BODY), "", "a")
    assert (bad.status, bad.error) == (404, "answered 404")


async def test_a_byte_range_is_asked_for_and_must_come_exactly(world: World) -> None:
    assert (await world.fetcher.get(world.ask("/ranged", byte_range=(5, 10), keep=True))).body == BODY[5:15]
    with pytest.raises(FetchError, match="206 is wanted") as caught:
        await world.fetcher.get(world.ask("/whole", byte_range=(5, 10)))
    assert caught.value.kind == "length"
    with pytest.raises(FetchError, match="7 bytes instead of 10") as caught:
        await world.fetcher.get(world.ask("/short", byte_range=(5, 10)))
    assert caught.value.kind == "length"


@pytest.mark.parametrize(
    ("path", "kind", "status", "retry_after_s"),
    [("/busy", "busy", 429, 17.0), ("/broken", "server", 502, None), ("/nowhere", "missing", 404, None)],
)
async def test_a_refusal_says_what_to_think_of_the_pathway(
    world: World, path: str, kind: str, status: int, retry_after_s: float | None
) -> None:
    with pytest.raises(FetchError) as caught:
        await world.fetcher.get(world.ask(path))
    assert (caught.value.kind, caught.value.status, caught.value.retry_after_s) == (kind, status, retry_after_s)


async def test_an_endless_body_is_given_up(world: World) -> None:
    with pytest.raises(FetchError, match="more than 100000 bytes"):
        await world.fetcher.get(world.ask("/huge"))
    with pytest.raises(FetchError, match="more than 20000 bytes"):
        await world.fetcher.get(world.ask("/huge", keep=True))


async def test_redirects_are_followed_but_not_for_ever(world: World) -> None:
    assert (await world.fetcher.get(world.ask("/moved"))).size == len(BODY)
    with pytest.raises(FetchError) as caught:
        await world.fetcher.get(world.ask("/round"))
    assert caught.value.kind == "cut"


async def test_silence_is_a_timeout_and_no_listener_a_failed_connection(world: World) -> None:
    with pytest.raises(FetchError) as caught:
        await world.fetcher.get(world.ask("/silent"))
    assert caught.value.kind == "timeout"
    with pytest.raises(FetchError) as caught:
        await world.fetcher.get(Ask(url="http://127.0.0.1:9/x", purpose="media"))
    assert caught.value.kind == "connect"


async def test_an_address_that_is_none_fails_as_a_request_does(world: World) -> None:
    for url in ("http://", "ftp://127.0.0.1/x", "nonsense", "http://127.0.0.1:99999/"):
        with pytest.raises(FetchError):
            await world.fetcher.get(Ask(url=url, purpose="media"))


async def test_progress_may_abandon_a_download(world: World) -> None:
    seen: list[tuple[int, int | None]] = []

    def progress(size: int, elapsed_s: float, expected: int | None) -> bool:
        seen.append((size, expected))
        return elapsed_s >= 0

    with pytest.raises(Abandoned) as caught:
        await world.fetcher.get(world.ask("/whole", progress=progress))
    assert seen == [(caught.value.size, len(BODY))]
    assert world.records[-1].error.startswith("abandoned after")


async def test_a_cancelled_request_is_recorded_too(world: World) -> None:
    task = asyncio.create_task(world.fetcher.get(world.ask("/silent")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert world.records[-1].error == "cancelled"
