"""HTTP scaffolding over real sockets: readiness, metrics, problem documents, CORS, ports in use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from control.kit import http
from control.kit.clock import SystemClock
from control.kit.errors import AddressError, Exit, UnreachableError
from control.kit.metrics import Meter
from control.kit.problem import ProblemError

LIMIT_S = 10.0


class Probe:
    """A service with one route per way to answer."""

    def __init__(self) -> None:
        self.waiting_for: list[str] = []
        self.meter = Meter(http.METRICS)
        self.release = asyncio.Event()
        self.entered = asyncio.Event()
        app = http.application(
            meter=self.meter, clock=SystemClock(), ready=lambda: self.waiting_for, body_limit_bytes=1000
        )
        app.router.add_get("/fine/{name}", self.fine)
        app.router.add_get("/problem", self.problem)
        app.router.add_get("/unreachable", self.unreachable)
        app.router.add_get("/bug", self.bug)
        app.router.add_get("/slow", self.slow)
        app.router.add_post("/number", self.number)
        self.server = http.HttpServer(app, http.bound_socket("127.0.0.1", 0, what="probe"), drain_s=LIMIT_S)
        self.url = f"http://127.0.0.1:{self.server.port}"

    async def fine(self, request: web.Request) -> web.Response:
        return http.json_of({"name": request.match_info["name"]})

    async def problem(self, _: web.Request) -> web.Response:
        raise ProblemError(429, "Too many", "one a second", kind="tag:oca,2026:busy", retry_after_s=3)

    async def unreachable(self, _: web.Request) -> web.Response:
        raise UnreachableError("origin cannot be reached")

    async def bug(self, _: web.Request) -> web.Response:
        raise RuntimeError("a secret of ours")

    async def slow(self, _: web.Request) -> web.Response:
        self.entered.set()
        await self.release.wait()
        return web.Response(text="late but whole")

    async def number(self, request: web.Request) -> web.Response:
        return http.json_of(await http.read_struct(request, int))


@pytest.fixture
async def probe() -> AsyncIterator[Probe]:
    probe = Probe()
    await probe.server.start()
    yield probe
    probe.release.set()
    await probe.server.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT_S)) as session:
        yield session


async def test_a_process_is_alive_before_it_is_ready(probe: Probe, session: aiohttp.ClientSession) -> None:
    probe.waiting_for = ["the first plan"]
    async with session.get(f"{probe.url}/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})
    async with session.get(f"{probe.url}/readyz") as answer:
        assert (answer.status, await answer.json()) == (503, {"ready": False, "waiting_for": ["the first plan"]})
    probe.waiting_for = []
    async with session.get(f"{probe.url}/readyz") as answer:
        assert (answer.status, (await answer.json())["ready"]) == (200, True)


async def test_requests_are_counted_by_route_not_by_path(probe: Probe, session: aiohttp.ClientSession) -> None:
    for name in ("a", "b"):
        async with session.get(f"{probe.url}/fine/{name}") as answer:
            assert answer.status == 200
    async with session.get(f"{probe.url}/nowhere") as answer:
        assert answer.status == 404
    async with session.get(f"{probe.url}/metrics") as answer:
        text = await answer.text()
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'oca_http_requests_total{route="/fine/{name}",status="200"} 2.0' in text
    assert 'oca_http_requests_total{route="(none)",status="404"} 1.0' in text
    assert 'oca_http_request_seconds_count{route="/fine/{name}"} 2.0' in text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/problem", (429, "Too many", "one a second")),
        ("/unreachable", (503, "Service unavailable", "origin cannot be reached")),
        ("/bug", (500, "Internal error", "see this process's log")),
        ("/nowhere", (404, "Not Found", "404: Not Found")),
    ],
)
async def test_every_error_is_a_problem_document_that_pages_may_read(
    probe: Probe, session: aiohttp.ClientSession, path: str, said: tuple[int, str, str]
) -> None:
    async with session.get(probe.url + path) as answer:
        body = json.loads(await answer.read())
        assert (answer.status, answer.content_type) == (said[0], "application/problem+json")
        assert (body["status"], body["title"], body["detail"]) == said
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_a_problem_says_when_to_come_back(probe: Probe, session: aiohttp.ClientSession) -> None:
    async with session.get(f"{probe.url}/problem") as answer:
        assert answer.headers["Retry-After"] == "3"
        assert json.loads(await answer.read())["type"] == "tag:oca,2026:busy"


async def test_another_method_is_refused_with_the_allowed_ones(probe: Probe, session: aiohttp.ClientSession) -> None:
    async with session.delete(f"{probe.url}/problem") as answer:
        assert answer.status == 405
        assert json.loads(await answer.read())["title"] == "Method Not Allowed"


async def test_a_preflight_is_answered_for_players_of_any_page(probe: Probe, session: aiohttp.ClientSession) -> None:
    ask = {"Access-Control-Request-Method": "PUT", "Origin": "https://example.org"}
    async with session.options(f"{probe.url}/fine/a", headers=ask) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
        for header in ("Range", "CMCD-Session", "Content-Type"):
            assert header in answer.headers["Access-Control-Allow-Headers"]


async def test_a_body_is_decoded_or_refused_in_words(probe: Probe, session: aiohttp.ClientSession) -> None:
    async with session.post(f"{probe.url}/number", data=b"41") as answer:
        assert await answer.json() == 41
    async with session.post(f"{probe.url}/number", data=b"x") as answer:
        assert answer.status == 400
        assert "invalid literal" in json.loads(await answer.read())["detail"]
    async with session.post(f"{probe.url}/number", data=b"1" * 2000) as answer:
        assert answer.status == 413


async def test_stopping_lets_a_request_in_flight_finish(probe: Probe, session: aiohttp.ClientSession) -> None:
    async def ask() -> str:
        async with session.get(f"{probe.url}/slow") as answer:
            return await answer.text()

    asking = asyncio.ensure_future(ask())
    await asyncio.wait_for(probe.entered.wait(), LIMIT_S)
    stopping = asyncio.ensure_future(probe.server.stop())
    await asyncio.sleep(0)
    probe.release.set()
    assert await asyncio.wait_for(asking, LIMIT_S) == "late but whole"
    await asyncio.wait_for(stopping, LIMIT_S)


async def test_a_port_in_use_is_said_with_what_to_do(probe: Probe) -> None:
    with pytest.raises(AddressError, match=r"origin: cannot listen on 127\.0\.0\.1:\d+: the port is in use") as caught:
        http.bound_socket("127.0.0.1", probe.server.port, what="origin")
    assert caught.value.exit_status is Exit.ADDRESS


def test_an_address_of_another_machine_is_said() -> None:
    with pytest.raises(AddressError, match="this machine has no such address"):
        http.bound_socket("192.0.2.1", 0, what="origin")


async def test_two_processes_that_bound_one_port_do_not_both_get_it() -> None:
    first = http.bound_socket("127.0.0.1", 0, what="a")
    second = http.bound_socket("127.0.0.1", first.getsockname()[1], what="b")
    first.listen()
    server = http.HttpServer(web.Application(), second)
    try:
        with pytest.raises(AddressError, match="the port is in use"):
            await server.start()
    finally:
        first.close()
