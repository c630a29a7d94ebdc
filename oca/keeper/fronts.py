"""What the front workers have served, added up: totals, egress, demand. Workers come and go, totals stay.

A worker reports totals since it started; here the growth since its last report is counted, so a worker that
dies takes nothing back and one that reconnects is not counted twice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from control.kit.logs import get_logger
from control.kit.metrics import Meter
from oca.link.messages import Served
from oca.metrics import FRONT

WINDOW_S = 5.0
"""Egress and request rates are those of the last seconds."""

WORKERS_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker said last: its totals by name, and when (monotonic seconds)."""

    counters: dict[str, float]
    at: float


class Fronts:
    """Counters of all workers that were ever connected."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._labels = {row.name: row.labels for row in FRONT}
        self._seen: dict[tuple[int, int], Report] = {}
        self._rates: deque[tuple[float, int, int]] = deque()
        self._unknown: set[str] = set()
        self._log = get_logger()

    def __repr__(self) -> str:
        return f"<Fronts: {len(self._seen)} workers seen>"

    def take(self, worker: int, pid: int, served: Served, now: float) -> None:
        """Count the report of `worker` at `now` (monotonic seconds)."""
        last = self._seen.pop((worker, pid), None)
        before = last.counters if last else {}
        self._seen[worker, pid] = Report(served.counters, now)
        while len(self._seen) > WORKERS_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        for name, total in served.counters.items():
            self._count(name, total - before.get(name, 0.0))
        requests = sum(row.requests for row in served.rows)
        size = sum(row.bytes for row in served.rows)
        self._rates.append((now, requests, size))

    def last(self, worker: int, pid: int) -> Report | None:
        """The last report of a worker; None before its first."""
        return self._seen.get((worker, pid))

    def rates(self, now: float) -> tuple[float, float]:
        """Requests per second and bits per second over the last seconds."""
        while self._rates and self._rates[0][0] <= now - WINDOW_S:
            self._rates.popleft()
        requests = sum(count for _, count, _ in self._rates)
        size = sum(count for _, _, count in self._rates)
        return requests / WINDOW_S, size * 8 / WINDOW_S

    def _count(self, name: str, growth: float) -> None:
        metric, _, label = name.partition(":")
        labels = self._labels.get(metric)
        if labels is None or len(labels) != bool(label):
            if name not in self._unknown and len(self._unknown) < 64:
                self._unknown.add(name)
                self._log.error("front_counter_unknown", counter=name)
            return
        if growth > 0:
            self._meter.inc(metric, growth, **dict(zip(labels, [label], strict=False)))
