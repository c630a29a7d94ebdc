"""What a person sees of the demo. Decides nothing and measures nothing; figures come in as plain data.

A console that writes nowhere makes it silent, so the story never asks whether anybody looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from bench.demo.fill_status import FillRow
from bench.demo.story import Outcome
from control.kit.quantity import human_bytes

_MARKS = {"done": "[green]✓[/]", "failed": "[red]✗[/]"}
_PER_SECOND = 8


class Display:
    """The demo's words, bars and tables on one console."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def chapter(self, title: str, detail: str = "") -> None:
        """A new part of the story begins."""
        self.console.print(f"[bold]▸ {title}[/]" + (f"  [dim]{detail}[/]" if detail else ""), highlight=False)

    def line(self, text: str) -> None:
        """Something happened."""
        self.console.print(f"  {text}", highlight=False)

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """A spinner while something takes its time."""
        with self.console.status(text):
            yield

    @contextmanager
    def filling(self) -> Iterator[FillBars]:
        """Bars of tonight's fill, one for each appliance; what they came to stays on the screen."""
        bars = FillBars()
        with self._live(bars.renderable):
            yield bars
        if not self.console.is_terminal:
            self.console.print(bars.renderable)

    @contextmanager
    def playing(self, duration_ms: int) -> Iterator[PlayBar]:
        """The playhead of a title, while it plays."""
        bar = PlayBar(duration_ms)
        with self._live(bar.renderable, transient=True):
            yield bar

    @contextmanager
    def _live(self, renderable: RenderableType, *, transient: bool = False) -> Iterator[None]:
        """Redrawn while inside, on a terminal; a file or a pipe gets no redrawing."""
        if not self.console.is_terminal:
            yield
            return
        with Live(renderable, console=self.console, refresh_per_second=_PER_SECOND, transient=transient):
            yield

    def summary(self, outcome: Outcome, broken: Sequence[str]) -> None:
        """The figures, and whether the story held."""
        verdict = Text("The story held.", "bold green")
        if broken:
            verdict = Text("\n".join(f"Broken: {words}" for words in broken), "bold red")
        style = "red" if broken else "green"
        self.console.print(Panel(Group(_figures(outcome), Text(), verdict), title=outcome.title, border_style=style))


class FillBars:
    """One bar for each appliance, with where its bytes came from."""

    def __init__(self) -> None:
        self.renderable = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[state]} {task.fields[size]:>8}"),
            TextColumn("[dim]{task.fields[sources]}[/]"),
        )
        self._rows: dict[str, TaskID] = {}

    def show(self, rows: Sequence[FillRow]) -> None:
        """Bring the bars up to date, one for each appliance."""
        for row in rows:
            if row.appliance not in self._rows:
                self._rows[row.appliance] = self.renderable.add_task(
                    row.appliance, total=None, state="", size="", sources=""
                )
            self.renderable.update(
                self._rows[row.appliance],
                total=row.bytes_total or None,
                completed=row.bytes_done,
                state=_MARKS.get(row.state, " "),
                size=human_bytes(row.bytes_done),
                sources=sources_text(row.bytes_by_source),
            )


class PlayBar:
    """The playhead, and who serves."""

    def __init__(self, duration_ms: int) -> None:
        self.renderable = Progress(
            TextColumn("  {task.description:<8}"), BarColumn(bar_width=40), TextColumn("{task.fields[clock]}")
        )
        self._row = self.renderable.add_task("", total=duration_ms, clock="")

    def show(self, position_ms: int, serving: str) -> None:
        """The playhead is here and `serving` sends."""
        seconds, tenths = divmod(position_ms // 100, 10)
        clock = f"{seconds // 60}:{seconds % 60:02}.{tenths}"
        self.renderable.update(self._row, completed=position_ms, description=serving, clock=clock)


def sources_text(bytes_by_source: Mapping[str, int]) -> str:
    """Where bytes came from, for a person.

    >>> sources_text({"peer:north-1": 2_000_000, "cache:origin": 10_000_000})
    'origin 10 MB, peer north-1 2 MB'
    """
    parts = []
    for source, count in sorted(bytes_by_source.items(), key=lambda pair: -pair[1]):
        kind, _, name = source.partition(":")
        parts.append(f"{name if kind == 'cache' else f'{kind} {name}'} {human_bytes(count)}")
    return ", ".join(parts)


def _figures(outcome: Outcome) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", justify="right")
    table.add_column()
    total = sum(outcome.bytes_by.values()) or 1
    rows = [
        ("Time to first segment", f"{outcome.ttfs_ms} ms"),
        ("Stalls", str(outcome.stalls)),
        *(
            (f"Played from {name}", f"{human_bytes(count)}  ({100 * count / total:.1f} %)")
            for name, count in sorted(outcome.bytes_by.items(), key=lambda pair: -pair[1])
        ),
        ("Offload", f"{100 * outcome.offload:.2f} % of what was played did not come from the origin"),
        ("Fill", _fill_text(outcome)),
        ("Failover", _failover_text(outcome)),
        ("Resume", _resume_text(outcome)),
    ]
    for name, text in rows:
        table.add_row(name, text)
    return table


def _fill_text(outcome: Outcome) -> str:
    filled, unique = outcome.origin_bytes_filled, outcome.unique_bytes
    if filled == outcome.clusters * unique:
        return f"{human_bytes(filled)}: the origin sent every byte once for each of {outcome.clusters} clusters"
    return f"{human_bytes(filled)} from the origin, of a title of {human_bytes(unique)} for {outcome.clusters} clusters"


def _failover_text(outcome: Outcome) -> str:
    failover = outcome.failover
    return f"{failover.killed} was killed, {failover.to} went on, {failover.stalls} stalls"


def _resume_text(outcome: Outcome) -> str:
    stopped, resumed = outcome.resume.stopped_at_ms / 1000, outcome.resume.resumed_at_ms / 1000
    return f"stopped at {stopped:.1f} s over HLS, another device went on at {resumed:.1f} s over DASH"
