"""HTTP scaffolding for everything that is not a segment: an aiohttp application that behaves.

Every service's application answers `/healthz` (the process lives), `/readyz` (it may be sent work) and
`/metrics`, turns errors into problem documents, counts requests, and allows players of any page (CORS).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from control.kit import metrics, problem
from control.kit.clock import Clock
from control.kit.errors import AddressError, UserError
from control.kit.logs import get_logger
from control.kit.metrics import Meter, Metric
from control.kit.problem import Problem, ProblemError
from control.kit.sockets import address_words
from control.kit.sockets import bound_socket as bound_socket  # noqa: PLC0414 - who serves HTTP finds both here

T = TypeVar("T")
Ready = Callable[[], list[str]]
"""What keeps a process from being ready, for a person to read; empty when it is."""

BODY_LIMIT_BYTES = 64 * 1024 * 1024

METRICS = (
    Metric("oca_http_requests_total", "counter", "Requests answered, by route and status", ("route", "status")),
    Metric("oca_http_request_seconds", "histogram", "Time to answer a request, by route", ("route",)),
)
"""Rows that every service's table includes."""

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length, Content-Range, ETag, Retry-After",
    "Timing-Allow-Origin": "*",
}
PREFLIGHT = CORS | {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "*, Authorization, Content-Type, Range, "
    "CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status",
    "Access-Control-Max-Age": "86400",
}


def application(
    *, meter: Meter, clock: Clock, ready: Ready, body_limit_bytes: int = BODY_LIMIT_BYTES
) -> web.Application:
    """An application with the common routes and manners; the caller adds its own routes."""
    app = web.Application(middlewares=[_manners(meter, clock)], client_max_size=body_limit_bytes)

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        waiting_for = ready()
        return web.json_response(
            {"ready": not waiting_for, "waiting_for": waiting_for}, status=503 if waiting_for else 200
        )

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=meter.render(), headers={"Content-Type": metrics.CONTENT_TYPE})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", exposition)
    return app


def _manners(meter: Meter, clock: Clock) -> Middleware:
    log = get_logger()

    @web.middleware
    async def manners(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = clock.monotonic()
        response = await _answered(request, handler)
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "(none)"
        meter.inc("oca_http_requests_total", route=route, status=str(response.status))
        meter.observe("oca_http_request_seconds", clock.monotonic() - started, route=route)
        if not response.prepared:
            response.headers.update(CORS)
        return response

    async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return web.Response(status=204, headers=PREFLIGHT)
        try:
            return await handler(request)
        except ProblemError as error:
            return problem.response(error.problem)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return problem.response(Problem(title=error.reason, status=error.status, detail=error.text or ""))
        except UserError as error:
            return problem.response(Problem(title="Service unavailable", status=503, detail=str(error)))
        except ConnectionError:
            raise
        except Exception:
            log.exception("request_failed", method=request.method, path=request.path)
            return problem.response(Problem(title="Internal error", status=500, detail="see this process's log"))

    return manners


async def read_struct(request: web.Request, decode: Callable[[bytes], T]) -> T:
    """The request's body decoded. What `decode` raises as ValueError becomes a 400 with its words."""
    body = await request.read()
    try:
        return decode(body)
    except ValueError as error:
        raise ProblemError(400, "Bad message", str(error)) from error


def json_body(data: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Encoded JSON as a response that no cache keeps unless `headers` say otherwise."""
    return web.Response(
        body=data,
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"} | (headers or {}),
    )


def json_of(value: object, *, status: int = 200) -> web.Response:
    """Any plain value or struct as JSON."""
    return json_body(msgspec.json.encode(value), status=status)


class HttpServer:
    """An application on a socket: `start`, then `stop` lets requests in flight finish."""

    def __init__(self, app: web.Application, sock: socket.socket, *, drain_s: float = 10.0) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=drain_s, handle_signals=False)
        self._sock = sock

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self._sock.getsockname()[1])

    async def start(self) -> None:
        """Begin to accept."""
        await self._runner.setup()
        try:
            await web.SockSite(self._runner, self._sock, backlog=1024).start()
        except OSError as error:  # another process bound the same port and began to listen first
            await self._runner.cleanup()
            host, port = self._sock.getsockname()[:2]
            self._sock.close()
            raise AddressError(f"cannot listen on {host}:{port}: {address_words(error)}") from error

    async def stop(self) -> None:
        """Stop accepting, wait for requests in flight up to the limit, close."""
        await self._runner.cleanup()
