"""What a person sees, as text."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from bench.demo.display import Display
from bench.demo.fill_status import FillRow
from bench.demo.story import Failover, Outcome, Resume

OUTCOME = Outcome(
    title="bunny-demo",
    ttfs_ms=210,
    stalls=0,
    bytes_by={"north-1": 4_000_000, "north-2": 3_000_000, "origin": 1_000_000},
    origin_bytes_filled=24_000_000,
    origin_bytes_sent=24_000_000,
    unique_bytes=12_000_000,
    clusters=2,
    offload=0.875,
    failover=Failover(killed="north-1", to="north-2", stalls=0),
    resume=Resume(stopped_at_ms=20_000, resumed_at_ms=20_400),
)
ROW = FillRow(
    appliance="north-1",
    live=True,
    state="done",
    bytes_total=12_000_000,
    bytes_done=12_000_000,
    bytes_by_source={"cache:origin": 2_000_000, "peer:north-2": 10_000_000},
)


@pytest.fixture
def paper() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def display(paper: io.StringIO) -> Display:
    """Writes to a file, not to a terminal."""
    return Display(Console(file=paper, width=110, color_system=None))


def test_the_summary_has_every_figure_and_the_verdict(display: Display, paper: io.StringIO) -> None:
    display.summary(OUTCOME, [])
    for words in (
        "210 ms",
        "4 MB  (50.0 %)",
        "87.50 %",
        "24 MB: the origin sent every byte once for each of 2 clusters",
        "north-1 was killed, north-2 went on, 0 stalls",
        "stopped at 20.0 s over HLS, another device went on at 20.4 s over DASH",
        "The story held.",
    ):
        assert words in paper.getvalue()


def test_broken_promises_replace_the_verdict(display: Display, paper: io.StringIO) -> None:
    display.summary(OUTCOME, ["2 stalls: [never]"])
    assert "Broken: 2 stalls: [never]" in paper.getvalue()
    assert "The story held." not in paper.getvalue()


def test_the_fill_is_one_line_for_each_appliance_when_nobody_watches_it_live(
    display: Display, paper: io.StringIO
) -> None:
    with display.filling() as bars:
        for state in ("running", "done"):
            bars.show([msgspec.structs.replace(ROW, state=state)])
    lines = [line for line in paper.getvalue().splitlines() if "north-1" in line]
    assert len(lines) == 1
    assert "12 MB" in lines[0]
    assert "peer north-2 10 MB, origin 2 MB" in lines[0]


def test_the_playhead_leaves_no_trace_when_nobody_watches_it_live(display: Display, paper: io.StringIO) -> None:
    with display.playing(60_000) as bar:
        bar.show(12_300, "north-1")
    assert paper.getvalue() == ""
