"""A round of planning as operators read it: one line per plan.

Pure. What a round is made of is in `plan.py`, when one is made in `planner.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from control.wire import FillPlan
from fill.plan import ClusterPlan, Job, Machine, supersedes


@dataclass(frozen=True)
class Made:
    """The plans of one cluster and what they were made from."""

    job: Job
    cluster: ClusterPlan


class PlanSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One plan of a round. `changed`: it replaces (or, in a dry run, would replace) the one before."""

    appliance: str
    cluster: str
    plan: str
    made_at: float
    changed: bool
    window_start: float
    window_end: float
    holds: int
    hold_bytes: int
    missing_bytes: int
    masters: int
    evicts: int
    evict_bytes: int
    left: int
    capacity_bytes: int


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One round of planning. `full` has whole plans where they were asked for."""

    at: float
    dry_run: bool
    took_s: float
    waiting_for: tuple[str, ...]
    plans: tuple[PlanSummary, ...]
    full: tuple[FillPlan, ...] = ()


def round_of(
    made: Sequence[Made],
    plans: Mapping[str, FillPlan],
    *,
    at: float,
    dry_run: bool,
    full: str | None,
    waiting_for: tuple[str, ...],
) -> Round:
    """The round of `made`, where `plans` are in force before it."""
    rows = [summary(each, machine, plans) for each in made for machine in each.job.machines]
    return Round(
        at=at,
        dry_run=dry_run,
        took_s=0.0,
        waiting_for=waiting_for,
        plans=tuple(sorted(rows, key=lambda row: (row.cluster, row.appliance))),
        full=tuple(each.cluster.plans[full] for each in made if full is not None and full in each.cluster.plans),
    )


def summary(made: Made, machine: Machine, plans: Mapping[str, FillPlan]) -> PlanSummary:
    """The plan that `machine` has when `plans` were in force and this round is over."""
    new, old = made.cluster.plans[machine.name], plans.get(machine.name)
    changed = supersedes(new, old)
    plan = new if changed or old is None else old
    items = made.cluster.items
    sizes = {(hold.title, hold.rendition): hold.bytes + hold.index_bytes for hold in plan.hold}
    return PlanSummary(
        appliance=machine.name,
        cluster=made.job.cluster,
        plan=plan.id,
        made_at=plan.made_at,
        changed=changed,
        window_start=plan.window.start,
        window_end=plan.window.end,
        holds=len(plan.hold),
        hold_bytes=sum(sizes.values()),
        missing_bytes=sum(max(size - machine.held_bytes(key, items), 0) for key, size in sizes.items()),
        masters=sum(hold.master for hold in plan.hold),
        evicts=len(plan.evict),
        evict_bytes=sum(evict.bytes for evict in plan.evict),
        left=len(made.cluster.placed[machine.name].left),
        capacity_bytes=machine.capacity_bytes,
    )
