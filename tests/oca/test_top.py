"""`oca top`: what it computes, and what it does while the appliance comes and goes."""

import asyncio
import io
import json
import signal
import sys
from contextlib import aclosing

import msgspec
import pytest
from aiohttp import web
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from control.kit.client import ServiceClient
from control.kit.clock import FakeClock, SystemClock
from control.kit.errors import Exit, UnreachableError
from control.wire import DiskReport, FillReport
from oca import metrics
from oca.cli import oca as commands
from oca.keeper.daemon import Keeper
from oca.keeper.status import Status, WorkerStatus
from oca.link import messages as link
from oca.top import (
    ABORTED,
    COLD_READS,
    HITS,
    MISSES,
    REQUESTS,
    RESPONSES,
    SENT,
    WINDOW_S,
    Watch,
    growth,
    reading,
    recent,
)
from oca.top_cli import Outage, looks
from oca.top_screen import screen

EPOCH = 1_700_000_000.0


def worker(at, *, pid=100, number=0, **counters):
    names = {"requests": REQUESTS, "sent": SENT, "hits": HITS, "misses": MISSES, "aborted": ABORTED}
    names |= {"cold": COLD_READS, "missing": f"{RESPONSES}404", "good": f"{RESPONSES}200"}
    return WorkerStatus(
        worker=number,
        pid=pid,
        connections=3,
        waiting=0,
        counters={names[name]: float(count) for name, count in counters.items()},
        reported_at=EPOCH + at if counters else 0.0,
    )


def status(at, *workers, epoch=EPOCH, fill=None):
    return Status(
        appliance="a1",
        site="s",
        cluster="c",
        url="http://a1",
        state="ready",
        waiting_for=[],
        epoch=epoch,
        uptime_s=EPOCH + at - epoch,
        build="1",
        capacity_bps=10**10,
        egress_bps=0.0,
        requests_per_s=0.0,
        connections=3 * len(workers),
        workers_configured=2,
        workers=list(workers),
        disks=(DiskReport(id="d1", tier="nvme", state="ok", capacity_bytes=1000, used_bytes=250),),
        renditions=0,
        objects=0,
        bytes=0,
        flights=0,
        left_alone=[],
        reports_failing={},
        plan=None,
        fill=fill,
    )


def fill(at, done):
    return FillReport(appliance="a1", plan="p1", state="running", at=EPOCH + at, bytes_total=4_000_000, bytes_done=done)


def shown(found, trouble=""):
    console = Console(width=100, file=io.StringIO())
    console.print(screen(found, trouble))
    return console.file.getvalue()


def test_rates_are_growth_over_the_time_between_a_workers_own_reports():
    before = status(
        10.0, worker(8.9, requests=100, sent=0, hits=10, misses=10, missing=0, good=9), fill=fill(10, 10**6)
    )
    after = status(
        12.0,
        worker(10.9, requests=150, sent=500_000, hits=40, misses=20, missing=4, good=55, aborted=2, cold=1),
        worker(11.5, number=1, pid=101, requests=70_000, sent=10**9),
        fill=fill(12, 2 * 10**6),
    )
    found = reading([before, after])
    assert (found.requests_per_s, found.bits_per_s, found.hit_ratio) == (25.0, 2_000_000, 0.75)
    assert (found.aborted_per_s, found.cold_reads_per_s, found.errors_per_s) == (1.0, 0.5, {"404": 2.0})
    assert [(each.over_s, each.requests_per_s) for each in found.workers] == [(2.0, 25.0), (0.0, 0.0)]
    assert (found.fill_bits_per_s, found.connections, found.settled) == (4_000_000, 6, False)


def test_totals_that_went_back_give_no_rate_until_the_worker_has_reported_twice_again():
    watch = Watch()
    watch.take(status(1, worker(1, requests=500, sent=500)))
    assert watch.take(status(2, worker(2, requests=5, sent=5))).workers[0].over_s == 0
    found = watch.take(status(3, worker(3, requests=15, sent=15)))
    assert (found.workers[0].over_s, found.requests_per_s) == (1.0, 10.0)


def test_a_keeper_that_starts_anew_is_counted_and_changes_no_rate_of_workers_that_live_on():
    watch = Watch()
    watch.take(status(1, worker(1, requests=10, sent=0)))
    watch.take(status(2, epoch=EPOCH + 1.5))
    watch.take(status(3, worker(2.9, requests=30, sent=0), epoch=EPOCH + 1.5))
    found = watch.take(status(4, worker(3.9, requests=40, sent=0), epoch=EPOCH + 1.5))
    assert (found.restarts, found.requests_per_s) == (1, 10.0)


counts = st.integers(0, 2**50)
times = st.floats(0, 100, allow_nan=False)
workers = st.builds(
    worker,
    times,
    number=st.integers(0, 1),
    pid=st.integers(1, 2),
    requests=counts,
    sent=counts,
    hits=counts,
    misses=counts,
    missing=counts,
    aborted=counts,
)
statuses = st.builds(
    lambda at, found, epoch: status(at, *found, epoch=EPOCH + epoch),
    times,
    st.lists(workers, max_size=3, unique_by=lambda each: (each.worker, each.pid)),
    st.sampled_from([0.0, 50.0]),
)


@given(st.lists(statuses, min_size=1, max_size=6))
def test_whatever_two_samples_say_no_rate_is_negative_and_no_ratio_is_beyond_one(samples):
    watch = Watch()
    for sample in samples:
        found = watch.take(sample)
        rates = [found.requests_per_s, found.bits_per_s, found.cold_reads_per_s, found.aborted_per_s]
        rates += found.errors_per_s.values()
        for each in found.workers:
            rates += [each.over_s, each.requests_per_s, each.bits_per_s]
        assert all(rate >= 0 for rate in rates)
        assert found.hit_ratio is None or 0 <= found.hit_ratio <= 1


