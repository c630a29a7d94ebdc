import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.serve.accounting import Memory, cpu_ns, memory, memory_of, on_cpu_ns, used_ns

readings = st.dictionaries(st.integers(1, 30), st.integers(0, 10**12))


@given(st.integers(0, 2**63), st.integers(0, 2**63), st.integers(0, 2**31))
def test_the_first_number_of_schedstat_is_the_time_on_a_core(on_cpu, waiting, slices):
    assert on_cpu_ns(f"{on_cpu} {waiting} {slices}\n") == on_cpu


@pytest.mark.parametrize("text", ["", "12", "1 2", "a b c", "1 2 3 4"])
def test_what_is_no_schedstat_is_refused(text):
    with pytest.raises(ValueError, match=r"three numbers|invalid literal"):
        on_cpu_ns(text)


@given(readings, readings)
def test_used_time_is_never_less_than_what_new_threads_used(before, growth):
    after = {thread: ns + before.get(thread, 0) for thread, ns in growth.items()}
    assert used_ns(before, after) == sum(growth.values())


def test_memory_is_summed_over_processes():
    assert Memory(3, 1) + Memory(4, 2) == Memory(7, 3)


def test_shared_memory_counts_as_private_as_no_file_backs_it():
    text = "55-7f ---p 0 00:00 0 [rollup]\nRss: 9 kB\nPss: 8 kB\nPss_Anon: 3 kB\nPss_File: 4 kB\nPss_Shmem: 1 kB\n"
    assert memory_of(text) == Memory(8 * 1024, 4 * 1024)


def test_the_cpu_time_of_a_real_process_grows_as_it_works():
    before = cpu_ns([os.getpid()])
    sum(number * number for number in range(300_000))
    assert used_ns(before, cpu_ns([os.getpid()])) > 1_000_000


def test_a_process_that_has_gone_counts_nothing():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(10)
    assert cpu_ns([process.pid]) == {}
    assert memory([process.pid]) == Memory()
    assert memory([os.getpid()]).anonymous > 1_000_000
