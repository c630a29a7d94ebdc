"""When a disk that failed is tried again."""

import itertools

from oca.keeper.watch import FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_S, _Tries


def times_tried(until_s, step_s=1.0):
    tries, found, now = _Tries(), [], 0.0
    while now < until_s:
        if tries.due(now):
            found.append(now)
        now += step_s
    return found


def test_at_once_then_less_and_less_often_up_to_a_limit():
    tried = times_tried(4000.0)
    pauses = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert tried[0] == 0.0
    assert pauses[0] == FIRST_PAUSE_S
    assert pauses == sorted(pauses)
    assert max(pauses) == LONGEST_PAUSE_S


def test_a_disk_that_was_steady_for_long_is_tried_soon_again():
    tries = _Tries()
    for now in (0.0, 10.0, 100.0):
        assert tries.due(now)
    assert tries.due(100.0 + STEADY_S + 1)
    assert tries.due(100.0 + STEADY_S + 1 + FIRST_PAUSE_S)
