"""The steering service over HTTP: reports in, lists and explanations out.

Handlers translate between HTTP and the pure rooms; they decide nothing. A player is never answered 429
(hls.js would stop steering for the session) nor with an error for an odd parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from aiohttp import web

from control.kit import http
from control.kit.clock import Clock
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.kit.problem import ProblemError
from control.wire import Heartbeat, Inventory, SteeringDecision, SteeringQuery, decode, encode, is_name
from control.wire.names import Message
from steering import content_steering
from steering.config import SteeringSettings
from steering.decide import Asked, Terms, decide
from steering.decisions import Decisions
from steering.fleet import Fleet, RefusedError
from steering.prefixes import Address, parse_address
from steering.report import explanation, fleet_view

M = TypeVar("M", bound=Message)

FULL_WANTED = "tag:oca,2026:full-inventory-wanted"
_STATUS_OF_FAULT = {"sender": (400, "Bad message"), "full": (503, "View is full"), "conflict": (409, "Name is taken")}


@dataclass(frozen=True)
class Desk:
    """What the handlers work with. `base_url` is asked per answer: with port 0 it is known after listening."""

    settings: SteeringSettings
    terms: Terms
    fleet: Fleet
    decisions: Decisions
    clock: Clock
    meter: Meter
    base_url: Callable[[], str]

    def decide(self, client: Address, title: str, spread: str) -> tuple[SteeringDecision, tuple[str, ...]]:
        """A decision now, remembered and counted, and what makes it degraded."""
        decision, troubles = decide(
            self.fleet,
            Asked(client, title, spread),
            self.terms,
            decision_id=self.decisions.next_id(),
            now=self.clock.monotonic(),
            at=self.clock.now(),
        )
        self.decisions.keep(decision)
        self.meter.inc("oca_steering_decisions_total", first=decision.pathways[0].kind)
        if troubles:
            self.meter.inc("oca_steering_degraded_total")
        return decision, troubles


def application(desk: Desk) -> web.Application:
    """The service's application. It is ready at once: with an empty view it sends players to the origin."""
    app = http.application(
        meter=desk.meter, clock=desk.clock, ready=list, body_limit_bytes=desk.settings.limits.inventory
    )
    reports, lists = _Reports(desk), _Lists(desk)
    app.router.add_post("/v1/heartbeats", reports.heartbeat)
    app.router.add_post("/v1/inventories", reports.inventory)
    app.router.add_post("/v1/decisions", lists.decisions)
    app.router.add_get("/v1/decisions/{id}", lists.decision)
    app.router.add_get("/v1/steer/{title}", lists.steer)
    app.router.add_get("/v1/fleet", lists.fleet)
    app.router.add_get("/v1/explain", lists.explain)
    return app


class _Reports:
    """What appliances send."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._log = get_logger()

    async def heartbeat(self, request: web.Request) -> web.Response:
        beat = await self._read(request, Heartbeat)
        try:
            outcome = self._desk.fleet.heartbeat(beat, self._desk.clock.monotonic())
        except RefusedError as error:
            self._desk.meter.inc("oca_steering_heartbeats_total", outcome="refused")
            raise _refused(error) from error
        self._desk.meter.inc("oca_steering_heartbeats_total", outcome=outcome)
        if outcome in ("new", "restarted"):
            self._log.info(f"appliance_{outcome}", appliance=beat.appliance, url=beat.url, state=beat.state)
        return web.Response(status=204)

    async def inventory(self, request: web.Request) -> web.Response:
        inventory = await http.read_struct(request, lambda body: decode(body, Inventory))
        try:
            outcome = self._desk.fleet.inventory(inventory, self._desk.clock.monotonic())
        except RefusedError as error:
            self._desk.meter.inc("oca_steering_inventories_total", outcome="refused")
            raise _refused(error) from error
        self._desk.meter.inc("oca_steering_inventories_total", outcome=outcome)
        if outcome == "gap":
            raise ProblemError(
                409,
                "Full inventory wanted",
                f"sequence {inventory.sequence} of epoch {inventory.epoch} does not follow what is known of "
                f"{inventory.appliance}; send one with full: true",
                kind=FULL_WANTED,
            )
        return web.Response(status=204)

    async def _read(self, request: web.Request, kind: type[M]) -> M:
        limit = self._desk.settings.limits.message
        return await http.read_struct(request.clone(client_max_size=limit), lambda body: decode(body, kind))


def _refused(error: RefusedError) -> ProblemError:
    status, title = _STATUS_OF_FAULT[error.fault]
    return ProblemError(status, title, str(error), retry_after_s=10 if status == 503 else None)


class _Lists:
    """What players, control and operators ask."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def decisions(self, request: web.Request) -> web.Response:
        small = request.clone(client_max_size=self._desk.settings.limits.message)
        query = await http.read_struct(small, lambda body: decode(body, SteeringQuery))
        decision, _ = self._desk.decide(_client(query.client), query.title, query.session or query.client)
        return http.json_body(encode(decision))

    async def decision(self, request: web.Request) -> web.Response:
        found = self._desk.decisions.find(request.match_info["id"])
        if found is None:
            kept = self._desk.settings.limits.decisions
            raise ProblemError(404, "No such decision", f"the last {kept} decisions since the start are kept")
        return http.json_body(encode(found))

    async def steer(self, request: web.Request) -> web.Response:
        title = _title(request.match_info["title"])
        asked = content_steering.parse_query(request.query.items())
        client = asked.client or _peer(request)
        decision, _ = self._desk.decide(client, title, asked.session or str(client))
        self._count(asked, decision)
        manifest = content_steering.manifest(decision, base_url=self._desk.base_url(), session=asked.session)
        return web.Response(
            body=msgspec.json.encode(manifest),
            headers={
                "Content-Type": content_steering.CONTENT_TYPE,
                "Cache-Control": "no-store",
                "OCA-Decision": decision.id,
            },
        )

    def _count(self, asked: content_steering.PlayerQuery, decision: SteeringDecision) -> None:
        self._desk.meter.inc("oca_steering_manifests_total", protocol=asked.protocol)
        if asked.pathways and asked.pathways[0] != decision.pathways[0].pathway:
            self._desk.meter.inc("oca_steering_moves_total")

    async def fleet(self, _: web.Request) -> web.Response:
        return http.json_of(fleet_view(self._desk.fleet, now=self._desk.clock.monotonic(), at=self._desk.clock.now()))

    async def explain(self, request: web.Request) -> web.Response:
        missing = [name for name in ("client", "title") if not request.query.get(name)]
        if missing:
            raise ProblemError(400, "Parameter missing", f"give ?client=ADDRESS&title=TITLE; {missing[0]} is missing")
        client, title = _client(request.query["client"]), _title(request.query["title"])
        spread = request.query.get("session") or str(client)
        decision, troubles = self._desk.decide(client, title, spread)
        return http.json_of(
            explanation(self._desk.fleet, decision, troubles, client, spread, now=self._desk.clock.monotonic())
        )


def _client(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise ProblemError(400, "Bad client address", f"client: {error}") from error


def _peer(request: web.Request) -> Address:
    """The address that the request came from, for players that lost our parameters."""
    return parse_address(request.remote or "0.0.0.0")  # noqa: S104 - an address nobody serves


def _title(text: str) -> str:
    if not is_name(text):
        raise ProblemError(400, "Bad title", f"title: {text[:80]!r} is not a title's id")
    return text
