"""The view of the fleet from reports in any order."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.wire import Heartbeat, Inventory
from steering.fleet import Fleet, RefusedError
from steering.prefixes import parse_address

Beat = Callable[..., Heartbeat]
Make = Callable[..., Inventory]
NewFleet = Callable[..., Fleet]

CLIENT = parse_address("10.1.2.3")


def standing(fleet: Fleet, name: str, now: float) -> str:
    found = fleet.find(name)
    assert found is not None, name
    return fleet.standing(found, now).kind


def ready(fleet: Fleet, beat: Beat, *names: str, now: float = 0.0) -> None:
    for name in names:
        fleet.heartbeat(beat(name), now)
        fleet.probed(name, "ok", now)


@settings(deadline=None)
@given(st.permutations([(1.0, 1), (1.0, 2), (2.0, 1), (2.0, 5)]))
def test_heartbeats_in_any_order_leave_the_newest(
    beat: Beat, new_fleet: NewFleet, orders: list[tuple[float, int]]
) -> None:
    fleet = new_fleet()
    for epoch, sequence in orders:
        fleet.heartbeat(beat(epoch=epoch, sequence=sequence, connections=int(epoch) * 10 + sequence), 0.0)
    kept = fleet.find("a1")
    assert kept is not None
    assert kept.heartbeat is not None
    assert (kept.heartbeat.epoch, kept.heartbeat.sequence, kept.heartbeat.connections) == (2.0, 5, 25)


def test_a_repeated_heartbeat_does_not_count_as_life(beat: Beat, new_fleet: NewFleet) -> None:
    fleet = new_fleet()
    ready(fleet, beat, "a1")
    assert fleet.heartbeat(beat("a1"), 4.0) == "stale"
    assert standing(fleet, "a1", 5.5) == "silent"


def test_an_appliance_whose_clock_went_back_at_a_restart_is_heard_once_its_former_life_is_silent(
    beat: Beat, new_fleet: NewFleet
) -> None:
    fleet = new_fleet()
    ready(fleet, beat, "a1")
    assert fleet.heartbeat(beat("a1", epoch=3.0), 1.0) == "stale"
    assert fleet.heartbeat(beat("a1", epoch=3.0), 6.0) == "restarted"


def test_two_appliances_with_one_name_are_told_so(beat: Beat, new_fleet: NewFleet) -> None:
    fleet = new_fleet()
    fleet.heartbeat(beat("a1"), 0.0)
    with pytest.raises(RefusedError, match="two appliances may not have one name") as caught:
        fleet.heartbeat(beat("a1", epoch=1.0, url="http://elsewhere.test:80"), 1.0)
    assert caught.value.fault == "conflict"


def test_nobody_takes_the_name_of_the_origin(beat: Beat, inventory: Make, new_fleet: NewFleet) -> None:
    with pytest.raises(RefusedError, match="'origin' is the origin's pathway"):
        new_fleet().heartbeat(beat("origin"), 0.0)
    with pytest.raises(RefusedError, match="'origin' is the origin's pathway"):
        new_fleet().inventory(inventory("origin"), 0.0)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, "ready"),
        ({"state": "starting"}, "starting"),
        ({"state": "draining"}, "draining"),
        ({"state": "stopping"}, "stopping"),
        ({"workers_ready": 0}, "broken"),
    ],
)
def test_what_an_appliance_says_of_itself_counts_at_once(
    beat: Beat, new_fleet: NewFleet, change: dict[str, object], kind: str
) -> None:
    fleet = new_fleet()
    ready(fleet, beat, "a1")
    fleet.heartbeat(beat("a1", sequence=2, **change), 1.0)
    assert standing(fleet, "a1", 1.0) == kind


def test_nobody_is_used_before_the_first_successful_probe(beat: Beat, new_fleet: NewFleet) -> None:
    fleet = new_fleet()
    fleet.heartbeat(beat("a1"), 0.0)
    assert standing(fleet, "a1", 0.0) == "new"
    fleet.probed("a1", "ok", 0.1)
    assert standing(fleet, "a1", 0.1) == "ready"


def test_an_appliance_that_moves_is_probed_anew(beat: Beat, new_fleet: NewFleet) -> None:
    fleet = new_fleet()
    ready(fleet, beat, "a1")
    fleet.heartbeat(beat("a1", sequence=2, url="http://moved.test:80"), 1.0)
    assert standing(fleet, "a1", 1.0) == "new"


def test_one_silent_appliance_is_out_and_many_at_once_stay_while_they_answer_probes(
    beat: Beat, new_fleet: NewFleet
) -> None:
    fleet = new_fleet()
    ready(fleet, beat, "a1", "a2", "a3", now=0.0)
    for name in ("a2", "a3"):
        fleet.heartbeat(beat(name, sequence=2), 5.5)
    assert [standing(fleet, name, 6.0) for name in ("a1", "a2", "a3")] == ["silent", "ready", "ready"]
    for name in ("a1", "a2", "a3"):
        fleet.heartbeat(beat(name, sequence=3), 10.0)
    assert [standing(fleet, name, 20.0) for name in ("a1", "a2", "a3")] == ["ready", "ready", "ready"]
    fleet.probed("a2", "failed", 20.0, error="refused")
    fleet.probed("a2", "failed", 20.5, error="refused")
    assert [standing(fleet, name, 21.0) for name in ("a1", "a2", "a3")] == ["ready", "dead", "ready"]


def test_trouble_is_remembered_for_a_while_after_the_return(beat: Beat, new_fleet: NewFleet) -> None:
    fleet = new_fleet()
    ready(fleet, beat, "a1")
    box = fleet.find("a1")
    assert box is not None
    assert fleet.trouble(box, 1.0) is None
    for second, outcome in enumerate(("failed", "failed", "ok", "ok", "ok")):
        fleet.probed("a1", outcome, float(second), error="refused")
    fleet.heartbeat(beat("a1", sequence=2), 4.0)
    assert standing(fleet, "a1", 5.0) == "ready"
    assert fleet.trouble(box, 5.0) == "a1 died 4 s ago"
    fleet.heartbeat(beat("a1", sequence=3), 62.0)
    assert fleet.trouble(box, 62.0) is None


def test_prefixes_follow_the_heartbeats_and_leave_with_the_appliance(beat: Beat, new_fleet: NewFleet) -> None:
    fleet = new_fleet()
    fleet.heartbeat(beat("a1", serves=("10.0.0.0/8", "10.1.0.0/16")), 0.0)
    assert fleet.matches(CLIENT)["a1"].bits == 16
    fleet.heartbeat(beat("a1", sequence=2, serves=("10.0.0.0/8",)), 1.0)
    assert fleet.matches(CLIENT)["a1"].bits == 8
    assert fleet.forget(700.0) == ["a1"]
    assert fleet.matches(CLIENT) == {}
    assert len(fleet) == 0


def test_a_forgotten_appliance_takes_its_holdings_along(beat: Beat, inventory: Make, new_fleet: NewFleet) -> None:
    fleet = new_fleet()
    fleet.heartbeat(beat("a1"), 0.0)
    fleet.inventory(inventory("a1", ("t", "v", 2, 2)), 0.0)
    assert fleet.sizes.objects("t") == 2
    fleet.forget(700.0)
    assert fleet.sizes.objects("t") == 0
    assert fleet.probed("a1", "ok", 701.0) is None


def test_a_restarted_appliance_must_send_a_full_inventory(beat: Beat, inventory: Make, new_fleet: NewFleet) -> None:
    fleet = new_fleet()
    fleet.heartbeat(beat("a1"), 0.0)
    assert fleet.inventory(inventory("a1", ("t", "v", 2, 2), sequence=8), 0.0) == "take"
    fleet.heartbeat(beat("a1", epoch=500.0), 9.0)
    assert fleet.inventory(inventory("a1", epoch=500.0, sequence=2, full=False), 9.0) == "gap"
    assert fleet.inventory(inventory("a1", epoch=500.0, sequence=3), 9.0) == "take"


def test_an_inventory_may_come_before_the_first_heartbeat(beat: Beat, inventory: Make, new_fleet: NewFleet) -> None:
    fleet = new_fleet()
    assert fleet.inventory(inventory("a1", ("t", "v", 1, 2), full=False), 0.0) == "gap"
    assert fleet.find("a1") is None
    assert fleet.inventory(inventory("a1", ("t", "v", 1, 2)), 0.0) == "take"
    assert standing(fleet, "a1", 0.0) == "unknown"
    fleet.heartbeat(beat("a1"), 0.5)
    fleet.probed("a1", "ok", 0.6)
    assert standing(fleet, "a1", 1.0) == "ready"


def test_what_strangers_send_cannot_grow_the_view_beyond_its_limits(
    beat: Beat, inventory: Make, new_fleet: NewFleet
) -> None:
    fleet = new_fleet(appliances=1, prefixes_each=2, renditions_each=1)
    with pytest.raises(RefusedError, match="serves: 3 prefixes; at most 2"):
        fleet.heartbeat(beat("a1", serves=("10.0.0.0/8",) * 3), 0.0)
    with pytest.raises(RefusedError, match=r"serves\[0\]: 'everyone' is not a prefix"):
        fleet.heartbeat(beat("a1", serves=("everyone",)), 0.0)
    assert len(fleet) == 0
    fleet.heartbeat(beat("a1"), 0.0)
    with pytest.raises(RefusedError, match="1 appliances are known") as caught:
        fleet.heartbeat(beat("a2"), 0.0)
    assert caught.value.fault == "full"
    with pytest.raises(RefusedError, match="held: more than 1 renditions"):
        fleet.inventory(inventory("a1", ("t", "v1", 1, 1), ("t", "v2", 1, 1)), 0.0)
