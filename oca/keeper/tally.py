"""What workers say they served, handed to whom it concerns: totals, popularity, the policy, demand.

Demand wants the positions of objects, so a rendition whose index is not in memory waits until it has been
read from a disk; upstream is never asked for that.
"""

from __future__ import annotations

from collections import deque

from control.kit.clock import Clock
from oca.beacon.demand import Demand
from oca.keeper.fronts import Fronts
from oca.keeper.workers import WorkerLink
from oca.link.messages import Served, ServedRow
from oca.policy.policy import Policy
from oca.store.books import Books
from oca.store.layout import RenditionKey
from oca.upstream.faults import RefusedError
from oca.upstream.index import Indexes

WAITING_LIMIT = 10_000
"""Rows that wait for an index; beyond it they are counted without positions."""


class Tally:
    """Counts every report of every worker. Lifetime of the process."""

    def __init__(
        self, *, fronts: Fronts, books: Books, policy: Policy, demand: Demand, indexes: Indexes, clock: Clock
    ) -> None:
        self._fronts = fronts
        self._books = books
        self._policy = policy
        self._demand = demand
        self._indexes = indexes
        self._clock = clock
        self._waiting: deque[tuple[ServedRow, float]] = deque()

    def take(self, worker: WorkerLink, served: Served) -> None:
        """Count the report of `worker`."""
        now = self._clock.now()
        self._fronts.take(worker.worker, worker.pid, served, self._clock.monotonic())
        for row in served.rows:
            key = RenditionKey(row.title, row.rendition)
            self._books.used(key, row.requests, now)
            self._policy.touch(key, row.requests, row.bytes, now)
            index = self._indexes.in_memory(key)
            if index is None and self._books.get(key) is not None and len(self._waiting) < WAITING_LIMIT:
                self._waiting.append((row, now))
            else:
                self._demand.count(row, index, now)

    async def round(self) -> None:
        """Count the rows that wait for their index."""
        while self._waiting:
            row, at = self._waiting.popleft()
            try:
                index = await self._indexes.get(RenditionKey(row.title, row.rendition), ())
            except RefusedError:
                index = None
            self._demand.count(row, index, at)
