import time

from hypothesis import given
from hypothesis import strategies as st

from bench.serve import viewers
from bench.serve.connections import Pool, Target
from bench.serve.viewers import LADDER, RUNG_BYTES, SEGMENT_S, Audience, Session, arrivals
from tests.bench.serve.conftest import polite


def watch(bps, seconds):
    """A session on a network of `bps` for `seconds`, in its own time."""
    now, session = 0.0, Session(0.0)
    while now < seconds:
        size = RUNG_BYTES[session.choose(now)]
        took = size * 8 / bps
        now += took
        now = max(session.arrived(size, took, now), now)
    session.end(now)
    return session


def test_on_a_fast_network_a_viewer_gets_the_best_at_once_and_never_waits():
    session = watch(bps=100 * LADDER[-1], seconds=120)
    assert session.startup_s < 0.1
    assert session.stalls == 0
    assert set(session.rungs[3:]) == {len(LADDER) - 1}


def test_on_a_network_between_two_rungs_a_viewer_stays_below_and_plays_on():
    session = watch(bps=2 * LADDER[1], seconds=200)
    assert session.stalls == 0
    assert max(session.rungs[5:]) <= 1


def test_on_a_network_slower_than_the_lowest_rung_a_viewer_stalls():
    session = watch(bps=LADDER[0] / 2, seconds=200)
    assert session.stalls > 0
    assert session.stalled_s > 50
    assert set(session.rungs[2:]) == {0}


def test_a_viewer_whose_buffer_is_full_asks_for_a_segment_every_segment_time():
    session = watch(bps=1000 * LADDER[-1], seconds=400)
    assert abs(len(session.rungs) - 400 / SEGMENT_S) <= 3


@given(st.integers(0, 300), st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_arrivals_within_one_segment(number, seed):
    found = arrivals(number, seed)
    assert found == arrivals(number, seed) == sorted(found)
    assert len(found) == number
    assert all(0 <= at < SEGMENT_S for at in found)


def test_the_rebuffer_ratio_is_time_stalled_of_time_after_startup():
    audience = Audience(played_s=90.0, stalled_s=10.0)
    assert audience.rebuffer_ratio == 0.1
    assert Audience().rebuffer_ratio == 0.0


def test_viewers_over_real_connections_start_and_watch(scripted):
    target = Target(scripted(polite).address)
    requests = [[target.request("/")]] * len(LADDER)
    with Pool(target, 20, time.monotonic) as pool:
        audience = viewers.run(pool, requests, seed=1, seconds=1.5, monotonic=time.monotonic)
    came = sum(at < 1.0 for at in arrivals(20, seed=1))
    assert came > 2
    assert len(audience.startup_s) >= came
    assert audience.requests >= 2 * came
    assert audience.failures == 0
    assert audience.stalled_s == 0
