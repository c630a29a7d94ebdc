"""Bitmaps of objects held."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.wire import Inventory, RenditionHeld, bitmap_of, held_indexes, succession


@settings(deadline=None)
@given(st.sets(st.integers(0, 5000)), st.integers(5001, 6000))
def test_a_bitmap_gives_back_the_objects_it_was_made_of(indexes: set[int], total: int) -> None:
    bitmap = bitmap_of(indexes, total)
    assert list(held_indexes(bitmap)) == sorted(indexes)
    assert len(bitmap) == (total + 7) // 8


@pytest.mark.parametrize("outside", [-1, 8, 9])
def test_an_object_outside_the_rendition_is_refused(outside: int) -> None:
    with pytest.raises(ValueError, match="outside a bitmap of 8"):
        bitmap_of([outside], 8)


@pytest.mark.parametrize(("held", "total", "complete"), [(3, 3, True), (2, 3, False), (0, 0, False)])
def test_a_rendition_is_complete_when_every_object_is_held(held: int, total: int, complete: bool) -> None:
    row = RenditionHeld(
        title="t", rendition="v", objects_total=total, objects_held=held, bytes_held=0, bitmap=bitmap_of([], total)
    )
    assert row.complete is complete


@pytest.mark.parametrize(
    ("kept", "epoch", "sequence", "full", "done"),
    [
        (None, 1.0, 1, True, "take"),
        (None, 1.0, 1, False, "gap"),
        ((1.0, 4), 1.0, 9, True, "take"),
        ((1.0, 4), 1.0, 4, True, "stale"),
        ((1.0, 4), 2.0, 0, True, "take"),
        ((1.0, 4), 2.0, 5, False, "gap"),
        ((2.0, 0), 1.0, 9, True, "stale"),
    ],
)
def test_an_inventory_is_taken_in_order_and_a_lost_one_is_noticed(
    kept: tuple[float, int] | None, epoch: float, sequence: int, full: bool, done: str
) -> None:
    assert succession(kept, Inventory(appliance="a", epoch=epoch, sequence=sequence, full=full)) == done
