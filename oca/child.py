"""One child process of the supervisor: started, kept running, retired."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

from control.kit.clock import Clock
from control.kit.logs import get_logger
from control.kit.orphan import parent_environment

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
STEADY_S = 30.0
"""A child that ran this long is steady: its next crash starts the pauses anew."""


class Child:
    """`python -m <arguments>` with inherited `descriptors`."""

    def __init__(self, name: str, arguments: tuple[str, ...], descriptors: tuple[int, ...], clock: Clock) -> None:
        self.name = name
        self.restarts = 0
        self._arguments = arguments
        self._descriptors = descriptors
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._log = get_logger(child=name)

    def __repr__(self) -> str:
        pid = self._process.pid if self._process is not None and self.running else "ended"
        return f"<Child {self.name} {pid}, {self.restarts} restarts>"

    @property
    def running(self) -> bool:
        """Whether the process lives, as far as is known."""
        return self._process is not None and self._process.returncode is None

    @property
    def status(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.returncode if self._process is not None else None

    async def spawn(self) -> None:
        """Start it."""
        await self._exec(self._arguments, self._descriptors)

    async def spawn_ready(self, timeout_s: float) -> bool:
        """Start it and wait until it has written to its READY_FD; False when it ends or takes too long."""
        read, write = os.pipe()
        try:
            arguments = (*self._arguments, str(write), *map(str, self._descriptors))
            await self._exec(arguments, (write, *self._descriptors))
        finally:
            os.close(write)
        ready = await _readable(read, timeout_s) and os.read(read, 1) == b"1"
        os.close(read)
        if not ready:
            await self.kill()
        return ready

    def keep_running(self) -> None:
        """Start it again whenever it ends, with growing pauses."""
        assert self._watch is None, f"{self.name} is watched already"
        self._watch = asyncio.get_running_loop().create_task(self._keep(), name=self.name)

    def let_go(self) -> None:
        """Do not start it again."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self._process is not None and self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def ended(self) -> None:
        """Wait for its end."""
        if self._process is not None:
            await self._process.wait()

    async def kill(self) -> None:
        """End it at once."""
        self.let_go()
        self.signal(signal.SIGKILL)
        await self.ended()

    async def _exec(self, arguments: tuple[str, ...], descriptors: tuple[int, ...]) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *arguments,
            pass_fds=descriptors,
            stdin=asyncio.subprocess.DEVNULL,
            env=parent_environment(),
        )
        self._log.info("child_started", pid=self._process.pid)

    async def _keep(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            started = self._clock.monotonic()
            await self.ended()
            if self._clock.monotonic() - started > STEADY_S:
                pause_s = FIRST_PAUSE_S
            self.restarts += 1
            self._log.error("child_died", status=self.status, restarts=self.restarts, pause_s=pause_s)
            await self._clock.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            await (self.spawn_ready(STEADY_S) if self._descriptors else self.spawn())


async def _readable(descriptor: int, timeout_s: float) -> bool:
    """Whether `descriptor` can be read, or is at its end, within `timeout_s`. It stays open and ours."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await asyncio.wait_for(readable.wait(), timeout_s)
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
    return True


async def _byte_within(read: int, timeout_s: float) -> bool:
    """Whether a byte comes from pipe `read` before its end and in time. The pipe is closed."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(read, readable.set)
    try:
        await asyncio.wait_for(readable.wait(), timeout_s)
        return os.read(read, 1) != b""
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(read)
        os.close(read)
