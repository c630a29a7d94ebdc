"""What every eviction policy keeps to. A new policy needs only to be in the registry."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from control.kit.errors import ConfigError
from oca.policy import registry
from oca.policy.policy import Standing

KEYS = [("film", f"v{number}") for number in range(8)]
keys = st.sampled_from(KEYS)
policies = pytest.mark.parametrize("name", sorted(registry.POLICIES))


class Contract(RuleBasedStateMachine):
    """A policy beside a model that knows only sizes and standings."""

    name = "lru"

    def __init__(self):
        super().__init__()
        self.policy = registry.made(self.name)
        self.sizes, self.standing, self.value, self.now = {}, {}, {}, 0.0

    @rule(key=keys, size=st.integers(0, 100))
    def track(self, key, size):
        self.now += 1
        self.policy.track(key, size, self.now)
        self.sizes[key] = size

    @rule(key=keys, requests=st.integers(1, 5))
    def touch(self, key, requests):
        self.now += 1
        self.policy.touch(key, requests, 10, self.now)

    @rule(key=keys, standing=st.sampled_from(Standing), value=st.floats(0, 10))
    def judge(self, key, standing, value):
        self.policy.judge(key, standing, value)
        self.standing[key], self.value[key] = standing, value

    @rule(key=keys)
    def forget(self, key):
        self.policy.forget(key)
        self.sizes.pop(key, None)

    @rule(wanted=st.integers(0, 400), spared=st.sets(keys), upto=st.sampled_from(Standing))
    def evict(self, wanted, spared, upto):
        victims = self.policy.evict(wanted, spared.__contains__, upto)
        named = [victim.key for victim in victims]
        may = {
            key: size
            for key, size in self.sizes.items()
            if size and key not in spared and self.standing.get(key, Standing.FREE) <= upto
        }
        assert len(set(named)) == len(named), "nobody goes twice"
        assert set(named) <= set(may), "only what is held, not spared and not above the limit goes"
        freed = sum(victim.bytes for victim in victims)
        assert freed >= wanted or set(named) == set(may), "enough goes, or all that may"
        assert freed - (victims[-1].bytes if victims else 0) < max(wanted, 1), "no more goes than is needed"
        standings = [self.standing.get(key, Standing.FREE) for key in named]
        assert standings == sorted(standings), "the less protected goes first"
        self._least_value_first(named, may)

    def _least_value_first(self, named, may):
        planned = [key for key in named if self.standing.get(key) is Standing.PLANNED]
        left = [key for key in may if self.standing.get(key) is Standing.PLANNED and key not in planned]
        if planned and left:
            assert max(self.value[key] for key in planned) <= min(self.value[key] for key in left)

    @invariant()
    def books_agree(self):
        self.policy.audit()


@policies
def test_it_keeps_the_contract_whatever_happens(name):
    machine = type("Case", (Contract,), {"name": name}).TestCase
    machine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
    machine().runTest()


def test_a_policy_that_is_not_there_is_an_error_that_lists_those_that_are():
    with pytest.raises(ConfigError, match=r"there are: .*lru"):
        registry.made("belady")
