"""The bounded memory: never more than its limit, and what is used outlives what is not."""

from hypothesis import given, settings
from hypothesis import strategies as st

from oca.front.access.remembered import Remembered


class Value:
    def __init__(self, name):
        self.name = name
        self.used = False


@settings(max_examples=30)
@given(st.integers(1, 8), st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=200))
def test_it_holds_the_latest_and_never_more_than_its_limit(limit, steps):
    memory = Remembered(limit)
    for keep, number in steps:
        name = b"%d" % number
        if keep:
            memory.keep(name, Value(name))
            assert memory.peek(name).name == name
        else:
            found = memory.get(name)
            assert found is None or found.name == name
        assert len(memory) <= limit


def test_what_was_used_gets_one_more_turn():
    memory = Remembered(2)
    for name in (b"a", b"b"):
        memory.keep(name, Value(name))
    memory.get(b"a")
    memory.keep(b"c", Value(b"c"))
    assert memory.peek(b"a")
    assert memory.peek(b"b") is None
    memory.keep(b"d", Value(b"d"))
    memory.keep(b"e", Value(b"e"))
    assert memory.peek(b"a") is None


def test_everything_used_still_leaves_room():
    memory = Remembered(2)
    for name in (b"a", b"b"):
        memory.keep(name, Value(name))
        memory.get(name)
    memory.keep(b"c", Value(b"c"))
    assert len(memory) == 2
    assert memory.peek(b"c")
