from hypothesis import given
from hypothesis import strategies as st

from bench.serve.cells import Cell, cells, order


def test_the_full_set_is_every_combination_once():
    found = cells()
    assert len(found) == len(set(found)) == 3 * 2 * 3 * 3


def test_of_ten_thousand_connections_most_are_idle():
    assert Cell("http", 10_000, "hot", 65536).active == 100
    assert Cell("http", 1000, "hot", 65536).active == 1000


def test_the_small_size_is_a_range_of_a_large_object():
    assert Cell("http", 32, "hot", 65536).object_bytes == 4 * 1024 * 1024
    assert Cell("http", 32, "hot", 65536).ranged
    assert not Cell("http", 32, "hot", 1024 * 1024).ranged


@given(st.lists(st.text(max_size=5), min_size=1, max_size=6, unique=True), st.integers(0, 50))
def test_every_server_is_in_every_round_and_each_begins_in_turn(names, round_number):
    found = list(order(tuple(names), round_number))
    assert sorted(found) == sorted(names)
    assert found[0] == names[round_number % len(names)]
