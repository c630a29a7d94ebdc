"""Prometheus metrics from typed tables.

A process lists its metrics as `Metric` rows; a `Meter` counts them. A name that is not in the table is
our bug and raises. The documentation's list of metrics is made from the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Metric:
    """One row: name with its unit (`oca_fill_bytes_total`), kind, meaning and labels."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: Sequence[float] = SECONDS_BUCKETS


class Meter:
    """The counters of one process. Not shared between processes; each has its own `/metrics`."""

    def __init__(self, table: Iterable[Metric]) -> None:
        self.registry = CollectorRegistry()
        self.table = tuple(table)
        self._metrics = {row.name: _made(row, self.registry) for row in self.table}

    def __repr__(self) -> str:
        return f"<Meter of {len(self._metrics)} metrics>"

    def inc(self, name: str, amount: float = 1.0, /, **labels: str) -> None:
        """Add `amount` to a counter."""
        metric = self._metrics[name]
        assert isinstance(metric, Counter), f"{name} is not a counter"
        (metric.labels(**labels) if labels else metric).inc(amount)

    def set(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        metric = self._metrics[name]
        assert isinstance(metric, Gauge), f"{name} is not a gauge"
        (metric.labels(**labels) if labels else metric).set(value)

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Record `value` in a histogram."""
        metric = self._metrics[name]
        assert isinstance(metric, Histogram), f"{name} is not a histogram"
        (metric.labels(**labels) if labels else metric).observe(value)

    def value(self, name: str, /, **labels: str) -> float:
        """The present value of a counter or gauge; 0 for labels never seen."""
        found = self.registry.get_sample_value(name, labels)
        return 0.0 if found is None else found

    def render(self) -> bytes:
        """The text exposition format 0.0.4."""
        return generate_latest(self.registry)


def _made(row: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if row.kind == "counter":
        assert row.name.endswith("_total"), f"counter {row.name} must end in _total"
        return Counter(row.name, row.help, row.labels, registry=registry)
    if row.kind == "gauge":
        return Gauge(row.name, row.help, row.labels, registry=registry)
    return Histogram(row.name, row.help, row.labels, registry=registry, buckets=row.buckets)
