"""The planner's answers as tables for a terminal. Nothing here asks or decides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from control.kit.quantity import human_bytes, human_rate
from control.wire import FillPlan, Source
from fill.explain import RenditionWhy, TitleWhy
from fill.progress import ApplianceStatus, FillStatus
from fill.rounds import PlanSummary, Round

Lines = Iterator[Table | Text | str]

_STATE_STYLE = {"done": "green", "running": "cyan", "failed": "bold red", "none": "yellow"}
HOLDS_SHOWN = 200
"""Rows of a plan that a terminal shows; `--json` has all."""


def status(found: FillStatus) -> Lines:
    """Every appliance's plan and how far it is."""
    if found.appliances:
        table = _table(
            "appliance", "cluster", "plan", "window", "holds", "state", "fetched", "from", "time left", right=()
        )
        for row in found.appliances:
            table.add_row(*_status_row(row, found.at))
        yield table
        yield ""
    for row in found.appliances:
        yield from (Text(f"{row.appliance}: {error}", style="red") for error in row.errors[:3])
    yield f"{found.titles} title{'' if found.titles == 1 else 's'} in the catalog; {_planned(found)}"
    for reason in found.waiting_for:
        yield Text(f"waiting for {reason}", style="yellow")
    if found.catalog_error and not any(found.catalog_error in reason for reason in found.waiting_for):
        yield Text(found.catalog_error, style="yellow")


def _planned(found: FillStatus) -> str:
    if found.planned_at is None:
        return "no plans made since the start"
    return f"plans made {_ago(found.at - found.planned_at)} ago"


def _status_row(row: ApplianceStatus, at: float) -> tuple[str | Text, ...]:
    fetched = f"{human_bytes(row.bytes_done)} of {human_bytes(row.bytes_total)}" if row.bytes_total else "-"
    return (
        Text(row.appliance, style="" if row.live else "dim"),
        row.cluster or "-",
        row.plan or "-",
        _window(row.window_start, row.window_end, at),
        _holds(row) if row.plan else "-",
        Text(row.state, style=_STATE_STYLE.get(row.state, "")),
        fetched,
        ", ".join(f"{source} {human_bytes(count)}" for source, count in sorted(row.bytes_by_source.items())) or "-",
        _eta(row),
    )


def _holds(row: ApplianceStatus) -> str:
    room = f" of {human_bytes(row.capacity_bytes)}" if row.capacity_bytes else ""
    return f"{row.holds}, {human_bytes(row.hold_bytes)}{room}"


def _eta(row: ApplianceStatus) -> str:
    if row.eta_s is None or row.rate_bps is None:
        return "-"
    return f"{_ago(row.eta_s)} at {human_rate(row.rate_bps)}"


def made(found: Round) -> Lines:
    """A round of planning: what it made, or would have made."""
    if found.plans:
        table = _table(
            "appliance", "cluster", "plan", "", "holds", "to fetch", "as master", "evicts", "left out", "room"
        )
        for row in found.plans:
            table.add_row(*_made_row(row, dry_run=found.dry_run))
        yield table
        yield ""
    changed = sum(row.changed for row in found.plans)
    verb = "would be replaced; nothing was changed" if found.dry_run else "replaced"
    yield f"{changed} of {len(found.plans)} plans {verb} ({found.took_s * 1000:.0f} ms)"
    for reason in found.waiting_for:
        yield Text(f"waiting for {reason}", style="yellow")


def _made_row(row: PlanSummary, *, dry_run: bool) -> tuple[str | Text, ...]:
    news = Text("would change" if dry_run else "new", style="cyan") if row.changed else Text("as before", style="dim")
    return (
        row.appliance,
        row.cluster,
        row.plan,
        news,
        f"{row.holds}, {human_bytes(row.hold_bytes)}",
        human_bytes(row.missing_bytes),
        str(row.masters),
        f"{row.evicts}, {human_bytes(row.evict_bytes)}" if row.evicts else "-",
        str(row.left) if row.left else "-",
        human_bytes(row.capacity_bytes),
    )


def plan(found: FillPlan, at: float) -> Lines:
    """One appliance's whole plan, most valuable first, with the reason of every line."""
    total = sum(hold.bytes + hold.index_bytes for hold in found.hold)
    yield f"[bold]{escape(found.appliance)}[/]   plan {escape(found.id)}, made {_ago(at - found.made_at)} ago"
    rate = f" at no more than {human_rate(found.window.rate_bps)}" if found.window.rate_bps else ""
    yield f"fetches {_window(found.window.start, found.window.end, at)}{rate}; holds {human_bytes(total)}"
    yield ""
    table = _table("#", "title", "rendition", "bytes", "value", "from", "why", right=("#", "bytes", "value"))
    for number, hold in enumerate(found.hold[:HOLDS_SHOWN], start=1):
        size, value = human_bytes(hold.bytes + hold.index_bytes), f"{hold.value:.3g}"
        why = f"{'fill master; ' if hold.master else ''}{hold.reason}"
        table.add_row(str(number), hold.title, hold.rendition, size, value, _sources(hold.sources), escape(why))
    yield table
    if len(found.hold) > HOLDS_SHOWN:
        yield f"… and {len(found.hold) - HOLDS_SHOWN} more; --json has them all"
    if found.evict:
        yield ""
        yield "[bold]may go[/]"
        table = _table("title", "rendition", "bytes", "why", right=("bytes",))
        for evict in found.evict[:HOLDS_SHOWN]:
            table.add_row(evict.title, evict.rendition, human_bytes(evict.bytes), escape(evict.reason))
        yield table


def why(found: TitleWhy) -> Lines:
    """Why a title is planned where it is."""
    yield f"[bold]{escape(found.title)}[/]   {found.age_days:.1f} days old"
    yield ""
    if found.rows:
        table = _table(
            "appliance", "rendition", "bytes", "held", "plays", "", "from", "why", right=("bytes", "held", "plays")
        )
        for row in found.rows:
            table.add_row(*_why_row(row))
        yield table
    for name, reason in found.waiting_for.items():
        yield Text(f"{name}: waiting for {reason}", style="yellow")


def _why_row(row: RenditionWhy) -> tuple[str | Text, ...]:
    held = f"{row.held_bytes / row.bytes:.0%}" if row.bytes else "-"
    verdict = (
        Text(f"hold, {_ordinal(row.place)}", style="green") if row.verdict == "hold" else Text("left", style="red")
    )
    return (
        row.appliance,
        row.rendition,
        human_bytes(row.bytes),
        held,
        f"{row.plays:.3g}",
        verdict,
        _sources(row.sources),
        escape(f"{'fill master; ' if row.master else ''}{row.why}"),
    )


def _sources(sources: tuple[Source, ...]) -> str:
    return " → ".join(source.name for source in sources) or "-"


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        wraps = name in ("why", "from")
        table.add_column(name, no_wrap=not wraps, justify="right" if name in right else "left", overflow="fold")
    return table


def _window(start: float | None, end: float | None, at: float) -> str:
    """When fetching is allowed, in this machine's local time."""
    if start is None or end is None:
        return "-"
    opens, closes = datetime.fromtimestamp(start), datetime.fromtimestamp(end)
    if start <= at < end:
        return f"now until {closes:%a %H:%M}"
    if end <= at:
        return f"ended {closes:%a %H:%M}"
    return f"{opens:%a %H:%M} to {closes:%H:%M}"


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
