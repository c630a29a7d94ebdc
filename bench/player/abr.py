"""Which rendition to fetch next: a rule on throughput and a rule on the buffer.

Pure. After dash.js's DYNAMIC (Spiteri, Sitaraman, Sparacio: "From Theory to Practice: Improving Bitrate
Adaptation in the DASH Reference Player", MMSys 2018): throughput decides while the buffer is short, BOLA
(Spiteri, Urgaonkar, Sitaraman, INFOCOM 2016) may go higher once it is half full, and no segment is
chosen that would probably not arrive before the buffer is empty. The estimate is the lower of a fast and
a slow average, as in hls.js and Shaka, so that it falls at once and rises slowly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.player.limits import PlayerLimits

RISK = 0.7
"""Share of the buffer's time that the next segment may probably take."""
ABANDON_AFTER_S = 0.5
"""No download is judged sooner."""


class _Average:
    """Throughput averaged over time spent downloading, newer time weighing more.

    Time-weighted, so it is the harmonic mean of the samples weighted by their bytes: one short burst
    cannot hide a long crawl.
    """

    __slots__ = ("_half_life_s", "_sum", "_weight")

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._sum = 0.0
        self._weight = 0.0

    def add(self, bps: float, seconds: float) -> None:
        kept = 0.5 ** (seconds / self._half_life_s)
        self._sum = self._sum * kept + bps * (1 - kept)
        self._weight = self._weight * kept + (1 - kept)

    @property
    def value(self) -> float:
        return self._sum / self._weight


class Throughput:
    """What the network has given: the lower of a fast and a slow average."""

    __slots__ = ("_fast", "_sample_bytes", "_slow", "samples")

    def __init__(self, limits: PlayerLimits) -> None:
        self.samples = 0
        self._sample_bytes = limits.sample_bytes
        self._fast = _Average(limits.fast_half_life_s)
        self._slow = _Average(limits.slow_half_life_s)

    def __repr__(self) -> str:
        return f"<Throughput {self.estimate_bps} bit/s of {self.samples} samples>"

    def add(self, count: int, seconds: float) -> None:
        """Take a download of `count` bytes in `seconds` into account, unless it is too short to tell."""
        if count < self._sample_bytes or seconds <= 0:
            return
        self.samples += 1
        for average in (self._fast, self._slow):
            average.add(count * 8 / seconds, seconds)

    @property
    def estimate_bps(self) -> float | None:
        """Bit/s to count on; None before the first sample."""
        return min(self._fast.value, self._slow.value) if self.samples else None


def choose(
    ladder: Sequence[int],
    *,
    estimate_bps: float | None,
    level_s: float,
    segment_s: float,
    playing: bool,
    limits: PlayerLimits,
) -> int:
    """The index in `ladder` (bit/s, ascending, above 0 where there is a choice) of the rendition to fetch next.

    `level_s` is what is buffered, `segment_s` a segment's duration. More throughput or more buffer never
    gives a lower rendition.

    >>> from bench.player.limits import PlayerLimits
    >>> ladder = (300_000, 1_000_000, 3_000_000)
    >>> choose(ladder, estimate_bps=1.5e6, level_s=8, segment_s=4, playing=True, limits=PlayerLimits())
    1
    >>> choose(ladder, estimate_bps=1.5e6, level_s=2, segment_s=4, playing=True, limits=PlayerLimits())
    0
    """
    assert ladder, "a ladder has at least one rung"
    estimate = limits.initial_bps if estimate_bps is None else estimate_bps
    pick = _fitting(ladder, estimate * limits.safety)
    if level_s >= limits.buffer_goal_s / 2:
        pick = max(pick, _bola(ladder, level_s, limits.buffer_goal_s))
    if playing:
        pick = min(pick, _fitting(ladder, estimate * RISK * level_s / segment_s))
    return pick


def hopeless(*, received: int, elapsed_s: float, expected: int | None, level_s: float, lower_bytes: float) -> bool:
    """Whether a download should be abandoned for a lower rendition (dash.js AbandonRequestsRule).

    `expected` is its whole length, None when unknown; `lower_bytes` what the lower one would be. True when
    the rest would outlast the buffer, and the lower one is less than what is still to come.
    """
    if expected is None or elapsed_s < ABANDON_AFTER_S:
        return False
    left = expected - received
    rate = received / elapsed_s
    return left > lower_bytes and left > rate * level_s


def _fitting(ladder: Sequence[int], bps: float) -> int:
    """The highest rung of at most `bps`, else the lowest."""
    return max((index for index, rung in enumerate(ladder) if rung <= bps), default=0)


def _bola(ladder: Sequence[int], level_s: float, goal_s: float) -> int:
    """BOLA's choice with utility ln(bitrate / lowest) + 1; lowest at half the goal, highest near it.

    The score of a rung is (V * (utility + gamma) - level) / bitrate; V and gamma as dash.js derives them
    from the buffer at which the lowest and the highest are wanted. Ties go to the higher rung.
    """
    if ladder[-1] <= ladder[0]:
        return len(ladder) - 1
    utilities = [math.log(rung / ladder[0]) + 1 for rung in ladder]
    least_s = goal_s / 2
    gamma = (utilities[-1] - 1) / (goal_s / least_s - 1)
    control = least_s / gamma
    scores = [(control * (utility + gamma) - level_s) / rung for utility, rung in zip(utilities, ladder, strict=True)]
    return max(range(len(ladder)), key=lambda index: (scores[index], index))
