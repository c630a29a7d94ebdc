"""Every connection asks once: to fill caches, and to have connections that have been used.

Servers close a connection that never asks, soon: idle ones are such as have asked before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bench.serve.asking import Ask
from bench.serve.connections import Link, Pool, Target

AT_ONCE = 64
POLL_S = 0.25
ANSWER_S = 30.0
"""A server that answers none of the requests under way for so long has failed them."""


def used_pool(target: Target, count: int, ask: Ask, monotonic: Callable[[], float]) -> Pool:
    """A pool whose links have each asked once, soon after they were opened. Raises OSError."""
    pool = Pool(target, min(count, AT_ONCE), monotonic)
    try:
        fresh = list(pool.links.values())
        while fresh:
            failures = ask_once(pool, ask, monotonic, fresh)
            if failures:
                raise ConnectionError(f"{failures} of {len(fresh)} new connections got no answer")
            fresh = [pool.open() for _ in range(min(count - len(pool.links), AT_ONCE))]
    except OSError:
        pool.close()
        raise
    pool.count = count
    return pool


def ask_once(pool: Pool, ask: Ask, monotonic: Callable[[], float], links: Iterable[Link]) -> int:
    """Let each of `links` ask once, a few at a time; how many failed."""
    failures = busy = 0
    to_ask = list(links)
    until = monotonic() + ANSWER_S
    while (to_ask or busy) and monotonic() < until:
        while to_ask and busy < AT_ONCE:
            if pool.ask(to_ask.pop(), ask()) is None:
                failures += 1
            else:
                busy += 1
        for link in pool.answers(POLL_S):
            until = monotonic() + ANSWER_S
            busy -= link.busy or not link.broken
            failures += link.broken
    return failures + len(to_ask) + pool.give_up()
