"""What `oca top` shows, computed from what a keeper's admin API said a moment ago and says now. Pure.

Rates are the growth of a worker's own totals between two of its reports, divided by the time between those
reports. A worker is known by its number and process id, so one that is new, or whose totals went back, has no
rate until it has reported twice; no rate is ever negative. A keeper that starts anew changes no rate: the
totals belong to the workers, which live on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from control.wire import ApplianceState, DiskReport, FillReport
from oca.keeper.status import Status, WorkerStatus

WINDOW_S = 3.0
"""Rates are those of the last seconds. A worker reports every second or a little more."""

REQUESTS = "oca_front_requests_total"
SENT = "oca_front_sent_bytes_total"
HITS = "oca_front_hits_total"
MISSES = "oca_front_misses_total"
COLD_READS = "oca_front_cold_reads_total"
ABORTED = "oca_front_aborted_total"
RESPONSES = "oca_front_responses_total:"


class WorkerReading(msgspec.Struct, frozen=True, kw_only=True):
    """One front worker. `over_s` is the time its rates are of; 0: it has not reported twice yet."""

    worker: int
    pid: int
    connections: int
    waiting: int
    over_s: float
    requests_per_s: float
    bits_per_s: float
    hit_ratio: float | None
    """Hits of hits and misses; None when there were neither."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The appliance over the last seconds."""

    appliance: str
    state: ApplianceState
    at: float
    uptime_s: float
    restarts: int
    """How often it was seen to start anew."""
    capacity_bps: int
    requests_per_s: float
    bits_per_s: float
    hit_ratio: float | None
    connections: int
    flights: int
    cold_reads_per_s: float
    aborted_per_s: float
    errors_per_s: dict[str, float]
    """Responses by status, of 400 and above."""
    workers_configured: int
    workers: list[WorkerReading]
    disks: tuple[DiskReport, ...]
    fill: FillReport | None
    fill_bits_per_s: float

    @property
    def settled(self) -> bool:
        """Whether the rates of every worker are known."""
        return all(worker.over_s > 0 for worker in self.workers)


class Watch:
    """The samples of the last seconds. Lifetime of the command."""

    def __init__(self) -> None:
        self.restarts = 0
        self._samples: list[Status] = []

    def __repr__(self) -> str:
        return f"<Watch: {len(self._samples)} samples, {self.restarts} restarts seen>"

    @property
    def begun(self) -> bool:
        """Whether the appliance has answered at all."""
        return bool(self._samples)

    def take(self, sample: Status) -> Reading:
        """What is to be said now that the keeper has said `sample`."""
        if self._samples and self._samples[-1].epoch != sample.epoch:
            self.restarts += 1
        self._samples = [*recent(self._samples, _at(sample)), sample]
        return reading(self._samples, restarts=self.restarts)


def recent(samples: Sequence[Status], now: float) -> list[Status]:
    """Of `samples`, oldest first, those of the last seconds; the last one, however old, always."""
    return [each for each in samples[:-1] if 0 <= now - _at(each) <= WINDOW_S] + list(samples[-1:])


def reading(samples: Sequence[Status], *, restarts: int = 0) -> Reading:
    """The state of the last of `samples`, with the rates since the earlier ones."""
    latest = samples[-1]
    rates = [_rates(samples, worker) for worker in latest.workers]
    total = _sum(each for _, each in rates)
    workers = [_worker(worker, *found) for worker, found in zip(latest.workers, rates, strict=True)]
    return Reading(
        appliance=latest.appliance,
        state=latest.state,
        at=round(_at(latest), 1),
        uptime_s=latest.uptime_s,
        restarts=restarts,
        capacity_bps=latest.capacity_bps,
        requests_per_s=_rounded(total, REQUESTS),
        bits_per_s=_bits(total),
        hit_ratio=hit_ratio(total.get(HITS, 0.0), total.get(MISSES, 0.0)),
        connections=latest.connections,
        flights=latest.flights,
        cold_reads_per_s=_rounded(total, COLD_READS),
        aborted_per_s=_rounded(total, ABORTED),
        errors_per_s={
            name.removeprefix(RESPONSES): _rounded(total, name)
            for name in sorted(total)
            if name.startswith(RESPONSES) and name.removeprefix(RESPONSES) >= "400" and total[name] > 0
        },
        workers_configured=latest.workers_configured,
        workers=workers,
        disks=latest.disks,
        fill=latest.fill,
        fill_bits_per_s=_fill_rate(samples),
    )


def growth(before: WorkerStatus, after: WorkerStatus) -> tuple[float, dict[str, float]]:
    """Seconds between two reports of one worker, and what each total grew by per second. Never negative."""
    over_s = after.reported_at - before.reported_at
    if over_s <= 0 or not before.counters:
        return 0.0, {}
    return over_s, {
        name: max(total - before.counters.get(name, 0.0), 0.0) / over_s for name, total in after.counters.items()
    }


def hit_ratio(hits: float, misses: float) -> float | None:
    """Hits of both; None of nothing.

    >>> hit_ratio(3, 1), hit_ratio(0, 0)
    (0.75, None)
    """
    return round(hits / (hits + misses), 4) if hits + misses > 0 else None


def _rates(samples: Sequence[Status], latest: WorkerStatus) -> tuple[float, dict[str, float]]:
    """`growth` of a worker since the oldest sample from which on its totals only grew."""
    base = latest
    for sample in reversed(samples[:-1]):
        found = next((each for each in sample.workers if (each.worker, each.pid) == (latest.worker, latest.pid)), None)
        if found is None or not found.counters or _went_back(found, base):
            break
        base = found
    return growth(base, latest)


def _went_back(before: WorkerStatus, after: WorkerStatus) -> bool:
    return any(after.counters.get(name, 0.0) < before.counters.get(name, 0.0) for name in (REQUESTS, SENT))


def _worker(worker: WorkerStatus, over_s: float, rates: dict[str, float]) -> WorkerReading:
    return WorkerReading(
        worker=worker.worker,
        pid=worker.pid,
        connections=worker.connections,
        waiting=worker.waiting,
        over_s=round(over_s, 3),
        requests_per_s=_rounded(rates, REQUESTS),
        bits_per_s=_bits(rates),
        hit_ratio=hit_ratio(rates.get(HITS, 0.0), rates.get(MISSES, 0.0)),
    )


def _fill_rate(samples: Sequence[Status]) -> float:
    """Bits per second that came for the plan that is followed."""
    latest = samples[-1].fill
    same = [each.fill for each in samples if each.fill is not None and latest and each.fill.plan == latest.plan]
    if latest is None or (over_s := latest.at - same[0].at) <= 0:
        return 0.0
    return round(max(latest.bytes_done - same[0].bytes_done, 0) * 8 / over_s)


def _sum(rates: Iterable[dict[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for each in rates:
        for name, rate in each.items():
            total[name] = total.get(name, 0.0) + rate
    return total


def _bits(rates: dict[str, float]) -> float:
    return round(rates.get(SENT, 0.0) * 8)


def _rounded(rates: dict[str, float], name: str) -> float:
    return round(rates.get(name, 0.0), 2)


def _at(sample: Status) -> float:
    return sample.epoch + sample.uptime_s
