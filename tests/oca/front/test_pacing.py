"""Pacing: Sammy's two ends, what overrides them, and what a player cannot bring about."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.kit.quantity import BitsPerSecond, Seconds
from oca.front.cmcd import Cmcd
from oca.front.pacing import SO_MAX_PACING_RATE, UNPACED, PacingSettings, change, option, wanted

ON = PacingSettings(enabled=True)
kbps = st.integers(0, 10**9)
milliseconds = st.integers(0, 10**7)
told = st.builds(
    Cmcd,
    br=st.none() | kbps,
    tb=st.none() | kbps,
    rtp=st.none() | kbps,
    bl=st.none() | milliseconds,
    dl=st.none() | milliseconds,
    d=st.none() | milliseconds,
    pr=st.none() | st.floats(0, 16),
    ot=st.sampled_from([None, "v", "a", "av", "m", "i", "k"]),
    su=st.booleans(),
    bs=st.booleans(),
)


def mbps(rate):
    return rate * 8 / 1e6


def test_an_empty_buffer_gets_three_times_and_a_full_one_half_of_that():
    assert mbps(wanted(Cmcd(tb=8000, bl=0), ON)) == pytest.approx(24)
    assert mbps(wanted(Cmcd(tb=8000, bl=15_000), ON)) == pytest.approx(18)
    assert mbps(wanted(Cmcd(tb=8000, bl=30_000), ON)) == pytest.approx(12)
    assert mbps(wanted(Cmcd(tb=8000, bl=300_000), ON)) == pytest.approx(12)


def test_without_a_top_bitrate_the_present_one_counts():
    assert mbps(wanted(Cmcd(br=8000, bl=0), ON)) == pytest.approx(24)


def test_a_player_at_double_speed_gets_double():
    assert mbps(wanted(Cmcd(tb=8000, bl=30_000, pr=2.0), ON)) == pytest.approx(24)


def test_what_the_player_considers_enough_is_enough():
    assert mbps(wanted(Cmcd(tb=8000, bl=0, rtp=10_000), ON)) == pytest.approx(10)
    assert mbps(wanted(Cmcd(rtp=10_000), ON)) == pytest.approx(10)


def test_an_object_that_is_urgent_comes_before_its_deadline():
    assert mbps(wanted(Cmcd(br=8000, tb=8000, d=4000, dl=1000, bl=1000), ON)) == pytest.approx(48)


@pytest.mark.parametrize("quiet", [None, Cmcd(), Cmcd(bl=1000), Cmcd(tb=8000, su=True), Cmcd(tb=8000, bs=True)])
def test_who_tells_nothing_starts_or_starved_is_not_paced(quiet):
    assert wanted(quiet, ON) == UNPACED


@pytest.mark.parametrize("kind", ["m", "i", "c", "tt", "k", "o"])
def test_only_media_is_paced(kind):
    assert wanted(Cmcd(tb=8000, ot=kind), ON) == UNPACED


def test_nobody_is_paced_unless_it_is_switched_on():
    assert wanted(Cmcd(tb=8000), PacingSettings()) == UNPACED


@given(told)
def test_a_rate_is_within_the_bounds_or_none(said):
    rate = wanted(said, ON)
    assert rate == UNPACED or ON.least // 8 <= rate <= ON.most // 8


@given(told, milliseconds, milliseconds)
def test_a_longer_buffer_never_gets_more(said, one, other):
    less, more = sorted((one, other))
    rates = [wanted(Cmcd(**{**as_dict(said), "bl": length}), ON) for length in (less, more)]
    assert rates[0] >= rates[1]


@given(told, told)
def test_a_rate_is_set_only_when_it_changes_by_more_than_a_fifth(before, after):
    current, rate = wanted(before, ON), wanted(after, ON)
    new = change(current, after, ON)
    if new is None:
        assert rate == current or (UNPACED not in {rate, current} and abs(rate - current) <= 0.2 * current)
    else:
        assert new == rate
        assert change(new, after, ON) is None


def test_factors_the_wrong_way_round_never_reward_a_full_buffer():
    odd = PacingSettings(enabled=True, empty_factor=2.0, full_factor=3.0)
    assert wanted(Cmcd(tb=8000, bl=30_000), odd) == wanted(Cmcd(tb=8000, bl=0), odd)


def test_a_full_buffer_of_no_length_is_always_full():
    always = PacingSettings(enabled=True, full_buffer=Seconds(0), least=BitsPerSecond(0))
    assert mbps(wanted(Cmcd(tb=8000, bl=0), always)) == pytest.approx(12)


def test_the_kernel_takes_the_option():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, option(3_000_000))
        assert sock.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 4) == option(3_000_000)
        sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, option(UNPACED))


def as_dict(said):
    return {name: getattr(said, name) for name in said.__struct_fields__}