@given(counts, counts, st.floats(0.01, 10))
def test_growth_of_a_total_is_never_negative_and_exact_when_it_grew(before, after, over):
    over_s, rates = growth(worker(1, requests=before), worker(1 + over, requests=after))
    assert over_s == pytest.approx(over, abs=1e-6)
    assert rates[REQUESTS] * over_s == pytest.approx(max(after - before, 0))


@given(st.lists(times, max_size=50), times)
def test_only_the_last_seconds_are_remembered_and_always_the_sample_before(ats, now):
    kept = recent([status(at) for at in ats], EPOCH + now)
    assert [each.uptime_s for each in kept[-1:]] == [status(at).uptime_s for at in ats[-1:]]
    assert all(-0.001 <= EPOCH + now - each.epoch - each.uptime_s <= WINDOW_S + 0.001 for each in kept[:-1])


def test_every_total_that_is_looked_at_is_in_the_table_of_metrics():
    names = {REQUESTS, SENT, HITS, MISSES, COLD_READS, ABORTED, RESPONSES.rstrip(":")}
    assert names <= {row.name for row in metrics.FRONT}


def test_the_screen_shows_workers_disks_fill_and_trouble():
    samples = [
        status(1, worker(1, requests=0, sent=0)),
        status(2, worker(2, requests=7, sent=250, missing=2), fill=fill(2, 10**6)),
    ]
    text = shown(reading(samples, restarts=2), "connection refused")
    for words in ("a1 is ready", "restarted 2 times", "7.0 requests/s", "404: 2.0/s", "25.0 %", "connection refused"):
        assert words in text


class FakeAdmin:
    """A keeper's admin API that says what it is told to, and can be away."""

    def __init__(self):
        self.now = None
        self.asked = 0
        self._runner = None
        self.port = 0

    async def start(self):
        app = web.Application()
        app.router.add_get("/v1/status", self._say)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self):
        await self._runner.cleanup()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def _say(self, _):
        self.asked += 1
        at = self.asked * 0.1
        now = self.now or status(at, worker(at, requests=self.asked, sent=100 * self.asked))
        return web.Response(body=msgspec.json.encode(now), content_type="application/json")


@pytest.fixture
async def admin():
    found = FakeAdmin()
    await found.start()
    yield found
    await found.stop()


async def test_an_appliance_that_restarts_is_an_outage_and_then_a_restart(admin):
    clock = FakeClock()
    async with ServiceClient("keeper", admin.url) as client, aclosing(looks(client, 1.0, clock)) as seen:

        async def look():
            coming = asyncio.ensure_future(anext(seen))
            for _ in range(1000):
                clock.advance(1.0)
                done, _ = await asyncio.wait([coming], timeout=0.01)
                if done:
                    return coming.result()
            raise AssertionError("nothing is seen")

        admin.now = status(10, worker(10, requests=100, sent=0))
        assert (await look()).restarts == 0
        await admin.stop()
        away = await look()
        assert isinstance(away, Outage)
        assert "cannot be reached" in away.unreachable
        admin.now = status(20, worker(20, pid=200, requests=3, sent=0), epoch=EPOCH + 15)
        await admin.start()
        back = await look()
        assert (back.restarts, back.requests_per_s, back.uptime_s) == (1, 0.0, 5.0)


async def oca(*arguments):
    return await asyncio.to_thread(CliRunner().invoke, commands, ["top", *arguments])


async def test_once_measures_until_rates_are_known_and_prints_one_object_or_one_screen(admin):
    result = await oca("--once", "--json", "--interval", "0.1", "--admin", admin.url)
    found = json.loads(result.stdout)
    assert (result.exit_code, found["requests_per_s"], found["workers"][0]["over_s"]) == (0, 10.0, 0.1)
    result = await oca("--once", "--interval", "0.1", "--admin", admin.url)
    assert (result.exit_code, "10.0 requests/s" in result.stdout) == (0, True)


async def test_an_appliance_that_never_answered_is_an_error():
    result = await oca("--admin", "http://127.0.0.1:9")
    assert isinstance(result.exception, UnreachableError)


@pytest.mark.parametrize("how", [("--json",), ()])
async def test_ctrl_c_ends_it_with_success(admin, how):
    command = (sys.executable, "-c", "from oca.cli import main; main()", "top", "--admin", admin.url, *how)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(15):
        assert await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        await process.stdout.read()
        assert await process.wait() == Exit.OK


async def test_a_keeper_tells_what_its_workers_last_reported(world):
    keeper = Keeper(world.settings(), SystemClock())
    await keeper.start()
    try:
        _, writer = await asyncio.open_unix_connection(str(keeper.settings.keeper_socket))
        writer.write(link.frame(link.Hello(0, 77)) + link.frame(link.Served(1, {REQUESTS: 5.0})))
        await world.until(lambda: keeper.fronts.last(0, 77))
        async with ServiceClient("keeper", f"http://127.0.0.1:{keeper.server.port}") as client:
            said = await client.get("/v1/status", msgspec.json.Decoder(Status).decode)
        (found,) = said.workers
        assert (found.pid, found.counters) == (77, {REQUESTS: 5.0})
        assert abs(found.reported_at - keeper.clock.now()) < 10
        writer.close()
        await writer.wait_closed()
    finally:
        await keeper.stop()
