"""Calls to another service: answers decoded, and errors that say who is at fault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from control.kit.client import ServiceClient, ServiceError
from control.kit.errors import UnreachableError
from control.kit.http import HttpServer, bound_socket


async def large(request: web.Request) -> web.StreamResponse:
    """A megabyte in pieces that arrive one by one."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(16):
        await response.write(b"7" * 65_536)
        await asyncio.sleep(0)
    return response


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    return web.Response(text=f"{request.method} {request.content_type} {request.query_string} {body.decode()}")


async def refused(_: web.Request) -> web.Response:
    return web.Response(status=409, text="send a full one")


async def mistaken(_: web.Request) -> web.Response:
    return web.json_response({"title": "Bad message", "status": 400, "detail": "sequence: missing"}, status=400)


async def silent(_: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    for path, handler in (
        ("/large", large),
        ("/echo", echo),
        ("/refused", refused),
        ("/mistaken", mistaken),
        ("/silent", silent),
    ):
        app.router.add_route("*", path, handler)
    server = HttpServer(app, bound_socket("127.0.0.1", 0, what="test"), drain_s=0.01)
    await server.start()
    yield f"http://127.0.0.1:{server.port}/"
    await server.stop()


async def test_an_answer_that_arrives_in_pieces_is_read_whole(url: str) -> None:
    async with ServiceClient("fill", url) as client:
        assert await client.get("/large", len) == 1_048_576


async def test_an_answer_beyond_the_limit_is_refused(url: str) -> None:
    async with ServiceClient("fill", url, answer_limit_bytes=100_000) as client:
        with pytest.raises(ServiceError, match=r"fill at .*/large sent more than 100000 bytes"):
            await client.get("/large", len)


async def test_bodies_and_parameters_arrive(url: str) -> None:
    async with ServiceClient("fill", url) as client:
        assert await client.get("/echo", bytes.decode, params={"after": "b"}) == "GET application/octet-stream after=b "
        assert await client.post("/echo", b"{}", bytes.decode) == "POST application/json  {}"
        await client.send("PUT", "/echo", b"{}")


async def test_a_refusal_carries_its_status_and_words(url: str) -> None:
    async with ServiceClient("fill", url) as client:
        with pytest.raises(ServiceError, match=r"fill at http.*/refused answered 409: send a full one") as caught:
            await client.send("POST", "/refused", b"{}")
    assert caught.value.status == 409


async def test_an_answer_that_cannot_be_decoded_is_the_services_fault(url: str) -> None:
    async with ServiceClient("fill", url) as client:
        with pytest.raises(ServiceError, match=r"fill at .*/echo sent nonsense: invalid literal"):
            await client.get("/echo", int)


async def test_silence_ends_at_the_time_limit(url: str) -> None:
    async with ServiceClient("fill", url, timeout_s=0.05) as client:
        with pytest.raises(UnreachableError, match=r"fill at .*/silent did not answer in 0\.05 s"):
            await client.send("GET", "/silent")


async def test_a_service_that_is_away_is_named_with_its_address() -> None:
    with bound_socket("127.0.0.1", 0, what="test") as sock:
        port = sock.getsockname()[1]
    async with ServiceClient("fill", f"http://127.0.0.1:{port}") as client:
        with pytest.raises(UnreachableError, match=rf"fill at http://127\.0\.0\.1:{port}/x cannot be reached: .*"):
            await client.send("GET", "/x")


async def test_a_problem_document_is_told_in_its_own_words(url: str) -> None:
    async with ServiceClient("fill", url) as client:
        with pytest.raises(ServiceError, match=r"/mistaken answered 400: Bad message: sequence: missing\Z"):
            await client.send("POST", "/mistaken", b"{}")
