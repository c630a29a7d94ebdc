"""Choosing renditions: hand-computed cases, and that more throughput or buffer never lowers the choice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.player import abr
from bench.player.limits import PlayerLimits

LIMITS = PlayerLimits(buffer_goal_s=20)
LADDER = (300_000, 1_000_000, 3_000_000)

ladders = st.lists(st.integers(50_000, 50_000_000), min_size=1, max_size=8, unique=True).map(sorted)
rates = st.floats(1e3, 1e9)
levels = st.floats(0, 40)
lengths = st.floats(0.1, 10)


def chosen(
    estimate_bps: float | None, level_s: float, *, playing: bool = True, ladder: tuple[int, ...] = LADDER
) -> int:
    return abr.choose(ladder, estimate_bps=estimate_bps, level_s=level_s, segment_s=4, playing=playing, limits=LIMITS)


def test_a_short_buffer_takes_what_the_network_carries() -> None:
    assert [chosen(bps, 9) for bps in (100_000, 1_000_000, 1_200_000, 3_500_000)] == [0, 0, 1, 2]


def test_the_start_assumes_the_initial_throughput() -> None:
    assert LADDER[chosen(None, 0, playing=False)] <= LIMITS.initial_bps


def test_a_full_buffer_dares_more_than_the_network_carries() -> None:
    assert chosen(1_200_000, 9) == 1
    assert chosen(1_200_000, 19.9) == 2


def test_a_nearly_empty_buffer_takes_no_segment_that_would_come_too_late() -> None:
    assert chosen(4_000_000, 8) == 2
    assert chosen(4_000_000, 1.5) == 1
    assert chosen(4_000_000, 0) == 0


def test_a_single_rendition_is_always_chosen() -> None:
    assert chosen(1.0, 15, ladder=(5_000_000,)) == 0
    assert chosen(1.0, 15, ladder=(0,)) == 0


@given(ladders, st.tuples(rates, rates), st.tuples(levels, levels), lengths, st.booleans())
def test_more_throughput_or_more_buffer_never_gives_a_lower_rendition(
    ladder: list[int], bps: tuple[float, float], seconds: tuple[float, float], segment_s: float, playing: bool
) -> None:
    def pick(estimate_bps: float, level_s: float) -> int:
        return abr.choose(
            ladder, estimate_bps=estimate_bps, level_s=level_s, segment_s=segment_s, playing=playing, limits=LIMITS
        )

    low = pick(min(bps), min(seconds))
    high = pick(max(bps), max(seconds))
    assert 0 <= low <= high < len(ladder)


@given(ladders, rates, lengths)
def test_an_empty_buffer_while_playing_gives_the_lowest(ladder: list[int], bps: float, segment_s: float) -> None:
    pick = abr.choose(ladder, estimate_bps=bps, level_s=0, segment_s=segment_s, playing=True, limits=LIMITS)
    assert pick == 0


def test_nothing_is_estimated_before_the_first_sample_nor_from_a_tiny_one() -> None:
    throughput = abr.Throughput(LIMITS)
    assert throughput.estimate_bps is None
    throughput.add(LIMITS.sample_bytes - 1, 1.0)
    throughput.add(10**6, 0.0)
    assert throughput.estimate_bps is None


def test_a_steady_network_is_estimated_exactly() -> None:
    throughput = abr.Throughput(LIMITS)
    for _ in range(5):
        throughput.add(125_000, 1.0)
    assert throughput.estimate_bps == pytest.approx(1_000_000)


def test_the_estimate_falls_at_once_and_rises_slowly() -> None:
    down, up = abr.Throughput(LIMITS), abr.Throughput(LIMITS)
    for _ in range(20):
        down.add(1_250_000, 1.0)
        up.add(125_000, 1.0)
    for _ in range(3):
        down.add(125_000, 1.0)
        up.add(1_250_000, 1.0)
    assert down.estimate_bps is not None
    assert up.estimate_bps is not None
    assert down.estimate_bps < 5_600_000
    assert up.estimate_bps < 3_500_000


@given(st.lists(st.tuples(st.integers(16_384, 10**8), st.floats(0.001, 100)), min_size=1, max_size=30))
def test_the_estimate_lies_between_the_slowest_and_the_fastest_sample(samples: list[tuple[int, float]]) -> None:
    throughput = abr.Throughput(LIMITS)
    for count, seconds in samples:
        throughput.add(count, seconds)
    measured = [count * 8 / seconds for count, seconds in samples]
    assert throughput.estimate_bps is not None
    assert min(measured) * 0.999 <= throughput.estimate_bps <= max(measured) * 1.001


def test_a_download_is_abandoned_when_the_buffer_would_run_dry_before_its_end() -> None:
    slow = {"received": 10_000, "elapsed_s": 1.0, "expected": 1_000_000, "lower_bytes": 100_000.0}
    assert abr.hopeless(**slow, level_s=10)
    assert not abr.hopeless(**slow, level_s=100)


def test_a_download_is_not_abandoned_early_or_near_its_end_or_blindly() -> None:
    assert not abr.hopeless(received=1, elapsed_s=0.4, expected=10**6, level_s=0, lower_bytes=10)
    assert not abr.hopeless(received=950_000, elapsed_s=5, expected=10**6, level_s=0, lower_bytes=100_000)
    assert not abr.hopeless(received=1, elapsed_s=5, expected=None, level_s=0, lower_bytes=10)
