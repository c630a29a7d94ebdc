import contextlib
import datetime
import os
import time

import pytest

from bench.serve import certificate, loads, machine, session
from bench.serve.cells import KIB, RANGE_BYTES, Cell
from bench.serve.collection import Collection, hot_set
from bench.serve.comparison import Pace, Pools, compare
from bench.serve.fleet import Fleet, Setting
from bench.serve.machine import Cores
from bench.serve.peers.registry import PEERS
from bench.serve.process import StartError
from bench.serve.session import HOT_OBJECTS, Bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A bench with one peer that is always there, in the system's own network and on any core."""
    directory = tmp_path_factory.mktemp("bench")
    collection = Collection(directory / "disk")
    collection.make({hot_set(size, HOT_OBJECTS) for size in (4 * KIB, 256 * KIB)} | loads.audience_sets())
    chain, key = certificate.make(directory, now=datetime.datetime.now(datetime.UTC))
    core = min(os.sched_getaffinity(0))
    cores = Cores(core, core)
    with contextlib.ExitStack() as stack:
        setting = Setting(directory, collection.disk, chain, key, cores, 4000)
        fleet = stack.enter_context(Fleet(setting, monotonic=time.monotonic, pause=time.sleep))
        probe = hot_set(256 * KIB, HOT_OBJECTS).paths()[0]
        server = fleet.start(PEERS["aiohttp"], probe)
        yield Bench(
            collection, [server], cores, 4000, [], lambda words: None, probe, "the system's", 0.0, machine.ticks()
        )


def test_a_constant_rate_is_kept_and_told_from_the_intended_starts(bench):
    (row,) = loads.constant_rate(bench, Cell("http", 8, "hot", 4 * KIB), rate=50, seconds=0.4)
    assert (row.server, row.failures) == ("aiohttp", 0)
    assert 0 < row.ttfb_p50_ms <= row.answered_p50_ms <= row.answered_p999_ms
    assert row.cpu_us_per_request > 0


def test_viewers_watch_over_tls_too(bench):
    (row,) = loads.audience(bench, Cell("https", 5, "hot", 4 * KIB), seconds=1.5, seed=3)
    assert row.viewers == 5
    assert row.never_started == row.failures == 0
    assert row.startup_p99_ms > 0
    assert row.mean_mbit_per_s > 0


def test_idle_connections_take_memory_of_the_server(bench):
    (row,) = loads.idle(bench, Cell("http", 300, "hot", 4 * KIB))
    assert row.failures == 0
    assert row.memory_after_bytes > row.memory_before_bytes > 1_000_000
    assert row.bytes_per_connection > 100


def test_every_cell_gets_its_rounds(bench):
    found = compare(bench, [Cell("http", 4, "hot", 4 * KIB), Cell("https", 4, "hot", 4 * KIB)], Pace(2, 0.05))
    assert [(row.scheme, row.rounds, row.failures) for row in found.rows] == [("http", 2, 0), ("https", 2, 0)]
    assert found.ratios == []
    assert found.machine.versions.keys() == {"aiohttp"}


def test_pools_are_closed_before_descriptors_run_out(bench):
    (server,) = bench.servers
    with Pools(bench) as pools:
        first = pools.get(server, "http", 1200)
        assert pools.get(server, "http", 1200) is first
        pools.get(server, "http", 900)
        assert not first.links


def test_a_peer_that_fails_is_left_out_and_the_others_go_on(bench):
    (server,) = bench.servers
    with bench.leaving_out(server, "from here on"):
        raise ConnectionRefusedError("no more")
    try:
        assert bench.servers == []
        assert bench.left_out[-1].server == "aiohttp"
        assert "from here on: no more" in bench.left_out[-1].why
    finally:
        bench.servers.append(server)


def test_without_ours_there_is_no_comparison():
    with pytest.raises(StartError, match="oca, altogether: gone"):
        session.failure(PEERS["oca"], "altogether", StartError("gone"))


def test_cells_share_their_objects():
    hot, cold = session.sets_of(Cell("http", 32, "cold", RANGE_BYTES), 100)
    again, _ = session.sets_of(Cell("https", 1000, "hot", 4 << 20), 100)
    assert hot == again
    assert cold.count == 100
