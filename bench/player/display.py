"""What a person sees of a play: one live panel while it lasts, a table when it is over. Rendering only."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.player.events import PlayerEvent, Snapshot
from bench.player.result import PlayerResult
from control.kit.quantity import human_bytes, human_rate

EVENTS_SHOWN = 6
BAR_WIDTH = 30
_TOLD = {"start", "switch", "stall", "resume", "failover", "steer", "end", "error"}


def clock_text(milliseconds: float) -> str:
    """A position for a person.

    >>> clock_text(83_400)
    '1:23.4'
    """
    seconds = milliseconds / 1000
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def line(event: PlayerEvent) -> str | None:
    """One line for an event that a person wants to hear of, else None."""
    if event.kind not in _TOLD:
        return None
    words = {
        "start": f"playing after {event.value} ms, served by {event.pathway}",
        "switch": f"{event.rendition} at {human_rate(event.value)}, {event.detail}",
        "stall": "stalled: the buffer is empty",
        "resume": f"playing again after {event.value} ms",
        "failover": f"{event.track} now from {event.pathway}; {event.detail}",
        "steer": f"steering moves new requests to {event.pathway}, {event.detail}",
        "end": "the end",
        "error": event.detail,
    }
    return f"{event.at_ms / 1000:7.2f} s  {event.kind:<8}  {words[event.kind]}"


def panel(title: str, snapshot: Snapshot, lines: Iterable[str], *, goal_s: float) -> Panel:
    """The play as it is now, with the last events."""
    table = Table.grid(padding=(0, 2))
    place = f"{clock_text(snapshot.position_ms)} of {clock_text(snapshot.duration_ms)}"
    table.add_row("state", Text(f"{snapshot.state} at {place}", style=_style(snapshot.state)))
    table.add_row("served by", Text(snapshot.serving or "nobody yet", style="bold"))
    table.add_row("picture", f"{snapshot.rendition or '-'}  {human_rate(snapshot.bitrate_bps)}")
    table.add_row("network", f"{human_rate(snapshot.throughput_bps)} measured, {human_bytes(snapshot.bytes)} so far")
    table.add_row("buffer", _buffer(snapshot, goal_s))
    table.add_row("stalls", f"{snapshot.stalls}, {snapshot.stall_ms:.0f} ms; {snapshot.failovers} failovers")
    return Panel(Group(table, Text("\n".join(lines), style="dim")), title=title, expand=False)


def summary(result: PlayerResult) -> Table:
    """How a play went."""
    table = Table(title=f"{result.title}: {result.outcome}", show_header=False, title_justify="left")
    table.add_row("played", f"{clock_text(result.resume_ms)} to {clock_text(result.position_ms)}")
    table.add_row("time to first segment", _milliseconds(result.ttfs_ms))
    table.add_row("startup", _milliseconds(result.startup_ms))
    table.add_row("stalls", f"{result.stalls} ({result.stall_ms:.0f} ms)")
    table.add_row("switches", str(result.switches))
    for failover in result.failovers:
        words = f"{failover.from_pathway} → {failover.to_pathway}, {failover.track} segment {failover.segment}"
        table.add_row("failover", f"{words}, {failover.stalls} stalls ({failover.reason})")
    for steered in result.steered:
        table.add_row("steered", f"{steered.from_pathway} → {steered.to_pathway} at {steered.at_ms / 1000:.1f} s")
    for pathway, count in result.bytes_by_pathway.items():
        segments = result.segments_by_pathway.get(pathway, 0)
        table.add_row(f"from {pathway}", f"{segments} segments, {human_bytes(count)}")
    for rendition, seconds in result.rendition_seconds.items():
        table.add_row(rendition, f"{seconds:.1f} s fetched")
    table.add_row("position saved", "yes" if result.position_saved else "no: control did not confirm it")
    if result.error:
        table.add_row("error", Text(result.error, style="red"))
    return table


def _buffer(snapshot: Snapshot, goal_s: float) -> Table:
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        ProgressBar(total=goal_s, completed=min(snapshot.buffer_s, goal_s), width=BAR_WIDTH),
        f"{snapshot.buffer_s:.1f} s",
    )
    return bar


def _style(state: str) -> str:
    return {"playing": "green", "stalled": "bold red"}.get(state, "yellow")


def _milliseconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} ms"
