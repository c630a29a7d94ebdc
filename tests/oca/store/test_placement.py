"""Which disk a rendition goes to."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from oca.store import placement
from oca.store.layout import RenditionKey


@dataclass
class Place:
    id: str
    capacity_bytes: int
    room_bytes: int


def places(*capacities):
    return [Place(f"d{number}", capacity, capacity) for number, capacity in enumerate(capacities)]


KEYS = [RenditionKey(f"title-{number}", "v1") for number in range(4000)]


def test_disks_get_renditions_in_proportion_to_their_capacity():
    disks = places(1000, 2000, 3000)
    first = [placement.order(disks, key)[0].id for key in KEYS]
    shares = [first.count(disk.id) / len(KEYS) for disk in disks]
    assert all(abs(share - wanted) < 0.03 for share, wanted in zip(shares, (1 / 6, 2 / 6, 3 / 6), strict=True))


def test_a_disk_that_goes_moves_only_what_was_on_it():
    disks = places(1000, 1000, 1000, 1000)
    for key in KEYS[:500]:
        before = placement.order(disks, key)
        after = placement.order(disks[:3], key)
        assert [disk for disk in before if disk.id != "d3"] == after


def test_what_does_not_fit_on_the_first_disk_goes_to_the_next():
    disks = places(1000, 1000)
    key = KEYS[0]
    first, second = placement.order(disks, key)
    first.room_bytes = 99
    assert placement.choose(disks, key, 100) is second
    second.room_bytes = 99
    assert placement.choose(disks, key, 100) is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=8), st.integers(0, 10**15), st.text(max_size=8))
def test_a_disk_is_chosen_exactly_when_one_has_room(rooms, wanted, title):
    disks = [Place(f"d{number}", 10**15, room) for number, room in enumerate(rooms)]
    chosen = placement.choose(disks, RenditionKey(title, "v"), wanted)
    assert (chosen is not None) == (max(rooms) >= wanted)
    assert chosen is None or chosen.room_bytes >= wanted


def test_the_order_does_not_depend_on_how_disks_are_listed():
    disks = places(5, 7, 9)
    assert placement.order(disks, KEYS[1]) == placement.order(disks[::-1], KEYS[1])
