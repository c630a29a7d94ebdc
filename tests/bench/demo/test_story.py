"""The demo's story: what holds is accepted, each broken promise is named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bench.demo.story import Failover, Outcome, Resume, broken_promises, offload

HELD = Outcome(
    title="bunny-demo",
    ttfs_ms=210,
    stalls=0,
    bytes_by={"north-1": 4_000_000, "north-2": 3_000_000},
    origin_bytes_filled=24_000_000,
    origin_bytes_sent=24_000_000,
    unique_bytes=12_000_000,
    clusters=2,
    offload=1.0,
    failover=Failover(killed="north-1", to="north-2", stalls=0),
    resume=Resume(stopped_at_ms=20_000, resumed_at_ms=20_400),
)


def test_the_story_as_told_holds() -> None:
    assert broken_promises(HELD) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stalls": 2}, "2 stalls: playing must never stand still"),
        ({"ttfs_ms": 0}, "the time to the first segment was not measured"),
        ({"bytes_by": {"north-1": 1, "north-2": 1, "origin": 0}}, "no bytes were counted from origin"),
        ({"bytes_by": {"north-1": 5}}, "nothing was played from north-2 after north-1 was killed"),
        ({"unique_bytes": 0, "origin_bytes_filled": 0}, "the title has no bytes"),
        ({"offload": 0.0}, "every byte came from the origin"),
        ({"origin_bytes_filled": 36_000_000}, "once per cluster is 2 times 12000000 bytes = 24000000"),
        ({"origin_bytes_sent": 1}, "the origin counts 1 bytes sent to appliances, they count 24000000 received"),
        ({"failover": Failover(killed="north-1", to="north-1", stalls=0)}, "did not leave north-1"),
        ({"failover": Failover(killed="north-1", to="origin", stalls=0)}, "went to the origin although"),
        ({"failover": Failover(killed="north-1", to="north-2", stalls=1)}, "1 stalls when north-1 was killed"),
        ({"resume": Resume(stopped_at_ms=20_000, resumed_at_ms=21_001)}, "1001 ms away from where the first stopped"),
        ({"resume": Resume(stopped_at_ms=20_000, resumed_at_ms=0)}, "20000 ms away"),
        ({"resume": Resume(stopped_at_ms=0, resumed_at_ms=0)}, "stopped at the very beginning"),
    ],
)
def test_a_broken_promise_is_named(change: dict[str, Any], words: str) -> None:
    broken = broken_promises(msgspec.structs.replace(HELD, **change))
    assert any(words in each for each in broken), broken


def test_nothing_played_breaks_promises_instead_of_dividing_by_zero() -> None:
    assert offload({}) == 0.0
    assert "the player got no bytes at all" in broken_promises(msgspec.structs.replace(HELD, bytes_by={}))
