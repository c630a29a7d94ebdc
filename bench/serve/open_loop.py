"""An open loop: requests begin at a constant rate, whatever the server does.

Every request has an intended start. When all connections are busy it waits, and the wait counts: times are
from the intended start, so a server that stalls cannot hide the queue behind it (coordinated omission).
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.serve.asking import Ask
from bench.serve.connections import Pool
from bench.serve.outcome import Outcome

FINISH_S = 20.0
"""Answers that are not complete this long after the last intended start have failed."""
SPIN_S = 0.002
"""So close before a start the client does not sleep: epoll's clock ticks in milliseconds."""
POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Schedule:
    """Intended starts: number n at `n / rate` seconds, for all below `seconds`.

    >>> Schedule(rate=10, seconds=1).total, Schedule(rate=10, seconds=1).start(3)
    (10, 0.3)
    """

    rate: float
    seconds: float

    @property
    def total(self) -> int:
        """How many starts there are."""
        return max(round(self.rate * self.seconds), 1)

    def start(self, number: int) -> float:
        """The intended start of request `number`, counted from 0."""
        return number / self.rate

    def due(self, elapsed: float) -> int:
        """How many starts have come after `elapsed` seconds.

        >>> Schedule(rate=10, seconds=1).due(0.0), Schedule(rate=10, seconds=1).due(0.35)
        (1, 4)
        """
        number = min(int(elapsed * self.rate), self.total - 1)
        # The product may round either way: the truth is what `start` says.
        while number + 1 < self.total and self.start(number + 1) <= elapsed:
            number += 1
        while number >= 0 and self.start(number) > elapsed:
            number -= 1
        return number + 1


@dataclass(slots=True)
class OpenOutcome(Outcome):
    """`ttfb_s` is from the intended start here, and so is `answered_s`, to the answer's last byte."""

    answered_s: array[float] = field(default_factory=lambda: array("d"))
    waited: int = 0
    """Requests that found no free connection at their start."""
    client_late_s: float = 0.0
    """The longest that a request with a free connection began late: the client's own fault."""


def run(pool: Pool, ask: Ask, schedule: Schedule, monotonic: Callable[[], float]) -> OpenOutcome:
    """Ask at the schedule's starts over the pool's connections. Raises OSError."""
    pool.fill()
    loop = _Loop(pool, ask, schedule, monotonic)
    loop.run()
    return loop.outcome


class _Loop:
    def __init__(self, pool: Pool, ask: Ask, schedule: Schedule, monotonic: Callable[[], float]) -> None:
        self.outcome = OpenOutcome()
        self._pool = pool
        self._ask = ask
        self._schedule = schedule
        self._monotonic = monotonic
        self._free = deque(pool.links.values())
        self._waiting: deque[int] = deque()
        """Numbers of requests whose start has come; at most the schedule's total."""
        self._issued = 0
        self._busy = 0
        self._started = monotonic()

    def run(self) -> None:
        end = self._started + self._schedule.start(self._schedule.total) + FINISH_S
        while self._issued < self._schedule.total or self._busy or self._waiting:
            now = self._monotonic()
            if now > end or not self._pool.links:
                break
            self._come_due(now - self._started)
            for link in self._pool.answers(self._sleep(self._monotonic() - self._started)):
                if link.broken:
                    self._broken(link.busy)
                else:
                    self._answered(link.tag, link.first_at, link.received)
                    self._free.append(link)
                self._send_waiting()
                self._come_due(self._monotonic() - self._started)
        self.outcome.failures += len(self._waiting) + self._schedule.total - self._issued + self._pool.give_up()
        self.outcome.seconds = self._monotonic() - self._started

    def _come_due(self, elapsed: float) -> None:
        due = self._schedule.due(elapsed)
        while self._issued < due:
            if self._waiting or not self._free:
                self.outcome.waited += 1
            else:
                late = elapsed - self._schedule.start(self._issued)
                self.outcome.client_late_s = max(self.outcome.client_late_s, late)
            self._waiting.append(self._issued)
            self._issued += 1
            self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and self._free:
            link = self._free.popleft()
            if link.broken:
                continue
            link.tag = self._waiting.popleft()
            if self._pool.ask(link, self._ask()) is None:
                self._broken(busy=False)
            else:
                self._busy += 1

    def _answered(self, number: int, first_at: float, received: int) -> None:
        outcome, intended = self.outcome, self._started + self._schedule.start(number)
        self._busy -= 1
        outcome.requests += 1
        outcome.bytes += received
        outcome.ttfb_s.append(first_at - intended)
        outcome.answered_s.append(self._monotonic() - intended)

    def _broken(self, busy: bool) -> None:
        """A link is gone: count it, and open another in its place."""
        self.outcome.failures += 1
        self._busy -= busy
        try:
            self._free.append(self._pool.open())
        except OSError:
            self.outcome.failures += 1

    def _sleep(self, elapsed: float) -> float:
        if self._issued >= self._schedule.total:
            return POLL_S
        left = self._schedule.start(self._issued) - elapsed
        return min(left - SPIN_S, POLL_S) if left > SPIN_S else 0.0
