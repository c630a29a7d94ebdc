"""The other loads: a constant rate, viewers, idle connections. Each server alone, one after the other."""

from __future__ import annotations

from functools import partial

import msgspec

from bench.serve import open_loop, viewers
from bench.serve.accounting import Memory
from bench.serve.cells import Cell, Scheme
from bench.serve.collection import Eviction, Set, hot_set
from bench.serve.comparison import Measure, measured
from bench.serve.fleet import Server
from bench.serve.open_loop import OpenOutcome, Schedule
from bench.serve.outcome import percentile
from bench.serve.session import HOT_OBJECTS, Bench
from bench.serve.viewers import Audience

SETTLE_S = 1.0
"""What a server frees or counts soon after a burst of connections has settled."""
WARM_LINKS = 8


class OpenRow(msgspec.Struct, frozen=True, kw_only=True):
    """One server under a constant rate. Times are from the intended start."""

    server: str
    scheme: str
    bytes: int
    rate: float
    achieved_per_s: float
    cpu_us_per_request: float
    ttfb_p50_ms: float
    ttfb_p99_ms: float
    ttfb_p999_ms: float
    answered_p50_ms: float
    answered_p99_ms: float
    answered_p999_ms: float
    waited: int
    """Requests that found every connection busy at their start."""
    client_late_ms: float
    failures: int


class ViewersRow(msgspec.Struct, frozen=True, kw_only=True):
    """One server with an audience."""

    server: str
    scheme: str
    viewers: int
    startup_p50_ms: float
    startup_p99_ms: float
    rebuffer_ratio: float
    stalls: int
    never_started: int
    mean_mbit_per_s: float
    ttfb_p99_ms: float
    requests: int
    cpu_us_per_request: float
    cpu_percent: float
    """Of one core."""
    failures: int


class IdleRow(msgspec.Struct, frozen=True, kw_only=True):
    """What idle keep-alive connections cost a server. Anonymous memory of its processes, not the kernel's."""

    server: str
    scheme: str
    connections: int
    bytes_per_connection: float
    memory_before_bytes: int
    memory_after_bytes: int
    failures: int


def constant_rate(bench: Bench, cell: Cell, *, rate: float, seconds: float) -> list[OpenRow]:
    """Ask every server at `rate` requests/s for `seconds`. Raises UserError when one ends."""
    rows = []
    for server in _taking(bench, cell.scheme):
        bench.say(f"{server.name}: {rate:g} requests/s, {cell}")
        ask = bench.asks(cell, bench.target(server, cell.scheme), Eviction())
        with bench.pool(server, cell.scheme, cell.connections) as pool:
            open_loop.run(pool, ask, Schedule(rate, min(1.0, seconds)), bench.monotonic)  # warms up
            run = partial(open_loop.run, pool, ask, Schedule(rate, seconds), bench.monotonic)
            outcome, measure = measured(server, run)
        rows.append(_open_row(cell, server, rate, outcome, measure))
    return rows


def _open_row(cell: Cell, server: Server, rate: float, outcome: OpenOutcome, measure: Measure) -> OpenRow:
    answered = sorted(outcome.answered_s)
    return OpenRow(
        server=server.name,
        scheme=cell.scheme,
        bytes=cell.bytes,
        rate=rate,
        achieved_per_s=round(measure.requests / measure.seconds, 1),
        cpu_us_per_request=round(measure.cpu_us, 2),
        ttfb_p50_ms=_ms(measure.ttfb_s[0]),
        ttfb_p99_ms=_ms(measure.ttfb_s[1]),
        ttfb_p999_ms=_ms(measure.ttfb_s[2]),
        answered_p50_ms=_ms(percentile(answered, 0.5)),
        answered_p99_ms=_ms(percentile(answered, 0.99)),
        answered_p999_ms=_ms(percentile(answered, 0.999)),
        waited=outcome.waited,
        client_late_ms=_ms(outcome.client_late_s),
        failures=measure.failures,
    )


def audience_sets() -> frozenset[Set]:
    """The objects that viewers watch."""
    return frozenset(hot_set(size, HOT_OBJECTS) for size in viewers.RUNG_BYTES)


def audience(bench: Bench, cell: Cell, *, seconds: float, seed: int) -> list[ViewersRow]:
    """Let a viewer per connection watch from every server for `seconds`. Raises UserError when one ends."""
    rows = []
    scheme, number = cell.scheme, cell.connections
    for server in _taking(bench, scheme):
        bench.say(f"{server.name}: {number} viewers over {scheme}")
        target = bench.target(server, scheme)
        requests = [
            [target.request(path) for path in hot_set(size, HOT_OBJECTS).paths()] for size in viewers.RUNG_BYTES
        ]
        with bench.pool(server, scheme, number) as pool:
            run = partial(viewers.run, pool, requests, seed=seed, seconds=seconds, monotonic=bench.monotonic)
            outcome, measure = measured(server, run)
        rows.append(_viewers_row(server, cell, outcome, measure))
    return rows


def _viewers_row(server: Server, cell: Cell, seen: Audience, measure: Measure) -> ViewersRow:
    startup = sorted(seen.startup_s)
    return ViewersRow(
        server=server.name,
        scheme=cell.scheme,
        viewers=cell.connections,
        startup_p50_ms=_ms(percentile(startup, 0.5)),
        startup_p99_ms=_ms(percentile(startup, 0.99)),
        rebuffer_ratio=round(seen.rebuffer_ratio, 5),
        stalls=seen.stalls,
        never_started=seen.never_started,
        mean_mbit_per_s=round(seen.mean_bps / 1e6, 2),
        ttfb_p99_ms=_ms(measure.ttfb_s[1]),
        requests=measure.requests,
        cpu_us_per_request=round(measure.cpu_us, 2),
        cpu_percent=round(measure.cpu_ns / 1e7 / measure.seconds, 1),
        failures=measure.failures,
    )


def idle(bench: Bench, cell: Cell) -> list[IdleRow]:
    """What the cell's connections, each having asked once, cost every server. Raises UserError when one ends."""
    rows = []
    scheme, number = cell.scheme, cell.connections
    for server in _taking(bench, scheme):
        bench.say(f"{server.name}: {number} idle connections over {scheme}")
        bench.pool(server, scheme, WARM_LINKS).close()
        bench.pause(SETTLE_S)
        before = server.memory()
        with bench.pool(server, scheme, number) as pool:
            bench.pause(SETTLE_S)
            after = server.memory()
            lost = sum(link.broken for link in pool.answers(0.0))
        server.check()
        rows.append(_idle_row(server, cell, before, after, lost))
    return rows


def _idle_row(server: Server, cell: Cell, before: Memory, after: Memory, failures: int) -> IdleRow:
    return IdleRow(
        server=server.name,
        scheme=cell.scheme,
        connections=cell.connections,
        bytes_per_connection=round((after.anonymous - before.anonymous) / cell.connections, 1),
        memory_before_bytes=before.anonymous,
        memory_after_bytes=after.anonymous,
        failures=failures,
    )


def _taking(bench: Bench, scheme: Scheme) -> list[Server]:
    return [server for server in bench.servers if server.takes(scheme, "hot")]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
