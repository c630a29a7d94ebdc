"""What a bench found, as it is told: rows for people and for programs. Pure but for the console."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.serve.cells import Cell, Scheme, State

SERVER_WIDTH = 13
ROWS_ACROSS = 5
STILL_WARM = 0.1
"""Evicted objects of which more than this share stayed in memory are told of."""


class LeftOut(msgspec.Struct, frozen=True):
    """A server that did not take part, or not in everything."""

    server: str
    why: str


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine, and how busy others kept it. `disturbed`: times say little, CPU per request still much."""

    processor: str
    cores: int
    kernel: str
    congestion: str
    network: str
    load_before: float
    load_after: float
    steal_share: float
    disturbed: bool
    versions: dict[str, str]


class _OfCell(msgspec.Struct, frozen=True, kw_only=True):
    scheme: Scheme
    bytes: int
    state: State
    connections: int

    @property
    def cell(self) -> str:
        """Its cell, for people."""
        return str(Cell(self.scheme, self.connections, self.state, self.bytes))


class Row(_OfCell, frozen=True, kw_only=True):
    """One server in one cell: medians over the rounds, failures of all rounds together."""

    server: str
    requests_per_s: float
    gbit_per_s: float
    cpu_us_per_request: float
    gbit_per_cpu_percent: float
    ttfb_p50_ms: float
    ttfb_p99_ms: float
    ttfb_p999_ms: float
    memory_bytes: int
    memory_anonymous_bytes: int
    failures: int
    client_busy: float
    """Share of its core that the client used: near 1, requests/s are the client's."""
    still_warm: float | None
    """Share of what was evicted that was in memory all the same; None where nothing was."""
    rounds: int


class Ratio(_OfCell, frozen=True, kw_only=True):
    """Our CPU time per request to a peer's: below 1 ours is less. Median over interleaved pairs."""

    peer: str
    cpu_ratio: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a comparison found."""

    rows: list[Row]
    ratios: list[Ratio]
    left_out: list[LeftOut]
    machine: Machine


BRIEF_ROW = tuple(
    "server scheme bytes state connections requests_per_s gbit_per_s cpu_us_per_request ttfb_p99_ms failures".split()
)
BRIEF_RATIO = ("peer", "scheme", "bytes", "state", "cpu_ratio")


def brief(found: Comparison) -> dict[str, object]:
    """What `--quick --json` prints: the figures that are compared, and the machine."""
    return {
        "rows": [{name: getattr(row, name) for name in BRIEF_ROW} for row in found.rows],
        "ratios": [{name: getattr(ratio, name) for name in BRIEF_RATIO} for ratio in found.ratios],
        "machine": msgspec.to_builtins(found.machine),
    }


COLUMNS: tuple[tuple[str, int], ...] = (
    ("requests/s", 10),
    ("Gb/s", 7),
    ("CPU µs", 9),
    ("ratio", 6),
    ("Gb/s/%", 7),
    ("p50 ms", 8),
    ("p99 ms", 8),
    ("p99.9 ms", 8),
    ("PSS MB", 7),
    ("private", 7),
    ("failed", 6),
)
"""Titles of the table's columns after the server's, and their width."""
LEGEND = (
    "One server on one core; medians of interleaved rounds. CPU: of all its processes, per request; ratio: ours to it;",
    "Gb/s/%: per hundredth of a core; p50 to p99.9: request to first byte; private: memory that no file backs.",
)


def show(found: Comparison, console: Console) -> None:
    """Print the comparison: a table for every cell."""
    for line in LEGEND:
        console.print(line)
    ratios = {(ratio.peer, ratio.cell): ratio.cpu_ratio for ratio in found.ratios}
    for cell, rows in groupby(found.rows, key=lambda row: row.cell):
        table = Table(title=cell, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        table.add_column("server", width=SERVER_WIDTH)
        for name, width in COLUMNS:
            table.add_column(name, justify="right", width=width)
        for row in rows:
            table.add_row(*_figures(row, ratios.get((row.server, cell))))
        console.print(table)
    show_circumstances(found.machine, found.left_out, console)
    for row in found.rows:
        if row.still_warm is not None and row.still_warm > STILL_WARM:
            console.print(f"{row.server}, {row.cell}: {row.still_warm:.0%} of what was evicted stayed in memory.")


def _figures(row: Row, ratio: float | None) -> tuple[str, ...]:
    return (
        row.server,
        f"{row.requests_per_s:,.0f}",
        f"{row.gbit_per_s:.2f}",
        f"{row.cpu_us_per_request:,.1f}",
        "" if ratio is None else f"{ratio:.2f}",
        f"{row.gbit_per_cpu_percent:.3f}",
        f"{row.ttfb_p50_ms:.2f}",
        f"{row.ttfb_p99_ms:.2f}",
        f"{row.ttfb_p999_ms:.2f}",
        f"{row.memory_bytes / 1e6:,.0f}",
        f"{row.memory_anonymous_bytes / 1e6:,.0f}",
        f"[red]{row.failures}[/]" if row.failures else "0",
    )


def show_circumstances(machine: Machine, left_out: Sequence[LeftOut], console: Console) -> None:
    """Print what a reader of figures must know of how they came about."""
    for each in left_out:
        console.print(f"Left out: {each.server} {each.why}.", markup=False)
    console.print(
        f"{machine.processor}, {machine.cores} cores, Linux {machine.kernel}, {machine.congestion}, "
        f"network: {machine.network}."
    )
    if machine.disturbed:
        console.print(
            f"[yellow]The machine was busy with other work (load {machine.load_before:.1f} before, "
            f"{machine.steal_share:.1%} stolen): requests/s and times say little, CPU per request and ratios more.[/]"
        )


def show_rows(rows: Sequence[msgspec.Struct], console: Console) -> None:
    """Print rows of one kind: a column for each row, a line for every field."""
    for start in range(0, len(rows), ROWS_ACROSS):
        across = rows[start : start + ROWS_ACROSS]
        table = Table(box=SIMPLE_HEAD, show_header=False, padding=(0, 1, 0, 0))
        table.add_column(no_wrap=True)
        for _ in across:
            table.add_column(no_wrap=True, justify="right")
        for name in across[0].__struct_fields__:
            table.add_row(name.replace("_", " "), *(_shown(getattr(row, name)) for row in across))
        console.print(table)


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)
