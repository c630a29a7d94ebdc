"""What a run of a load saw, and the figures that follow from it. Pure."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.serve.connections import Link


@dataclass(slots=True)
class Outcome:
    """Counts of one run. `seconds` is from the first request to the last answer."""

    requests: int = 0
    bytes: int = 0
    failures: int = 0
    seconds: float = 0.0
    ttfb_s: array[float] = field(default_factory=lambda: array("d"))
    """Request to first byte, for every answer."""

    def add(self, link: Link) -> None:
        """An answer is complete on `link`."""
        self.requests += 1
        self.bytes += link.received
        self.ttfb_s.append(link.first_at - link.asked_at)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of ascending values: the least that `share` of them do not exceed. 0 of none.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5), percentile([1.0, 2.0, 3.0, 4.0], 0.99)
    (2.0, 4.0)
    """
    if not ordered:
        return 0.0
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios within each round: what disturbs a round disturbs both sides of its ratio.

    >>> paired_ratio([2.0, 30.0, 2.2], [1.0, 10.0, 1.0])
    2.2
    """
    assert len(ours) == len(theirs), "pairs come from the same rounds"
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True) if other > 0]
    return median(ratios) if ratios else math.nan


def median_of(values: Sequence[float]) -> float:
    """The median, 0 of none."""
    return median(values) if values else 0.0
