import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.serve.machine import Ticks, allow_descriptors, choose_cores, disturbed, steal_share, ticks, ticks_of
from control.kit.errors import UserError


@given(st.sets(st.integers(0, 300), min_size=2))
def test_server_and_client_have_a_core_each_where_there_are_two(usable):
    cores = choose_cores(usable)
    assert cores.server != cores.client
    assert {cores.server, cores.client} <= usable


@given(st.lists(st.integers(0, 10**9), min_size=8, max_size=10))
def test_guest_time_is_not_counted_twice(numbers):
    found = ticks_of("cpu  " + " ".join(map(str, numbers)) + "\ncpu0 1 2 3\n")
    assert found == Ticks(sum(numbers[:8]), numbers[3] + numbers[4], numbers[7])


def test_this_machines_ticks_can_be_read():
    now = ticks()
    assert now.total > now.idle > 0


def test_time_that_the_hypervisor_took_makes_a_disturbed_run():
    steal = steal_share(Ticks(100, 50, 0), Ticks(200, 100, 10))
    assert steal == 0.1
    assert disturbed(load_before=0.0, cores=2, steal=steal)
    assert disturbed(load_before=3.0, cores=2, steal=0.0)
    assert not disturbed(load_before=0.1, cores=2, steal=0.0)


def test_more_descriptors_than_are_allowed_are_refused_with_what_to_do():
    allowed = allow_descriptors(16, 64)
    assert allowed >= 64
    if os.geteuid() != 0:
        with pytest.raises(UserError, match="ulimit"):
            allow_descriptors(1 << 40, 1 << 40)
