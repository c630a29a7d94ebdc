"""The keeper's admin API: what operators, Prometheus and purges use. JSON over HTTP, see `status.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from control.kit import http
from control.kit.problem import ProblemError
from control.wire import Name, PurgeOrder, decode, encode
from oca.keeper import status
from oca.store.faults import DiskError
from oca.store.layout import RenditionKey

if TYPE_CHECKING:
    from oca.keeper.daemon import Keeper


class DrainRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take the appliance out of steering (`drain`: true) or put it back."""

    drain: bool


class EvictRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Remove a title, or one rendition of it. `dry_run` only says what that would free."""

    title: Name
    rendition: Name | None = None
    dry_run: bool = False


_drain = msgspec.json.Decoder(DrainRequest)
_evict = msgspec.json.Decoder(EvictRequest)


def application(keeper: Keeper) -> web.Application:
    """The admin API of `keeper`."""
    app = http.application(meter=keeper.meter, clock=keeper.clock, ready=lambda: keeper.condition.waiting_for)
    app.middlewares.append(_not_for_pages)
    api = _Api(keeper)
    app.router.add_get("/v1/status", api.status)
    app.router.add_post("/v1/drain", api.drain)
    app.router.add_post("/v1/fill", api.fill)
    app.router.add_get("/v1/plan", api.plan)
    app.router.add_post("/v1/evict", api.evict)
    app.router.add_post("/v1/purges", api.purge)
    app.router.add_get("/v1/why/{title}", api.why)
    return app


@web.middleware
async def _not_for_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a web page sends: an operator's browser must not evict a title for a stranger's page."""
    if hdrs.ORIGIN in request.headers:
        raise ProblemError(403, "Not for web pages", "the admin API answers tools, not scripts of web pages")
    return await handler(request)


class _Api:
    """One method per route."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def status(self, _: web.Request) -> web.Response:
        """How the appliance is."""
        return http.json_of(status.status(self._keeper))

    async def drain(self, request: web.Request) -> web.Response:
        """Out of steering, or back."""
        wish = await http.read_struct(request, _drain.decode)
        await self._keeper.set_draining(drain=wish.drain)
        return http.json_of({"draining": wish.drain, "state": self._keeper.condition.state})

    async def fill(self, _: web.Request) -> web.Response:
        """Ask the planner for the plan now."""
        await self._keeper.ask_for_plan()
        plan = self._keeper.plans.current
        return http.json_of({"plan": plan.id if plan else None})

    async def plan(self, _: web.Request) -> web.Response:
        """The plan that is followed."""
        plan = self._keeper.plans.current
        if plan is None:
            raise ProblemError(404, "No plan", "no plan has been fetched yet; POST /v1/fill asks for one")
        return http.json_body(encode(plan))

    async def evict(self, request: web.Request) -> web.Response:
        """Remove a title or a rendition; answers when every worker has been told and the bytes are gone."""
        wish = await http.read_struct(request, _evict.decode)
        keeper = self._keeper
        found = [
            entry
            for entry in keeper.shelves.books.of_title(wish.title)
            if wish.rendition in (None, entry.key.rendition)
        ]
        if not found:
            raise ProblemError(404, "Not held", f"nothing is held of {wish.title} {wish.rendition or ''}".rstrip())
        rows = [{"rendition": str(entry.key), "bytes": entry.bytes_on_disks} for entry in found]
        if not wish.dry_run:
            try:
                for entry in found:
                    await keeper.flights.drop(entry.key)
                    await keeper.stowage.remove(RenditionKey(*entry.key), reason="operator")
            except DiskError as fault:
                raise ProblemError(503, "Disk failed", str(fault)) from fault
        return http.json_of({"evicted": rows, "dry_run": wish.dry_run})

    async def purge(self, request: web.Request) -> web.Response:
        """Carry an order out; the receipt."""
        order = await http.read_struct(request, lambda body: decode(body, PurgeOrder))
        if order.object is not None and order.rendition is None:
            raise ProblemError(400, "Bad message", "an order that names an object must name its rendition")
        return http.json_body(encode(await self._keeper.purges.carry_out(order)))

    async def why(self, request: web.Request) -> web.Response:
        """Why a title is here, or is not."""
        return http.json_of(status.why(self._keeper, request.match_info["title"]))
