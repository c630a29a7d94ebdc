import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.serve.outcome import median_of, paired_ratio, percentile

times = st.lists(st.floats(0, 1e6), min_size=1, max_size=200)
positive = st.floats(0.001, 1000)


@given(times, st.floats(0.001, 1))
def test_a_percentile_is_the_least_value_that_the_share_does_not_exceed(values, share):
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-9
    assert sum(value < found for value in ordered) < share * len(ordered) + 1e-9


@given(times)
def test_percentiles_rise_with_their_share(values):
    ordered = sorted(values)
    found = [percentile(ordered, share) for share in (0.5, 0.99, 0.999, 1.0)]
    assert found == sorted(found)
    assert found[-1] == ordered[-1]


def test_no_values_have_percentile_and_median_zero():
    assert percentile([], 0.99) == 0.0
    assert median_of([]) == 0.0


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=20), st.data())
def test_what_slows_both_sides_of_a_round_leaves_the_ratio(pairs, data):
    slow = data.draw(st.lists(st.floats(0.5, 50), min_size=len(pairs), max_size=len(pairs)))
    calm = paired_ratio([a for a, _ in pairs], [b for _, b in pairs])
    busy = paired_ratio(
        [a * s for (a, _), s in zip(pairs, slow, strict=True)], [b * s for (_, b), s in zip(pairs, slow, strict=True)]
    )
    assert busy == pytest.approx(calm)


def test_one_disturbed_round_does_not_move_the_ratio():
    assert paired_ratio([10, 10, 900], [20, 20, 21]) == 0.5


def test_rounds_in_which_the_other_did_nothing_make_no_ratio():
    assert math.isnan(paired_ratio([1.0], [0.0]))
    assert paired_ratio([1.0, 4.0], [0.0, 2.0]) == 2.0
