"""Who is there to plan for, from reports in any order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from control.wire import Heartbeat, Inventory
from control.wire.heartbeat import DiskReport
from fill.members import Held, Member, MemberLimits, Members, RefusedError, plannable_bytes

Beat = Callable[..., Heartbeat]
Make = Callable[..., Inventory]


def members(**limits: Any) -> Members:
    return Members(MemberLimits(**({"ttl_s": 10.0, "inventory_grace_s": 5.0} | limits)), origin="origin")


def found(there: Members, name: str = "a1") -> Member:
    member = there.find(name)
    assert member is not None
    return member


def test_heartbeats_in_the_wrong_order_change_nothing(beat: Beat) -> None:
    there = members()
    assert there.heartbeat(beat(sequence=5, state="draining"), 0.0) == "new"
    assert there.heartbeat(beat(sequence=4), 1.0) == "stale"
    assert there.heartbeat(beat(sequence=6), 2.0) == "renewed"
    assert there.heartbeat(beat(epoch=2000.0), 3.0) == "restarted"
    assert there.heartbeat(beat(sequence=99), 4.0) == "stale"
    assert found(there).heard_at == 3.0


def test_inventories_add_up_and_a_gap_asks_for_a_full_one(beat: Beat, inventory: Make) -> None:
    there = members()
    assert there.inventory(inventory("a1", ("t", "v", 1, 2), full=False), 0.0) == "gap"
    assert there.inventory(inventory("a1", ("t", "v", 1, 2), ("t", "a", 2, 2)), 0.0) == "take"
    assert there.inventory(inventory("a1", ("t", "v", 2, 2), full=False, sequence=2, gone=(("t", "a"),)), 0.0) == "take"
    assert there.inventory(inventory("a1", full=False, sequence=2), 0.0) == "stale"
    assert there.inventory(inventory("a1", full=False, sequence=4), 0.0) == "gap"
    assert found(there).held == {("t", "v"): Held(200, True)}
    assert there.inventory(inventory("a1", ("t", "v", 0, 2), full=False, sequence=3), 0.0) == "take"
    assert found(there).held == {}


def test_a_restart_asks_for_a_full_inventory_and_keeps_what_was_known_until_then(beat: Beat, inventory: Make) -> None:
    there = members()
    there.heartbeat(beat(), 0.0)
    there.inventory(inventory("a1", ("t", "v", 2, 2)), 0.0)
    there.heartbeat(beat(epoch=2000.0), 1.0)
    assert found(there).held
    assert there.inventory(inventory("a1", epoch=2000.0, full=False, sequence=2), 1.0) == "gap"
    assert there.inventory(inventory("a1", epoch=2000.0), 1.0) == "take"
    assert not found(there).held


@pytest.mark.parametrize(
    ("state", "plannable"), [("ok", 90), ("full", 90), ("readonly", 40), ("failed", 0), ("missing", 0)]
)
def test_a_plan_uses_what_disks_can_take(state: Any, plannable: int) -> None:
    disk = DiskReport(id="d", tier="hdd", state=state, capacity_bytes=100, used_bytes=40, reserve_bytes=10)
    assert plannable_bytes(disk) == plannable


def test_a_reserve_larger_than_the_disk_leaves_nothing() -> None:
    disk = DiskReport(id="d", tier="hdd", state="ok", capacity_bytes=10, used_bytes=0, reserve_bytes=20)
    assert plannable_bytes(disk) == 0


def test_a_first_plan_waits_for_the_inventory_but_not_for_ever(beat: Beat, inventory: Make) -> None:
    there = members()
    there.inventory(inventory("a2"), 0.0)
    assert there.waiting_for(found(there, "a2"), 0.0) == "its first heartbeat"
    there.heartbeat(beat("a1"), 0.0)
    assert there.waiting_for(found(there), 4.0) == "its inventory"
    assert there.waiting_for(found(there), 5.0) == ""
    there.heartbeat(beat("a2"), 4.0)
    assert there.waiting_for(found(there, "a2"), 4.0) == ""


def test_a_silent_or_stopping_appliance_is_no_member(beat: Beat) -> None:
    there = members()
    there.heartbeat(beat(), 0.0)
    assert there.is_live(found(there), 10.0)
    assert not there.is_live(found(there), 10.1)
    assert "a heartbeat; the last came 11 s ago and said ready" in there.waiting_for(found(there), 11.0)
    there.heartbeat(beat(sequence=2, state="stopping"), 12.0)
    assert not there.is_live(found(there), 12.0)


def test_what_strangers_send_cannot_grow_the_view_beyond_its_limits(beat: Beat, inventory: Make) -> None:
    there = members(appliances=1, renditions_each=1)
    with pytest.raises(RefusedError, match="the name 'origin' is the origin's"):
        there.heartbeat(beat("origin"), 0.0)
    there.heartbeat(beat("a1"), 0.0)
    with pytest.raises(RefusedError, match="1 appliances are known"):
        there.heartbeat(beat("a2"), 0.0)
    with pytest.raises(RefusedError, match="held: more than 1 renditions"):
        there.inventory(inventory("a1", ("t", "v", 1, 1), ("t", "a", 1, 1)), 0.0)
    with pytest.raises(RefusedError, match="two appliances may not have one name"):
        there.heartbeat(beat("a1", epoch=1.0, url="http://elsewhere.test"), 0.0)


def test_who_has_been_away_for_long_is_forgotten(beat: Beat) -> None:
    there = members(forget_after_s=100.0)
    there.heartbeat(beat(), 0.0)
    assert there.forget(100.0) == []
    assert there.forget(101.0) == ["a1"]
    assert len(there) == 0
