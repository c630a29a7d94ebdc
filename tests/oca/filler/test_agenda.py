"""What is left to do of a plan."""

from hypothesis import given, settings
from hypothesis import strategies as st

from oca.filler.agenda import delay_before, missing, that_fit


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(0, 40)), st.integers(0, 40))
def test_what_is_missing_is_what_is_not_held(held, total):
    left = list(missing(total, held))
    assert set(left) == set(range(total)) - held
    assert left == sorted(left)


def test_a_plan_larger_than_the_disks_keeps_its_order_and_its_pins(world):
    first, second, third = (world.made(f"film-{n}").hold() for n in range(3))
    pinned = world.made("film-3").hold(pinned=True)
    each = first.bytes + first.index_bytes
    holds, left_out = that_fit(world.plan(first, second, third, pinned), 2 * each)
    assert holds == [first, pinned]
    assert left_out == [second, third]


def test_waits_double_up_to_a_limit():
    waits = [delay_before(attempt, first_s=1, limit_s=60) for attempt in range(2, 60)]
    assert waits[:4] == [1, 2, 4, 8]
    assert waits == sorted(waits)
    assert waits[-1] == 60
