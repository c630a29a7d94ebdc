"""The clock that stands still until it is moved, and the machine's."""

from __future__ import annotations

import asyncio

from control.kit.clock import FakeClock, SystemClock


async def test_sleepers_wake_in_the_order_of_their_time() -> None:
    clock, woken = FakeClock(), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    async with asyncio.TaskGroup() as group:
        for seconds in (3, 1, 2):
            group.create_task(sleeper(seconds))
        await asyncio.sleep(0)
        clock.advance(2)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert woken == [1, 2]
        clock.advance(1)
    assert woken == [1, 2, 3]


async def test_a_sleep_of_no_time_needs_no_advance_or_at_most_an_empty_one() -> None:
    clock = FakeClock()
    sleep = asyncio.ensure_future(clock.sleep(0))
    await asyncio.sleep(0)
    clock.advance(0)
    await asyncio.wait_for(sleep, 1)


async def test_a_cancelled_sleeper_does_not_disturb_the_others() -> None:
    clock = FakeClock()
    first, second = asyncio.ensure_future(clock.sleep(1)), asyncio.ensure_future(clock.sleep(1))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    clock.advance(1)
    await asyncio.wait_for(second, 1)
    assert first.cancelled()


async def test_both_times_move_together_and_only_by_advance() -> None:
    clock = FakeClock(now=1000.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (1002.5, 2.5)


async def test_the_machines_clock_never_goes_back() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0)
    assert clock.monotonic() >= before
    assert clock.now() > 1_700_000_000
