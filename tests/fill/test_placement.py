"""Placement: what must hold for any demand, any fleet and any state of its disks."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fill.placement import Item, Placed, Policy, Room, place

KEYS = [(f"t{title}", f"v{rendition}") for title in range(4) for rendition in range(3)]
ITEMS = st.lists(
    st.builds(Item, st.sampled_from(KEYS), st.integers(1, 50), st.floats(0.001, 100)),
    max_size=12,
    unique_by=lambda item: item.key,
)
HELD = st.dictionaries(st.sampled_from([*KEYS, ("gone", "v0")]), st.integers(1, 50), max_size=8)
ROOMS = st.lists(
    st.builds(lambda n, capacity, held: Room(f"a{n}", capacity, held), st.integers(0, 9), st.integers(0, 200), HELD),
    max_size=4,
    unique_by=lambda room: room.appliance,
)
POLICY = Policy(churn_share=0.1)
FREE = Policy(churn_share=1.0)
NONE: frozenset[Any] = frozenset()


def placed(items: list[Item], rooms: list[Room], **given: Any) -> dict[str, Placed]:
    policy = given.pop("policy", POLICY)
    return place(items, rooms, pinned=given.pop("pinned", NONE), protected=given.pop("protected", NONE), policy=policy)


def keys(part: Placed) -> set[Any]:
    return {choice.item.key for choice in part.hold}


def sensible(items: list[Item], rooms: list[Room]) -> list[Room]:
    """Rooms that hold no more of a rendition than there is of it."""
    sizes = {item.key: item.bytes for item in items}
    return [
        Room(
            room.appliance,
            room.capacity_bytes,
            {key: min(held, sizes.get(key, held)) for key, held in room.held.items()},
        )
        for room in rooms
    ]


@settings(deadline=None)
@given(ITEMS, ROOMS, st.sets(st.sampled_from(KEYS)), st.sets(st.sampled_from(KEYS)))
def test_no_plan_is_larger_than_its_appliance_and_everything_is_held_or_left(
    items: list[Item], rooms: list[Room], pinned: set[Any], protected: set[Any]
) -> None:
    parts = placed(items, rooms, pinned=pinned, protected=protected)
    assert set(parts) == {room.appliance for room in rooms}
    for room in rooms:
        part = parts[room.appliance]
        assert sum(choice.item.bytes for choice in part.hold) <= room.capacity_bytes
        assert len(keys(part)) == len(part.hold)
        assert keys(part) | set(part.left) == {item.key for item in items}
        assert not keys(part) & set(part.left)
        assert set(part.evict) <= set(room.held) - keys(part)


@settings(deadline=None)
@given(ITEMS, ROOMS, st.randoms(use_true_random=False))
def test_the_same_world_gives_the_same_plan_in_whatever_order(
    items: list[Item], rooms: list[Room], rng: random.Random
) -> None:
    expected = placed(items, rooms)
    rng.shuffle(items)
    rng.shuffle(rooms)
    assert placed(items, rooms) == expected


@settings(deadline=None)
@given(ITEMS, ROOMS, st.sets(st.sampled_from(KEYS)))
def test_pinned_renditions_are_kept_where_they_fit_together(
    items: list[Item], rooms: list[Room], pinned: set[Any]
) -> None:
    parts = placed(items, rooms, pinned=pinned)
    wanted = [item for item in items if item.key in pinned]
    for room in rooms:
        if sum(item.bytes for item in wanted) <= room.capacity_bytes:
            assert {item.key for item in wanted} <= keys(parts[room.appliance])


@settings(deadline=None)
@given(ITEMS, ROOMS)
def test_no_more_is_displaced_than_the_churn_limit_and_one_rendition(items: list[Item], rooms: list[Room]) -> None:
    rooms = sensible(items, rooms)
    parts = placed(items, rooms)
    sizes = {item.key: item.bytes for item in items}
    for room in rooms:
        held = {key: count for key, count in room.held.items() if key in sizes}
        if sum(room.held.values()) > room.capacity_bytes or len(held) < len(room.held):
            continue
        if any(count < sizes[key] for key, count in held.items()):
            continue
        dropped = sum(count for key, count in held.items() if key not in keys(parts[room.appliance]))
        largest = max((item.bytes for item in items), default=0)
        assert dropped <= max(room.capacity_bytes * POLICY.churn_share, largest) + largest
        assert sum(held[key] for key in parts[room.appliance].evict) <= dropped


@settings(deadline=None)
@given(ITEMS, ROOMS)
def test_a_plan_carried_out_is_not_changed_by_the_next(items: list[Item], rooms: list[Room]) -> None:
    parts = placed(items, rooms, policy=FREE)
    done = [
        Room(
            room.appliance,
            room.capacity_bytes,
            {choice.item.key: choice.item.bytes for choice in parts[room.appliance].hold},
        )
        for room in rooms
    ]
    again = placed(items, done, policy=FREE)
    for _ in range(12):
        settled = {name: keys(part) for name, part in again.items()}
        done = [
            Room(room.appliance, room.capacity_bytes, {c.item.key: c.item.bytes for c in again[room.appliance].hold})
            for room in done
        ]
        again = placed(items, done, policy=FREE)
        if {name: keys(part) for name, part in again.items()} == settled:
            return
    raise AssertionError("plans keep changing in a world that does not")


@settings(deadline=None)
@given(ITEMS, ROOMS)
def test_evicting_what_may_go_makes_enough_room_and_no_more_than_needed(items: list[Item], rooms: list[Room]) -> None:
    rooms = sensible(items, rooms)
    sizes = {item.key: item.bytes for item in items}
    parts = placed(items, rooms)
    for room in rooms:
        part = parts[room.appliance]
        missing = sum(max(sizes[key] - room.held.get(key, 0), 0) for key in keys(part))
        kept = sum(count for key, count in room.held.items() if key not in part.evict)
        assert kept + missing <= room.capacity_bytes
        known = [key for key in part.evict if key in sizes]
        if known:
            assert kept + missing + room.held[known[-1]] > room.capacity_bytes


def test_with_room_for_everything_every_member_holds_everything() -> None:
    items = [Item(key, 10, 0.001) for key in KEYS]
    parts = placed(items, [Room("a1", 1000), Room("a2", 1000)])
    assert all(keys(part) == set(KEYS) for part in parts.values())


def test_with_little_room_the_hit_is_held_twice_and_the_tail_once() -> None:
    items = [Item(("hit", "v"), 10, 100.0), *(Item((f"tail{n}", "v"), 10, 1.0) for n in range(4))]
    parts = placed(items, [Room("a1", 30), Room("a2", 30)])
    held = [keys(part) for part in parts.values()]
    assert all(("hit", "v") in each for each in held)
    assert held[0] & held[1] == {("hit", "v")}
    assert len(held[0] | held[1]) == 5


def test_equals_stay_where_they_are_and_clearly_better_ones_replace_them() -> None:
    held = Room("a1", 10, {("t0", "v0"): 10})
    equal = [Item(("t0", "v0"), 10, 1.0), Item(("t1", "v0"), 10, 1.1)]
    assert keys(placed(equal, [held], policy=FREE)["a1"]) == {("t0", "v0")}
    better = [Item(("t0", "v0"), 10, 1.0), Item(("t1", "v0"), 10, 1.3)]
    assert keys(placed(better, [held], policy=FREE)["a1"]) == {("t1", "v0")}


def test_a_protected_rendition_is_kept_though_others_are_worth_more() -> None:
    items = [Item(("t0", "v0"), 10, 0.1), Item(("t1", "v0"), 10, 100.0)]
    room = Room("a1", 10, {("t0", "v0"): 10})
    assert keys(placed(items, [room], protected={("t0", "v0")}, policy=FREE)["a1"]) == {("t0", "v0")}
    assert keys(placed(items, [Room("a1", 10)], protected={("t0", "v0")}, policy=FREE)["a1"]) == {("t1", "v0")}


def test_what_is_left_out_is_told_why() -> None:
    items = [Item(("t0", "v0"), 30, 9.0), Item(("t1", "v0"), 30, 8.0)]
    (part,) = placed(items, [Room("a1", 50)]).values()
    assert part.left == {("t1", "v0"): "needs 30 B; 20 B are left after what is worth more"}
    full = Room("a1", 100, {("t2", "v0"): 50, ("t3", "v0"): 50})
    items = [
        Item(("t0", "v0"), 10, 9.0),
        Item(("t1", "v0"), 5, 8.0),
        Item(("t2", "v0"), 50, 1.0),
        Item(("t3", "v0"), 50, 0.5),
    ]
    (part,) = placed(items, [full]).values()
    assert part.left[("t1", "v0")] == "would displace 5 B; the churn limit leaves 0 B"
    assert part.evict == (("t3", "v0"),)
