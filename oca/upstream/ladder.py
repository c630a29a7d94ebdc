"""In which order sources are asked for a key. Pure.

The plan's sources come first, in the plan's order, each once its `not_before` has passed: peers go first and
the origin is an escalation. A viewer's miss does not wait for the escalation: the origin is always its
last step. Nobody is asked who has asked us for the same (`via`, the CDN-Loop of RFC 8586), nor ourselves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from control.wire import Source


def ladder(
    planned: Sequence[Source],
    origin: Source,
    *,
    now: float,
    me: str,
    via: Collection[str],
    urgent: bool,
) -> list[Source]:
    """The sources to try, in order. Empty when every one is still to come.

    `urgent`: somebody waits for the bytes, so the origin is asked last even when the plan would not yet.

    >>> peer = Source(kind="peer", name="a2", url="http://a2")
    >>> late = Source(kind="cache", name="origin", url="http://o", not_before=100.0)
    >>> origin = Source(kind="cache", name="origin", url="http://o")
    >>> [s.name for s in ladder([peer, late], origin, now=50.0, me="a1", via=(), urgent=False)]
    ['a2']
    >>> [s.name for s in ladder([peer, late], origin, now=50.0, me="a1", via=("a2",), urgent=True)]
    ['origin']
    """
    steps = [source for source in planned if source.not_before <= now]
    if urgent or not planned:
        steps.append(origin)
    chosen: list[Source] = []
    for step in steps:
        if step.name != me and step.name not in via and all(step.name != other.name for other in chosen):
            chosen.append(step)
    return chosen


def next_step_at(planned: Sequence[Source], now: float) -> float | None:
    """When the next of the plan's sources may be asked (Unix seconds); None when all may be already."""
    return min((source.not_before for source in planned if source.not_before > now), default=None)
