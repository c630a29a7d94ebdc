"""The planner over HTTP: reports in, plans and explanations out.

Handlers translate between HTTP and the rooms behind; they decide nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from control.kit import http
from control.kit.clock import Clock
from control.kit.logs import get_logger
from control.kit.metrics import Meter
from control.kit.problem import ProblemError
from control.wire import DemandReport, FillReport, Heartbeat, Inventory, decode, encode
from control.wire.names import Message
from fill.books import HOUR_S, Books
from fill.catalog import Catalog
from fill.config import FillSettings
from fill.explain import explain
from fill.members import Members, RefusedError
from fill.planner import Planner
from fill.progress import ApplianceStatus, FillStatus, Progress, appliance_status

M = TypeVar("M", bound=Message)

FULL_WANTED = "tag:oca,2026:full-inventory-wanted"
AHEAD_S = 2 * HOUR_S
"""Demand of hours that begin later than this from now is refused: a clock is wrong."""
_STATUS_OF_FAULT = {
    "sender": (400, "Bad message"),
    "full": (503, "Too many appliances"),
    "conflict": (409, "Name is taken"),
}


@dataclass(frozen=True)
class Desk:
    """What the handlers work with."""

    settings: FillSettings
    members: Members
    catalog: Catalog
    books: Books
    planner: Planner
    progress: Progress
    clock: Clock
    meter: Meter


def application(desk: Desk) -> web.Application:
    """The service's application. It is ready at once; what plans still wait for is in `/v1/status`."""
    app = http.application(
        meter=desk.meter, clock=desk.clock, ready=list, body_limit_bytes=desk.settings.limits.inventory
    )
    reports, plans = _Reports(desk), _Plans(desk)
    app.router.add_post("/v1/heartbeats", reports.heartbeat)
    app.router.add_post("/v1/inventories", reports.inventory)
    app.router.add_post("/v1/demand", reports.demand)
    app.router.add_post("/v1/fill-reports", reports.fill_report)
    app.router.add_get("/v1/plans", plans.all)
    app.router.add_post("/v1/plans", plans.make)
    app.router.add_get("/v1/plans/{appliance}", plans.one)
    app.router.add_get("/v1/status", plans.status)
    app.router.add_get("/v1/explain", plans.explain)
    return app


