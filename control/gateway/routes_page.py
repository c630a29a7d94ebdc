"""The web page and the players it offers."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from control.gateway.assets import TYPES, Assets, respond
from control.kit.problem import ProblemError
from control.wire import is_name

PAGE = Path(__file__).parent / "page"

SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
        "connect-src *; media-src * blob:; worker-src blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Scripts are our own; media and steering come from any appliance; players run workers from blobs."""

PLAYERS = {
    "hls.min.js": "node_modules/hls.js/dist/hls.min.js",
    "dash.all.min.js": "node_modules/dashjs/dist/modern/umd/dash.all.min.js",
    "shaka-player.compiled.js": "node_modules/shaka-player/dist/shaka-player.compiled.js",
}
"""The files that may be asked for, and where npm puts them."""

NOT_INSTALLED = "tag:oca,2026:players-not-installed"
_REVALIDATED = {"Cache-Control": "no-cache"}
_KEPT = {"Cache-Control": "public, max-age=604800, stale-while-revalidate=604800"}


class PageRoutes:
    """`page` is the directory of the page, `players` that in which npm installed the players."""

    def __init__(self, page: Path, players: Path | None) -> None:
        self._page = page
        self._players = players
        self._assets = Assets()

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/", self.index)
        router.add_get("/page/{file}", self.file)
        router.add_get("/players/{file}", self.player)

    async def index(self, request: web.Request) -> web.Response:
        """The page."""
        return await self._from_page(request, "index.html")

    async def file(self, request: web.Request) -> web.Response:
        """One of the page's files."""
        return await self._from_page(request, request.match_info["file"])

    async def _from_page(self, request: web.Request, name: str) -> web.Response:
        asset = None
        if is_name(name) and Path(name).suffix in TYPES:
            asset = await self._assets.load(self._page / name)
        if asset is None:
            raise ProblemError(404, "No such file", f"the page has no file {name}")
        return respond(request, asset, SECURITY | _REVALIDATED)

    async def player(self, request: web.Request) -> web.Response:
        """One of the players, compressed where the client takes it: the player's script dominates the start."""
        name = request.match_info["file"]
        if name not in PLAYERS:
            raise ProblemError(404, "No such player", f"{name} is none of {', '.join(PLAYERS)}")
        if self._players is None:
            raise ProblemError(404, "Players not installed", "the setting `players` is null", kind=NOT_INSTALLED)
        path = self._players / PLAYERS[name]
        asset = await self._assets.load(path)
        if asset is None:
            words = f"{path} is not there; run `npm ci` (or npm install) in {self._players}"
            raise ProblemError(404, "Players not installed", words, kind=NOT_INSTALLED)
        return respond(request, asset, _KEPT)
