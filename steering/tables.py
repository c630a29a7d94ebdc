"""Steering's answers as tables for a terminal. Nothing here asks or decides."""

from __future__ import annotations

from collections.abc import Iterator

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from control.kit.quantity import human_bytes, human_rate
from control.wire import RankedPathway, RejectedPathway, SteeringDecision
from steering.report import ApplianceView, Explanation, FleetView

Lines = Iterator[Table | Text | str]

_STYLE = {"ready": "green", "starting": "cyan", "new": "cyan", "draining": "yellow", "recovering": "yellow"}
_ORIGIN_STYLE = "dim"
_NUMBERS = ("beat", "load", "conns", "disks")


def fleet(view: FleetView) -> Lines:
    """The fleet: what is wrong first."""
    if not view.appliances:
        yield "No appliance has reported yet, so every client is sent to the origin."
        yield "Appliances report to the `steering_urls` of their configuration."
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("appliance", "cluster", "standing", "beat", "load", "conns", "disks", "holds", "serves"):
        table.add_column(name, no_wrap=True, justify="right" if name in _NUMBERS else "left")
    for row in view.appliances:
        table.add_row(*_fleet_row(row))
    yield table
    yield from _why(view)
    yield ""
    yield _summary(view)


def _fleet_row(row: ApplianceView) -> tuple[str | Text, ...]:
    return (
        row.appliance,
        row.cluster or "-",
        Text(row.standing, style=_STYLE.get(row.standing, "bold red")),
        f"{row.heartbeat_age_s:.1f}s",
        f"{row.load:.0%} of {human_rate(row.capacity_bps)}" if row.capacity_bps else human_rate(row.egress_bps),
        str(row.connections),
        f"{row.disks_ok}/{row.disks}",
        _holds(row),
        _serves(row),
    )


def _holds(row: ApplianceView) -> str:
    if not row.inventory_known:
        return "unknown"
    titles = "1 title" if row.titles == 1 else f"{row.titles} titles"
    return f"{titles}, {human_bytes(row.bytes_held)}" if row.titles else "nothing"


def _serves(row: ApplianceView) -> str:
    if not row.serves:
        return "nobody"
    more = f" +{row.serves_count - 1}" if row.serves_count > 1 else ""
    return f"{row.serves[0]}{more}"


def _why(view: FleetView) -> Lines:
    notes = [row for row in view.appliances if row.standing != "ready" or row.why != "alive"]
    if notes:
        yield ""
    for row in notes:
        line = Text(f"{row.appliance}: ", style=_STYLE.get(row.standing, "bold red"))
        yield line.append(row.why, style="default")


def _summary(view: FleetView) -> str:
    ready = view.counts.get("ready", 0)
    others = [f"{count} {kind}" for kind, count in view.counts.items() if count and kind != "ready"]
    return ", ".join([f"{ready} of {len(view.appliances)} ready", *others])


def explanation(explained: Explanation) -> Lines:
    """A decision made for the asking, and what made its time to live short."""
    yield from decision(explained.decision, explained.degraded)


def decision(made: SteeringDecision, degraded: tuple[str, ...] = ()) -> Lines:
    """One decision: the ranked pathways with reasons, then who was left out."""
    yield f"[bold]{escape(made.title)}[/] for [bold]{escape(made.client)}[/]   decision {escape(made.id)}"
    yield ""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("#", justify="right")
    for name in ("pathway", "url"):
        table.add_column(name, no_wrap=True)
    table.add_column("why", overflow="fold")
    for number, pathway in enumerate(made.pathways, start=1):
        table.add_row(*_pathway_row(number, pathway), style=_ORIGIN_STYLE if pathway.kind == "origin" else "")
    yield table
    yield from _left_out(made.rejected)
    yield ""
    yield f"Valid for {made.ttl_s} s{'' if not degraded else ', which is short, because:'}"
    for reason in degraded:
        yield Text(f"  {reason}", style="yellow")


def _pathway_row(number: int, pathway: RankedPathway) -> tuple[str, ...]:
    return (str(number), escape(pathway.pathway), escape(pathway.url), escape("; ".join(pathway.reasons)))


def _left_out(rejected: tuple[RejectedPathway, ...]) -> Lines:
    if not rejected:
        return
    yield ""
    yield "[bold]left out[/]"
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for each in rejected:
        table.add_row(Text(each.pathway, style="red"), escape(each.reason))
    yield table
