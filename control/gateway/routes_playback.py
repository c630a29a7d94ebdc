"""Sessions and their manifests over HTTP."""

from __future__ import annotations

from aiohttp import web

from control.kit.http import json_body, read_struct
from control.kit.metrics import Meter
from control.playback import dash, hls
from control.playback.session import Playback
from control.wire import PlaybackRequest, decode, encode

_PRIVATE = {"Cache-Control": "private, no-cache"}


class PlaybackRoutes:
    """Begin a session; fetch its manifests."""

    def __init__(self, playback: Playback, meter: Meter) -> None:
        self._playback = playback
        self._meter = meter

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_post("/v1/playback", self.begin)
        router.add_get("/v1/playback/{session}", self.session)
        router.add_get("/v1/playback/{session}/master.m3u8", self.multivariant)
        router.add_get("/v1/playback/{session}/manifest.mpd", self.mpd)

    async def begin(self, request: web.Request) -> web.Response:
        """PlaybackRequest → PlaybackSession."""
        wanted = await read_struct(request, lambda body: decode(body, PlaybackRequest))
        session = await self._playback.begin(wanted, peer=request.remote or "")
        self._meter.inc("oca_control_playback_started_total")
        headers = {"Location": f"/v1/playback/{session.id}"}
        return json_body(encode(session), status=201, headers=headers)

    async def session(self, request: web.Request) -> web.Response:
        """The PlaybackSession as it was begun."""
        return json_body(encode(self._playback.find(request.match_info["session"])))

    async def multivariant(self, request: web.Request) -> web.Response:
        """The HLS multivariant playlist."""
        text = self._playback.multivariant(request.match_info["session"])
        return web.Response(body=text.encode(), content_type=hls.CONTENT_TYPE, headers=_PRIVATE)

    async def mpd(self, request: web.Request) -> web.Response:
        """The DASH manifest."""
        body = self._playback.mpd(request.match_info["session"])
        return web.Response(body=body, content_type=dash.CONTENT_TYPE, headers=_PRIVATE)
