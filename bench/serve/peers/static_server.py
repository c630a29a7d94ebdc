"""aiohttp's static files on uvloop: a peer, and the server behind the peers that are caches.

    python -m bench.serve.peers.static_server SEGMENTS HTTP_PORT [HTTPS_PORT CHAIN KEY ACCESS_LOG]

One process. The access log is aiohttp's own; without one, nothing is logged.
"""

from __future__ import annotations

import asyncio
import logging
import logging.handlers
import ssl
import sys
from pathlib import Path

import uvloop
from aiohttp import web

IDLE_S = 3600.0
BACKLOG = 4096
BUFFERED_LINES = 200
IMMUTABLE = "public, max-age=31536000, immutable"


async def serve(segments: Path, http_port: int, tls: tuple[int, ssl.SSLContext] | None, *, logged: bool) -> None:
    """Serve `/s/` from `segments` until killed."""
    app = web.Application()
    app.router.add_static("/s/", segments)
    app.on_response_prepare.append(_immutable)
    runner = web.AppRunner(app, access_log=logging.getLogger("access") if logged else None, keepalive_timeout=IDLE_S)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", http_port, backlog=BACKLOG).start()
    if tls is not None:
        await web.TCPSite(runner, "127.0.0.1", tls[0], ssl_context=tls[1], backlog=BACKLOG).start()
    await asyncio.Event().wait()


async def _immutable(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Cache-Control"] = IMMUTABLE


def main(arguments: list[str]) -> None:
    """Read the arguments and serve."""
    segments, http_port, *rest = arguments
    tls = None
    if rest:
        https_port, chain, key, access_log = rest
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chain, key)
        tls = (int(https_port), context)
        # Lines are gathered, as the others' are.
        file = logging.FileHandler(access_log)
        handler = logging.handlers.MemoryHandler(BUFFERED_LINES, target=file)
        logger = logging.getLogger("access")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Path(segments), int(http_port), tls, logged=tls is not None))


if __name__ == "__main__":
    main(sys.argv[1:])
