"""The origin's URLs: objects for appliances and players, the catalog for control.

Order of an object request: look it up, decide what part is due (`conditions.py`), send (`transmit.py`).
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

import xxhash
from aiohttp import web

from control.kit import http
from control.kit.clock import Clock
from control.kit.errors import StorageError
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.kit.problem import ProblemError
from control.wire import CatalogPage, encode, is_name
from origin.conditions import Answer, Failed, NotModified, Part, Unsatisfiable, Whole, answer
from origin.config import LimitSettings
from origin.storage.port import Opened, Storage
from origin.transmit import End, opened, send

CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".m4s": "video/mp4",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".json": "application/json",
}
KEPT_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "Accept-Ranges": "bytes"}


@dataclass(frozen=True)
class Routes:
    """What the handlers work with."""

    storage: Storage
    limits: LimitSettings
    meter: Meter
    clock: Clock


def application(routes: Routes) -> web.Application:
    """The application with every route of the origin."""
    app = http.application(meter=routes.meter, clock=routes.clock, ready=lambda: waiting_for(routes.storage))
    objects, catalog = ObjectRoute(routes), CatalogRoute(routes)
    app.router.add_get("/s/{title}/{rendition}/{object}", objects.get)
    app.router.add_get("/v1/titles", catalog.page)
    app.router.add_get("/v1/titles/{title}", catalog.title)
    return app


def waiting_for(storage: Storage) -> list[str]:
    """What keeps us from being ready."""
    try:
        storage.check()
    except StorageError as error:
        return [str(error)]
    return []


class ObjectRoute:
    """`/s/{title}/{rendition}/{object}`."""

    def __init__(self, routes: Routes) -> None:
        self._storage = routes.storage
        self._limits = routes.limits
        self._meter = routes.meter
        self._log = get_logger()

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The object, a part of it, or that the client has it already."""
        title, rendition, name = (request.match_info[part] for part in ("title", "rendition", "object"))
        found = await opened(lambda: self._storage.open(title, rendition, name))
        if found is None:
            raise ProblemError(404, "No such object", f"{title}/{rendition}/{name} is not published here")
        try:
            etag = f'"{rendition}/{name}"'
            due = answer(request.method, request.headers, etag, found.bytes)
            self._meter.inc("oca_origin_objects_total", title=title, requester=requester(request))
            return await self._reply(request, found, due, {"ETag": etag} | KEPT_FOREVER)
        finally:
            os.close(found.descriptor)

    async def _reply(
        self, request: web.Request, found: Opened, due: Answer, headers: dict[str, str]
    ) -> web.StreamResponse:
        match due:
            case NotModified():
                return web.Response(status=304, headers=headers)
            case Failed():
                raise ProblemError(412, "Precondition failed", "objects never change; this one has another ETag")
            case Unsatisfiable():
                size = {"Content-Range": f"bytes */{found.bytes}", "Cache-Control": "no-store"}
                return web.Response(status=416, headers=size)
            case Part(first, last):
                headers["Content-Range"] = f"bytes {first}-{last}/{found.bytes}"
                return await self._body(request, found.descriptor, range(first, last + 1), headers)
            case Whole():
                return await self._body(request, found.descriptor, range(found.bytes), headers)

    async def _body(
        self, request: web.Request, descriptor: int, due: range, headers: dict[str, str]
    ) -> web.StreamResponse:
        kind = CONTENT_TYPES.get(os.path.splitext(request.path)[1], "application/octet-stream")
        status = 206 if "Content-Range" in headers else 200
        response = web.StreamResponse(status=status, headers=headers | http.CORS | {"Content-Type": kind})
        response.content_length = len(due)
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        sent, end = await send(response, descriptor, due, piece_bytes=self._limits.piece, stall_s=self._limits.stall)
        title = request.match_info["title"]
        self._meter.inc("oca_origin_bytes_total", sent, title=title, requester=requester(request))
        if end != "whole":
            self._cut_off(request, sent, end)
        return response

    def _cut_off(self, request: web.Request, sent: int, end: End) -> None:
        """A response that cannot be finished ends with its connection."""
        self._meter.inc("oca_origin_cut_off_total", cause=end)
        if end == "storage":
            self._log.error("object_cut_off", path=request.path, sent=sent)
        if request.transport is not None:
            request.transport.abort()


class CatalogRoute:
    """`/v1/titles` and `/v1/titles/{title}`."""

    def __init__(self, routes: Routes) -> None:
        self._storage = routes.storage
        self._limits = routes.limits
        self._meter = routes.meter

    async def page(self, request: web.Request) -> web.Response:
        """Titles by id, `?limit=` of them after the id `?after=`."""
        after = request.query.get("after", "")
        if after and not is_name(after):
            raise ProblemError(400, "Bad query", f"after={after!r}: not a title's id")
        limit = self._limit(request.query.get("limit"))
        page: CatalogPage = await asyncio.to_thread(self._storage.page, after, limit)
        self._meter.set("oca_origin_titles_unreadable", len(self._storage.broken))
        return revalidated(request, encode(page))

    async def title(self, request: web.Request) -> web.Response:
        """One title."""
        title_id = request.match_info["title"]
        title = await asyncio.to_thread(self._storage.title, title_id)
        if title is None:
            raise ProblemError(404, "No such title", f"{title_id} is not published here")
        return revalidated(request, encode(title))

    def _limit(self, text: str | None) -> int:
        """The page length asked for, at most the configured one."""
        if text is None:
            return self._limits.page
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= 1):
            raise ProblemError(400, "Bad query", f"limit={text[:40]!r}: give a number from 1 to {self._limits.page}")
        return min(int(text), self._limits.page)


def revalidated(request: web.Request, body: bytes) -> web.Response:
    """`body` as JSON that caches keep and ask about; 304 when the client has it."""
    etag = f'"{xxhash.xxh3_128_hexdigest(body)}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if isinstance(answer(request.method, request.headers, etag, len(body)), NotModified):
        return web.Response(status=304, headers=headers)
    return http.json_body(body, headers=headers)


def requester(request: web.Request) -> str:
    """Who asks: an appliance names itself in CDN-Loop (RFC 8586), a player does not."""
    return "appliance" if "CDN-Loop" in request.headers else "player"
