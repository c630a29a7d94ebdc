"""The catalog over HTTP."""

from __future__ import annotations

from aiohttp import web

from control.catalog.store import CatalogStore
from control.gateway.assets import known
from control.kit.http import json_body
from control.kit.problem import ProblemError
from control.wire import encode, is_name

PAGE_DEFAULT = 100
PAGE_LIMIT = 1000
_IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
_REVALIDATED = {"Cache-Control": "no-cache"}


class CatalogRoutes:
    """Titles and the indexes of their renditions."""

    def __init__(self, catalog: CatalogStore) -> None:
        self._catalog = catalog

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/v1/titles", self.titles)
        router.add_get("/v1/titles/{title}", self.title)
        router.add_get("/v1/titles/{title}/renditions/{rendition}", self.rendition)

    async def titles(self, request: web.Request) -> web.Response:
        """A page of titles (CatalogPage), those after `after` in order of id, `limit` at most."""
        after = request.query.get("after", "")
        if after and not is_name(after):
            raise ProblemError(400, "Bad parameter", "after: is not an id")
        return json_body(encode(self._catalog.page(after, _limit(request))))

    async def title(self, request: web.Request) -> web.Response:
        """One Title, with an ETag."""
        found = self._catalog.titled(request.match_info["title"])
        if found is None:
            raise ProblemError(404, "No such title", f"no title {request.match_info['title']} in the catalog")
        headers = _REVALIDATED | {"ETag": f'"{found[1]}"'}
        if known(request.headers.get("If-None-Match", ""), headers["ETag"]):
            return web.Response(status=304, headers=headers)
        return json_body(encode(found[0]), headers=headers)

    async def rendition(self, request: web.Request) -> web.Response:
        """A RenditionIndex. Its rendition's id is a digest of the bytes: it never changes."""
        title, rendition = request.match_info["title"], request.match_info["rendition"]
        body = self._catalog.index_body(title, rendition)
        if body is None:
            raise ProblemError(404, "No such rendition", f"no rendition {title}/{rendition} in the catalog")
        return json_body(body, headers=_IMMUTABLE)


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(PAGE_DEFAULT))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= PAGE_LIMIT:
        raise ProblemError(400, "Bad parameter", f"limit: is not a number from 1 to {PAGE_LIMIT}")
    return int(text)
