"""What the admin API says of the appliance: its state for a person and for `oca status`. Reads, never acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from control.wire import ApplianceState, DiskReport, FillReport, Source
from oca.store.entry import Entry

if TYPE_CHECKING:
    from oca.keeper.daemon import Keeper
    from oca.keeper.workers import WorkerLink


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One front worker."""

    worker: int
    pid: int
    connections: int
    waiting: int
    counters: dict[str, float] = {}
    """Totals since the worker started, as it last reported them, by the names of `oca.metrics.FRONT`."""
    reported_at: float = 0.0
    """Unix seconds of that report; 0 before the first."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The appliance at a glance."""

    appliance: str
    site: str
    cluster: str
    url: str
    state: ApplianceState
    waiting_for: list[str]
    epoch: float
    uptime_s: float
    build: str
    capacity_bps: int
    egress_bps: float
    requests_per_s: float
    connections: int
    workers_configured: int
    workers: list[WorkerStatus]
    disks: tuple[DiskReport, ...]
    renditions: int
    objects: int
    bytes: int
    flights: int
    left_alone: list[str]
    """Sources that are not asked at present, and why."""
    reports_failing: dict[str, str]
    plan: str | None
    fill: FillReport | None


class RenditionWhy(msgspec.Struct, frozen=True, kw_only=True):
    """Why a rendition is here, or is not."""

    rendition: str
    objects_held: int
    objects_total: int
    bytes: int
    disks: list[str]
    last_used: float
    requests: int
    planned: bool
    pinned: bool
    value: float | None
    master: bool
    reason: str
    sources: tuple[Source, ...]


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Why a title is here, or is not."""

    title: str
    plan: str | None
    renditions: list[RenditionWhy]


def status(keeper: Keeper) -> Status:
    """The appliance as it is now."""
    beat = keeper.condition.heartbeat(0)
    books = keeper.shelves.books
    now = keeper.clock.monotonic()
    names = {source.name for plan in [keeper.plans.current] if plan for hold in plan.hold for source in hold.sources}
    names.add(keeper.settings.origin.name)
    return Status(
        appliance=beat.appliance,
        site=beat.site,
        cluster=beat.cluster,
        url=beat.url,
        state=beat.state,
        waiting_for=keeper.condition.waiting_for,
        epoch=beat.epoch,
        uptime_s=round(keeper.clock.now() - keeper.condition.epoch, 1),
        build=beat.build,
        capacity_bps=beat.capacity_bps,
        egress_bps=beat.egress_bps,
        requests_per_s=beat.requests_per_s,
        connections=beat.connections,
        workers_configured=beat.workers_configured,
        workers=[_worker(keeper, each) for each in keeper.workers],
        disks=beat.disks,
        renditions=len(books),
        objects=sum(entry.objects_held for entry in books),
        bytes=sum(entry.bytes_on_disks for entry in books),
        flights=len(keeper.flights),
        left_alone=[f"{name}: {words}" for name in sorted(names) if (words := keeper.trust.against(name, None, now))],
        reports_failing=keeper.beacon.failing,
        plan=keeper.plans.current.id if keeper.plans.current else None,
        fill=keeper.filler.report(),
    )


def _worker(keeper: Keeper, link: WorkerLink) -> WorkerStatus:
    report = keeper.fronts.last(link.worker, link.pid)
    age_s = keeper.clock.monotonic() - report.at if report else 0.0
    return WorkerStatus(
        worker=link.worker,
        pid=link.pid,
        connections=link.connections,
        waiting=len(link.wants),
        counters=report.counters if report else {},
        reported_at=round(keeper.clock.now() - age_s, 3) if report else 0.0,
    )


def why(keeper: Keeper, title: str) -> Why:
    """What is known of `title`: what is held of it and what the plan says."""
    plan = keeper.plans.current
    keys = {entry.key for entry in keeper.shelves.books.of_title(title)}
    keys |= {key for key in keeper.plans.planned if key.title == title}
    return Why(
        title=title,
        plan=plan.id if plan else None,
        renditions=[_rendition(keeper, keeper.shelves.books.get(key), *key) for key in sorted(keys)],
    )


def _rendition(keeper: Keeper, entry: Entry | None, title: str, rendition: str) -> RenditionWhy:
    from_plan = keeper.plans.hold_of(title, rendition)
    evict = keeper.plans.evict_of(title, rendition)
    if from_plan is not None:
        reason = from_plan.reason
    elif evict is not None:
        reason = f"may go: {evict.reason}"
    else:
        reason = "a viewer asked for it; no plan names it"
    return RenditionWhy(
        rendition=rendition,
        objects_held=entry.objects_held if entry else 0,
        objects_total=entry.objects_total if entry else from_plan.objects if from_plan else 0,
        bytes=entry.bytes_on_disks if entry else 0,
        disks=sorted(entry.parts) if entry else [],
        last_used=entry.last_used if entry else 0.0,
        requests=entry.requests if entry else 0,
        planned=from_plan is not None,
        pinned=from_plan.pinned if from_plan else False,
        value=from_plan.value if from_plan else None,
        master=from_plan.master if from_plan else False,
        reason=reason,
        sources=from_plan.sources if from_plan else (),
    )
