"""What is left to do of a plan, in which order, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from control.wire import FillPlan, Hold

Phase = Literal["before", "open", "after"]


class Todo(NamedTuple):
    """One object to fetch for a hold."""

    hold: Hold
    position: int


def phase(plan: FillPlan, now: float) -> Phase:
    """Where `now` lies relative to the plan's window.

    >>> from control.wire import FillWindow
    >>> plan = FillPlan(id="p", appliance="a", made_at=0, window=FillWindow(start=10, end=20))
    >>> [phase(plan, now) for now in (9.9, 10, 19.9, 20)]
    ['before', 'open', 'open', 'after']
    """
    if now < plan.window.start:
        return "before"
    return "open" if now < plan.window.end else "after"


def that_fit(plan: FillPlan, budget_bytes: int) -> tuple[list[Hold], list[Hold]]:
    """The plan's holds that fit into `budget_bytes`, in order, and those that do not.

    The planner keeps to the budget; a disk that failed since makes it smaller. Pinned ones go first.
    """
    fitting: set[int] = set()
    left = budget_bytes
    ranked = sorted(range(len(plan.hold)), key=lambda at: not plan.hold[at].pinned)
    for at in ranked:
        needed = plan.hold[at].bytes + plan.hold[at].index_bytes
        if needed <= left:
            fitting.add(at)
            left -= needed
    holds = [hold for at, hold in enumerate(plan.hold) if at in fitting]
    return holds, [hold for at, hold in enumerate(plan.hold) if at not in fitting]


def missing(total: int, held: Iterable[int]) -> Iterator[int]:
    """Positions below `total` that are not in `held`.

    >>> list(missing(4, [0, 2]))
    [1, 3]
    """
    have = set(held)
    return (position for position in range(total) if position not in have)


def delay_before(attempt: int, *, first_s: float, limit_s: float) -> float:
    """Seconds to wait before try number `attempt` (2, 3, …): doubling, up to a limit.

    >>> [delay_before(n, first_s=1, limit_s=5) for n in (2, 3, 4, 5)]
    [1.0, 2.0, 4.0, 5]
    """
    assert attempt >= 2, f"try {attempt} waits for nothing"
    return min(limit_s, first_s * float(1 << min(attempt - 2, 32)))
