"""The comparison: every cell, round after round, each server in turn.

A round runs every server once, one directly after the other, so that what disturbs the machine disturbs
them alike; figures are medians over rounds, ratios medians over the pairs of a round.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from bench.serve import closed_loop
from bench.serve.accounting import Memory, used_ns
from bench.serve.asking import Ask
from bench.serve.cells import Cell, Scheme, human_size, order
from bench.serve.collection import Eviction, hot_set
from bench.serve.connections import Pool
from bench.serve.fleet import Server
from bench.serve.outcome import Outcome, median_of, paired_ratio, percentile
from bench.serve.peers.peer import DESCRIPTORS_BESIDE
from bench.serve.peers.registry import OURS
from bench.serve.report import Comparison, Ratio, Row
from bench.serve.session import HOT_OBJECTS, Bench

Seen = TypeVar("Seen", bound=Outcome)

WARM_UP_SHARE = 0.3
"""A round that is not counted goes first, shorter than the others."""
ROUNDS_LEAST = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """How long and how often. A cell that has had `cell_limit_s` has no further round."""

    rounds: int
    seconds: float
    cell_limit_s: float = float("inf")


@dataclass(frozen=True, slots=True)
class Measure:
    """One run of one server."""

    requests: int
    bytes: int
    seconds: float
    cpu_ns: int
    client_s: float
    ttfb_s: tuple[float, float, float]
    failures: int
    memory: Memory

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU per request."""
        return self.cpu_ns / 1000 / max(self.requests, 1)

    @property
    def gbit_per_s(self) -> float:
        """Throughput."""
        return self.bytes * 8 / 1e9 / self.seconds

    @property
    def gbit_per_cpu_percent(self) -> float:
        """Throughput per hundredth of a core that the server used."""
        return self.bytes * 8 / 1e9 / max(self.cpu_ns / 1e7, 1e-9)


