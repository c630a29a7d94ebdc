"""The life of a real process: start, ready, drain, stop; and work repeated while it lives."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from control.kit.clock import FakeClock
from control.kit.errors import UserError
from control.kit.lifecycle import Periodic

LIMIT_S = 15.0

CHILD = """
import asyncio, sys
import click
from control.kit import lifecycle, logs
from control.kit.errors import ConfigError

class Probe:
    name = "probe"
    def __init__(self, mode): self.mode = mode
    async def start(self):
        if self.mode == "refused": raise ConfigError("c.yaml:1: url: is required and missing")
        if self.mode == "slow-start":
            print("starting", flush=True)
            await asyncio.Event().wait()
        if self.mode == "broken": raise RuntimeError("our bug")
        print("up", flush=True)
    async def drain(self):
        print("drain", flush=True)
        if self.mode in ("slow-drain", "stuck"): await asyncio.Event().wait()
    async def stop(self):
        print("stop", flush=True)
        if self.mode == "stuck": await asyncio.Event().wait()

@click.command()
@click.argument("mode")
@click.argument("limit", type=float)
def probe(mode, limit):
    logs.configure(process="probe")
    return lifecycle.run(Probe(mode), drain_limit_s=limit)

import oca.cli
oca.cli.COMMANDS["probe"] = ("__main__:probe", "")
sys.argv = ["oca", "probe", *sys.argv[1:]]
oca.cli.main()
"""


@asynccontextmanager
async def child(mode: str, limit_s: float = 30.0) -> AsyncIterator[asyncio.subprocess.Process]:
    command = (sys.executable, "-c", CHILD, mode, str(limit_s))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def said(process: asyncio.subprocess.Process, words: str) -> None:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), LIMIT_S)
    assert line.decode().strip() == words


async def ready(process: asyncio.subprocess.Process) -> None:
    await said(process, "up")
    assert process.stderr is not None
    line = await asyncio.wait_for(process.stderr.readline(), LIMIT_S)
    assert json.loads(line)["event"] == "ready"


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    out, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_and_exits_with_success(number: signal.Signals) -> None:
    async with child("plain") as process:
        await ready(process)
        process.send_signal(number)
        status, out, err = await ended(process)
    assert (status, out.split()) == (0, ["drain", "stop"])
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["draining", "stopped"]


async def test_a_second_signal_stops_without_finishing_the_drain() -> None:
    async with child("slow-drain") as process:
        await ready(process)
        process.send_signal(signal.SIGTERM)
        await said(process, "drain")
        process.send_signal(signal.SIGTERM)
        assert (await ended(process))[:2] == (0, "stop\n")


async def test_a_drain_ends_at_its_limit() -> None:
    async with child("slow-drain", limit_s=0.1) as process:
        await ready(process)
        process.send_signal(signal.SIGTERM)
        status, out, err = await ended(process)
    assert (status, out.split()) == (0, ["drain", "stop"])
    assert "drain_limit_reached" in err


async def test_a_service_that_cannot_stop_is_ended_after_a_second_signal() -> None:
    async with child("stuck") as process:
        await ready(process)
        process.send_signal(signal.SIGTERM)
        await said(process, "drain")
        process.send_signal(signal.SIGTERM)
        await said(process, "stop")
        assert (await ended(process))[0] == 0


async def test_a_signal_while_starting_gives_the_start_up() -> None:
    async with child("slow-start") as process:
        await said(process, "starting")
        process.send_signal(signal.SIGTERM)
        assert (await ended(process))[:2] == (0, "stop\n")


async def test_what_the_user_can_mend_is_one_line_and_an_exit_status() -> None:
    async with child("refused") as process:
        assert await ended(process) == (3, "stop\n", "oca: c.yaml:1: url: is required and missing\n")


async def test_our_own_bug_shows_its_traceback() -> None:
    async with child("broken") as process:
        status, out, err = await ended(process)
    assert (status, out) == (1, "stop\n")
    assert "Traceback" in err
    assert "RuntimeError: our bug" in err


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_periodic_work_runs_at_once_and_then_every_interval() -> None:
    clock, rounds = FakeClock(), []

    async def work() -> None:
        rounds.append(clock.monotonic())

    periodic = Periodic("work", 10, work, clock)
    periodic.start()
    for _ in range(3):
        await turns()
        clock.advance(10)
    await periodic.stop()
    assert rounds == [0, 10, 20]


async def test_a_round_that_fails_is_counted_and_the_next_one_runs() -> None:
    clock, outcomes = FakeClock(), iter([UserError("origin is away"), RuntimeError("bug"), None])

    async def work() -> None:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome

    periodic = Periodic("work", 10, work, clock)
    await periodic.once()
    assert (periodic.failures, periodic.last_error) == (1, "origin is away")
    await periodic.once()
    assert (periodic.failures, periodic.last_error) == (2, "RuntimeError('bug')")
    await periodic.once()
    assert (periodic.failures, periodic.last_error) == (2, "")


async def test_stopping_waits_until_the_round_under_way_has_ended() -> None:
    begun, cleaned = asyncio.Event(), []

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    periodic = Periodic("work", 10, work, FakeClock())
    periodic.start()
    await asyncio.wait_for(begun.wait(), LIMIT_S)
    await periodic.stop()
    await periodic.stop()
    assert cleaned == [True]
