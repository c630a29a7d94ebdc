"""The screen of `oca top`: one reading as tables and a line of progress. Asks nothing and counts nothing."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from control.kit.quantity import human_bytes, human_rate
from oca.top import Reading

BAR_WIDTH = 40
STYLES = {
    "ready": "bold green",
    "draining": "yellow",
    "starting": "yellow",
    "stopping": "red",
    "ok": "green",
    "failed": "bold red",
}
"""Of an appliance's state and of a disk's."""
UNKNOWN = "-"


def screen(reading: Reading, trouble: str = "") -> RenderableType:
    """`reading` for a person. `trouble`: why there is none newer."""
    parts: list[RenderableType] = [_heading(reading)]
    if trouble:
        parts.append(Text(f"no answer, trying again; below is how it was: {trouble}", style="bold red"))
    parts += [_figures(reading), _workers(reading), _disks(reading), _fill(reading)]
    return Group(*parts)


def _heading(reading: Reading) -> Text:
    text = Text.assemble(
        (reading.appliance, "bold"),
        " is ",
        (reading.state, STYLES.get(reading.state, "white")),
        f", up {_duration(reading.uptime_s)}, {len(reading.workers)} of {reading.workers_configured} workers, "
        f"capacity {human_rate(reading.capacity_bps)}",
    )
    if reading.restarts:
        times = "once" if reading.restarts == 1 else f"{reading.restarts} times"
        text.append(f"  (restarted {times} while watched)", style="yellow")
    return text


def _figures(reading: Reading) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_row(
        f"[bold]{reading.requests_per_s:,.1f}[/] requests/s",
        f"[bold]{human_rate(reading.bits_per_s)}[/]",
        f"hit ratio [bold]{_share(reading.hit_ratio)}[/]",
        f"[bold]{reading.connections:,}[/] connections",
    )
    errors = ", ".join(f"{status}: {rate:,.1f}/s" for status, rate in reading.errors_per_s.items())
    grid.add_row(
        f"cold reads {reading.cold_reads_per_s:,.1f}/s",
        f"aborted {reading.aborted_per_s:,.1f}/s",
        f"[red]errors {errors}[/]" if errors else "errors none",
        f"{reading.flights:,} being fetched",
    )
    return grid


def _workers(reading: Reading) -> Table:
    table = Table("worker", "pid")
    for name in ("requests/s", "rate", "hit ratio", "connections", "waiting"):
        table.add_column(name, justify="right")
    for each in reading.workers:
        known = each.over_s > 0
        table.add_row(
            str(each.worker),
            str(each.pid),
            f"{each.requests_per_s:,.1f}" if known else UNKNOWN,
            human_rate(each.bits_per_s) if known else UNKNOWN,
            _share(each.hit_ratio),
            f"{each.connections:,}",
            f"{each.waiting:,}",
        )
    return table


def _disks(reading: Reading) -> Table:
    table = Table("disk", "tier", "state", "used", "capacity", "full", "error")
    for disk in reading.disks:
        table.add_row(
            disk.id,
            disk.tier,
            Text(disk.state, style=STYLES.get(disk.state, "white")),
            human_bytes(disk.used_bytes),
            human_bytes(disk.capacity_bytes),
            _share(disk.used_bytes / disk.capacity_bytes if disk.capacity_bytes else None),
            Text(disk.error),
        )
    return table


def _fill(reading: Reading) -> RenderableType:
    fill = reading.fill
    if fill is None:
        return Text("fill: no plan")
    share = fill.bytes_done / fill.bytes_total if fill.bytes_total else 1.0
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        f"fill {fill.state}",
        ProgressBar(total=1.0, completed=share, width=BAR_WIDTH),
        f"{_share(share)} of {human_bytes(fill.bytes_total)}",
        f"at {human_rate(reading.fill_bits_per_s)}" if reading.fill_bits_per_s else "",
    )
    return grid


def _share(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:.1f} %"


def _duration(seconds: float) -> str:
    """Days, hours, minutes and seconds, without leading zeros.

    >>> _duration(59.6), _duration(3661), _duration(200_000)
    ('59 s', '1 h 1 min', '2 d 7 h')
    """
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {int(seconds % 60)} s" if minutes else f"{int(seconds)} s"
