"""How far each appliance has got with its plan, as operators read it.

Pure. Speed comes from the reports themselves (their own clock), so a late report does not distort it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from control.wire import FillPlan, FillReport
from fill.members import Members

SAMPLES = 16


class ApplianceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One appliance. `state`: none (no plan), planned (no word of it yet), or as it reports itself."""

    appliance: str
    site: str = ""
    cluster: str = ""
    live: bool
    waiting_for: str = ""
    plan: str | None = None
    made_at: float | None = None
    window_start: float | None = None
    window_end: float | None = None
    state: str = "none"
    holds: int = 0
    hold_bytes: int = 0
    masters: int = 0
    evicts: int = 0
    capacity_bytes: int = 0
    held_bytes: int = 0
    objects_total: int = 0
    objects_done: int = 0
    bytes_total: int = 0
    bytes_done: int = 0
    bytes_by_source: dict[str, int] = {}
    rate_bps: float | None = None
    eta_s: float | None = None
    reported_at: float | None = None
    errors: tuple[str, ...] = ()


class FillStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at a glance. `waiting_for`: what planning cannot do without, empty when nothing."""

    at: float
    waiting_for: tuple[str, ...]
    titles: int
    catalog_seen_at: float | None
    catalog_error: str
    planned_at: float | None
    appliances: tuple[ApplianceStatus, ...]


class Progress:
    """The last reports of every appliance."""

    def __init__(self, reports: dict[str, FillReport]) -> None:
        self._reports: dict[str, deque[FillReport]] = {}
        for report in reports.values():
            self.take(report)

    def __repr__(self) -> str:
        return f"<Progress of {len(self._reports)} appliances>"

    def take(self, report: FillReport) -> bool:
        """Keep `report`; False when it is not newer than the last."""
        kept = self._reports.setdefault(report.appliance, deque(maxlen=SAMPLES))
        if kept and report.at <= kept[-1].at:
            return False
        if kept and kept[-1].plan != report.plan:
            kept.clear()
        kept.append(report)
        return True

    def last(self, appliance: str) -> FillReport | None:
        """The last report of `appliance`, of whatever plan."""
        kept = self._reports.get(appliance)
        return kept[-1] if kept else None

    def rate_bps(self, appliance: str) -> float | None:
        """How fast it has been fetching over its last reports; None when it is not, or nobody knows."""
        return rate_bps(tuple(self._reports.get(appliance, ())))


def rate_bps(reports: Sequence[FillReport]) -> float | None:
    """Bits per second over `reports` of one plan, oldest first."""
    running = [report for report in reports if report.state == "running"]
    if len(running) < 2 or reports[-1].state != "running":
        return None
    seconds = running[-1].at - running[0].at
    done = running[-1].bytes_done - running[0].bytes_done
    return done * 8 / seconds if seconds > 0 and done > 0 else None


def appliance_status(
    name: str, members: Members, plan: FillPlan | None, progress: Progress, now: float
) -> ApplianceStatus:
    """One appliance at `now` (monotonic): known from reports, or only from a plan made earlier."""
    member = members.find(name)
    beat = member.heartbeat if member is not None else None
    status = ApplianceStatus(
        appliance=name,
        site=beat.site if beat is not None else "",
        cluster=beat.cluster if beat is not None else "",
        live=member is not None and members.is_live(member, now),
        waiting_for=members.waiting_for(member, now) if member is not None else "its first heartbeat",
        capacity_bytes=member.capacity_bytes if member is not None else 0,
        held_bytes=sum(held.bytes for held in member.held.values()) if member is not None else 0,
    )
    return status if plan is None else _with_plan(status, plan, progress)


def _with_plan(status: ApplianceStatus, plan: FillPlan, progress: Progress) -> ApplianceStatus:
    report = progress.last(status.appliance)
    status = msgspec.structs.replace(
        status,
        plan=plan.id,
        made_at=plan.made_at,
        window_start=plan.window.start,
        window_end=plan.window.end,
        state="planned",
        holds=len(plan.hold),
        hold_bytes=sum(hold.bytes + hold.index_bytes for hold in plan.hold),
        masters=sum(hold.master for hold in plan.hold),
        evicts=len(plan.evict),
    )
    if report is None or report.plan != plan.id:
        return status
    rate = progress.rate_bps(status.appliance)
    return msgspec.structs.replace(
        status,
        state=report.state,
        objects_total=report.objects_total,
        objects_done=report.objects_done,
        bytes_total=report.bytes_total,
        bytes_done=report.bytes_done,
        bytes_by_source=report.bytes_by_source,
        rate_bps=rate,
        eta_s=round(max(report.bytes_total - report.bytes_done, 0) * 8 / rate, 1) if rate else None,
        reported_at=report.at,
        errors=report.errors,
    )
