"""What an ingest shows a person: live progress on a terminal, nothing but notices elsewhere.

Writes to standard error only; standard output is the command's result.
"""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from control.kit.quantity import human_bytes, human_rate
from origin.ingest.job import Outcome


class Screen:
    """A Report on a terminal, one line per step. Used as a context; quiet when the console is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (TextColumn("{task.description:<14}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        self._bars = Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal)
        self._bar: TaskID | None = None

    def __enter__(self) -> Screen:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        self._bars.stop()

    def step(self, name: str) -> None:
        """Finish the line of the step before, begin one for this."""
        self._finish()
        self._bar = self._bars.add_task(name, total=1.0)

    def progress(self, part: float) -> None:
        """Move the step's bar."""
        if self._bar is not None:
            self._bars.update(self._bar, completed=part)

    def notice(self, text: str) -> None:
        """A line above the bars."""
        self._console.print(f"oca: {text}", style="yellow", highlight=False, markup=False)

    def _finish(self) -> None:
        if self._bar is not None:
            self._bars.update(self._bar, completed=1.0)


def summary(outcome: Outcome, *, dry_run: bool) -> Table:
    """The published title as a table of its renditions."""
    title = outcome.published.title
    heading = f"{title.id}: {title.name}, {title.duration_ms / 1000:.1f} s"
    table = Table(title=heading, caption=_said(outcome, dry_run))
    for column in ("rendition", "picture or sound", "average", "peak", "bytes"):
        table.add_column(column, justify="right" if column in {"average", "peak", "bytes"} else "left", no_wrap=True)
    for each in title.renditions:
        video = f"{each.width}x{each.height}, {each.frame_rate:g} fps"
        what = video if each.kind == "video" else f"{each.channels} ch, {each.sample_rate_hz} Hz"
        rates = (human_rate(each.average_bandwidth_bps), human_rate(each.bandwidth_bps))
        table.add_row(each.id, what, *rates, human_bytes(each.bytes))
    return table


def _said(outcome: Outcome, dry_run: bool) -> str:
    total = f"{sum(outcome.seconds.values()):.1f} s"
    origin = "media from the cache" if outcome.cached else "media made"
    if dry_run:
        return f"{origin}, dry run: nothing published; {total}"
    if not outcome.published.changed:
        return f"{origin}; already published, nothing changed; {total}"
    return f"{origin}; published, {human_bytes(outcome.published.bytes_written)} written; {total}"
