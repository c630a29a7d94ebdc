"""The fleet and one client's explanation, as operators read them. Plain structs; nothing decides here."""

from __future__ import annotations

import msgspec

from control.wire import SteeringDecision
from steering.decide import candidate
from steering.fleet import KINDS, Appliance, Fleet
from steering.prefixes import Address
from steering.rank import is_shed

SERVES_SHOWN = 32


class ApplianceView(msgspec.Struct, frozen=True, kw_only=True):
    """One appliance as steering sees it. Ages in seconds, load as a share of capacity."""

    appliance: str
    standing: str
    why: str
    site: str = ""
    cluster: str = ""
    url: str = ""
    state: str = ""
    build: str = ""
    heartbeat_age_s: float
    uptime_s: float | None = None
    probe: str
    probe_for_s: float
    probe_ms: float
    load: float
    egress_bps: float = 0.0
    capacity_bps: int = 0
    connections: int = 0
    workers_ready: int = 0
    workers_configured: int = 0
    disks_ok: int = 0
    disks: int = 0
    titles: int
    renditions: int
    bytes_held: int
    inventory_known: bool
    serves: tuple[str, ...] = ()
    serves_count: int = 0


class FleetView(msgspec.Struct, frozen=True, kw_only=True):
    """Every appliance, worst standing first, and how many stand how."""

    at: float
    counts: dict[str, int]
    appliances: tuple[ApplianceView, ...]


class CandidateView(msgspec.Struct, frozen=True, kw_only=True):
    """What ranking knew of one appliance that serves the client."""

    appliance: str
    cluster: str
    prefix: str
    holds: str
    share: float
    load: float
    sheds_client: bool
    unusable: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A decision with what went into it. `degraded`: why its time to live is short; empty when it is not."""

    decision: SteeringDecision
    candidates: tuple[CandidateView, ...]
    degraded: tuple[str, ...]
    renditions_known: int


def fleet_view(fleet: Fleet, *, now: float, at: float) -> FleetView:
    """The fleet at `now` (monotonic) and `at` (Unix seconds)."""
    rows = sorted((appliance_view(fleet, each, now=now, at=at) for each in fleet), key=_worst_first)
    return FleetView(at=at, counts=counts(fleet, now), appliances=tuple(rows))


def counts(fleet: Fleet, now: float) -> dict[str, int]:
    """Appliances by standing; kinds that nobody has are there with 0."""
    found: dict[str, int] = dict.fromkeys(KINDS, 0)
    for appliance in fleet:
        found[fleet.standing(appliance, now).kind] += 1
    return found


def _worst_first(row: ApplianceView) -> tuple[bool, str, str, str]:
    return (row.standing == "ready", row.site, row.cluster, row.appliance)


def appliance_view(fleet: Fleet, appliance: Appliance, *, now: float, at: float) -> ApplianceView:
    """One appliance at `now`."""
    standing = fleet.standing(appliance, now)
    seen = ApplianceView(
        appliance=appliance.name,
        standing=standing.kind,
        why=standing.words,
        heartbeat_age_s=round(now - appliance.heard_at, 3),
        probe=appliance.health.phase,
        probe_for_s=round(now - appliance.health.since, 3),
        probe_ms=round(appliance.health.rtt_s * 1000, 3),
        load=round(appliance.load, 4),
        titles=appliance.holdings.titles,
        renditions=appliance.holdings.renditions,
        bytes_held=appliance.holdings.bytes_held,
        inventory_known=appliance.holdings.marker is not None,
    )
    return _with_heartbeat(seen, appliance, at)


def _with_heartbeat(seen: ApplianceView, appliance: Appliance, at: float) -> ApplianceView:
    beat = appliance.heartbeat
    if beat is None:
        return seen
    return msgspec.structs.replace(
        seen,
        site=beat.site,
        cluster=beat.cluster,
        url=beat.url,
        state=beat.state,
        build=beat.build,
        uptime_s=round(max(at - beat.epoch, 0.0), 1),
        egress_bps=beat.egress_bps,
        capacity_bps=beat.capacity_bps,
        connections=beat.connections,
        workers_ready=beat.workers_ready,
        workers_configured=beat.workers_configured,
        disks_ok=sum(disk.state in ("ok", "full") for disk in beat.disks),
        disks=len(beat.disks),
        serves=beat.serves[:SERVES_SHOWN],
        serves_count=len(beat.serves),
    )


def explanation(
    fleet: Fleet, decision: SteeringDecision, troubles: tuple[str, ...], client: Address, spread: str, *, now: float
) -> Explanation:
    """What went into `decision`, which was made from `fleet` at `now`."""
    rows = []
    for name, match in sorted(fleet.matches(client).items()):
        appliance = fleet.find(name)
        assert appliance is not None, name
        seen = candidate(fleet, appliance, match, decision.title, now)
        rows.append(
            CandidateView(
                appliance=name,
                cluster=seen.cluster,
                prefix=seen.prefix,
                holds=seen.holds,
                share=round(seen.share, 4),
                load=round(seen.load, 4),
                sheds_client=is_shed(seen, spread),
                unusable=seen.unusable,
            )
        )
    return Explanation(
        decision=decision,
        candidates=tuple(rows),
        degraded=troubles,
        renditions_known=fleet.sizes.renditions(decision.title),
    )
