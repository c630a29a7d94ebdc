"""The life of a process: start, ready, drain, stop. In call order.

SIGTERM and SIGINT drain: the service stops taking work, finishes what is in flight up to a limit, and
stops. A second signal stops at once, whatever is in flight. A signal while starting gives the start up.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Protocol

import uvloop

from control.kit.clock import Clock
from control.kit.errors import Exit, UserError
from control.kit.logs import get_logger

STOP_AT_ONCE_LIMIT_S = 2.0
"""After a second signal, how long a service may take to close what it has open."""


class Service(Protocol):
    """What a process runs. `start` returns when the service is ready or raises UserError."""

    name: str

    async def start(self) -> None:
        """Bind, open, load; return when serving."""

    async def drain(self) -> None:
        """Take no new work and finish what is in flight."""

    async def stop(self) -> None:
        """Close everything. Called once, also after a failed start or drain."""


def run(service: Service, *, drain_limit_s: float = 30.0) -> Exit:
    """Run `service` on uvloop until a signal. Returns the exit status; UserErrors propagate."""
    return uvloop.run(_live(service, drain_limit_s))


async def _live(service: Service, drain_limit_s: float) -> Exit:
    log = get_logger(service=service.name)
    stopping = asyncio.Event()
    at_once = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        (at_once if stopping.is_set() else stopping).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        await _first(service.start(), stopping.wait())
        if not stopping.is_set():
            log.info("ready")
            await stopping.wait()
            log.info("draining", limit_s=drain_limit_s)
            if not await _first(service.drain(), at_once.wait(), timeout_s=drain_limit_s):
                log.warning("drain_limit_reached", limit_s=drain_limit_s)
    finally:
        await _first(service.stop(), _soon_after(at_once), timeout_s=drain_limit_s)
    log.info("stopped")
    return Exit.OK


async def _first(*work: Awaitable[object], timeout_s: float | None = None) -> bool:
    """Await the first of `work` to end and cancel the rest. False when none ended in time."""
    tasks = [asyncio.ensure_future(each) for each in work]
    done, pending = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()
    return bool(done)


async def _soon_after(event: asyncio.Event) -> None:
    await event.wait()
    await asyncio.sleep(STOP_AT_ONCE_LIMIT_S)


class Periodic:
    """Work repeated every `interval_s`, for as long as the service lives.

    A round that fails is logged once per change of its error and tried again at the next interval:
    a report that could not be sent must not stop the appliance.
    """

    def __init__(self, name: str, interval_s: float, work: Callable[[], Awaitable[None]], clock: Clock) -> None:
        self.name = name
        self.interval_s = interval_s
        self.failures = 0
        self.last_error = ""
        self._work = work
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._log = get_logger(periodic=name)

    def __repr__(self) -> str:
        return f"<Periodic {self.name} every {self.interval_s} s, {self.failures} failures>"

    def start(self) -> None:
        """Begin; the first round runs at once."""
        assert self._task is None, f"{self.name} started twice"
        self._task = asyncio.get_running_loop().create_task(self._repeat(), name=self.name)

    async def stop(self) -> None:
        """Cancel and wait until it has ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _repeat(self) -> None:
        while True:
            await self.once()
            await self._clock.sleep(self.interval_s)

    async def once(self) -> None:
        """One round, with its failure recorded instead of raised."""
        try:
            await self._work()
        except UserError as error:
            self._failed(str(error))
        except Exception as error:
            self._log.exception("periodic_crashed")
            self._failed(repr(error))
        else:
            if self.last_error:
                self._log.info("periodic_recovered")
            self.last_error = ""

    def _failed(self, words: str) -> None:
        self.failures += 1
        if words != self.last_error:
            self._log.warning("periodic_failed", error=words)
        self.last_error = words