class _Reports:
    """What appliances send."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._clusters = desk.books.clusters()
        self._log = get_logger()

    async def heartbeat(self, request: web.Request) -> web.Response:
        beat = await self._read(request, Heartbeat)
        try:
            outcome = self._desk.members.heartbeat(beat, self._desk.clock.monotonic())
        except RefusedError as error:
            raise self._refused("heartbeat", error) from error
        self._count("heartbeat", outcome)
        if outcome in ("new", "restarted"):
            self._log.info(f"appliance_{outcome}", appliance=beat.appliance, cluster=beat.cluster)
        if outcome != "stale" and self._clusters.get(beat.appliance) != beat.cluster:
            await self._desk.books.keep_cluster(beat.appliance, beat.cluster)
            self._clusters[beat.appliance] = beat.cluster
        return web.Response(status=204)

    async def inventory(self, request: web.Request) -> web.Response:
        inventory = await http.read_struct(request, lambda body: decode(body, Inventory))
        try:
            outcome = self._desk.members.inventory(inventory, self._desk.clock.monotonic())
        except RefusedError as error:
            raise self._refused("inventory", error) from error
        self._count("inventory", outcome)
        if outcome == "gap":
            raise ProblemError(
                409,
                "Full inventory wanted",
                f"sequence {inventory.sequence} of epoch {inventory.epoch} does not follow what is known of "
                f"{inventory.appliance}; send one with full: true",
                kind=FULL_WANTED,
            )
        return web.Response(status=204)

    async def demand(self, request: web.Request) -> web.Response:
        report = await self._read(request, DemandReport)
        latest = self._desk.clock.now() + AHEAD_S
        for index, row in enumerate(report.rows):
            if row.hour % HOUR_S or row.hour > latest:
                self._count("demand", "refused")
                wrong = (
                    "lies in the future; is the clock right?" if row.hour > latest else f"is no multiple of {HOUR_S}"
                )
                raise ProblemError(400, "Bad message", f"rows[{index}].hour: {row.hour} {wrong}")
        await self._desk.books.add_demand(report)
        self._count("demand", "taken")
        return web.Response(status=204)

    async def fill_report(self, request: web.Request) -> web.Response:
        report = await self._read(request, FillReport)
        desk = self._desk
        if report.appliance not in desk.planner.plans and desk.members.find(report.appliance) is None:
            self._count("fill_report", "refused")
            raise ProblemError(404, "Unknown appliance", f"no plan was made for {report.appliance}")
        before = desk.progress.last(report.appliance)
        if not desk.progress.take(report):
            self._count("fill_report", "stale")
            return web.Response(status=204)
        await desk.books.keep_report(report)
        self._count("fill_report", "taken")
        self._account(before, report)
        return web.Response(status=204)

    def _account(self, before: FillReport | None, report: FillReport) -> None:
        known = before.bytes_by_source if before is not None and before.plan == report.plan else {}
        for source, fetched in report.bytes_by_source.items():
            kind = source.partition(":")[0]
            if kind in ("peer", "tier", "cache"):
                self._desk.meter.inc("oca_fill_fetched_bytes_total", max(fetched - known.get(source, 0), 0), kind=kind)
        if before is None or (before.plan, before.state) != (report.plan, report.state):
            self._log.info("fill_state", appliance=report.appliance, plan=report.plan, state=report.state)

    async def _read(self, request: web.Request, kind: type[M]) -> M:
        limit = self._desk.settings.limits.message
        return await http.read_struct(request.clone(client_max_size=limit), lambda body: decode(body, kind))

    def _count(self, kind: str, outcome: str) -> None:
        self._desk.meter.inc("oca_fill_reports_total", kind=kind, outcome=outcome)

    def _refused(self, kind: str, error: RefusedError) -> ProblemError:
        self._count(kind, "refused")
        status, title = _STATUS_OF_FAULT[error.fault]
        return ProblemError(status, title, str(error), retry_after_s=10 if status == 503 else None)


class _Plans:
    """What appliances fetch and operators ask."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def one(self, request: web.Request) -> web.Response:
        name = request.match_info["appliance"]
        plan = self._desk.planner.plans.get(name)
        if plan is None:
            raise ProblemError(404, "No plan yet", self._why_none(name), retry_after_s=5)
        etag = f'"{plan.id}"'
        if etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers={"ETag": etag, "Cache-Control": "no-cache"})
        return http.json_body(encode(plan), headers={"ETag": etag, "Cache-Control": "no-cache"})

    def _why_none(self, name: str) -> str:
        member = self._desk.members.find(name)
        if member is None:
            return f"{name} has not reported; plans wait for its first heartbeat"
        general = [reason for reason in self._desk.planner.waiting_for() if not reason.startswith(f"{name}:")]
        reason = self._desk.members.waiting_for(member, self._desk.clock.monotonic())
        waits = reason or (general[0] if not self._desk.catalog.version else "the next round of planning")
        return f"the plan of {name} waits for {waits}"

    async def all(self, _: web.Request) -> web.Response:
        return http.json_of({"plans": [status for status in self._statuses() if status.plan is not None]})

    async def make(self, request: web.Request) -> web.Response:
        dry_run = request.query.get("dry_run", "0") not in ("0", "false", "")
        return http.json_of(await self._desk.planner.make(dry_run=dry_run, full=request.query.get("appliance")))

    async def status(self, _: web.Request) -> web.Response:
        desk = self._desk
        return http.json_of(
            FillStatus(
                at=desk.clock.now(),
                waiting_for=tuple(desk.planner.waiting_for()),
                titles=len(desk.catalog.titles),
                catalog_seen_at=desk.catalog.seen_at,
                catalog_error=desk.catalog.error,
                planned_at=desk.planner.planned_at,
                appliances=tuple(self._statuses()),
            )
        )

    def _statuses(self) -> list[ApplianceStatus]:
        desk, now = self._desk, self._desk.clock.monotonic()
        names = sorted({member.name for member in desk.members} | set(desk.planner.plans))
        return [
            appliance_status(name, desk.members, desk.planner.plans.get(name), desk.progress, now) for name in names
        ]

    async def explain(self, request: web.Request) -> web.Response:
        desk, now = self._desk, self._desk.clock.monotonic()
        title_id, appliance = request.query.get("title", ""), request.query.get("appliance")
        title = desk.catalog.find(title_id)
        if title is None:
            raise ProblemError(404, "No such title", f"title: {title_id[:80]!r} is not in the catalog; give ?title=ID")
        member = desk.members.find(appliance) if appliance is not None else None
        if appliance is not None and member is None:
            raise ProblemError(404, "Unknown appliance", f"appliance: {appliance[:80]!r} has not reported")
        asked = [member] if member is not None else list(desk.members)
        waiting = {each.name: desk.members.waiting_for(each, now) for each in asked}
        clusters = {each.heartbeat.cluster for each in asked if each.heartbeat is not None and not waiting[each.name]}
        made = [await desk.planner.cluster_plan(cluster) for cluster in sorted(clusters)]
        blocked = {name: reason for name, reason in waiting.items() if reason}
        return http.json_of(explain(title, made, blocked, desk.clock.now(), appliance))
