"""What the demo tells, as figures, and whether it held.

Pure. `Outcome` is the one JSON object of `oca demo --once --json`; `broken_promises` judges it.
"""

from __future__ import annotations

import msgspec

ORIGIN = "origin"
RESUME_TOLERANCE_MS = 1000


class Failover(msgspec.Struct, frozen=True, kw_only=True):
    """The appliance that was killed in mid-play, the one that went on, and the stalls meanwhile."""

    killed: str
    to: str
    stalls: int


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """Where one device stopped and the other began, in milliseconds of the title."""

    stopped_at_ms: int
    resumed_at_ms: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one run, all measured.

    `bytes_by`: appliance or `origin` → bytes the player got from it. `origin_bytes_filled`: bytes that all
    appliances fetched from the origin in the fill, as they count them; `origin_bytes_sent`: as the origin does.
    `unique_bytes`: bytes of the title, each once. `offload`: share of the player's bytes that did not come
    from the origin. `ttfs_ms`: from the request for playback to the first whole segment.
    """

    title: str
    ttfs_ms: int
    stalls: int
    bytes_by: dict[str, int]
    origin_bytes_filled: int
    origin_bytes_sent: int
    unique_bytes: int
    clusters: int
    offload: float
    failover: Failover
    resume: Resume


def offload(bytes_by: dict[str, int]) -> float:
    """Share of bytes that did not come from the origin.

    >>> offload({"north-1": 75, "origin": 25}), offload({})
    (0.75, 0.0)
    """
    total = sum(bytes_by.values())
    return 1 - bytes_by.get(ORIGIN, 0) / total if total else 0.0


def broken_promises(outcome: Outcome) -> list[str]:
    """Every promise of the demo that `outcome` breaks, in words; empty when the story held."""
    broken = [
        (outcome.stalls == 0, f"{outcome.stalls} stalls: playing must never stand still"),
        (outcome.ttfs_ms > 0, "the time to the first segment was not measured"),
        (bool(outcome.bytes_by), "the player got no bytes at all"),
        *((count > 0, f"no bytes were counted from {name}") for name, count in outcome.bytes_by.items()),
        (outcome.unique_bytes > 0, "the title has no bytes"),
        (outcome.offload > 0, "every byte came from the origin"),
    ]
    broken += _failover_promises(outcome) + _fill_promises(outcome)
    apart = abs(outcome.resume.resumed_at_ms - outcome.resume.stopped_at_ms)
    broken += [
        (outcome.resume.stopped_at_ms > 0, "the first device stopped at the very beginning"),
        (apart <= RESUME_TOLERANCE_MS, f"the second device began {apart} ms away from where the first stopped"),
    ]
    return [words for held, words in broken if not held]


def _failover_promises(outcome: Outcome) -> list[tuple[bool, str]]:
    failover = outcome.failover
    return [
        (failover.to != failover.killed, f"playing did not leave {failover.killed}, which was killed"),
        (failover.to != ORIGIN, "playing went to the origin although other appliances were up"),
        (failover.stalls == 0, f"{failover.stalls} stalls when {failover.killed} was killed"),
        (failover.killed in outcome.bytes_by, f"nothing was played from {failover.killed} before it was killed"),
        (failover.to in outcome.bytes_by, f"nothing was played from {failover.to} after {failover.killed} was killed"),
    ]


def _fill_promises(outcome: Outcome) -> list[tuple[bool, str]]:
    once_each = outcome.clusters * outcome.unique_bytes
    return [
        (
            outcome.origin_bytes_filled == once_each,
            f"the appliances fetched {outcome.origin_bytes_filled} bytes from the origin; "
            f"once per cluster is {outcome.clusters} times {outcome.unique_bytes} bytes = {once_each}",
        ),
        (
            outcome.origin_bytes_sent == outcome.origin_bytes_filled,
            f"the origin counts {outcome.origin_bytes_sent} bytes sent to appliances, "
            f"they count {outcome.origin_bytes_filled} received from it",
        ),
    ]
