"""A service that fails in a row is left alone for a while, and tried by one."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from control.playback.breaker import Breaker


def test_three_failures_open_it_and_one_attempt_closes_it_again():
    breaker = Breaker(failures=3, open_s=2.0)
    for _ in range(3):
        assert breaker.allows(0.0)
        breaker.failed(0.0)
    assert breaker.is_open
    assert not breaker.allows(1.9)
    assert breaker.allows(2.0)
    assert not breaker.allows(2.0), "a second attempt while the first is under way"
    breaker.succeeded()
    assert breaker.allows(2.0)


def test_a_success_in_between_forgets_the_failures():
    breaker = Breaker(failures=2)
    breaker.failed(0.0)
    breaker.succeeded()
    breaker.failed(0.0)
    assert not breaker.is_open


class Asked(RuleBasedStateMachine):
    """Failures in a row decide; an open breaker lets through at most one attempt per `open_s`."""

    def __init__(self):
        super().__init__()
        self.breaker = Breaker(failures=2, open_s=5.0)
        self.now = 0.0
        self.row = 0
        self.let_through_at = None

    @rule(seconds=st.floats(0, 4))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(works=st.booleans())
    def somebody_asks(self, works):
        was_open = self.breaker.is_open
        if not self.breaker.allows(self.now):
            return
        if was_open and self.let_through_at is not None:
            assert self.now - self.let_through_at >= 5.0 - 1e-9
        self.let_through_at = self.now if was_open or not works else None
        if works:
            self.row = 0
            self.breaker.succeeded()
        else:
            self.row += 1
            self.breaker.failed(self.now)

    @invariant()
    def it_is_open_after_two_failures_in_a_row(self):
        assert self.breaker.is_open == (self.row >= 2)


test_an_open_breaker_lets_one_through_at_a_time = pytest.mark.filterwarnings("default")(Asked.TestCase)
