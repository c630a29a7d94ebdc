"""Whether an appliance answers, as a state machine over the outcomes of our probes.

Pure: `now` is an argument, the probing itself is in `probe.py`. Rules:

- A few failures in a row make an appliance dead, at once and for everyone.
- It comes back only after several successes in a row: a box that flaps must not be tried out on viewers.
- What has never answered is not used; its first success is enough. It cannot die before it lived.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Phase = Literal["new", "alive", "suspect", "dead", "recovering"]
Outcome = Literal["ok", "failed"]
Count = Literal["once", "failures", "successes"]


@dataclass(frozen=True)
class Step:
    """What an outcome does: go to `then`, or to `after` once there were enough outcomes of this kind in a row."""

    then: Phase
    enough: Count = "once"
    after: Phase | None = None


TABLE: dict[tuple[Phase, Outcome], Step] = {
    ("new", "ok"): Step("alive"),
    ("new", "failed"): Step("new"),
    ("alive", "ok"): Step("alive"),
    ("alive", "failed"): Step("suspect", "failures", "dead"),
    ("suspect", "ok"): Step("alive"),
    ("suspect", "failed"): Step("suspect", "failures", "dead"),
    ("dead", "ok"): Step("recovering", "successes", "alive"),
    ("dead", "failed"): Step("dead"),
    ("recovering", "ok"): Step("recovering", "successes", "alive"),
    ("recovering", "failed"): Step("dead"),
}


@dataclass(frozen=True)
class Thresholds:
    """Outcomes in a row that make dead, and that bring back. Both at least 1."""

    failures: int = 2
    successes: int = 3

    def __post_init__(self) -> None:
        assert self.failures >= 1, self
        assert self.successes >= 1, self


@dataclass(frozen=True)
class Health:
    """One appliance's phase, how long it has been in it, and the run of equal outcomes that led here.

    `died_at`: when players last had to leave it. Failing again while it recovers is no further death.
    """

    phase: Phase = "new"
    since: float = 0.0
    run: int = 0
    last: Outcome | None = None
    died_at: float | None = None
    error: str = ""
    rtt_s: float = 0.0


def probed(
    health: Health, outcome: Outcome, now: float, thresholds: Thresholds, *, error: str = "", rtt_s: float = 0.0
) -> Health:
    """`health` after one more probe.

    >>> sick = probed(Health("alive"), "failed", 1.0, Thresholds(failures=2), error="refused")
    >>> probed(sick, "failed", 2.0, Thresholds(failures=2), error="refused").phase
    'dead'
    """
    step = TABLE[health.phase, outcome]
    run = health.run + 1 if health.last == outcome else 1
    phase = step.then
    if step.after is not None and run >= _needed(step.enough, thresholds):
        phase = step.after
    return replace(
        health,
        phase=phase,
        since=now if phase != health.phase else health.since,
        run=run,
        last=outcome,
        died_at=now if phase == "dead" and health.phase in ("alive", "suspect") else health.died_at,
        error=error if outcome == "failed" else health.error if phase == "recovering" else "",
        rtt_s=rtt_s if outcome == "ok" else health.rtt_s,
    )


def _needed(count: Count, thresholds: Thresholds) -> int:
    return {"once": 1, "failures": thresholds.failures, "successes": thresholds.successes}[count]


def words(health: Health, thresholds: Thresholds) -> str:
    """The phase for a person to read."""
    if health.phase == "new":
        return "not probed yet" if health.last is None else f"never answered a probe: {health.error}"
    if health.phase == "dead":
        return f"dead: {health.error}"
    if health.phase == "recovering":
        return f"recovering: {health.run} of {thresholds.successes} probes in a row succeeded"
    if health.phase == "suspect":
        return f"suspect: {health.run} of {thresholds.failures} probes in a row failed ({health.error})"
    return "alive"
