import re
from itertools import islice, pairwise

from hypothesis import given
from hypothesis import strategies as st

from bench.serve.asking import Sources, asks, cold_turns, ranges
from bench.serve.cells import MIB, RANGE_BYTES, Cell
from bench.serve.collection import Collection, cold_set, hot_set
from bench.serve.connections import Target

TARGET = Target(("127.0.0.1", 1))


class Noted:
    """An eviction that only notes."""

    def __init__(self):
        self.evicted = []

    def evict(self, path):
        self.evicted.append(path)


def sources(tmp_path, size, state):
    cold = None if state == "hot" else cold_set(size, 3)
    return Sources(hot_set(size, 2), cold, Collection(tmp_path), Noted())


def test_a_fifth_of_the_mixed_state_is_cold():
    assert sum(islice(cold_turns("cold20"), 1000)) == 200


@given(st.integers(1, 200), st.integers(1, 64))
def test_ranges_are_every_part_of_an_object_once(size, count):
    found = ranges(size * count, size)
    assert sorted(found) == [(number * size, (number + 1) * size) for number in range(count)]


def test_hot_requests_go_through_all_objects_and_evict_nothing(tmp_path):
    made = sources(tmp_path, MIB, "hot")
    ask = asks(Cell("http", 1, "hot", MIB), TARGET, made)
    paths = [re.match(rb"GET (\S+) HTTP/1.1\r\n", ask()).group(1) for _ in range(4)]
    assert paths == [b"/s/bench/hot-1024k/00001.m4s", b"/s/bench/hot-1024k/00002.m4s"] * 2
    assert made.eviction.evicted == []


def test_a_cold_object_is_evicted_when_its_request_is_taken_and_no_sooner(tmp_path):
    made = sources(tmp_path, MIB, "cold")
    ask = asks(Cell("http", 1, "cold", MIB), TARGET, made)
    assert made.eviction.evicted == []
    for turn in range(1, 5):
        path = re.match(rb"GET /s/(\S+)", ask()).group(1).decode()
        assert len(made.eviction.evicted) == turn
        assert made.eviction.evicted[-1] == tmp_path / "segments" / path


def test_no_two_range_requests_in_a_row_have_the_same_head(tmp_path):
    ask = asks(Cell("http", 1, "hot", RANGE_BYTES), TARGET, sources(tmp_path, 4 * MIB, "hot"))
    found = [re.search(rb"Range: bytes=(\d+)-(\d+)\r\n", ask()).groups() for _ in range(100)]
    assert all(int(last) - int(first) == RANGE_BYTES - 1 for first, last in found)
    assert all(before != after for before, after in pairwise(found))
