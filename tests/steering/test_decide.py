"""One decision from the view of the fleet."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from control.wire import Heartbeat, Inventory, RankedPathway, SteeringDecision
from steering.decide import ELSEWHERE_LIMIT, Asked, Terms, decide
from steering.fleet import Fleet
from steering.prefixes import parse_address

Beat = Callable[..., Heartbeat]
Make = Callable[..., Inventory]
NewFleet = Callable[..., Fleet]

TERMS = Terms(
    RankedPathway(pathway="origin", kind="origin", url="http://origin.test"),
    ttl_s=300,
    degraded_ttl_s=10,
    warm_up_s=5.0,
)
LATER = 100.0


def decided(fleet: Fleet, now: float, client: str = "10.1.2.3") -> tuple[SteeringDecision, tuple[str, ...]]:
    return decide(fleet, Asked(parse_address(client), "bunny", "s1"), TERMS, decision_id="d-1", now=now, at=9.0)


@pytest.fixture
def fleet(beat: Beat, inventory: Make, new_fleet: NewFleet) -> Fleet:
    """a1 is near and holds all, a2 is far, a3 serves others."""
    made = new_fleet()
    for name, prefix in (("a1", "10.1.0.0/16"), ("a2", "10.0.0.0/8"), ("a3", "192.0.2.0/24")):
        made.heartbeat(beat(name, serves=(prefix,)), LATER)
        made.probed(name, "ok", LATER)
    made.inventory(inventory("a1", ("bunny", "v", 4, 4)), LATER)
    return made


def test_usable_appliances_are_listed_best_first_and_others_left_out_with_a_reason(fleet: Fleet) -> None:
    decision, troubles = decided(fleet, LATER)
    assert [pathway.pathway for pathway in decision.pathways] == ["a1", "a2", "origin"]
    assert [(each.pathway, each.reason) for each in decision.rejected] == [
        ("a3", "none of its prefixes covers 10.1.2.3")
    ]
    assert (decision.ttl_s, troubles, decision.id, decision.at) == (300, (), "d-1", 9.0)


def test_a_death_among_the_clients_appliances_shortens_the_time_to_live(fleet: Fleet) -> None:
    for second in (0, 1):
        fleet.probed("a1", "failed", LATER + second, error="refused")
    decision, troubles = decided(fleet, LATER + 1)
    assert [pathway.pathway for pathway in decision.pathways] == ["a2", "origin"]
    assert decision.rejected[0].reason == "dead: refused"
    assert (decision.ttl_s, troubles) == (10, ("a1 died 0 s ago",))
    elsewhere, _ = decided(fleet, LATER + 1, client="192.0.2.9")
    assert elsewhere.ttl_s == 300


def test_an_empty_view_sends_everyone_to_the_origin_for_a_short_time(new_fleet: NewFleet) -> None:
    decision, troubles = decided(new_fleet(), 1.0)
    assert [pathway.pathway for pathway in decision.pathways] == ["origin"]
    assert decision.ttl_s == 10
    assert "no appliance can serve this client now" in troubles


def test_the_time_to_live_is_short_while_the_view_warms_up(beat: Beat, new_fleet: NewFleet) -> None:
    fleet = new_fleet()
    fleet.heartbeat(beat("a1"), 1.0)
    fleet.probed("a1", "ok", 1.0)
    assert decided(fleet, 4.0)[0].ttl_s == 10
    assert decided(fleet, 5.5)[0].ttl_s == 300


def test_a_large_fleet_does_not_make_a_large_decision(beat: Beat, new_fleet: NewFleet) -> None:
    fleet = new_fleet()
    for number in range(ELSEWHERE_LIMIT + 10):
        fleet.heartbeat(beat(f"far-{number}", serves=()), LATER)
    decision, _ = decided(fleet, LATER)
    assert len(decision.rejected) == ELSEWHERE_LIMIT
    assert decision.rejected[0].reason == "it announces no prefix for 10.1.2.3"
