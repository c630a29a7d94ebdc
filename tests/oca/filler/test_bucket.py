"""A rate that is kept over time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from oca.filler.bucket import Bucket


@settings(max_examples=50, deadline=None)
@given(st.integers(8_000, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=50), st.integers(1, 4))
def test_takers_who_rest_as_told_keep_the_rate(rate, chunks, takers):
    bucket = Bucket(rate, burst_s=0.25)
    now, free_at, taken = 0.0, [0.0] * takers, 0
    for number, chunk in enumerate(chunks):
        taker = number % takers
        now = max(now, free_at[taker])
        free_at[taker] = now + bucket.take(chunk, now)
        taken += chunk
        assert taken <= rate / 8 * (now + 0.25) + sum(chunks[: number + 1][-takers:]) + 1


def test_without_a_rate_nobody_rests():
    bucket = Bucket(0)
    assert [bucket.take(10**9, now) for now in (0.0, 0.0, 1.0)] == [0.0, 0.0, 0.0]


def test_idle_time_is_not_saved_beyond_the_burst():
    bucket = Bucket(8_000, burst_s=1.0)
    bucket.take(0, 0.0)
    assert bucket.take(2_000, 3600.0) == 1.0
