"""Least recently used by rendition."""

from oca.policy.lru import Lru
from oca.policy.policy import Standing

A, B, C = (("film", name) for name in "abc")


def nobody(_):
    return False


def filled():
    policy = Lru()
    for now, key in enumerate((A, B, C)):
        policy.track(key, 10, float(now))
    return policy


def order(policy):
    return [victim.key for victim in policy.evict(10**9, nobody)]


def test_what_was_asked_for_longest_ago_goes_first():
    policy = filled()
    policy.touch(A, 1, 100, 9.0)
    assert order(policy) == [B, C, A]


def test_growing_is_not_being_asked_for():
    policy = filled()
    policy.track(A, 30, 9.0)
    assert order(policy) == [A, B, C]


def test_doomed_goes_before_the_least_recently_used_and_planned_after():
    policy = filled()
    policy.judge(A, Standing.PLANNED, 1.0)
    policy.judge(C, Standing.DOOMED, 0.0)
    assert order(policy) == [C, B, A]


def test_a_standing_given_before_the_rendition_arrives_holds_when_it_does():
    policy = Lru()
    policy.judge(A, Standing.PINNED, 1.0)
    policy.track(A, 10, 0.0)
    policy.track(B, 10, 1.0)
    assert order(policy) == [B, A]
