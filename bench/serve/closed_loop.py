"""A closed loop: every active connection asks again as soon as its answer is complete.

When the time is up nobody asks any more, and answers under way are finished: so CPU time is divided by
whole requests.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.serve.asking import Ask
from bench.serve.connections import Pool
from bench.serve.outcome import Outcome

FINISH_S = 120.0
"""Answers that are not complete this long after the time was up have failed."""
POLL_S = 0.5
FAILURES_LIMIT = 1000
"""A run that has seen so many failures ends."""


def run(pool: Pool, ask: Ask, *, active: int, seconds: float, monotonic: Callable[[], float]) -> Outcome:
    """Load the pool's server for `seconds` with `active` of its links; the others stay idle. Raises OSError."""
    pool.fill()
    outcome = Outcome()
    started = monotonic()
    until = started + seconds
    asking = [pool.ask(link, ask()) for link in list(pool.links.values())[:active]]
    busy = active - asking.count(None)
    outcome.failures += asking.count(None)
    while busy and outcome.failures < FAILURES_LIMIT and monotonic() < until + FINISH_S:
        for link in pool.answers(POLL_S):
            if not link.broken:
                outcome.add(link)
            else:
                outcome.failures += 1
                if not link.busy:  # an idle one, closed by the server
                    continue
            if monotonic() >= until or outcome.failures >= FAILURES_LIMIT:
                busy -= 1
            elif pool.ask(link, ask()) is None:
                outcome.failures += 1
                busy -= 1
    outcome.failures += pool.give_up()
    outcome.seconds = monotonic() - started
    return outcome