class Pools:
    """Open connections by server, kept for the next run as long as descriptors last."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._open: OrderedDict[tuple[str, Scheme, int], Pool] = OrderedDict()

    def __enter__(self) -> Pools:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._open.values():
            pool.close()
        self._open.clear()

    def get(self, server: Server, scheme: Scheme, connections: int) -> Pool:
        """The pool of that kind, opened when there is none. Raises OSError."""
        kind = (server.name, scheme, connections)
        pool = self._open.pop(kind, None)
        if pool is None:
            room = self._bench.descriptors - DESCRIPTORS_BESIDE - connections
            while self._open and sum(each.count for each in self._open.values()) > room:
                _, oldest = self._open.popitem(last=False)
                oldest.close()
            pool = self._bench.pool(server, scheme, connections)
        self._open[kind] = pool
        return pool


@dataclass(slots=True)
class Entrant:
    """A server in a cell: what it is asked, and what came of it."""

    server: Server
    ask: Ask
    eviction: Eviction
    measures: list[Measure] = field(default_factory=list)


def compare(bench: Bench, cells: Sequence[Cell], pace: Pace) -> Comparison:
    """Measure every cell. A peer that fails altogether is left out from there on. Raises UserError when ours does."""
    rows: list[Row] = []
    ratios: list[Ratio] = []
    _fill_memory(bench, cells)
    with Pools(bench) as pools:
        for number, cell in enumerate(cells, 1):
            bench.say(f"{number} of {len(cells)}: {cell}")
            entrants = _entrants(bench, cell)
            _measure(bench, cell, entrants, pools, pace)
            rows += [row_of(cell, entrants[server.name]) for server in bench.servers if server.name in entrants]
            ratios += ratios_of(cell, {name: entrant.measures for name, entrant in entrants.items()})
    return Comparison(rows=rows, ratios=ratios, left_out=bench.left_out, machine=bench.machine())


def _fill_memory(bench: Bench, cells: Sequence[Cell]) -> None:
    for size in sorted({cell.object_bytes for cell in cells}):
        for server in bench.servers[:]:
            bench.say(f"{server.name}: {human_size(size)} objects into memory")
            with bench.leaving_out(server, "before the first cell"):
                bench.fetch_all(server, hot_set(size, HOT_OBJECTS))


def _entrants(bench: Bench, cell: Cell) -> dict[str, Entrant]:
    entrants = {}
    for server in bench.servers:
        if server.takes(cell.scheme, cell.state):
            eviction = Eviction()
            ask = bench.asks(cell, bench.target(server, cell.scheme), eviction)
            entrants[server.name] = Entrant(server, ask, eviction)
    return entrants


def _measure(bench: Bench, cell: Cell, entrants: dict[str, Entrant], pools: Pools, pace: Pace) -> None:
    """Run the rounds. Entrants that fail altogether are taken out."""
    until = bench.monotonic() + pace.cell_limit_s
    for round_number in range(-1, pace.rounds):
        if round_number >= ROUNDS_LEAST and bench.monotonic() > until:
            break
        seconds = pace.seconds if round_number >= 0 else pace.seconds * WARM_UP_SHARE
        for name in order(tuple(entrants), max(round_number, 0)):
            entrant = entrants.pop(name)
            with bench.leaving_out(entrant.server, f"from {cell} on"):
                pool = pools.get(entrant.server, cell.scheme, cell.connections)
                run = partial(closed_loop.run, pool, entrant.ask, active=cell.active, seconds=seconds)
                _, measure = measured(entrant.server, partial(run, monotonic=bench.monotonic))
                if round_number >= 0:
                    entrant.measures.append(measure)
                entrants[name] = entrant


def measured(server: Server, run: Callable[[], Seen]) -> tuple[Seen, Measure]:
    """One run, and what `server` used for it. Raises StartError when it ended meanwhile."""
    before, client_before = server.cpu_ns(), time.process_time()
    outcome = run()
    client_s = time.process_time() - client_before
    cpu = used_ns(before, server.cpu_ns())
    server.check()
    ordered = sorted(outcome.ttfb_s)
    measure = Measure(
        requests=outcome.requests,
        bytes=outcome.bytes,
        seconds=outcome.seconds,
        cpu_ns=cpu,
        client_s=client_s,
        ttfb_s=(percentile(ordered, 0.5), percentile(ordered, 0.99), percentile(ordered, 0.999)),
        failures=outcome.failures,
        memory=server.memory(),
    )
    return outcome, measure


def row_of(cell: Cell, entrant: Entrant) -> Row:
    """The medians over a server's rounds in a cell."""
    measures, still_warm = entrant.measures, entrant.eviction.still_warm()

    def middle(figure: Callable[[Measure], float], digits: int = 3) -> float:
        return round(median_of([figure(each) for each in measures]), digits)

    return Row(
        server=entrant.server.name,
        scheme=cell.scheme,
        bytes=cell.bytes,
        state=cell.state,
        connections=cell.connections,
        requests_per_s=middle(lambda each: each.requests / each.seconds, 1),
        gbit_per_s=middle(lambda each: each.gbit_per_s),
        cpu_us_per_request=middle(lambda each: each.cpu_us, 2),
        gbit_per_cpu_percent=middle(lambda each: each.gbit_per_cpu_percent, 4),
        ttfb_p50_ms=middle(lambda each: each.ttfb_s[0] * 1000),
        ttfb_p99_ms=middle(lambda each: each.ttfb_s[1] * 1000),
        ttfb_p999_ms=middle(lambda each: each.ttfb_s[2] * 1000),
        memory_bytes=int(middle(lambda each: each.memory.total)),
        memory_anonymous_bytes=int(middle(lambda each: each.memory.anonymous)),
        failures=sum(each.failures for each in measures),
        client_busy=middle(lambda each: each.client_s / each.seconds),
        still_warm=None if still_warm is None else round(still_warm, 3),
        rounds=len(measures),
    )


def ratios_of(cell: Cell, measures: dict[str, list[Measure]]) -> list[Ratio]:
    """Ours to every other's, of those that answered anything."""
    ours = measures.get(OURS)
    if not ours:
        return []
    return [
        Ratio(
            peer=name,
            scheme=cell.scheme,
            bytes=cell.bytes,
            state=cell.state,
            connections=cell.connections,
            cpu_ratio=round(paired_ratio([each.cpu_us for each in ours], [each.cpu_us for each in theirs]), 3),
        )
        for name, theirs in measures.items()
        if name != OURS and any(each.requests for each in theirs) and any(each.requests for each in ours)
    ]
